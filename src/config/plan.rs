//! What a session with these settings is to deliver: the configuration's numbers as the core's plan, what that adds up
//! to, and what deserves a second look.

use super::{Config, LawName, StimulatorKind};
use crate::{
    limits::HostLimits,
    noise::Profile,
    plan::{Delivers, Plan},
    session::schedule::Schedule,
};

/// The area of a 5 x 7 cm electrode in cm², taken where nothing real stimulates and the file names none.
const DEFAULT_AREA_CM2: f64 = 35.0;
/// Samples a second that our device takes.
const DEVICE_RATE_HZ: f64 = 1e6 / tras_device::hard::SAMPLE_US as f64;
/// The rate that an audio output is taken to have where the file names none.
const AUDIO_RATE_HZ: f64 = 48_000.0;

/// What the session delivers when nothing cuts it short, and what is to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outlook {
    /// How many blocks.
    pub blocks: u32,
    /// Time, charge, density; zero without stimulation.
    pub delivers: Delivers,
    /// What deserves a second look, one sentence each.
    pub warnings: Vec<String>,
    /// What an operator must know before current flows: told at the start of a run as well.
    pub cautions: Vec<String>,
}

impl Config {
    /// Whether current is to flow at all.
    #[must_use]
    pub fn stimulates(&self) -> bool {
        self.stimulation.enabled && self.stimulator.kind != StimulatorKind::None
    }

    /// The host's limits.
    #[must_use]
    pub fn host_limits(&self) -> HostLimits {
        let l = &self.limits;
        let virtual_area = (!self.stimulator.kind.is_real()).then_some(DEFAULT_AREA_CM2);
        HostLimits {
            peak_ma: l.peak_ma,
            dc_ma: l.dc_max_ua * 1e-3,
            slew_ma_per_ms: l.slew_ma_per_ms,
            net_charge_mc: l.net_charge_mc,
            total_charge_mc: l.total_charge_c * 1e3,
            active_s: l.active_min * 60.0,
            electrode_area_cm2: self.stimulation.electrode_area_cm2.or(virtual_area),
            ..HostLimits::default()
        }
    }

    /// The session's current as the core plans it.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let (s, c) = (&self.stimulation, &self.controller);
        Plan {
            schedule: Schedule {
                baseline_s: s.baseline_s,
                block_s: s.block_s,
                gap_s: s.gap_s,
                blocks: s.blocks,
                ramp_down_s: s.ramp_down_s,
            },
            profile: s.profile,
            exponent: s.exponent,
            exponents: match c.law {
                // An open loop gives what the protocol says, whatever an adaptive law would be bounded by.
                LawName::Fixed => (s.exponent, s.exponent),
                LawName::Adaptive => (c.exponent_min, c.exponent_max),
            },
            band_hz: (s.band_hz[0], s.band_hz[1]),
            peak_ma: s.peak_ma,
            ramp_up_s: s.ramp_up_s,
            limits: self.host_limits(),
            rate_hz: match self.stimulator.kind {
                StimulatorKind::Audio => self.stimulator.audio_rate_hz().map_or(AUDIO_RATE_HZ, f64::from),
                _ => DEVICE_RATE_HZ,
            },
        }
    }

    /// What a session with these settings delivers. Without stimulation every dose is 0.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let enabled = self.stimulation.enabled;
        let delivers = if enabled { self.plan().delivers().unwrap_or_default() } else { Delivers::default() };
        let mut warnings = spectrum(self);
        // A protocol's own blocks are reckoned by its timeline.
        if enabled && self.protocol.is_none() {
            warnings.extend(session(self, &delivers));
        }
        let blocks = if enabled { self.stimulation.blocks } else { 0 };
        Outlook { blocks, delivers, warnings, cautions: super::cautions::of(self) }
    }
}

fn spectrum(config: &Config) -> Vec<String> {
    let e = &config.estimator;
    let mut warnings = Vec::new();
    let resolution_hz = 1.0 / e.segment_s;
    if e.peak_width_hz[0] < 2.0 * resolution_hz {
        warnings.push(format!(
            "estimator.peak_width_hz: {} Hz is under twice the resolution of {resolution_hz:.2} Hz \
             (1 / segment_s): single noisy bins may pass for peaks",
            e.peak_width_hz[0]
        ));
    }
    if e.line_hz > 0.0 && e.range_hz[0] < e.line_hz && e.line_hz < e.range_hz[1] {
        warnings.push(format!(
            "estimator.range_hz: contains the mains at {} Hz, whose bins are left out",
            e.line_hz
        ));
    }
    warnings
}

fn session(config: &Config, delivers: &Delivers) -> Vec<String> {
    let (s, l) = (&config.stimulation, &config.limits);
    let mut warnings = Vec::new();
    if s.override_band {
        warnings.push(format!(
            "stimulation.override_band: {} to {} Hz is allowed beyond 0.5 to 100 Hz",
            s.band_hz[0], s.band_hz[1]
        ));
    }
    if config.controller.law == LawName::Adaptive && s.profile == Profile::Sham {
        warnings.push(
            "stimulation.profile: sham ends its current early in each block; an adaptive law has little to act on"
                .to_owned(),
        );
    }
    if delivers.active_s > 0.9 * l.active_min * 60.0 {
        warnings.push(format!(
            "limits.active_min: the plan takes {:.1} of {} min; what runs a little long is cut",
            delivers.active_s / 60.0,
            l.active_min
        ));
    }
    warnings
}

//! The data behind each panel of the screen, in the units that the panel shows.

use std::collections::VecDeque;

use crate::acquisition::state::StreamState;
use crate::estimator::{Contamination, Estimate, Peak, Reason};
use crate::stimulator::State;

/// The stream, and what acquisition has counted.
#[derive(Clone, Debug, Default)]
pub struct StreamView {
    /// What it is doing.
    pub state: StreamState,
    /// Its name.
    pub name: String,
    /// Its nominal rate in Hz.
    pub rate_hz: f64,
    /// Labels of the chosen channels.
    pub channels: Vec<String>,
    /// Channels that are spoilt at the moment, by index.
    pub spoilt: Vec<usize>,
    /// Channels that were spoilt within the last seconds, by index, and why in a word.
    pub bad: Vec<(usize, &'static str)>,
    /// Samples received and known to be missing.
    pub received: u64,
    /// See `received`.
    pub lost: u64,
    /// Gaps so far.
    pub gaps: u64,
    /// Frames dropped because the ring before the loop was full.
    pub overruns: u64,
    /// Age of the newest sample, in s.
    pub age_s: f64,
    /// Share of the ring before the loop that is filled, 0..1.
    pub ring_fill: f64,
    /// Data older than this are stale, in s.
    pub max_age_s: f64,
    /// Why what is there in place of a lost stream is not taken, where something is.
    pub refused: Option<String>,
}

/// The last spectrum of the steering region with its fit.
#[derive(Clone, Debug, Default)]
pub struct SpectrumView {
    /// The region.
    pub region: String,
    /// Frequency in Hz and log10 power in uV²/Hz of each bin.
    pub bins: Vec<(f64, f64)>,
    /// Fit range in Hz.
    pub range_hz: [f64; 2],
    /// Aperiodic line: log10 power at 1 Hz, exponent, knee.
    pub offset: f64,
    /// See `offset`.
    pub exponent: f64,
    /// See `offset`.
    pub knee: Option<f64>,
    /// R² of the fit.
    pub r_squared: f64,
    /// Peaks above the line.
    pub peaks: Vec<Peak>,
    /// Whether current flowed in its window.
    pub contamination: Contamination,
}

impl SpectrumView {
    /// log10 power of the aperiodic line at `freq_hz`.
    #[must_use]
    pub fn line_at(&self, freq_hz: f64) -> f64 {
        self.offset - (self.knee.unwrap_or(0.0) + freq_hz.powf(self.exponent)).log10()
    }
}

/// One estimate of the history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExponentPoint {
    /// Stamp of its window's last sample, in s.
    pub stamp_s: f64,
    /// The exponent; NaN where the fit failed.
    pub exponent: f64,
    /// Its standard error; NaN where the method gives none.
    pub se: f64,
    /// Why it must not be used.
    pub invalid: Option<Reason>,
    /// Whether current flowed in its window.
    pub contamination: Contamination,
}

/// The exponents of the steering region.
#[derive(Clone, Debug, Default)]
pub struct ExponentView {
    /// Oldest first, at most [`super::state::MAX_HISTORY`].
    pub points: VecDeque<ExponentPoint>,
    /// What an adaptive law steers toward.
    pub target: Option<f64>,
    /// The newest that was valid and taken without current.
    pub last_clean: Option<ExponentPoint>,
    /// Age of the newest estimate, in s.
    pub age_s: f64,
    /// From one estimate to the next, in s; 0 where that is not known.
    pub hop_s: f64,
    /// Estimates so far, and how many were valid.
    pub count: u64,
    /// See `count`.
    pub valid: u64,
    /// The newest estimate through the current.
    pub through: Option<ThroughPoint>,
}

/// An estimate of a window under current, of what the removal of its artefact has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThroughPoint {
    /// Stamp of the window's last sample.
    pub stamp_s: f64,
    /// Its exponent.
    pub exponent: f64,
    /// Its standard error.
    pub se: f64,
    /// What is not proven, or wrong with the fit; `None` where it may be believed.
    pub why_not: Option<&'static str>,
}

/// A region or channel that is estimated.
#[derive(Clone, Debug, Default)]
pub struct TargetView {
    /// Its name.
    pub name: String,
    /// Its newest estimate.
    pub newest: Option<ExponentPoint>,
    /// Its newest that was valid and taken without current.
    pub last_clean: Option<ExponentPoint>,
}

impl ExponentPoint {
    /// What the screen shows of `estimate`.
    #[must_use]
    pub fn of(estimate: &Estimate) -> Self {
        let fit = &estimate.fit;
        Self {
            stamp_s: estimate.stamp_s,
            exponent: fit.exponent,
            se: fit.exponent_se,
            invalid: fit.invalid,
            contamination: estimate.contamination,
        }
    }

    /// Valid, and taken without current.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.invalid.is_none() && self.contamination == Contamination::Clean
    }
}

/// Stimulation: plan, host, device.
#[derive(Clone, Debug)]
pub struct StimulationView {
    /// Whether this session stimulates at all; `monitor` does not.
    pub enabled: bool,
    /// The adapter and the device.
    pub device: String,
    /// `steep`, `flat`, `sham`.
    pub profile: String,
    /// Exponent of the noise.
    pub exponent: f64,
    /// Largest |current| that the session may deliver, in mA: the scale of its trace.
    pub peak_ma: f64,
    /// RMS of the recent current in mA.
    pub rms_ma: f64,
    /// Mean current over 10 s in uA.
    pub dc_ua: f64,
    /// The host's state.
    pub host: State,
    /// The device's state, where one is connected.
    pub device_state: Option<State>,
    /// Block now or next, from 1, and how many there are.
    pub block: u32,
    /// See `block`.
    pub blocks: u32,
    /// Phase of the protocol: `baseline`, `block`, `gap`, ...
    pub phase: String,
    /// What follows, and in how many seconds.
    pub next_phase: String,
    /// See `next_phase`.
    pub next_in_s: Option<f64>,
    /// Why stimulation is held, where it is; the word goes when its reason goes.
    pub held: Option<String>,
    /// Why nothing starts any more in this run, where that is so.
    pub stopped: Option<String>,
    /// Seconds with current so far, and the limit.
    pub active_s: f64,
    /// See `active_s`.
    pub active_limit_s: f64,
    /// Integral of |current| so far, and the limit, in C.
    pub charge_c: f64,
    /// See `charge_c`.
    pub charge_limit_c: f64,
    /// What waits in the device's queue, and its capacity, in ms.
    pub queue_ms: f64,
    /// See `queue_ms`.
    pub queue_capacity_ms: f64,
    /// Times that the queue ran dry while stimulating.
    pub underruns: u64,
    /// Impedance in kOhm, where the device measures it.
    pub impedance_kohm: Option<f64>,
}

impl Default for StimulationView {
    fn default() -> Self {
        Self {
            enabled: false,
            device: String::new(),
            profile: String::new(),
            exponent: f64::NAN,
            peak_ma: 0.5,
            rms_ma: 0.0,
            dc_ua: 0.0,
            host: State::Disarmed,
            device_state: None,
            block: 0,
            blocks: 0,
            phase: String::new(),
            next_phase: String::new(),
            next_in_s: None,
            held: None,
            stopped: None,
            active_s: 0.0,
            active_limit_s: 0.0,
            charge_c: 0.0,
            charge_limit_c: 0.0,
            queue_ms: 0.0,
            queue_capacity_ms: 0.0,
            underruns: 0,
            impedance_kohm: None,
        }
    }
}

/// From the last sample of a window to the decision at the device's queue, in us.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyView {
    /// Median.
    pub p50_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// Hops that were skipped because a newer window was there.
    pub skipped: u64,
}

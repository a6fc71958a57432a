//! What a session with these settings delivers: minutes, charge, density, and what deserves a warning.

use std::f64::consts::PI;

use super::stimulation::{ProfileName, SHAM_HOLD_S};
use super::{Config, LawName};

/// Mean |I| of Gaussian noise for each mA of peak, peak at three standard deviations: sqrt(2/pi) / 3.
pub const MEAN_ABS_PER_PEAK: f64 = 0.265_961;

/// Largest RMS density at an electrode, in mA/cm².
pub const DENSITY_MAX_MA_CM2: f64 = 0.03;

/// The area of a 5 x 7 cm electrode in cm², taken where nothing real stimulates and the file names none.
pub const DEFAULT_AREA_CM2: f64 = 35.0;

/// What the session delivers when nothing cuts it short.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// How many blocks.
    pub blocks: u32,
    /// From the start to the end of the last block, in s.
    pub session_s: f64,
    /// Time with current, ramps included, in s.
    pub active_s: f64,
    /// Expected integral of |current| over the session, in C.
    pub charge_c: f64,
    /// Standard deviation of the one-sided charge, in mC; 65 s of noise reach three to five of them.
    pub net_charge_sd_mc: f64,
    /// RMS at full amplitude, in mA.
    pub rms_ma: f64,
    /// RMS over the electrode's area, in mA/cm².
    pub density_ma_cm2: f64,
    /// What deserves a second look, one sentence each.
    pub warnings: Vec<String>,
    /// What an operator must know before current flows: told at the start of a run as well.
    pub cautions: Vec<String>,
}

impl Plan {
    /// Adds up `config`. Without stimulation every dose is 0.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let s = &config.stimulation;
        let mut plan = Self {
            blocks: 0,
            session_s: 0.0,
            active_s: 0.0,
            charge_c: 0.0,
            net_charge_sd_mc: 0.0,
            rms_ma: 0.0,
            density_ma_cm2: 0.0,
            warnings: Vec::new(),
            cautions: super::cautions::of(config),
        };
        if s.enabled {
            let blocks = f64::from(s.blocks);
            let ramps_s = s.ramp_up_s + s.ramp_down_s;
            let active_s = match s.profile {
                ProfileName::Steep | ProfileName::Flat => s.block_s,
                ProfileName::Sham => (ramps_s + SHAM_HOLD_S).min(s.block_s),
            };
            plan.blocks = s.blocks;
            plan.session_s = s.baseline_s + blocks * s.block_s + (blocks - 1.0) * s.gap_s;
            plan.active_s = blocks * active_s;
            // A raised cosine has a mean of one half.
            plan.charge_c = blocks * (active_s - ramps_s / 2.0) * MEAN_ABS_PER_PEAK * s.peak_ma * 1e-3;
            plan.rms_ma = s.rms_ma();
            plan.net_charge_sd_mc = plan.rms_ma * charge_sd_s(steepest(config), s.band_hz);
            plan.density_ma_cm2 = plan.rms_ma / s.electrode_area_cm2.unwrap_or(DEFAULT_AREA_CM2);
        }
        plan.warn(config);
        plan
    }

    fn warn(&mut self, config: &Config) {
        let (e, s, l) = (&config.estimator, &config.stimulation, &config.limits);
        let mut warn = |text: String| self.warnings.push(text);
        let resolution_hz = 1.0 / e.segment_s;
        if e.peak_width_hz[0] < 2.0 * resolution_hz {
            warn(format!(
                "estimator.peak_width_hz: {} Hz is under twice the resolution of {resolution_hz:.2} Hz \
                 (1 / segment_s): single noisy bins may pass for peaks",
                e.peak_width_hz[0]
            ));
        }
        if e.line_hz > 0.0 && e.range_hz[0] < e.line_hz && e.line_hz < e.range_hz[1] {
            warn(format!(
                "estimator.range_hz: contains the mains at {} Hz, whose bins are left out",
                e.line_hz
            ));
        }
        if !s.enabled {
            return;
        }
        // Five standard deviations: what 65 s of steep noise reached when it was measured.
        if 5.0 * self.net_charge_sd_mc > l.net_charge_mc {
            warn(format!(
                "limits.net_charge_mc: excursions of {:.2} mC are likely, the limit is {} mC: a block may be \
                 ramped down early",
                5.0 * self.net_charge_sd_mc,
                l.net_charge_mc
            ));
        }
        if s.override_band {
            warn(format!(
                "stimulation.override_band: {} to {} Hz is allowed beyond 0.5 to 100 Hz",
                s.band_hz[0], s.band_hz[1]
            ));
        }
        if config.controller.law == LawName::Adaptive && s.profile == ProfileName::Sham {
            warn("stimulation.profile: sham ends its current early in each block; an adaptive law has little to act on"
                .to_owned());
        }
        if self.active_s > 0.9 * l.active_min * 60.0 {
            warn(format!(
                "limits.active_min: the plan takes {:.1} of {} min; what runs a little long is cut",
                self.active_s / 60.0,
                l.active_min
            ));
        }
    }
}

/// The steepest exponent that the session may use: an adaptive law may go to its bound.
pub(super) fn steepest(config: &Config) -> f64 {
    match config.controller.law {
        LawName::Fixed => config.stimulation.exponent,
        LawName::Adaptive => config.stimulation.exponent.max(config.controller.exponent_max),
    }
}

/// Standard deviation of the integral of unit-variance noise with spectrum f^-`exponent` inside `band_hz`, in s:
/// sqrt( integral of f^-x / (2 pi f)^2 over the band / integral of f^-x ).
fn charge_sd_s(exponent: f64, band_hz: [f64; 2]) -> f64 {
    let [low, high] = band_hz;
    let power = |slope: f64| {
        let order = 1.0 - slope;
        if order.abs() < 1e-9 { (high / low).ln() } else { (high.powf(order) - low.powf(order)) / order }
    };
    (power(exponent + 2.0) / (4.0 * PI * PI) / power(exponent)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sided_charge_matches_measured_noise() {
        // Largest one-sided charges of 65 s at 1 mA peak, measured: 34, 118, 304 and 1,658 uC. All must lie
        // between two and six standard deviations.
        let measured = [(0.5, 0.5, 0.034), (0.5, 1.0, 0.118), (0.5, 2.0, 0.304), (0.1, 2.0, 1.658)];
        for (low, exponent, charge_mc) in measured {
            let sd_mc = charge_sd_s(exponent, [low, 100.0]) / 3.0;
            let ratio = charge_mc / sd_mc;
            assert!((2.0..6.0).contains(&ratio), "{low} Hz, {exponent}: {ratio}");
        }
    }

    #[test]
    fn mean_absolute_current_is_that_of_a_gaussian() {
        assert!((MEAN_ABS_PER_PEAK - (2.0 / PI).sqrt() / 3.0).abs() < 1e-6);
    }
}

//! What a burst must satisfy before it may begin, or change.
//!
//! Beside the limits themselves: a noise whose own statistics would carry it into a limit within a session is
//! refused here, with advice, rather than tripping in the middle of a block.

use super::{Current, Refusal};
use crate::noise::{PEAK_SIGMAS, Parameters, rms_after_limit};
use tras_device::State;

/// A Gaussian passes four standard deviations in 6e-5 of its samples: so few changed by the slew limit do not
/// bend the spectrum.
const SLEW_SDS: f64 = 4.0;
/// The slow mean and the charge have a new independent value about once a second: in an hour, five standard
/// deviations are passed with a probability of 0.2 %.
const SLOW_SDS: f64 = 5.0;

impl Current {
    /// Refuses a command outside the states that allow it.
    pub(super) fn need(
        &self,
        command: &'static str,
        needs: &'static str,
        allowed: &[State],
    ) -> Result<(), Refusal> {
        if allowed.contains(&self.state) {
            Ok(())
        } else {
            Err(Refusal::State { command, state: self.state, needs })
        }
    }

    /// Refuses parameters beyond a limit, and those whose noise would get there by itself: for a start or change of
    /// a burst, and before a run, so that no session begins that its own law would end.
    ///
    /// # Errors
    /// Which number is beyond which limit, and what to change.
    pub fn check(&self, exponent: f64, peak_ma: f64) -> Result<(), Refusal> {
        let parameters = Parameters { exponent, band_hz: self.setup.band_hz, peak_ma };
        parameters.check()?;
        let limits = self.limiter.limits();
        if peak_ma > limits.peak_ma {
            return Err(Refusal::Limit { key: "peak_ma", value: peak_ma, limit: limits.peak_ma, unit: "mA" });
        }
        let sigma_ma = peak_ma / PEAK_SIGMAS;
        let expected = self.noise.colour().expected(exponent);
        let lower_edge = "raise the band's low edge, or lower exponent or peak";
        let slew = SLEW_SDS * expected.step_sd * sigma_ma * self.setup.rate_hz / 1e3;
        for (what, value, limit, unit, advice) in [
            ("slew", slew, limits.slew_ma_per_ms, "mA/ms", "lower the band's high edge or the peak"),
            ("10 s mean", SLOW_SDS * expected.dc_10s_sd * sigma_ma, limits.dc_ma, "mA", lower_edge),
            (
                "one-sided charge",
                SLOW_SDS * expected.charge_sd_s * sigma_ma,
                limits.net_charge_mc,
                "mC",
                lower_edge,
            ),
            (
                "RMS",
                sigma_ma * rms_after_limit(),
                limits.rms_ma(),
                "mA",
                "lower the peak, or use larger electrodes",
            ),
        ] {
            if value > limit {
                return Err(Refusal::Expected { exponent, peak_ma, what, value, limit, unit, advice });
            }
        }
        Ok(())
    }

    /// Refuses a burst for whose ramps there is too little time or charge left.
    pub(super) fn check_left(&self, peak_ma: f64) -> Result<(), Refusal> {
        let (limits, dose) = (self.limiter.limits(), self.limiter.dose());
        let ramps_s = self.setup.ramp_up_s + self.setup.ramp_down_s;
        let used_s = dose.active_samples as f64 / self.setup.rate_hz;
        // Mean |I| of a Gaussian is 0.8 of its RMS; the ramps have half of it.
        let ramps_mc = ramps_s * 0.5 * 0.8 * peak_ma / PEAK_SIGMAS;
        for (what, used, limit, needs, unit) in [
            ("stimulation time", used_s, limits.active_s, ramps_s, "s"),
            ("charge", dose.total_charge_mc, limits.total_charge_mc, ramps_mc, "mC"),
        ] {
            if used + needs > limit {
                return Err(Refusal::Spent { what, used, limit, needs, unit });
            }
        }
        Ok(())
    }
}

//! What a burst must satisfy before it may begin, or change.
//!
//! Beside the limits themselves: a noise whose own statistics would carry it into a limit within a session is
//! refused here, with advice, rather than tripping in the middle of a block. A plan asks the same, before a run.

use super::{Current, Refusal, Start};
use crate::limits::HostLimits;
use crate::noise::{Bins, Parameters};
use tras_device::State;

/// A Gaussian passes four standard deviations in 6e-5 of its samples: so few changed by the slew limit do not
/// bend the spectrum.
const SLEW_SDS: f64 = 4.0;
/// The slow mean and the charge have a new independent value about once a second: in an hour, five standard
/// deviations are passed with a probability of 0.2 %.
pub const SLOW_SDS: f64 = 5.0;

/// Refuses a noise beyond a limit, and one whose own statistics would get there by themselves.
///
/// `bins` are those of the noise's band at `rate_hz`.
///
/// # Errors
/// Which number is beyond which limit, and what to change.
pub fn check_noise(
    noise: &Parameters,
    bins: &Bins,
    rate_hz: f64,
    limits: &HostLimits,
) -> Result<(), Refusal> {
    noise.check()?;
    let Parameters { exponent, peak_ma, .. } = *noise;
    if peak_ma > limits.peak_ma {
        return Err(Refusal::Limit { key: "peak_ma", value: peak_ma, limit: limits.peak_ma, unit: "mA" });
    }
    let (sigma_ma, expected) = (noise.sigma_ma(), bins.expected(exponent));
    let slew = SLEW_SDS * expected.step_sd * sigma_ma * rate_hz / 1e3;
    let lower_edge = "raise the band's low edge, or lower exponent or peak";
    let (dc, charge) = (SLOW_SDS * expected.dc_10s_sd * sigma_ma, SLOW_SDS * expected.charge_sd_s * sigma_ma);
    // The RMS cannot exceed the peak, whatever its statistics.
    let rms = (noise.rms_ma() * (1.0 + SLOW_SDS * expected.rms_60s_sd)).min(peak_ma);
    for (what, value, limit, unit, advice) in [
        ("slew", slew, limits.slew_ma_per_ms, "mA/ms", "lower the band's high edge or the peak"),
        ("10 s mean", dc, limits.dc_ma, "mA", lower_edge),
        ("one-sided charge", charge, limits.net_charge_mc, "mC", lower_edge),
        ("RMS", rms, limits.rms_ma(), "mA", "lower the peak, or use larger electrodes"),
    ] {
        if value > limit {
            return Err(Refusal::Expected { exponent, peak_ma, what, value, limit, unit, advice });
        }
    }
    Ok(())
}

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

    /// [`check_noise`] in this current's band and limits: for a start or change of a burst, and before a run, so that
    /// no session begins that its own law would end.
    ///
    /// # Errors
    /// Which number is beyond which limit, and what to change.
    pub fn check(&self, exponent: f64, peak_ma: f64) -> Result<(), Refusal> {
        let noise = Parameters { exponent, band_hz: self.setup.band_hz, peak_ma };
        check_noise(&noise, self.noise.colour().bins(), self.setup.rate_hz, self.limiter.limits())
    }

    /// Refuses a burst for whose ramps there is too little time or charge left.
    pub(super) fn check_left(&self, start: &Start) -> Result<(), Refusal> {
        let (limits, dose) = (self.limiter.limits(), self.limiter.dose());
        let shape = start.profile.shape(self.setup.ramp_up_s);
        let down_s = shape.fade_s.as_ref().map_or(f64::INFINITY, |fade| fade.end - fade.start);
        let ramps_s = shape.up_s + down_s.min(self.setup.ramp_down_s);
        let used_s = dose.active_s(self.setup.rate_hz);
        let noise =
            Parameters { exponent: start.exponent, band_hz: self.setup.band_hz, peak_ma: start.peak_ma };
        // A raised cosine has a mean of one half.
        let ramps_mc = ramps_s * 0.5 * noise.mean_abs_ma();
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

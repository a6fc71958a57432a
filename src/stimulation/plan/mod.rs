//! What a session is to deliver, added up before anything flows.
//!
//! In: a [`Plan`], the numbers that configuration and protocol give. Out: what it [`Delivers`], and everything that a
//! run of it would be [`Refused`] or ended for. Limiter, noise and current go by the same numbers: a property test
//! holds this against what a run under a virtual clock delivers.

mod refused;

pub use refused::Refused;

use crate::current::{SLOW_SDS, Setup};
use crate::limits::HostLimits;
use crate::noise::{Bins, NoiseError, Parameters, Profile, profile::check_seed};
use crate::session::schedule::Schedule;

/// A seed is judged by its first ten minutes of noise, in s.
const SEED_CHECKED_S: f64 = 600.0;
/// Zeros behind a burst, and what a device takes to see its end, in s; generous.
const BURST_TAIL_S: f64 = 0.2;
/// Steps in which a block's amplitude is integrated.
const STEPS: u32 = 8_192;

/// A session's current, before it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// When blocks begin and end.
    pub schedule: Schedule,
    /// Which noise.
    pub profile: Profile,
    /// Exponent of the first burst.
    pub exponent: f64,
    /// Least and largest exponent that the control law may ask for.
    pub exponents: (f64, f64),
    /// Low and high edge of the noise's band, in Hz.
    pub band_hz: (f64, f64),
    /// Largest |current|, in mA.
    pub peak_ma: f64,
    /// Ramp at the start of a block, inside it, in s.
    pub ramp_up_s: f64,
    /// What must not be exceeded.
    pub limits: HostLimits,
    /// Samples a second that the device takes.
    pub rate_hz: f64,
}

/// What a plan delivers when nothing cuts it short.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delivers {
    /// From the start to the end of the last block, in s.
    pub session_s: f64,
    /// Time with current, in s.
    pub active_s: f64,
    /// Time in bursts, in s: what the device counts, which cannot know that a sham's zeros are meant.
    pub burst_s: f64,
    /// Expected integral of |current|, in mC.
    pub charge_mc: f64,
    /// Its standard deviation: noise is no constant.
    pub charge_sd_mc: f64,
    /// Standard deviation of the one-sided charge within a block, in mC.
    pub net_charge_sd_mc: f64,
    /// RMS at full amplitude, in mA.
    pub full_rms_ma: f64,
    /// RMS over the time with current, ramps included, in mA.
    pub rms_ma: f64,
    /// RMS at full amplitude over the electrode's area, in mA/cm².
    pub density_ma_cm2: f64,
}

impl Plan {
    /// The noise at `exponent`.
    #[must_use]
    pub fn noise(&self, exponent: f64) -> Parameters {
        Parameters { exponent, band_hz: self.band_hz, peak_ma: self.peak_ma }
    }

    /// The steepest exponent that may be asked for.
    #[must_use]
    pub fn steepest(&self) -> f64 {
        self.exponent.max(self.exponents.1)
    }

    /// What the host's current is built from. Armed for longer than a gap and a baseline take, it expires.
    #[must_use]
    pub fn setup(&self, seed: u64) -> Setup {
        Setup {
            rate_hz: self.rate_hz,
            band_hz: self.band_hz,
            ramp_up_s: self.ramp_up_s,
            ramp_down_s: self.schedule.ramp_down_s,
            arm_expires_s: self.schedule.gap_s + self.schedule.baseline_s + 60.0,
            ..Setup::new(self.limits, seed)
        }
    }

    /// Refuses a seed whose noise would be clipped too often over a session; see [`check_seed`].
    ///
    /// # Errors
    /// The share of clipped samples, and which seed would pass.
    pub fn check_seed(&self, seed: u64) -> Result<(), NoiseError> {
        let samples = (SEED_CHECKED_S * self.rate_hz) as u64;
        check_seed(&self.noise(self.exponent), self.rate_hz, seed, samples).map(drop)
    }

    /// Seconds of current in one block.
    fn block_active_s(&self) -> f64 {
        self.profile.shape(self.ramp_up_s).flows_s().min(self.schedule.block_s)
    }

    /// Integrals of a block's amplitude and of its square, in s, of full amplitude 1.
    fn block_integrals_s(&self) -> (f64, f64) {
        let shape = self.profile.shape(self.ramp_up_s);
        let (block_s, down_s) = (self.schedule.block_s, self.schedule.ramp_down_s);
        let step_s = block_s / f64::from(STEPS);
        let (mut sum, mut squares) = (0.0, 0.0);
        for i in 0..STEPS {
            let at_s = (f64::from(i) + 0.5) * step_s;
            let left = crate::envelope::raised_cosine((block_s - at_s) / down_s);
            let gain = shape.at(at_s) * left;
            sum += gain * step_s;
            squares += gain * gain * step_s;
        }
        (sum, squares)
    }

    /// Adds it up.
    ///
    /// # Errors
    /// A band that the rate cannot carry.
    pub fn delivers(&self) -> Result<Delivers, NoiseError> {
        let (noise, blocks) = (self.noise(self.steepest()), f64::from(self.schedule.blocks));
        let expected = Bins::new(self.rate_hz, self.band_hz)?.expected(noise.exponent);
        let (sum_s, squares_s) = self.block_integrals_s();
        let active_s = self.block_active_s();
        let Schedule { baseline_s, block_s, gap_s, .. } = self.schedule;
        Ok(Delivers {
            session_s: baseline_s + blocks * block_s + (blocks - 1.0) * gap_s,
            active_s: blocks * active_s,
            burst_s: blocks * (block_s + BURST_TAIL_S),
            charge_mc: blocks * sum_s * noise.mean_abs_ma(),
            charge_sd_mc: (blocks * squares_s).sqrt() * expected.abs_charge_sd * noise.sigma_ma(),
            net_charge_sd_mc: expected.charge_sd_s * noise.sigma_ma(),
            full_rms_ma: noise.rms_ma(),
            rms_ma: noise.rms_ma() * (squares_s / active_s).sqrt(),
            density_ma_cm2: self.limits.area_cm2().map_or(f64::NAN, |area| noise.rms_ma() / area),
        })
    }

    /// The charge that it may come to, in mC: five standard deviations above what is expected.
    #[must_use]
    pub fn most_charge_mc(delivers: &Delivers) -> f64 {
        delivers.charge_mc + SLOW_SDS * delivers.charge_sd_mc
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn plan(profile: Profile, block_s: f64, ramp_s: f64) -> Plan {
        Plan {
            schedule: Schedule { baseline_s: 10.0, block_s, gap_s: 60.0, blocks: 1, ramp_down_s: ramp_s },
            profile,
            exponent: 2.0,
            exponents: (2.0, 2.0),
            band_hz: (0.5, 100.0),
            peak_ma: 0.5,
            ramp_up_s: ramp_s,
            limits: HostLimits::for_electrode(35.0),
            rate_hz: 2_000.0,
        }
    }

    #[test]
    fn a_sham_block_has_current_for_30_s_whatever_the_other_profiles_ramps() {
        assert_eq!(plan(Profile::Sham, 120.0, 40.0).delivers().unwrap().active_s, 30.0);
        assert_eq!(plan(Profile::Steep, 120.0, 40.0).delivers().unwrap().active_s, 120.0);
        assert_eq!(plan(Profile::Sham, 20.0, 10.0).delivers().unwrap().active_s, 20.0);
    }

    #[test]
    fn ramps_count_half_in_charge_and_three_eighths_in_power() {
        let delivers = plan(Profile::Flat, 100.0, 20.0).delivers().unwrap();
        let noise = plan(Profile::Flat, 100.0, 20.0).noise(2.0);
        assert!((delivers.charge_mc / noise.mean_abs_ma() - 80.0).abs() < 1e-3);
        assert!((delivers.rms_ma / noise.rms_ma() - (75.0_f64 / 100.0).sqrt()).abs() < 1e-4);
    }

    #[test]
    fn what_a_run_would_refuse_is_refused_before() {
        // One-sided charge of 0.64 mC: five standard deviations.
        let low = Plan { band_hz: (0.17, 100.0), ..plan(Profile::Steep, 60.0, 10.0) };
        let refused = low.refused();
        assert!(
            matches!(refused.as_slice(), [Refused::Noise(e)] if e.to_string().contains("one-sided charge")),
            "{refused:?}"
        );
        assert!(plan(Profile::Steep, 60.0, 10.0).refused().is_empty());
        let long = Plan {
            limits: HostLimits { active_s: 60.0, ..HostLimits::for_electrode(35.0) },
            ..plan(Profile::Steep, 60.0, 10.0)
        };
        assert!(matches!(long.refused().as_slice(), [Refused::ActiveTime { .. }]));
    }
}

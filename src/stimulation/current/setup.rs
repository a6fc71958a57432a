//! What a current is built from, and why it may be refused.

use crate::limits::HostLimits;
use crate::noise::NoiseError;

/// Shortest ramp that a configuration may ask for, in s.
const LEAST_RAMP_S: f64 = 5.0;

/// How a current is built.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setup {
    /// Samples a second that the device takes.
    pub rate_hz: f64,
    /// Band of the noise in Hz, the same for all profiles.
    pub band_hz: (f64, f64),
    /// Seed of the noise.
    pub seed: u64,
    /// The limits.
    pub limits: HostLimits,
    /// Ramp at the start of a burst in s, at least 5.
    pub ramp_up_s: f64,
    /// Ramp at its scheduled end in s, at least 5.
    pub ramp_down_s: f64,
    /// Armed without a start for this long, it disarms.
    pub arm_expires_s: f64,
    /// The fastest change of a running burst's exponent, for each second.
    pub exponent_per_s: f64,
}

/// Half a unit of the exponent in 25 s: the noise's timbre changes over many of its slowest periods.
const EXPONENT_PER_S: f64 = 0.02;

impl Setup {
    /// The default ramps, band and rate.
    #[must_use]
    pub fn new(limits: HostLimits, seed: u64) -> Self {
        Self {
            rate_hz: 2_000.0,
            band_hz: crate::noise::profile::DEFAULT_BAND_HZ,
            seed,
            limits,
            ramp_up_s: 10.0,
            ramp_down_s: 10.0,
            arm_expires_s: 300.0,
            exponent_per_s: EXPONENT_PER_S,
        }
    }

    /// Refuses times outside their bounds.
    pub(super) fn check_times(&self) -> Result<(), SetupError> {
        for (key, value, least) in [
            ("ramp_up_s", self.ramp_up_s, LEAST_RAMP_S),
            ("ramp_down_s", self.ramp_down_s, LEAST_RAMP_S),
            ("arm_expires_s", self.arm_expires_s, 1.0),
        ] {
            if !(least..=3600.0).contains(&value) {
                return Err(SetupError::Time { key, value, least });
            }
        }
        Ok(())
    }
}

/// Why a current cannot be built.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SetupError {
    /// A limit.
    #[error(transparent)]
    Limit(#[from] crate::limits::LimitError),
    /// The noise.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// A time.
    #[error("{key} = {value} s: must lie in {least}..3600 s")]
    Time { key: &'static str, value: f64, least: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_taken_from_5_s_on_and_nothing_that_is_no_time() {
        let good = Setup::new(HostLimits::for_electrode(35.0), 1);
        assert_eq!(good.check_times(), Ok(()));
        for bad in [4.9, f64::NAN, f64::INFINITY, -1.0] {
            let up = Setup { ramp_up_s: bad, ..good }.check_times();
            assert!(matches!(up, Err(SetupError::Time { key: "ramp_up_s", .. })), "{bad}: {up:?}");
            let down = Setup { ramp_down_s: bad, ..good }.check_times();
            assert!(matches!(down, Err(SetupError::Time { key: "ramp_down_s", .. })), "{bad}: {down:?}");
        }
    }
}

//! What a run of a plan would be refused, or ended, for: asked before it begins.

use super::Plan;
use crate::current::{Refusal, check_noise};
use crate::limits::{FAULT_RAMP_S, LimitError};
use crate::noise::{Bins, NoiseError};

/// One reason; a plan may have several.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The limits themselves.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The noise at an exponent that the law may ask for.
    #[error(transparent)]
    Noise(#[from] Refusal),
    /// The time with current, and the ramp that any fault would take.
    #[error("the session stimulates for {active_s:.1} s, the limit is {limit_s:.1} s less {FAULT_RAMP_S} s")]
    ActiveTime { active_s: f64, limit_s: f64 },
    /// The time in bursts.
    #[error(
        "the device is in bursts for {burst_s:.1} s, zeros of a sham included; its limit is {limit_s:.1} s"
    )]
    BurstTime { burst_s: f64, limit_s: f64 },
    /// The integral of |current|.
    #[error(
        "the session delivers about {charge_mc:.1} mC and may come to {most_mc:.1} mC, the limit is {limit_mc} mC"
    )]
    Charge { charge_mc: f64, most_mc: f64, limit_mc: f64 },
}

impl From<NoiseError> for Refused {
    fn from(error: NoiseError) -> Self {
        Self::Noise(Refusal::Noise(error))
    }
}

impl Plan {
    /// Everything that a run would be refused or ended for; empty where it can be delivered.
    #[must_use]
    pub fn refused(&self) -> Vec<Refused> {
        let mut found = Vec::new();
        found.extend(self.limits.check().err().map(Refused::from));
        let bins = match Bins::new(self.rate_hz, self.band_hz) {
            Ok(bins) => bins,
            Err(error) => {
                found.push(error.into());
                return found;
            }
        };
        // Slow statistics grow with the exponent, fast ones as it falls: the ends decide for all between.
        let asked_for = [self.exponent, self.exponents.0, self.exponents.1];
        let check = |&exponent: &f64| check_noise(&self.noise(exponent), &bins, self.rate_hz, &self.limits);
        found.extend(asked_for.iter().find_map(|exponent| check(exponent).err()).map(Refused::Noise));
        if let Ok(delivers) = self.delivers() {
            let limits = &self.limits;
            // A microsecond: decimal fractions of a second are not exact in binary.
            if delivers.active_s + FAULT_RAMP_S > limits.active_s + 1e-6 {
                let (active_s, limit_s) = (delivers.active_s, limits.active_s);
                found.push(Refused::ActiveTime { active_s, limit_s });
            } else if delivers.burst_s + FAULT_RAMP_S > limits.active_s {
                let (burst_s, limit_s) = (delivers.burst_s, limits.active_s);
                found.push(Refused::BurstTime { burst_s, limit_s });
            }
            let most_mc = Self::most_charge_mc(&delivers);
            if most_mc > limits.total_charge_mc {
                let (charge_mc, limit_mc) = (delivers.charge_mc, limits.total_charge_mc);
                found.push(Refused::Charge { charge_mc, most_mc, limit_mc });
            }
        }
        found
    }
}

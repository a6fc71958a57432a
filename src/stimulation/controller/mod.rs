//! Estimates in, decisions out: what exponent the next current shall have.
//!
//! A [`Law`] is a pure function of the estimates that it has been given. Only clean, valid windows reach it
//! ([`Estimate::steers`]); whatever it answers is bounded here, after it, so that no law can leave its range.

pub mod adaptive;
pub mod fixed;

use tras_estimator::Estimate;

/// What the stimulation exponent shall be, and from which estimate that follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Counts decisions from 1; every command carries it.
    pub id: u64,
    /// The estimate behind it; 0 where none steered (the start, an open loop).
    pub estimate_id: u64,
    /// When it was taken.
    pub at_s: f64,
    /// The exponent for the stimulation, inside the controller's bounds.
    pub exponent: f64,
    /// The law asked for more than the bounds allow.
    pub bounded: bool,
}

/// A control law. `update` neither blocks nor allocates.
pub trait Law: Send {
    /// Its name in configuration and recordings.
    fn name(&self) -> &'static str;
    /// What to stimulate with after `estimate`, before bounds; `None`: as before.
    fn update(&mut self, estimate: &Estimate) -> Option<f64>;
}

/// The bounds and the start of a controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerSettings {
    /// The exponent until a law says otherwise.
    pub start_exponent: f64,
    /// Smallest stimulation exponent.
    pub min_exponent: f64,
    /// Largest stimulation exponent.
    pub max_exponent: f64,
}

/// A law with its bounds and the numbering of its decisions.
pub struct Controller {
    law: Box<dyn Law>,
    settings: ControllerSettings,
    last: Decision,
}

impl Controller {
    /// A controller that has decided nothing but the start exponent.
    #[must_use]
    pub fn new(law: Box<dyn Law>, settings: ControllerSettings) -> Self {
        let exponent = settings.start_exponent;
        Self { law, settings, last: Decision { id: 1, estimate_id: 0, at_s: 0.0, exponent, bounded: false } }
    }

    /// The newest decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.last
    }

    /// The law's name.
    #[must_use]
    pub fn law(&self) -> &'static str {
        self.law.name()
    }

    /// Shows the law an estimate. Gives a new decision for one that may steer, `None` for any other.
    pub fn observe(&mut self, estimate: &Estimate, now_s: f64) -> Option<Decision> {
        if !estimate.steers() || !estimate.fit.exponent.is_finite() {
            return None;
        }
        let wanted = self.law.update(estimate).filter(|x| x.is_finite()).unwrap_or(self.last.exponent);
        let exponent = wanted.clamp(self.settings.min_exponent, self.settings.max_exponent);
        self.last = Decision {
            id: self.last.id + 1,
            estimate_id: estimate.id,
            at_s: now_s,
            exponent,
            bounded: exponent != wanted,
        };
        Some(self.last)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{adaptive::Adaptive, fixed::Fixed, *};
    use proptest::prelude::*;
    use tras_estimator::{Contamination, Fit, Reason};

    /// A valid, clean estimate of `exponent`, hop number `n` at half a second each.
    pub(crate) fn estimate(n: u64, exponent: f64) -> Estimate {
        let fit = Fit {
            exponent,
            exponent_se: 0.1,
            offset: 1.0,
            r_squared: 0.98,
            mae: 0.05,
            invalid: None,
            ..Fit::failed(Reason::PoorFit)
        };
        Estimate {
            id: n,
            target: 0,
            first_sample: 0,
            last_sample: n,
            stamp_s: n as f64 * 0.5,
            segments_used: 7,
            segments_total: 7,
            contamination: Contamination::Clean,
            fit,
        }
    }

    const BOUNDS: ControllerSettings =
        ControllerSettings { start_exponent: 1.0, min_exponent: 0.5, max_exponent: 2.5 };

    #[test]
    fn an_estimate_taken_under_current_or_invalid_never_steers() {
        let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 1.0, 0.1, BOUNDS)), BOUNDS);
        let before = controller.decision();
        let mut contaminated = estimate(1, 0.2);
        contaminated.contamination = Contamination::Stimulating;
        let mut settling = estimate(2, 0.2);
        settling.contamination = Contamination::Settling;
        let mut invalid = estimate(3, 0.2);
        invalid.fit.invalid = Some(Reason::PoorFit);
        for e in [contaminated, settling, invalid, estimate(4, f64::NAN)] {
            assert_eq!(controller.observe(&e, 1.0), None);
        }
        assert_eq!(controller.decision(), before);
        assert!(controller.observe(&estimate(5, 0.2), 1.0).is_some_and(|d| d.estimate_id == 5));
    }

    proptest! {
        #[test]
        fn no_estimates_drive_a_decision_out_of_bounds(xs in prop::collection::vec(-1e6..1e6f64, 1..200)) {
            for law in [
                Box::new(Fixed) as Box<dyn Law>,
                Box::new(Adaptive::new(1.5, 50.0, 50.0, BOUNDS)),
            ] {
                let mut controller = Controller::new(law, BOUNDS);
                for (n, &x) in xs.iter().enumerate() {
                    let decision = controller.observe(&estimate(n as u64 + 1, x), n as f64);
                    prop_assert!(decision.is_some_and(|d| (0.5..=2.5).contains(&d.exponent)));
                }
            }
        }
    }
}

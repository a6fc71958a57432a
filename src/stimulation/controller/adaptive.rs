//! A bounded PI law on the clean estimates between stimulation bursts.
//!
//! A participant whose exponent lies below the target is given steeper noise, one above it flatter noise.
//! The error is averaged over the estimates of one gap, because windows overlap and a single window's
//! standard error (about 0.13 for 4 s, `docs/estimator.md`) is as large as the effects looked for.
//!
//! Where proven windows under current steer, no gap ends: then the law takes one step every [`STEP_S`], by the mean error
//! over that time, and holds in between. How fast the current follows is not its affair: the noise has a slope of its own.

use super::{ControllerSettings, Law, Wish};
use tras_estimator::{Contamination, Estimate};

/// From one step to the next under current, in s: three windows that share no sample.
const STEP_S: f64 = 12.0;

/// A pause of the clean estimates longer than this starts a new gap, hence a new mean.
const NEW_GAP_S: f64 = 5.0;

/// A PI controller in discrete time; the integral takes one step a gap, at the gap's mean error.
pub struct Adaptive {
    target_exponent: f64,
    /// Stimulation exponent for each unit of error.
    gain_p: f64,
    /// Stimulation exponent for each unit of error and gap.
    gain_i: f64,
    bounds: ControllerSettings,
    /// Stimulation exponent carried over from earlier gaps.
    integral: f64,
    gap: Gap,
}

/// The clean estimates of the present gap.
#[derive(Default)]
struct Gap {
    count: u64,
    error_sum: f64,
    first_stamp_s: f64,
    last_stamp_s: Option<f64>,
}

impl Adaptive {
    /// `gain_p`, `gain_i`: stimulation exponent for each unit of exponent error, `gain_i` for each gap.
    #[must_use]
    pub fn new(target_exponent: f64, gain_p: f64, gain_i: f64, bounds: ControllerSettings) -> Self {
        Self { target_exponent, gain_p, gain_i, bounds, integral: bounds.start_exponent, gap: Gap::default() }
    }

    fn close_gap(&mut self) {
        if self.gap.count > 0 {
            let mean_error = self.gap.error_sum / self.gap.count as f64;
            // The integral itself is bounded: it must not wind up while the output is at a bound.
            self.integral = (self.integral + self.gain_i * mean_error)
                .clamp(self.bounds.min_exponent, self.bounds.max_exponent);
        }
        self.gap = Gap::default();
    }
}

impl Law for Adaptive {
    fn name(&self) -> &'static str {
        "adaptive"
    }

    fn update(&mut self, estimate: &Estimate) -> Option<Wish> {
        if self.gap.last_stamp_s.is_some_and(|last| estimate.stamp_s - last > NEW_GAP_S) {
            self.close_gap();
        }
        if self.gap.count == 0 {
            self.gap.first_stamp_s = estimate.stamp_s;
        }
        self.gap.last_stamp_s = Some(estimate.stamp_s);
        self.gap.error_sum += self.target_exponent - estimate.fit.exponent;
        self.gap.count += 1;
        let mean_error = self.gap.error_sum / self.gap.count as f64;
        if estimate.contamination == Contamination::Stimulating {
            if estimate.stamp_s - self.gap.first_stamp_s < STEP_S {
                return None;
            }
            self.close_gap();
            return Some(Wish::of(self.integral + self.gain_p * mean_error));
        }
        // What the integral will be when this gap closes, plus the proportional part.
        Some(Wish::of(self.integral + (self.gain_p + self.gain_i) * mean_error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::{
        Controller,
        tests::{BOUNDS as ALL, estimate},
    };

    const BOUNDS: ControllerSettings = ControllerSettings { start_exponent: 1.5, ..ALL };

    /// Gaps of ten estimates, a burst of 40 s between them.
    fn run(mut participant: impl FnMut(f64) -> f64, gaps: u64) -> (f64, f64) {
        let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 0.5, 0.3, BOUNDS)), BOUNDS);
        let mut exponent = 0.0;
        for gap in 0..gaps {
            exponent = participant(controller.decision().exponent);
            for hop in 0..10 {
                controller.observe(&estimate(1 + gap * 100 + hop, exponent), 0.0);
            }
        }
        (exponent, controller.decision().exponent)
    }

    #[test]
    fn reaches_the_target_of_a_participant_that_follows() {
        // Rests at 1.2 and moves half of the way to what it is given: 1.8 must come out, for 1.5.
        let (reached, given) = run(|given| 1.2 + 0.5 * (given - 1.2), 40);
        assert!((reached - 1.5).abs() < 0.01, "{reached}");
        assert!((given - 1.8).abs() < 0.02, "{given}");
    }

    #[test]
    fn under_current_it_reaches_the_target_within_a_block_by_one_step_in_twelve_seconds() {
        let mut law = Adaptive::new(1.5, 0.5, 0.3, BOUNDS);
        // Rests at 1.2 and follows half of the way with a lag of 20 s.
        let (mut exponent, mut given, mut steps) = (1.2, 1.5, 0);
        for hop in 0..600 {
            exponent += 0.5 / 20.0 * (1.2 + 0.5 * (given - 1.2) - exponent);
            let mut under = estimate(hop, exponent);
            under.contamination = Contamination::Stimulating;
            if let Some(wish) = law.update(&under) {
                steps += 1;
                given = wish.exponent;
            }
        }
        assert!((exponent - 1.5).abs() < 0.03, "{exponent} after 300 s");
        assert!((20..=25).contains(&steps), "{steps} steps in 300 s");
    }

    #[test]
    fn comes_back_from_a_bound_without_winding_up() {
        let mut calls = 0;
        // Out of reach for 50 gaps, then above the target: the answer must turn at once.
        let (_, given) = run(
            |_| {
                calls += 1;
                if calls <= 50 { 0.2 } else { 2.2 }
            },
            53,
        );
        assert!(given < 2.0, "{given}");
    }

    #[test]
    fn flatter_noise_for_a_participant_above_the_target() {
        let (_, given) = run(|_| 2.0, 1);
        assert!(given < BOUNDS.start_exponent);
    }
}

//! The participant's resting exponent, plus or minus a difference.
//!
//! The resting exponent is given, from a named earlier session, or is the mean of the clean, valid estimates of this
//! session before its first block. With fewer than [`LEAST`] of them the condition's own exponent stands.

use super::{Law, Wish};
use tras_estimator::Estimate;

/// So many estimates make a resting exponent: 4 s windows every half second overlap, so this is some 10 s of rest.
pub const LEAST: u64 = 20;

/// The law.
pub struct Individual {
    difference: f64,
    start_exponent: f64,
    /// From an earlier session.
    known: Option<f64>,
    sum: f64,
    count: u64,
    /// The first block has begun: what comes later is no rest before stimulation.
    begun: bool,
}

impl Individual {
    /// `known`: the resting exponent of an earlier session; `start_exponent`: where none is known or measured.
    #[must_use]
    pub fn new(difference: f64, start_exponent: f64, known: Option<f64>) -> Self {
        let known = known.filter(|exponent| exponent.is_finite());
        Self { difference, start_exponent, known, sum: 0.0, count: 0, begun: false }
    }

    /// The resting exponent.
    #[must_use]
    pub fn resting(&self) -> Option<f64> {
        self.known.or_else(|| (self.count >= LEAST).then(|| self.sum / self.count as f64))
    }

    fn wish(&self) -> Wish {
        Wish::of(self.resting().map_or(self.start_exponent, |resting| resting + self.difference))
    }
}

impl Law for Individual {
    fn name(&self) -> &'static str {
        "individual"
    }

    fn rest(&mut self, estimate: &Estimate) {
        if !self.begun {
            self.sum += estimate.fit.exponent;
            self.count += 1;
        }
    }

    fn begin(&mut self, _block: u32, _now_s: f64) -> Option<Wish> {
        self.begun = true;
        Some(self.wish())
    }

    fn update(&mut self, _estimate: &Estimate) -> Option<Wish> {
        Some(self.wish())
    }
}

/// Whether a resting exponent lies outside those that are stimulated with: in the tRAS study it lay inside.
#[must_use]
pub fn outside(resting: f64, exponents: &[f64]) -> bool {
    let least = exponents.iter().copied().fold(f64::INFINITY, f64::min);
    let most = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    !exponents.is_empty() && !(least..=most).contains(&resting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::tests::estimate;

    #[test]
    fn measures_rest_before_the_first_block_only() {
        let mut law = Individual::new(0.5, 2.0, None);
        for n in 1..LEAST {
            law.rest(&estimate(n, 1.2));
        }
        assert_eq!(law.wish(), Wish::of(2.0), "too few");
        law.rest(&estimate(LEAST, 1.2));
        assert!(law.begin(1, 0.0).is_some_and(|w| (w.exponent - 1.7).abs() < 1e-9));
        for n in 0..100 {
            law.rest(&estimate(n, 3.0));
        }
        assert!(law.begin(2, 0.0).is_some_and(|w| (w.exponent - 1.7).abs() < 1e-9));
    }

    #[test]
    fn an_earlier_session_goes_before() {
        let mut law = Individual::new(-0.4, 2.0, Some(1.5));
        law.rest(&estimate(1, 9.0));
        assert!(law.begin(1, 0.0).is_some_and(|w| (w.exponent - 1.1).abs() < 1e-9));
        assert_eq!(Individual::new(0.0, 2.0, Some(f64::NAN)).resting(), None);
    }

    #[test]
    fn a_baseline_outside_of_what_is_stimulated_is_seen() {
        assert!(!outside(1.2, &[0.5, 2.0]) && outside(2.1, &[0.5, 2.0]) && outside(f64::NAN, &[0.5, 2.0]));
        assert!(!outside(1.2, &[]));
    }
}

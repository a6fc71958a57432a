//! Raised-cosine ramps of a gain or an amplitude.
//!
//! In: where to, and in how many samples. Out: one value for each sample, starting from whatever the present
//! value is, so that no command at any time makes a step. A function of the sample count alone.

use std::f64::consts::PI;

/// Half a cosine from 0 to 1 as `share` of the way goes from 0 to 1; constant outside.
#[must_use]
pub fn raised_cosine(share: f64) -> f64 {
    0.5 * (1.0 - (PI * share.clamp(0.0, 1.0)).cos())
}

/// A value that rests, or moves to its goal along half a cosine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    from: f32,
    to: f32,
    at: u64,
    len: u64,
}

impl Envelope {
    /// Rests at `value`.
    #[must_use]
    pub fn steady(value: f32) -> Self {
        Self { from: value, to: value, at: 0, len: 0 }
    }

    /// Moves from the present value to `to` in `samples` samples, the last of which is `to` exactly.
    pub fn go(&mut self, to: f32, samples: u64) {
        *self = Self { from: self.value(), to, at: 0, len: samples };
    }

    /// The present value.
    #[must_use]
    pub fn value(&self) -> f32 {
        if self.at >= self.len {
            return self.to;
        }
        let share = raised_cosine(self.at as f64 / self.len as f64) as f32;
        let value = self.from + (self.to - self.from) * share;
        // Rounding must not carry it past either end.
        value.clamp(self.from.min(self.to), self.from.max(self.to))
    }

    /// Where it is going, or rests.
    #[must_use]
    pub fn goal(&self) -> f32 {
        self.to
    }

    /// The goal is reached.
    #[must_use]
    pub fn resting(&self) -> bool {
        self.at >= self.len
    }

    /// Samples until the goal is reached.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }

    /// Moves one sample on and gives its value.
    pub fn step(&mut self) -> f32 {
        self.at = self.at.saturating_add(1);
        self.value()
    }

    /// Multiplies each sample of `out` by the value of its moment.
    pub fn apply(&mut self, out: &mut [f32]) {
        let moving = usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(out.len());
        let (ramp, rest) = out.split_at_mut(moving);
        for sample in ramp {
            *sample *= self.step();
        }
        if self.to != 1.0 {
            for sample in rest {
                *sample *= self.to;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_sequence_of_goals_moves_without_a_step(
            goals in prop::collection::vec((0.0f32..1.0, 200u64..4000, 1usize..5000), 1..12)
        ) {
            let mut envelope = Envelope::steady(0.0);
            let mut last = 0f32;
            for (to, len, run) in goals {
                envelope.go(to, len);
                // The steepest point of a raised cosine of height 1 over 200 samples.
                let bound = (PI / 2.0 / 200.0) as f32 + 1e-6;
                for _ in 0..run {
                    let value = envelope.step();
                    prop_assert!((value - last).abs() <= bound, "{} {}", value, last);
                    prop_assert!((0.0..=1.0).contains(&value));
                    last = value;
                }
            }
        }
    }

    #[test]
    fn the_last_sample_of_a_ramp_is_its_goal() {
        let mut envelope = Envelope::steady(0.3);
        envelope.go(0.0, 100);
        let mut out = [1.0f32; 150];
        envelope.apply(&mut out);
        assert!(out[98] > 0.0 && out[99] == 0.0 && envelope.resting());
        assert!(out[100..].iter().all(|&x| x == 0.0));
        assert!(out.windows(2).all(|p| p[1] <= p[0]));
    }

    #[test]
    fn applying_in_pieces_gives_the_same_as_at_once() {
        let mut whole = [1.0f32; 1000];
        let mut parts = whole;
        let mut a = Envelope::steady(0.0);
        a.go(0.8, 700);
        let mut b = a;
        a.apply(&mut whole);
        for chunk in parts.chunks_mut(37) {
            b.apply(chunk);
        }
        assert_eq!(whole, parts);
    }
}

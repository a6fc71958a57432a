//! From a stream's own clock to the recorder's.
//!
//! As in the reference importers, one line through the measured offsets, by Huber's loss so that a few slow
//! measurements do not bend it (Huber 1964, Ann. Math. Stat. 35:73), found by reweighted least squares.

/// Beyond this residual an offset counts linearly, not squared, in seconds (pyxdf's `winsor_threshold`).
const HUBER_S: f64 = 1e-4;
/// A step between two offsets beyond this is a clock that was set, in seconds.
const RESET_S: f64 = 1.0;
const ITERATIONS: usize = 50;

/// What to add to a stamp: `offset_s` at `origin_s`, growing by `drift` for every second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Correction {
    origin_s: f64,
    offset_s: f64,
    drift: f64,
}

impl Correction {
    /// The line through `(collected_s, offset_s)`; `None` where the clock was set in between, so that no line
    /// holds.
    #[must_use]
    pub fn fit(offsets: &[(f64, f64)]) -> Option<Self> {
        let reset = |pair: &[(f64, f64)]| match pair {
            [(t0, v0), (t1, v1)] => t1 < t0 || (v1 - v0).abs() > RESET_S,
            _ => false,
        };
        if offsets.windows(2).any(reset) {
            return None;
        }
        let mut line =
            Self { origin_s: offsets.first().map_or(0.0, |(time_s, _)| *time_s), ..Self::default() };
        let mut weights = vec![1.0; offsets.len()];
        for _ in 0..ITERATIONS {
            let before = line;
            line.solve(offsets, &weights);
            for (weight, (time_s, offset_s)) in weights.iter_mut().zip(offsets) {
                *weight = (HUBER_S / (offset_s - line.at(*time_s)).abs()).min(1.0);
            }
            if (line.offset_s - before.offset_s).abs() < 1e-12 && (line.drift - before.drift).abs() < 1e-15 {
                break;
            }
        }
        Some(line)
    }

    fn solve(&mut self, offsets: &[(f64, f64)], weights: &[f64]) {
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return;
        }
        let points = || weights.iter().zip(offsets).map(|(w, (t, v))| (*w, t - self.origin_s, *v));
        let mean_t = points().map(|(w, t, _)| w * t).sum::<f64>() / total;
        let mean_v = points().map(|(w, _, v)| w * v).sum::<f64>() / total;
        let spread: f64 = points().map(|(w, t, _)| w * (t - mean_t).powi(2)).sum();
        let shared: f64 = points().map(|(w, t, v)| w * (t - mean_t) * (v - mean_v)).sum();
        self.drift = if spread > 0.0 { shared / spread } else { 0.0 };
        self.offset_s = mean_v - self.drift * mean_t;
    }

    /// What to add to `stamp_s`.
    #[must_use]
    pub fn at(&self, stamp_s: f64) -> f64 {
        self.offset_s + self.drift * (stamp_s - self.origin_s)
    }

    /// `stamp_s` on the recorder's clock.
    #[must_use]
    pub fn apply(&self, stamp_s: f64) -> f64 {
        stamp_s + self.at(stamp_s)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_drifting_clock_is_followed_and_slow_measurements_ignored() {
        let mut offsets: Vec<(f64, f64)> =
            (0..100).map(|i| (1e5 + f64::from(i) * 5.0, -3.0 + 2e-5 * f64::from(i) * 5.0)).collect();
        for slow in [10, 47, 81] {
            offsets[slow].1 += 0.02;
        }
        let line = Correction::fit(&offsets).unwrap();
        assert!((line.at(1e5) + 3.0).abs() < 2e-5, "{}", line.at(1e5));
        assert!((line.at(1e5 + 495.0) - (-3.0 + 0.0099)).abs() < 2e-5);
    }

    #[test]
    fn none_and_one_are_constants_and_a_set_clock_is_refused() {
        assert_eq!(Correction::fit(&[]).unwrap().apply(7.0), 7.0);
        assert_eq!(Correction::fit(&[(5.0, 0.25)]).unwrap().apply(7.0), 7.25);
        assert_eq!(Correction::fit(&[(0.0, 0.0), (5.0, 100.0)]), None);
        assert_eq!(Correction::fit(&[(5.0, 0.0), (0.0, 0.0)]), None);
    }
}

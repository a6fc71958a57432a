//! What is usually left of each channel, and samples that lie far outside of it: blinks, movement, a switched cable.
//!
//! One blink has more power than the second around it, and follows the current by chance: least squares would take it for
//! the path, and the proof for an artefact. Samples of which any channel lies [`FAR`] beyond what is usual are left out of
//! the learning and of the proof. A path that has changed lies outside too; so the proof asks how many were left out.

use super::algebra::dot;

/// Squares beyond this many times the usual are far: four standard deviations.
const FAR: f64 = 16.0;
/// Time constant of what is usual, in s.
const USUAL_S: f64 = 5.0;

/// See the module.
#[derive(Debug)]
pub(super) struct Spread {
    /// Usual square of what is left, whitened: [channel].
    usual: Vec<f64>,
    /// Samples that it was made from, up to those of its time constant.
    samples: f64,
    most: f64,
}

impl Spread {
    pub(super) fn new(channels: usize, rate_hz: f64) -> Self {
        Self { usual: vec![0.0; channels], samples: 0.0, most: USUAL_S * rate_hz }
    }

    /// Whether a sample lies within what is usual: its whitened row of the path's columns, its whitened values, and the
    /// coefficients, [channel][column]. While the path is being `learnt`, nothing is far.
    pub(super) fn lies_within(&mut self, row: &[f64], values: &[f64], path: &[f64], learning: bool) -> bool {
        self.samples = (self.samples + 1.0).min(self.most);
        let share = 1.0 / self.samples;
        let known = !learning && self.samples >= self.most;
        let mut within = true;
        let channels = self.usual.iter_mut().zip(values).zip(path.chunks_exact(row.len()));
        for ((usual, value), coefficients) in channels {
            let square = (value - dot(row, coefficients)).powi(2);
            let far = known && square > FAR * *usual;
            within &= !far;
            // What is far counts as just far: a change of the path becomes usual in time, a blink does not.
            let counted = if far { FAR * *usual } else { square };
            *usual += share * (counted - *usual);
        }
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blink_is_far_and_a_change_that_lasts_becomes_usual() {
        let mut spread = Spread::new(2, 100.0);
        let noise = |n: u32| f64::from(n * 7919 % 200) / 100.0 - 1.0;
        let mut within = |n: u32, size: f64| {
            let values = [3.0 + noise(n), 6.0 + size * noise(n + 31)];
            spread.lies_within(&[3.0], &values, &[1.0, 2.0], false)
        };
        assert!((0..1000).all(|n| within(n, 1.0)));
        let blink = (0..30).filter(|n| !within(*n, 20.0)).count();
        assert!(blink > 20, "{blink}");
        let after = (0..500).filter(|n| !within(*n, 1.0)).count();
        assert_eq!(after, 0);
        let changed: Vec<bool> = (0..3000).map(|n| within(n, 20.0)).collect();
        assert!(changed[..100].iter().filter(|within| !**within).count() > 60);
        assert!(changed[2500..].iter().all(|within| *within), "what lasts is usual");
    }
}

//! How much an averaged spectrum scatters: half its equivalent degrees of freedom.
//!
//! A bin of one tapered periodogram of Gaussian noise is exponential, the mean of independent ones is a gamma
//! variable with their number as its shape. Overlapping segments are not independent: Welch 1967 (IEEE Trans Audio
//! AU-15:70), Percival and Walden 1993, eq. 292b. The variance of the mean of segments i relative to its square is
//! sum_ij R(|i - j|) / n^2, R the squared correlation of the tapers at that lag; the shape is its inverse.

/// R by lag in segments, for one window's settings.
#[derive(Clone, Debug)]
pub struct Overlap {
    /// R(0), R(1), ... up to the last lag at which segments overlap.
    by_lag: Vec<f64>,
}

impl Overlap {
    /// Of `tapers` (all of one length, of unit energy each), `step` samples from one segment to the next.
    #[must_use]
    pub fn new(tapers: &[Vec<f64>], step: usize) -> Self {
        let len = tapers.first().map_or(0, Vec::len);
        #[expect(clippy::cast_precision_loss, reason = "tapers are few")]
        let pairs = (tapers.len() * tapers.len()) as f64;
        let by_lag = (0..len.div_ceil(step.max(1)))
            .map(|lag| {
                let mut sum = 0.0;
                for a in tapers {
                    for b in tapers {
                        let shifted = a.get(lag * step..).unwrap_or_default();
                        let product: f64 = shifted.iter().zip(b).map(|(x, y)| x * y).sum();
                        sum += product * product;
                    }
                }
                sum / pairs
            })
            .collect();
        Self { by_lag }
    }

    /// Shape of the mean of the segments that `used` names, in order of time. 0 where there is none.
    #[must_use]
    pub fn mean_shape(&self, used: impl Iterator<Item = bool> + Clone) -> f64 {
        let (mut count, mut sum) = (0.0, 0.0);
        let mut rest = used;
        while let Some(first) = rest.next() {
            if !first {
                continue;
            }
            count += 1.0;
            for (lag, r) in self.by_lag.iter().enumerate() {
                if lag == 0 {
                    sum += r;
                } else if rest.clone().nth(lag - 1).unwrap_or(false) {
                    sum += 2.0 * r;
                }
            }
        }
        if count == 0.0 { 0.0 } else { count * count / sum }
    }
}

/// What a median instead of a mean leaves of the shape, for `n` segments: the variance of the middle order
/// statistic of exponentials against its squared mean, compared with the mean's 1/n. Tends to 0.48.
#[must_use]
pub fn median_efficiency(n: usize) -> f64 {
    if n < 3 {
        return 1.0;
    }
    // Of an even number the two middle ones are averaged: between the odd numbers on either side.
    let odd = if n.is_multiple_of(2) { n - 1 } else { n };
    let (mut mean, mut variance) = (0.0, 0.0);
    for i in odd.div_ceil(2)..=odd {
        #[expect(clippy::cast_precision_loss, reason = "segments are few")]
        let share = 1.0 / i as f64;
        mean += share;
        variance += share * share;
    }
    #[expect(clippy::cast_precision_loss, reason = "segments are few")]
    let shape = mean * mean / variance / odd as f64;
    shape
}

/// The median of `n` exponentials of mean 1 (scipy's `_median_bias`): 1 - 1/2 + 1/3 ... to n odd.
#[must_use]
pub fn median_bias(n: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "segments are few")]
    let pair = |i: usize| 1.0 / (2 * i + 1) as f64 - 1.0 / (2 * i) as f64;
    1.0 + (1..=n.saturating_sub(1) / 2).map(pair).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::Taper;
    use super::*;

    fn unit(taper: Taper, len: usize) -> Vec<Vec<f64>> {
        let values = taper.values(len);
        let energy = values.iter().map(|v| v * v).sum::<f64>().sqrt();
        vec![values.iter().map(|v| v / energy).collect()]
    }

    #[test]
    fn segments_apart_are_independent() {
        let overlap = Overlap::new(&unit(Taper::Hann, 250), 250);
        assert!((overlap.mean_shape([true; 7].into_iter()) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn half_overlapped_hann_segments_share_a_thirty_sixth() {
        // Percival and Walden: R(1) = (1/6)^2 for Hann at half overlap.
        let overlap = Overlap::new(&unit(Taper::Hann, 1000), 500);
        let exact = 49.0 / (7.0 + 2.0 * 6.0 / 36.0);
        assert!((overlap.mean_shape([true; 7].into_iter()) - exact).abs() < 1e-3);
        // The one in the middle left out: no neighbours on either side of it.
        let gap = [true, true, true, false, true, true, true];
        assert!((overlap.mean_shape(gap.into_iter()) - 36.0 / (6.0 + 2.0 * 4.0 / 36.0)).abs() < 1e-3);
    }

    #[test]
    fn orthogonal_tapers_each_count() {
        let tapers = super::super::dpss::dpss(500, 4.0, 7);
        let overlap = Overlap::new(&tapers, 500);
        assert!((overlap.mean_shape([true, true].into_iter()) - 14.0).abs() < 1e-6);
    }

    #[test]
    fn the_median_of_many_is_ln_2_and_half_as_efficient() {
        assert!((median_bias(2001) - std::f64::consts::LN_2).abs() < 1e-3);
        assert!((median_bias(3) - (1.0 - 0.5 + 1.0 / 3.0)).abs() < 1e-15);
        assert!((median_efficiency(2001) - 0.48).abs() < 0.01, "{}", median_efficiency(2001));
    }
}

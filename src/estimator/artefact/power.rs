//! Whether a segment's spectrum is the channel's own: the power at the lower and at the upper end of the fit range
//! against what it usually is.
//!
//! A blink of 40 uV is hardly larger than a usual second, but at 2 Hz it has ten times its power; a muscle burst
//! vanishes in the waves of alpha, but not at 30 Hz. What bends an exponent is power at the range's ends, so that is
//! what is judged: the mean over the lowest octave of the range and over its upper third. For Gaussian noise such a
//! mean is a gamma variable of known shape, so its limit is a quantile, and "usual" is the channel's lower quartile
//! over the last minute or so, which artefacts in a third of the segments hardly move.

use super::quartiles;

/// Share of clean segments that the limit gives up, as a normal deviate: about 1 in 200 a band.
const DEVIATE: f64 = 2.6;

/// Two bands.
#[derive(Clone, Debug)]
struct Band {
    bins: std::ops::Range<usize>,
    /// Most power over the lower quartile.
    most: f64,
}

/// Judges the spectra of every channel.
#[derive(Debug)]
pub struct PowerJudge {
    bands: [Option<Band>; 2],
    memory: usize,
    warm_up: usize,
    /// [channel][band]: power of past segments.
    past: Vec<[Vec<f64>; 2]>,
    next: Vec<usize>,
    /// [channel][band]: lower quartile.
    usual: Vec<[Option<f64>; 2]>,
    work: Vec<f64>,
}

impl PowerJudge {
    /// For spectra on `freqs_hz` of `channels` channels by `tapers` tapers, fitted over `range_hz`; "usual" is taken
    /// over `memory` segments, `warm_up` of which are the least.
    #[must_use]
    pub fn new(
        freqs_hz: &[f64],
        range_hz: (f64, f64),
        tapers: usize,
        channels: usize,
        memory: usize,
        warm_up: usize,
    ) -> Self {
        let (low, high) = range_hz;
        let band = |from: f64, to: f64| {
            let start = freqs_hz.partition_point(|&f| f < from - 1e-9 || f <= 0.0);
            let end = freqs_hz.partition_point(|&f| f <= to + 1e-9).max(start);
            (end > start).then(|| {
                // Hann's neighbours, and the bins under one set of tapers, share what they hold.
                #[expect(clippy::cast_precision_loss, reason = "small")]
                let (bins, tapers) = ((end - start) as f64, tapers.max(1) as f64);
                let shape = tapers * (bins / (tapers + 0.5)).max(1.0);
                Band {
                    bins: start..end,
                    most: gamma_quantile(shape, DEVIATE) / gamma_quantile(shape, QUARTILE),
                }
            })
        };
        let empty = || Vec::with_capacity(memory.max(1));
        Self {
            bands: [band(low, 2.0 * low), band(high - (high - low) / 3.0, high)],
            memory: memory.max(1),
            warm_up,
            past: (0..channels).map(|_| [empty(), empty()]).collect(),
            next: vec![0; channels],
            usual: vec![[None; 2]; channels],
            work: Vec::with_capacity(memory.max(1)),
        }
    }

    /// Forgets what is usual.
    pub fn reset(&mut self) {
        self.past.iter_mut().flatten().for_each(Vec::clear);
        self.next.fill(0);
        self.usual.fill([None; 2]);
    }

    /// Whether the segment of `channel` with this spectrum may count. `learn` as in
    /// [`Detector::judge`](super::Detector::judge).
    pub fn judge(&mut self, channel: usize, power: &[f64], learn: bool) -> bool {
        let (Some(past), Some(next), Some(usual)) =
            (self.past.get_mut(channel), self.next.get_mut(channel), self.usual.get_mut(channel))
        else {
            return true;
        };
        let mut good = true;
        for ((band, past), usual) in self.bands.iter().zip(past).zip(usual) {
            let Some(band) = band else { continue };
            let bins = power.get(band.bins.clone()).unwrap_or_default();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let mean = bins.iter().sum::<f64>() / bins.len().max(1) as f64;
            good &= usual.is_none_or(|usual| mean <= band.most * usual);
            if learn {
                match past.get_mut(*next) {
                    Some(oldest) => *oldest = mean,
                    None => past.push(mean),
                }
                if past.len() >= self.warm_up.min(self.memory) {
                    *usual = Some(quartiles(past, &mut self.work).0);
                }
            }
        }
        if learn {
            *next = (*next + 1) % self.memory;
        }
        good
    }
}

/// Normal deviate of the lower quartile.
const QUARTILE: f64 = -0.6745;

/// Quantile of a gamma variable of mean 1 at the normal deviate `z` (Wilson and Hilferty 1931, PNAS 17:684).
fn gamma_quantile(shape: f64, z: f64) -> f64 {
    (1.0 - 1.0 / (9.0 * shape) + z / (3.0 * shape.sqrt())).max(0.05).powi(3)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use rand::{RngExt, SeedableRng};

    fn judge() -> (PowerJudge, Vec<f64>) {
        let freqs: Vec<f64> = (0..=50).map(f64::from).collect();
        (PowerJudge::new(&freqs, (2.0, 35.0), 1, 1, 64, 8), freqs)
    }

    #[test]
    fn noise_passes_and_power_at_the_ends_of_the_range_does_not() {
        let (mut judge, freqs) = judge();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut spectrum = || -> Vec<f64> {
            freqs.iter().map(|f| -rng.random_range(1e-12..1.0_f64).ln() / f.max(1.0)).collect()
        };
        let lost = (0..4000).filter(|_| !judge.judge(0, &spectrum(), true)).count();
        assert!(lost < 70, "{lost} of 4000");
        for bins in [2..5, 24..36] {
            let mut spoilt = spectrum();
            spoilt.get_mut(bins).unwrap().iter_mut().for_each(|p| *p *= 80.0);
            assert!(!judge.judge(0, &spoilt, false));
        }
        let mut alpha = spectrum();
        alpha.get_mut(8..13).unwrap().iter_mut().for_each(|p| *p *= 20.0);
        assert!(judge.judge(0, &alpha, false), "a rhythm is no artefact");
    }
}

//! What the likelihood has to know of how a spectrum was made: its tapers, its segments and its bins.
//!
//! From the tapers follow the spectral window that smears the spectrum (debiased Whittle likelihood: Sykulski,
//! Olhede, Guillaumin, Lilly & Early, Biometrika 106, 2019), and the correlation of neighbouring bins
//! (Percival & Walden, Spectral Analysis for Physical Applications, 1993, chapters 6 and 7), from which every
//! bin gets its weight in the likelihood. All of it is computed once.

use crate::spectrum::transform::Transform;
use crate::spectrum::{SpectrumSettings, whitening};
use tras_fft::{Complex, Fft};

/// How the spectra are made.
#[derive(Clone, Debug, PartialEq)]
pub struct Design {
    /// Samples a second.
    pub sample_rate_hz: f64,
    /// One row a taper, each as long as a segment; any scale. A Welch spectrum has one.
    pub tapers: Vec<Vec<f64>>,
    /// From the start of a segment to the start of the next, in samples.
    pub step_samples: usize,
    /// Segments in a whole window.
    pub segments: usize,
    /// Whether the spectra are whitened, see [`SpectrumSettings::whiten`].
    pub whiten: bool,
}

impl Design {
    /// Segments with `tapers` sine tapers (Riedel & Sidorenko, IEEE Trans. Signal Processing 43, 1995): closed
    /// form, half bandwidth (tapers + 1) / (2 segment), sidelobes that fall by 12 dB an octave faster than those
    /// of Slepian's.
    #[must_use]
    pub fn sine(
        sample_rate_hz: f64,
        segment_samples: usize,
        tapers: usize,
        step_samples: usize,
        segments: usize,
    ) -> Self {
        let n = segment_samples as f64;
        let taper = |k: usize| {
            (0..segment_samples)
                .map(|t| (std::f64::consts::PI * (k + 1) as f64 * (t as f64 + 1.0) / (n + 1.0)).sin())
                .collect()
        };
        Self {
            sample_rate_hz,
            tapers: (0..tapers.max(1)).map(taper).collect(),
            step_samples,
            segments,
            whiten: false,
        }
    }

    /// As the estimator's spectra are made. What a detrended segment lost is below the model's care.
    #[must_use]
    pub fn of_settings(settings: &SpectrumSettings, sample_rate_hz: f64, window_s: f64) -> Self {
        let samples = |seconds: f64| (seconds * sample_rate_hz).round().max(1.0) as usize;
        let segment = samples(settings.segment_s);
        let step_samples = samples(settings.segment_s * (1.0 - settings.overlap));
        let segments = samples(window_s).saturating_sub(segment) / step_samples + 1;
        let tapers = Transform::new(settings, segment, sample_rate_hz).tapers().to_vec();
        Self { sample_rate_hz, tapers, step_samples, segments, whiten: settings.whiten }
    }

    /// What the spectra's making does to the power at `freq_hz` before the tapers smear it.
    #[must_use]
    pub fn gain(&self, freq_hz: f64) -> f64 {
        if self.whiten { whitening(freq_hz, self.sample_rate_hz) } else { 1.0 }
    }

    /// Samples in a segment.
    #[must_use]
    pub fn segment_samples(&self) -> usize {
        self.tapers.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Half the width of the tapers' spectral window in Hz: for K tapers that fill their band it is
    /// (K + 1) / 2 segments.
    #[must_use]
    pub fn half_bandwidth_hz(&self) -> f64 {
        (self.tapers.len() as f64 + 1.0) * self.sample_rate_hz / (2.0 * self.segment_samples().max(1) as f64)
    }

    /// The tapers with unit energy.
    fn unit_tapers(&self) -> Vec<Vec<f64>> {
        let unit = |taper: &Vec<f64>| {
            let energy = taper.iter().map(|v| v * v).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            taper.iter().map(|v| v / energy).collect()
        };
        self.tapers.iter().map(unit).collect()
    }

    /// Covariance of the relative power of two bins that are `lag` bins of `spacing_hz` apart, for a mean over
    /// `segments` segments of a spectrum that is flat over the tapers' bandwidth. At lag 0 it is 1 / gamma shape.
    #[must_use]
    pub fn bin_covariance(&self, spacing_hz: f64, lags: usize, segments: usize) -> Vec<f64> {
        let tapers = self.unit_tapers();
        let n = self.segment_samples();
        let segments = segments.max(1);
        let mut covariance = vec![0.0; lags];
        for (lag, total) in covariance.iter_mut().enumerate() {
            let turn = -std::f64::consts::TAU * lag as f64 * spacing_hz / self.sample_rate_hz;
            for apart in 0..segments {
                let shift = apart * self.step_samples;
                if shift >= n {
                    break;
                }
                // Pairs of segments so far apart: each shift but 0 occurs in both directions.
                let pairs = if apart == 0 { segments } else { 2 * (segments - apart) };
                let mut coherence = 0.0;
                for first in &tapers {
                    for second in &tapers {
                        let products = first.iter().skip(shift).zip(second).enumerate();
                        let sum: Complex<f64> =
                            products.map(|(t, (a, b))| Complex::from_polar(a * b, turn * t as f64)).sum();
                        coherence += sum.norm_sqr();
                    }
                }
                *total += pairs as f64 * coherence;
            }
            *total /= (segments * tapers.len()).pow(2) as f64;
        }
        covariance
    }

    /// Mean squared magnitude of the tapers' transforms on a circle of as many frequencies as `fft` has, summing to
    /// their number.
    fn spectral_window(&self, fft: &dyn Fft<f64>) -> Vec<f64> {
        let points = fft.len();
        let tapers = self.unit_tapers();
        let mut window = vec![0.0; points];
        for taper in &tapers {
            let mut line = vec![Complex::new(0.0, 0.0); points];
            for (slot, value) in line.iter_mut().zip(taper) {
                slot.re = *value;
            }
            fft.process(&mut line);
            for (slot, value) in window.iter_mut().zip(&line) {
                *slot += value.norm_sqr() / tapers.len() as f64;
            }
        }
        window
    }

    /// A smearer for this design.
    #[must_use]
    pub fn smearer(&self) -> Smearer {
        // 32 points a bin of the segment resolve the main lobe and a spectrum that is steep at 2 Hz.
        let points = (32 * self.segment_samples()).next_power_of_two().max(64);
        let (forward, inverse) = (tras_fft::forward(points), tras_fft::inverse(points));
        let spectral = self.spectral_window(&*forward);
        let mut window: Vec<Complex<f64>> = spectral.iter().map(|&v| Complex::new(v, 0.0)).collect();
        inverse.process(&mut window);
        Smearer { sample_rate_hz: self.sample_rate_hz, spectral, lag_window: window, forward, inverse }
    }
}

/// Convolves spectra with the tapers' spectral window.
pub struct Smearer {
    sample_rate_hz: f64,
    /// The tapers' spectral window on the circle, from 0 on.
    spectral: Vec<f64>,
    /// The tapers' mean autocorrelation, times `points`.
    lag_window: Vec<Complex<f64>>,
    forward: std::sync::Arc<dyn Fft<f64>>,
    inverse: std::sync::Arc<dyn Fft<f64>>,
}

impl Smearer {
    /// Spacing of the fine grid in Hz.
    #[must_use]
    pub fn spacing_hz(&self) -> f64 {
        self.sample_rate_hz / self.lag_window.len() as f64
    }

    /// The expected spectrum, on the fine grid from 0 to half the sample rate, of a signal of density
    /// `density(f)`; a flat density comes out as itself.
    #[must_use]
    pub fn smear(&self, density: impl Fn(f64) -> f64) -> Vec<f64> {
        let points = self.lag_window.len();
        let spacing_hz = self.spacing_hz();
        let mut line: Vec<Complex<f64>> =
            (0..points).map(|i| Complex::new(density(i.min(points - i) as f64 * spacing_hz), 0.0)).collect();
        self.inverse.process(&mut line);
        for (value, weight) in line.iter_mut().zip(&self.lag_window) {
            *value *= weight;
        }
        self.forward.process(&mut line);
        let scale = 1.0 / (points as f64).powi(2);
        line.iter().take(points / 2 + 1).map(|v| v.re * scale).collect()
    }
}

/// The part of the spectral window near each of some bins: for smearing many densities without a transform.
pub(super) struct Kernel {
    /// Spacing of the grid in Hz, which begins at 0, and its points.
    pub(super) spacing_hz: f64,
    /// See `spacing_hz`.
    pub(super) points: usize,
    /// For each bin where its part begins, and its weights, which sum to 1.
    rows: Vec<(usize, Vec<f64>)>,
}

impl Kernel {
    /// The density on the grid as the bin `at` shows it.
    pub(super) fn smear(&self, at: usize, density: &[f64]) -> f64 {
        let Some((start, weights)) = self.rows.get(at) else { return f64::NAN };
        super::linear::dot(density.get(*start..*start + weights.len()).unwrap_or_default(), weights)
    }
}

impl Smearer {
    /// The window around `freqs_hz`, to where it has fallen off: `reach_hz` and twelve bins of a segment.
    pub(super) fn kernel(&self, freqs_hz: &[f64], reach_hz: f64) -> Kernel {
        // Every second point: 16 a bin of the segment.
        let (every, circle) = (2, self.spectral.len());
        let spacing_hz = every as f64 * self.spacing_hz();
        let reach_hz = reach_hz + 12.0 * 16.0 * spacing_hz;
        let top_hz = (freqs_hz.last().copied().unwrap_or(0.0) + reach_hz).min(0.5 * self.sample_rate_hz);
        let points = (top_hz / spacing_hz) as usize + 1;
        let value = |offset_hz: f64| {
            let at = (offset_hz.abs() / self.spacing_hz()).round() as usize;
            self.spectral.get(at % circle).copied().unwrap_or(0.0)
        };
        let row = |&f: &f64| {
            let start = (((f - reach_hz) / spacing_hz).max(0.0) as usize).min(points);
            let end = (((f + reach_hz) / spacing_hz) as usize + 1).min(points);
            // What lies below 0 Hz is folded back.
            let folded = |i: usize| {
                let at_hz = i as f64 * spacing_hz;
                value(at_hz - f) + if i > 0 { value(at_hz + f) } else { 0.0 }
            };
            let weights: Vec<f64> = (start..end).map(folded).collect();
            let sum: f64 = weights.iter().sum();
            (start, weights.into_iter().map(|w| w / sum).collect())
        };
        Kernel { spacing_hz, points, rows: freqs_hz.iter().map(row).collect() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_flat_spectrum_is_not_changed_by_smearing() {
        let design = Design::sine(250.0, 500, 3, 125, 5);
        for value in design.smearer().smear(|_| 3.0) {
            assert!((value - 3.0).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn one_window_of_k_orthogonal_tapers_has_k_degrees() {
        let design = Design::sine(250.0, 1000, 7, 1000, 1);
        let covariance = design.bin_covariance(0.25, 12, 1);
        assert!((1.0 / covariance[0] - 7.0).abs() < 1e-6);
        // Beyond twice the half bandwidth of 1 Hz hardly anything is shared.
        assert!(covariance[11] < 0.01 * covariance[0]);
    }
}

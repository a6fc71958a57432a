//! The expected spectrum: an aperiodic line and Gaussian peaks added to it in power, smeared by the tapers.
//!
//! `mu_j = exp(a) [ B_j(chi) + sum_m A_m Q_j(c_m, s_m) ]`, where B is f^-chi relative to the pivot frequency and
//! Q a Gaussian of centre c and standard deviation s and height 1, both smeared. Tables hold B over chi and
//! Q over s, so that a fit costs no transform.

use super::design::Design;

/// Exponents that the table covers.
pub const CHI_RANGE: (f64, f64) = (-1.5, 5.0);
const CHI_STEP: f64 = 0.125;
/// Standard deviations of peaks that the table covers, in Hz.
pub const SIGMA_RANGE_HZ: (f64, f64) = (0.25, 6.0);
const SIGMA_STEPS: usize = 28;
/// Grid of the peak table, in Hz.
const OFFSET_STEP_HZ: f64 = 1.0 / 16.0;
/// A Gaussian is cut beyond so many standard deviations (plus the tapers' bandwidth).
const REACH_SIGMAS: f64 = 4.0;
/// Below this frequency the model's line is flat: no amplifier passes f^-chi down to zero, and mean and trend
/// are taken out of a segment.
const FLAT_BELOW_HZ: f64 = 0.25;

/// Tables of one design on one set of bins.
#[derive(Debug)]
pub struct Model {
    freqs_hz: Vec<f64>,
    pivot_hz: f64,
    /// ln B and its derivative by chi, one row of bins an exponent.
    line: Vec<Vec<[f64; 2]>>,
    /// Smeared unit Gaussians over the offset from their centre, one row a width.
    peak: Vec<Vec<f32>>,
    ln_sigma_step: f64,
    half_bandwidth_hz: f64,
    reach_hz: f64,
}

impl Model {
    /// Tables for the bins `freqs_hz` (ascending, above 0).
    #[must_use]
    pub fn new(design: &Design, freqs_hz: &[f64]) -> Self {
        let count = freqs_hz.len().max(1) as f64;
        let pivot_hz = (freqs_hz.iter().map(|f| f.ln()).sum::<f64>() / count).exp();
        let smearer = design.smearer();
        let spacing_hz = smearer.spacing_hz();
        let at = |fine: &[f64], f: f64| {
            let x = f / spacing_hz;
            let i = (x as usize).min(fine.len().saturating_sub(2));
            match (fine.get(i), fine.get(i + 1)) {
                (Some(a), Some(b)) => a + (b - a) * (x - i as f64),
                _ => f64::NAN,
            }
        };
        let ln_line = |chi: f64| -> Vec<f64> {
            let fine = smearer.smear(|f| (f.max(FLAT_BELOW_HZ) / pivot_hz).powf(-chi));
            freqs_hz.iter().map(|&f| at(&fine, f).max(f64::MIN_POSITIVE).ln()).collect()
        };
        let rows = ((CHI_RANGE.1 - CHI_RANGE.0) / CHI_STEP).round() as usize + 1;
        // One row more at either end, for the central differences.
        let values: Vec<Vec<f64>> =
            (0..rows + 2).map(|i| ln_line(CHI_RANGE.0 + CHI_STEP * (i as f64 - 1.0))).collect();
        let line = values
            .windows(3)
            .map(|three| match three {
                [before, here, after] => before
                    .iter()
                    .zip(here)
                    .zip(after)
                    .map(|((b, h), a)| [*h, (a - b) / (2.0 * CHI_STEP)])
                    .collect(),
                _ => Vec::new(),
            })
            .collect();
        let half_bandwidth_hz = design.half_bandwidth_hz();
        let reach_hz = 1.5 * half_bandwidth_hz;
        let ln_sigma_step = (SIGMA_RANGE_HZ.1 / SIGMA_RANGE_HZ.0).ln() / (SIGMA_STEPS - 1) as f64;
        // The Gaussian sits at a quarter of the sample rate, far from both ends of the circle.
        let centre_hz = (design.sample_rate_hz / 4.0 / spacing_hz).round() * spacing_hz;
        let peak = (0..SIGMA_STEPS)
            .map(|i| {
                let sigma = SIGMA_RANGE_HZ.0 * (ln_sigma_step * i as f64).exp();
                let fine = smearer.smear(|f| (-0.5 * ((f - centre_hz) / sigma).powi(2)).exp());
                let points = ((REACH_SIGMAS * sigma + reach_hz) / OFFSET_STEP_HZ).ceil() as usize + 2;
                (0..points)
                    .map(|j| at(&fine, centre_hz + OFFSET_STEP_HZ * j as f64).max(0.0) as f32)
                    .collect()
            })
            .collect();
        Self { freqs_hz: freqs_hz.to_vec(), pivot_hz, line, peak, ln_sigma_step, half_bandwidth_hz, reach_hz }
    }

    /// Bins.
    #[must_use]
    pub fn freqs_hz(&self) -> &[f64] {
        &self.freqs_hz
    }

    /// Geometric mean of the bins: there offset and exponent are all but uncorrelated.
    #[must_use]
    pub fn pivot_hz(&self) -> f64 {
        self.pivot_hz
    }

    /// See [`Design::half_bandwidth_hz`].
    #[must_use]
    pub fn half_bandwidth_hz(&self) -> f64 {
        self.half_bandwidth_hz
    }

    /// Writes B and d ln B / d chi for every bin.
    pub fn line(&self, chi: f64, out: &mut [f64], slope: &mut [f64]) {
        let chi = chi.clamp(CHI_RANGE.0, CHI_RANGE.1 - 1e-9);
        let x = (chi - CHI_RANGE.0) / CHI_STEP;
        let i = x as usize;
        let (Some(low), Some(high)) = (self.line.get(i), self.line.get(i + 1)) else { return };
        let t = x - i as f64;
        // Cubic Hermite interpolation.
        let (h00, h10) = ((1.0 + 2.0 * t) * (1.0 - t) * (1.0 - t), t * (1.0 - t) * (1.0 - t) * CHI_STEP);
        let (h01, h11) = (t * t * (3.0 - 2.0 * t), t * t * (t - 1.0) * CHI_STEP);
        for (((out, slope), low), high) in out.iter_mut().zip(slope).zip(low).zip(high) {
            *out = fast_exp(h00 * low[0] + h10 * low[1] + h01 * high[0] + h11 * high[1]);
            *slope = low[1] + t * (high[1] - low[1]);
        }
    }

    /// The bins that a peak reaches.
    #[must_use]
    pub fn reach(&self, centre_hz: f64, sigma_hz: f64) -> std::ops::Range<usize> {
        let reach = REACH_SIGMAS * sigma_hz + self.reach_hz;
        let first = self.freqs_hz.first().copied().unwrap_or(0.0);
        let spacing = self.freqs_hz.get(1).copied().unwrap_or(first + 1.0) - first;
        let n = self.freqs_hz.len();
        let index = |f: f64| (((f - first) / spacing).ceil().max(0.0) as usize).min(n);
        let start = index(centre_hz - reach);
        start..index(centre_hz + reach).max(start)
    }

    /// Writes Q and its derivatives by the centre and by ln sigma for the bins of [`Model::reach`].
    pub fn peak(&self, centre_hz: f64, ln_sigma: f64, bins: std::ops::Range<usize>, out: &mut [[f64; 3]]) {
        let x = ((ln_sigma - SIGMA_RANGE_HZ.0.ln()) / self.ln_sigma_step)
            .clamp(0.0, (SIGMA_STEPS - 1) as f64 - 1e-9);
        let row = x as usize;
        let (Some(low), Some(high)) = (self.peak.get(row), self.peak.get(row + 1)) else { return };
        let t = x - row as f64;
        let Some(freqs) = self.freqs_hz.get(bins) else { return };
        for (slot, &f) in out.iter_mut().zip(freqs) {
            let offset = f - centre_hz;
            let y = offset.abs() / OFFSET_STEP_HZ;
            let i = y as usize;
            let u = y - i as f64;
            let value = |table: &[f32]| {
                let a = table.get(i).copied().map_or(0.0, f64::from);
                let b = table.get(i + 1).copied().map_or(0.0, f64::from);
                (a + u * (b - a), b - a)
            };
            let ((low, low_slope), (high, high_slope)) = (value(low), value(high));
            let slope = (low_slope + t * (high_slope - low_slope)) / OFFSET_STEP_HZ;
            *slot = [low + t * (high - low), -slope * offset.signum(), (high - low) / self.ln_sigma_step];
        }
    }
}

/// exp(x) by splitting off the power of two and a Taylor series of the remainder: relative error below 2e-9, and
/// unlike the library's it is inlined and vectorised.
#[inline]
fn fast_exp(x: f64) -> f64 {
    let x = x.clamp(-600.0, 600.0);
    let k = (x * std::f64::consts::LOG2_E + 1024.5) as i64 - 1024;
    let r = x - k as f64 * std::f64::consts::LN_2;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5040.0))))));
    p * f64::from_bits(((k + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    fn model() -> Model {
        let freqs: Vec<f64> = (4..=70).map(|i| f64::from(i) * 0.5).collect();
        Model::new(&Design::sine(250.0, 500, 3, 125, 5), &freqs)
    }

    #[test]
    fn the_exponential_is_one() {
        for i in -400..400 {
            let x = f64::from(i) * 0.1;
            assert!((fast_exp(x) / x.exp() - 1.0).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn the_line_is_a_power_law_far_from_zero_and_its_slope_its_derivative() {
        let model = model();
        let n = model.freqs_hz().len();
        let (mut a, mut b, mut slope, mut unused) = (vec![0.0; n], vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        model.line(1.3, &mut a, &mut slope);
        model.line(1.3 + 1e-4, &mut b, &mut unused);
        for j in 0..n {
            let f = model.freqs_hz()[j];
            let power_law = (f / model.pivot_hz()).powf(-1.3);
            if f > 8.0 {
                assert!((a[j] / power_law - 1.0).abs() < 0.02, "{f} Hz: {} and {power_law}", a[j]);
            }
            assert!(((b[j] / a[j]).ln() / 1e-4 - slope[j]).abs() < 2e-3, "{f} Hz");
        }
    }

    #[test]
    fn a_peaks_derivatives_are_its_differences() {
        let model = model();
        let bins = model.reach(10.3, 1.1);
        let n = bins.len();
        let (mut a, mut b, mut c) = (vec![[0.0; 3]; n], vec![[0.0; 3]; n], vec![[0.0; 3]; n]);
        let ln_sigma = 1.1_f64.ln();
        model.peak(10.3, ln_sigma, bins.clone(), &mut a);
        model.peak(10.3 + 0.02, ln_sigma, bins.clone(), &mut b);
        model.peak(10.3, ln_sigma + 0.02, bins, &mut c);
        for j in 0..n {
            assert!(((b[j][0] - a[j][0]) / 0.02 - a[j][1]).abs() < 0.05);
            assert!(((c[j][0] - a[j][0]) / 0.02 - a[j][2]).abs() < 0.05);
        }
    }
}

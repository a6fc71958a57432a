//! The expected spectrum: an aperiodic line and Gaussian peaks added to it in power, smeared by the tapers.
//!
//! `mu_j = exp(a) [ B_j(chi) + sum_m A_m Q_j(c_m, s_m) ]`, where B is f^-chi relative to the pivot frequency and
//! Q a Gaussian of centre c and standard deviation s and height 1, both smeared. Tables hold B over chi and
//! Q over s, so that a fit costs no transform.

use super::design::{Design, Smearer};
use super::linear::{fast_exp, fast_ln};
use super::parameters::LN_KNEE_LIMITS;

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
/// Below this frequency the model's line is flat: no amplifier passes f^-chi down to zero, and 0.1 Hz is the usual
/// corner of those for EEG. It matters to exponents above 3 in bins below 2 Hz.
const FLAT_BELOW_HZ: f64 = 0.1;

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
    /// ln f of each bin, and a density that is 1 everywhere as the spectra show it.
    ln_freqs: Vec<f64>,
    white: Vec<f64>,
    bent: BentLine,
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
            let fine = smearer.smear(|f| (f.max(FLAT_BELOW_HZ) / pivot_hz).powf(-chi) * design.gain(f));
            freqs_hz.iter().map(|&f| (at(&fine, f) / design.gain(f)).max(f64::MIN_POSITIVE).ln()).collect()
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
        let fine = smearer.smear(|f| design.gain(f));
        let white = freqs_hz.iter().map(|&f| at(&fine, f) / design.gain(f)).collect();
        let bent = BentLine::new(design, &smearer, freqs_hz, pivot_hz);
        let ln_freqs = freqs_hz.iter().map(|f| f.ln()).collect();
        Self {
            freqs_hz: freqs_hz.to_vec(),
            pivot_hz,
            line,
            peak,
            ln_sigma_step,
            half_bandwidth_hz,
            reach_hz,
            ln_freqs,
            white,
            bent,
        }
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

    /// A density that is 1 everywhere.
    #[must_use]
    pub fn white(&self) -> &[f64] {
        &self.white
    }

    /// Writes the line that bends at the frequency of which `ln_knee` is the logarithm, 1 at the pivot, and the
    /// derivatives of its logarithm by `chi` and by `ln_knee`.
    pub fn bent_line(
        &self,
        chi: f64,
        ln_knee: f64,
        out: &mut [f64],
        slope: &mut [f64],
        knee_slope: &mut [f64],
    ) {
        let (below, right, weights) = self.bent.around(chi, ln_knee);
        let [w00, w01, w10, w11] = weights;
        let ln_pivot = self.pivot_hz.ln();
        let (at_pivot, pivot_share) = softplus(chi * (ln_knee - ln_pivot));
        let rows = (self.bent.row(below), self.bent.row(below + 1));
        let rows = (rows, (self.bent.row(below + right), self.bent.row(below + right + 1)));
        let ((c00, c01), (c10, c11)) = rows;
        let corrections = c00.iter().zip(c01).zip(c10).zip(c11);
        let bins = self.ln_freqs.iter().zip(corrections);
        for (((out, slope), knee_slope), (&ln_f, (((c00, c01), c10), c11))) in
            out.iter_mut().zip(slope).zip(knee_slope).zip(bins)
        {
            let (bend, share) = softplus(chi * (ln_knee - ln_f));
            let smeared = w00 * c00 + w01 * c01 + w10 * c10 + w11 * c11;
            let along_knee = (w00 + w01) * (c01 - c00) + (w10 + w11) * (c11 - c10);
            let along_chi = (w00 + w10) * (c10 - c00) + (w01 + w11) * (c11 - c01);
            *out = fast_exp(-chi * (ln_f - ln_pivot) + at_pivot - bend + smeared);
            *slope = -(ln_f - ln_pivot) + pivot_share * (ln_knee - ln_pivot) - share * (ln_knee - ln_f)
                + along_chi / CHI_BENT_STEP;
            *knee_slope = chi * (pivot_share - share) + along_knee / KNEE_STEP;
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

/// ln(1 + e^x) and its derivative.
#[inline]
fn softplus(x: f64) -> (f64, f64) {
    let small = fast_exp(-x.abs());
    let value = x.max(0.0) + fast_ln(1.0 + small);
    let share = if x >= 0.0 { 1.0 } else { small } / (1.0 + small);
    (value, share)
}

const CHI_BENT_STEP: f64 = 0.25;
const CHI_BENT_ROWS: usize = 21;
const KNEE_STEP: f64 = 0.25;
const KNEE_ROWS: usize = 21;

/// What smearing does to bent lines: ln of the smeared line over the line itself, over exponents from 0 and knees from
/// the lowest; small and smooth, so that straight interpolation serves.
#[derive(Debug)]
struct BentLine {
    /// [exponent x knee][bin]
    corrections: Vec<f64>,
    bins: usize,
}

impl BentLine {
    fn new(design: &Design, smearer: &Smearer, freqs_hz: &[f64], pivot_hz: f64) -> Self {
        let kernel = smearer.kernel(freqs_hz, 2.0 * design.half_bandwidth_hz());
        let bins = freqs_hz.len();
        let mut corrections = Vec::with_capacity(CHI_BENT_ROWS * KNEE_ROWS * bins);
        let mut fine = vec![0.0; kernel.points];
        let gains: Vec<f64> = (0..kernel.points).map(|i| design.gain(i as f64 * kernel.spacing_hz)).collect();
        for i in 0..CHI_BENT_ROWS {
            let chi = CHI_BENT_STEP * i as f64;
            let falls: Vec<f64> = (0..kernel.points)
                .map(|i| ((i as f64 * kernel.spacing_hz).max(FLAT_BELOW_HZ) / pivot_hz).powf(chi))
                .collect();
            for j in 0..KNEE_ROWS {
                let knee = ((LN_KNEE_LIMITS.0 + KNEE_STEP * j as f64).exp() / pivot_hz).powf(chi);
                for ((slot, fall), gain) in fine.iter_mut().zip(&falls).zip(&gains) {
                    *slot = gain / (fall + knee);
                }
                for (at, &f) in freqs_hz.iter().enumerate() {
                    let plain = design.gain(f) / ((f / pivot_hz).powf(chi) + knee);
                    corrections.push((kernel.smear(at, &fine) / plain).max(f64::MIN_POSITIVE).ln());
                }
            }
        }
        Self { corrections, bins }
    }

    /// Row of the corner below, rows from there to the next exponent, and the weights of the four corners: (exponent,
    /// knee) low-low, low-high, high-low, high-high.
    fn around(&self, chi: f64, ln_knee: f64) -> (usize, usize, [f64; 4]) {
        let x = (chi / CHI_BENT_STEP).clamp(0.0, (CHI_BENT_ROWS - 1) as f64 - 1e-9);
        let y = ((ln_knee - LN_KNEE_LIMITS.0) / KNEE_STEP).clamp(0.0, (KNEE_ROWS - 1) as f64 - 1e-9);
        let (i, j) = (x as usize, y as usize);
        let (t, u) = (x - i as f64, y - j as f64);
        let weights = [(1.0 - t) * (1.0 - u), (1.0 - t) * u, t * (1.0 - u), t * u];
        (i * KNEE_ROWS + j, KNEE_ROWS, weights)
    }

    fn row(&self, row: usize) -> &[f64] {
        self.corrections.get(row * self.bins..(row + 1) * self.bins).unwrap_or_default()
    }
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
                assert!((a[j] / power_law - 1.0).abs() < 0.03, "{f} Hz: {} and {power_law}", a[j]);
            }
            // Between the table's rows, where what leaks from below 2 Hz bends the line most.
            assert!(((b[j] / a[j]).ln() / 1e-4 - slope[j]).abs() < 1e-2, "{f} Hz");
        }
    }

    #[test]
    fn a_bent_lines_derivatives_are_its_differences_and_without_a_knee_it_is_straight() {
        let model = model();
        let n = model.freqs_hz().len();
        let fresh = || vec![0.0; n];
        let (mut here, mut up, mut over) = (fresh(), fresh(), fresh());
        let (mut by_chi, mut by_knee, mut unused, mut more) = (fresh(), fresh(), fresh(), fresh());
        for (chi, knee_hz) in [(1.1, 5.0_f64), (2.1, 9.0), (2.9, 3.0)] {
            let ln_knee = knee_hz.ln();
            model.bent_line(chi, ln_knee, &mut here, &mut by_chi, &mut by_knee);
            model.bent_line(chi + 1e-4, ln_knee, &mut up, &mut unused, &mut more);
            model.bent_line(chi, ln_knee + 1e-4, &mut over, &mut unused, &mut more);
            for j in 0..n {
                assert!(((up[j] / here[j]).ln() / 1e-4 - by_chi[j]).abs() < 2e-3);
                assert!(((over[j] / here[j]).ln() / 1e-4 - by_knee[j]).abs() < 2e-3);
            }
            let far = n - 1;
            let (f, p) = (model.freqs_hz()[far], model.pivot_hz());
            let bent = |f: f64| 1.0 / (knee_hz.powf(chi) + f.powf(chi));
            assert!((here[far] / (bent(f) / bent(p)) - 1.0).abs() < 0.03);
        }
        model.bent_line(1.5, -1.2, &mut here, &mut by_chi, &mut by_knee);
        model.line(1.5, &mut up, &mut unused);
        // Below, the tapers let in what lies under the knee.
        for j in (0..n).filter(|j| model.freqs_hz()[*j] > 4.0) {
            assert!((here[j] / up[j]).ln().abs() < 0.06, "{} {} {}", model.freqs_hz()[j], here[j], up[j]);
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

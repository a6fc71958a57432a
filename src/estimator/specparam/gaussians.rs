//! Fits all peaks together: Gaussians in log10 power, each parameter within its bounds.
//!
//! The sum of many Gaussians has more than one minimum, and fooof's answer is the one that scipy's bounded
//! `curve_fit` walks to. So this walks the same way, the trust-region reflective algorithm ([`super::trust`]),
//! from the same guesses with the same bounds; the Jacobian is exact instead of by differences.

use super::trust::{Problem, Trust};
use crate::estimator::Reason;
use crate::estimator::peaks::Gaussian;

/// The centre may move by this many standard deviations of the guess.
const CENTRE_SIGMAS: f64 = 3.0;
/// A Gaussian is cut off where it falls below this share of its height: far under the rounding of the fit.
const NEGLIGIBLE: f64 = 1e-17;

/// The joint fit and its buffers.
#[derive(Debug)]
pub(super) struct JointFit {
    sigma_limits_hz: (f64, f64),
    trust: Trust,
    shapes: Shapes,
    params: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// The Gaussians at the bins, and what is fitted to.
#[derive(Debug, Default)]
struct Shapes {
    first_hz: f64,
    step_hz: f64,
    bins: usize,
    /// 0 for bins that are left out; empty where none is.
    weights: Vec<f64>,
    data: Vec<f64>,
    /// For each peak its bins `from..to`, and its values there at height 1 (a row of `bins` for each peak).
    spans: Vec<(usize, usize)>,
    units: Vec<f64>,
    /// Derivatives: centre, height, sigma of each peak, a row of `bins` each.
    rows: Vec<f64>,
}

impl JointFit {
    pub(super) fn new(sigma_limits_hz: (f64, f64)) -> Self {
        Self {
            sigma_limits_hz,
            trust: Trust::default(),
            shapes: Shapes::default(),
            params: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
        }
    }

    /// Sizes the buffers for `peaks` peaks at `freqs_hz` (evenly spaced).
    pub(super) fn prepare(&mut self, freqs_hz: &[f64], kept: &[bool], peaks: usize) {
        let bins = freqs_hz.len();
        let (first, second) = (freqs_hz.first().copied(), freqs_hz.get(1).copied());
        let (Some(first_hz), Some(second_hz)) = (first, second) else { return };
        let peaks = peaks.min(bins);
        let weights = if kept.iter().all(|k| *k) {
            Vec::new()
        } else {
            kept.iter().map(|k| f64::from(u8::from(*k))).collect()
        };
        self.shapes = Shapes {
            first_hz,
            step_hz: second_hz - first_hz,
            bins,
            weights,
            data: vec![0.0; bins],
            spans: Vec::with_capacity(peaks),
            units: vec![0.0; peaks * bins],
            rows: vec![0.0; 3 * peaks * bins],
        };
        self.params = Vec::with_capacity(3 * peaks);
        self.lower = Vec::with_capacity(3 * peaks);
        self.upper = Vec::with_capacity(3 * peaks);
        self.trust.prepare(3 * peaks, bins);
    }

    /// Fits `flat` starting from `peaks`, which become the fitted ones, by frequency.
    pub(super) fn fit(&mut self, flat: &[f64], peaks: &mut [Gaussian]) -> Result<(), Reason> {
        let shapes = &mut self.shapes;
        let last_hz = shapes.frequency(shapes.bins.saturating_sub(1));
        self.params.clear();
        self.lower.clear();
        self.upper.clear();
        for peak in &*peaks {
            let reach_hz = CENTRE_SIGMAS * peak.sigma_hz;
            let (narrow, wide) = self.sigma_limits_hz;
            self.params.extend([peak.centre_hz, peak.height_log10, peak.sigma_hz]);
            self.lower.extend([(peak.centre_hz - reach_hz).max(shapes.first_hz), 0.0, narrow]);
            self.upper.extend([(peak.centre_hz + reach_hz).min(last_hz), f64::INFINITY, wide]);
        }
        for (at, (slot, &value)) in shapes.data.iter_mut().zip(flat).enumerate() {
            *slot = value * shapes.weights.get(at).copied().unwrap_or(1.0);
        }
        if !self.trust.minimise(shapes, &mut self.params, &self.lower, &self.upper) {
            return Err(Reason::NotConverged);
        }
        for (peak, params) in peaks.iter_mut().zip(self.params.chunks_exact(3)) {
            if let [centre_hz, height_log10, sigma_hz] = *params {
                *peak = Gaussian { centre_hz, height_log10, sigma_hz };
            }
        }
        peaks.sort_unstable_by(|a, b| a.centre_hz.total_cmp(&b.centre_hz));
        Ok(())
    }

    /// Sum of `peaks` at every bin, those left out too.
    pub(super) fn model(&self, peaks: &[Gaussian], out: &mut [f64]) {
        for (at, out) in out.iter_mut().enumerate() {
            let freq_hz = self.shapes.frequency(at);
            *out = peaks.iter().map(|peak| peak.at(freq_hz)).sum();
        }
    }
}

impl Shapes {
    #[expect(clippy::cast_precision_loss, reason = "bins are few")]
    fn frequency(&self, bin: usize) -> f64 {
        self.first_hz + bin as f64 * self.step_hz
    }
}

/// Fills `out` with exp(-u^2/2), u = (f - centre) / sigma, and returns where it is not negligible.
///
/// On an even grid the ratio of neighbours changes by a constant factor, so three exponentials serve a whole
/// Gaussian; going outward from the centre keeps every value good to about 1e-12 of itself.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped"
)]
fn gaussian_into(
    first_hz: f64,
    step_hz: f64,
    centre_hz: f64,
    sigma_hz: f64,
    out: &mut [f64],
) -> (usize, usize) {
    let last = out.len().saturating_sub(1);
    let middle = ((centre_hz - first_hz) / step_hz).round().clamp(0.0, last as f64) as usize;
    let a = step_hz / sigma_hz;
    let u = (first_hz + middle as f64 * step_hz - centre_hz) / sigma_hz;
    let top = (-0.5 * u * u).exp();
    let squeeze = (-a * a).exp();
    let (left, right) = out.split_at_mut(middle);
    let mut to = middle;
    let (mut value, mut ratio) = (top, (-u * a - 0.5 * a * a).exp());
    for slot in right {
        if value < NEGLIGIBLE {
            break;
        }
        *slot = value;
        value *= ratio;
        ratio *= squeeze;
        to += 1;
    }
    let mut from = middle;
    ratio = (u * a - 0.5 * a * a).exp();
    value = top * ratio;
    for slot in left.iter_mut().rev() {
        if value < NEGLIGIBLE {
            break;
        }
        ratio *= squeeze;
        *slot = value;
        value *= ratio;
        from -= 1;
    }
    (from, to)
}

impl Problem for Shapes {
    fn residuals(&mut self, params: &[f64], out: &mut [f64]) -> f64 {
        for (out, data) in out.iter_mut().zip(&self.data) {
            *out = -data;
        }
        self.spans.clear();
        for (params, unit) in params.chunks_exact(3).zip(self.units.chunks_exact_mut(self.bins)) {
            let [centre_hz, height, sigma_hz] = *params else { continue };
            let (from, to) = gaussian_into(self.first_hz, self.step_hz, centre_hz, sigma_hz, unit);
            self.spans.push((from, to));
            let span = from..to;
            let Some(unit) = unit.get_mut(span.clone()) else { continue };
            if let Some(weights) = self.weights.get(span.clone()) {
                unit.iter_mut().zip(weights).for_each(|(value, weight)| *value *= weight);
            }
            for (out, unit) in out.get_mut(span).unwrap_or_default().iter_mut().zip(&*unit) {
                *out += height * unit;
            }
        }
        0.5 * dot(out, out)
    }

    fn derive(&mut self, params: &[f64], residuals: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        let bins = self.bins;
        let peaks = params.chunks_exact(3).zip(self.units.chunks_exact(bins)).zip(&self.spans);
        for (((params, unit), &(from, to)), rows) in peaks.zip(self.rows.chunks_exact_mut(3 * bins)) {
            let [centre_hz, height, sigma_hz] = *params else { continue };
            let (d_centre, rest) = rows.split_at_mut(bins);
            let (d_height, d_sigma) = rest.split_at_mut(bins);
            let per_sigma = 1.0 / sigma_hz;
            #[expect(clippy::cast_precision_loss, reason = "bins are few")]
            let mut u = (self.first_hz + from as f64 * self.step_hz - centre_hz) * per_sigma;
            let step = self.step_hz * per_sigma;
            let columns = d_centre.iter_mut().zip(d_height).zip(d_sigma).zip(unit);
            for (((c, h), s), &g) in columns.skip(from).take(to - from) {
                let slope = height * per_sigma * g * u;
                *c = slope;
                *h = g;
                *s = slope * u;
                u += step;
            }
        }
        let n = params.len();
        let row = |at: usize| self.rows.get(at * bins..(at + 1) * bins).unwrap_or_default();
        for i in 0..n {
            let (from, to) = self.spans.get(i / 3).copied().unwrap_or_default();
            let here = row(i);
            if let Some(slot) = gradient.get_mut(i) {
                *slot =
                    dot(here.get(from..to).unwrap_or_default(), residuals.get(from..to).unwrap_or_default());
            }
            for j in 0..=i {
                let (other_from, other_to) = self.spans.get(j / 3).copied().unwrap_or_default();
                let (start, end) = (from.max(other_from), to.min(other_to));
                let value = if start < end {
                    dot(here.get(start..end).unwrap_or_default(), row(j).get(start..end).unwrap_or_default())
                } else {
                    0.0
                };
                for at in [i * n + j, j * n + i] {
                    if let Some(slot) = hessian.get_mut(at) {
                        *slot = value;
                    }
                }
            }
        }
    }
}

/// Inner product in four running sums: fixed order, and wide registers can hold them.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let [s0, s1, s2, s3] = sums;
    (s0 + s1) + (s2 + s3) + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_ratio_recurrence_is_the_exponential() {
        let mut out = vec![0.0; 111];
        for (centre_hz, sigma_hz) in [(10.0, 0.5), (2.1, 4.0), (55.0, 6.0), (30.26, 0.25)] {
            let (from, to) = gaussian_into(0.5, 0.5, centre_hz, sigma_hz, &mut out);
            for (bin, value) in out.iter().enumerate() {
                let u = (0.5 + bin as f64 * 0.5 - centre_hz) / sigma_hz;
                let exact = (-0.5 * u * u).exp();
                if (from..to).contains(&bin) {
                    assert!((value / exact - 1.0).abs() < 1e-11, "{bin} {value} {exact}");
                } else {
                    assert!(exact < 1.1e-17);
                }
            }
        }
    }

    #[test]
    fn two_overlapping_gaussians_are_told_apart() {
        let freqs: Vec<f64> = (4..=70).map(|k| f64::from(k) * 0.5).collect();
        let truth = [
            Gaussian { centre_hz: 9.3, height_log10: 0.8, sigma_hz: 1.1 },
            Gaussian { centre_hz: 12.2, height_log10: 0.5, sigma_hz: 1.6 },
        ];
        let flat: Vec<f64> = freqs.iter().map(|&f| truth.iter().map(|g| g.at(f)).sum()).collect();
        let mut joint = JointFit::new((0.5, 4.0));
        joint.prepare(&freqs, &vec![true; freqs.len()], 4);
        let mut peaks = [
            Gaussian { centre_hz: 9.0, height_log10: 0.9, sigma_hz: 0.9 },
            Gaussian { centre_hz: 12.5, height_log10: 0.6, sigma_hz: 0.9 },
        ];
        joint.fit(&flat, &mut peaks).unwrap();
        for (peak, truth) in peaks.iter().zip(truth) {
            assert!((peak.centre_hz - truth.centre_hz).abs() < 1e-4, "{peaks:?}");
            assert!((peak.height_log10 - truth.height_log10).abs() < 1e-4, "{peaks:?}");
            assert!((peak.sigma_hz - truth.sigma_hz).abs() < 1e-4, "{peaks:?}");
        }
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_cost() {
        let freqs: Vec<f64> = (4..=70).map(|k| f64::from(k) * 0.5).collect();
        let mut joint = JointFit::new((0.5, 4.0));
        let mut kept = vec![true; freqs.len()];
        kept[20] = false;
        joint.prepare(&freqs, &kept, 4);
        let shapes = &mut joint.shapes;
        shapes.data.iter_mut().zip(&kept).enumerate().for_each(|(k, (d, kept))| {
            *d = if *kept { (k as f64 * 0.7).sin() } else { 0.0 };
        });
        let params = [10.0, 0.8, 1.3, 12.1, 0.4, 0.9];
        let mut residuals = vec![0.0; freqs.len()];
        let (mut gradient, mut hessian) = (vec![0.0; 6], vec![0.0; 36]);
        shapes.residuals(&params, &mut residuals);
        shapes.derive(&params, &residuals.clone(), &mut gradient, &mut hessian);
        for at in 0..6 {
            let mut cost = |shift: f64| {
                let mut moved = params;
                moved[at] += shift;
                shapes.residuals(&moved, &mut residuals)
            };
            let slope = (cost(1e-6) - cost(-1e-6)) / 2e-6;
            assert!((slope - gradient[at]).abs() < 1e-6, "{at}: {slope} {}", gradient[at]);
        }
    }
}

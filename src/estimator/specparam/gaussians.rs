//! Fits all peaks together: Gaussians in log10 power, each parameter within its bounds.
//!
//! The sum of many Gaussians has more than one minimum, and fooof's answer is the one that scipy's bounded
//! `curve_fit` walks to. So this walks the same way, the trust-region reflective algorithm ([`super::trust`]),
//! from the same guesses with the same bounds; the Jacobian is exact instead of by differences.

use super::trust::{Problem, Trust};
use crate::Reason;
use crate::peaks::{Gaussian, gaussian_into};

/// The centre may move by this many standard deviations of the guess.
const CENTRE_SIGMAS: f64 = 3.0;

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
    pub(super) fn model(&mut self, peaks: &[Gaussian], out: &mut [f64]) {
        out.fill(0.0);
        let shapes = &mut self.shapes;
        let Some(unit) = shapes.units.get_mut(..shapes.bins) else { return };
        for peak in peaks {
            let (from, to) =
                gaussian_into(shapes.first_hz, shapes.step_hz, peak.centre_hz, peak.sigma_hz, unit);
            for (out, unit) in out.iter_mut().zip(&*unit).skip(from).take(to - from) {
                *out += peak.height_log10 * unit;
            }
        }
    }
}

impl Shapes {
    #[expect(clippy::cast_precision_loss, reason = "bins are few")]
    fn frequency(&self, bin: usize) -> f64 {
        self.first_hz + bin as f64 * self.step_hz
    }
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

    fn derive(&mut self, params: &[f64], residuals: &[f64], gradient: &mut [f64], normal: &mut [f64]) {
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
        let peak = |at: usize, from: usize, to: usize| -> [&[f64]; 3] {
            let row = |which: usize| {
                let start = (3 * at + which) * bins;
                self.rows.get(start + from..start + to).unwrap_or_default()
            };
            [row(0), row(1), row(2)]
        };
        for (i, &(from, to)) in self.spans.iter().enumerate() {
            let slope = residuals.get(from..to).unwrap_or_default();
            for (slot, row) in gradient.iter_mut().skip(3 * i).zip(peak(i, from, to)) {
                *slot = dot(row, slope);
            }
            for (j, &(other_from, other_to)) in self.spans.iter().enumerate().take(i + 1) {
                let (start, end) = (from.max(other_from), to.min(other_to));
                let end = end.max(start);
                let block = products(peak(i, start, end), peak(j, start, end));
                for (a, line) in block.iter().enumerate() {
                    for (b, value) in line.iter().enumerate() {
                        let (row, column) = (3 * i + a, 3 * j + b);
                        for at in [row * n + column, column * n + row] {
                            if let Some(slot) = normal.get_mut(at) {
                                *slot = *value;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// All nine inner products of two peaks' derivatives, in one pass. Two running sums each: fixed order, and they fit
/// the registers.
#[inline]
fn products(a: [&[f64]; 3], b: [&[f64]; 3]) -> [[f64; 3]; 3] {
    let mut sums = [[[0.0_f64; 2]; 3]; 3];
    let [a0, a1, a2] = a.map(|row| row.as_chunks::<2>());
    let [b0, b1, b2] = b.map(|row| row.as_chunks::<2>());
    let left = a0.0.iter().zip(a1.0).zip(a2.0);
    let right = b0.0.iter().zip(b1.0).zip(b2.0);
    for (((x0, x1), x2), ((y0, y1), y2)) in left.zip(right) {
        for (line, x) in sums.iter_mut().zip([x0, x1, x2]) {
            for (sum, y) in line.iter_mut().zip([y0, y1, y2]) {
                sum[0] += x[0] * y[0];
                sum[1] += x[1] * y[1];
            }
        }
    }
    for (line, x) in sums.iter_mut().zip([a0.1, a1.1, a2.1]) {
        for (sum, y) in line.iter_mut().zip([b0.1, b1.1, b2.1]) {
            if let ([x], [y]) = (x, y) {
                sum[0] += x * y;
            }
        }
    }
    sums.map(|line| line.map(|[even, odd]| even + odd))
}

/// Inner product in four running sums: fixed order, and wide registers can hold them.
#[inline]
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

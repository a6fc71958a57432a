//! Fits all peaks together: Gaussians in log10 power, each parameter within its bounds.
//!
//! The sum of many Gaussians has more than one minimum, and fooof's answer is the one that scipy's bounded
//! `curve_fit` walks to. So this walks the same way, the trust-region reflective algorithm ([`super::trust`]),
//! from the same guesses with the same bounds; the Jacobian is exact instead of by differences.

use super::trust::{Problem, Square, Trust};
use crate::Reason;
use crate::lanes::{LANES, across, all, dot, exp, minus, plus, times};
use crate::peaks::{Gaussian, REACH_SIGMAS};

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

/// The Gaussians at the bins, and what is fitted to. Rows of bins are whole registers: those beyond the last bin weigh
/// nothing.
#[derive(Debug, Default)]
struct Shapes {
    grid: Grid,
    /// Numbers in a row.
    width: usize,
    freqs_hz: Vec<f64>,
    /// 0 for bins that are left out and for what pads a row, else 1.
    weights: Vec<f64>,
    data: Vec<f64>,
    /// For each peak its bins `from..to`, and its values there at height 1 (a row for each peak).
    spans: Vec<(usize, usize)>,
    units: Vec<f64>,
    /// Derivatives: centre, height, sigma of each peak, a row each.
    rows: Vec<f64>,
}

/// The bins.
#[derive(Clone, Copy, Debug, Default)]
struct Grid {
    first_hz: f64,
    last_hz: f64,
    step_hz: f64,
    /// Numbers in a row.
    width: usize,
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
        let (peaks, width) = (peaks.min(bins), bins.next_multiple_of(LANES));
        let step_hz = second_hz - first_hz;
        let mut weights: Vec<f64> = kept.iter().take(bins).map(|k| f64::from(u8::from(*k))).collect();
        weights.resize(width, 0.0);
        #[expect(clippy::cast_precision_loss, reason = "bins are few")]
        let at = |bin: usize| first_hz + bin as f64 * step_hz;
        self.shapes = Shapes {
            grid: Grid { first_hz, last_hz: at(bins - 1), step_hz, width },
            width,
            freqs_hz: (0..width).map(at).collect(),
            weights,
            data: vec![0.0; width],
            spans: Vec::with_capacity(peaks),
            units: vec![0.0; peaks * width],
            rows: vec![0.0; 3 * peaks * width],
        };
        self.params = Vec::with_capacity(3 * peaks);
        self.lower = Vec::with_capacity(3 * peaks);
        self.upper = Vec::with_capacity(3 * peaks);
        self.trust.prepare(3 * peaks, bins, width);
    }

    /// Fits `flat` starting from `peaks`, which become the fitted ones, by frequency.
    #[inline(always)]
    pub(super) fn fit(&mut self, flat: &[f64], peaks: &mut [Gaussian]) -> Result<(), Reason> {
        let shapes = &mut self.shapes;
        let Grid { first_hz, last_hz, .. } = shapes.grid;
        self.params.clear();
        self.lower.clear();
        self.upper.clear();
        for peak in &*peaks {
            let reach_hz = CENTRE_SIGMAS * peak.sigma_hz;
            let (narrow, wide) = self.sigma_limits_hz;
            self.params.extend([peak.centre_hz, peak.height_log10, peak.sigma_hz]);
            self.lower.extend([(peak.centre_hz - reach_hz).max(first_hz), 0.0, narrow]);
            self.upper.extend([(peak.centre_hz + reach_hz).min(last_hz), f64::INFINITY, wide]);
        }
        for ((slot, &value), weight) in shapes.data.iter_mut().zip(flat).zip(&shapes.weights) {
            *slot = value * weight;
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
    #[inline(always)]
    pub(super) fn model(&self, peaks: &[Gaussian], out: &mut [f64]) {
        out.fill(0.0);
        for peak in peaks {
            let (from, to) = self.shapes.grid.span(peak.centre_hz, peak.sigma_hz);
            let per_sigma = 1.0 / peak.sigma_hz;
            for (out, f) in out.iter_mut().zip(&self.shapes.freqs_hz).skip(from).take(to - from) {
                let u = (f - peak.centre_hz) * per_sigma;
                *out += peak.height_log10 * exp(-0.5 * u * u);
            }
        }
    }
}

impl Grid {
    /// The whole registers of a row in which a Gaussian is not negligible.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped by the cast and by min"
    )]
    fn span(&self, centre_hz: f64, sigma_hz: f64) -> (usize, usize) {
        let reach_hz = REACH_SIGMAS * sigma_hz;
        let bin = |hz: f64| ((hz - self.first_hz) / self.step_hz) as usize;
        let from = bin(centre_hz - reach_hz) / LANES * LANES;
        let to = (bin(centre_hz + reach_hz) / LANES + 1) * LANES;
        (from.min(self.width), to.min(self.width))
    }
}

impl Problem for Shapes {
    #[inline(always)]
    fn residuals(&mut self, params: &[f64], out: &mut [f64]) -> f64 {
        for (out, data) in out.iter_mut().zip(&self.data) {
            *out = -data;
        }
        self.spans.clear();
        for (params, unit) in params.chunks_exact(3).zip(self.units.chunks_exact_mut(self.width)) {
            let [centre_hz, height, sigma_hz] = *params else { continue };
            let (from, to) = self.grid.span(centre_hz, sigma_hz);
            self.spans.push((from, to));
            let unit = unit.get_mut(from..to).unwrap_or_default();
            let bins = self.freqs_hz.get(from..to).unwrap_or_default();
            bell(bins, self.grid.step_hz, centre_hz, sigma_hz, unit);
            let weights = self.weights.get(from..to).unwrap_or_default();
            let out = out.get_mut(from..to).unwrap_or_default();
            let (out, unit) = (out.as_chunks_mut().0, unit.as_chunks_mut().0);
            for ((out, unit), w) in out.iter_mut().zip(unit).zip(weights.as_chunks().0) {
                let weighted = times(*unit, *w);
                *unit = weighted;
                *out = plus(*out, times(all(height), weighted));
            }
        }
        0.5 * dot(out, out)
    }

    #[inline(always)]
    fn derive(&mut self, params: &[f64], residuals: &[f64], gradient: &mut [f64], normal: &mut Square) {
        let width = self.width;
        let peaks = params.chunks_exact(3).zip(self.units.chunks_exact(width)).zip(&self.spans);
        for (((params, unit), &(from, to)), rows) in peaks.zip(self.rows.chunks_exact_mut(3 * width)) {
            let [centre_hz, height, sigma_hz] = *params else { continue };
            let (d_centre, rest) = rows.split_at_mut(width);
            let (d_height, d_sigma) = rest.split_at_mut(width);
            let per_sigma = 1.0 / sigma_hz;
            let columns = d_centre.get_mut(from..to).unwrap_or_default().as_chunks_mut().0.iter_mut();
            let columns = columns.zip(d_height.get_mut(from..to).unwrap_or_default().as_chunks_mut().0);
            let columns = columns.zip(d_sigma.get_mut(from..to).unwrap_or_default().as_chunks_mut().0);
            let bins = self.freqs_hz.get(from..to).unwrap_or_default().as_chunks().0;
            let shape = unit.get(from..to).unwrap_or_default().as_chunks().0.iter().zip(bins);
            let (centre, per_sigma, steep) = (all(centre_hz), all(per_sigma), all(height * per_sigma));
            for (((c, h), s), (g, f)) in columns.zip(shape) {
                let (g, u) = (*g, times(minus(*f, centre), per_sigma));
                let slope = times(times(steep, g), u);
                *c = slope;
                *h = g;
                *s = times(slope, u);
            }
        }
        for (i, &(from, to)) in self.spans.iter().enumerate() {
            let slope = residuals.get(from..to).unwrap_or_default();
            let own = self.derivatives(i);
            for (slot, row) in gradient.iter_mut().skip(3 * i).zip(own) {
                *slot = dot(row.get(from..to).unwrap_or_default(), slope);
            }
            for (j, &(other_from, other_to)) in self.spans.iter().enumerate().take(i + 1) {
                let (start, end) = (from.max(other_from), to.min(other_to));
                let end = end.max(start);
                let block = products(shared(own, start..end), shared(self.derivatives(j), start..end));
                normal.set_block(3 * i, 3 * j, block);
            }
        }
    }
}

impl Shapes {
    /// The derivatives by centre, height and sigma of a peak.
    #[inline(always)]
    fn derivatives(&self, peak: usize) -> [&[f64]; 3] {
        let width = self.width;
        let rows = self.rows.get(3 * peak * width..3 * (peak + 1) * width).unwrap_or_default();
        let (centre, rest) = rows.split_at_checked(width).unwrap_or_default();
        let (height, sigma) = rest.split_at_checked(width).unwrap_or_default();
        [centre, height, sigma]
    }
}

/// Registers from one to the next by a ratio of ratios: beyond so many standard deviations a register is too far for it.
const FARTHEST: f64 = 8.0;

/// A Gaussian of height 1 at evenly spaced `freqs_hz`, in whole registers. The first is computed, each further one is
/// the last times a ratio, and the ratio itself shrinks by a constant one: u^2 is a square.
#[inline(always)]
fn bell(freqs_hz: &[f64], step_hz: f64, centre_hz: f64, sigma_hz: f64, out: &mut [f64]) {
    let per_sigma = 1.0 / sigma_hz;
    #[expect(clippy::cast_precision_loss, reason = "4")]
    let stride = LANES as f64 * step_hz * per_sigma;
    let (freqs, out) = (freqs_hz.as_chunks::<LANES>().0, out.as_chunks_mut::<LANES>().0);
    if stride > FARTHEST {
        for (out, freqs) in out.iter_mut().zip(freqs) {
            for (out, f) in out.iter_mut().zip(freqs) {
                let u = (f - centre_hz) * per_sigma;
                *out = exp(-0.5 * u * u);
            }
        }
        return;
    }
    let Some(first) = freqs.first() else { return };
    let (mut value, mut ratio) = ([0.0; LANES], [0.0; LANES]);
    for ((value, ratio), f) in value.iter_mut().zip(&mut ratio).zip(first) {
        let u = (f - centre_hz) * per_sigma;
        *value = exp(-0.5 * u * u);
        *ratio = exp(-stride * (u + 0.5 * stride));
    }
    let squeeze = exp(-stride * stride);
    for out in out {
        *out = value;
        (value, ratio) = (times(value, ratio), times(ratio, all(squeeze)));
    }
}

/// The bins of three rows that another's reach.
#[inline(always)]
fn shared([a, b, c]: [&[f64]; 3], bins: std::ops::Range<usize>) -> [&[f64]; 3] {
    [
        a.get(bins.clone()).unwrap_or_default(),
        b.get(bins.clone()).unwrap_or_default(),
        c.get(bins).unwrap_or_default(),
    ]
}

/// All nine inner products of two peaks' derivatives, in one pass over whole registers.
#[inline(always)]
fn products(a: [&[f64]; 3], b: [&[f64]; 3]) -> [[f64; 3]; 3] {
    let mut sums = [[[0.0_f64; LANES]; 3]; 3];
    let ([a0, a1, a2], [b0, b1, b2]) = (a, b);
    let (a0, a1, a2) = (a0.as_chunks::<LANES>().0, a1.as_chunks::<LANES>().0, a2.as_chunks::<LANES>().0);
    let (b0, b1, b2) = (b0.as_chunks::<LANES>().0, b1.as_chunks::<LANES>().0, b2.as_chunks::<LANES>().0);
    let (left, right) = (a0.iter().zip(a1).zip(a2), b0.iter().zip(b1).zip(b2));
    for (((x0, x1), x2), ((y0, y1), y2)) in left.zip(right) {
        for (line, x) in sums.iter_mut().zip([x0, x1, x2]) {
            for (sum, y) in line.iter_mut().zip([y0, y1, y2]) {
                *sum = plus(*sum, times(*x, *y));
            }
        }
    }
    let mut block = [[0.0; 3]; 3];
    for (line, sums) in block.iter_mut().zip(sums) {
        for (slot, sums) in line.iter_mut().zip(sums) {
            *slot = across(sums);
        }
    }
    block
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
    fn a_bell_is_one_from_any_first_bin_at_any_width() {
        let freqs: Vec<f64> = (1..=112).map(|k| f64::from(k) * 0.5).collect();
        for (centre_hz, sigma_hz) in [(10.0, 0.5), (2.1, 4.0), (55.0, 6.0), (30.26, 0.25), (20.0, 0.1)] {
            let grid = Grid { first_hz: 0.5, last_hz: 56.0, step_hz: 0.5, width: 112 };
            let (from, to) = grid.span(centre_hz, sigma_hz);
            let mut out = vec![0.0; to - from];
            bell(&freqs[from..to], 0.5, centre_hz, sigma_hz, &mut out);
            for (f, value) in freqs[from..to].iter().zip(&out) {
                let u = (f - centre_hz) / sigma_hz;
                let exact = (-0.5 * u * u).exp();
                assert!(
                    (value - exact).abs() < 1e-12 * exact + 1e-18,
                    "{f} {centre_hz} {sigma_hz}: {value} {exact}"
                );
            }
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
        let width = shapes.width;
        let params = [10.0, 0.8, 1.3, 12.1, 0.4, 0.9];
        let mut residuals = vec![0.0; width];
        let (mut gradient, mut hessian) = (vec![0.0; 6], Square::default());
        hessian.resize(6);
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

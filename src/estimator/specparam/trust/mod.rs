//! Bounded non-linear least squares: the trust-region reflective method.
//!
//! Branch, Coleman and Li 1999 (SIAM J Sci Comput 21:1) as scipy's `least_squares(method="trf")` runs it: scaling
//! by the distance to the bounds, the trust-region step by Moré's iteration, and of the step cut at a bound, its
//! reflection and steepest descent the best. Constants and stopping rules are scipy's, so that the path and with
//! it the minimum are the same. Where scipy takes a singular value decomposition of the Jacobian, this factors
//! its normal matrix (Cholesky), which for a few dozen parameters is far cheaper and loses nothing that matters.

mod choose;
mod factor;
mod finish;
mod square;
mod tiles;

pub(super) use square::Square;

use crate::lanes::{LANES, norm};
use tiles::Factor;

/// A least-squares problem.
pub(super) trait Problem {
    /// Residuals at `params`; returns half their sum of squares.
    fn residuals(&mut self, params: &[f64], out: &mut [f64]) -> f64;
    /// Gradient J^T r and the full normal matrix J^T J, at the parameters that `residuals` had last.
    fn derive(&mut self, params: &[f64], residuals: &[f64], gradient: &mut [f64], normal: &mut Square);
}

/// scipy's `ftol`, `xtol` and `gtol`.
const TOLERANCE: f64 = 1e-8;
/// fooof's `maxfev`.
const MAX_EVALUATIONS: u32 = 5000;
/// After so many evaluations (fewer where there are many parameters and each is dear) scipy's way only creeps along a
/// valley: one fit in forty, which makes fooof's worst last a second. From there [`Trust::finish`] goes the shorter way
/// to the valley's end. Of 2,000 noisy spectra one changed its exponent by more than 0.001 by it.
fn patience(params: usize) -> u32 {
    u32::try_from(2000 / params.max(1)).unwrap_or(0).clamp(60, 150)
}

/// Buffers. Vectors of parameters are as wide as a matrix's rows; what pads them is 0.
#[derive(Debug, Default)]
pub(super) struct Trust {
    bins: usize,
    residuals: Vec<f64>,
    tried: Vec<f64>,
    gradient: Vec<f64>,
    normal: Square,
    /// Coleman-Li distances to the bounds and their derivatives, and the scaling that follows.
    distance: Vec<f64>,
    slope: Vec<f64>,
    scale: Vec<f64>,
    /// In scaled variables: normal matrix with the bounds' diagonal, gradient, factor, step.
    model: Square,
    gradient_h: Vec<f64>,
    factor: Factor,
    step_h: Vec<f64>,
    /// Newton's step, where there is one.
    newton_h: Vec<f64>,
    step: Vec<f64>,
    reflected_h: Vec<f64>,
    work: Vec<f64>,
    x_new: Vec<f64>,
}

impl Trust {
    /// For `params` parameters and `bins` bins, whose residuals take `width` numbers: those beyond are 0.
    pub(super) fn prepare(&mut self, params: usize, bins: usize, width: usize) {
        self.bins = bins;
        for buffer in [&mut self.residuals, &mut self.tried] {
            *buffer = vec![0.0; width];
        }
        for matrix in [&mut self.normal, &mut self.model] {
            *matrix = Square::with_capacity(params);
        }
        self.factor = Factor::with_capacity(params);
        let width = params.next_multiple_of(LANES);
        for vector in self.vectors() {
            *vector = Vec::with_capacity(width);
        }
        self.x_new = Vec::with_capacity(params);
    }

    fn vectors(&mut self) -> [&mut Vec<f64>; 10] {
        [
            &mut self.gradient,
            &mut self.distance,
            &mut self.slope,
            &mut self.scale,
            &mut self.gradient_h,
            &mut self.step_h,
            &mut self.newton_h,
            &mut self.step,
            &mut self.reflected_h,
            &mut self.work,
        ]
    }

    /// Minimises from `x`, which ends at the minimum. `false` where the evaluations run out.
    #[inline(always)]
    pub(super) fn minimise(
        &mut self,
        problem: &mut impl Problem,
        x: &mut [f64],
        lower: &[f64],
        upper: &[f64],
    ) -> bool {
        let n = x.len();
        for matrix in [&mut self.normal, &mut self.model] {
            matrix.resize(n);
        }
        self.factor.resize(n);
        let width = self.normal.width();
        for vector in self.vectors() {
            vector.clear();
            vector.resize(width, 0.0);
        }
        self.x_new.clear();
        self.x_new.resize(n, 0.0);
        inside(x, lower, upper, 1e-10);
        let mut cost = problem.residuals(x, &mut self.residuals);
        if !cost.is_finite() {
            return false;
        }
        problem.derive(x, &self.residuals, &mut self.gradient, &mut self.normal);
        self.measure(x, lower, upper);
        let mut radius = x.iter().zip(&self.distance).map(|(x, v)| x * x / v).sum::<f64>().sqrt();
        if radius == 0.0 {
            radius = 1.0;
        }
        let mut alpha = 0.0;
        let mut evaluations = 1;
        loop {
            if evaluations >= patience(n) {
                return self.finish(problem, x, lower, upper, cost);
            }
            self.measure(x, lower, upper);
            let optimality =
                self.gradient.iter().zip(&self.distance).map(|(g, v)| (g * v).abs()).fold(0.0, f64::max);
            if optimality < TOLERANCE {
                return true;
            }
            self.scale_model();
            let newton = if self.bins >= n && self.cholesky(0.0) {
                let length = self.solve();
                self.newton_h.copy_from_slice(&self.step_h);
                // Where it is short enough, it is the step.
                Some((length, if length > radius { self.length_slope(length) } else { 0.0 }))
            } else {
                None
            };
            let stay_inside = (1.0 - optimality).max(0.995);
            let mut reduction = -1.0;
            let mut converged = false;
            while reduction <= 0.0 {
                if evaluations >= MAX_EVALUATIONS {
                    return false;
                }
                alpha = self.trust_step(newton, radius, alpha);
                let predicted = self.choose(x, lower, upper, radius, stay_inside);
                for ((new, x), step) in self.x_new.iter_mut().zip(&*x).zip(&self.step) {
                    *new = x + step;
                }
                inside(&mut self.x_new, lower, upper, 0.0);
                let cost_new = problem.residuals(&self.x_new, &mut self.tried);
                evaluations += 1;
                let step_h_norm = norm(&self.step_h);
                if !cost_new.is_finite() {
                    radius = 0.25 * step_h_norm;
                    continue;
                }
                reduction = cost - cost_new;
                let (radius_new, ratio) = update_radius(radius, reduction, predicted, step_h_norm);
                let small_gain = reduction < TOLERANCE * cost && ratio > 0.25;
                let small_step = norm(&self.step) < TOLERANCE * (TOLERANCE + norm(x));
                if small_gain || small_step {
                    converged = true;
                    if reduction > 0.0 {
                        x.copy_from_slice(&self.x_new);
                    }
                    break;
                }
                alpha *= radius / radius_new;
                radius = radius_new;
            }
            if converged {
                return true;
            }
            x.copy_from_slice(&self.x_new);
            std::mem::swap(&mut self.residuals, &mut self.tried);
            cost -= reduction;
            problem.derive(x, &self.residuals, &mut self.gradient, &mut self.normal);
        }
    }

    /// Distance to the bound that the gradient points to, 1 where there is none.
    #[inline(always)]
    fn measure(&mut self, x: &[f64], lower: &[f64], upper: &[f64]) {
        let out = self.distance.iter_mut().zip(&mut self.slope);
        for ((((v, dv), &g), &x), (&low, &high)) in
            out.zip(&self.gradient).zip(x).zip(lower.iter().zip(upper))
        {
            (*v, *dv) = if g < 0.0 && high.is_finite() {
                (high - x, -1.0)
            } else if g > 0.0 && low.is_finite() {
                (x - low, 1.0)
            } else {
                (1.0, 0.0)
            };
        }
    }

    /// The quadratic model in scaled variables.
    #[inline(always)]
    fn scale_model(&mut self) {
        for ((d, v), (g_h, g)) in
            self.scale.iter_mut().zip(&self.distance).zip(self.gradient_h.iter_mut().zip(&self.gradient))
        {
            *d = v.sqrt();
            *g_h = *d * g;
        }
        let rows = self.model.rows_mut().zip(self.normal.rows()).zip(&self.scale);
        for (at, (((row, normal), d), (g, dv))) in rows.zip(self.gradient.iter().zip(&self.slope)).enumerate()
        {
            for ((out, b), other) in row.iter_mut().zip(normal).zip(&self.scale) {
                *out = b * d * other;
            }
            if let Some(out) = row.get_mut(at) {
                *out += g * dv;
            }
        }
    }

    /// The step of the trust region's length, or Newton's where that is shorter. `newton`: its length and derivative.
    /// Returns Moré's alpha.
    #[inline(always)]
    fn trust_step(&mut self, newton: Option<(f64, f64)>, radius: f64, alpha: f64) -> f64 {
        let upper_start = norm(&self.gradient_h) / radius;
        let (mut upper, mut lower) = (upper_start, 0.0);
        if let Some((length, derivative)) = newton {
            if length <= radius {
                self.step_h.copy_from_slice(&self.newton_h);
                return 0.0;
            }
            lower = -(length - radius) / derivative;
        }
        let between = |lower: f64, upper: f64| (0.001 * upper).max((lower * upper).sqrt());
        let mut alpha = if newton.is_none() && alpha == 0.0 { between(lower, upper) } else { alpha };
        let mut length = radius;
        for _ in 0..10 {
            if alpha < lower || alpha > upper {
                alpha = between(lower, upper);
            }
            while !self.cholesky(alpha) {
                // Only rounding can make it fail: a little more and it holds.
                alpha = (alpha * 10.0).max(f64::EPSILON * upper_start).max(f64::MIN_POSITIVE);
                if !alpha.is_finite() {
                    self.step_h.fill(0.0);
                    return 0.0;
                }
            }
            length = self.solve();
            let excess = length - radius;
            if excess < 0.0 {
                upper = alpha;
            }
            if excess.abs() < 0.01 * radius {
                break;
            }
            let ratio = excess / self.length_slope(length);
            lower = lower.max(alpha - ratio);
            alpha -= (excess + radius) * ratio / radius;
        }
        let stretch = radius / length;
        self.step_h.iter_mut().for_each(|p| *p *= stretch);
        alpha
    }

    #[inline(always)]
    fn unscale(&mut self) {
        for ((p, d), p_h) in self.step.iter_mut().zip(&self.scale).zip(&self.step_h) {
            *p = d * p_h;
        }
    }
}

/// scipy's rule for the next radius, and actual over predicted reduction.
#[inline(always)]
fn update_radius(radius: f64, actual: f64, predicted: f64, step: f64) -> (f64, f64) {
    let ratio = if predicted > 0.0 {
        actual / predicted
    } else if predicted == 0.0 && actual == 0.0 {
        1.0
    } else {
        0.0
    };
    if ratio < 0.25 {
        (0.25 * step, ratio)
    } else if ratio > 0.75 && step > 0.95 * radius {
        (2.0 * radius, ratio)
    } else {
        (radius, ratio)
    }
}

/// Moves what lies on or beyond a bound just inside it: by `share` of the bound, or by the least step.
#[inline(always)]
fn inside(x: &mut [f64], lower: &[f64], upper: &[f64], share: f64) {
    for (x, (&low, &high)) in x.iter_mut().zip(lower.iter().zip(upper)) {
        let (low_reach, high_reach) = (share * low.abs().max(1.0), share * high.abs().max(1.0));
        let (from_low, from_high) = (*x - low, high - *x);
        if from_low <= low_reach.min(from_high) {
            *x = if share == 0.0 { low.next_up() } else { low + low_reach };
        } else if high.is_finite() && from_high <= high_reach.min(from_low) {
            *x = if share == 0.0 { high.next_down() } else { high - high_reach };
        }
        if *x < low || *x > high {
            *x = 0.5 * (low + high);
        }
    }
}

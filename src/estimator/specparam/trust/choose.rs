//! What becomes of a step that leaves the bounds.

use super::Trust;
use crate::lanes::{dot, norm};

impl Trust {
    /// Chooses among the step cut at the bounds, its reflection and steepest descent. Leaves `step` and `step_h`,
    /// returns the reduction that the model predicts.
    #[inline(always)]
    pub(super) fn choose(
        &mut self,
        x: &[f64],
        lower: &[f64],
        upper: &[f64],
        radius: f64,
        stay_inside: f64,
    ) -> f64 {
        self.unscale();
        let fits = x
            .iter()
            .zip(&self.step)
            .zip(lower.iter().zip(upper))
            .all(|((x, p), (low, high))| x + p >= *low && x + p <= *high);
        if fits {
            return -self.model.quadratic(&self.gradient_h, &self.step_h);
        }
        let stride = stride_to_bound(x, &self.step, lower, upper);
        // The reflected direction turns round what hits its bound first.
        let hits =
            |x: f64, p: f64, low: f64, high: f64| p != 0.0 && ((low - x) / p).max((high - x) / p) == stride;
        let bounds = || x.iter().zip(lower.iter().zip(upper));
        for (((r, p_h), p), (&x, (&low, &high))) in
            self.reflected_h.iter_mut().zip(&self.step_h).zip(&self.step).zip(bounds())
        {
            *r = if hits(x, *p, low, high) { -p_h } else { *p_h };
        }
        for (p_h, p) in self.step_h.iter_mut().zip(&mut self.step) {
            *p_h *= stride;
            *p *= stride;
        }
        // `work`: the reflected direction in the variables themselves; `x_new`: the point on the bound.
        for ((w, d), r) in self.work.iter_mut().zip(&self.scale).zip(&self.reflected_h) {
            *w = d * r;
        }
        for ((new, x), p) in self.x_new.iter_mut().zip(x).zip(&self.step) {
            *new = x + p;
        }
        let to_region = stride_to_region(&self.step_h, &self.reflected_h, radius);
        let to_bound = stride_to_bound(&self.x_new, &self.work, lower, upper);
        let far = to_bound.min(to_region);
        let (near, far) = if far > 0.0 {
            (
                (1.0 - stay_inside) * stride / far,
                if far == to_bound { stay_inside * to_bound } else { to_region },
            )
        } else {
            (0.0, -1.0)
        };
        let mut reflected_value = f64::INFINITY;
        if near <= far {
            let a = 0.5 * self.model.product(&self.reflected_h, &self.reflected_h);
            let b = dot(&self.gradient_h, &self.reflected_h)
                + self.model.product(&self.step_h, &self.reflected_h);
            let c = self.model.quadratic(&self.gradient_h, &self.step_h);
            let (t, value) = minimum_on(a, b, near, far, c);
            reflected_value = value;
            for (r, p) in self.reflected_h.iter_mut().zip(&self.step_h) {
                *r = *r * t + p;
            }
        }
        self.step_h.iter_mut().for_each(|p| *p *= stay_inside);
        let cut_value = self.model.quadratic(&self.gradient_h, &self.step_h);
        for ((w, d), g) in self.work.iter_mut().zip(&self.scale).zip(&self.gradient_h) {
            *w = -d * g;
        }
        let to_region = radius / norm(&self.gradient_h);
        let to_bound = stride_to_bound(x, &self.work, lower, upper);
        let far = if to_bound < to_region { stay_inside * to_bound } else { to_region };
        let a = 0.5 * self.model.product(&self.gradient_h, &self.gradient_h);
        let b = -dot(&self.gradient_h, &self.gradient_h);
        let (descent, descent_value) = minimum_on(a, b, 0.0, far, 0.0);
        let best = if cut_value < reflected_value && cut_value < descent_value {
            cut_value
        } else if reflected_value < cut_value && reflected_value < descent_value {
            self.step_h.copy_from_slice(&self.reflected_h);
            reflected_value
        } else {
            for (p, g) in self.step_h.iter_mut().zip(&self.gradient_h) {
                *p = -descent * g;
            }
            descent_value
        };
        self.unscale();
        -best
    }
}

/// Where a t^2 + b t + c is least between the two, and how little.
#[inline(always)]
fn minimum_on(a: f64, b: f64, low: f64, high: f64, c: f64) -> (f64, f64) {
    let value = |t: f64| t * (a * t + b) + c;
    let mut best = (low, value(low));
    if value(high) < best.1 {
        best = (high, value(high));
    }
    let lowest = -0.5 * b / a;
    if a != 0.0 && low < lowest && lowest < high && value(lowest) < best.1 {
        best = (lowest, value(lowest));
    }
    best
}

/// How far along `step` the first bound is.
#[inline(always)]
fn stride_to_bound(x: &[f64], step: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
    let mut least = f64::INFINITY;
    for ((&x, &p), (&low, &high)) in x.iter().zip(step).zip(lower.iter().zip(upper)) {
        if p != 0.0 {
            least = least.min(((low - x) / p).max((high - x) / p));
        }
    }
    least
}

/// How far along `along` from `from` the edge of the trust region is.
#[inline(always)]
fn stride_to_region(from: &[f64], along: &[f64], radius: f64) -> f64 {
    let a = dot(along, along);
    let b = dot(from, along);
    let c = (dot(from, from) - radius * radius).min(0.0);
    if a == 0.0 {
        return 0.0;
    }
    let q = -(b + (b * b - a * c).sqrt().copysign(b));
    if q == 0.0 { 0.0 } else { (q / a).max(c / q) }
}

//! The short way to the end of a valley in which the trust-region method only creeps.

use super::{Problem, TOLERANCE, Trust};
use crate::lanes::norm;

/// Steps of [`Trust::finish`] at most.
const FINISH_STEPS: u32 = 200;

impl Trust {
    /// Levenberg-Marquardt on the parameters that no bound holds, each step cut off at the bounds (Kanzow, Yamashita
    /// and Fukushima 2004, J Comput Appl Math 172:375). From a point in a minimum's valley.
    #[inline(always)]
    pub(super) fn finish(
        &mut self,
        problem: &mut impl Problem,
        x: &mut [f64],
        lower: &[f64],
        upper: &[f64],
        mut cost: f64,
    ) -> bool {
        let mut damping = 1e-3;
        for _ in 0..FINISH_STEPS {
            // `scale` 0 marks what a bound holds: on it, and the gradient pushes further.
            let bounds = lower.iter().zip(upper);
            for (((free, g), &x), (&low, &high)) in
                self.scale.iter_mut().zip(&self.gradient).zip(&*x).zip(bounds)
            {
                let hair = 1e-9 * (1.0 + x.abs());
                let held = (x - low <= hair && *g > 0.0) || (high - x <= hair && *g < 0.0);
                *free = if held { 0.0 } else { 1.0 };
            }
            for ((out, g), free) in self.gradient_h.iter_mut().zip(&self.gradient).zip(&self.scale) {
                *out = g * free;
            }
            for (i, (row, normal)) in self.model.rows_mut().zip(self.normal.rows()).enumerate() {
                let free = self.scale.get(i).copied().unwrap_or(0.0);
                for ((out, b), other) in row.iter_mut().zip(normal).zip(&self.scale) {
                    *out = b * free * other;
                }
                if let (Some(out), Some(b)) = (row.get_mut(i), normal.get(i)) {
                    *out = if free == 0.0 { 1.0 } else { b * (1.0 + damping) + f64::MIN_POSITIVE };
                }
            }
            if !self.cholesky(0.0) {
                damping *= 10.0;
                continue;
            }
            self.solve();
            let tries = self.x_new.iter_mut().zip(&mut self.step).zip(&*x).zip(&self.step_h);
            for ((((new, step), x), p), (&low, &high)) in tries.zip(lower.iter().zip(upper)) {
                *new = (x + p).max(low).min(high);
                *step = *new - x;
            }
            let predicted = -self.normal.quadratic(&self.gradient, &self.step);
            let cost_new = problem.residuals(&self.x_new, &mut self.tried);
            let reduction = cost - cost_new;
            let small_step = norm(&self.step) < TOLERANCE * (TOLERANCE + norm(x));
            if reduction > 0.0 {
                x.copy_from_slice(&self.x_new);
                std::mem::swap(&mut self.residuals, &mut self.tried);
                let gain = reduction / predicted;
                if reduction < TOLERANCE * cost && gain > 0.25 || small_step {
                    return true;
                }
                cost = cost_new;
                problem.derive(x, &self.residuals, &mut self.gradient, &mut self.normal);
                damping = if gain > 0.75 {
                    damping / 5.0
                } else if gain < 0.25 {
                    damping * 3.0
                } else {
                    damping
                };
                damping = damping.max(1e-12);
            } else {
                if small_step || damping > 1e12 {
                    return true;
                }
                damping *= 5.0;
            }
        }
        // Still creeping: what is left to gain is below what the data can tell.
        true
    }
}

//! Factors of the model's matrix, and the step that follows from one.

use super::Trust;
use crate::lanes::{dot, norm};

impl Trust {
    /// Factors model + `alpha` I. `false` where it is not positive definite to working precision.
    #[inline(always)]
    pub(super) fn cholesky(&mut self, alpha: f64) -> bool {
        self.factor.factor(&self.model, alpha)
    }

    /// `step_h` = -(model + alpha I)^-1 gradient by the factor; returns its length.
    #[inline(always)]
    pub(super) fn solve(&mut self) -> f64 {
        for (out, g) in self.step_h.iter_mut().zip(&self.gradient_h) {
            *out = -g;
        }
        self.factor.forward(&mut self.step_h);
        self.factor.backward(&mut self.step_h);
        norm(&self.step_h)
    }

    /// Derivative by alpha of the `length` of the step that was solved for last.
    #[inline(always)]
    pub(super) fn length_slope(&mut self, length: f64) -> f64 {
        self.work.copy_from_slice(&self.step_h);
        self.factor.forward(&mut self.work);
        -dot(&self.work, &self.work) / length
    }
}

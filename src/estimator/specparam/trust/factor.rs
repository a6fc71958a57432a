//! Cholesky factors of the model's matrix, and the step that follows from one.

use super::{Trust, norm};
use crate::specparam::gaussians::dot;

impl Trust {
    /// Factors model + `alpha` I into U^T U. `false` where it is not positive definite to working precision.
    pub(super) fn cholesky(&mut self, alpha: f64) -> bool {
        let n = self.gradient.len();
        self.factor.copy_from_slice(&self.model);
        let mut top: f64 = 0.0;
        for d in self.factor.iter_mut().step_by(n + 1) {
            *d += alpha;
            top = top.max(*d);
        }
        #[expect(clippy::cast_precision_loss, reason = "parameters are few")]
        let tiny = f64::EPSILON * n as f64 * top;
        for k in 0..n {
            // Row by row from the diagonal on: every inner loop runs along a row.
            let (done, below) = self.factor.split_at_mut((k + 1) * n);
            let Some(row) = done.get_mut(k * n + k..) else { return false };
            let pivot = row.first().copied().unwrap_or(0.0);
            if pivot.is_nan() || pivot <= tiny {
                return false;
            }
            let scale = 1.0 / pivot.sqrt();
            row.iter_mut().for_each(|u| *u *= scale);
            for (i, other) in (1..).zip(below.chunks_exact_mut(n)) {
                let (Some(tail), Some(other)) = (row.get(i..), other.get_mut(k + i..)) else { return false };
                let share = tail.first().copied().unwrap_or(0.0);
                if share != 0.0 {
                    other.iter_mut().zip(tail).for_each(|(o, u)| *o -= share * u);
                }
            }
        }
        true
    }

    /// `step_h` = -(model + alpha I)^-1 gradient by the factor; returns its length and the derivative of that
    /// length by alpha.
    pub(super) fn solve(&mut self) -> (f64, f64) {
        let n = self.gradient_h.len();
        for (out, g) in self.step_h.iter_mut().zip(&self.gradient_h) {
            *out = -g;
        }
        forward(&self.factor, n, &mut self.step_h);
        for i in (0..n).rev() {
            let row = self.factor.get(i * n + i..(i + 1) * n).unwrap_or_default();
            let Some((value, known)) = self.step_h.get_mut(i..).and_then(<[f64]>::split_first_mut) else {
                break;
            };
            let (pivot, tail) = row.split_first().unwrap_or((&1.0, &[]));
            *value = (*value - dot(tail, known)) / pivot;
        }
        self.work.copy_from_slice(&self.step_h);
        forward(&self.factor, n, &mut self.work);
        let length = norm(&self.step_h);
        (length, -dot(&self.work, &self.work) / length)
    }
}

/// Solves U^T y = b in place.
#[inline]
fn forward(factor: &[f64], n: usize, b: &mut [f64]) {
    for (i, row) in factor.chunks_exact(n).enumerate() {
        let Some((value, rest)) = b.get_mut(i..).and_then(<[f64]>::split_first_mut) else { return };
        let (pivot, tail) = row.get(i..).and_then(<[f64]>::split_first).unwrap_or((&1.0, &[]));
        *value /= pivot;
        let share = *value;
        rest.iter_mut().zip(tail).for_each(|(b, u)| *b -= share * u);
    }
}

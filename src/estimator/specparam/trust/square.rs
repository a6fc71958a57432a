//! Square matrices in whole registers, their Cholesky factor, and what is solved by it.

use crate::lanes::{Four, LANES, dot};

/// A matrix whose rows are whole registers. What lies beyond its size belongs to the unit matrix, so that everything
/// runs in blocks of four.
#[derive(Debug, Default)]
pub(in crate::specparam) struct Square {
    size: usize,
    /// Registers in a row.
    blocks: usize,
    rows: Vec<Four>,
}

impl Square {
    pub(super) fn with_capacity(size: usize) -> Self {
        let blocks = size.div_ceil(LANES);
        Self { size: 0, blocks: 0, rows: Vec::with_capacity(LANES * blocks * blocks) }
    }

    /// Zero, of another size.
    pub(in crate::specparam) fn resize(&mut self, size: usize) {
        self.size = size;
        self.blocks = size.div_ceil(LANES);
        self.rows.clear();
        self.rows.resize(LANES * self.blocks * self.blocks, [0.0; LANES]);
        let width = self.width();
        for d in size..width {
            self.set(d, d, 1.0);
        }
    }

    /// Numbers in a row: the size, rounded up to whole registers.
    pub(super) fn width(&self) -> usize {
        LANES * self.blocks
    }

    /// Sets an element.
    #[inline(always)]
    pub(in crate::specparam) fn set(&mut self, row: usize, column: usize, value: f64) {
        let width = self.width();
        if let Some(slot) = self.rows.as_flattened_mut().get_mut(row * width + column) {
            *slot = value;
        }
    }

    /// The rows of the matrix itself, each with what pads it.
    #[inline(always)]
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.as_flattened().chunks_exact(self.width().max(1)).take(self.size)
    }

    /// See [`Square::rows`].
    #[inline(always)]
    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f64]> {
        let width = self.width().max(1);
        self.rows.as_flattened_mut().chunks_exact_mut(width).take(self.size)
    }

    /// a^T M b
    #[inline(always)]
    pub(super) fn product(&self, a: &[f64], b: &[f64]) -> f64 {
        self.rows().zip(a).map(|(row, a)| a * dot(row, b)).sum()
    }

    /// The value at `step` of the quadratic that has this matrix.
    #[inline(always)]
    pub(super) fn quadratic(&self, gradient: &[f64], step: &[f64]) -> f64 {
        0.5 * self.product(step, step) + dot(gradient, step)
    }

    /// Becomes the upper triangle U of `from` + `alpha` I = U^T U; `pivots` become 1 over its diagonal. `false` where
    /// that is not positive definite to working precision. What is left below the diagonal means nothing.
    #[inline(always)]
    #[allow(
        clippy::indexing_slicing,
        reason = "lanes of a register, and rows of blocks that were split off whole"
    )]
    pub(super) fn factor(&mut self, from: &Self, alpha: f64, pivots: &mut [f64]) -> bool {
        self.rows.copy_from_slice(&from.rows);
        let (size, blocks, width) = (self.size, self.blocks, self.width());
        let mut top: f64 = 0.0;
        for d in self.rows.as_flattened_mut().iter_mut().step_by(width + 1).take(size) {
            *d += alpha;
            top = top.max(*d);
        }
        #[expect(clippy::cast_precision_loss, reason = "parameters are few")]
        let tiny = f64::EPSILON * size as f64 * top;
        for (block, pivots) in pivots.as_chunks_mut::<LANES>().0.iter_mut().enumerate().take(blocks) {
            let (done, below) = self.rows.split_at_mut((block + 1) * LANES * blocks);
            let own = &mut done[block * LANES * blocks..];
            let (r0, own) = own.split_at_mut(blocks);
            let (r1, own) = own.split_at_mut(blocks);
            let (r2, r3) = own.split_at_mut(blocks);
            let (r0, r1, r2, r3) = (&mut r0[block..], &mut r1[block..], &mut r2[block..], &mut r3[block..]);
            let real = size - block * LANES;
            let ok = pivot(r0, 0, tiny, real, pivots)
                && {
                    take(r1, r0, r0[0][1]);
                    take(r2, r0, r0[0][2]);
                    take(r3, r0, r0[0][3]);
                    pivot(r1, 1, tiny, real, pivots)
                }
                && {
                    take(r2, r1, r1[0][2]);
                    take(r3, r1, r1[0][3]);
                    pivot(r2, 2, tiny, real, pivots)
                }
                && {
                    take(r3, r2, r2[0][3]);
                    pivot(r3, 3, tiny, real, pivots)
                };
            if !ok {
                return false;
            }
            let (t0, t1, t2, t3) = (&r0[1..], &r1[1..], &r2[1..], &r3[1..]);
            for (at, four) in below.chunks_exact_mut(LANES * blocks).enumerate() {
                for (lane, row) in four.chunks_exact_mut(blocks).enumerate() {
                    let shares = [t0[at][lane], t1[at][lane], t2[at][lane], t3[at][lane]];
                    take_four(
                        &mut row[block + 1 + at..],
                        [&t0[at..], &t1[at..], &t2[at..], &t3[at..]],
                        shares,
                    );
                }
            }
        }
        true
    }

    /// Solves U^T y = b in place.
    #[inline(always)]
    #[allow(
        clippy::indexing_slicing,
        reason = "lanes of a register, and rows of blocks that were split off whole"
    )]
    pub(super) fn forward(&self, pivots: &[f64], b: &mut [f64]) {
        let (pivots, b) = (pivots.as_chunks::<LANES>().0, b.as_chunks_mut::<LANES>().0);
        let blocks = self.blocks;
        for (block, (own, pivots)) in self.rows.chunks_exact(LANES * blocks.max(1)).zip(pivots).enumerate() {
            let rows: [&[Four]; LANES] =
                std::array::from_fn(|lane| &own[lane * blocks + block..(lane + 1) * blocks]);
            let [head, rest @ ..] = &mut b[block..] else { return };
            for lane in 0..LANES {
                head[lane] *= pivots[lane];
                for later in lane + 1..LANES {
                    head[later] -= rows[lane][0][later] * head[lane];
                }
            }
            take_four(rest, rows.map(|row| &row[1..]), *head);
        }
    }

    /// Solves U x = y in place.
    #[inline(always)]
    #[allow(
        clippy::indexing_slicing,
        reason = "lanes of a register, and rows of blocks that were split off whole"
    )]
    pub(super) fn backward(&self, pivots: &[f64], y: &mut [f64]) {
        let (pivots, y) = (pivots.as_chunks::<LANES>().0, y.as_chunks_mut::<LANES>().0);
        let blocks = self.blocks;
        for block in (0..blocks).rev() {
            let own = &self.rows[block * LANES * blocks..(block + 1) * LANES * blocks];
            let [head, rest @ ..] = &mut y[block..] else { return };
            for lane in (0..LANES).rev() {
                let row = &own[lane * blocks + block..(lane + 1) * blocks];
                let mut value = head[lane] - dot(row[1..].as_flattened(), rest.as_flattened());
                for later in lane + 1..LANES {
                    value -= row[0][later] * head[later];
                }
                head[lane] = value * pivots[block][lane];
            }
        }
    }
}

/// Divides the row that begins with its diagonal's register by the root of its pivot. `real`: rows from this block on
/// that are the matrix's own.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "a lane is below 4")]
fn pivot(row: &mut [Four], lane: usize, tiny: f64, real: usize, pivots: &mut Four) -> bool {
    let Some(pivot) = row.first().map(|register| register[lane]) else { return false };
    if lane < real && (pivot.is_nan() || pivot <= tiny) {
        return false;
    }
    let scale = 1.0 / pivot.sqrt();
    pivots[lane] = scale;
    row.iter_mut().flatten().for_each(|u| *u *= scale);
    true
}

/// row -= share * other
#[inline(always)]
fn take(row: &mut [Four], other: &[Four], share: f64) {
    for (row, other) in row.iter_mut().zip(other) {
        for (value, other) in row.iter_mut().zip(other) {
            *value -= share * other;
        }
    }
}

/// The same of four rows, one after another.
#[inline(always)]
fn take_four(row: &mut [Four], others: [&[Four]; LANES], shares: Four) {
    let ([a, b, c, d], [sa, sb, sc, sd]) = (others, shares);
    for ((((row, a), b), c), d) in row.iter_mut().zip(a).zip(b).zip(c).zip(d) {
        for ((((value, a), b), c), d) in row.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *value = *value - sa * a - sb * b - sc * c - sd * d;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    /// Of every size around whole registers: what is solved solves.
    #[test]
    fn what_is_solved_solves() {
        for n in 1..14 {
            let element = |i: usize, j: usize| {
                1.0 / (1.0 + i.abs_diff(j) as f64) + if i == j { 1.0 + 0.1 * i as f64 } else { 0.0 }
            };
            let mut matrix = Square::default();
            matrix.resize(n);
            for i in 0..n {
                for j in 0..n {
                    matrix.set(i, j, element(i, j));
                }
            }
            let mut factor = Square::default();
            factor.resize(n);
            let mut pivots = vec![0.0; matrix.width()];
            assert!(factor.factor(&matrix, 0.5, &mut pivots));
            let right: Vec<f64> =
                (0..matrix.width()).map(|i| if i < n { 1.0 + i as f64 } else { 0.0 }).collect();
            let mut x = right.clone();
            factor.forward(&pivots, &mut x);
            factor.backward(&pivots, &mut x);
            for i in 0..n {
                let sum: f64 = (0..n).map(|j| (element(i, j) + if i == j { 0.5 } else { 0.0 }) * x[j]).sum();
                assert!((sum - right[i]).abs() < 1e-12, "{n}: {sum} {}", right[i]);
            }
            assert!(!factor.factor(&matrix, -9.0, &mut pivots), "{n}: not positive definite");
        }
    }
}

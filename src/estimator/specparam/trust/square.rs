//! Square matrices in whole registers.

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

    /// Sets three rows by three columns from an element on, and their mirror image.
    #[inline(always)]
    pub(in crate::specparam) fn set_block(&mut self, row: usize, column: usize, block: [[f64; 3]; 3]) {
        let width = self.width();
        let numbers = self.rows.as_flattened_mut();
        for (a, line) in block.iter().enumerate() {
            let at = (row + a) * width + column;
            if let Some(slots) = numbers.get_mut(at..at + 3) {
                slots.copy_from_slice(line);
            }
        }
        let [[a0, a1, a2], [b0, b1, b2], [c0, c1, c2]] = block;
        for (b, line) in [[a0, b0, c0], [a1, b1, c1], [a2, b2, c2]].iter().enumerate() {
            let at = (column + b) * width + row;
            if let Some(slots) = numbers.get_mut(at..at + 3) {
                slots.copy_from_slice(line);
            }
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

    /// Its rows four by four, each a row's registers one after another.
    #[inline(always)]
    pub(super) fn fours(&self) -> impl Iterator<Item = &[Four]> {
        self.rows.chunks_exact(LANES * self.blocks.max(1))
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }
}

//! The Cholesky factor of a small matrix in tiles of four by four, and what is solved by it.
//!
//! A dozen to three dozen parameters are three to nine tiles a side: a loop over the elements of a row would cost more
//! for its bookkeeping than for its arithmetic, so the loops run over tiles, and within one everything is written out.

use super::Square;
use crate::lanes::{Four, LANES, across, all, minus, plus, times};

/// Four rows of four numbers.
type Tile = [Four; LANES];

/// Upper triangle U with `matrix` + alpha I = U^T U.
#[derive(Debug, Default)]
pub(super) struct Factor {
    /// Tiles a side.
    blocks: usize,
    /// The tiles on and right of the diagonal, row by row.
    tiles: Vec<Tile>,
    /// 1 over the diagonal.
    pivots: Vec<Four>,
}

impl Factor {
    pub(super) fn with_capacity(size: usize) -> Self {
        let blocks = size.div_ceil(LANES);
        let tiles = blocks * (blocks + 1) / 2;
        Self { blocks: 0, tiles: Vec::with_capacity(tiles), pivots: Vec::with_capacity(blocks) }
    }

    /// For matrices of another size.
    pub(super) fn resize(&mut self, size: usize) {
        self.blocks = size.div_ceil(LANES);
        self.tiles.clear();
        self.tiles.resize(self.blocks * (self.blocks + 1) / 2, [[0.0; LANES]; LANES]);
        self.pivots.clear();
        self.pivots.resize(self.blocks, [1.0; LANES]);
    }

    /// Factors `from` + `alpha` I. `false` where that is not positive definite to working precision.
    #[inline(always)]
    pub(super) fn factor(&mut self, from: &Square, alpha: f64) -> bool {
        let size = from.size();
        let top = self.load(from, alpha);
        #[expect(clippy::cast_precision_loss, reason = "parameters are few")]
        let tiny = f64::EPSILON * size as f64 * top;
        let mut rest = self.tiles.as_mut_slice();
        for (block, pivots) in self.pivots.iter_mut().enumerate() {
            let Some((row, below)) = rest.split_at_mut_checked(self.blocks - block) else { return false };
            let Some((diagonal, right)) = row.split_first_mut() else { return false };
            let real = size.saturating_sub(block * LANES);
            if !diagonal_tile(diagonal, tiny, real, pivots) {
                return false;
            }
            for tile in right.iter_mut() {
                take_diagonal(tile, diagonal, pivots);
            }
            let mut targets = &mut *below;
            let mut right = &*right;
            while let [first, others @ ..] = right {
                let Some((own, next)) = targets.split_first_mut() else { return false };
                take_product(own, first, first);
                let Some((row, next)) = next.split_at_mut_checked(others.len()) else { return false };
                for (own, other) in row.iter_mut().zip(others) {
                    take_product(own, first, other);
                }
                (targets, right) = (next, others);
            }
            rest = below;
        }
        true
    }

    /// Copies the upper tiles and adds to the diagonal; returns its largest element.
    #[inline(always)]
    fn load(&mut self, from: &Square, alpha: f64) -> f64 {
        let mut top: f64 = 0.0;
        let mut rest = self.tiles.as_mut_slice();
        for (block, four) in from.fours().enumerate() {
            let Some((row, below)) = rest.split_at_mut_checked(self.blocks - block) else { break };
            let ((r0, four), blocks) = (four.split_at_checked(self.blocks).unwrap_or_default(), self.blocks);
            let (r1, four) = four.split_at_checked(blocks).unwrap_or_default();
            let (r2, r3) = four.split_at_checked(blocks).unwrap_or_default();
            let columns = r0.iter().zip(r1).zip(r2.iter().zip(r3)).skip(block);
            for (tile, ((a, b), (c, d))) in row.iter_mut().zip(columns) {
                *tile = [*a, *b, *c, *d];
            }
            if let Some([[a, ..], [_, b, ..], [_, _, c, _], [.., d]]) = row.first_mut() {
                for slot in [a, b, c, d].into_iter().take(from.size() - block * LANES) {
                    *slot += alpha;
                    top = top.max(*slot);
                }
            }
            rest = below;
        }
        top
    }

    /// Solves U^T y = b in place. `b` is as wide as the tiles.
    #[inline(always)]
    pub(super) fn forward(&self, b: &mut [f64]) {
        let mut rest = b.as_chunks_mut::<LANES>().0;
        let mut tiles = self.tiles.as_slice();
        for pivots in &self.pivots {
            let (Some((head, behind)), Some((diagonal, right))) =
                (rest.split_first_mut(), tiles.split_first())
            else {
                return;
            };
            let ([u0, u1, u2, _], [p0, p1, p2, p3]) = (*diagonal, *pivots);
            let [h0, h1, h2, h3] = *head;
            let y0 = h0 * p0;
            let y1 = (h1 - u0[1] * y0) * p1;
            let y2 = (h2 - u0[2] * y0 - u1[2] * y1) * p2;
            let y3 = (h3 - u0[3] * y0 - u1[3] * y1 - u2[3] * y2) * p3;
            *head = [y0, y1, y2, y3];
            for (later, [t0, t1, t2, t3]) in behind.iter_mut().zip(right) {
                let first = minus(minus(*later, times(all(y0), *t0)), times(all(y1), *t1));
                *later = minus(minus(first, times(all(y2), *t2)), times(all(y3), *t3));
            }
            (tiles, rest) = (right.get(behind.len()..).unwrap_or_default(), behind);
        }
    }

    /// Solves U x = y in place. `y` is as wide as the tiles.
    #[inline(always)]
    pub(super) fn backward(&self, y: &mut [f64]) {
        let y = y.as_chunks_mut::<LANES>().0;
        let mut tiles = self.tiles.as_slice();
        for block in (0..self.blocks).rev() {
            let Some((above, row)) = tiles.split_at_checked(tiles.len() - (self.blocks - block)) else {
                return;
            };
            let (Some((diagonal, right)), Some((head, known))) =
                (row.split_first(), y.get_mut(block..).and_then(<[Four]>::split_first_mut))
            else {
                return;
            };
            let mut sums = [[0.0; LANES]; LANES];
            for (x, [t0, t1, t2, t3]) in known.iter().zip(right) {
                let [s0, s1, s2, s3] = sums;
                sums = [
                    plus(s0, times(*t0, *x)),
                    plus(s1, times(*t1, *x)),
                    plus(s2, times(*t2, *x)),
                    plus(s3, times(*t3, *x)),
                ];
            }
            let [s0, s1, s2, s3] = sums;
            let [h0, h1, h2, h3] = *head;
            let Some([p0, p1, p2, p3]) = self.pivots.get(block) else { return };
            let [u0, u1, u2, _] = *diagonal;
            let x3 = (h3 - across(s3)) * p3;
            let x2 = (h2 - across(s2) - u2[3] * x3) * p2;
            let x1 = (h1 - across(s1) - u1[2] * x2 - u1[3] * x3) * p1;
            let x0 = (h0 - across(s0) - u0[1] * x1 - u0[2] * x2 - u0[3] * x3) * p0;
            *head = [x0, x1, x2, x3];
            tiles = above;
        }
    }
}

/// Factors the tile on the diagonal in place. `real`: rows from this tile on that are the matrix's own.
#[inline(always)]
fn diagonal_tile(tile: &mut Tile, tiny: f64, real: usize, pivots: &mut Four) -> bool {
    let [mut r0, mut r1, mut r2, mut r3] = *tile;
    // What pads the matrix is the unit matrix: nothing to divide by.
    let scale = |pivot: f64, lane: usize| if lane < real { 1.0 / pivot.sqrt() } else { 1.0 };
    let p0 = scale(r0[0], 0);
    let mut good = r0[0] > tiny;
    r0 = times(r0, all(p0));
    r1 = minus(r1, times(all(r0[1]), r0));
    let p1 = scale(r1[1], 1);
    good &= r1[1] > tiny || real < 2;
    r1 = times(r1, all(p1));
    r2 = minus(minus(r2, times(all(r0[2]), r0)), times(all(r1[2]), r1));
    let p2 = scale(r2[2], 2);
    good &= r2[2] > tiny || real < 3;
    r2 = times(r2, all(p2));
    r3 = minus(minus(r3, times(all(r0[3]), r0)), times(all(r1[3]), r1));
    r3 = minus(r3, times(all(r2[3]), r2));
    let p3 = scale(r3[3], 3);
    good &= r3[3] > tiny || real < 4;
    r3 = times(r3, all(p3));
    (*tile, *pivots) = ([r0, r1, r2, r3], [p0, p1, p2, p3]);
    good
}

/// A tile right of the diagonal one: solves with its rows.
#[inline(always)]
fn take_diagonal(tile: &mut Tile, diagonal: &Tile, pivots: &Four) {
    let ([u0, u1, u2, _], [p0, p1, p2, p3]) = (*diagonal, *pivots);
    let [r0, r1, r2, r3] = *tile;
    let r0 = times(r0, all(p0));
    let r1 = times(minus(r1, times(all(u0[1]), r0)), all(p1));
    let r2 = minus(minus(r2, times(all(u0[2]), r0)), times(all(u1[2]), r1));
    let r2 = times(r2, all(p2));
    let r3 = minus(minus(r3, times(all(u0[3]), r0)), times(all(u1[3]), r1));
    let r3 = times(minus(r3, times(all(u2[3]), r2)), all(p3));
    *tile = [r0, r1, r2, r3];
}

/// own -= left^T right
#[inline(always)]
fn take_product(own: &mut Tile, left: &Tile, right: &Tile) {
    let ([l0, l1, l2, l3], [r0, r1, r2, r3]) = (*left, *right);
    for (lane, row) in own.iter_mut().enumerate() {
        let pick = |of: Four| of.get(lane).copied().unwrap_or(0.0);
        let first = minus(minus(*row, times(all(pick(l0)), r0)), times(all(pick(l1)), r1));
        *row = minus(minus(first, times(all(pick(l2)), r2)), times(all(pick(l3)), r3));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    /// Of every size around whole registers: what is solved solves.
    #[test]
    fn what_is_solved_solves() {
        for n in 1..40 {
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
            let mut factor = Factor::with_capacity(n);
            factor.resize(n);
            assert!(factor.factor(&matrix, 0.5));
            let right: Vec<f64> =
                (0..matrix.width()).map(|i| if i < n { 1.0 + i as f64 } else { 0.0 }).collect();
            let mut x = right.clone();
            factor.forward(&mut x);
            factor.backward(&mut x);
            for (i, right) in right.iter().enumerate().take(n) {
                let sum: f64 = (0..n).map(|j| (element(i, j) + if i == j { 0.5 } else { 0.0 }) * x[j]).sum();
                assert!((sum - right).abs() < 1e-12, "{n}: {sum} {right}");
            }
            assert!(!factor.factor(&matrix, -9.0), "{n}: not positive definite");
        }
    }
}

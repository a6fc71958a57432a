//! What the normal equations are made of, block by block: of the samples, for the path; and of what was left after
//! its removal, for the proof.
//!
//! A block costs the same whatever the window: sums over the window take the new block in and the oldest out, and are
//! made anew each time round, so that rounding does not pile up; the two memories of the path fade exponentially.

use super::algebra::{add_outer, dot, packed_len};
use super::settings::Counts;

/// Sums over some stretch: of the regressors, of the regressors with each channel, of each channel's square.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// Packed lower triangle.
    pub(super) gram: Vec<f64>,
    /// [channel][column]
    pub(super) cross: Vec<f64>,
    /// [channel]
    pub(super) squares: Vec<f64>,
    /// Samples, faded as the rest is.
    pub(super) samples: f64,
}

impl Sums {
    pub(super) fn new(counts: &Counts) -> Self {
        let columns = counts.columns();
        Self {
            gram: vec![0.0; packed_len(columns)],
            cross: vec![0.0; counts.channels * columns],
            squares: vec![0.0; counts.channels],
            samples: 0.0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.fade(0.0);
    }

    pub(super) fn fade(&mut self, keep: f64) {
        let all = self.gram.iter_mut().chain(&mut self.cross).chain(&mut self.squares);
        all.for_each(|x| *x *= keep);
        self.samples *= keep;
    }

    /// Becomes `other`, in the room that is there: a derived `clone_from` would make a new one and free the old.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.gram.copy_from_slice(&other.gram);
        self.cross.copy_from_slice(&other.cross);
        self.squares.copy_from_slice(&other.squares);
        self.samples = other.samples;
    }

    /// Adds `sign` times `other`.
    pub(super) fn add(&mut self, other: &Self, sign: f64) {
        let pairs = [
            (&mut self.gram, &other.gram),
            (&mut self.cross, &other.cross),
            (&mut self.squares, &other.squares),
        ];
        for (sum, more) in pairs {
            sum.iter_mut().zip(more).for_each(|(sum, x)| *sum += sign * x);
        }
        self.samples += sign * other.samples;
    }

    /// Takes one sample: a row of columns and each channel's value.
    pub(super) fn take(&mut self, row: &[f64], values: &[f64]) {
        add_outer(&mut self.gram, row);
        for ((cross, square), &y) in self.cross.chunks_exact_mut(row.len()).zip(&mut self.squares).zip(values)
        {
            *square += y * y;
            cross.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * y);
        }
        self.samples += 1.0;
    }

    /// What the sums of the samples become when `path` (its columns come first) is taken out of channel `channel`.
    pub(super) fn remove(&mut self, channel: usize, path: &[f64], scratch: &mut [f64]) {
        let columns = scratch.len();
        // gram * path
        scratch.fill(0.0);
        for (i, out) in scratch.iter_mut().enumerate() {
            let row = self.gram.get(packed_len(i)..packed_len(i + 1)).unwrap_or_default();
            *out = dot(row, path);
        }
        for (j, &c) in path.iter().enumerate() {
            let row = self.gram.get(packed_len(j)..packed_len(j) + j).unwrap_or_default();
            scratch.iter_mut().zip(row).for_each(|(out, g)| *out += g * c);
        }
        let cross = self.cross.get_mut(channel * columns..(channel + 1) * columns).unwrap_or_default();
        let mut square = 0.0;
        for (i, c) in path.iter().enumerate() {
            let (r, g) = (cross.get(i).copied().unwrap_or(0.0), scratch.get(i).copied().unwrap_or(0.0));
            square += c * (g - 2.0 * r);
        }
        cross.iter_mut().zip(&*scratch).for_each(|(r, g)| *r -= g);
        if let Some(sum) = self.squares.get_mut(channel) {
            *sum = (*sum + square).max(0.0);
        }
    }
}

/// The sums of the last blocks.
#[derive(Debug)]
pub(super) struct Window {
    blocks: Vec<Sums>,
    at: usize,
    sum: Sums,
    fresh: Sums,
}

impl Window {
    pub(super) fn new(counts: &Counts) -> Self {
        let blocks = vec![Sums::new(counts); counts.blocks];
        Self { blocks, at: 0, sum: Sums::new(counts), fresh: Sums::new(counts) }
    }

    pub(super) fn clear(&mut self) {
        for sums in self.blocks.iter_mut().chain([&mut self.sum, &mut self.fresh]) {
            sums.clear();
        }
        self.at = 0;
    }

    /// Takes a block in and the oldest out.
    pub(super) fn push(&mut self, block: &Sums) {
        let last = self.blocks.len() - 1;
        if let Some(slot) = self.blocks.get_mut(self.at) {
            self.sum.add(slot, -1.0);
            slot.copy_from(block);
        }
        self.sum.add(block, 1.0);
        if self.at == 0 {
            self.fresh.clear();
        }
        self.fresh.add(block, 1.0);
        if self.at == last {
            self.sum.copy_from(&self.fresh);
        }
        self.at = if self.at == last { 0 } else { self.at + 1 };
    }

    pub(super) fn sums(&self) -> &Sums {
        &self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::through_current::settings::Settings;

    fn counts() -> Counts {
        Counts::new(&Settings::new(2, 250.0, 35.0, 2000.0, 1.0, 0.25)).unwrap_or_else(|e| unreachable!("{e}"))
    }

    #[test]
    fn taking_a_path_out_is_taking_it_out_of_the_samples() {
        let counts = counts();
        let columns = counts.columns();
        let value = |n: usize, k: usize| ((n * 7 + k * 13) as f64 * 0.37).sin();
        let path: Vec<f64> = (0..counts.path()).map(|k| (k as f64 * 0.9).cos()).collect();
        let (mut sums, mut cleaned) = (Sums::new(&counts), Sums::new(&counts));
        for n in 0..500 {
            let row: Vec<f64> = (0..columns).map(|k| value(n, k)).collect();
            let y = [value(n, 100), value(n, 200)];
            sums.take(&row, &y);
            let artefact: f64 = row.iter().zip(&path).map(|(x, c)| x * c).sum();
            cleaned.take(&row, &[y[0] - artefact, y[1]]);
        }
        sums.remove(0, &path, &mut vec![0.0; columns]);
        for (a, b) in sums.cross.iter().zip(&cleaned.cross) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
        assert!((sums.squares[0] - cleaned.squares[0]).abs() < 1e-9);
    }

    #[test]
    fn a_window_is_the_sum_of_its_blocks() {
        let counts = counts();
        let mut window = Window::new(&counts);
        let mut block = Sums::new(&counts);
        for n in 0..103 {
            block.clear();
            block.take(&vec![f64::from(n); counts.columns()], &[f64::from(n), 1.0]);
            window.push(&block);
        }
        let exact: f64 = (103 - counts.blocks as i32..103).map(|n| f64::from(n * n)).sum();
        assert!((window.sums().squares[0] - exact).abs() < 1e-9);
        assert_eq!(window.sums().samples, counts.blocks as f64);
    }
}

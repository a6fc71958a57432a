//! The segments of the window, for each channel: a ring of periodograms and their running sum.
//!
//! Segments of one phase follow each other by the segment step. Where hops are shorter than that step there are
//! several phases, each with its own ring and sum. A new segment is added to its phase's sum and the one that
//! leaves is taken away, so a hop costs the same for any window. Rounding does not pile up: a second sum, begun
//! anew each time round the ring, replaces the first when it is complete; and where what leaves dwarfs what stays,
//! the sum is made anew at once.

use super::{Average, shape};

/// What leaves is taken away only where it is less than this many times what stays: costs 4 of 16 digits.
const DWARFS: f64 = 1e4;

/// Periodograms of one window.
#[derive(Debug)]
pub struct Pool {
    bins: usize,
    channels: usize,
    phases: usize,
    /// Segments of a phase in a window.
    depth: usize,
    average: Average,
    /// [channel][phase][place in the ring][bin]
    slots: Vec<f64>,
    /// [channel][phase][place]: whether the slot counts.
    good: Vec<bool>,
    /// [channel][phase][bin]: running sum, and the one begun at the ring's start.
    sums: Vec<f64>,
    fresh: Vec<f64>,
    counts: Vec<usize>,
    gather: Vec<f64>,
}

/// Where a segment belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Phase.
    pub phase: usize,
    /// Counts the segments of the phase since the last clear.
    pub turn: u64,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(channels: usize, phases: usize, depth: usize, bins: usize, average: Average) -> Self {
        let rings = channels * phases;
        Self {
            bins,
            channels,
            phases,
            depth,
            average,
            slots: vec![0.0; rings * depth * bins],
            good: vec![false; rings * depth],
            sums: vec![0.0; rings * bins],
            fresh: vec![0.0; rings * bins],
            counts: vec![0; rings],
            gather: Vec::with_capacity(depth),
        }
    }

    /// Forgets all segments.
    pub fn clear(&mut self) {
        self.good.fill(false);
        self.sums.fill(0.0);
        self.fresh.fill(0.0);
        self.counts.fill(0);
    }

    /// Segments of a phase in a window.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Puts a segment of `channel` in its place and takes out the one that was there. `fill` writes the periodogram
    /// and says whether it counts; it is not called where `usable` is false.
    pub fn put(&mut self, channel: usize, place: Place, usable: bool, fill: impl FnOnce(&mut [f64]) -> bool) {
        if channel >= self.channels || place.phase >= self.phases {
            return;
        }
        let ring = channel * self.phases + place.phase;
        #[expect(clippy::cast_possible_truncation, reason = "below the depth")]
        let at = (place.turn % self.depth as u64) as usize;
        let bins = self.bins;
        let slot_index = ring * self.depth + at;
        let (Some(slot), Some(good)) =
            (self.slots.get_mut(slot_index * bins..(slot_index + 1) * bins), self.good.get_mut(slot_index))
        else {
            return;
        };
        let span = ring * bins..(ring + 1) * bins;
        let (Some(sum), Some(fresh), Some(count)) =
            (self.sums.get_mut(span.clone()), self.fresh.get_mut(span), self.counts.get_mut(ring))
        else {
            return;
        };
        if at == 0 {
            fresh.fill(0.0);
        }
        let mut cancelled = false;
        if *good {
            *count -= 1;
            for (sum, old) in sum.iter_mut().zip(&*slot) {
                *sum -= old;
                cancelled |= *old > DWARFS * *sum;
            }
        }
        *good = usable && fill(slot);
        if *good {
            *count += 1;
            for ((sum, fresh), new) in sum.iter_mut().zip(&mut *fresh).zip(&*slot) {
                *sum += new;
                *fresh += new;
            }
        }
        if at + 1 == self.depth {
            sum.copy_from_slice(fresh);
        } else if cancelled {
            sum.fill(0.0);
            for index in ring * self.depth..(ring + 1) * self.depth {
                if self.good.get(index).copied().unwrap_or(false) {
                    let slot = self.slots.get(index * bins..(index + 1) * bins).unwrap_or_default();
                    sum.iter_mut().zip(slot).for_each(|(sum, p)| *sum += p);
                }
            }
        }
    }

    /// Segments that count now.
    #[must_use]
    pub fn count(&self, channel: usize, phase: usize) -> usize {
        self.counts.get(channel * self.phases + phase).copied().unwrap_or(0)
    }

    /// Which segments count, the oldest first, where `place` is the newest.
    pub fn used(&self, channel: usize, place: Place) -> impl Iterator<Item = bool> + Clone + '_ {
        let ring = channel * self.phases + place.phase;
        let good = self.good.get(ring * self.depth..(ring + 1) * self.depth).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "below the depth")]
        let next = ((place.turn + 1) % self.depth as u64) as usize;
        let (newer, older) = good.split_at_checked(next).unwrap_or_default();
        older.iter().chain(newer).copied()
    }

    /// Adds the mean (or median) of `channel`'s segments to `out`.
    pub fn add_average(&mut self, channel: usize, phase: usize, out: &mut [f64]) {
        let ring = channel * self.phases + phase;
        let count = self.count(channel, phase);
        if count == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "segments are few")]
        let share = 1.0 / count as f64;
        match self.average {
            Average::Mean => {
                let sum = self.sums.get(ring * self.bins..(ring + 1) * self.bins).unwrap_or_default();
                out.iter_mut().zip(sum).for_each(|(out, sum)| *out += sum * share);
            }
            Average::Median => {
                let correction = 1.0 / shape::median_bias(count);
                for (bin, out) in out.iter_mut().enumerate().take(self.bins) {
                    self.gather.clear();
                    for place in 0..self.depth {
                        let index = ring * self.depth + place;
                        if self.good.get(index).copied().unwrap_or(false) {
                            self.gather.extend(self.slots.get(index * self.bins + bin));
                        }
                    }
                    *out += crate::artefact::median(&mut self.gather) * correction;
                }
            }
        }
    }

    /// What the average leaves of the shape of a mean.
    #[must_use]
    pub fn efficiency(&self, count: usize) -> f64 {
        match self.average {
            Average::Mean => 1.0,
            Average::Median => shape::median_efficiency(count),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    fn put(pool: &mut Pool, turn: u64, value: f64, usable: bool) {
        pool.put(0, Place { phase: 0, turn }, usable, |slot| {
            slot.fill(value);
            true
        });
    }

    fn average(pool: &mut Pool) -> f64 {
        let mut out = [0.0; 3];
        pool.add_average(0, 0, &mut out);
        out[1]
    }

    #[test]
    fn the_mean_is_of_the_last_depth_good_ones() {
        let mut pool = Pool::new(1, 1, 4, 3, Average::Mean);
        for turn in 0..9 {
            put(&mut pool, turn, turn as f64, turn != 6);
        }
        // 5, 7, 8 are left: 6 is spoilt.
        assert_eq!(pool.count(0, 0), 3);
        assert!((average(&mut pool) - 20.0 / 3.0).abs() < 1e-12);
        let used: Vec<bool> = pool.used(0, Place { phase: 0, turn: 8 }).collect();
        assert_eq!(used, [true, false, true, true]);
    }

    #[test]
    fn a_giant_leaves_no_trace_once_it_is_gone() {
        let mut pool = Pool::new(1, 1, 4, 3, Average::Mean);
        for turn in 0..3 {
            put(&mut pool, turn, 1.0, true);
        }
        put(&mut pool, 3, 1e20, true);
        for turn in 4..8 {
            put(&mut pool, turn, 1.1, true);
        }
        assert!((average(&mut pool) - 1.1).abs() < 1e-12);
    }

    #[test]
    fn a_million_turns_do_not_drift() {
        let mut pool = Pool::new(1, 1, 7, 3, Average::Mean);
        let value = |turn: u64| 1.0 + 0.1 * (turn as f64).sin();
        for turn in 0..1_000_000 {
            put(&mut pool, turn, value(turn), true);
        }
        let exact = (999_993..1_000_000).map(value).sum::<f64>() / 7.0;
        assert!((average(&mut pool) - exact).abs() < 1e-14);
    }

    #[test]
    fn the_median_ignores_one_giant() {
        let mut pool = Pool::new(1, 1, 5, 3, Average::Median);
        for (turn, value) in [1.0, 2.0, 1e9, 3.0, 2.5].into_iter().enumerate() {
            put(&mut pool, turn as u64, value, true);
        }
        assert!((average(&mut pool) * shape::median_bias(5) - 2.5).abs() < 1e-12);
    }
}

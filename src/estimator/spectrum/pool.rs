//! The segments of the window, for each channel: a ring of periodograms and their sum.
//!
//! Segments of one phase follow each other by the segment step. Where hops are shorter than that step there are
//! several phases, each with its own ring. Nothing is ever taken away from a sum, so what has left the window leaves no
//! trace, not in the last digit: a segment of current is a million times a segment of rest. The window is what came
//! since the ring's start, which one sum follows, and the end of the round before: when that round was complete, each of
//! its slots was given the sum of all from it to the ring's end. A hop costs two sums for any window.

use super::{Average, shape};

/// Periodograms of one window.
#[derive(Debug)]
pub struct Pool {
    bins: usize,
    channels: usize,
    phases: usize,
    /// Segments of a phase in a window.
    depth: usize,
    average: Average,
    /// [channel][phase][place in the ring][bin]: periodograms. For means, those behind the newest are sums to the end.
    slots: Vec<f64>,
    /// [channel][phase][place]: whether the slot counts.
    good: Vec<bool>,
    /// [channel][phase][bin]: sum of what came since the ring's start.
    fresh: Vec<f64>,
    /// [channel][phase]: where the sum is that goes with it, if there is one.
    rest: Vec<Option<usize>>,
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
            fresh: vec![0.0; rings * bins],
            rest: vec![None; rings],
            counts: vec![0; rings],
            gather: Vec::with_capacity(depth),
        }
    }

    /// Forgets all segments.
    pub fn clear(&mut self) {
        self.good.fill(false);
        self.fresh.fill(0.0);
        self.rest.fill(None);
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
        let (Some(slots), Some(goods)) = (
            self.slots.get_mut(ring * self.depth * bins..(ring + 1) * self.depth * bins),
            self.good.get_mut(ring * self.depth..(ring + 1) * self.depth),
        ) else {
            return;
        };
        let (Some(fresh), Some(rest), Some(count)) = (
            self.fresh.get_mut(ring * bins..(ring + 1) * bins),
            self.rest.get_mut(ring),
            self.counts.get_mut(ring),
        ) else {
            return;
        };
        let whole = at == 0 && self.average == Average::Mean;
        if whole {
            sum_to_the_end(slots, goods, bins);
        }
        if at == 0 {
            fresh.fill(0.0);
        }
        let (Some(slot), Some(good)) = (slots.get_mut(at * bins..(at + 1) * bins), goods.get_mut(at)) else {
            return;
        };
        *count -= usize::from(*good);
        *good = usable && fill(slot);
        *count += usize::from(*good);
        if *good {
            fresh.iter_mut().zip(&*slot).for_each(|(sum, power)| *sum += power);
        }
        let next = (at + 1 < self.depth).then_some(at + 1);
        *rest = if whole || rest.is_some() { next } else { None };
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
                let fresh = self.fresh.get(ring * self.bins..(ring + 1) * self.bins).unwrap_or_default();
                let rest = self.rest.get(ring).copied().flatten().and_then(|place| {
                    let slot = ring * self.depth + place;
                    self.slots.get(slot * self.bins..(slot + 1) * self.bins)
                });
                match rest {
                    Some(rest) => {
                        out.iter_mut()
                            .zip(fresh.iter().zip(rest))
                            .for_each(|(out, (a, b))| *out += (a + b) * share);
                    }
                    None => out.iter_mut().zip(fresh).for_each(|(out, sum)| *out += sum * share),
                }
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

/// Gives each periodogram of a ring the sum of it and of all behind it that count.
fn sum_to_the_end(slots: &mut [f64], goods: &[bool], bins: usize) {
    let mut later: Option<&mut [f64]> = None;
    for (slot, good) in slots.chunks_exact_mut(bins.max(1)).zip(goods).rev() {
        if !good {
            slot.fill(0.0);
        }
        if let Some(later) = &later {
            slot.iter_mut().zip(later.iter()).for_each(|(sum, power)| *sum += power);
        }
        later = Some(slot);
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
        let means = |giant: f64| {
            let mut pool = Pool::new(1, 1, 4, 3, Average::Mean);
            let mut value = |turn: u64| {
                put(&mut pool, turn, if turn == 3 { giant } else { 1.1 + 0.1 * turn as f64 }, true);
                average(&mut pool)
            };
            (0..12).map(&mut value).skip(7).collect::<Vec<f64>>()
        };
        assert_eq!(means(1e20), means(1.0));
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

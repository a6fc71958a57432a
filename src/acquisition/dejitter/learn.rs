//! The sampling period of a stream out of its first stamps, whatever its nominal rate, its bursts and its gaps.
//!
//! Of each burst the last sample is the one that waited least; these are kept, at most [`MOST`] of them, evenly. The
//! period is the median slope over an eighth of them (a gap spoils only the pairs that span it), then that of the
//! pieces between the gaps, by least squares.

/// Points that are kept; where more come, every second one goes.
const MOST: usize = 512;
/// Fewer say nothing.
const FEWEST: usize = 8;

/// What the first stamps of a stream show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Learnt {
    /// From one sample to the next.
    pub period_s: f64,
    /// Of the last points: where the line is at the sample with count `at`.
    pub at: u64,
    /// See `at`.
    pub stamp_s: f64,
    /// Mean departure of the ends of bursts from their line.
    pub spread_s: f64,
    /// Longest burst, samples, and the mean of all.
    pub burst: u32,
    pub mean_burst: f64,
    /// Samples that are missing in the gaps between.
    pub lost: u32,
    /// How many points it rests on.
    pub points: usize,
}

/// Gathers the ends of bursts.
#[derive(Clone, Debug)]
pub(super) struct Learner {
    /// Sample count and stamp.
    ends: Vec<(u64, f64)>,
    stride: u64,
    seen: u64,
    samples: u64,
    burst: u32,
    sorted: Vec<f64>,
    breaks: Vec<usize>,
}

impl Learner {
    pub(super) fn new() -> Self {
        Self {
            ends: Vec::with_capacity(MOST),
            stride: 1,
            seen: 0,
            samples: 0,
            burst: 0,
            sorted: Vec::with_capacity(MOST),
            breaks: Vec::with_capacity(MOST),
        }
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
        (self.stride, self.seen, self.samples, self.burst) = (1, 0, 0, 0);
    }

    /// Takes the last sample of a burst of so many.
    pub(super) fn end(&mut self, count: u64, stamp_s: f64, burst: u32) {
        self.burst = self.burst.max(burst);
        self.samples += u64::from(burst);
        if self.seen.is_multiple_of(self.stride) {
            if self.ends.len() == MOST {
                let mut at = 0_usize;
                self.ends.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.stride *= 2;
            }
            self.ends.push((count, stamp_s));
        }
        self.seen += 1;
    }

    /// Seconds between the first and the last end.
    pub(super) fn span_s(&self) -> f64 {
        match (self.ends.first(), self.ends.last()) {
            (Some((_, first_s)), Some((_, last_s))) => last_s - first_s,
            _ => 0.0,
        }
    }

    /// Whether there are enough to learn from.
    pub(super) fn enough(&self) -> bool {
        self.ends.len() >= FEWEST
    }

    /// What they show; `None` where they are too few, or time does not go on.
    pub(super) fn learn(&mut self) -> Option<Learnt> {
        let period_s = self.median_slope_s()?;
        let (x0, t0) = *self.ends.first()?;
        let off = |(x, t): (u64, f64), period_s: f64| t - t0 - period_s * (x - x0) as f64;
        // Steps between neighbours tell the noise, and where a gap is.
        self.sorted.clear();
        for pair in self.ends.windows(2) {
            if let [a, b] = pair {
                self.sorted.push((off(*b, period_s) - off(*a, period_s)).abs());
            }
        }
        let noise_s = median(&mut self.sorted)?;
        let limit_s = threshold(period_s, noise_s);
        self.breaks.clear();
        for at in 1..self.ends.len() {
            let mean = |from: usize, to: usize| {
                let some = self.ends.get(from..to).unwrap_or_default();
                some.iter().map(|end| off(*end, period_s)).fold(f64::INFINITY, f64::min)
            };
            let step_s = off(*self.ends.get(at)?, period_s) - off(*self.ends.get(at - 1)?, period_s);
            // What comes late for once is taken back by the next; what is missing stays missing.
            let (before, after) = (mean(at.saturating_sub(4), at), mean(at, at + 4));
            if step_s > limit_s && after - before > limit_s && at + 2 <= self.ends.len() {
                self.breaks.push(at);
            }
        }
        // The slope of the pieces, about each one's own mean.
        let (mut sxx, mut sxy) = (0.0, 0.0);
        for (from, to) in pieces(&self.breaks, self.ends.len()) {
            let some = self.ends.get(from..to).unwrap_or_default();
            let n = some.len().max(1) as f64;
            let mean_x = some.iter().map(|(x, _)| (x - x0) as f64).sum::<f64>() / n;
            let mean_e = some.iter().map(|end| off(*end, period_s)).sum::<f64>() / n;
            for end in some {
                let dx = (end.0 - x0) as f64 - mean_x;
                sxx += dx * dx;
                sxy += dx * (off(*end, period_s) - mean_e);
            }
        }
        let mended_s = if sxx > 0.0 { period_s + sxy / sxx } else { period_s };
        let period_s = if mended_s > 0.5 * period_s { mended_s } else { period_s };
        let (mut lost, mut level, mut spread, mut last) = (0.0, None, 0.0, 0.0);
        for (from, to) in pieces(&self.breaks, self.ends.len()) {
            self.sorted.clear();
            self.sorted.extend(self.ends.get(from..to)?.iter().map(|end| off(*end, period_s)));
            let here = median(&mut self.sorted)?;
            spread += self.sorted.iter().map(|e| (e - here).abs()).sum::<f64>();
            if let Some(before) = level.replace(here) {
                lost += ((here - before) / period_s).round().max(0.0);
            }
            last = here;
        }
        let (at, _) = *self.ends.last()?;
        Some(Learnt {
            period_s,
            at,
            stamp_s: t0 + period_s * (at - x0) as f64 + last,
            spread_s: spread / self.ends.len().max(1) as f64,
            burst: self.burst,
            mean_burst: self.samples as f64 / self.seen.max(1) as f64,
            lost: lost.min(f64::from(u32::MAX)) as u32,
            points: self.ends.len(),
        })
    }

    fn median_slope_s(&mut self) -> Option<f64> {
        if !self.enough() {
            return None;
        }
        let lag = (self.ends.len() / 8).max(1);
        self.sorted.clear();
        for (a, b) in self.ends.iter().zip(self.ends.iter().skip(lag)) {
            self.sorted.push((b.1 - a.1) / (b.0 - a.0).max(1) as f64);
        }
        median(&mut self.sorted).filter(|slope_s| (1e-6..1e3).contains(slope_s))
    }
}

/// What a shift must be above to be no jitter: eight times the spread of the ends of bursts, but never more than two
/// and a half samples where they are quiet enough to tell, and never less than half a sample.
pub(super) fn threshold(period_s: f64, spread_s: f64) -> f64 {
    (8.0 * spread_s).clamp(0.6 * period_s, (2.5 * period_s).max(4.0 * spread_s))
}

fn pieces(breaks: &[usize], len: usize) -> impl Iterator<Item = (usize, usize)> {
    let froms = std::iter::once(0).chain(breaks.iter().copied());
    froms.zip(breaks.iter().copied().chain(std::iter::once(len)))
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

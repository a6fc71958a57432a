//! Lost, or only late?
//!
//! A sender that is held up stamps late, and then catches up: the last sample of its burst is in time again. Samples
//! that are missing make every later one late, for good. So what counts is how late the *ends* of bursts are: where
//! they stay late, by more than their spread, for three bursts and 50 ms, samples are missing, as many as the shift has
//! periods.

/// Late for so long, seconds, and in so many ends of bursts, is late for good.
const CONFIRM_S: f64 = 0.05;
const CONFIRM: usize = 3;
/// The same where ends scatter by a good part of a period.
const CONFIRM_SCATTERED: usize = 9;

/// Ends of bursts that are late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    /// Sample count and stamp of the first.
    from: u64,
    began_s: f64,
    ends: usize,
    /// How late, of the last nine, in a circle.
    by_s: [f64; CONFIRM_SCATTERED],
    largest_s: f64,
    /// How far ahead of its arrival the earliest sample before was.
    lead_s: f64,
}

/// What ends that are late have come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It may still be either.
    Open,
    /// The sender was held up, by so much at most, seconds.
    CaughtUp { largest_s: f64 },
    /// Late by so much, seconds, from that sample on; until then the earliest sample was so far ahead of its arrival.
    ForGood { by_s: f64, from: u64, lead_s: f64 },
}

impl Late {
    /// The first end that is late, by `by_s`; `largest_s` is the most in its burst.
    pub(super) fn new(from: u64, began_s: f64, by_s: f64, largest_s: f64, lead_s: f64) -> Self {
        Self { from, began_s, ends: 1, by_s: [by_s; CONFIRM_SCATTERED], largest_s, lead_s }
    }

    /// The next end.
    pub(super) fn note(&mut self, by_s: f64, largest_s: f64) {
        if let Some(slot) = self.by_s.get_mut(self.ends % CONFIRM_SCATTERED) {
            *slot = by_s;
        }
        self.ends = self.ends.saturating_add(1);
        self.largest_s = self.largest_s.max(largest_s);
    }

    /// For a stream of `period_s` whose ends spread by `spread_s` and are late beyond `limit_s`, before the sample that is
    /// stamped `next_raw_s`.
    pub(super) fn verdict(&self, next_raw_s: f64, period_s: f64, spread_s: f64, limit_s: f64) -> Verdict {
        let enough = if spread_s > 0.3 * period_s { CONFIRM_SCATTERED } else { CONFIRM };
        let (middle_s, range_s) = self.recent(enough);
        if middle_s < 0.5 * limit_s {
            return Verdict::CaughtUp { largest_s: self.largest_s };
        }
        // One that is still catching up becomes less late with every sample.
        let steady = range_s < (0.6 * period_s).max(6.0 * spread_s);
        if self.ends < enough || !steady || next_raw_s - self.began_s < CONFIRM_S || middle_s < limit_s {
            return Verdict::Open;
        }
        Verdict::ForGood { by_s: middle_s, from: self.from, lead_s: self.lead_s }
    }

    /// Median and range, seconds, of how late the last `most` ends are.
    fn recent(&self, most: usize) -> (f64, f64) {
        let kept = self.ends.min(most);
        let mut last = [0.0; CONFIRM_SCATTERED];
        for (back, slot) in last.iter_mut().take(kept).enumerate() {
            *slot = self.by_s.get((self.ends - 1 - back) % CONFIRM_SCATTERED).copied().unwrap_or_default();
        }
        let last = last.get_mut(..kept).unwrap_or_default();
        last.sort_unstable_by(f64::total_cmp);
        let middle_s = last.get(kept / 2).copied().unwrap_or_default();
        (middle_s, last.last().zip(last.first()).map_or(0.0, |(most, least)| most - least))
    }
}

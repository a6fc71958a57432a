//! Stamps as they come in, evenly spaced stamps out, and what is wrong with them.
//!
//! A sampling clock is even; stamps are not: they are taken when the driver got round to it, or once for a
//! burst of samples. So stamps are fitted by a line over the sample count ([`line`]), and the line's value is the
//! stamp. The rate is learnt from the first `settle_s` of data, whatever the sender calls it ([`learn`]); until then, and
//! for as long after a gap, a jump, a resume or a flush, stamps are marked [`Facts::UNSETTLED`].
//!
//! Whether samples are missing or only late is told by the ends of bursts ([`late`]); until it is known they are marked
//! [`Facts::LATE`], and no estimate that ends with one is valid. Stamps of a device's own clock depart from their line by
//! next to nothing: there the first late stamp is a gap. So are stamps that run backwards, or ahead of their arrival: a
//! clock was set, and nothing is lost.

mod late;
mod learn;
mod line;
#[cfg(test)]
mod tests;

use super::frame::Facts;
use late::{Late, Verdict};
use learn::{Learner, threshold};
use line::Line;

/// Expected spread of a sender's sampling period about the nominal one, relative, before it is learnt, and after.
const RATE_SPREAD: f64 = 1e-3;
const LEARNT_SPREAD: f64 = 1e-4;
/// Stamps taken at the moment of sending carry the jitter of a loaded machine. Below this, seconds, a step back is no
/// discontinuity unless the stamps have shown themselves to be a device's own clock.
const LOOSE_TOLERANCE_S: f64 = 0.1;
/// The same before the jitter is known.
const UNKNOWN_TOLERANCE_S: f64 = 0.25;
/// No clock shows this many seconds: such a stamp is none.
const NO_CLOCK_S: f64 = 1e12;
/// Half-time in seconds of the memory for the largest jitter.
const PEAK_HALF_TIME_S: f64 = 10.0;
/// Ends of bursts before their spread is known.
const KNOWN_ENDS: u32 = 32;

/// What is known of one stamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Smoothed, seconds, strictly later than the one before unless time itself was set back.
    pub smooth_s: f64,
    /// `GAP`, `STAMP_JUMP`, `UNSETTLED`, `LATE`, as they apply.
    pub facts: Facts,
    /// Samples that are missing before this one, to the nearest whole number.
    pub lost_before: u32,
    /// How many samples came between those that are missing and this one, before it was known.
    pub since: u32,
}

/// The smoother of one stream's stamps.
#[derive(Clone, Debug)]
pub struct Dejitter {
    line: Line,
    settle_s: f64,
    settle_samples: u64,
    /// Whether the rate is known.
    known: bool,
    learner: Learner,
    /// Samples ever, and since the last start of the fit.
    count: u64,
    fitted: u64,
    /// The stamp that the fit started with.
    first_raw_s: f64,
    /// The newest stamp, and how many samples its burst has so far.
    last_raw_s: f64,
    in_burst: u32,
    smooth_s: f64,
    /// How far the newest stamp is behind the line; the most in its burst.
    behind_s: f64,
    burst_behind_s: f64,
    /// Of the ends of bursts: mean and spread of `behind_s`, how many; the largest departure of any sample.
    level_s: f64,
    spread_s: f64,
    ends: u32,
    peak_s: f64,
    late: Option<Late>,
    /// How far ahead of its arrival the earliest sample has been: tells a clock set forward from a loss.
    lead_s: f64,
    started: bool,
    exact: bool,
}

impl Dejitter {
    /// For a nominal `rate_hz` (above 0); stamps count as settled after `settle_s` of data, and without any the nominal
    /// rate is believed.
    #[must_use]
    pub fn new(rate_hz: f64, settle_s: f64) -> Self {
        let period_s = 1.0 / rate_hz.max(f64::MIN_POSITIVE);
        Self {
            line: Line::new(period_s, RATE_SPREAD),
            settle_s,
            settle_samples: (settle_s * rate_hz).ceil().max(0.0) as u64,
            known: settle_s <= 0.0,
            learner: Learner::new(),
            count: 0,
            fitted: 0,
            first_raw_s: f64::NAN,
            last_raw_s: f64::NAN,
            in_burst: 0,
            smooth_s: f64::NAN,
            behind_s: 0.0,
            burst_behind_s: 0.0,
            level_s: 0.0,
            spread_s: 0.0,
            ends: 0,
            peak_s: 0.0,
            late: None,
            lead_s: f64::NEG_INFINITY,
            started: false,
            exact: false,
        }
    }

    /// For stamps that are true as they are: nothing is smoothed and nothing has to settle; what lies between two
    /// stamps beyond one period is missing, to the nearest whole sample.
    #[must_use]
    pub fn exact(rate_hz: f64) -> Self {
        Self { exact: true, ..Self::new(rate_hz, 0.0) }
    }

    /// As this one has come to know its stream, but before its first sample: for looking at a file again.
    #[must_use]
    pub(super) fn experienced(&self) -> Self {
        let period_s = self.line.slope_s();
        Self {
            line: Line::new(period_s, LEARNT_SPREAD),
            known: true,
            settle_samples: 0,
            settle_s: 0.0,
            learner: Learner::new(),
            spread_s: self.spread_s,
            level_s: self.level_s,
            ends: self.ends.max(KNOWN_ENDS),
            peak_s: self.peak_s,
            ..Self::new(1.0 / period_s, 0.0)
        }
    }

    /// Starts the fit anew after a flush or a resume. What is known of rate and jitter stays, and so does the last
    /// stamp: what is missing in between is told by the next.
    pub fn restart(&mut self) {
        self.fitted = 0;
        self.in_burst = 0;
        self.late = None;
        if !self.known {
            self.learner.clear();
        }
    }

    /// Takes the stamp of the next sample, on this machine's clock, and when it arrived (not a number where
    /// nobody knows, as in a file).
    pub fn push(&mut self, raw_s: f64, arrived_s: f64) -> Stamp {
        if raw_s.is_nan() || raw_s.abs() >= NO_CLOCK_S {
            return self.without_stamp();
        }
        if self.exact {
            return self.as_it_is(raw_s);
        }
        let mut stamp = Stamp { smooth_s: raw_s, facts: Facts::NONE, lost_before: 0, since: 0 };
        self.count += 1;
        if !self.started {
            self.begin(raw_s);
        } else if !self.breaks(raw_s, arrived_s, &mut stamp) {
            self.follow(raw_s, arrived_s, &mut stamp);
        }
        let lead_s = raw_s - arrived_s;
        if lead_s.is_finite() {
            self.lead_s = lead_s.max(self.lead_s - 1e-3 * self.line.slope_s());
        }
        self.last_raw_s = raw_s;
        self.started = true;
        self.fitted += 1;
        if !self.known {
            self.learn(&mut stamp);
        }
        // Never two samples at one time, and never backwards: a tenth of a period is the least step.
        let least_s = self.smooth_s + 0.1 * self.line.slope_s();
        let line_s = if self.known { self.line.here_s() } else { raw_s };
        // Stamps as they came may be ahead of the line that is found for them: until it has caught up, nothing is settled.
        let ahead = self.smooth_s.is_finite() && line_s < least_s;
        self.smooth_s = if ahead { least_s } else { line_s };
        if ahead || !self.settled() {
            stamp.facts.insert(Facts::UNSETTLED);
        }
        stamp.smooth_s = self.smooth_s;
        stamp
    }

    /// Whether enough data have been seen since the last start of the fit.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.known && self.fitted >= self.settle_samples
    }

    /// The rate that the stamps show, Hz; the nominal one until it is learnt.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        1.0 / self.line.slope_s()
    }

    /// Whether [`Self::rate_hz`] is what the stamps show.
    #[must_use]
    pub fn rate_is_known(&self) -> bool {
        self.known && self.ends > 0
    }

    /// How far ends of bursts depart from their line on average, seconds.
    #[must_use]
    pub(super) fn scatter_s(&self) -> f64 {
        self.spread_s
    }

    /// How far any stamp departs from its line, seconds.
    #[must_use]
    pub(super) fn largest_s(&self) -> f64 {
        self.peak_s
    }

    /// No stamp follows: what there is must be enough to learn from.
    pub(super) fn end(&mut self) {
        if !self.known {
            self.finish_learning(&mut Stamp { smooth_s: 0.0, facts: Facts::NONE, lost_before: 0, since: 0 });
        }
    }

    fn begin(&mut self, raw_s: f64) {
        self.line.begin(raw_s, 1.0, if self.known && self.ends > 0 { LEARNT_SPREAD } else { RATE_SPREAD });
        (self.in_burst, self.behind_s, self.burst_behind_s, self.fitted) = (1, 0.0, 0.0, 0);
        self.first_raw_s = raw_s;
    }

    /// Whether this stamp is a discontinuity by itself; if so, everything begins anew with it.
    fn breaks(&mut self, raw_s: f64, arrived_s: f64, stamp: &mut Stamp) -> bool {
        let period_s = self.line.slope_s();
        let resumed = self.fitted == 0;
        let expected_s = if resumed { self.smooth_or_raw_s() } else { self.line.next_s() };
        let off_s = raw_s - expected_s;
        let step_s = raw_s - self.last_raw_s - f64::from(self.in_burst.max(1)) * period_s;
        let tolerance_s = self.tolerance_s();
        let departs = raw_s != self.last_raw_s && off_s.abs() > tolerance_s && step_s.abs() > tolerance_s;
        if !departs {
            if resumed {
                self.begin(raw_s);
            }
            return resumed;
        }
        // Samples that were lost do not make the next one earlier than it arrives. With an unknown arrival the
        // comparison is false and a loss is assumed.
        let clock_was_set = raw_s - arrived_s > self.lead_s + 0.5 * off_s;
        let forward = off_s > 0.0 && !clock_was_set;
        if forward && !resumed && !self.device_clock() {
            return false;
        }
        stamp.facts.insert(Facts::STAMP_JUMP);
        if forward {
            stamp.lost_before = whole(off_s / period_s);
        }
        if stamp.lost_before > 0 {
            stamp.facts.insert(Facts::GAP);
        } else {
            self.lead_s += off_s;
        }
        if off_s < 0.0 {
            self.smooth_s = f64::NAN;
            // Two stamps out of line that take each other back were jitter after all: of that size.
            self.peak_s = self.peak_s.max(off_s.abs().min(LOOSE_TOLERANCE_S));
        }
        self.restart();
        self.begin(raw_s);
        true
    }

    /// The next sample of what goes on.
    fn follow(&mut self, raw_s: f64, arrived_s: f64, stamp: &mut Stamp) {
        let period_s = self.line.slope_s();
        // A rate that is not learnt may be far above the nominal one.
        let so_far_s =
            if self.known { period_s } else { (self.last_raw_s - self.first_raw_s) / self.fitted as f64 };
        if raw_s - self.last_raw_s <= 0.5 * period_s.min(so_far_s) {
            self.in_burst = self.in_burst.saturating_add(1);
        } else {
            if self.known {
                self.end_of_burst(raw_s, arrived_s, stamp);
            } else {
                self.learner.end(self.count - 1, self.last_raw_s, self.in_burst);
            }
            self.in_burst = 1;
            self.burst_behind_s = 0.0;
        }
        self.line.advance();
        self.behind_s = raw_s - self.line.here_s();
        let ahead_s = self.behind_s - self.level_s;
        let suspicious =
            self.ends >= KNOWN_ENDS && ahead_s > self.peak_s + threshold(period_s, self.spread_s);
        self.burst_behind_s = self.burst_behind_s.max(ahead_s.abs());
        if self.late.is_some() || (self.known && suspicious) {
            stamp.facts.insert(Facts::LATE);
        } else {
            self.line.add(raw_s);
        }
    }

    /// The newest stamp was the last of its burst: is it in time?
    fn end_of_burst(&mut self, next_raw_s: f64, arrived_s: f64, stamp: &mut Stamp) {
        let period_s = self.line.slope_s();
        let limit_s = threshold(period_s, self.spread_s);
        let by_s = self.behind_s - self.level_s;
        let Some(late) = &mut self.late else {
            if self.ends >= KNOWN_ENDS && by_s > limit_s {
                let from = self.count.saturating_sub(u64::from(self.in_burst));
                let late = Late::new(from, self.last_raw_s, by_s, self.burst_behind_s, self.lead_s);
                self.late = Some(late);
            } else {
                self.in_time(self.behind_s);
            }
            return;
        };
        late.note(by_s, self.burst_behind_s);
        match late.verdict(next_raw_s, period_s, self.spread_s, limit_s) {
            Verdict::Open => {}
            Verdict::CaughtUp { largest_s } => {
                self.peak_s = self.peak_s.max(largest_s.min(UNKNOWN_TOLERANCE_S));
                self.late = None;
            }
            Verdict::ForGood { by_s, from, lead_s } => {
                self.late = None;
                stamp.facts.insert(Facts::STAMP_JUMP);
                let clock_was_set = next_raw_s - arrived_s > lead_s + 0.5 * by_s;
                if !clock_was_set {
                    stamp.lost_before = whole(by_s / period_s);
                }
                if stamp.lost_before > 0 {
                    stamp.facts.insert(Facts::GAP);
                    stamp.since = u32::try_from(self.count.saturating_sub(from)).unwrap_or(u32::MAX);
                }
                // The line goes on from where the late ones are; what was found of its slope stays.
                let here_s = self.line.here_s() + by_s;
                self.line.begin(here_s, f64::from(self.in_burst.max(4)), LEARNT_SPREAD);
                self.fitted = 0;
            }
        }
    }

    /// An end of a burst as they are.
    fn in_time(&mut self, behind_s: f64) {
        if self.ends >= KNOWN_ENDS && !self.settled() {
            // The line itself is still finding its level.
            return;
        }
        self.ends = self.ends.saturating_add(1);
        let weight = 1.0 / f64::from(self.ends.min(100));
        let off_s = behind_s - self.level_s;
        // One wild stamp among a hundred must not hide what comes after.
        let most_s = (4.0 * self.spread_s).max(self.line.slope_s());
        self.level_s += weight * off_s.clamp(-most_s, most_s);
        self.spread_s += weight * (off_s.abs().min(most_s) - self.spread_s);
        let samples = f64::from(self.in_burst.max(1));
        self.peak_s *= 0.5_f64.powf(samples * self.line.slope_s() / PEAK_HALF_TIME_S);
        self.peak_s = self.peak_s.max(self.burst_behind_s);
    }

    /// Looks whether the first stamps are enough to know the rate, and what is missing among them.
    fn learn(&mut self, stamp: &mut Stamp) {
        let span_s = self.learner.span_s();
        let due = (self.fitted >= self.settle_samples && span_s >= 0.9 * self.settle_s)
            || span_s >= 1.5 * self.settle_s;
        if !due
            || !self.learner.enough()
            || !self.fitted.is_multiple_of(16) && self.fitted > self.settle_samples + 16
        {
            return;
        }
        self.finish_learning(stamp);
    }

    /// Ends the learning with what there is.
    fn finish_learning(&mut self, stamp: &mut Stamp) {
        let Some(learnt) = self.learner.learn() else { return };
        self.known = true;
        self.line = Line::new(learnt.period_s, LEARNT_SPREAD);
        // The line goes through the middle of bursts, where all samples draw it, and their ends lie below.
        let middle_s = 0.5 * (learnt.mean_burst - 1.0).max(0.0) * learnt.period_s;
        let here_s = learnt.stamp_s + learnt.period_s * (self.count - learnt.at) as f64 + middle_s;
        self.line.begin(here_s, learnt.points as f64, LEARNT_SPREAD);
        (self.level_s, self.spread_s) = (-middle_s, learnt.spread_s);
        self.ends = u32::try_from(learnt.points).unwrap_or(KNOWN_ENDS);
        self.peak_s = f64::from(learnt.burst.saturating_sub(1)) * learnt.period_s + 3.0 * learnt.spread_s;
        self.settle_samples = (self.settle_s / learnt.period_s).ceil().max(0.0) as u64;
        self.fitted = self.fitted.max(self.settle_samples);
        if learnt.lost > 0 {
            stamp.lost_before = stamp.lost_before.saturating_add(learnt.lost);
            stamp.facts.insert(Facts::GAP);
            stamp.facts.insert(Facts::STAMP_JUMP);
            // What lies before belongs to other stretches of time.
            self.fitted = 0;
        }
    }

    /// After a restart there is no line yet: one period after the last stamp.
    fn smooth_or_raw_s(&self) -> f64 {
        (if self.smooth_s.is_finite() { self.smooth_s } else { self.last_raw_s }) + self.line.slope_s()
    }

    /// Whether the stamps have shown themselves to be a device's own clock.
    fn device_clock(&self) -> bool {
        let period_s = self.line.slope_s();
        self.known
            && self.ends >= KNOWN_ENDS
            && self.spread_s < 0.02 * period_s
            && self.peak_s < 0.25 * period_s
    }

    /// How far a stamp may depart, seconds.
    fn tolerance_s(&self) -> f64 {
        let seen_s = (8.0 * self.spread_s).max(2.0 * self.peak_s).max(0.6 * self.line.slope_s());
        match (self.known && self.ends >= KNOWN_ENDS, self.device_clock()) {
            (_, true) => seen_s,
            (true, false) => seen_s.max(LOOSE_TOLERANCE_S),
            (false, false) => seen_s.max(UNKNOWN_TOLERANCE_S),
        }
    }

    /// A stamp that is true.
    fn as_it_is(&mut self, raw_s: f64) -> Stamp {
        let period_s = self.line.slope_s();
        let off_s = if self.started { raw_s - self.smooth_or_raw_s() } else { 0.0 };
        let mut stamp = Stamp { smooth_s: raw_s, facts: Facts::NONE, lost_before: 0, since: 0 };
        if off_s.abs() > 0.5 * period_s {
            stamp.facts.insert(Facts::STAMP_JUMP);
            if off_s > 0.0 {
                stamp.lost_before = whole(off_s / period_s).max(1);
                stamp.facts.insert(Facts::GAP);
            }
        }
        (self.smooth_s, self.last_raw_s, self.started) = (raw_s, raw_s, true);
        stamp
    }

    /// A sample whose stamp is no number: placed on the line, not fitted, and marked.
    fn without_stamp(&mut self) -> Stamp {
        if self.started {
            self.smooth_s = self.smooth_or_raw_s();
        }
        let mut facts = Facts::STAMP_JUMP;
        facts.insert(Facts::UNSETTLED);
        self.restart();
        Stamp { smooth_s: self.smooth_s, facts, lost_before: 0, since: 0 }
    }
}

/// Whole samples.
fn whole(samples: f64) -> u32 {
    samples.round().clamp(0.0, f64::from(u32::MAX)) as u32
}

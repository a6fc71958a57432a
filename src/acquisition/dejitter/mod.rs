//! Stamps as they come in, evenly spaced stamps out, and what is wrong with them.
//!
//! A sampling clock is even; stamps are not: they are taken when the driver got round to it, or once for a
//! burst of samples. So stamps are fitted by a line over the sample count ([`line`]), and the line's value is the
//! stamp. The rate is learnt from the first `settle_s` of data, whatever the sender calls it ([`learn`]); until then, and
//! for as long after a gap, a jump, a resume or a flush, stamps are marked [`Facts::UNSETTLED`].
//!
//! **Lost, or only late?** A sender that is held up stamps late, and then catches up: the last sample of its burst is
//! in time again. Samples that are missing make every later one late, for good. So what counts is how late the *ends*
//! of bursts are: where they stay late, by more than their spread, for three bursts and 50 ms, samples are missing, as
//! many as the shift has periods. Until that is known the samples are marked [`Facts::LATE`], and no estimate that ends
//! with one is valid. Stamps of a device's own clock depart from their line by next to nothing: there the first late
//! stamp is a gap. So are stamps that run backwards, or ahead of their arrival: a clock was set, and nothing is lost.

mod learn;
mod line;

use super::frame::Facts;
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
/// Late for so long, seconds, and in so many ends of bursts (so many more where they scatter), is late for good.
const CONFIRM_S: f64 = 0.05;
const CONFIRM_ENDS: u32 = 3;
const CONFIRM_SCATTERED: u32 = 9;
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

/// Ends of bursts that are late.
#[derive(Clone, Copy, Debug)]
struct Late {
    /// Sample count and stamp of the first.
    from: u64,
    began_s: f64,
    ends: u32,
    /// How late, of the last nine, in a circle.
    by_s: [f64; 9],
    largest_s: f64,
    /// How far ahead of its arrival the earliest sample before was.
    lead_s: f64,
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
        let behind_s = self.behind_s;
        let by_s = behind_s - self.level_s;
        let Some(late) = &mut self.late else {
            if self.ends >= KNOWN_ENDS && by_s > limit_s {
                let from = self.count.saturating_sub(u64::from(self.in_burst));
                let (began_s, lead_s) = (self.last_raw_s, self.lead_s);
                self.late = Some(Late {
                    from,
                    began_s,
                    ends: 1,
                    by_s: [by_s; 9],
                    largest_s: self.burst_behind_s,
                    lead_s,
                });
            } else {
                self.in_time(behind_s);
            }
            return;
        };
        if let Some(slot) = late.by_s.get_mut(late.ends as usize % 9) {
            *slot = by_s;
        }
        late.ends = late.ends.saturating_add(1);
        late.largest_s = late.largest_s.max(self.burst_behind_s);
        let scattered = self.spread_s > 0.3 * period_s;
        let enough = if scattered { CONFIRM_SCATTERED } else { CONFIRM_ENDS };
        let recent = if scattered { 9 } else { 3 };
        let mut last = [0.0; 9];
        let mut kept = 0_usize;
        for back in 0..late.ends.min(recent) {
            if let (Some(slot), Some(by_s)) =
                (last.get_mut(kept), late.by_s.get((late.ends - 1 - back) as usize % 9))
            {
                *slot = *by_s;
                kept += 1;
            }
        }
        let last = last.get_mut(..kept).unwrap_or_default();
        last.sort_unstable_by(f64::total_cmp);
        let middle_s = last.get(kept / 2).copied().unwrap_or(by_s);
        let range_s = last.last().zip(last.first()).map_or(0.0, |(most, least)| most - least);
        if middle_s < 0.5 * limit_s {
            // It has caught up: it was held up, by so much.
            self.peak_s = self.peak_s.max(late.largest_s.min(UNKNOWN_TOLERANCE_S));
            self.late = None;
            return;
        }
        // One that is still catching up becomes less late with every sample.
        let steady = range_s < (0.6 * period_s).max(6.0 * self.spread_s);
        if late.ends < enough || !steady || next_raw_s - late.began_s < CONFIRM_S || middle_s < limit_s {
            return;
        }
        let Late { from, lead_s, .. } = *late;
        let clock_was_set = next_raw_s - arrived_s > lead_s + 0.5 * middle_s;
        stamp.facts.insert(Facts::STAMP_JUMP);
        if !clock_was_set {
            stamp.lost_before = whole(middle_s / period_s);
        }
        if stamp.lost_before > 0 {
            stamp.facts.insert(Facts::GAP);
            stamp.since = u32::try_from(self.count.saturating_sub(from)).unwrap_or(u32::MAX);
        }
        self.late = None;
        // The line goes on from where the late ones are; what was found of its slope stays.
        let here_s = self.line.here_s() + middle_s;
        self.line.begin(here_s, f64::from(self.in_burst.max(4)), LEARNT_SPREAD);
        self.fitted = 0;
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOWHEN: f64 = f64::NAN;

    /// Deterministic noise in -1..1.
    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    #[test]
    fn jitter_is_taken_out_and_drift_followed() {
        // 100 ppm off the nominal rate, 2 ms of jitter.
        let (period, mut seed) = (1.0001 / 250.0, 1);
        let mut smoother = Dejitter::new(250.0, 2.0);
        let (mut squares, mut n) = (0.0, 0);
        for k in 0..60 * 250u32 {
            let true_s = 1000.0 + f64::from(k) * period;
            let got = smoother.push(true_s + 0.002 * noise(&mut seed), true_s + 0.003);
            assert_eq!(got.lost_before, 0);
            assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}");
            assert_eq!(got.facts.intersects(Facts::UNSETTLED), k + 1 < 500);
            if k > 2500 {
                (squares, n) = (squares + (got.smooth_s - true_s).powi(2), n + 1);
            }
        }
        let rms_s = (squares / f64::from(n)).sqrt();
        assert!(rms_s < 5e-5, "residual jitter {rms_s} s of 1.15e-3 s");
        assert!((smoother.rate_hz() - 1.0 / period).abs() < 1e-3, "{}", smoother.rate_hz());
    }

    #[test]
    fn a_rate_other_than_the_nominal_one_is_followed_without_a_break() {
        let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
        for k in 0..250 * 60u32 {
            let at_s = f64::from(k) / 256.0;
            let got = smoother.push(at_s + 0.001 * noise(&mut seed), at_s);
            assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}");
        }
        assert!((smoother.rate_hz() - 256.0).abs() < 0.01, "{}", smoother.rate_hz());
    }

    #[test]
    fn a_sender_that_stamps_when_it_sends_may_be_held_up() {
        let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
        for k in 0..250 * 20u32 {
            let due_s = f64::from(k) / 250.0;
            // Every fourth second it is held up for 80 ms, and then sends what was due at once.
            let held_s = if due_s % 4.0 < 0.08 && due_s > 3.0 { 0.08 - due_s % 4.0 } else { 0.0 };
            let at_s = due_s + held_s + 0.0005 * (1.0 + noise(&mut seed));
            let got = smoother.push(at_s, at_s);
            assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}: {got:?}");
            assert!(k < 1000 || (got.smooth_s - due_s).abs() < 0.005, "sample {k}: {got:?}");
        }
    }

    #[test]
    fn bursts_of_one_stamp_come_out_even() {
        let (rate, mut seed) = (128.0, 7);
        let mut smoother = Dejitter::new(rate, 2.0);
        let (mut sent, mut last_s, mut worst) = (0u32, f64::NAN, 0.0f64);
        while sent < 60 * 128 {
            let burst = 8 + (2.0 * (noise(&mut seed) + 1.0)).round() as u32;
            sent += burst;
            let stamp_s = f64::from(sent) / rate;
            for _ in 0..burst {
                let got = smoother.push(stamp_s, stamp_s);
                assert!(!got.facts.intersects(Facts::BREAKS), "sample {sent}: {got:?}");
                if sent > 10 * 128 {
                    worst = worst.max(((got.smooth_s - last_s) * rate - 1.0).abs());
                }
                last_s = got.smooth_s;
            }
        }
        assert!(worst < 0.05, "spacing off by {worst} of a period");
    }

    #[test]
    fn a_second_at_a_time_with_one_stamp_is_no_gap() {
        let mut smoother = Dejitter::new(128.0, 2.0);
        for k in 0..128 * 30u32 {
            let stamp_s = f64::from(k / 128);
            let got = smoother.push(stamp_s, stamp_s);
            assert!(!got.facts.intersects(Facts::BREAKS), "sample {k}: {got:?}");
        }
    }

    #[test]
    fn a_device_clock_shows_every_lost_sample() {
        for lost in [1u32, 2, 7, 128, 10_000] {
            let (mut smoother, mut at_s) = (Dejitter::new(128.0, 2.0), 5.0);
            for _ in 0..1000 {
                assert!(!smoother.push(at_s, at_s).facts.intersects(Facts::BREAKS));
                at_s += 1.0 / 128.0;
            }
            at_s += f64::from(lost) / 128.0;
            let got = smoother.push(at_s, at_s);
            assert_eq!(got.lost_before, lost);
            assert!(got.facts.intersects(Facts::GAP) && got.facts.intersects(Facts::UNSETTLED));
            assert!((got.smooth_s - at_s).abs() < 1e-9);
            let next = smoother.push(at_s + 1.0 / 128.0, NOWHEN);
            assert!(!next.facts.intersects(Facts::BREAKS));
        }
    }

    #[test]
    fn a_clock_set_forward_or_back_is_a_jump_and_no_loss() {
        for jump_s in [2.0, -2.0, 3600.0, -0.5] {
            let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 3);
            for k in 0..2500u32 {
                let now_s = 100.0 + f64::from(k) / 250.0;
                let set_s = if k >= 1250 { jump_s } else { 0.0 };
                let got = smoother.push(now_s + set_s + 0.001 * noise(&mut seed), now_s + 0.002);
                assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 1250, "{jump_s} s, sample {k}");
                assert_eq!(got.lost_before, 0);
            }
        }
    }

    #[test]
    fn one_wild_stamp_breaks_twice_and_loses_nothing() {
        let mut smoother = Dejitter::new(250.0, 2.0);
        for k in 0..1500u32 {
            let now_s = f64::from(k) / 250.0;
            let got = smoother.push(if k == 1000 { now_s + 7.0 } else { now_s }, now_s);
            assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 1000 || k == 1001, "sample {k}");
            assert_eq!(got.lost_before, 0);
        }
    }

    #[test]
    fn a_pause_of_jittery_stamps_is_a_gap_of_about_its_length() {
        let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 3);
        let mut lost = 0;
        for k in 0..2500u32 {
            let now_s = f64::from(if k >= 1250 { k + 500 } else { k }) / 250.0;
            lost += smoother.push(now_s + 0.002 * noise(&mut seed), now_s + 0.003).lost_before;
        }
        assert!((499..=501).contains(&lost), "{lost}");
    }

    #[test]
    fn a_restart_unsettles_and_still_counts_what_is_missing() {
        let mut smoother = Dejitter::new(100.0, 1.0);
        for k in 0..500u32 {
            smoother.push(f64::from(k) / 100.0, NOWHEN);
        }
        assert!(smoother.settled());
        smoother.restart();
        let got = smoother.push(7.0, NOWHEN);
        assert!(got.facts.intersects(Facts::UNSETTLED) && got.facts.intersects(Facts::GAP));
        assert_eq!(got.lost_before, 200);
    }

    #[test]
    fn stamps_that_are_no_numbers_are_marked_and_forgotten() {
        let mut smoother = Dejitter::new(100.0, 1.0);
        assert!(smoother.push(f64::NAN, 0.0).facts.intersects(Facts::STAMP_JUMP));
        for k in 0..300u32 {
            let raw_s = if k == 200 { f64::INFINITY } else { f64::from(k) / 100.0 };
            let got = smoother.push(raw_s, NOWHEN);
            assert_eq!(got.facts.intersects(Facts::STAMP_JUMP), k == 200, "sample {k}");
            assert!((got.smooth_s - f64::from(k) / 100.0).abs() < 1e-6, "sample {k}: {got:?}");
        }
    }

    #[test]
    fn true_stamps_show_every_gap_however_near_the_next() {
        let mut stamps = Dejitter::exact(250.0);
        let (mut at_s, mut lost, mut gaps) = (0.25, 0, 0);
        for k in 0..5000u32 {
            let missing = [(7, 1), (500, 10), (4001, 2500)].iter().find(|(every, _)| k > 0 && k % every == 0);
            let missing = missing.map_or(0, |(_, count)| *count);
            at_s += f64::from(missing) / 250.0;
            let got = stamps.push(at_s, NOWHEN);
            assert_eq!(got.lost_before, missing, "sample {k}");
            assert_eq!(got.facts.intersects(Facts::BREAKS), missing > 0);
            assert!(!got.facts.intersects(Facts::UNSETTLED) && got.smooth_s == at_s);
            (lost, gaps) = (lost + missing, gaps + u32::from(missing > 0));
            at_s += 1.0 / 250.0;
        }
        assert!(lost > 3000 && gaps > 700);
        let back = stamps.push(0.0, NOWHEN);
        assert!(back.facts.intersects(Facts::STAMP_JUMP) && back.lost_before == 0);
    }

    /// Samples lost as a sender loses them: `lost` of every `every`, at stamps with jitter that is held up now and then.
    fn lossy(rate_hz: f64, every: u32, lost: u32, seconds: f64, jitter_s: f64) -> (u64, u64, u64) {
        let (mut smoother, mut seed) = (Dejitter::new(rate_hz, 2.0), 11);
        let (mut counted, mut truly, mut late) = (0_u64, 0_u64, 0_u64);
        let total = (seconds * rate_hz) as u32;
        for k in 0..total {
            if k % every >= every - lost {
                truly += u64::from(k + 2 * every < total);
                continue;
            }
            let at_s = 50.0 + f64::from(k) / rate_hz + jitter_s * noise(&mut seed).abs();
            let got = smoother.push(at_s, at_s + 0.001);
            counted += u64::from(got.lost_before);
            late += u64::from(got.facts.intersects(Facts::LATE));
        }
        (counted, truly, late)
    }

    #[test]
    fn every_loss_of_four_and_more_is_counted_at_any_spacing() {
        for rate_hz in [128.0, 250.0, 500.0, 1000.0] {
            for (every, lost) in [(500, 10), (500, 20), (500, 50), (500, 4), (100, 4), (100, 10), (1000, 300)]
            {
                for jitter_s in [0.0, 0.0002, 0.1 / rate_hz, 0.5 / rate_hz] {
                    let (counted, truly, _) = lossy(rate_hz, every, lost, 40.0, jitter_s);
                    let off = counted.abs_diff(truly) as f64;
                    let allowed = f64::from(2 * lost) + 0.01 * truly as f64;
                    assert!(
                        off <= allowed,
                        "{rate_hz} Hz, {lost} of {every}, jitter {jitter_s} s: {counted} of {truly}"
                    );
                }
            }
        }
    }

    #[test]
    fn bursts_that_lose_samples_show_it() {
        // Chunks of 8 with one stamp, one chunk of ten lost, over a radio link.
        let (mut smoother, mut seed) = (Dejitter::new(250.0, 2.0), 5);
        let (mut counted, mut truly) = (0_u64, 0_u64);
        for chunk in 0..1000u32 {
            if chunk % 100 == 99 {
                truly += 8;
                continue;
            }
            let at_s = f64::from(chunk + 1) * 8.0 / 250.0 + 0.002 * noise(&mut seed).abs();
            for _ in 0..8 {
                counted += u64::from(smoother.push(at_s, at_s).lost_before);
            }
        }
        assert!(counted.abs_diff(truly) <= 8, "{counted} of {truly}");
    }

    #[test]
    fn a_rate_that_is_far_from_the_nominal_one_is_known_when_settled() {
        for (nominal_hz, real_hz) in
            [(500.0, 250.0), (250.0, 500.0), (250.0, 240.0), (2500.0, 250.0), (25.0, 250.0)]
        {
            let (mut smoother, mut seed) = (Dejitter::new(nominal_hz, 2.0), 5);
            let mut settled_s = None;
            for k in 0..(20.0 * real_hz) as u32 {
                let at_s = f64::from(k) / real_hz;
                let got = smoother.push(at_s + 0.0005 * noise(&mut seed), at_s);
                assert_eq!(got.lost_before, 0, "{nominal_hz} {real_hz} sample {k}");
                if !got.facts.intersects(Facts::UNSETTLED) && settled_s.is_none() {
                    settled_s = Some(at_s);
                    assert!((smoother.rate_hz() / real_hz - 1.0).abs() < 3e-3, "{}", smoother.rate_hz());
                }
            }
            assert!(settled_s.is_some_and(|s| s < 4.0), "{nominal_hz} {real_hz}: {settled_s:?}");
            assert!((smoother.rate_hz() / real_hz - 1.0).abs() < 1e-4, "{}", smoother.rate_hz());
        }
    }

    proptest::proptest! {
        /// Whatever comes in, nothing panics, and settled stamps never run backwards.
        #[test]
        fn any_stamps(raws in proptest::collection::vec(proptest::num::f64::ANY, 1..100), rate in 0.1f64..1e5) {
            let mut smoother = Dejitter::new(rate, 0.01);
            let mut last = f64::NEG_INFINITY;
            for raw in raws {
                let got = smoother.push(raw, raw);
                if !got.facts.intersects(Facts::STAMP_JUMP) && got.smooth_s.is_finite() && last.is_finite() {
                    proptest::prop_assert!(got.smooth_s >= last);
                }
                last = got.smooth_s;
            }
        }
    }
}

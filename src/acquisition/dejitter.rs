//! Stamps as they come in, evenly spaced stamps out, and what is wrong with them.
//!
//! A sampling clock is even; stamps are not: they are taken when the driver got round to it, or once for a
//! burst of samples. So stamps are fitted by a line over the sample count, by least squares with
//! exponential forgetting (recursive least squares, as liblsl's own smoother), and the line's value is the
//! stamp. The sums are kept about the newest sample, so that nothing grows with the length of a session;
//! the line's slope leans on the nominal rate until the data know better.
//!
//! The fit follows a clock, not a discontinuity: on a gap, a jump, a resume or a flush it starts anew, and
//! until it has seen `settle_s` of data its stamps are marked [`Facts::UNSETTLED`]. A discontinuity is
//! found where a stamp departs by more than the jitter seen so far both from the line and from its
//! neighbour; the samples of one burst share a stamp, and that is no discontinuity.

use super::frame::Facts;

/// Half-time of the forgetting in seconds of data: long against jitter, short against thermal drift of a
/// quartz. The value of liblsl's smoother (`tuning.SmoothingHalftime`).
const HALF_TIME_S: f64 = 90.0;
/// Expected spread of a sender's sampling period about the nominal one, relative. Quartz keeps 1e-4.
const RATE_SPREAD: f64 = 1e-3;
/// Stamps taken at the moment of sending carry the jitter of a loaded machine. Below this, seconds, a
/// departure is no discontinuity unless the stamps have shown themselves to be a device's own clock.
const LOOSE_TOLERANCE_S: f64 = 0.1;
/// The same before the jitter is known.
const UNKNOWN_TOLERANCE_S: f64 = 0.25;
/// Half-time in seconds of the memory for the largest jitter.
const PEAK_HALF_TIME_S: f64 = 10.0;

/// What is known of one stamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Smoothed, seconds, strictly later than the one before unless time itself was set back.
    pub smooth_s: f64,
    /// `GAP`, `STAMP_JUMP`, `UNSETTLED`, as they apply.
    pub facts: Facts,
    /// Samples that are missing before this one, to the nearest whole number.
    pub lost_before: u32,
}

/// The smoother of one stream's stamps.
#[derive(Clone, Debug)]
pub struct Dejitter {
    period_s: f64,
    forget: f64,
    peak_forget: f64,
    settle_samples: u64,
    slope_ridge: f64,
    /// Samples since the last start of the fit.
    fitted: u64,
    /// Stamp that the nominal line has at the newest sample; departures are counted from it.
    nominal_s: f64,
    /// Sums over past samples, the newest at x = 0: weights, x, x², y, x y; y is departure from nominal.
    s0: f64,
    s1: f64,
    s2: f64,
    b0: f64,
    b1: f64,
    /// The newest stamp, and how many samples have carried it.
    last_raw_s: f64,
    in_burst: u32,
    smooth_s: f64,
    /// Mean and largest departure from the line, seconds.
    jitter_s: f64,
    peak_s: f64,
    /// How far ahead of its arrival the earliest sample has been: tells a clock set forward from a loss.
    lead_s: f64,
    started: bool,
    exact: bool,
}

impl Dejitter {
    /// For a nominal `rate_hz` (above 0); stamps count as settled after `settle_s` of data.
    #[must_use]
    pub fn new(rate_hz: f64, settle_s: f64) -> Self {
        let period_s = 1.0 / rate_hz.max(f64::MIN_POSITIVE);
        // Ridge on the slope: jitter variance over the variance of the period, for a jitter of 5 ms.
        let slope_ridge = (0.005 / (RATE_SPREAD * period_s)).powi(2);
        Self {
            period_s,
            forget: 0.5_f64.powf(period_s / HALF_TIME_S),
            peak_forget: 0.5_f64.powf(period_s / PEAK_HALF_TIME_S),
            settle_samples: (settle_s * rate_hz).ceil().max(0.0) as u64,
            slope_ridge,
            fitted: 0,
            nominal_s: 0.0,
            s0: 0.0,
            s1: 0.0,
            s2: 0.0,
            b0: 0.0,
            b1: 0.0,
            last_raw_s: f64::NAN,
            in_burst: 0,
            smooth_s: f64::NAN,
            jitter_s: 0.0,
            peak_s: 0.0,
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

    /// Starts the fit anew after a flush or a resume. What is known of jitter stays, and so does the last
    /// stamp: what is missing in between is told by the next.
    pub fn restart(&mut self) {
        self.fitted = 0;
        self.in_burst = 0;
        (self.s0, self.s1, self.s2, self.b0, self.b1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    }

    /// Takes the stamp of the next sample, on this machine's clock, and when it arrived (not a number where
    /// nobody knows, as in a file).
    pub fn push(&mut self, raw_s: f64, arrived_s: f64) -> Stamp {
        if !raw_s.is_finite() {
            return self.without_stamp();
        }
        if self.exact {
            return self.as_it_is(raw_s);
        }
        let mut facts = Facts::NONE;
        let mut lost_before = 0;
        if self.started {
            let expected_s = self.expected_s();
            let off_line_s = raw_s - expected_s;
            let off_neighbour_s = raw_s - self.last_raw_s - f64::from(self.in_burst.max(1)) * self.period_s;
            let tolerance_s = self.tolerance_s();
            let same_burst = raw_s == self.last_raw_s;
            if !same_burst && off_line_s.abs() > tolerance_s && off_neighbour_s.abs() > tolerance_s {
                facts.insert(Facts::STAMP_JUMP);
                let lead_s = raw_s - arrived_s;
                // Samples that were lost do not make the next one earlier than it arrives. With an unknown
                // arrival the comparison is false and a loss is assumed.
                let clock_was_set = lead_s > self.lead_s + 0.5 * off_line_s;
                if off_line_s > 0.0 && !clock_was_set {
                    lost_before = (off_line_s / self.period_s).round().clamp(0.0, f64::from(u32::MAX)) as u32;
                }
                if lost_before > 0 {
                    facts.insert(Facts::GAP);
                } else {
                    self.lead_s += off_line_s;
                }
                if off_line_s < 0.0 {
                    self.smooth_s = f64::NAN;
                }
                // A late stamp that the next one takes back was jitter after all: remember its size.
                self.peak_s = self.peak_s.max(off_line_s.abs().min(UNKNOWN_TOLERANCE_S));
                self.restart();
            }
        }
        self.fit(raw_s);
        let lead_s = raw_s - arrived_s;
        if lead_s.is_finite() {
            self.lead_s = lead_s.max(self.lead_s - 1e-3 * self.period_s);
        }
        if self.fitted < self.settle_samples {
            facts.insert(Facts::UNSETTLED);
        }
        Stamp { smooth_s: self.smooth_s, facts, lost_before }
    }

    /// Whether enough data have been seen since the last start of the fit.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.fitted >= self.settle_samples
    }

    /// The rate that the stamps show, Hz; near the nominal one until data say otherwise.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        1.0 / (self.period_s + self.line().1)
    }

    /// Where the next stamp is expected, seconds.
    fn expected_s(&self) -> f64 {
        let (level, slope) = self.line();
        if self.fitted == 0 { self.smooth_or_raw_s() } else { self.nominal_s + self.period_s + level + slope }
    }

    /// After a restart there is no line yet: one period after the last stamp.
    fn smooth_or_raw_s(&self) -> f64 {
        (if self.smooth_s.is_finite() { self.smooth_s } else { self.last_raw_s }) + self.period_s
    }

    /// Level and slope of the line at the newest sample, relative to the nominal one.
    fn line(&self) -> (f64, f64) {
        let s2 = self.s2 + self.slope_ridge;
        let det = self.s0 * s2 - self.s1 * self.s1;
        if det > 0.0 {
            ((self.b0 * s2 - self.b1 * self.s1) / det, (self.s0 * self.b1 - self.s1 * self.b0) / det)
        } else {
            (0.0, 0.0)
        }
    }

    /// How far a stamp may depart, seconds.
    fn tolerance_s(&self) -> f64 {
        let seen_s = (8.0 * self.jitter_s).max(2.0 * self.peak_s).max(0.6 * self.period_s);
        let device_clock =
            self.settled() && self.jitter_s < 0.02 * self.period_s && self.peak_s < 0.25 * self.period_s;
        match (self.settled(), device_clock) {
            (_, true) => seen_s,
            (true, false) => seen_s.max(LOOSE_TOLERANCE_S),
            (false, false) => seen_s.max(UNKNOWN_TOLERANCE_S),
        }
    }

    fn fit(&mut self, raw_s: f64) {
        if self.fitted == 0 {
            self.nominal_s = raw_s;
        } else {
            let off_s = raw_s - self.expected_s();
            let weight = (1.0 / (self.fitted as f64)).max(1.0 - self.peak_forget);
            self.jitter_s += weight * (off_s.abs() - self.jitter_s);
            self.peak_s = (self.peak_s * self.peak_forget).max(off_s.abs());
            self.nominal_s += self.period_s;
            // The newest sample moves to x = 0: every past x becomes one less.
            self.s2 += self.s0 - 2.0 * self.s1;
            self.s1 -= self.s0;
            self.b1 -= self.b0;
            for sum in [&mut self.s0, &mut self.s1, &mut self.s2, &mut self.b0, &mut self.b1] {
                *sum *= self.forget;
            }
        }
        self.s0 += 1.0;
        self.b0 += raw_s - self.nominal_s;
        self.fitted += 1;
        self.in_burst = if raw_s == self.last_raw_s { self.in_burst.saturating_add(1) } else { 1 };
        self.last_raw_s = raw_s;
        self.started = true;
        let line_s = self.nominal_s + self.line().0;
        // Never two samples at one time, and never backwards: a tenth of a period is the least step.
        self.smooth_s =
            if self.smooth_s.is_finite() { line_s.max(self.smooth_s + 0.1 * self.period_s) } else { line_s };
    }

    /// A stamp that is true.
    fn as_it_is(&mut self, raw_s: f64) -> Stamp {
        let off_s = if self.started { raw_s - self.smooth_or_raw_s() } else { 0.0 };
        let mut stamp = Stamp { smooth_s: raw_s, facts: Facts::NONE, lost_before: 0 };
        if off_s.abs() > 0.5 * self.period_s {
            stamp.facts.insert(Facts::STAMP_JUMP);
            if off_s > 0.0 {
                stamp.lost_before = (off_s / self.period_s).round().clamp(1.0, f64::from(u32::MAX)) as u32;
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
        Stamp { smooth_s: self.smooth_s, facts, lost_before: 0 }
    }
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

//! The time of a recording that has stamps, looked at as a whole before the first sample is handed out: its true rate,
//! its gaps, and stamps that are even in between.
//!
//! Two passes over the stamps, in the memory of a few numbers: one learns the period (by the smoother of live streams),
//! one cuts the recording where samples are missing. Stamps that keep their period to a third of a sample are
//! authoritative and stay as they are; others (times written to 10 ms, one time a packet, jitter of a loaded machine) are
//! replaced by a straight line through each piece. Pieces are the only thing that grows, one a gap.

use super::{Place, RecordingError};
use crate::acquisition::dejitter::Dejitter;
use crate::acquisition::frame::Facts;
use crate::units::hz;
use std::path::Path;

/// Beyond this share a rate that is not the nominal one is told, and beyond the second refused.
const TOLD: f64 = 0.01;
const REFUSED: f64 = 0.05;
/// Stamps within this share of a period of where they should be are exact.
const EXACT: f64 = 0.3;
/// So many wild stamps among a thousand are theirs alone.
const WILD: f64 = 1e-3;
/// How much data the learning of the period wants.
const LEARN_S: f64 = 2.0;
/// Fewer stamps show no rate.
const FEWEST: u64 = 16;
/// Pieces beyond this are not cut any more.
const MOST_PIECES: usize = 1_000_000;

/// What the file and its user say of its rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stated {
    /// By the file.
    pub nominal_hz: Option<f64>,
    /// By the user.
    pub asked_hz: Option<f64>,
    /// A first guess, where nothing else is known.
    pub guess_hz: Option<f64>,
}

/// A run of samples without a gap.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    first: u64,
    start_s: f64,
}

/// The time of a recording.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// What counts.
    pub rate_hz: f64,
    /// What the stamps show; `None` where they are too few.
    pub measured_hz: Option<f64>,
    /// What a user should know.
    pub notes: Vec<String>,
    period_s: f64,
    /// Empty where stamps stay as they are.
    pieces: Vec<Piece>,
    at: usize,
    index: u64,
}

/// One piece while it is read: sums about its first sample.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    first: u64,
    first_s: f64,
    n: f64,
    x: f64,
    t: f64,
    xx: f64,
    xt: f64,
}

impl Sums {
    fn add(&mut self, index: u64, stamp_s: f64) {
        let (x, t) = ((index - self.first) as f64, stamp_s - self.first_s);
        // Means and co-moments, step by step: exact for hours.
        self.n += 1.0;
        let (dx, dt) = (x - self.x, t - self.t);
        self.x += dx / self.n;
        self.t += dt / self.n;
        self.xx += dx * (x - self.x);
        self.xt += dx * (t - self.t);
    }
}

impl Timeline {
    /// Looks at all stamps: `each` hands them out in order, each time it is called.
    pub(super) fn of(
        path: &Path,
        stated: Stated,
        mut each: impl FnMut(&mut dyn FnMut(f64)) -> Result<(), RecordingError>,
    ) -> Result<Self, RecordingError> {
        let refusal = |what: String| RecordingError::new(path, Place::File, what);
        let first_hz = stated.nominal_hz.or(stated.asked_hz).or(stated.guess_hz).unwrap_or(250.0);
        let mut clock = Dejitter::new(first_hz, LEARN_S);
        let (mut samples, mut first_s, mut last_s) = (0_u64, f64::NAN, f64::NAN);
        each(&mut |stamp_s| {
            clock.push(stamp_s, f64::NAN);
            if samples == 0 {
                first_s = stamp_s;
            }
            (samples, last_s) = (samples + 1, stamp_s);
        })?;
        clock.end();
        let span_s = last_s - first_s;
        let count_hz = (samples.saturating_sub(1)) as f64 / span_s;
        let learnt = clock.rate_is_known();
        let found_hz = if learnt { clock.rate_hz() } else { count_hz };
        let usable = samples >= FEWEST && found_hz.is_finite() && found_hz > 0.0 && span_s > 0.0;
        if !usable {
            let far =
                |asked_hz: f64| samples > 1 && span_s > 0.0 && (asked_hz / count_hz - 1.0).abs() > REFUSED;
            if let Some(asked_hz) = stated.asked_hz.filter(|asked_hz| far(*asked_hz)) {
                return Err(refusal(disagree(asked_hz, count_hz)));
            }
            return match stated
                .asked_hz
                .or(stated.nominal_hz)
                .or(Some(count_hz))
                .filter(|r| *r > 0.0 && r.is_finite())
            {
                Some(rate_hz) => Ok(Self::plain(rate_hz)),
                None => Err(refusal("its times do not ascend: state the sampling rate (--rate)".to_owned())),
            };
        }
        let mut cut =
            Cut::new(if learnt { clock.experienced() } else { Dejitter::new(found_hz, LEARN_S) }, found_hz);
        each(&mut |stamp_s| cut.push(stamp_s))?;
        let (measured_s, pieces) = cut.finish();
        let exact = pieces.is_empty();
        let scatter_s = clock.scatter_s();
        let measured_hz = nice(1.0 / measured_s, if exact { 0.0 } else { 2.0 * scatter_s / span_s });
        let mut timeline = Self {
            rate_hz: measured_hz,
            measured_hz: Some(measured_hz),
            period_s: measured_s,
            pieces,
            ..Self::plain(measured_hz)
        };
        timeline.settle_rate(stated).map_err(refusal)?;
        if !exact {
            timeline.notes.push(format!(
                "its times are not even (steps and jitter up to {:.1} ms): the rate is {} by their count over their \
                 span, and samples are spaced evenly between gaps",
                1e3 * (scatter_s + clock.largest_s()).max(1e-4),
                hz(timeline.measured_hz.unwrap_or(timeline.rate_hz))
            ));
        }
        Ok(timeline)
    }

    /// Of a file without stamps.
    pub(super) fn even(rate_hz: f64) -> Self {
        Self::plain(rate_hz)
    }

    /// Before the first sample again.
    pub(super) fn rewind(&mut self) {
        (self.at, self.index) = (0, 0);
    }

    fn plain(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            measured_hz: None,
            notes: Vec::new(),
            period_s: 1.0 / rate_hz,
            pieces: Vec::new(),
            at: 0,
            index: 0,
        }
    }

    /// Which rate counts: the user's where it fits, the nominal one where it is near, else what the stamps show.
    fn settle_rate(&mut self, stated: Stated) -> Result<(), String> {
        let measured_hz = self.rate_hz;
        let off = |rate_hz: f64| (rate_hz / measured_hz - 1.0).abs();
        if let Some(asked_hz) = stated.asked_hz {
            if off(asked_hz) > REFUSED {
                return Err(disagree(asked_hz, measured_hz));
            }
            if off(asked_hz) > TOLD {
                self.notes.push(format!(
                    "its times run at {}; {} was asked for and is taken",
                    hz(measured_hz),
                    hz(asked_hz)
                ));
            }
            self.rate_hz = asked_hz;
        } else if let Some(nominal_hz) = stated.nominal_hz {
            if off(nominal_hz) > REFUSED {
                return Err(format!(
                    "it says {} of itself, but its stamps run at {}: if they are right, --rate {}",
                    hz(nominal_hz),
                    hz(measured_hz),
                    (measured_hz * 1e3).round() / 1e3
                ));
            }
            if off(nominal_hz) > TOLD {
                self.notes.push(format!(
                    "it says {} of itself, but its stamps run at {}, which is taken",
                    hz(nominal_hz),
                    hz(measured_hz)
                ));
            } else {
                self.rate_hz = nominal_hz;
            }
        }
        Ok(())
    }

    /// The next sample's stamp, which is `written_s` in the file.
    pub(super) fn next_s(&mut self, written_s: f64) -> f64 {
        let index = self.index;
        self.index += 1;
        while self.pieces.get(self.at + 1).is_some_and(|piece| piece.first <= index) {
            self.at += 1;
        }
        match self.pieces.get(self.at) {
            Some(piece) => piece.start_s + (index - piece.first.min(index)) as f64 * self.period_s,
            None => written_s,
        }
    }
}

/// The second pass.
struct Cut {
    clock: Dejitter,
    period_s: f64,
    index: u64,
    last_s: f64,
    wild: u64,
    pieces: Vec<Sums>,
}

impl Cut {
    fn new(clock: Dejitter, rate_hz: f64) -> Self {
        let period_s = 1.0 / rate_hz;
        Self { clock, period_s, index: 0, last_s: f64::NAN, wild: 0, pieces: Vec::new() }
    }

    fn push(&mut self, stamp_s: f64) {
        let step_s = stamp_s - self.last_s;
        if step_s.is_finite() {
            let periods = (step_s / self.period_s).round();
            let even = periods >= 1.0 && (step_s - periods * self.period_s).abs() <= EXACT * self.period_s;
            self.wild += u64::from(!even);
        }
        self.last_s = stamp_s;
        let told = self.clock.push(stamp_s, f64::NAN);
        let begins = Sums { first: self.index, first_s: stamp_s, ..Sums::default() };
        if self.pieces.is_empty() {
            self.pieces.push(begins);
        } else if told.facts.intersects(Facts::BREAKS) && self.pieces.len() < MOST_PIECES {
            let since = u64::from(told.since);
            let mut next = Sums { first: self.index - since.min(self.index), ..begins };
            // Its first stamps went by before it was known to begin: the line is drawn by those to come.
            next.first_s = stamp_s - since as f64 * self.period_s;
            self.pieces.push(next);
        }
        if !told.facts.intersects(Facts::LATE)
            && let Some(piece) = self.pieces.last_mut()
        {
            piece.add(self.index, stamp_s);
        }
        self.index += 1;
    }

    /// The period, and the pieces; none where the stamps are exact.
    fn finish(self) -> (f64, Vec<Piece>) {
        let (xx, xt) = self.pieces.iter().fold((0.0, 0.0), |(xx, xt), piece| (xx + piece.xx, xt + piece.xt));
        let period_s = if xx > 0.0 && xt > 0.0 { xt / xx } else { self.period_s };
        if self.wild as f64 <= WILD * self.index as f64 {
            return (period_s, Vec::new());
        }
        let piece =
            |sums: &Sums| Piece { first: sums.first, start_s: sums.first_s + sums.t - period_s * sums.x };
        (period_s, self.pieces.iter().map(piece).collect())
    }
}

fn disagree(asked_hz: f64, measured_hz: f64) -> String {
    let (asked, measured) = (hz(asked_hz), hz(measured_hz));
    format!(
        "a rate of {asked} was asked for, but its times run at {measured}: leave the rate out, or correct it"
    )
}

/// A whole number of hertz where the rate is that within 100 ppm, or within what the stamps can tell.
fn nice(rate_hz: f64, unsure: f64) -> f64 {
    let whole_hz = rate_hz.round();
    if whole_hz > 0.0 && (rate_hz / whole_hz - 1.0).abs() < 1e-4 + unsure { whole_hz } else { rate_hz }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn timeline(stamps: &[f64], stated: Stated) -> Result<Timeline, RecordingError> {
        Timeline::of(Path::new("x"), stated, |each| {
            stamps.iter().for_each(|stamp_s| each(*stamp_s));
            Ok(())
        })
    }

    /// Samples missing by the stamps that are handed out.
    fn lost(timeline: &mut Timeline, stamps: &[f64]) -> Vec<(usize, i64)> {
        let given: Vec<f64> = stamps.iter().map(|s| timeline.next_s(*s)).collect();
        let step = |(k, pair): (usize, &[f64])| match pair {
            [a, b] => (k + 1, ((b - a) * timeline.rate_hz).round() as i64 - 1),
            _ => (k, 0),
        };
        given.windows(2).enumerate().map(step).filter(|(_, lost)| *lost != 0).collect()
    }

    fn noise(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    #[test]
    fn coarse_times_have_their_true_rate() {
        for (rate_hz, step_s, seconds) in [
            (250.0, 0.01, 10.0),
            (512.0, 0.01, 10.0),
            (1000.0, 0.01, 10.0),
            (128.0, 0.01, 30.0),
            (500.0, 0.001, 10.0),
            (256.0, 0.1, 30.0),
            (512.0, 0.001, 10.0),
        ] {
            for floor in [false, true] {
                let coarse = |k: u32| {
                    let in_steps = f64::from(k) / rate_hz / step_s;
                    (if floor { in_steps.floor() } else { in_steps.round() }) * step_s
                };
                let stamps: Vec<f64> = (0..(rate_hz * seconds) as u32).map(coarse).collect();
                let mut found =
                    timeline(&stamps, Stated { guess_hz: Some(1.0 / step_s), ..Stated::default() }).unwrap();
                assert_eq!(found.rate_hz, rate_hz, "{rate_hz} Hz in steps of {step_s} s");
                assert_eq!(lost(&mut found, &stamps), [], "{rate_hz} Hz in steps of {step_s} s");
            }
        }
    }

    #[test]
    fn jitter_is_no_gap_from_the_first_sample_on() {
        for jitter_s in [0.0005, 0.001, 0.002, 0.004] {
            let mut seed = 4;
            let stamps: Vec<f64> = (0..2500)
                .map(|k| 1000.0 + f64::from(k) / 250.0 + 2.0 * jitter_s * noise(&mut seed))
                .collect();
            let mut found =
                timeline(&stamps, Stated { nominal_hz: Some(250.0), ..Stated::default() }).unwrap();
            assert_eq!(lost(&mut found, &stamps), [], "{jitter_s} s");
            assert!((found.measured_hz.unwrap() - 250.0).abs() < 0.1);
        }
    }

    #[test]
    fn gaps_are_cut_where_they_are_whatever_the_stamps() {
        for (rate_hz, every, missing) in
            [(250.0, 500, 10), (250.0, 500, 4), (500.0, 500, 50), (128.0, 200, 20), (1000.0, 300, 6)]
        {
            for kind in ["exact", "milliseconds", "jitter", "coarse"] {
                let mut seed = 9;
                let (mut stamps, mut truth) = (Vec::new(), Vec::new());
                for k in 0..(30.0 * rate_hz) as u32 {
                    if k % every >= every - missing {
                        continue;
                    }
                    if k > 0 && k % every == 0 {
                        truth.push((stamps.len(), i64::from(missing)));
                    }
                    let at_s = f64::from(k) / rate_hz;
                    stamps.push(match kind {
                        "exact" => at_s,
                        "milliseconds" => (at_s * 1000.0).round() / 1000.0,
                        "jitter" => at_s + 0.25 / rate_hz * noise(&mut seed),
                        _ => (at_s * rate_hz / 2.5).round() * 2.5 / rate_hz,
                    });
                }
                let mut found =
                    timeline(&stamps, Stated { guess_hz: Some(rate_hz), ..Stated::default() }).unwrap();
                assert_eq!(found.rate_hz, rate_hz, "{rate_hz} Hz, {kind}");
                let got = lost(&mut found, &stamps);
                let same = got.len() == truth.len()
                    && got.iter().zip(&truth).all(|(a, b)| a.0.abs_diff(b.0) <= 5 && a.1 == b.1);
                assert!(same, "{rate_hz} Hz, {missing} of {every}, {kind}: {got:?} for {truth:?}");
            }
        }
    }

    #[test]
    fn the_rate_that_counts_is_said() {
        let stamps: Vec<f64> = (0..2500).map(|k| f64::from(k) / 250.0).collect();
        let of = |nominal_hz, asked_hz| timeline(&stamps, Stated { nominal_hz, asked_hz, guess_hz: None });
        let refused = of(Some(500.0), None).unwrap_err().to_string();
        assert!(refused.contains("says 500 Hz") && refused.contains("--rate 250"), "{refused}");
        let found = of(Some(500.0), Some(250.0)).unwrap();
        assert_eq!((found.rate_hz, found.measured_hz), (250.0, Some(250.0)));
        let found = of(Some(256.0), None).unwrap();
        assert!(found.rate_hz == 250.0 && found.notes.join("").contains("says 256 Hz"), "{:?}", found.notes);
        let found = of(Some(250.5), None).unwrap();
        assert!(found.rate_hz == 250.5 && found.notes.is_empty());
        let refused = of(None, Some(1000.0)).unwrap_err().to_string();
        assert!(refused.contains("1000 Hz was asked for, but its times run at 250 Hz"), "{refused}");
    }
}

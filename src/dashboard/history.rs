//! Exponents over minutes and hours: for each time span a ring of slices of fixed size, so that half a day costs no more
//! than two minutes.

use super::panels::ExponentPoint;

/// The time spans that can be looked at, in s: 2 and 10 min, 1, 4 and 12 h.
pub const SPANS_S: [f64; 5] = [120.0, 600.0, 3_600.0, 14_400.0, 43_200.0];
/// Slices of a span.
const SLICES: usize = 240;

/// What fell into one slice of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slice {
    sum: f64,
    clean: u32,
    /// Smallest and largest of the clean ones.
    low: f64,
    high: f64,
    others: u32,
}

impl Slice {
    /// Mean of the clean ones, where there are any.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.clean > 0).then(|| self.sum / f64::from(self.clean))
    }

    /// Smallest and largest of the clean ones, where there are any.
    #[must_use]
    pub fn extent(&self) -> Option<(f64, f64)> {
        (self.clean > 0).then_some((self.low, self.high))
    }

    /// Whether there were estimates, none of them valid and clean.
    #[must_use]
    pub fn only_invalid(&self) -> bool {
        self.clean == 0 && self.others > 0
    }

    fn add(&mut self, point: &ExponentPoint) {
        if !(point.is_clean() && point.exponent.is_finite()) {
            self.others = self.others.saturating_add(1);
            return;
        }
        let value = point.exponent;
        (self.low, self.high) =
            if self.clean == 0 { (value, value) } else { (self.low.min(value), self.high.max(value)) };
        self.sum += value;
        self.clean = self.clean.saturating_add(1);
    }
}

/// One span.
#[derive(Clone, Debug)]
struct Ring {
    slice_s: f64,
    slices: Vec<Slice>,
    /// Number of the newest slice since stamp 0.
    newest: Option<i64>,
}

impl Ring {
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "float casts saturate")]
    fn push(&mut self, point: &ExponentPoint) {
        let at = (point.stamp_s / self.slice_s).floor() as i64;
        let length = self.slices.len() as i64;
        match self.newest {
            Some(newest) if at > newest && at.saturating_sub(newest) < length => {
                for slice in newest + 1..=at {
                    self.at(slice).iter_mut().for_each(|slot| **slot = Slice::default());
                }
                self.newest = Some(at);
            }
            // A little late: it counts for the slice that it belongs to.
            Some(newest) if at <= newest && newest.saturating_sub(at) < length => {}
            _ => {
                self.slices.fill(Slice::default());
                self.newest = Some(at);
            }
        }
        if let Some(slot) = self.at(at) {
            slot.add(point);
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "a remainder"
    )]
    fn at(&mut self, slice: i64) -> Option<&mut Slice> {
        let slot = slice.rem_euclid(self.slices.len().max(1) as i64) as usize;
        self.slices.get_mut(slot)
    }
}

/// The recent past and the distant one.
#[derive(Clone, Debug)]
pub struct History {
    rings: Vec<Ring>,
}

impl Default for History {
    #[allow(clippy::cast_precision_loss, reason = "a few hundred slices")]
    fn default() -> Self {
        let ring = |span_s: f64| Ring {
            slice_s: span_s / SLICES as f64,
            slices: vec![Slice::default(); SLICES],
            newest: None,
        };
        Self { rings: SPANS_S.into_iter().map(ring).collect() }
    }
}

impl History {
    /// Adds an estimate to every span. One without a time is left out.
    pub fn push(&mut self, point: &ExponentPoint) {
        if point.stamp_s.is_finite() {
            self.rings.iter_mut().for_each(|ring| ring.push(point));
        }
    }

    /// The slices of a span, by its index in [`SPANS_S`], oldest first.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "a remainder"
    )]
    pub fn slices(&self, span: usize) -> impl Iterator<Item = Slice> + '_ {
        let ring = self.rings.get(span);
        let length = ring.map_or(0, |ring| ring.slices.len());
        let first = ring
            .and_then(|ring| ring.newest)
            .map_or(0, |newest| newest.wrapping_add(1).rem_euclid(length.max(1) as i64) as usize);
        (0..length).filter_map(move |i| ring.and_then(|ring| ring.slices.get((first + i) % length)).copied())
    }

    /// Standard deviation of the last minute's slices: how far a number wanders, where its method states no error.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a few hundred slices")]
    pub fn minute_sd(&self) -> Option<f64> {
        let all: Vec<Slice> = self.slices(0).collect();
        let minute = all.iter().skip(all.len() / 2).filter_map(Slice::mean);
        let values: Vec<f64> = minute.collect();
        if values.len() < 5 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        Some((squares / (values.len() - 1) as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimator::{Contamination, Reason};

    fn point(stamp_s: f64, exponent: f64, invalid: Option<Reason>) -> ExponentPoint {
        ExponentPoint { stamp_s, exponent, se: 0.05, invalid, contamination: Contamination::Clean }
    }

    #[test]
    fn every_span_holds_means_of_its_slices_and_forgets_what_is_older() {
        let mut history = History::default();
        for second in 0..4_000_u32 {
            history.push(&point(f64::from(second), f64::from(second), None));
        }
        // 10 min in 240 slices of 2.5 s: the newest holds 3997.5.. on, the oldest ten minutes before.
        let slices: Vec<Slice> = history.slices(1).collect();
        assert_eq!(slices.len(), 240);
        assert_eq!(slices.last().and_then(Slice::extent), Some((3_998.0, 3_999.0)));
        assert_eq!(slices.first().and_then(Slice::extent), Some((3_400.0, 3_402.0)));
        // An hour in slices of 15 s, all filled; four hours, the first quarter-used.
        assert!(history.slices(2).all(|slice| slice.mean().is_some()));
        assert_eq!(history.slices(3).filter(|slice| slice.mean().is_some()).count(), 67);
    }

    #[test]
    fn a_gap_and_what_is_invalid_give_no_mean() {
        let mut history = History::default();
        history.push(&point(10.0, 1.5, None));
        history.push(&point(20.0, f64::NAN, Some(Reason::PoorFit)));
        let slices: Vec<Slice> = history.slices(0).collect();
        assert_eq!(slices.iter().filter(|slice| slice.mean().is_some()).count(), 1);
        assert_eq!(slices.iter().filter(|slice| slice.only_invalid()).count(), 1);
        assert_eq!(history.minute_sd(), None);
    }

    #[test]
    fn wild_stamps_do_no_harm() {
        let mut history = History::default();
        for stamp_s in [0.0, 1e300, -1e300, f64::NAN, f64::INFINITY, 3.0] {
            history.push(&point(stamp_s, 1.0, None));
        }
        assert_eq!(history.slices(0).filter(|slice| slice.mean().is_some()).count(), 1);
    }
}

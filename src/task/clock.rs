//! The page's clock against this program's: offsets as the page finds them by its quickest round trips.

/// How long an offset is used, s: the page sends one every second, and both clocks are of one machine.
const FRESH_S: f64 = 5.0;

/// What is known of the page's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct PageClock {
    best: Option<Offset>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offset {
    /// Program's clock minus page's clock, s.
    pub offset_s: f64,
    /// The round trip it comes from, ms.
    pub trip_ms: f64,
    /// When it was told, program's clock.
    pub told_s: f64,
}

impl PageClock {
    /// Takes a measurement. Half a round trip is the most that an offset can be wrong by, so one of more than twice the
    /// last one's (and half a millisecond) only replaces an old one.
    pub fn take(&mut self, new: Offset) {
        if !(new.offset_s.is_finite() && new.trip_ms.is_finite() && new.trip_ms >= 0.0) {
            return;
        }
        let keep = self
            .best
            .is_some_and(|old| new.told_s - old.told_s < FRESH_S && new.trip_ms > 2.0 * old.trip_ms + 0.5);
        if !keep {
            self.best = Some(new);
        }
    }

    /// The offset in use.
    #[must_use]
    pub fn offset(&self) -> Option<Offset> {
        self.best
    }

    /// A page's stamp in ms on this program's clock; `None` before the first measurement.
    #[must_use]
    pub fn stamp_s(&self, page_ms: f64) -> Option<f64> {
        self.best.map(|o| page_ms / 1_000.0 + o.offset_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_round_trips_do_not_replace_quick_ones_until_those_are_old() {
        let mut clock = PageClock::default();
        assert_eq!(clock.stamp_s(5.0), None);
        let offset = |offset_s, trip_ms, told_s| Offset { offset_s, trip_ms, told_s };
        clock.take(offset(100.0, 0.5, 1.0));
        clock.take(offset(100.2, 300.0, 2.0));
        assert_eq!(clock.stamp_s(1_500.0), Some(101.5));
        clock.take(offset(100.0001, 0.7, 3.0));
        assert_eq!(clock.offset().map(|o| o.offset_s), Some(100.0001));
        clock.take(offset(100.2, 300.0, 9.0));
        assert_eq!(clock.offset().map(|o| o.offset_s), Some(100.2));
        clock.take(offset(f64::NAN, 0.1, 10.0));
        assert_eq!(clock.offset().map(|o| o.offset_s), Some(100.2));
    }
}

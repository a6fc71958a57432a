//! When sample k is due: at start + k / rate, by the monotonic clock that LSL stamps with.
//!
//! Deadlines are computed from k, never from the deadline before, so nothing adds up: after an hour the only
//! error is that of one floating-point division. Waking up late delays one sample, not those after it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest sleep between two looks at the stop flag.
const PATIENCE_S: f64 = 0.05;

/// A clock and a way to wait: the real one is [`LslClock`].
pub trait Clock {
    /// Seconds of the monotonic clock.
    fn now_s(&self) -> f64;
    /// Lets about `seconds` pass.
    fn sleep(&self, seconds: f64);
}

/// LSL's clock, which is the machine's monotonic one.
#[derive(Clone, Copy, Debug, Default)]
pub struct LslClock;

impl Clock for LslClock {
    fn now_s(&self) -> f64 {
        crate::clock::now_s()
    }

    fn sleep(&self, seconds: f64) {
        std::thread::sleep(Duration::from_secs_f64(seconds.max(0.0)));
    }
}

/// When sample `index` is due.
#[must_use]
pub fn due_s(start_s: f64, rate_hz: f64, index: u64) -> f64 {
    start_s + index as f64 / rate_hz
}

/// Waits until `deadline_s`; one that is not a number has passed. `false` where `stop` was set before.
pub fn wait_until(clock: &impl Clock, deadline_s: f64, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left_s = deadline_s - clock.now_s();
        if left_s.is_nan() || left_s <= 0.0 {
            return true;
        }
        clock.sleep(left_s.min(PATIENCE_S));
    }
}

/// How late samples left, for the closing line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lateness {
    count: u64,
    sum_s: f64,
    /// The most that a sample was late, in seconds.
    pub worst_s: f64,
}

impl Lateness {
    /// Notes that a sample due at `deadline_s` left at `now_s`.
    pub fn note(&mut self, deadline_s: f64, now_s: f64) {
        let late_s = now_s - deadline_s;
        self.count += 1;
        self.sum_s += late_s;
        self.worst_s = self.worst_s.max(late_s);
    }

    /// Mean lateness in seconds.
    #[must_use]
    pub fn mean_s(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum_s / self.count as f64 }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;

    /// A clock whose every sleep takes longer than asked, by a pattern.
    struct Sluggish {
        now_s: Cell<f64>,
        naps: Cell<u64>,
    }

    impl Clock for Sluggish {
        fn now_s(&self) -> f64 {
            self.now_s.set(self.now_s.get() + 3e-7);
            self.now_s.get()
        }
        fn sleep(&self, seconds: f64) {
            let nap = self.naps.get();
            self.naps.set(nap + 1);
            let late = if nap.is_multiple_of(977) { 20e-3 } else { 75e-6 };
            self.now_s.set(self.now_s.get() + seconds + late);
        }
    }

    #[test]
    fn an_hour_of_late_wake_ups_does_not_add_up() {
        // 128 Hz and 1000 / 3 Hz for an hour, every wake-up 75 us late, every 977th 20 ms: a loop that slept
        // 1 / rate after each sample would be 35 s and 90 s behind.
        for rate_hz in [128.0, 1000.0 / 3.0] {
            let clock = Sluggish { now_s: Cell::new(54_321.0), naps: Cell::new(1) };
            let start_s = 54_321.5;
            let stop = AtomicBool::new(false);
            let samples = (3600.0 * rate_hz) as u64;
            let mut lateness = Lateness::default();
            for index in 0..samples {
                let due = due_s(start_s, rate_hz, index);
                assert!(wait_until(&clock, due, &stop));
                lateness.note(due, clock.now_s());
            }
            let drift_s = clock.now_s() - due_s(start_s, rate_hz, samples - 1);
            assert!(drift_s < 1e-3, "behind by {drift_s} s after an hour");
            assert!(lateness.worst_s < 0.0211 && lateness.mean_s() < 1e-3, "{lateness:?}");
        }
    }

    proptest! {
        #[test]
        fn deadlines_are_exact_to_a_microsecond(start in 0.0..1e7_f64, rate in 1u32..20_000, hours in 1u64..48) {
            let index = u64::from(rate) * 3600 * hours + u64::from(rate) / 2;
            let exact_s = 3600.0 * hours as f64 + f64::from(rate / 2) / f64::from(rate);
            let error_s = due_s(start, f64::from(rate), index) - start - exact_s;
            prop_assert!(error_s.abs() < 1e-6, "{}", error_s);
        }
    }

    #[test]
    fn a_stop_ends_the_wait() {
        assert!(!wait_until(&LslClock, f64::INFINITY, &AtomicBool::new(true)));
        assert!(wait_until(&LslClock, f64::NAN, &AtomicBool::new(false)));
    }
}

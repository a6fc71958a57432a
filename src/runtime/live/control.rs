//! The few words that the threads of a run share: stop now, end, are you alive.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::{acquisition::state::StreamState, child::bell::Bell};

/// Without a sign of life for this long, the loop counts as frozen and its stimulation ends.
pub const FROZEN_AFTER_S: f64 = 0.25;

/// Shared by all threads of a run; every access is one atomic word.
#[derive(Debug, Default)]
pub struct Control {
    /// Rung when frames may wait for the loop.
    pub loop_bell: Bell,
    /// Rung when an estimate waits for the observer.
    pub observe_bell: Bell,
    /// The operator stopped stimulation; acquisition goes on.
    stop: AtomicBool,
    /// The run is to end: current to zero first.
    end: AtomicBool,
    /// The current is zero and the device disarmed: nothing is left to wait for.
    safe: AtomicBool,
    /// Do not wait for a ramp.
    cut: AtomicBool,
    /// Threads return.
    quit: AtomicBool,
    /// The plan is done.
    done: AtomicBool,
    stream: AtomicU8,
    /// Bits of an `f64`: seconds of stimulation in this run.
    active_s: AtomicU64,
    /// Bits of an `f64`: when the loop last went round.
    loop_beat_s: AtomicU64,
}

macro_rules! flag {
    ($set:ident, $get:ident, $field:ident, $doc:literal) => {
        #[doc = $doc]
        pub fn $set(&self) {
            self.$field.store(true, Ordering::SeqCst);
        }

        /// Whether that was said.
        #[must_use]
        pub fn $get(&self) -> bool {
            self.$field.load(Ordering::SeqCst)
        }
    };
}

impl Control {
    flag!(stop_stimulation, stopped, stop, "Stimulation ends at once, and does not begin again in this run.");
    flag!(end_run, ending, end, "The run ends: first the current, then the threads.");
    flag!(report_safe, is_safe, safe, "The stimulate thread: no current flows and the device is disarmed.");
    flag!(cut_current, cuts, cut, "Zero now, without a ramp: someone has asked twice.");
    flag!(quit, quits, quit, "All threads return.");
    flag!(report_done, is_done, done, "The loop: the plan is done.");

    /// The acquire thread: what has become of the stream.
    pub fn set_stream(&self, state: StreamState) {
        self.stream.store(state as u8, Ordering::Relaxed);
    }

    /// What has become of the stream.
    #[must_use]
    pub fn stream(&self) -> StreamState {
        match self.stream.load(Ordering::Relaxed) {
            1 => StreamState::Live,
            2 => StreamState::Lost,
            3 => StreamState::Ended,
            _ => StreamState::Waiting,
        }
    }

    /// The stimulate thread: seconds with current in this run.
    pub fn set_active_s(&self, active_s: f64) {
        self.active_s.store(active_s.to_bits(), Ordering::Relaxed);
    }

    /// Seconds with current in this run.
    #[must_use]
    pub fn active_s(&self) -> f64 {
        f64::from_bits(self.active_s.load(Ordering::Relaxed))
    }

    /// The loop: it has gone round.
    pub fn beat(&self, now_s: f64) {
        self.loop_beat_s.store(now_s.to_bits(), Ordering::Relaxed);
    }

    /// Whether the loop has gone round lately. The device's heartbeat depends on it: a frozen loop must not
    /// keep a current alive.
    #[must_use]
    pub fn loop_alive(&self, now_s: f64) -> bool {
        now_s - f64::from_bits(self.loop_beat_s.load(Ordering::Relaxed)) < FROZEN_AFTER_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_the_stream_comes_through() {
        let control = Control::default();
        for state in [StreamState::Waiting, StreamState::Live, StreamState::Lost, StreamState::Ended] {
            control.set_stream(state);
            assert_eq!(control.stream(), state);
        }
    }

    #[test]
    fn a_loop_that_stops_beating_is_noticed() {
        let control = Control::default();
        control.beat(10.0);
        assert!(control.loop_alive(10.2));
        assert!(!control.loop_alive(10.3));
    }
}

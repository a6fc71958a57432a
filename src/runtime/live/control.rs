//! The few words that the threads of a run share: stop now, end, are you alive.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::{
    acquisition::state::StreamState,
    child::bell::Bell,
    runtime::{ended::EndedBy, observation::Halt},
};

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
    /// The current of the block that runs ends at once; a session by a protocol says when the next one begins.
    pause: AtomicBool,
    /// The run is to end, current to zero first: [`EndedBy::code`] of why.
    end: AtomicU8,
    /// The current is zero and the device disarmed: nothing is left to wait for.
    safe: AtomicBool,
    /// Do not wait for a ramp.
    cut: AtomicBool,
    /// Threads return.
    quit: AtomicBool,
    /// The plan is done.
    done: AtomicBool,
    stream: AtomicU8,
    /// Bits of an `f64`: the rate that windows are cut by where it is not the stream's own word, in Hz; or 0.
    rate_hz: AtomicU64,
    /// Bits of an `f64`: seconds of stimulation in this run.
    active_s: AtomicU64,
    /// Bits of an `f64`: when the loop last went round.
    loop_beat_s: AtomicU64,
    /// The same of the threads that are watched.
    beats_s: [AtomicU64; Watched::ALL.len()],
    /// Bits of `f64`: how far this run may go by the day's limit, and how much of it the ledger has confirmed, in s.
    daily_left_s: AtomicU64,
    ledger_s: AtomicU64,
    has_ledger: AtomicBool,
}

/// A thread whose stall or death ends the current softly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Keeps the time that the run may take.
    Main,
    /// Passes on everything that is shown and recorded.
    Observer,
    /// Writes the recording.
    Recorder,
}

impl Watched {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Main, Self::Observer, Self::Recorder];

    /// As an operator reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Main => "the main thread",
            Self::Observer => "the observer",
            Self::Recorder => "the recorder",
        }
    }

    /// Without a sign of life for so long it has stalled, in s. A disk may take a while.
    fn stalled_after_s(self) -> f64 {
        match self {
            Self::Main | Self::Observer => 3.0,
            Self::Recorder => 10.0,
        }
    }
}

/// Seconds of current that may be unconfirmed by the ledger: it is written every 5 s, and a write may take 10.
const UNCONFIRMED_S: f64 = 15.0;

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
    flag!(report_safe, is_safe, safe, "The stimulate thread: no current flows and the device is disarmed.");
    flag!(cut_current, cuts, cut, "Zero now, without a ramp: someone has asked twice.");
    flag!(quit, quits, quit, "All threads return.");
    flag!(report_done, is_done, done, "The loop: the plan is done.");

    /// The run ends: first the current, then the threads. What is said first is why.
    pub fn end_run(&self, by: EndedBy) {
        // Said already: nothing to add.
        let _ = self.end.compare_exchange(0, by.code(), Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Whether that was said, and why.
    #[must_use]
    pub fn ended_by(&self) -> Option<EndedBy> {
        EndedBy::from_code(self.end.load(Ordering::SeqCst))
    }

    /// Whether that was said.
    #[must_use]
    pub fn ending(&self) -> bool {
        self.ended_by().is_some()
    }

    /// Why nothing starts any more, where someone has said so.
    #[must_use]
    pub fn halts(&self) -> Option<Halt> {
        let ends = self.ended_by().map(Halt::Ends);
        if self.stopped() { Some(Halt::Operator) } else { ends }
    }

    /// The current ends at once; others may follow.
    pub fn pause(&self) {
        self.pause.store(true, Ordering::SeqCst);
    }

    /// Whether [`Control::pause`] was said since this was last asked.
    pub fn take_pause(&self) -> bool {
        self.pause.swap(false, Ordering::SeqCst)
    }

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

    /// The loop: windows are cut by this rate from here on, in Hz.
    pub fn set_rate(&self, rate_hz: f64) {
        self.rate_hz.store(rate_hz.to_bits(), Ordering::Release);
    }

    /// That rate, where it is not what the stream says of itself.
    #[must_use]
    pub fn rate_hz(&self) -> Option<f64> {
        Some(f64::from_bits(self.rate_hz.load(Ordering::Acquire))).filter(|rate_hz| *rate_hz > 0.0)
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

    /// A watched thread: it lives.
    pub fn beat_of(&self, thread: Watched, now_s: f64) {
        if let Some(beat) = self.beats_s.get(thread as usize) {
            beat.store(now_s.to_bits(), Ordering::Relaxed);
        }
    }

    /// The watched thread that has stalled or died, if one has: one that never lived is not watched.
    #[must_use]
    pub fn stalled(&self, now_s: f64) -> Option<Watched> {
        Watched::ALL.into_iter().find(|&thread| {
            let bits = self.beats_s.get(thread as usize).map_or(0, |beat| beat.load(Ordering::Relaxed));
            bits != 0 && now_s - f64::from_bits(bits) > thread.stalled_after_s()
        })
    }

    /// The ledger: how far this run may go, and how much of it is on disk, in s.
    pub fn set_ledger(&self, left_s: f64, confirmed_s: f64) {
        self.daily_left_s.store(left_s.to_bits(), Ordering::Relaxed);
        self.ledger_s.store(confirmed_s.to_bits(), Ordering::Relaxed);
        self.has_ledger.store(true, Ordering::Release);
    }

    /// Whether the day's limit is reached, or the ledger no longer keeps up.
    #[must_use]
    pub fn daily(&self, active_s: f64) -> Option<Halt> {
        if !self.has_ledger.load(Ordering::Acquire) {
            return None;
        }
        let of = |word: &AtomicU64| f64::from_bits(word.load(Ordering::Relaxed));
        if active_s > of(&self.daily_left_s) {
            Some(Halt::DailyLimit(active_s))
        } else {
            (active_s - of(&self.ledger_s) > UNCONFIRMED_S).then_some(Halt::Ledger)
        }
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
    fn a_thread_that_stalls_and_a_ledger_that_does_not_confirm_are_noticed() {
        let control = Control::default();
        assert_eq!((control.stalled(1e6), control.daily(1e6)), (None, None));
        control.beat_of(Watched::Recorder, 10.0);
        control.beat_of(Watched::Observer, 15.0);
        assert_eq!(control.stalled(17.9), None);
        assert_eq!(control.stalled(18.1), Some(Watched::Observer));
        control.beat_of(Watched::Observer, 20.0);
        assert_eq!(control.stalled(20.1), Some(Watched::Recorder));
        control.set_ledger(60.0, 5.0);
        assert_eq!(control.daily(19.9), None);
        assert_eq!(control.daily(20.1), Some(Halt::Ledger));
        control.set_ledger(60.0, 59.0);
        assert_eq!(control.daily(60.5), Some(Halt::DailyLimit(60.5)));
    }

    #[test]
    fn a_loop_that_stops_beating_is_noticed() {
        let control = Control::default();
        control.beat(10.0);
        assert!(control.loop_alive(10.2));
        assert!(!control.loop_alive(10.3));
    }
}

//! Does current flow? Written by the stimulate stage, read by the loop for every frame.
//!
//! The rule never to estimate one's own stimulus hangs on this: it says "flowing" before the first sample
//! of a burst is queued, and "zero" only when the device itself has reported zero.

// The tests run every interleaving of the two threads.
#[cfg(test)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(test))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tras_estimator::{Contamination, frame::FrameHeader};

/// Whether current flows, and since when it does not. Lock-free, shared by two threads.
#[derive(Debug)]
pub struct CurrentWatch {
    flowing: AtomicBool,
    /// Bits of an `f64`: the stamp at which the device last reported that the current had become zero.
    zero_since_s: AtomicU64,
}

impl Default for CurrentWatch {
    /// No current, ever.
    fn default() -> Self {
        Self { flowing: AtomicBool::new(false), zero_since_s: AtomicU64::new(f64::NEG_INFINITY.to_bits()) }
    }
}

impl CurrentWatch {
    /// A burst is about to be queued.
    pub fn begin(&self) {
        self.flowing.store(true, Ordering::SeqCst);
    }

    /// The device has reported zero current, at `at_s`.
    pub fn end(&self, at_s: f64) {
        if self.flowing.load(Ordering::SeqCst) {
            self.zero_since_s.store(at_s.to_bits(), Ordering::SeqCst);
            self.flowing.store(false, Ordering::SeqCst);
        }
    }

    /// Whether a burst is out.
    #[must_use]
    pub fn flowing(&self) -> bool {
        self.flowing.load(Ordering::SeqCst)
    }

    /// What a frame has seen, by its stamp and by its arrival, the worse of the two: a sender may stamp what it likes.
    #[must_use]
    pub fn contamination_of(&self, header: &FrameHeader, blind_gap_s: f64) -> Contamination {
        let by_stamp = self.contamination(header.stamp_s, blind_gap_s);
        by_stamp.max(self.contamination(header.arrived_s, blind_gap_s))
    }

    /// What a frame stamped `stamp_s` has seen. A frame that is late by the stream's own delay counts as
    /// taken under current: the doubt goes against using it.
    #[must_use]
    pub fn contamination(&self, stamp_s: f64, blind_gap_s: f64) -> Contamination {
        // In this order: a burst that ends between the two looks has written when before it says that it ended.
        // The other way round its last frames would pass for clean.
        let flowing = self.flowing();
        let zero_since_s = f64::from_bits(self.zero_since_s.load(Ordering::SeqCst));
        if flowing || stamp_s < zero_since_s {
            Contamination::Stimulating
        } else if stamp_s < zero_since_s + blind_gap_s || stamp_s.is_nan() {
            Contamination::Settling
        } else {
            Contamination::Clean
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use loom::sync::Arc;

    #[test]
    fn a_stamp_that_runs_ahead_does_not_shorten_the_blind_gap() {
        loom::model(|| {
            let watch = CurrentWatch::default();
            watch.begin();
            watch.end(100.0);
            let at = |stamp_s, arrived_s| {
                watch.contamination_of(&FrameHeader { stamp_s, arrived_s, ..FrameHeader::default() }, 2.0)
            };
            assert_eq!(at(106.0, 101.0), Contamination::Settling);
            assert_eq!(at(99.0, 103.0), Contamination::Stimulating);
            assert_eq!(at(102.5, 102.6), Contamination::Clean);
        });
    }

    #[test]
    fn clean_only_after_the_blind_gap() {
        loom::model(|| {
            let watch = CurrentWatch::default();
            let at = |stamp_s| watch.contamination(stamp_s, 2.0);
            assert_eq!(at(-1e9), Contamination::Clean);
            watch.begin();
            assert_eq!([at(0.0), at(1e9)], [Contamination::Stimulating; 2]);
            watch.end(100.0);
            assert_eq!(at(99.9), Contamination::Stimulating);
            assert_eq!(at(101.9), Contamination::Settling);
            assert_eq!(at(102.0), Contamination::Clean);
            assert_eq!(at(f64::NAN), Contamination::Settling);
            // A device that goes on reporting zero does not move the moment.
            watch.end(500.0);
            assert_eq!(at(102.0), Contamination::Clean);
        });
    }

    #[test]
    fn a_frame_under_current_is_never_clean_however_the_burst_ends_meanwhile() {
        loom::model(|| {
            let watch = Arc::new(CurrentWatch::default());
            watch.begin();
            let stimulate = Arc::clone(&watch);
            let thread = loom::thread::spawn(move || {
                stimulate.end(100.0);
                stimulate.begin();
                stimulate.end(200.0);
            });
            assert_eq!(watch.contamination(99.0, 2.0), Contamination::Stimulating);
            assert_ne!(watch.contamination(101.0, 2.0), Contamination::Clean);
            thread.join().unwrap();
            assert_eq!(watch.contamination(199.0, 2.0), Contamination::Stimulating);
        });
    }
}

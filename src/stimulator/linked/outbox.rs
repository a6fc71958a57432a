//! Samples on their way: made, sent, heard of by the device, and sent again where they got lost.
//!
//! The line keeps its order, so an answer to one frame says what became of all frames before it. A frame whose
//! samples the device does not know by then is lost, and everything from there is sent again: the device takes
//! samples in order only. Indices count samples since arming.

use std::collections::VecDeque;

use tras_wire::{MAX_SAMPLES, carried_ma};

/// Samples kept: the longest queue that a device can have, twice.
pub(super) const KEPT: usize = 4_096;
/// Frames under way at most. With fewer answers than this nothing more is sent.
const FRAMES: usize = 64;

/// A frame of samples that no answer has covered yet.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    sequence: u32,
    start: u64,
    end: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Outbox {
    samples: Vec<f32>,
    frames: VecDeque<UnderWay>,
    /// The index after the last sample that was made.
    made: u64,
    /// The index after the last sample that was sent.
    sent: u64,
    /// The index that the device takes next, as it said last.
    wanted: u64,
    /// Nothing before this waits any more: it was played, or a stop has thrown it away.
    base: u64,
    /// Samples sent once more.
    repeated: u64,
}

impl Outbox {
    /// Empty.
    pub(super) fn new() -> Self {
        Self {
            samples: vec![0.0; KEPT],
            frames: VecDeque::with_capacity(FRAMES),
            made: 0,
            sent: 0,
            wanted: 0,
            base: 0,
            repeated: 0,
        }
    }

    /// As after arming.
    pub(super) fn reset(&mut self) {
        self.frames.clear();
        (self.made, self.sent, self.wanted, self.base) = (0, 0, 0, 0);
    }

    /// The index of the next sample to be made.
    pub(super) fn made(&self) -> u64 {
        self.made
    }

    /// Samples sent once more, since the start.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Samples that the device has not said it has.
    pub(super) fn in_flight(&self) -> u64 {
        self.made.saturating_sub(self.wanted.max(self.base))
    }

    /// Adds samples behind the last, as the wire will carry them.
    pub(super) fn push(&mut self, samples_ma: &[f32]) {
        for &sample_ma in samples_ma {
            if let Some(slot) = self.samples.get_mut((self.made % KEPT as u64) as usize) {
                *slot = carried_ma(sample_ma);
            }
            self.made += 1;
        }
    }

    /// A sample, as long as it is kept.
    pub(super) fn sample(&self, index: u64) -> Option<f32> {
        let kept = index < self.made && index + KEPT as u64 >= self.made;
        kept.then(|| self.samples.get((index % KEPT as u64) as usize).copied()).flatten()
    }

    /// The next samples to send: the index of the first, and how many.
    pub(super) fn next(&self) -> Option<(u64, usize)> {
        let waiting = self.made - self.sent;
        (waiting > 0 && self.frames.len() < FRAMES)
            .then(|| (self.sent, waiting.min(MAX_SAMPLES as u64) as usize))
    }

    /// Whether a frame has no answer yet.
    pub(super) fn is_awaiting(&self) -> bool {
        !self.frames.is_empty()
    }

    /// The next samples went out as the frame of this number.
    pub(super) fn went(&mut self, sequence: u32, count: usize) {
        let (start, end) = (self.sent, self.sent + count as u64);
        self.frames.push_back(UnderWay { sequence, start, end });
        self.sent = end;
    }

    /// The device has answered the frame of this number, and takes `wanted` next.
    pub(super) fn answered(&mut self, sequence: u32, wanted: u64) {
        self.wanted = wanted.min(self.made);
        let mut lost = false;
        while let Some(frame) = self.frames.front()
            && (sequence.wrapping_sub(frame.sequence) as i32) >= 0
        {
            lost |= frame.end > wanted;
            self.frames.pop_front();
        }
        if lost {
            self.go_back(wanted);
        }
    }

    /// The first index of the frame of this number, if it is under way.
    pub(super) fn start_of(&self, sequence: u32) -> Option<u64> {
        self.frames.iter().find(|frame| frame.sequence == sequence).map(|frame| frame.start.max(self.wanted))
    }

    /// Everything from `index` is to be sent again. What is still under way is of no use to the device: it lies
    /// behind a gap.
    pub(super) fn go_back(&mut self, index: u64) {
        let index = index.clamp(self.base, self.sent);
        self.repeated += self.sent - index;
        self.sent = index;
        self.frames.clear();
    }

    /// A stop: what has not been sent never will be, and what was sent counts no more.
    pub(super) fn drop_all(&mut self) {
        (self.sent, self.base) = (self.made, self.made);
        self.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn send(outbox: &mut Outbox, sequence: u32) -> (u64, usize) {
        let (start, count) = outbox.next().unwrap();
        outbox.went(sequence, count);
        (start, count)
    }

    #[test]
    fn a_lost_frame_and_all_behind_it_are_sent_once_more_and_only_once() {
        let mut outbox = Outbox::new();
        outbox.push(&[0.5; 150]);
        assert_eq!(
            [send(&mut outbox, 1), send(&mut outbox, 2), send(&mut outbox, 3)],
            [(0, 64), (64, 64), (128, 22)]
        );
        outbox.answered(1, 64);
        assert_eq!((outbox.next(), outbox.in_flight()), (None, 86));
        // Frame 2 is lost; the answer to 3 says so.
        outbox.answered(3, 64);
        assert_eq!(send(&mut outbox, 4), (64, 64));
        // The old frames' late answers say nothing about the new one.
        outbox.answered(3, 64);
        assert_eq!(send(&mut outbox, 5), (128, 22));
        outbox.answered(5, 150);
        assert_eq!((outbox.next(), outbox.in_flight(), outbox.repeated()), (None, 0, 86));
    }

    #[test]
    fn a_stop_leaves_nothing_to_send_and_the_whole_room() {
        let mut outbox = Outbox::new();
        outbox.push(&[0.5; 100]);
        send(&mut outbox, u32::MAX);
        outbox.drop_all();
        assert_eq!((outbox.next(), outbox.in_flight(), outbox.made()), (None, 0, 100));
        outbox.answered(u32::MAX, 64);
        assert_eq!((outbox.next(), outbox.in_flight()), (None, 0));
        outbox.push(&[0.1]);
        assert_eq!((send(&mut outbox, 0), outbox.sample(100)), ((100, 1), Some(0.1)));
    }

    #[test]
    fn no_more_frames_go_out_than_can_be_kept_account_of() {
        let mut outbox = Outbox::new();
        outbox.push(&[0.0; KEPT]);
        for sequence in 0..FRAMES as u32 {
            send(&mut outbox, sequence);
        }
        assert_eq!(outbox.next(), None);
    }
}

//! Acquire: drains the source into frames.
//!
//! **Deadline**: every 1 ms. When it is missed the source buffers and the age of the data grows, which every
//! frame carries; beyond `stream.max_age_s` the loop lets no burst go on.

use crate::{
    acquisition::state::StreamState,
    acquisition::{
        Poll, Source,
        conditioner::Conditioner,
        frame::{Facts, FrameHeader},
        quality::Causes,
    },
    runtime::observation::{Note, Notes},
};

/// A stamp may lie so far ahead of its arrival, in s: clocks that are compared over a network are not alike.
const AHEAD_S: f64 = 0.05;

/// How often it is told which channels are bad, in s.
const BAD_EVERY_S: f64 = 1.0;
/// A rate that was told is told again when it has moved by this share.
const RATE_MOVED: f64 = 0.01;

/// Samples taken from the source at once.
const BLOCK: usize = 256;

/// A source and what makes frames of it.
pub struct AcquireStage<S> {
    source: S,
    conditioner: Conditioner,
    notes: Notes,
    values: Vec<f64>,
    stamps_s: Vec<f64>,
    state: StreamState,
    /// The newest stamps lay ahead of their arrival.
    ahead: bool,
    /// What was bad, as last told, and when.
    bad: Causes,
    bad_told_s: f64,
    /// The rate that was told last as not the stream's own, in Hz.
    rate_told_hz: f64,
}

impl<S: Source> AcquireStage<S> {
    /// Allocates for `source`.
    #[must_use]
    pub fn new(source: S, conditioner: Conditioner, notes: Notes) -> Self {
        let channels = source.description().channels.len();
        Self {
            source,
            conditioner,
            notes,
            values: vec![0.0; BLOCK * channels],
            stamps_s: vec![0.0; BLOCK],
            state: StreamState::Waiting,
            ahead: false,
            bad: Causes::default(),
            bad_told_s: f64::NEG_INFINITY,
            rate_told_hz: f64::NAN,
        }
    }

    /// What makes the frames, and its counts.
    #[must_use]
    pub fn conditioner(&self) -> &Conditioner {
        &self.conditioner
    }

    /// From now on windows are cut by this rate, in Hz.
    pub fn use_rate(&mut self, rate_hz: f64) {
        self.conditioner.use_rate(rate_hz);
    }

    /// Where the samples come from.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// Moves everything that waits in the source to `sink`, frame by frame. `clock` is read when a frame is
    /// ready for the ring.
    pub fn step(
        &mut self,
        clock: &mut dyn FnMut() -> f64,
        sink: &mut dyn FnMut(&FrameHeader, &[f32]),
    ) -> StreamState {
        loop {
            let before = self.state;
            let found = self.source.poll(&mut self.values, &mut self.stamps_s);
            match found {
                Poll::Samples(count) => {
                    self.state = StreamState::Live;
                    self.condition(count, clock, sink);
                }
                Poll::Empty => {}
                Poll::Lost => self.state = StreamState::Lost,
                Poll::Resumed => self.conditioner.resumed(),
                Poll::End => self.state = StreamState::Ended,
            }
            if self.state != before {
                self.notes.tell(clock(), Note::Stream(self.state));
            }
            if !matches!(found, Poll::Samples(_) | Poll::Resumed) {
                return self.state;
            }
        }
    }

    fn condition(
        &mut self,
        count: usize,
        clock: &mut dyn FnMut() -> f64,
        sink: &mut dyn FnMut(&FrameHeader, &[f32]),
    ) {
        let width = self.source.description().channels.len();
        let correction_s = self.source.correction_s();
        let values = self.values.get(..count * width).unwrap_or_default();
        let stamps_s = self.stamps_s.get(..count).unwrap_or_default();
        let mut ahead_s = f64::NEG_INFINITY;
        self.conditioner.push(values, stamps_s, correction_s, clock(), |header, samples_uv| {
            let mut header = FrameHeader { arrived_s: clock(), ..*header };
            // Nothing is measured after it arrives: such stamps would carry a window past the blind gap.
            ahead_s = ahead_s.max(header.stamp_s - header.arrived_s);
            if header.stamp_s - header.arrived_s > AHEAD_S {
                header.facts.insert(Facts::UNSETTLED);
            }
            sink(&header, samples_uv);
        });
        let is_ahead = ahead_s > AHEAD_S;
        if is_ahead && !self.ahead {
            self.notes.tell(clock(), Note::Ahead(ahead_s));
        }
        self.ahead = is_ahead;
        let now_s = clock();
        if now_s - self.bad_told_s >= BAD_EVERY_S {
            self.bad_told_s = now_s;
            let bad = self.conditioner.take_causes();
            if bad != std::mem::replace(&mut self.bad, bad) {
                self.notes.tell(now_s, Note::Bad(bad));
            }
        }
        // What has been told is told again only when it is no longer so.
        if let Some(off) = self.conditioner.rate_off()
            && (self.rate_told_hz.is_nan() || (off.measured_hz / self.rate_told_hz - 1.0).abs() >= RATE_MOVED)
        {
            self.rate_told_hz = off.measured_hz;
            self.notes.tell(clock(), Note::Rate(off));
        }
    }
}

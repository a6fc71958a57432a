//! Frames that wait until the current that flowed with them is known.

use crate::frame::FrameHeader;

/// A queue of frames with their values, in a circle.
#[derive(Debug)]
pub(super) struct Queue {
    headers: Vec<FrameHeader>,
    /// [place][channel]
    values: Vec<f32>,
    channels: usize,
    first: usize,
    len: usize,
}

impl Queue {
    pub(super) fn new(channels: usize, capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self {
            headers: vec![FrameHeader::default(); capacity],
            values: vec![0.0; capacity * channels],
            channels,
            first: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is room for one more.
    pub(super) fn full(&self) -> bool {
        self.len == self.headers.len()
    }

    pub(super) fn push(&mut self, header: &FrameHeader, samples_uv: &[f32]) {
        if self.full() {
            return;
        }
        let at = (self.first + self.len) % self.headers.len();
        let span = at * self.channels..(at + 1) * self.channels;
        if let (Some(slot), Some(values)) = (self.headers.get_mut(at), self.values.get_mut(span)) {
            *slot = *header;
            for (value, sample) in values.iter_mut().zip(samples_uv) {
                *value = *sample;
            }
            self.len += 1;
        }
    }

    /// The frame at `index`, 0 the oldest.
    pub(super) fn get(&self, index: usize) -> Option<(&FrameHeader, &[f32])> {
        if index >= self.len {
            return None;
        }
        let at = (self.first + index) % self.headers.len();
        Some((self.headers.get(at)?, self.values.get(at * self.channels..(at + 1) * self.channels)?))
    }

    /// Drops the oldest `count`.
    pub(super) fn drop_front(&mut self, count: usize) {
        let count = count.min(self.len);
        self.first = (self.first + count) % self.headers.len();
        self.len -= count;
    }
}

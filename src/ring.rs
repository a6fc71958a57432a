//! The ring of frames between the thread that acquires and the thread that estimates.
//!
//! One producer, one consumer, no locks, no allocation after construction. When the consumer is too slow
//! the ring does not queue and does not overwrite: the frame is dropped and counted, and the next frame
//! that fits carries [`Facts::OVERRUN`] and, in `lost_before`, how many fell out before it, so that no
//! window joins the two sides.
//!
//! Headers and values travel in two rings. The producer pushes the values first and the header last, the
//! consumer takes the header first: whoever sees a header finds its values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::acquisition::frame::{Facts, FrameHeader};

/// The writing end.
pub struct FrameProducer {
    headers: HeapProd<FrameHeader>,
    values: HeapProd<f32>,
    width: usize,
    dropped_since: u32,
    overruns: Arc<AtomicU64>,
}

/// The reading end.
pub struct FrameConsumer {
    headers: HeapCons<FrameHeader>,
    values: HeapCons<f32>,
    width: usize,
    capacity: usize,
    overruns: Arc<AtomicU64>,
}

/// A ring for `capacity` frames of `width` channels; both are at least 1.
#[must_use]
pub fn frame_ring(width: usize, capacity: usize) -> (FrameProducer, FrameConsumer) {
    let (width, capacity) = (width.max(1), capacity.max(1));
    let (head_in, head_out) = HeapRb::<FrameHeader>::new(capacity).split();
    let (values_in, values_out) = HeapRb::<f32>::new(capacity.saturating_mul(width)).split();
    let overruns = Arc::new(AtomicU64::new(0));
    (
        FrameProducer {
            headers: head_in,
            values: values_in,
            width,
            dropped_since: 0,
            overruns: Arc::clone(&overruns),
        },
        FrameConsumer { headers: head_out, values: values_out, width, capacity, overruns },
    )
}

impl FrameProducer {
    /// Appends a frame; `false` where it did not fit, or is not `width` wide, and was dropped and counted.
    pub fn push(&mut self, header: &FrameHeader, values: &[f32]) -> bool {
        let fits = values.len() == self.width
            && self.headers.vacant_len() >= 1
            && self.values.vacant_len() >= self.width;
        if !fits {
            self.dropped_since = self.dropped_since.saturating_add(1);
            self.overruns.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let mut header = *header;
        if self.dropped_since > 0 {
            header.facts.insert(Facts::OVERRUN);
            header.lost_before = header.lost_before.saturating_add(self.dropped_since);
            self.dropped_since = 0;
        }
        let written = self.values.push_slice(values);
        debug_assert_eq!(written, self.width);
        self.headers.try_push(header).is_ok()
    }

    /// Frames dropped since the start.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// Frames waiting to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.headers.occupied_len()
    }

    /// Whether no frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl FrameConsumer {
    /// Takes the oldest frame, its values into `values`; `None` where none waits or `values` is narrower
    /// than a frame (nothing is taken then).
    pub fn pop(&mut self, values: &mut [f32]) -> Option<FrameHeader> {
        let values = values.get_mut(..self.width)?;
        let header = self.headers.try_pop()?;
        let read = self.values.pop_slice(values);
        debug_assert_eq!(read, self.width);
        Some(header)
    }

    /// Frames dropped since the start because the ring was full.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// Frames waiting to be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.headers.occupied_len()
    }

    /// Whether no frame waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The share of the ring that waits, 0 to 1.
    #[must_use]
    pub fn fill(&self) -> f64 {
        self.len() as f64 / self.capacity as f64
    }

    /// Channels in a frame.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn header(index: u64) -> FrameHeader {
        FrameHeader { index, ..FrameHeader::default() }
    }

    proptest! {
        /// Whatever the order of pushes and pops: frames come out in order with their own values, and
        /// every frame is either read, waiting, or counted as lost on the frame that follows it.
        #[test]
        fn order_and_counts_are_exact(width in 1usize..5, capacity in 1usize..9, pushes in prop::collection::vec(any::<bool>(), 1..200)) {
            let (mut into, mut out) = frame_ring(width, capacity);
            let mut values = vec![0.0; width];
            let (mut pushed, mut expected, mut lost) = (0u64, 0u64, 0u64);
            let mut check = |head: FrameHeader, values: &[f32]| {
                assert_eq!(head.facts.intersects(Facts::OVERRUN), head.lost_before > 0);
                expected += u64::from(head.lost_before);
                lost += u64::from(head.lost_before);
                assert_eq!(head.index, expected);
                assert!(values.iter().all(|&v| v == head.index as f32));
                expected += 1;
            };
            for push in pushes {
                if push {
                    into.push(&header(pushed), &vec![pushed as f32; width]);
                    pushed += 1;
                } else if let Some(head) = out.pop(&mut values) {
                    check(head, &values);
                }
                prop_assert!(out.len() <= capacity);
            }
            while let Some(head) = out.pop(&mut values) {
                check(head, &values);
            }
            into.push(&header(pushed), &vec![pushed as f32; width]);
            check(out.pop(&mut values).unwrap(), &values);
            prop_assert_eq!(expected, pushed + 1);
            prop_assert_eq!(lost, out.overruns());
            prop_assert_eq!(lost, into.overruns());
        }
    }

    #[test]
    fn two_threads_lose_nothing_uncounted() {
        const FRAMES: u64 = 200_000;
        let (mut into, mut out) = frame_ring(3, 64);
        let writer = std::thread::spawn(move || {
            for index in 0..FRAMES {
                into.push(&header(index), &[index as f32, 1.0, index as f32]);
                if index % 512 == 0 {
                    std::thread::yield_now();
                }
            }
            // The last frame must get through, or what was lost before it could not be told.
            while !into.is_empty() {
                std::thread::yield_now();
            }
            into.push(&header(FRAMES), &[FRAMES as f32, 1.0, FRAMES as f32]);
            into.overruns()
        });
        let (mut values, mut expected, mut read) = ([0.0; 3], 0, 0);
        while expected <= FRAMES {
            let Some(head) = out.pop(&mut values) else {
                std::thread::yield_now();
                continue;
            };
            expected += u64::from(head.lost_before);
            assert_eq!(head.index, expected);
            assert_eq!(values, [head.index as f32, 1.0, head.index as f32]);
            (expected, read) = (expected + 1, read + 1);
        }
        let overruns = writer.join().unwrap();
        assert_eq!(read + overruns, FRAMES + 1);
    }

    #[test]
    fn a_frame_of_the_wrong_width_never_enters() {
        let (mut into, mut out) = frame_ring(2, 4);
        assert!(!into.push(&header(0), &[1.0]));
        assert!(into.push(&header(1), &[1.0, 2.0]));
        assert!(out.pop(&mut [0.0]).is_none());
        assert_eq!(out.pop(&mut [0.0; 2]).unwrap().lost_before, 1);
    }
}

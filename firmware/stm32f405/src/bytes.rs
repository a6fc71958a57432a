//! Bytes from an interrupt to the loop: one writer, one reader, no lock.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// Bytes that a ring holds, a power of two: 11 ms of the line at full speed.
const SIZE: usize = 1_024;

/// A ring in a static.
pub struct Bytes {
    ring: [AtomicU8; SIZE],
    written: AtomicUsize,
    read: AtomicUsize,
}

impl Bytes {
    /// Empty.
    pub const fn new() -> Self {
        Self {
            ring: [const { AtomicU8::new(0) }; SIZE],
            written: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
        }
    }

    /// By the interrupt. What does not fit is lost; the frame's CRC says so.
    pub fn push(&self, byte: u8) {
        let at = self.written.load(Ordering::Relaxed);
        if at.wrapping_sub(self.read.load(Ordering::Acquire)) < SIZE
            && let Some(slot) = self.ring.get(at % SIZE)
        {
            slot.store(byte, Ordering::Relaxed);
            self.written.store(at.wrapping_add(1), Ordering::Release);
        }
    }

    /// By the loop.
    pub fn pop(&self) -> Option<u8> {
        let at = self.read.load(Ordering::Relaxed);
        if at == self.written.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.ring.get(at % SIZE)?.load(Ordering::Relaxed);
        self.read.store(at.wrapping_add(1), Ordering::Release);
        Some(byte)
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.read.load(Ordering::Relaxed) == self.written.load(Ordering::Acquire)
    }
}

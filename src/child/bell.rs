//! Waiting for another thread or process without polling: a futex word. Neither ringing nor looking takes a lock or
//! allocates; a ring that nobody waits for is one system call.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Rings: whoever waits on `word` comes back, and whoever is about to wait does not.
pub fn ring(word: &AtomicU32) {
    word.fetch_add(1, Ordering::SeqCst);
    wake(word);
}

/// The value to compare with in [`wait`]: read it first, then look for work, then wait.
#[must_use]
pub fn seen(word: &AtomicU32) -> u32 {
    word.load(Ordering::SeqCst)
}

/// Waits until the word is no longer `seen`, at most `timeout`.
#[cfg(target_os = "linux")]
pub fn wait(word: &AtomicU32, seen: u32, timeout: Duration) {
    let limit = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos() as libc::c_long,
    };
    // SAFETY: the word and the limit live across the call. Any early return is a look too many, and no harm.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, seen, &limit) };
}

#[cfg(target_os = "linux")]
fn wake(word: &AtomicU32) {
    // SAFETY: the word lives across the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// Without futexes: short naps.
#[cfg(not(target_os = "linux"))]
pub fn wait(word: &AtomicU32, seen: u32, timeout: Duration) {
    let until = std::time::Instant::now() + timeout;
    while word.load(Ordering::SeqCst) == seen && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_micros(50));
    }
}

#[cfg(not(target_os = "linux"))]
fn wake(_word: &AtomicU32) {}

/// A bell inside this process.
#[derive(Debug, Default)]
pub struct Bell(AtomicU32);

impl Bell {
    /// One that was never rung.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// See [`ring`].
    pub fn ring(&self) {
        ring(&self.0);
    }

    /// See [`seen`].
    #[must_use]
    pub fn seen(&self) -> u32 {
        seen(&self.0)
    }

    /// See [`wait`].
    pub fn wait(&self, seen: u32, timeout: Duration) {
        wait(&self.0, seen, timeout);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_ring_before_the_wait_is_not_missed() {
        let bell = Arc::new(Bell::default());
        for _ in 0..100 {
            let seen = bell.seen();
            let other = Arc::clone(&bell);
            let ringer = std::thread::spawn(move || other.ring());
            // Without the ring this would outlast any patience.
            bell.wait(seen, Duration::from_secs(3600));
            ringer.join().unwrap();
        }
    }
}

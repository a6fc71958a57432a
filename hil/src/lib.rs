//! The bench: the very image that a board is flashed with runs in an emulator; a virtual head stands behind
//! its analogue side, and a line that can be spoilt between it and the host.
//!
//! ```text
//! host (tras, or bench::Host) ── pty or socket ── [line: faults] ── USART1 ┐ firmware in QEMU
//!                                               [head: impedance] ── USART2 ┘
//! ```
//!
//! What the head sees is what would leave the board: every DAC code with its time. The bench judges by that
//! alone, never by what the device or the host says of itself.

pub mod alive;
pub mod campaign;
pub mod emulator;
pub mod faults;
pub mod head;
pub mod host;
pub mod line;
pub mod link;
pub mod serve;

// The server and the recorder of the audio adapter's own tests.
use tras_test_support::audio as audio_support;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A thread that died has left plain numbers, which are still of use.
fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

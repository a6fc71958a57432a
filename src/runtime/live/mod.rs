//! The live runtime: every thread, ring, channel and priority on this page.
//!
//! ```text
//! thread (priority)   takes                         gives
//! acquire   (FIFO 70) LSL inlet                     loop ring, record ring (SPSC, 10 s each); notes
//! loop      (FIFO 75) loop ring                     commands (bounded channel); notes
//! stimulate (FIFO 80) commands                      device queue; delivered ring (SPSC, 10 s); notes
//! observe   (none)    notes, record ring,           screen's view (mutex, never taken by the three above),
//!                     delivered ring                outlets, batches for `record` (bounded channel)
//! record    (none)    batches                       XDF file
//! dashboard (none)    view                          keys
//! main      (none)    signals, keys                 control words
//! ```
//! What an observer is too slow for is dropped and counted. Nothing in the first three threads allocates,
//! locks, logs or blocks once the barrier has opened; `tests/no_allocation.rs` proves the first.

mod acquire;
pub mod control;
mod loop_thread;
mod observe;
mod record;
mod stimulate;

use std::{
    sync::{Arc, Barrier, mpsc},
    time::{Duration, Instant},
};

use crossbeam_channel::bounded;
use ringbuf::{HeapRb, traits::Split};

use self::control::Control;
use super::{
    build::{self, Built},
    observation::{Halt, Note, Notes},
    realtime,
    stages::closed_loop::{Command, LoopStage},
    summary::Summary,
    watch::CurrentWatch,
};
use crate::{
    cli::CliError,
    dashboard::{Action, View},
    ring::frame_ring,
    stimulator::Delivered,
};

/// Seconds of data that a ring holds.
const RING_S: f64 = 10.0;
/// After the order to end, the device has so long to report zero: 1 s of ramp, its queue, and some patience.
const SAFE_WITHIN: Duration = Duration::from_secs(5);

/// How a run is watched.
pub struct Watching {
    /// The dashboard instead of lines.
    pub dashboard: Option<crate::dashboard::Style>,
    /// One line a second on standard output.
    pub lines: bool,
}

/// Runs until the plan is done, the time is up, or someone says stop.
///
/// # Errors
/// Something that the configuration asks for is not there, or does not fit. Faults during the run are in the
/// summary.
pub fn run(built: &Built, watching: &Watching) -> Result<Summary, CliError> {
    let control = Arc::new(Control::default());
    let watch = Arc::new(CurrentWatch::default());
    let (notes, notes_out) = Notes::channel(16_384);
    let signals = super::signals::Signals::register()?;
    todo!()
}

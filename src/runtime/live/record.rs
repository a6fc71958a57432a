//! The record thread: it writes, and leaves the wait for the disk to a thread of its own ([`crate::recorder::disk`]).

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::control::{Control, Watched};
use crate::{
    clock,
    runtime::keep::{Entry, Keeper},
};

/// The recording is brought to the operating system this often.
const MAINTAIN_EVERY: Duration = Duration::from_millis(500);

/// Records until the channel's other end is gone; gives what went wrong.
pub(super) fn run(mut keeper: Keeper, entries: &Receiver<Entry>, control: &Control) -> Option<String> {
    let mut maintained = Instant::now();
    loop {
        control.beat_of(Watched::Recorder, clock::now_s());
        let left = MAINTAIN_EVERY.saturating_sub(maintained.elapsed());
        match entries.recv_timeout(left) {
            Ok(entry) => keeper.keep(&entry, clock::now_s()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return keeper.close(clock::now_s()),
        }
        if maintained.elapsed() >= MAINTAIN_EVERY {
            maintained = Instant::now();
            keeper.maintain(clock::now_s());
        }
    }
}

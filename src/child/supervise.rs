//! The thread that looks after all children of a run: not real time, and nothing waits for it.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{
    process::Supervised,
    role::{News, Role},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A child that was told to end may finish what it sends.
const PATIENCE: Duration = Duration::from_millis(300);

/// Looks after `children` until the other end of `run` is gone, then ends them. `tell` is told what became of which.
pub fn supervise(mut children: Vec<Supervised>, run: &Receiver<()>, tell: &mut dyn FnMut(Role, News)) {
    loop {
        for child in &mut children {
            if let Some(news) = child.look() {
                tell(child.role(), news);
            }
        }
        match run.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
    for child in &mut children {
        child.end(PATIENCE);
    }
}

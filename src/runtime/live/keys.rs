//! The keys thread: from a key to the stop word, past the screen, the main thread and everything that they wait for.

use std::sync::Arc;

use crossbeam_channel::{Sender, unbounded};

use super::{control::Control, threads::spawn};
use crate::{dashboard::Action, failure::Failure};

/// Starts the thread; it ends when nobody sends any more.
///
/// # Errors
/// No thread can be started.
pub fn start(control: Arc<Control>) -> Result<Sender<Action>, Failure> {
    let (keys, actions) = unbounded();
    spawn("tras-stops", move || {
        for action in actions {
            match action {
                Action::StopStimulation => control.stop_stimulation(),
                // Asked twice: not even the ramp is waited for.
                Action::Quit if control.ending() => control.cut_current(),
                Action::Quit => control.end_run(),
            }
        }
    })?;
    Ok(keys)
}

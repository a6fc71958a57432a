//! The keys thread: from a key to the stop word, past the screen, the main thread and everything that they wait for.

use std::sync::Arc;

use crossbeam_channel::{Sender, unbounded};

use super::{confirm::Confirm, control::Control, threads::spawn};
use crate::{dashboard::Action, failure::Failure, runtime::ended::EndedBy};

/// Starts the thread; `session`: to the conductor of a session by a protocol. It ends when nobody sends any more.
///
/// # Errors
/// No thread can be started.
pub(super) fn start(
    control: Arc<Control>,
    session: Option<Sender<String>>,
    confirm: Option<Confirm>,
) -> Result<Sender<Action>, Failure> {
    let (keys, actions) = unbounded();
    spawn("tras-stops", move || {
        for action in actions {
            match action {
                // A session by a protocol can go on after it: the current ends here, past every other thread.
                Action::StopStimulation if session.is_some() => {
                    control.pause();
                    session.iter().for_each(|typed| drop(typed.try_send("stop".to_owned())));
                }
                Action::StopStimulation => control.stop_stimulation(),
                // Asked twice: not even the ramp is waited for.
                Action::TakeUp => confirm.iter().for_each(Confirm::take_up),
                Action::Quit if control.ending() => control.cut_current(),
                Action::Quit => control.end_run(EndedBy::Operator),
                Action::TerminalGone => control.end_run(EndedBy::Terminal),
            }
        }
    })?;
    Ok(keys)
}

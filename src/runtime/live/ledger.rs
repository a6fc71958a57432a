//! The ledger thread: the only one that waits for the disk that the day's dose is kept on.
//!
//! It publishes what it has confirmed and how much of the day is left; the stimulate thread goes by that, so that neither
//! a slow disk nor another run of the same participant can keep a current going.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded};

use super::{control::Control, threads::spawn};
use crate::{clock, failure::Failure, runtime::conduct::Board, session::dose::DoseLedger};

/// Between two looks.
const NAP: Duration = Duration::from_millis(50);
/// The ledger is written this often while current flows.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// How long the end of a run waits for the last write.
const PATIENCE: Duration = Duration::from_secs(10);

/// The end of the thread, with what went wrong.
pub(super) struct Ledger(Receiver<Vec<String>>);

impl Ledger {
    /// Starts the thread. `reckoned`: what a blind session's dose is written by, the most that any condition could have
    /// had. It writes for the last time when the current has ended, or all threads are to return.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start(
        mut ledger: DoseLedger,
        control: Arc<Control>,
        reckoned: Option<Arc<Board>>,
    ) -> Result<Self, Failure> {
        let (done_in, done) = bounded(1);
        control.set_ledger(ledger.left_s(), 0.0);
        spawn("tras-ledger", move || {
            let mut faults = Vec::new();
            let mut written = Instant::now();
            loop {
                let last = control.is_safe() || control.quits();
                if last || written.elapsed() >= WRITE_EVERY {
                    written = Instant::now();
                    let active_s = reckoned.as_ref().map_or_else(|| control.active_s(), |b| b.reckoned_s());
                    if reckoned.is_some() && active_s > ledger.left_s() && faults.is_empty() {
                        control.stop_stimulation();
                        faults.push(format!(
                            "limits.daily_min may be reached after {active_s:.0} s of this run: ramped down"
                        ));
                    }
                    match ledger.record(active_s, clock::unix_s()) {
                        Ok(()) => control.set_ledger(ledger.left_s(), active_s),
                        Err(error) => {
                            control.stop_stimulation();
                            if faults.is_empty() {
                                faults.push(format!(
                                    "{error}: stimulation ends, because the day's dose cannot be kept"
                                ));
                            }
                        }
                    }
                }
                if last {
                    break;
                }
                std::thread::sleep(NAP);
            }
            // The run has gone on without this thread.
            let _ = done_in.send(faults);
        })?;
        Ok(Self(done))
    }

    /// Waits for the last write; what went wrong.
    pub(super) fn finish(self) -> Vec<String> {
        self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            vec![
                "the dose ledger has not confirmed its last write: check it by hand before you stimulate"
                    .to_owned(),
            ]
        })
    }
}

//! Starting and joining threads, and the priorities that they were granted.

use std::{thread::JoinHandle, time::Duration};

use crossbeam_channel::{Receiver, Sender};

use crate::{
    failure::Failure,
    realtime::{self, Granted as Priority},
};

/// A thread that has started says within this what priority it got.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A real-time thread, and the priority that it got.
pub(super) type Granted = (&'static str, Priority);

/// Starts a thread.
pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|e| Failure::Fault(format!("cannot start thread {name}: {e}")))
}

/// Starts a thread that first asks for `SCHED_FIFO` at `priority`, and tells what it got.
pub(super) fn spawn_real_time<T: Send + 'static>(
    name: &'static str,
    priority: i32,
    granted: &Sender<Granted>,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    let granted = granted.clone();
    spawn(&format!("tras-{name}"), move || {
        let _ = granted.send((name, realtime::promote(priority)));
        body()
    })
}

/// What a thread has to say in the end.
pub(super) fn join<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    let name = handle.thread().name().unwrap_or("?").to_owned();
    handle.join().map_err(|_| Failure::Fault(format!("thread {name} panicked; this is a defect of tras")))
}

/// One sentence on those of `threads` real-time threads that were refused their priority.
pub(super) fn refusals(granted: &Receiver<Granted>, threads: usize) -> Option<String> {
    let answers = (0..threads).filter_map(|_| granted.recv_timeout(ANSWER_WITHIN).ok());
    let refused: Vec<&str> =
        answers.filter(|(_, got)| matches!(got, Priority::Ordinary(_))).map(|(name, _)| name).collect();
    (!refused.is_empty()).then(|| {
        format!(
            "real-time priority refused for {}: see the latencies for what that costs",
            refused.join(", ")
        )
    })
}

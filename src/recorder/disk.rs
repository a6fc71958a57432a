//! Bringing what is written to the disk itself, in a thread of its own.
//!
//! A write ends in the operating system's memory, in microseconds, and survives the end of this process. Bringing it to the
//! disk (`fsync`) is for a loss of power, and takes seconds where others write to the same disk: 16 s were seen. The record
//! thread must not wait for that, for what it does not write meanwhile is lost when the process is killed.

use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};

/// One thing to bring to the disk; what went wrong in words.
pub type Job = Box<dyn FnOnce() -> Result<(), String> + Send>;

/// Jobs that may wait. Each is asked for again within seconds, so one that finds no room costs nothing.
const JOBS: usize = 8;

/// Where jobs go.
#[derive(Debug)]
pub struct Disk {
    /// `None`: each is done at once.
    jobs: Option<Sender<Job>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicU64,
    done: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl Shared {
    fn run(&self, job: Job) {
        if let Err(what) = job() {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
        }
        self.done.fetch_add(1, Ordering::Release);
    }
}

impl Disk {
    /// Every job is done by the thread that asks: for virtual time, which waits for the disk.
    #[must_use]
    pub fn in_line() -> Self {
        Self { jobs: None, shared: Arc::default() }
    }

    /// With a thread of its own, which ends with this.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn in_thread() -> io::Result<Self> {
        let (jobs, come) = bounded::<Job>(JOBS);
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let body = move || come.iter().for_each(|job| theirs.run(job));
        std::thread::Builder::new().name("tras-disk".to_owned()).spawn(body)?;
        Ok(Self { jobs: Some(jobs), shared })
    }

    /// Asks for a job. Where too many wait already it is left out, and `false`.
    pub fn ask<E: Display>(&self, job: impl FnOnce() -> Result<(), E> + Send + 'static) -> bool {
        let job: Job = Box::new(move || job().map_err(|error| error.to_string()));
        self.shared.asked.fetch_add(1, Ordering::AcqRel);
        let taken = match &self.jobs {
            None => {
                self.shared.run(job);
                true
            }
            Some(jobs) => jobs.try_send(job).is_ok(),
        };
        if !taken {
            self.shared.asked.fetch_sub(1, Ordering::AcqRel);
        }
        taken
    }

    /// Jobs that are done, and whether one is not.
    #[must_use]
    pub fn progress(&self) -> (u64, bool) {
        let done = self.shared.done.load(Ordering::Acquire);
        (done, self.shared.asked.load(Ordering::Acquire) > done)
    }

    /// What went wrong since the last call.
    #[must_use]
    pub fn failed(&self) -> Option<String> {
        self.shared.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Waits until everything that was asked for is done.
    pub fn wait(&self) {
        let Some(jobs) = &self.jobs else { return };
        let (done, told) = bounded(1);
        let last: Job = Box::new(move || done.send(()).map_err(|error| error.to_string()));
        self.shared.asked.fetch_add(1, Ordering::AcqRel);
        if jobs.send(last).is_ok() {
            let _ = told.recv();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
        let disk = Disk::in_thread().unwrap();
        let (begun, begins) = bounded::<()>(1);
        let (answer, stalled) = bounded::<()>(0);
        assert!(disk.ask(move || {
            begun.send(()).map_err(|error| error.to_string())?;
            stalled.recv().map_err(|error| error.to_string())
        }));
        begins.recv().unwrap();
        let taken = (0..20).filter(|_| disk.ask(|| Ok::<(), String>(()))).count();
        assert_eq!(taken, JOBS, "wait behind it");
        assert_eq!(disk.progress(), (0, true));
        answer.send(()).unwrap();
        disk.wait();
        assert_eq!((disk.progress().1, disk.failed()), (false, None));
    }

    #[test]
    fn a_refusal_is_told_once() {
        for disk in [Disk::in_line(), Disk::in_thread().unwrap()] {
            assert!(disk.ask(|| Err("no room")));
            disk.wait();
            assert_eq!((disk.failed().as_deref(), disk.failed()), (Some("no room"), None));
        }
    }
}

//! One thread of another process stands still while its others go on: what a deadlock, a runaway or a debugger
//! does to it. By ptrace, which needs neither the process's help nor a special build.

use std::io::{Error, Result};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// A thread that stands still until this is dropped.
pub struct Frozen {
    release: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Frozen {
    /// Stops the thread called `name` of process `pid`.
    ///
    /// # Errors
    /// There is no such thread, or the system refuses to trace it.
    pub fn thread(pid: u32, name: &str) -> Result<Self> {
        let thread = find(pid, name)?;
        let (release, released) = channel::<()>();
        let (said, stands) = channel();
        // A traced thread obeys the one thread that traces it, and is let go when that one ends.
        let keeper = std::thread::spawn(move || {
            let result = stop(thread);
            let good = result.is_ok();
            let _ = said.send(result);
            if good {
                let _ = released.recv();
                // SAFETY: a system call on numbers; the thread is traced by this one.
                unsafe { libc::ptrace(libc::PTRACE_DETACH, thread, 0, 0) };
            }
        });
        stands.recv().map_err(|_| Error::other("the tracing thread ended"))??;
        Ok(Self { release: Some(release), keeper: Some(keeper) })
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

fn stop(thread: i32) -> Result<()> {
    // SAFETY: system calls on numbers, and a status that lives across the last.
    unsafe {
        if libc::ptrace(libc::PTRACE_SEIZE, thread, 0, 0) != 0
            || libc::ptrace(libc::PTRACE_INTERRUPT, thread, 0, 0) != 0
        {
            return Err(Error::last_os_error());
        }
        let mut status = 0;
        if libc::waitpid(thread, &mut status, libc::__WALL) != thread {
            return Err(Error::last_os_error());
        }
    }
    Ok(())
}

/// The number of the thread of that name (the kernel keeps 15 characters of it).
fn find(pid: u32, name: &str) -> Result<i32> {
    let tasks = format!("/proc/{pid}/task");
    for task in std::fs::read_dir(Path::new(&tasks))? {
        let path = task?.path();
        let Ok(comm) = std::fs::read_to_string(path.join("comm")) else { continue };
        if comm.trim_end() == name.get(..15).unwrap_or(name) {
            let number = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.parse().ok());
            return number.ok_or_else(|| Error::other(format!("{}: no thread number", path.display())));
        }
    }
    Err(Error::other(format!("process {pid} has no thread {name}")))
}

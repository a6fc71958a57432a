//! The machine that it runs on: other load, priorities, processor time of threads.

use std::fs::read_to_string;
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tras::realtime::{self, Granted};

/// Busy loops beside the measurement, at an ordinary priority; they end with it.
pub(super) struct Load(Vec<Child>);

impl Load {
    /// So many of them.
    ///
    /// # Errors
    /// There is no shell.
    pub(super) fn start(count: usize) -> Result<Self> {
        let mut load = Self(Vec::new());
        for _ in 0..count {
            let mut shell = Command::new("sh");
            // SAFETY: system calls, which are allowed between fork and exec. The bench's own priority is not the
            // load's, which is of a session of its own, as another program's would be; and a bench that is killed
            // takes it along.
            unsafe {
                shell.pre_exec(|| {
                    be_ordinary();
                    libc::setsid();
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    Ok(())
                });
            }
            load.0.push(shell.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn()?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// This thread, and what it starts, comes before all but the host: a board does not share the host's processor,
/// so its stand-in must not wait for it. Where real time is refused it is a nice value of -15, which says little:
/// Linux weighs whole sessions against each other first (sched_autogroup). Says what it got.
pub(super) fn be_the_board() -> Granted {
    let granted = realtime::promote(crate::emulator::PRIORITY);
    if matches!(granted, Granted::Ordinary(_)) {
        crate::emulator::hurry();
    }
    granted
}

/// This thread, and what it starts, gets no more than any other.
pub(super) fn be_ordinary() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: system calls on numbers and a structure that lives across them; on Linux 0 is this thread.
    unsafe {
        // Not `sched_setscheduler`: the C library would go on telling the old one.
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_OTHER, &none);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
    }
}

/// This thread, and what it starts, is refused real time and negative nice values from here on, as a user
/// without rights is.
///
/// # Errors
/// The kernel does not let it.
pub(super) fn give_up_real_time() -> Result<()> {
    /// Version 3 of the capability calls, and the bit.
    const VERSION: u32 = 0x2008_0522;
    const SYS_NICE: u32 = 23;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: the structures are those of capget(2), version 3, and live across the calls.
    let failed = unsafe {
        if libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) == 0 {
            if let Some(low) = data.first_mut() {
                low.effective &= !(1 << SYS_NICE);
            }
            libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) != 0
        } else {
            true
        }
    };
    if failed { Err(Error::last_os_error()) } else { Ok(()) }
}

/// Processor time of the two threads of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Threads {
    at: Instant,
    /// Of the calling thread, in s.
    pub stimulate_s: f64,
    /// Of the thread that serves the port, in s; 0 where there is none.
    pub serial_s: f64,
    /// Over so long, in s.
    pub over_s: f64,
}

impl Threads {
    /// So far.
    pub(super) fn now() -> Self {
        let of = |task: &str| {
            let text = read_to_string(format!("{task}/schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) * 1e-9
        };
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let serial = tasks.map(|task| task.path().display().to_string()).find(|task| {
            read_to_string(format!("{task}/comm")).is_ok_and(|name| name.trim() == "tras-serial")
        });
        Self {
            at: Instant::now(),
            stimulate_s: of("/proc/thread-self"),
            serial_s: serial.map_or(0.0, |task| of(&task)),
            over_s: 0.0,
        }
    }

    /// Since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            at: self.at,
            stimulate_s: self.stimulate_s - before.stimulate_s,
            serial_s: self.serial_s - before.serial_s,
            over_s: self.at.duration_since(before.at).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tras::realtime::promote;

    #[test]
    fn a_thread_that_gave_it_up_is_refused_real_time() {
        std::thread::spawn(|| {
            let _ = promote(50);
            be_ordinary();
            give_up_real_time().unwrap();
            assert!(matches!(promote(50), Granted::Ordinary(_)));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_busy_thread_is_seen_to_be_busy() {
        let before = Threads::now();
        while before.at.elapsed().as_millis() < 50 {}
        let used = Threads::now().since(&before);
        assert!(used.stimulate_s > 0.005 && used.stimulate_s <= used.over_s * 1.1, "{used:?}");
        assert_eq!(used.serial_s, 0.0);
    }
}

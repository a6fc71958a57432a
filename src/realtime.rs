//! What the operating system is asked for, and what it gave: priority, locked memory, short sleeps.
//!
//! A stock kernel without root refuses most of it. Nothing depends on it; every answer is read back and
//! shown, because a priority that was asked for and not given is worse than one never asked for.

/// A priority as the kernel reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// `SCHED_FIFO` with this priority.
    RealTime(i32),
    /// An ordinary thread with this nice value.
    Ordinary(i32),
}

impl std::fmt::Display for Granted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RealTime(priority) => write!(f, "SCHED_FIFO {priority}"),
            Self::Ordinary(nice) => write!(f, "ordinary (real time refused), nice {nice}"),
        }
    }
}

/// Asks for `SCHED_FIFO` at `priority` for this thread, and for sleeps that end on time; reads back what it
/// got.
#[cfg(target_os = "linux")]
#[must_use]
pub fn promote(priority: i32) -> Granted {
    let wanted = libc::sched_param { sched_priority: priority };
    // SAFETY: plain system calls on this thread; the pointers live across them.
    unsafe {
        // Without this an ordinary thread's sleeps are rounded up by 50 us.
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64, 0_u64, 0_u64, 0_u64);
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &wanted);
        let mut policy = 0;
        let mut got = libc::sched_param { sched_priority: 0 };
        let read = libc::pthread_getschedparam(libc::pthread_self(), &mut policy, &mut got);
        if read == 0 && policy == libc::SCHED_FIFO {
            return Granted::RealTime(got.sched_priority);
        }
        Granted::Ordinary(libc::getpriority(libc::PRIO_PROCESS, 0))
    }
}

/// Not asked for on this system.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn promote(_priority: i32) -> Granted {
    Granted::Ordinary(0)
}

/// Locks what the process has allocated so far (call it after construction), so that no page of the real-time threads has to be fetched. Says whether it
/// was granted. Future pages are left alone: where locked memory is rationed, an allocation of the screen or
/// the recorder would otherwise fail.
#[cfg(unix)]
#[must_use]
pub fn lock_memory() -> bool {
    // SAFETY: a plain system call.
    unsafe { libc::mlockall(libc::MCL_CURRENT) == 0 }
}

/// Not asked for on this system.
#[cfg(not(unix))]
#[must_use]
pub fn lock_memory() -> bool {
    false
}

/// Processor time of this process so far, in s.
#[cfg(unix)]
#[must_use]
pub fn processor_seconds() -> f64 {
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    // SAFETY: `rusage` is plain data, for which all zeros is a value; the call fills it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

/// Not known on this system.
#[cfg(not(unix))]
#[must_use]
pub fn processor_seconds() -> f64 {
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_what_the_kernel_says_and_not_what_was_asked() {
        let got = std::thread::spawn(|| promote(10)).join();
        // Either is right; that it is the kernel's word shows in the thread's own policy.
        match got {
            Ok(Granted::RealTime(p)) => assert_eq!(p, 10),
            Ok(Granted::Ordinary(nice)) => assert!((-20..=19).contains(&nice)),
            Err(_) => unreachable!("no panic inside"),
        }
    }
}

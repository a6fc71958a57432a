//! What a child process may have: little memory, no core file, no new rights, and no life of its own.
//!
//! Everything here is an ordinary user's. What it does not do: a child that has been taken over still has this user's
//! files and may signal this user's processes; that needs a namespace or another user, see `docs/network.md`.

use std::io;

/// Memory that a child may use, in bytes. liblsl with a stream of 256 channels needs about 60 MB, its threads' stacks
/// and arenas reserve far more addresses than they use.
const DATA_BYTES: libc::rlim_t = 512 << 20;
/// Addresses that it may reserve.
const ADDRESS_BYTES: libc::rlim_t = 4 << 30;
/// Open files.
const FILES: libc::rlim_t = 256;

/// Confines this process and ties it to its parent. To be called before the network is touched.
///
/// # Errors
/// The system refuses a limit.
pub fn confine() -> io::Result<()> {
    limit(libc::RLIMIT_DATA, DATA_BYTES)?;
    limit(libc::RLIMIT_AS, ADDRESS_BYTES)?;
    limit(libc::RLIMIT_NOFILE, FILES)?;
    limit(libc::RLIMIT_CORE, 0)?;
    // No file can be written: only devices, pipes and sockets.
    limit(libc::RLIMIT_FSIZE, 0)?;
    // SAFETY: plain system calls on this process. Ignored signals are the parent's to heed: it ends its children itself,
    // when the current is zero.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong, 0_u64, 0_u64, 0_u64);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64);
        libc::prctl(libc::PR_SET_DUMPABLE, 0_u64, 0_u64, 0_u64, 0_u64);
        libc::prctl(libc::PR_SET_NAME, c"tras-lsl".as_ptr(), 0_u64, 0_u64, 0_u64);
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64, 0_u64, 0_u64, 0_u64);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGTSTP, libc::SIGXFSZ]
        {
            libc::signal(signal, libc::SIG_IGN);
        }
        // The parent reads this one's life from the other end of standard output; a broken pipe is no reason to die
        // half-way through a message.
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
    Ok(())
}

fn limit(what: libc::__rlimit_resource_t, most: libc::rlim_t) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls; the struct lives across them.
    unsafe {
        if libc::getrlimit(what, &mut now) < 0 {
            return Err(io::Error::last_os_error());
        }
        let most = most.min(now.rlim_max);
        let wanted = libc::rlimit { rlim_cur: most, rlim_max: most };
        if libc::setrlimit(what, &wanted) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Whether the parent of this process still lives. `stdout` is a pipe that only the parent reads.
#[must_use]
pub fn parent_lives() -> bool {
    let mut pipe = libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 };
    // SAFETY: a plain system call; the struct lives across it.
    unsafe { libc::poll(&mut pipe, 1, 0) };
    pipe.revents & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) == 0
}

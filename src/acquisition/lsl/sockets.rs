//! Woken by the packet itself: liblsl 1.13 offers no wait that ends when a sample comes (its pull sleeps a millisecond
//! at a time), but its connection is a socket of this process, and two may watch a socket.

use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

/// Connected TCP sockets of this process.
pub(super) struct Sockets {
    poll: Option<OwnedFd>,
}

impl Sockets {
    /// Watches all that are connected now. Where the system does not tell, [`Sockets::wait`] sleeps instead.
    pub(super) fn watch() -> Self {
        // SAFETY: a plain system call.
        let raw = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if raw < 0 {
            return Self { poll: None };
        }
        // SAFETY: the descriptor is open and nobody else's.
        let poll = unsafe { OwnedFd::from_raw_fd(raw) };
        let mut watched = 0;
        for fd in crate::child::sockets_of(libc::SOCK_STREAM).into_iter().filter(|&fd| is_connected(fd)) {
            let mut event = libc::epoll_event {
                events: (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32,
                u64: u64::try_from(fd).unwrap_or(0),
            };
            // SAFETY: a plain system call; a descriptor that was closed meanwhile is refused.
            let added = unsafe { libc::epoll_ctl(poll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
            watched += i32::from(added == 0);
        }
        Self { poll: (watched > 0).then_some(poll) }
    }

    /// Waits for a packet, at most `timeout`; whether one has come, as far as is known.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        let Some(poll) = &self.poll else {
            std::thread::sleep(timeout.min(Duration::from_micros(50)));
            return false;
        };
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
        let ms = i32::try_from(timeout.as_millis()).unwrap_or(1).max(1);
        // SAFETY: the buffer is as long as said and lives across the call.
        unsafe { libc::epoll_wait(poll.as_raw_fd(), events.as_mut_ptr(), events.len() as i32, ms) > 0 }
    }
}

fn is_connected(fd: RawFd) -> bool {
    // SAFETY: plain system calls; the buffer is as long as said. Any descriptor may be asked.
    unsafe {
        let mut address: libc::sockaddr_storage = std::mem::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        libc::getpeername(fd, (&raw mut address).cast(), &mut length) == 0
            && matches!(i32::from(address.ss_family), libc::AF_INET | libc::AF_INET6)
    }
}

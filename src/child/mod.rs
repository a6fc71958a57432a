//! Child processes: everything that listens to the network or parses a byte of it.
//!
//! liblsl is a C++ library that listens on open ports and believes what comes in. One hostile line ends its process, one
//! claimed length takes its memory. So the process that stimulates never calls it: inlets, markers and outlets live in
//! processes of their own, ordinary ones of the same user, with little memory ([`confine`]), joined to the parent by
//! rings of fixed slots in shared memory ([`ring`], [`link`]). A child that dies or sticks is a lost stream; it is put
//! away and started again ([`process`]). What comes through a ring is checked on this side and bounded by its slot.
//!
//! ```text
//! network │ child: liblsl, its threads, one loop ─ ring of samples ─▶ │ acquire thread
//!         │                                      ─ messages ────────▶ │ supervisor thread ─ starts, ends, kills
//! ```

pub mod bell;
#[cfg(target_os = "linux")]
pub mod confine;
#[cfg(target_os = "linux")]
pub mod link;
#[cfg(target_os = "linux")]
pub mod memory;
#[cfg(target_os = "linux")]
pub mod process;
#[cfg(target_os = "linux")]
pub mod ring;
pub mod role;
#[cfg(target_os = "linux")]
pub mod supervise;
#[cfg(target_os = "linux")]
pub mod text;

/// What the hidden command does: becomes the child of this role until told to end.
///
/// # Errors
/// It was not started by its parent, or its work failed.
#[cfg(target_os = "linux")]
pub fn main(role: role::Role) -> std::io::Result<()> {
    use std::os::fd::AsFd;

    use role::Role;
    confine::confine()?;
    let link = link::Link::open(std::io::stdin().as_fd().try_clone_to_owned()?)?;
    match role {
        Role::Inlet => crate::acquisition::lsl::child::run(&link),
        Role::Outlets => crate::outlets::child::run(&link),
        Role::Markers => crate::markers::child::run(&link),
        Role::Participant => crate::simulation::child::run(&link),
    }
}

/// Sockets of the Internet that this process has open.
#[cfg(target_os = "linux")]
#[must_use]
pub fn sockets() -> Vec<std::os::fd::RawFd> {
    sockets_of(libc::SOCK_STREAM).into_iter().chain(sockets_of(libc::SOCK_DGRAM)).collect()
}

/// Those of one kind.
#[cfg(target_os = "linux")]
#[must_use]
pub fn sockets_of(kind: libc::c_int) -> Vec<std::os::fd::RawFd> {
    let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&fd| option(fd, libc::SO_TYPE) == Some(kind))
        .filter(|&fd| matches!(option(fd, libc::SO_DOMAIN), Some(libc::AF_INET | libc::AF_INET6)))
        .collect()
}

#[cfg(target_os = "linux")]
fn option(fd: std::os::fd::RawFd, name: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: a plain system call; the buffer is as long as said. Any descriptor may be asked.
    let got = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut length) };
    (got == 0).then_some(value)
}

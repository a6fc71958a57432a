//! Who may connect: this machine only, unless the configuration opens the outlets to the network.
//!
//! liblsl listens on every interface and has no setting against it. So a filter of the kernel (classic BPF, which needs
//! no rights on one's own sockets) is put on each of its sockets: what did not come over the loopback interface, and is
//! no multicast of this machine's own looped back, is dropped before liblsl sees a byte.

use std::{io, os::fd::RawFd};

/// `skb->pkt_type` of a multicast that this machine has sent itself (linux/if_packet.h). Nothing from outside has it.
const PACKET_LOOPBACK: u32 = 5;
/// Offsets of what the kernel knows of a packet (linux/filter.h).
const SKF_AD_OFF: u32 = 0xffff_f000;
const SKF_AD_PKTTYPE: u32 = 4;
const SKF_AD_IFINDEX: u32 = 8;

/// Puts the filter on every socket of this process.
///
/// # Errors
/// There is no loopback interface, or the kernel refuses the filter.
pub(super) fn this_machine_only() -> io::Result<()> {
    // SAFETY: the name is a string with a final zero.
    let loopback = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    if loopback == 0 {
        return Err(io::Error::last_os_error());
    }
    let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let give = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        instruction(load, 0, 0, SKF_AD_OFF + SKF_AD_IFINDEX),
        instruction(equal, 2, 0, loopback),
        instruction(load, 0, 0, SKF_AD_OFF + SKF_AD_PKTTYPE),
        instruction(equal, 0, 1, PACKET_LOOPBACK),
        instruction(give, 0, 0, u32::MAX),
        instruction(give, 0, 0, 0),
    ];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    for fd in crate::child::sockets() {
        attach(fd, &filter)?;
    }
    Ok(())
}

fn attach(fd: RawFd, filter: &libc::sock_fprog) -> io::Result<()> {
    let length = size_of::<libc::sock_fprog>() as libc::socklen_t;
    // SAFETY: the program lives across the call, which copies it.
    let set = unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(filter).cast(),
            length,
        )
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

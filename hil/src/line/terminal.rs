//! A pseudo terminal: what a program opens as a serial port.

use std::io::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// The far end, the near one (which must stay open), and the path that a program opens.
///
/// # Errors
/// No pseudo terminal is to be had.
pub fn pseudo_terminal() -> Result<(OwnedFd, OwnedFd, PathBuf)> {
    let (mut master, mut slave): (RawFd, RawFd) = (-1, -1);
    let mut name = [0_u8; 128];
    // SAFETY: two descriptors and a buffer longer than any name of a terminal; no settings are passed.
    let failed = unsafe {
        libc::openpty(
            &mut master,
            &mut slave,
            name.as_mut_ptr().cast(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    } != 0;
    if failed {
        return Err(Error::last_os_error());
    }
    // SAFETY: both were opened just now and belong to nobody else.
    let (master, slave_fd) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    // Raw: bytes are bytes, and nothing is echoed.
    // SAFETY: a zeroed termios is one, and the descriptor is open.
    unsafe {
        let mut settings: libc::termios = std::mem::zeroed();
        libc::tcgetattr(slave, &mut settings);
        libc::cfmakeraw(&mut settings);
        libc::tcsetattr(slave, libc::TCSANOW, &settings);
    }
    let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
    let port = PathBuf::from(String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned());
    Ok((master, slave_fd, port))
}

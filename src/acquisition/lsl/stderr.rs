//! Keeps what liblsl prints off a terminal screen.

use std::fs::File;
use std::io;

/// Sends standard error of this process to a file until dropped: what liblsl, and anything else, prints
/// there would spoil a screen that the dashboard draws. Standard output is not touched.
#[derive(Debug)]
pub struct StderrDiversion {
    #[cfg(unix)]
    before: std::os::fd::OwnedFd,
}

impl StderrDiversion {
    /// Diverts to `file`, a log or the null device.
    ///
    /// # Errors
    /// Those of duplicating a file descriptor.
    #[cfg(unix)]
    pub fn to(file: &File) -> io::Result<Self> {
        use std::os::fd::{AsFd, AsRawFd};
        let before = io::stderr().as_fd().try_clone_to_owned()?;
        // SAFETY: both descriptors are open; the call closes nothing but the old number 2, a copy of which
        // is kept.
        if unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { before })
    }

    /// Does nothing where there are no file descriptors.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn to(_file: &File) -> io::Result<Self> {
        Ok(Self {})
    }
}

#[cfg(unix)]
impl Drop for StderrDiversion {
    fn drop(&mut self) {
        use std::os::fd::AsRawFd;
        // SAFETY: both descriptors are open.
        unsafe { libc::dup2(self.before.as_raw_fd(), libc::STDERR_FILENO) };
    }
}

//! Memory that two processes share: a memfd, seen by both as atomic words and as nothing else.
//!
//! The other side may write anything at any time. Read word by word, atomically, that is never undefined, only wrong,
//! and wrong is checked by whoever reads. The size is sealed against shrinking: no read can meet a missing page.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64},
};

/// A shared file without a name, `bytes` long, that nobody can shorten.
///
/// # Errors
/// The system refuses.
pub fn create(name: &CStr, bytes: usize) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the name lives across it.
    let raw = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) };
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is open and nobody else's.
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    grow(&fd, bytes)?;
    // SAFETY: a plain system call on an open descriptor.
    if unsafe { libc::fcntl(raw, libc::F_ADD_SEALS, libc::F_SEAL_SHRINK) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(fd)
}

/// Makes it `bytes` long.
///
/// # Errors
/// The system refuses, or it is longer already.
pub fn grow(fd: &OwnedFd, bytes: usize) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: a plain system call on an open descriptor.
    if unsafe { libc::ftruncate(fd.as_raw_fd(), length) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A mapped part of a shared file.
#[derive(Debug)]
pub struct Memory {
    base: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping belongs to this value and is accessed by atomic operations only.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Maps `count` words from byte `offset` (a multiple of the page size) on.
    ///
    /// # Errors
    /// The file is shorter, or the system refuses.
    pub fn map(fd: BorrowedFd<'_>, offset: usize, count: usize) -> io::Result<Self> {
        let bytes = count.saturating_mul(8).max(8);
        let offset_at = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: `stat` is plain data, for which all zeros is a value; the call fills it.
        let size = unsafe {
            let mut stat: libc::stat = std::mem::zeroed();
            if libc::fstat(fd.as_raw_fd(), &mut stat) < 0 {
                return Err(io::Error::last_os_error());
            }
            usize::try_from(stat.st_size).unwrap_or(0)
        };
        if size < offset.saturating_add(bytes) {
            return Err(io::Error::other("the shared memory is shorter than its description"));
        }
        // SAFETY: a new mapping at a place of the system's choice, of a part of the file that exists.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_raw_fd(),
                offset_at,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at null"))?;
        Ok(Self { base, count: count.max(1) })
    }

    /// All words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is so long, page aligned, lives as long as `self`, and every bit pattern is a value.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) }
    }

    /// The half word at `at` (in words), for waiting. A word used so is used in no other way.
    #[must_use]
    pub fn bell(&self, at: usize) -> Option<&AtomicU32> {
        let word = self.words().get(at)?;
        // SAFETY: aligned, inside the mapping, and accessed atomically and at this width only.
        Some(unsafe { AtomicU32::from_ptr(word.as_ptr().cast()) })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and not used again.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.count.saturating_mul(8)) };
    }
}

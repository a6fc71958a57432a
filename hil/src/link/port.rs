//! A pseudo terminal on the emulated board's line, for the measurement alone: one thread, no queue between two, so
//! that it adds as little as it can, and it counts what passes.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use crate::line::pseudo_terminal;

/// Bytes that wait for a host that does not read; what comes then is lost, as on a cable.
const WAITING: usize = 8_192;

/// Joins `link` to a new pseudo terminal until either closes; gives its path. `heard` gets every byte, `true` for
/// those to the device.
///
/// # Errors
/// No pseudo terminal is to be had.
pub(super) fn join(link: UnixStream, heard: impl FnMut(bool, &[u8]) + Send + 'static) -> Result<String> {
    let (far, near, path) = terminal()?;
    link.set_nonblocking(true)?;
    std::thread::spawn(move || {
        // A terminal whose last user closes it is gone.
        let _kept = near;
        carry(link, far, heard)
    });
    Ok(path)
}

/// The far end, which does not block, the near one, and its path.
///
/// # Errors
/// No pseudo terminal is to be had.
pub(super) fn terminal() -> Result<(File, File, String)> {
    let (far, near, path) = pseudo_terminal()?;
    // SAFETY: a system call on a descriptor that is open.
    if unsafe { libc::fcntl(far.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } < 0 {
        return Err(Error::last_os_error());
    }
    Ok((far.into(), near.into(), path.to_string_lossy().into_owned()))
}

fn carry(mut link: UnixStream, mut far: File, mut heard: impl FnMut(bool, &[u8])) -> Result<()> {
    let (mut down, mut up) = (Vec::<u8>::new(), Vec::<u8>::new());
    let mut chunk = [0; 4_096];
    loop {
        // What waits on one side must not keep the other from being read: the emulator stands still on a full line.
        let event = |fd, wants_out: bool, wants_in: bool| libc::pollfd {
            fd,
            events: if wants_in { libc::POLLIN } else { 0 } | if wants_out { libc::POLLOUT } else { 0 },
            revents: 0,
        };
        let mut events = [
            event(link.as_raw_fd(), !down.is_empty(), true),
            event(far.as_raw_fd(), !up.is_empty(), down.len() < WAITING),
        ];
        // SAFETY: two entries, as said.
        unsafe { libc::poll(events.as_mut_ptr(), 2, 100) };
        if let Some(n) = some(link.read(&mut chunk))? {
            let bytes = chunk.get(..n).unwrap_or_default();
            heard(false, bytes);
            if up.len() < WAITING {
                up.extend_from_slice(bytes);
            }
        }
        if down.len() < WAITING
            && let Some(n) = some(far.read(&mut chunk))?
        {
            let bytes = chunk.get(..n).unwrap_or_default();
            heard(true, bytes);
            down.extend_from_slice(bytes);
        }
        if let Some(n) = some(far.write(&up))? {
            up.drain(..n);
        }
        if let Some(n) = some(link.write(&down))? {
            down.drain(..n);
        }
    }
}

/// Bytes that went; `None` for none.
fn some(done: Result<usize>) -> Result<Option<usize>> {
    match done {
        Ok(n) => Ok((n > 0).then_some(n)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::time::Duration;

    #[test]
    fn what_goes_in_at_one_end_comes_out_at_the_other() {
        let (board, link) = UnixStream::pair().unwrap();
        let path = join(link, |_, _| {}).unwrap();
        let mut host = serialport::new(path, 921_600).timeout(Duration::from_secs(2)).open().unwrap();
        let bytes: Vec<u8> = (0..=255).collect();
        let mut got = vec![0; 256];
        host.write_all(&bytes).unwrap();
        (&board).read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
        (&board).write_all(&bytes).unwrap();
        got.fill(0);
        host.read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
    }
}

//! Between the host and the board: a pseudo terminal for the host, and whatever can go wrong on a cable.

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// What happens to bytes, as long as it is set. Shares are of all bytes, both ways.
#[derive(Clone, Debug, Default)]
pub struct Spoil {
    /// Nothing passes.
    pub cut: bool,
    /// A bit is flipped in so many of a million bytes.
    pub flipped_ppm: u32,
    /// So many of a million bytes are lost.
    pub lost_ppm: u32,
    /// What the host writes at once comes twice. The device's bytes leave the emulator one by one.
    pub repeated: bool,
    /// These bytes go to the device once, before anything else.
    pub injected: Vec<u8>,
}

/// The line, between the board's `link` and the end that the host is given.
pub struct Line {
    spoil: Arc<Mutex<Spoil>>,
    /// A pseudo terminal whose last user closes it is gone; the bench keeps it.
    _kept: Option<OwnedFd>,
}

impl Line {
    /// Joins a new pseudo terminal, and gives its path: what `tras run` is told as its serial port.
    ///
    /// # Errors
    /// No pseudo terminal is to be had.
    pub fn terminal(link: UnixStream) -> Result<(Self, PathBuf)> {
        let (master, slave, port) = pseudo_terminal()?;
        let (read, write) = (File::from(master.try_clone()?), File::from(master));
        Ok((Self::join(link, read, write, Some(slave))?, port))
    }

    /// Joins a new socket, for a host in this process.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn socket(link: UnixStream) -> Result<(Self, UnixStream)> {
        let (ours, hosts) = UnixStream::pair()?;
        Ok((Self::join(link, ours.try_clone()?, ours, None)?, hosts))
    }

    fn join(
        link: UnixStream,
        from_host: impl Read + Send + 'static,
        to_host: impl Write + Send + 'static,
        kept: Option<OwnedFd>,
    ) -> Result<Self> {
        let spoil = Arc::new(Mutex::new(Spoil::default()));
        let (down, up) = (spoil.clone(), spoil.clone());
        let to_device = link.try_clone()?;
        std::thread::spawn(move || carry(from_host, to_device, &down, true, 1));
        let to_host = Lossy::start(to_host);
        std::thread::spawn(move || carry(link, to_host, &up, false, 2));
        Ok(Self { spoil, _kept: kept })
    }

    /// Changes what goes wrong.
    pub fn set(&self, change: impl FnOnce(&mut Spoil)) {
        change(&mut self.spoil.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Towards a host that may not be reading: what it does not take is lost, as on a cable, and the board goes on.
struct Lossy(SyncSender<Vec<u8>>);

impl Lossy {
    fn start(mut to: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel::<Vec<u8>>(16);
        std::thread::spawn(move || receiver.iter().try_for_each(|bytes| to.write_all(&bytes)));
        Self(sender)
    }
}

impl Write for Lossy {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let _ = self.0.try_send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn carry(mut from: impl Read, mut to: impl Write, spoil: &Mutex<Spoil>, down: bool, seed: u64) -> Result<()> {
    let (mut chunk, mut random) = ([0; 1_024], seed);
    loop {
        let n = from.read(&mut chunk)?;
        if n == 0 {
            return Ok(());
        }
        let now = {
            let mut s = spoil.lock().unwrap_or_else(PoisonError::into_inner);
            let copy = s.clone();
            if down {
                s.injected.clear();
            }
            copy
        };
        if now.cut {
            continue;
        }
        let mut out = if down { now.injected } else { Vec::new() };
        for _ in 0..1 + usize::from(down && now.repeated) {
            for &byte in chunk.get(..n).unwrap_or_default() {
                if !chance(&mut random, now.lost_ppm) {
                    let flip = u8::from(chance(&mut random, now.flipped_ppm)) << (random % 8);
                    out.push(byte ^ flip);
                }
            }
        }
        to.write_all(&out)?;
    }
}

/// xorshift64: the same faults in each run.
fn chance(random: &mut u64, ppm: u32) -> bool {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random % 1_000_000 < u64::from(ppm)
}

fn pseudo_terminal() -> Result<(OwnedFd, OwnedFd, PathBuf)> {
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

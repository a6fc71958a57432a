//! Between the host and the board: a pseudo terminal for the host, and whatever can go wrong on a cable.

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
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
    /// Each chunk comes twice.
    pub repeated: bool,
    /// These bytes go to the device once, before anything else.
    pub injected: Vec<u8>,
}

/// The line.
pub struct Line {
    /// The host's end: what `tras run` is told as its serial port.
    pub port: PathBuf,
    spoil: Arc<Mutex<Spoil>>,
    _keep_open: OwnedFd,
}

impl Line {
    /// Joins a new pseudo terminal to the board's `link`.
    ///
    /// # Errors
    /// No pseudo terminal is to be had.
    pub fn start(link: UnixStream) -> Result<Self> {
        let (master, slave, port) = pseudo_terminal()?;
        let spoil = Arc::new(Mutex::new(Spoil::default()));
        let (to_device, from_device) = (File::from(master.try_clone()?), File::from(master));
        let (down, up) = (spoil.clone(), spoil.clone());
        let writer = link.try_clone()?;
        std::thread::spawn(move || carry(to_device, writer, &down, true, 1));
        std::thread::spawn(move || carry(link, from_device, &up, false, 2));
        Ok(Self { port, spoil, _keep_open: slave })
    }

    /// Changes what goes wrong.
    pub fn set(&self, change: impl FnOnce(&mut Spoil)) {
        change(&mut self.spoil.lock().unwrap_or_else(PoisonError::into_inner));
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
        for _ in 0..1 + usize::from(now.repeated) {
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

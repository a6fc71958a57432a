//! Between the host and the board: a pseudo terminal for the host, and whatever can go wrong on a cable.
//!
//! Towards the device whole frames are told apart, so that one can be lost, swapped, altered or forged; towards
//! the host bytes pass as they come. Both ways are listened to: see [`Tap`].

mod spoil;
mod tap;
mod terminal;

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use self::spoil::Spoil;
use self::spoil::{Downward, noisy};
pub use self::tap::Tap;
pub use self::terminal::pseudo_terminal;
use crate::emulator::{GATHER, serve_the_board};
use crate::lock;

/// Bits a second of a board's serial link.
const BAUD: u32 = 921_600;

/// The line, between the board's `link` and the end that the host is given.
pub struct Line {
    spoil: Arc<Mutex<Spoil>>,
    tap: Arc<Mutex<Tap>>,
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
        let host = File::from(master);
        Ok((Self::join((link.try_clone()?, link), (host.try_clone()?, host), Some(slave))?, port))
    }

    /// Joins a new pseudo terminal to a real board's serial port.
    ///
    /// # Errors
    /// The port cannot be opened, or no pseudo terminal is to be had.
    pub fn relay(board: &Path) -> Result<(Self, PathBuf)> {
        let name = board.to_string_lossy();
        let open = serialport::new(name.as_ref(), BAUD).timeout(Duration::from_secs(1)).open();
        let failed = |e: serialport::Error| Error::other(format!("{name}: {e}"));
        let port = open.map_err(failed)?;
        let (master, slave, path) = pseudo_terminal()?;
        let host = File::from(master);
        let read = port.try_clone().map_err(failed)?;
        Ok((Self::join((read, port), (host.try_clone()?, host), Some(slave))?, path))
    }

    /// Joins a new socket, for a host in this process.
    ///
    /// # Errors
    /// No socket is to be had.
    pub fn socket(link: UnixStream) -> Result<(Self, UnixStream)> {
        let (ours, hosts) = UnixStream::pair()?;
        Ok((Self::join((link.try_clone()?, link), (ours.try_clone()?, ours), None)?, hosts))
    }

    fn join(
        device: (impl Read + Send + 'static, impl Write + Send + 'static),
        host: (impl Read + Send + 'static, impl Write + Send + 'static),
        kept: Option<OwnedFd>,
    ) -> Result<Self> {
        let (spoil, tap) = (Arc::new(Mutex::new(Spoil::default())), Arc::new(Mutex::new(Tap::default())));
        let ((from_device, to_device), (from_host, to_host)) = (device, host);
        let (s, t) = (spoil.clone(), tap.clone());
        let (sender, frames) = sync_channel::<Vec<u8>>(64);
        carrier(move || read_into(from_host, &sender));
        carrier(move || down(&frames, to_device, &s, &t));
        let to_host = Lossy::start(to_host);
        let (s, t) = (spoil.clone(), tap.clone());
        carrier(move || up(from_device, to_host, &s, &t));
        Ok(Self { spoil, tap, _kept: kept })
    }

    /// Changes what goes wrong.
    pub fn set(&self, change: impl FnOnce(&mut Spoil)) {
        change(&mut lock(&self.spoil));
    }

    /// What has been heard on the line.
    pub fn heard<T>(&self, at: impl FnOnce(&mut Tap) -> T) -> T {
        at(&mut lock(&self.tap))
    }
}

/// Towards a host that may not be reading: what it does not take is lost, as on a cable, and the board goes on.
struct Lossy(SyncSender<Vec<u8>>);

impl Lossy {
    fn start(mut to: impl Write + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel::<Vec<u8>>(16);
        carrier(move || receiver.iter().try_for_each(|bytes| to.write_all(&bytes)));
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

/// A thread that carries bytes, as promptly as the board works. It ends with its line.
fn carrier(carry: impl FnOnce() -> Result<()> + Send + 'static) {
    std::thread::spawn(move || {
        serve_the_board();
        carry()
    });
}

/// Bytes that came at once; nothing where a port had none within its time.
fn read(from: &mut impl Read, chunk: &mut [u8]) -> Result<usize> {
    match from.read(chunk) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(e) if matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}

fn read_into(mut from: impl Read, sender: &SyncSender<Vec<u8>>) -> Result<()> {
    let mut chunk = [0; 1_024];
    loop {
        let n = read(&mut from, &mut chunk)?;
        if sender.send(chunk.get(..n).unwrap_or_default().to_vec()).is_err() {
            return Ok(());
        }
    }
}

/// Host to device: frame by frame. A flood comes even while the host says nothing.
fn down(
    frames: &std::sync::mpsc::Receiver<Vec<u8>>,
    mut to: impl Write,
    spoil: &Mutex<Spoil>,
    tap: &Mutex<Tap>,
) -> Result<()> {
    let mut way = Downward::new();
    loop {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let bytes = match frames.recv_timeout(Duration::from_millis(2)) {
            Ok(bytes) => bytes,
            Err(Timeout) => Vec::new(),
            Err(Disconnected) => return Ok(()),
        };
        let out = way.pass(&bytes, &mut lock(spoil), &mut lock(tap));
        if !out.is_empty() {
            to.write_all(&out)?;
        }
    }
}

/// Device to host, as they leave the emulator.
fn up(mut from: impl Read, mut to: impl Write, spoil: &Mutex<Spoil>, tap: &Mutex<Tap>) -> Result<()> {
    let (mut chunk, mut random) = ([0; 1_024], 2);
    loop {
        std::thread::sleep(GATHER);
        let n = read(&mut from, &mut chunk)?;
        let bytes = chunk.get(..n).unwrap_or_default();
        lock(tap).hear_device(bytes);
        let now = lock(spoil).clone();
        if !now.cut {
            to.write_all(&noisy(bytes, &now, &mut random))?;
        }
    }
}

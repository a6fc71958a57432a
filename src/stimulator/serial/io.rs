//! The thread that serves a port: bytes out of one ring, bytes into another, and word when the port is gone.
//!
//! **Deadline**: bytes leave within a millisecond of being queued and are taken in as they come. When it is
//! missed the device's queue runs lower; what the device takes for silence is decided by the stimulate thread
//! alone, because this one makes no frames.

use std::{
    io::{ErrorKind, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};
use serialport::SerialPort;

use super::BAUD;
use crate::realtime::{self, Granted};

/// Bytes under way in each direction at most: 0.7 s at the full rate.
const RING: usize = 65_536;
/// How long a read waits for bytes; as long does a frame wait at most before it is written.
const READ_WITHIN: Duration = Duration::from_micros(500);
/// What waits at the end is written for so long at most.
const FLUSH_WITHIN: Duration = Duration::from_millis(20);
/// Below the stimulate thread, above all that only watches.
const PRIORITY: i32 = 78;

/// Why a port is gone, as one atomic word.
const ALIVE: u8 = 0;
const GONE: u8 = 1;
const NOT_TAKEN: u8 = 2;

/// What the two threads share besides the rings.
#[derive(Debug)]
struct Shared {
    quit: AtomicBool,
    lost: AtomicU8,
    /// `i64::MIN`: not known yet; priorities above 0, nice values as -100 - nice.
    priority: AtomicI64,
}

/// The near end of the rings.
pub(super) struct PortThread {
    out: HeapProd<u8>,
    back: HeapCons<u8>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl PortThread {
    /// Opens the port and starts its thread.
    ///
    /// # Errors
    /// What is wrong with the port, for a person.
    pub(super) fn open(path: &str) -> Result<Self, String> {
        let port = serialport::new(path, BAUD).timeout(READ_WITHIN).open().map_err(|e| match e.kind() {
            serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => {
                format!("{e}; are you in the group that owns the port (often `dialout`)?")
            }
            _ => format!("{e}; see `tras devices` for the ports there are"),
        })?;
        let (out, queued) = HeapRb::<u8>::new(RING).split();
        let (heard, back) = HeapRb::<u8>::new(RING).split();
        let shared = Arc::new(Shared {
            quit: AtomicBool::new(false),
            lost: AtomicU8::new(ALIVE),
            priority: AtomicI64::new(i64::MIN),
        });
        let mut server =
            Server { port, queued, heard, shared: Arc::clone(&shared), chunk: [0; 1_024], from: 0, to: 0 };
        let thread = std::thread::Builder::new()
            .name("tras-serial".into())
            .spawn(move || server.run())
            .map_err(|e| format!("its thread cannot start: {e}"))?;
        Ok(Self { out, back, shared, thread: Some(thread) })
    }

    /// Queues a whole frame, or none of it.
    pub(super) fn send(&mut self, frame: &[u8]) -> bool {
        self.out.vacant_len() >= frame.len() && self.out.push_slice(frame) == frame.len()
    }

    /// What has come.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> usize {
        self.back.pop_slice(into)
    }

    /// Why the port is gone.
    pub(super) fn lost(&self) -> Option<&'static str> {
        match self.shared.lost.load(Ordering::Acquire) {
            ALIVE => None,
            NOT_TAKEN => Some("the port takes no more bytes"),
            _ => Some("the port is gone: was it unplugged?"),
        }
    }

    /// What the operating system granted the thread, once it has asked.
    pub(super) fn priority(&self) -> Option<Granted> {
        match self.shared.priority.load(Ordering::Acquire) {
            i64::MIN => None,
            p if p > 0 => Some(Granted::RealTime(p as i32)),
            p => Some(Granted::Ordinary((-100 - p) as i32)),
        }
    }
}

impl Drop for PortThread {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own side.
struct Server {
    port: Box<dyn SerialPort>,
    queued: HeapCons<u8>,
    heard: HeapProd<u8>,
    shared: Arc<Shared>,
    chunk: [u8; 1_024],
    from: usize,
    to: usize,
}

impl Server {
    fn run(&mut self) {
        let granted = match realtime::promote(PRIORITY) {
            Granted::RealTime(priority) => i64::from(priority),
            Granted::Ordinary(nice) => -100 - i64::from(nice),
        };
        self.shared.priority.store(granted, Ordering::Release);
        let mut stuck: Option<Instant> = None;
        let mut quit: Option<Instant> = None;
        loop {
            if self.shared.quit.load(Ordering::Acquire) {
                // What is queued last is a stop or a disarm: it should leave.
                let since = quit.get_or_insert_with(Instant::now);
                if (self.from == self.to && self.queued.is_empty()) || since.elapsed() > FLUSH_WITHIN {
                    return;
                }
            }
            let wrote = self.write();
            let read = wrote.and_then(|waiting| {
                stuck = if waiting { Some(stuck.unwrap_or_else(Instant::now)) } else { None };
                self.read()
            });
            // A port that takes nothing for a second is no link, though it is still there.
            let is_stuck = stuck.is_some_and(|since| since.elapsed() > Duration::from_secs(1));
            if read.is_err() || is_stuck {
                let why = if is_stuck { NOT_TAKEN } else { GONE };
                return self.shared.lost.store(why, Ordering::Release);
            }
        }
    }

    /// Writes what is queued; says whether some of it has to wait.
    fn write(&mut self) -> std::io::Result<bool> {
        if self.from == self.to {
            (self.from, self.to) = (0, self.queued.pop_slice(&mut self.chunk));
        }
        let Some(bytes) = self.chunk.get(self.from..self.to).filter(|bytes| !bytes.is_empty()) else {
            return Ok(false);
        };
        match self.port.write(bytes) {
            Ok(count) => self.from += count,
            Err(e) if is_patience(e.kind()) => {}
            Err(e) => return Err(e),
        }
        Ok(self.from < self.to)
    }

    fn read(&mut self) -> std::io::Result<()> {
        let mut bytes = [0_u8; 1_024];
        match self.port.read(&mut bytes) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                // Where the ring is full the host has not listened for most of a second: frames break, and the
                // link says so by itself.
                self.heard.push_slice(bytes.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(e) if is_patience(e.kind()) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

fn is_patience(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

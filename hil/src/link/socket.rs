//! The adapter's conversation over a socket, to tell what a serial port's way through the kernel costs: the same
//! [`Linked`], the same settings, but no terminal, whose bytes a kernel thread of ordinary priority carries, and no
//! thread that serves it.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tras::stimulator::StimulatorError;
use tras::stimulator::linked::{Line, LinkSettings, Linked};

/// Gets what passes on a line: `true` for bytes to the device.
pub(super) type Ear = Box<dyn FnMut(bool, &[u8]) + Send>;

/// A socket whose other end is a board.
pub(super) struct SocketLine {
    name: Arc<str>,
    socket: UnixStream,
    heard: Ear,
    unsent: Vec<u8>,
    gone: bool,
}

/// The adapter over `socket`, with the settings of the serial one; `heard` gets what passes, `true` for what goes to
/// the device.
///
/// # Errors
/// The socket cannot be set up.
pub(super) fn over(
    socket: UnixStream,
    queue_s: f64,
    heard: impl FnMut(bool, &[u8]) + Send + 'static,
) -> std::io::Result<Linked<SocketLine>> {
    socket.set_nonblocking(true)?;
    let line = SocketLine {
        name: "a socket".into(),
        socket,
        heard: Box::new(heard),
        unsent: Vec::new(),
        gone: false,
    };
    Ok(Linked::new(line, LinkSettings { queue_s, batch: 8, silent_after_s: 0.3 }))
}

impl SocketLine {
    fn flush(&mut self) {
        match self.socket.write(&self.unsent) {
            Ok(n) => drop(self.unsent.drain(..n)),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.gone = true,
        }
    }
}

impl Line for SocketLine {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        Ok(())
    }

    fn wait(&mut self) -> f64 {
        let began = Instant::now();
        std::thread::sleep(Duration::from_micros(200));
        began.elapsed().as_secs_f64()
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        self.flush();
        if !self.unsent.is_empty() {
            return false;
        }
        (self.heard)(true, frame);
        self.unsent.extend_from_slice(frame);
        self.flush();
        true
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        self.flush();
        match self.socket.read(into) {
            Ok(0) => self.gone = true,
            Ok(n) => {
                (self.heard)(false, into.get(..n).unwrap_or_default());
                return n;
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.gone = true,
        }
        0
    }

    fn lost(&self) -> Option<&'static str> {
        self.gone.then_some("the socket is closed")
    }
}

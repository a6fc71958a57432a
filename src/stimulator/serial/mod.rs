//! The firmware over a serial port: the one way out with limits and a watchdog of its own.
//!
//! In: the calls of [`super::Stimulator`]. Out: frames at 921,600 baud, written and read by an I/O thread that
//! knows nothing of what they say: it moves bytes between two rings and the port. So no call waits for the
//! port, and the I/O thread cannot keep a device alive whose stimulate thread has frozen.

mod find;
mod io;

use std::sync::Arc;

use self::io::PortThread;
use super::{
    StimulatorError,
    linked::{Line, LinkSettings, Linked},
};
use crate::realtime::Granted;

pub use self::find::Place;

/// The firmware's baud rate; over USB it means nothing.
pub const BAUD: u32 = 921_600;
/// A device that says nothing for so long is lost: it sends telemetry every 50 ms or oftener, and gives up the
/// host after 250 ms itself.
const SILENT_AFTER_S: f64 = 0.3;
/// Fewer samples than a tenth of the queue are not worth a frame, which has 20 bytes around them and an answer: 4 ms at
/// least, and 10 at most, for the device's queue may be shorter than the one that is asked for.
pub(super) fn batch(queue_s: f64) -> usize {
    let tenth = 0.1 * queue_s * 1e6 / f64::from(tras_device::hard::SAMPLE_US);
    (tenth as usize).clamp(8, 20)
}
/// The shortest wait while shaking hands.
const NAP: std::time::Duration = std::time::Duration::from_micros(200);

/// A stimulator at a serial port.
pub type SerialStimulator = Linked<SerialLine>;

/// A serial port, and the thread that serves it.
pub struct SerialLine {
    name: Arc<str>,
    place: Place,
    port: Option<PortThread>,
}

impl SerialStimulator {
    /// The device at `place`, whose queue is kept filled with `queue_s`. Nothing is opened yet.
    #[must_use]
    pub fn at(place: Place, queue_s: f64) -> Self {
        let line = SerialLine { name: place.to_string().into(), place, port: None };
        Self::new(line, LinkSettings { queue_s, batch: batch(queue_s), silent_after_s: SILENT_AFTER_S })
    }

    /// What the operating system granted the I/O thread.
    #[must_use]
    pub fn priority(&self) -> Option<Granted> {
        self.line().port.as_ref().and_then(PortThread::priority)
    }
}

impl Line for SerialLine {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        // The old thread first: a port is opened by one at a time.
        self.port = None;
        let not_found =
            |detail: String| StimulatorError::NotFound { device: self.name.clone(), detail: detail.into() };
        let path = self.place.resolve().map_err(not_found)?;
        self.port = Some(PortThread::open(&path).map_err(not_found)?);
        Ok(())
    }

    fn wait(&mut self) -> f64 {
        let began = std::time::Instant::now();
        std::thread::sleep(NAP);
        began.elapsed().as_secs_f64()
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        self.port.as_mut().is_some_and(|port| port.send(frame))
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        self.port.as_mut().map_or(0, |port| port.receive(into))
    }

    fn is_wire(&self) -> bool {
        true
    }

    fn cautions(&self) -> Vec<String> {
        let granted = self.port.as_ref().and_then(PortThread::priority);
        let refused = matches!(granted, Some(Granted::Ordinary(_)));
        let what =
            "its thread was refused real-time priority: on a busy machine the device's queue runs lower";
        refused.then(|| format!("{}: {what}", self.name)).into_iter().collect()
    }

    fn lost(&self) -> Option<&'static str> {
        self.port.as_ref().and_then(PortThread::lost)
    }
}

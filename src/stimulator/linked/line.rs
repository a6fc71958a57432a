//! What a link runs over: something that takes frames and gives bytes back.

use crate::stimulator::{Delivered, StimulatorError};

/// One way to a device. Only [`Line::open`] and [`Line::wait`] may block, and both are called only while
/// connecting.
pub trait Line: Send {
    /// What it is called in messages.
    fn name(&self) -> &std::sync::Arc<str>;

    /// Opens it, anew if it was open.
    ///
    /// # Errors
    /// There is nothing to open, or it is not what was asked for.
    fn open(&mut self) -> Result<(), StimulatorError>;

    /// Waits a moment for bytes; gives the seconds that this took, infinite where nothing ever comes by waiting.
    fn wait(&mut self) -> f64;

    /// Time has moved on, before anything is said or heard.
    fn advance(&mut self, _now_s: f64) {}

    /// Takes a whole frame, or none of it where there is no room.
    fn send(&mut self, frame: &[u8]) -> bool;

    /// Bytes that have come; 0 for none.
    fn receive(&mut self, into: &mut [u8]) -> usize;

    /// Why nothing goes through any more, if so.
    fn lost(&self) -> Option<&'static str>;

    /// Hands out the samples that left, where the line itself sees them leave; says whether it does. Elsewhere
    /// they are worked out from the device's telemetry.
    fn delivered(&mut self, _each: &mut dyn FnMut(Delivered)) -> bool {
        false
    }

    /// The caller's time of a time of the device's clock, where the line knows it. Elsewhere it is measured.
    fn host_s(&self, _device_us: u64) -> Option<f64> {
        None
    }

    /// Whether what the device says of its electrodes was measured.
    fn measures(&self) -> bool {
        true
    }

    /// Whether a board is at its other end.
    fn is_wire(&self) -> bool {
        false
    }

    /// The link is given up: nothing that still comes this way may flow.
    fn give_up(&mut self) {}

    /// What a person should know before current flows this way.
    fn cautions(&self) -> Vec<String> {
        Vec::new()
    }

    /// Times that the line itself stumbled: current went on, after a gap of its own.
    fn stumbles(&self) -> u64 {
        0
    }
}

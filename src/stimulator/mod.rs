//! Limited current in, a participant's current out: one adapter for each way that it can leave.
//!
//! In: samples in mA that have passed every host limit. Out: what the device says it delivered. The loop
//! cannot tell one adapter from another; each has its own clock, queue and limits behind this trait.

pub mod audio;
pub mod linked;
pub mod serial;
pub mod simulated;

use std::{borrow::Cow, sync::Arc};

pub use tras_device::{FaultCode, State};
pub use tras_wire::{Limits, Stop};

/// What a device says of itself, at most one exchange old.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Status {
    /// The device's own state.
    pub state: State,
    /// Samples waiting in the device's queue, and the most it holds.
    pub queue_fill: u32,
    /// See `queue_fill`.
    pub queue_capacity: u32,
    /// Times that the queue ran dry while stimulating.
    pub underruns: u64,
    /// Samples played since arming.
    pub delivered: u64,
    /// The current at this moment, in mA.
    pub current_ma: f32,
    /// Impedance in kOhm, where the device measures it.
    pub impedance_kohm: Option<f32>,
    /// The latched fault, if any: its code, the number that broke the limit, and when.
    pub fault: Option<DeviceFault>,
    /// Why the device cannot be spoken to any more, if so; all the rest is what it said last. Latched until a
    /// person connects anew.
    pub lost: Option<&'static str>,
}

/// A fault as the device latched it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceFault {
    /// Which limit or check.
    pub code: FaultCode,
    /// The number that broke it, in the limit's own unit.
    pub value: f32,
    /// When, on this machine's LSL clock.
    pub at_s: f64,
}

/// What becomes of a fault that the device has latched before it was connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latched {
    /// Nobody has said that its cause is gone: [`StimulatorError::Faulted`].
    Refuse,
    /// A person has, of this very one, and wants it cleared. Another is refused as above.
    Clear(FaultCode),
}

/// A current sample that left the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered {
    /// Counts samples since arming.
    pub index: u64,
    /// When it left, on this machine's LSL clock.
    pub stamp_s: f64,
    /// The current, in mA.
    pub current_ma: f32,
}

/// Why a command to a device failed.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StimulatorError {
    /// Nothing answers there.
    #[error("stimulator {device}: not found: {detail}")]
    NotFound { device: Arc<str>, detail: Cow<'static, str> },
    /// The device's echo differs from what was asked.
    #[error("stimulator {device}: it echoes {key} = {got}, asked for {wanted}; do not stimulate with it")]
    LimitsDiffer { device: Arc<str>, key: &'static str, wanted: f32, got: f32 },
    /// The device refuses in its present state.
    #[error("stimulator {device}: {what} refused in state {state:?}")]
    Refused { device: Arc<str>, what: &'static str, state: State },
    /// It has latched a fault before this run.
    #[error(
        "stimulator {device}: its fault {code} ({value}) is latched from before; find and mend its cause, then \
         run once more with --clear-fault {}", code.label()
    )]
    Faulted { device: Arc<str>, code: FaultCode, value: f32 },
    /// Its fault is not cleared, and why.
    #[error("stimulator {device}: its fault {code} ({value}) cannot be cleared: {why}")]
    NotCleared { device: Arc<str>, code: FaultCode, value: f32, why: &'static str },
    /// The link is gone.
    #[error("stimulator {device}: link lost: {detail}")]
    Lost { device: Arc<str>, detail: Cow<'static, str> },
}

impl StimulatorError {
    /// What happened, in words that need no allocation: for the real-time path.
    #[must_use]
    pub fn in_short(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not found",
            Self::LimitsDiffer { .. } => "echoes other limits",
            Self::Refused { what, .. } => what,
            Self::Faulted { .. } | Self::NotCleared { .. } => "its fault is latched from before",
            Self::Lost { .. } => "link lost",
        }
    }
}

/// A stimulator. After [`Stimulator::connect`] no call blocks or allocates.
pub trait Stimulator: Send {
    /// The adapter and the device, for messages.
    fn name(&self) -> &str;
    /// What a person should know before current flows this way; once connected.
    fn cautions(&self) -> Vec<String> {
        Vec::new()
    }
    /// Samples a second that the device takes.
    fn rate_hz(&self) -> f64;
    /// Handshake: sends `wanted`, gives back what the device echoes, which must match. May block for up to 2 s.
    /// It is a person's act, once at the start of a run; `latched` is that person's word on a fault of an earlier one.
    ///
    /// # Errors
    /// Nothing answers, the echo differs, or a fault is latched that nobody wants cleared, or that cannot be.
    fn connect(&mut self, wanted: &Limits, latched: Latched, now_s: f64) -> Result<Limits, StimulatorError>;
    /// Closes the relay with zero current and lets the device take samples. Expires on the device.
    ///
    /// # Errors
    /// The device is not disarmed, or its fault is latched.
    fn arm(&mut self, now_s: f64) -> Result<(), StimulatorError>;
    /// Room in the device's queue, in samples: its credit.
    fn room(&self) -> usize;
    /// Queues samples in mA; the caller has checked `room`. The first after arming, or after a burst has
    /// ended, begin a burst: the device plays them as soon as it holds enough, under a ramp of its own.
    ///
    /// A burst ends by [`Stimulator::stop`], or when the queue runs dry after 10 ms of zeros. Between a stop and
    /// the state [`State::Armed`] samples are refused, so that nothing restarts what was just stopped.
    ///
    /// # Errors
    /// The link is gone or the device refuses.
    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> Result<(), StimulatorError>;
    /// Ends stimulation; the device does it on its own from here.
    fn stop(&mut self, how: Stop, now_s: f64);
    /// Moves time on: heartbeat out, telemetry in. Calls `delivered` for every sample that left since.
    fn poll(&mut self, now_s: f64, delivered: &mut dyn FnMut(Delivered)) -> Status;
    /// Opens the relay. The device may be armed again unless a fault is latched.
    fn disarm(&mut self, now_s: f64);
}

/// What the adapters' tests ask a device to enforce.
#[cfg(test)]
const TESTED: Limits = Limits {
    peak_ma: 0.5,
    dc_ma: 0.020,
    slew_ma_per_ms: 0.5,
    net_charge_mc: 0.6,
    total_charge_mc: 2_400.0,
    active_s: 2_400.0,
    heartbeat_ms: 250,
};

/// The first limit in which two sets differ: its name, then the two numbers.
pub fn difference(wanted: &Limits, got: &Limits) -> Option<(&'static str, f32, f32)> {
    let pairs = [
        ("peak_ma", wanted.peak_ma, got.peak_ma),
        ("dc_ma", wanted.dc_ma, got.dc_ma),
        ("slew_ma_per_ms", wanted.slew_ma_per_ms, got.slew_ma_per_ms),
        ("net_charge_mc", wanted.net_charge_mc, got.net_charge_mc),
        ("total_charge_mc", wanted.total_charge_mc, got.total_charge_mc),
        ("active_s", wanted.active_s, got.active_s),
        ("heartbeat_ms", wanted.heartbeat_ms as f32, got.heartbeat_ms as f32),
    ];
    // Not `!=`: a limit that is not a number equals nothing and must not pass.
    pairs
        .into_iter()
        .find(|(_, wanted, got)| !matches!(wanted.partial_cmp(got), Some(std::cmp::Ordering::Equal)))
}

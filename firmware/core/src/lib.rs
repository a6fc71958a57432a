//! What a stimulator decides for itself: states, limits, ramps, queue.
#![no_std]

/// The states of a stimulator, host and device alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Relay open.
    #[default]
    Disarmed,
    /// Relay closed, zero current.
    Armed,
    /// The current grows.
    RampUp,
    /// Full amplitude.
    Stimulating,
    /// The current falls to zero.
    RampDown,
    /// Latched; zero current, relay open once it is reached.
    Fault,
}

/// Which limit or check latched a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultCode {
    /// |current| above its limit.
    Peak,
}

//! What a stimulator decides for itself: states, limits, ramps, queue. Nothing here knows pins or clocks.
//!
//! In: messages of the host, the time in us, and what the board senses. Out: the current to set and whether
//! the output relay is to be closed. The board and the simulated stimulator run this same code.
//!
//! Modes: see [`State`]. Words: a *burst* is one stretch of stimulation between zero and zero; a *tick* is one
//! update of the DAC; to *cut* is zero and relay open at once, without a ramp.
//!
//! One rule stands over all: the host may ask for less than [`hard`] allows, never for more.
#![no_std]

mod at_rest;
mod clears;
mod device;
mod dose;
mod guard;
pub mod hard;
mod impedance;
mod kept;
mod link;
mod mean;
mod one_sided;
mod player;
mod proof;
mod queue;
mod ramp;
mod readback;
mod session;

pub use device::{Config, Device, Output, Reading, Sense};
pub use kept::{Found, Keeper, Kept, Memory, WORDS};
pub use link::Link;
pub use queue::MAX_QUEUE;
pub use tras_wire::{Fault, FaultCode, State, Stop};

/// A hash of these rules and of the wire's: host and board tell at hello whether theirs are the same.
pub const BUILD: u32 = match u32::from_str_radix(env!("TRAS_DEVICE_BUILD"), 10) {
    Ok(hash) => hash,
    Err(_) => 0,
};

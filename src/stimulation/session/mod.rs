//! The course of a session: when blocks begin and end, and what of the current follows from that.
//!
//! Two kinds: a [`schedule`] of equal blocks, followed by [`blocks`]; and a [`protocol`], walked through by the
//! [`sequencer`], with what it delivers ([`dose`]) and what is wrong with it ([`check`]).

pub mod blocks;
pub mod check;
pub mod course;
pub mod dose;
pub mod protocol;
pub mod schedule;
pub mod sequencer;
#[cfg(test)]
pub(crate) mod tests;

//! Stand-ins for what is outside: a virtual participant whose exponent is known, and recordings played again.
//!
//! In: settings and a seed, or a file. Out: samples for the virtual runtime ([`source`]), or an LSL stream
//! ([`publish`], [`playback`]) that nothing can tell from an amplifier's. [`faults`] breaks such a stream on
//! purpose, at stated times.

pub mod background;
pub mod montage;
pub mod nuisance;
pub mod participant;
pub mod response;
pub mod rhythm;
pub mod source;

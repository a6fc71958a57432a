//! The edges of a session: what is kept of it, sealed, signed and checked. Its course is in the core: [`schedule`], [`blocks`], [`course`].
//!
//! * [`dose`]: how much a participant has had today;
//! * [`orders`], [`allocation`]: which block has which condition, balanced, committed to, sealed;
//! * [`sealed`]: streams that would tell a condition;
//! * [`audit`]: the chained, signed log, with [`keys`] and [`hash`];
//! * [`questionnaires`], [`blinding`]: what participants felt, and whether they could tell their condition;
//! * [`unblinding`], [`verify`]: opening one block; checking everything;
//! * [`recorded`]: a folder read back: events and frames of all its parts;
//! * [`signed`], [`through_certificate`]: what this machine has measured and signed;
//! * [`yoked`]: the decisions of another session, to be played again;
//! * [`folder`], [`private`], [`moment`]: where things stand, for whose eyes, and when.

pub mod allocation;
pub mod audit;
pub mod blinding;
pub mod dose;
pub mod folder;
pub mod hash;
pub mod keys;
pub mod moment;
pub mod orders;
pub mod private;
pub mod questionnaires;
pub mod recorded;
pub mod sealed;
pub mod signed;
pub mod through_certificate;
pub mod unblinding;
pub mod verify;
pub mod yoked;
pub use tras_stimulation::session::{blocks, check, course, dose as reckoned, protocol, schedule, sequencer};

//! The edges of a session: how much a participant has had today. Its course is [`schedule`], in the core.

pub mod dose;
pub use tras_stimulation::session::{blocks, course, schedule};

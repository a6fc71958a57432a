//! The course of a session: when blocks begin and end, and how much a participant has had today.

pub mod dose;
pub mod schedule;

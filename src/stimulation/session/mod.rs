//! The course of a session: when blocks begin and end, and what of the current follows from that.

pub mod blocks;
pub mod course;
pub mod schedule;

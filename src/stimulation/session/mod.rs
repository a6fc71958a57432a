//! The course of a session: when blocks begin and end.

pub mod schedule;

//! Decisions and the current that follows from them.
//!
//! In: estimates, commands, and the time. Out: samples in mA that obey every limit, and the course of a session.
//! No threads, clocks, files, printing, or allocation after construction.

#![warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod controller;
pub mod current;
pub mod envelope;
pub mod limits;
pub mod noise;
pub mod plan;
pub mod session;
pub mod watch;

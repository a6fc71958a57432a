#![doc = include_str!("README.md")]
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod controller;
pub mod current;
pub mod envelope;
pub mod limits;
pub mod noise;
pub mod plan;
pub mod session;
pub mod watch;

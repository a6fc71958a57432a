//! Hostile, unlucky or broken surroundings: the network's neighbours, the disk, another run, a thread that stands still.
//! Each test is what an audit once broke the program with. What is sent to a network goes into one of the test's own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod broken_eeg;
mod common;
mod disk;
mod escapes;
mod fuzz;
mod impostor;
mod liars;
mod outlets;
mod reach;
mod stops;
mod two_runs;

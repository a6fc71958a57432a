//! Acquisition, replay, simulation and outlets over real LSL on the loopback interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod acquisition_lsl;
mod acquisition_peers;
mod outlets_peers;
mod outlets_prompt;
mod replay_lsl;
mod simulate_lsl;

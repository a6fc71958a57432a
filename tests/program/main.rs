//! The whole program as a process: runs, losses, kills, recordings, and what independent programs read of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod choosing;
mod peers_run;
mod program;
mod recorder_peers;
mod stream_loss;
mod stream_rates;
mod task_sender;

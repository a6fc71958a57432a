//! The serial stimulator: the link to the firmware's own code behind a pseudo terminal, and runs over it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod serial_link;
mod serial_run;

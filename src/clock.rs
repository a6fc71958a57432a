//! The clock of this machine, read here and nowhere else. What is pure is given the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of the LSL clock: monotonic, the same in every process of this machine, and what streams are stamped
/// with. Neither allocates nor locks.
#[must_use]
pub fn now_s() -> f64 {
    lsl::local_clock()
}

/// Seconds since 1970, UTC: for files and ledgers, which outlive a boot. Never used to measure.
#[must_use]
pub fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

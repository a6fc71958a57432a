//! The clock of this machine, read here and nowhere else. What is pure is given the time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds of the LSL clock: monotonic, the same in every process of this machine, and what streams are stamped
/// with. Neither allocates nor locks. On Linux that is the monotonic clock (liblsl's is a steady clock of C++, which
/// reads it; the test compares them), read without liblsl, whose first call would start its machinery here.
#[cfg(target_os = "linux")]
#[must_use]
pub fn now_s() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct lives across the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// Seconds of the LSL clock, by liblsl.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn now_s() -> f64 {
    lsl::local_clock()
}

/// Seconds since 1970, UTC: for files and ledgers, which outlive a boot. Never used to measure.
#[must_use]
pub fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liblsl_reads_the_same_clock() {
        for _ in 0..100 {
            let (before_s, theirs_s, after_s) = (now_s(), lsl::local_clock(), now_s());
            assert!(
                before_s - 1e-6 <= theirs_s && theirs_s <= after_s + 1e-6,
                "{before_s} {theirs_s} {after_s}"
            );
        }
    }
}

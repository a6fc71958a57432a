//! One line of the ledger, and the moment that it speaks of.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{DoseError, head::heads_of};

/// The clock may be corrected by so much without a word: a time server's steps, in s.
const CORRECTION_S: f64 = 120.0;

/// A moment by the calendar, and by a clock that nobody sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Seconds since 1970, UTC.
    pub unix_s: f64,
    /// Seconds since the machine was started, sleep included.
    pub up_s: f64,
    /// Which start; empty where the system does not tell.
    pub boot: String,
}

impl Moment {
    /// `unix_s`, and what the machine's own clocks say now.
    #[must_use]
    pub fn of_machine(unix_s: f64) -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { unix_s, up_s: up_s(), boot: boot.trim().to_owned() }
    }
}

#[cfg(target_os = "linux")]
fn up_s() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct lives across the call, which cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

#[cfg(not(target_os = "linux"))]
fn up_s() -> f64 {
    0.0
}

/// Seconds of stimulation that ended at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub participant: String,
    /// Seconds since 1970, UTC.
    pub ended_unix_s: f64,
    pub active_s: f64,
    /// Which start of the machine, and how long after it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot: String,
    #[serde(default)]
    pub up_s: f64,
}

/// `P01` and `p01` are one person.
pub(super) fn person(code: &str) -> String {
    code.trim().to_lowercase()
}

impl Entry {
    pub(super) fn new(participant: &str, active_s: f64, now: &Moment) -> Self {
        Self {
            participant: participant.to_owned(),
            ended_unix_s: now.unix_s,
            active_s,
            boot: now.boot.clone(),
            up_s: now.up_s,
        }
    }

    /// Whether its numbers can be.
    pub(super) fn check(&self, longest_s: f64) -> Result<(), String> {
        if !(self.active_s.is_finite() && (0.0..=longest_s).contains(&self.active_s)) {
            return Err(format!("{} s of stimulation cannot be", self.active_s));
        }
        if !(self.ended_unix_s.is_finite() && self.ended_unix_s >= 0.0 && self.up_s.is_finite()) {
            return Err(format!("{} s since 1970 is no time", self.ended_unix_s));
        }
        Ok(())
    }

    /// Whether `now` can follow this entry. Within one start of the machine the calendar must have moved as the
    /// uptime has; across starts it may only have moved forward.
    pub(super) fn agrees(&self, now: &Moment, path: &Path) -> Result<(), DoseError> {
        let by_calendar_s = now.unix_s - self.ended_unix_s;
        let clock = |what: String| DoseError::Clock { path: path.to_owned(), what, heads: heads_of(path) };
        if by_calendar_s < -CORRECTION_S {
            return Err(clock(format!(
                "its newest entry lies {:.1} min in the future: the clock was set back, or was ahead when it was written",
                -by_calendar_s / 60.0
            )));
        }
        if !self.boot.is_empty() && self.boot == now.boot {
            let by_uptime_s = now.up_s - self.up_s;
            let off_s = by_calendar_s - by_uptime_s;
            if off_s.abs() > CORRECTION_S + 1e-3 * by_uptime_s.abs() {
                let way = if off_s > 0.0 { "ahead" } else { "back" };
                return Err(clock(format!(
                    "since its newest entry the clock was set {way} by {:.1} min",
                    off_s.abs() / 60.0
                )));
            }
        }
        Ok(())
    }
}

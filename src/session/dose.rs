//! What a participant has had today, kept across restarts: 60 min of stimulation a day in total
//! (Antal et al., successor of the 2017 guideline: "up to 4 mA and 60 min a day").
//!
//! One JSON line a burst in a ledger file, appended when the burst ends and every few seconds within it, so
//! that a killed process is still counted to within that interval. A ledger that cannot be read stops
//! stimulation rather than starting the day at zero.

use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::private;

const DAY_S: f64 = 86_400.0;

/// Seconds of stimulation that ended at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    participant: String,
    /// Seconds since 1970, UTC.
    ended_unix_s: f64,
    active_s: f64,
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DoseError {
    /// The file cannot be read or written.
    #[error("dose ledger {}: {source}; mend its permissions, or choose another with `record.dir`", path.display())]
    File {
        /// The ledger.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is no entry.
    #[error("dose ledger {}:{line}: not an entry ({detail}); what was given today is unknown: \
             check it by hand before you stimulate", path.display())]
    Line {
        /// The ledger.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        detail: String,
    },
    /// The day's limit is reached.
    #[error(
        "participant {participant}: {given_min:.1} min of stimulation in the last 24 h, \
             the limit is {limit_min:.0} min; come back tomorrow"
    )]
    Reached {
        /// Who.
        participant: String,
        /// What was given.
        given_min: f64,
        /// `limits.daily_min`.
        limit_min: f64,
    },
}

/// The ledger of one participant.
#[derive(Debug)]
pub struct DoseLedger {
    path: PathBuf,
    participant: String,
    /// In the 24 h before the start of this run.
    before_s: f64,
    /// In this run, as written.
    written_s: f64,
    limit_s: f64,
}

impl DoseLedger {
    /// Opens the ledger `dose.jsonl` in `dir` and adds up the last 24 h.
    ///
    /// # Errors
    /// It cannot be read, a line is broken, or the limit is reached already.
    pub fn open(dir: &Path, participant: &str, limit_min: f64, now_unix_s: f64) -> Result<Self, DoseError> {
        let path = dir.join("dose.jsonl");
        let file = |source| DoseError::File { path: path.clone(), source };
        private::create_folder(dir).map_err(file)?;
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            other => other.map_err(file)?,
        };
        let mut before_s = 0.0;
        for (index, line) in text.lines().enumerate() {
            let entry: Entry = serde_json::from_str(line).map_err(|e| DoseError::Line {
                path: path.clone(),
                line: index + 1,
                detail: e.to_string(),
            })?;
            if entry.participant == participant && entry.ended_unix_s > now_unix_s - DAY_S {
                before_s += entry.active_s;
            }
        }
        let limit_s = limit_min * 60.0;
        if before_s >= limit_s {
            return Err(DoseError::Reached {
                participant: participant.to_owned(),
                given_min: before_s / 60.0,
                limit_min,
            });
        }
        Ok(Self { path, participant: participant.to_owned(), before_s, written_s: 0.0, limit_s })
    }

    /// Seconds of stimulation that the day still has, at the start of this run.
    #[must_use]
    pub fn left_s(&self) -> f64 {
        (self.limit_s - self.before_s).max(0.0)
    }

    /// Writes down what has been given since the last call. `active_s` is the run's total.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&mut self, active_s: f64, now_unix_s: f64) -> Result<(), DoseError> {
        let more_s = active_s - self.written_s;
        if more_s <= 0.0 {
            return Ok(());
        }
        let entry =
            Entry { participant: self.participant.clone(), ended_unix_s: now_unix_s, active_s: more_s };
        let file = |source| DoseError::File { path: self.path.clone(), source };
        let mut out = private::append(&self.path).map_err(file)?;
        let line = serde_json::to_string(&entry).map_err(|e| file(e.into()))?;
        // One write a line: two processes that append do not mix within a line.
        out.write_all(format!("{line}\n").as_bytes()).map_err(file)?;
        out.sync_data().map_err(file)?;
        self.written_s = active_s;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn adds_up_across_restarts_and_forgets_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = DoseLedger::open(dir.path(), "p01", 60.0, 1e6).unwrap();
        first.record(600.0, 1e6).unwrap();
        first.record(1_800.0, 1e6 + 1_200.0).unwrap();
        let again = DoseLedger::open(dir.path(), "p01", 60.0, 1e6 + 2_000.0).unwrap();
        assert_eq!(again.left_s(), 1_800.0);
        let other = DoseLedger::open(dir.path(), "p02", 60.0, 1e6 + 2_000.0).unwrap();
        assert_eq!(other.left_s(), 3_600.0);
        let tomorrow = DoseLedger::open(dir.path(), "p01", 60.0, 1e6 + 90_000.0).unwrap();
        assert_eq!(tomorrow.left_s(), 3_600.0);
    }

    #[test]
    fn refuses_a_day_that_is_full_and_a_ledger_that_is_broken() {
        let dir = tempfile::tempdir().unwrap();
        DoseLedger::open(dir.path(), "p01", 60.0, 0.0).unwrap().record(3_600.0, 0.0).unwrap();
        let full = DoseLedger::open(dir.path(), "p01", 60.0, 1.0).unwrap_err();
        assert!(full.to_string().contains("60.0 min"), "{full}");
        std::fs::write(dir.path().join("dose.jsonl"), "{\"participant\":").unwrap();
        let broken = DoseLedger::open(dir.path(), "p01", 60.0, 1.0).unwrap_err();
        assert!(broken.to_string().contains("dose.jsonl:1"), "{broken}");
    }
}

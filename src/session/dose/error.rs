//! Why the ledger cannot be used, each with what to do.

use std::path::PathBuf;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DoseError {
    /// The file cannot be read or written.
    #[error("dose ledger {}: {source}; mend its permissions, or choose another with `record.ledger`", path.display())]
    File {
        /// The ledger.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A line is no entry, or not the one that was written there.
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
    /// Lines are missing.
    #[error("dose ledger {}: {found} entries, and {known} were written: it was cut or replaced, and what was given today is \
             unknown. Put it back, or, once you know that nobody has had too much, move it and every {} away", path.display(), heads)]
    Cut {
        /// The ledger.
        path: PathBuf,
        /// Entries in it.
        found: u64,
        /// Entries that were written.
        known: u64,
        /// Files that remember.
        heads: String,
    },
    /// The clock says something else than it did.
    #[error("dose ledger {}: {what}; today's dose cannot be told: set the clock right (timedatectl), or, where it is right \
             now, check by hand what was given in the last 24 h and move the ledger and every {heads} away", path.display())]
    Clock {
        /// The ledger.
        path: PathBuf,
        /// Which way, and how far.
        what: String,
        /// Files that remember.
        heads: String,
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

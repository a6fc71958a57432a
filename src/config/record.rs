//! `[record]`: what is written to disk.

use serde::Serialize;

use super::section::Section;

/// The participant where none is named: of a demo.
pub(super) const NOBODY: &str = "demo";

/// What is written to disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Whether a session is recorded.
    pub enabled: bool,
    /// The folder that each session gets a folder in.
    pub dir: String,
    /// The participant's code: letters, digits, `-` and `_`, because it names folders. Never a person's name.
    pub participant: String,
    /// The folder of the ledger of each participant's daily dose; one for the machine, whatever `dir` is, unless stated.
    pub ledger: Option<String>,
    /// Whether the EEG itself is recorded; estimates, current and events always are.
    pub eeg: bool,
}

impl Record {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let record = Self {
            enabled: s.flag("enabled", true),
            dir: s.text("dir").unwrap_or_else(|| "recordings".to_owned()),
            participant: s.text("participant").unwrap_or_else(|| NOBODY.to_owned()),
            ledger: s.text("ledger"),
            eeg: s.flag("eeg", true),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if record.participant.len() > 64 || !record.participant.chars().all(plain) {
            s.problem(
                "participant",
                format!("\"{}\" cannot name a folder", record.participant),
                "use up to 64 letters, digits, - and _",
            );
        }
        s.done();
        record
    }
}

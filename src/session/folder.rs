//! What stands where in a session's folder. All paths are relative to it.

use std::path::{Path, PathBuf};

/// The recording of what is open.
pub const RECORDING: &str = "session.xdf";
/// The resolved configuration.
pub const CONFIGURATION: &str = "config.toml";
/// The study's allocation, sealed, as `tras allocate` made it.
pub const ALLOCATION: &str = "allocation.json";
/// Sealed streams, a file each.
pub const SEALED: &str = "sealed";
/// Questionnaires, one JSON object a line.
pub const QUESTIONNAIRES: &str = "questionnaires.jsonl";
/// What unblinding opened. Made after the session, so the log's list of files does not hold it.
pub const UNBLINDED: &str = "unblinded";
/// Decisions of another session that this one plays.
pub const YOKED: &str = "yoked.json";
/// Events, for spreadsheets.
pub const EVENTS: &str = "events.csv";
/// Estimates, for spreadsheets.
pub const ESTIMATES: &str = "estimates.csv";
/// What the session amounts to.
pub const SUMMARY: &str = "summary.json";

/// The sealed stream of a block; block 0 is for what is sealed outside of blocks.
#[must_use]
pub fn sealed(block: u32) -> PathBuf {
    Path::new(SEALED).join(format!("block-{block:02}.sealed"))
}

/// What is known of an unblinded block: its condition, and why it was opened.
#[must_use]
pub fn unblinded(block: u32) -> PathBuf {
    Path::new(UNBLINDED).join(format!("block-{block:02}.json"))
}

/// The recording that an unblinded block's sealed stream holds.
#[must_use]
pub fn unblinded_recording(block: u32) -> PathBuf {
    Path::new(UNBLINDED).join(format!("block-{block:02}.xdf"))
}

/// The number of the sitting that records next in a folder, from 1: a session has one more each time that it is resumed.
#[must_use]
pub fn next_sitting(session: &Path) -> u32 {
    let free = |n: &u32| match n {
        1 => !session.join(RECORDING).exists(),
        n => !session.join(format!("session-{n}.xdf")).exists(),
    };
    (1..u32::MAX).find(free).unwrap_or(u32::MAX)
}

/// A path with `/` between its parts, as the log has it.
#[must_use]
pub fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

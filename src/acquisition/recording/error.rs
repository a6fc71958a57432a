//! What is wrong with a recording, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where in a file something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    File,
    /// A byte, counted from 0.
    Byte(u64),
    /// A line, counted from 1.
    Line(u64),
}

/// Why a recording cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingError {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub place: Place,
    /// What is wrong and what to do.
    pub what: String,
}

impl RecordingError {
    pub(super) fn new(path: &Path, place: Place, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place, what: what.into() }
    }

    pub(super) fn io(path: &Path, place: Place, error: &std::io::Error) -> Self {
        Self::new(path, place, format!("cannot be read: {error}"))
    }
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::File => write!(f, "{}: {}", self.path.display(), self.what),
            Place::Byte(byte) => write!(f, "{}: byte {byte}: {}", self.path.display(), self.what),
            Place::Line(line) => write!(f, "{}: line {line}: {}", self.path.display(), self.what),
        }
    }
}

impl std::error::Error for RecordingError {}

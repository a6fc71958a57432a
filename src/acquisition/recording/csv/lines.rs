//! Lines of bounded length, split into cells.
//!
//! Quotes mean nothing here: with them an unclosed one would swallow the rest of the file into memory.

use super::super::{Place, RecordingError};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longer than any row of 4,096 channels.
const MAX_LINE: usize = 1 << 20;

pub(super) type Reader = csv::Reader<Bounded<File>>;

/// Opens the file anew; the header is the first record.
pub(super) fn open(path: &Path, delimiter: u8) -> Result<Reader, RecordingError> {
    let file = File::open(path).map_err(|error| RecordingError::io(path, Place::File, &error))?;
    Ok(csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(false)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(Bounded { inner: file, since_newline: 0 }))
}

/// Opens the file anew, behind its header.
pub(super) fn reader(path: &Path, delimiter: u8) -> Result<Reader, RecordingError> {
    let mut reader = open(path, delimiter)?;
    next(&mut reader, &mut csv::ByteRecord::new(), path)?;
    Ok(reader)
}

/// The next row; `false` at the end.
pub(super) fn next(
    reader: &mut Reader,
    record: &mut csv::ByteRecord,
    path: &Path,
) -> Result<bool, RecordingError> {
    reader.read_byte_record(record).map_err(|error| {
        let place = error.position().map_or(Place::File, |position| Place::Line(position.line()));
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                let what = format!("has {len} cells where the header has {expected_len}");
                RecordingError::new(path, place, what)
            }
            csv::ErrorKind::Io(error) => RecordingError::io(path, place, error),
            _ => RecordingError::new(path, place, error.to_string()),
        }
    })
}

/// The line on which a record began.
pub(super) fn line(record: &csv::ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// Refuses a line that does not end.
#[derive(Debug)]
pub(super) struct Bounded<R> {
    inner: R,
    since_newline: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        self.since_newline = match read.iter().rposition(|byte| *byte == b'\n' || *byte == b'\r') {
            Some(newline) => count - newline,
            None => self.since_newline + count,
        };
        if self.since_newline > MAX_LINE {
            let what = format!("a line is longer than {MAX_LINE} bytes; this is not CSV");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(count)
    }
}

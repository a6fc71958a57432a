//! Lines of bounded length, split into cells.
//!
//! Quotes hold within a line only: an unclosed one cannot swallow the rest of the file into memory. Lines that are
//! empty, and comments (`%`, `#`), are no rows.

use super::super::{Place, RecordingError};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longer than any row of 4,096 channels.
const MAX_LINE: u64 = 1 << 20;

/// A file's lines.
#[derive(Debug)]
pub(super) struct Lines {
    reader: BufReader<File>,
    path: PathBuf,
    text: Vec<u8>,
    /// Number of the line in `text`, from 1.
    line: u64,
    /// Whether it ends as lines do: the last of a file that was cut off does not.
    whole: bool,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, RecordingError> {
        let file = File::open(path).map_err(|error| RecordingError::io(path, Place::File, &error))?;
        let reader = BufReader::with_capacity(1 << 16, file);
        Ok(Self { reader, path: path.to_owned(), text: Vec::new(), line: 0, whole: true })
    }

    /// Opens the file behind line `header`.
    pub(super) fn behind(path: &Path, header: u64) -> Result<Self, RecordingError> {
        let mut lines = Self::open(path)?;
        while lines.line < header && lines.read()? {}
        Ok(lines)
    }

    /// The next line that is neither empty nor a comment; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, RecordingError> {
        while self.read()? {
            if !self.text.is_empty() && !self.is_comment() {
                return Ok(Some(&self.text));
            }
        }
        Ok(None)
    }

    /// The next line of any kind.
    pub(super) fn next_raw(&mut self) -> Result<Option<&[u8]>, RecordingError> {
        Ok(self.read()?.then_some(self.text.as_slice()))
    }

    /// Whether the line just read is a comment.
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.text.first(), Some(b'%' | b'#'))
    }

    fn read(&mut self) -> Result<bool, RecordingError> {
        self.text.clear();
        let told = |error: &io::Error, line: u64| RecordingError::io(&self.path, Place::Line(line), error);
        let count = (&mut self.reader)
            .take(MAX_LINE)
            .read_until(b'\n', &mut self.text)
            .map_err(|error| told(&error, self.line + 1))?;
        if count == 0 {
            return Ok(false);
        }
        self.line += 1;
        self.whole = self.text.last() == Some(&b'\n');
        if !self.whole && count as u64 == MAX_LINE {
            let what = format!("a line is longer than {MAX_LINE} bytes; this is not CSV");
            return Err(RecordingError::new(&self.path, Place::Line(self.line), what));
        }
        while matches!(self.text.last(), Some(b'\n' | b'\r' | b' ')) {
            self.text.pop();
        }
        if self.line == 1 && self.text.starts_with(b"\xEF\xBB\xBF") {
            self.text.drain(..3);
        }
        Ok(true)
    }

    /// Number of the line just read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the line just read ends as lines do.
    pub(super) fn whole(&self) -> bool {
        self.whole
    }

    /// Whether nothing follows the line just read.
    pub(super) fn is_last(&mut self) -> bool {
        self.reader.fill_buf().map_or(true, <[u8]>::is_empty)
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}

/// Calls `each` with every cell of `line`, blanks and quotes around it taken off.
pub(super) fn cells<'a>(line: &'a [u8], delimiter: u8, mut each: impl FnMut(usize, &'a [u8])) -> usize {
    let (mut from, mut quoted, mut count) = (0, false, 0);
    // An odd quote is part of a text.
    let quotes = line.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2);
    for at in 0..=line.len() {
        let byte = line.get(at).copied();
        if byte == Some(b'"') && quotes {
            quoted = !quoted;
        }
        if (byte == Some(delimiter) && !quoted) || byte.is_none() {
            let cell = line.get(from..at).unwrap_or_default().trim_ascii();
            let bare = cell.strip_prefix(b"\"").and_then(|cell| cell.strip_suffix(b"\""));
            each(count, bare.map_or(cell, <[u8]>::trim_ascii));
            count += 1;
            from = at + 1;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_within_a_line() {
        let split = |line: &str| {
            let mut found = Vec::new();
            cells(line.as_bytes(), b',', |_, cell| found.push(String::from_utf8_lossy(cell).into_owned()));
            found
        };
        assert_eq!(split("1, \"a, b\" ,\"2\","), ["1", "a, b", "2", ""]);
        assert_eq!(split("1,\"a,2"), ["1", "\"a", "2"]);
        assert_eq!(split(""), [""]);
    }
}

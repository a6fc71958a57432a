//! Reads a log back and says the first entry that does not hold.

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::head::Head;
use super::{AuditError, HASH_KEY, LOG, SIGNATURE};
use crate::session::folder::UNBLINDED;
use crate::session::hash::Hash;

/// The first thing of a log that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The entry, where it is one; from 0, a line each.
    pub entry: Option<u64>,
    /// What, and what it may mean.
    pub what: String,
}

impl Broken {
    /// Of an entry.
    #[must_use]
    pub fn at(entry: u64, what: impl Into<String>) -> Self {
        Self { entry: Some(entry), what: what.into() }
    }

    /// Of the log as a whole, or of what belongs to it.
    #[must_use]
    pub fn whole(what: impl Into<String>) -> Self {
        Self { entry: None, what: what.into() }
    }
}

impl std::error::Error for Broken {}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Some(n) => write!(f, "{LOG} entry {n} (line {}): {}", n + 1, self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// An entry that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its number, from 0.
    pub n: u64,
    /// By the wall clock, ISO 8601.
    pub at: String,
    /// By the run's clock, in s.
    pub run_s: f64,
    /// In a word.
    pub kind: String,
    /// What it says.
    pub data: Value,
    /// Its hash.
    pub hash: Hash,
}

impl Entry {
    /// A text of its data.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key).and_then(Value::as_str)
    }

    /// A number of its data.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.data.get(key).and_then(Value::as_u64)
    }
}

/// What a process that died left of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its length.
    pub bytes: usize,
    /// Its hash.
    pub hash: Hash,
}

/// A log whose entries follow from each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The session's name.
    pub session: String,
    /// All entries; at least one.
    pub entries: Vec<Entry>,
    /// The last of them.
    pub head: Head,
    /// What stands behind it, where the process died in a write.
    pub torn: Option<Torn>,
}

impl Chain {
    /// The newest entry of a kind.
    #[must_use]
    pub fn last(&self, kind: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.kind == kind)
    }

    /// All entries of a kind.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }
}

#[derive(Deserialize)]
struct Line {
    n: u64,
    at: String,
    run_s: f64,
    kind: String,
    data: Value,
    prev: Hash,
}

/// Reads the log of a folder. Whether it is all of the log, and this session's, only heads and files can tell.
///
/// # Errors
/// The first entry that does not hold.
pub fn chain(folder: &Path) -> Result<Chain, Broken> {
    let path = folder.join(LOG);
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Broken::whole(format!(
            "{}: there is no {LOG}: this is no session's folder, or its log was taken away",
            folder.display()
        )),
        _ => Broken::whole(format!("{}: {error}", path.display())),
    })?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut torn: Option<Torn> = None;
    let whole = bytes.strip_suffix(b"\n");
    let mut lines = whole.unwrap_or(&bytes).split(|&byte| byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let n = entries.len() as u64;
        let last = entries.last().map_or(Hash::ZERO, |entry| entry.hash);
        let ended = whole.is_some() || lines.peek().is_some();
        let read = if ended { entry(line, n, last) } else { Err("is cut".to_owned()) };
        match read {
            Ok(entry) => {
                if let Some(torn) = torn.take() {
                    tells_of(&entry, &torn)?;
                }
                entries.push(entry);
            }
            // Only the last line, or one of which the next entry tells, may be torn.
            Err(what) if torn.is_some() => return Err(Broken::at(n, what)),
            Err(what) => {
                let told = lines.peek().is_some_and(|next| entry_tells(next));
                if ended && !told {
                    return Err(Broken::at(n, what));
                }
                torn = Some(Torn { bytes: line.len(), hash: Hash::of(line) });
            }
        }
    }
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Err(Broken::at(0, "there is no whole entry: the log is empty or was cut"));
    };
    let session = match (first.kind.as_str(), first.text("session")) {
        ("opened", Some(session)) => session.to_owned(),
        _ => return Err(Broken::at(0, "does not open a session: the log's beginning is missing")),
    };
    let head = Head { session: session.clone(), n: last.n, hash: last.hash };
    Ok(Chain { session, entries, head, torn })
}

/// Whether a line says that the one before it is torn; whether it holds is seen when its turn comes.
fn entry_tells(line: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(line).ok();
    value.is_some_and(|value| value.pointer("/data/torn").is_some())
}

fn tells_of(entry: &Entry, torn: &Torn) -> Result<(), Broken> {
    let told = entry.data.pointer("/torn/sha256").and_then(Value::as_str);
    if told == Some(torn.hash.to_string().as_str()) {
        return Ok(());
    }
    Err(Broken::at(entry.n, "does not tell of the torn line before it: that line was changed or put in"))
}

fn entry(line: &[u8], n: u64, last: Hash) -> Result<Entry, String> {
    let text = std::str::from_utf8(line).map_err(|_| "is no text: it was edited, or the disk is damaged")?;
    let parts = text.rsplit_once(HASH_KEY);
    let parts =
        parts.and_then(|(hashed, rest)| Some((hashed, rest.strip_suffix("\"}")?.parse::<Hash>().ok()?)));
    let Some((hashed, hash)) = parts else {
        return Err("is cut, or is no entry".to_owned());
    };
    if Hash::of(hashed.as_bytes()) != hash {
        return Err("was edited: its hash does not fit its text".to_owned());
    }
    let line: Line =
        serde_json::from_str(&format!("{hashed}}}")).map_err(|error| format!("is no entry: {error}"))?;
    if line.prev != last {
        return Err(
            "does not follow the entry before it: entries were taken out, put in, or are from another log"
                .to_owned(),
        );
    }
    if line.n != n {
        return Err(format!("has the number {}: entries were taken out or put in", line.n));
    }
    Ok(Entry { n, at: line.at, run_s: line.run_s, kind: line.kind, data: line.data, hash })
}

/// A file as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFile {
    /// Its path in the session's folder, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Hash,
}

/// Every file of a session's folder, but the log itself and what unblinding adds later; in the order of their names.
///
/// # Errors
/// One cannot be read.
pub fn files(folder: &Path) -> Result<Vec<KeptFile>, AuditError> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)
        .map_err(|(path, error)| AuditError::File { path: folder.join(path), error })?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, within: &str, found: &mut Vec<KeptFile>) -> Result<(), (String, io::Error)> {
    let at = |error| (within.to_owned(), error);
    for item in std::fs::read_dir(folder.join(within)).map_err(at)? {
        let item = item.map_err(at)?;
        let name = item.file_name().to_string_lossy().into_owned();
        let path = if within.is_empty() { name } else { format!("{within}/{name}") };
        if [LOG, SIGNATURE, UNBLINDED].contains(&path.as_str()) {
            continue;
        }
        if item.file_type().map_err(at)?.is_dir() {
            walk(folder, &path, found)?;
        } else {
            let (sha256, bytes) = Hash::of_file(&item.path()).map_err(|error| (path.clone(), error))?;
            found.push(KeptFile { path, bytes, sha256 });
        }
    }
    Ok(())
}

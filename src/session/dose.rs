//! What a participant has had today, kept across restarts: 60 min of stimulation a day in total
//! (Antal et al., successor of the 2017 guideline: "up to 4 mA and 60 min a day").
//!
//! One JSON line in a ledger file every few seconds of current and at its end, so that a killed process is still counted
//! to within that interval. Each line carries the hash of all before it ([`chain`]), and how far the ledger has come is
//! kept in a second place ([`Head`]): what is cut off, edited or removed is noticed. Runs at the same time see each
//! other: the file is locked and read anew at each write. Whatever cannot be is refused, never counted as nothing.

mod chain;
mod entry;
mod error;
mod head;

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use super::private;
pub use entry::Moment;
use entry::{Entry, person};
pub use error::DoseError;
use head::Head;
pub use head::state_folder;

const DAY_S: f64 = 86_400.0;
/// The longest stretch that one entry may claim, in s; a run writes every few seconds, older ledgers once a burst.
const LONGEST_ENTRY_S: f64 = DAY_S;

/// The ledger of one participant.
#[derive(Debug)]
pub struct DoseLedger {
    path: PathBuf,
    participant: String,
    /// Of all runs but this one, in the last 24 h, as of the newest look.
    others_s: f64,
    /// In this run, as written.
    written_s: f64,
    limit_s: f64,
}

/// What a ledger says of one person.
struct Read {
    /// Whole lines, and the newest chained one.
    head: Head,
    /// Whether the ledger has come past the head that was remembered.
    met: bool,
    given_s: f64,
    newest: Option<Entry>,
}

impl DoseLedger {
    /// Opens the ledger `dose.jsonl` in `dir` and adds up the last 24 h.
    ///
    /// # Errors
    /// It cannot be read, is broken, cut or edited, the clock has jumped, or the limit is reached already.
    pub fn open(dir: &Path, participant: &str, limit_min: f64, now_unix_s: f64) -> Result<Self, DoseError> {
        Self::open_at(dir, participant, limit_min, &Moment::of_machine(now_unix_s))
    }

    /// The same at a moment of one's own.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(dir: &Path, participant: &str, limit_min: f64, now: &Moment) -> Result<Self, DoseError> {
        let path = dir.join("dose.jsonl");
        let file = |source| DoseError::File { path: path.clone(), source };
        private::create_folder(dir).map_err(file)?;
        let _lock = lock(&path).map_err(file)?;
        let participant = person(participant);
        let known = Head::known(&path);
        let read = read(&path, &participant, now, &known)?;
        known.agrees(&read.head, read.met, &path)?;
        if let Some(newest) = &read.newest {
            newest.agrees(now, &path)?;
        }
        let limit_s = limit_min * 60.0;
        if read.given_s >= limit_s {
            return Err(DoseError::Reached { participant, given_min: read.given_s / 60.0, limit_min });
        }
        Ok(Self { path, participant, others_s: read.given_s, written_s: 0.0, limit_s })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the participant has had in the last 24 h from other runs, in s.
    #[must_use]
    pub fn given_s(&self) -> f64 {
        self.others_s
    }

    /// Seconds of stimulation that this run may come to: the day's limit less what all other runs have given.
    #[must_use]
    pub fn left_s(&self) -> f64 {
        (self.limit_s - self.others_s).max(0.0)
    }

    /// Writes down what has been given since the last call, and looks what others have given. `active_s` is the run's
    /// total.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&mut self, active_s: f64, now_unix_s: f64) -> Result<(), DoseError> {
        self.record_at(active_s, &Moment::of_machine(now_unix_s))
    }

    /// The same at a moment of one's own.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub fn record_at(&mut self, active_s: f64, now: &Moment) -> Result<(), DoseError> {
        let more_s = active_s - self.written_s;
        // A total that is no number must not look like one that has not grown.
        if more_s <= 0.0 {
            return Ok(());
        }
        let file = |source| DoseError::File { path: self.path.clone(), source };
        let _lock = lock(&self.path).map_err(file)?;
        let text = text_of(&self.path).map_err(file)?;
        let before = chain::head_of(&text);
        let entry = Entry::new(&self.participant, more_s, now);
        let (line, head) = chain::link(&entry, &before).map_err(|e| file(e.into()))?;
        // What another process has left half-written stays a line of its own, and is refused at the next start.
        let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        let mut out = private::append(&self.path).map_err(file)?;
        out.write_all(format!("{start}{line}\n").as_bytes()).map_err(file)?;
        out.sync_data().map_err(file)?;
        head.keep(&self.path).map_err(file)?;
        self.written_s = active_s;
        // What cannot be read counts as the whole day: the run ends.
        let given_s =
            read(&self.path, &self.participant, now, &head).map_or(f64::INFINITY, |read| read.given_s);
        self.others_s = given_s - self.written_s;
        Ok(())
    }
}

/// Every line, checked; what `participant` was given in the 24 h before `now`.
fn read(path: &Path, participant: &str, now: &Moment, known: &Head) -> Result<Read, DoseError> {
    let text = text_of(path).map_err(|source| DoseError::File { path: path.to_owned(), source })?;
    let mut read = Read { head: Head::default(), met: *known == Head::default(), given_s: 0.0, newest: None };
    for (index, line) in text.lines().enumerate() {
        let wrong = |detail: String| DoseError::Line { path: path.to_owned(), line: index + 1, detail };
        let entry = chain::check(line, &mut read.head).map_err(wrong)?;
        read.met |= read.head == *known;
        entry.check(LONGEST_ENTRY_S).map_err(wrong)?;
        if person(&entry.participant) == participant && entry.ended_unix_s > now.unix_s - DAY_S {
            read.given_s += entry.active_s;
        }
        if read.newest.as_ref().is_none_or(|newest| entry.ended_unix_s >= newest.ended_unix_s) {
            read.newest = Some(entry);
        }
    }
    Ok(read)
}

fn text_of(path: &Path) -> std::io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

/// Alone with the ledger until dropped, across processes.
fn lock(path: &Path) -> std::io::Result<File> {
    let file = private::append(&path.with_extension("lock"))?;
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: a plain system call on an open descriptor.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests;

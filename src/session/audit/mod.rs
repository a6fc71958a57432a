//! The audit log of a session: one JSON object a line, each with the hash of the one before.
//!
//! In: what happened, from whoever knows; the time comes with it. Out: `audit.jsonl` in the session's folder, only
//! ever appended to, and `audit.sig` with the signed head; each signed head is kept outside the folder too
//! ([`super::keys`]), so that a log that was cut or written anew shows. [`check`] reads it back.
//!
//! The hash of an entry covers the bytes of its line up to `,"hash":`, in which the previous hash stands. No form has
//! to be agreed upon: `sha256sum` over those bytes gives it.
//!
//! A process that dies leaves whole lines and at most one torn one. The torn one is never taken away: the entry that
//! goes on after it ([`AuditLog::resume`]) holds its hash.

pub mod check;
mod clock;
pub mod head;
pub mod trust;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::hash::{Hash, to_hex};
use super::keys::{KeyError, Keys};
use super::moment::{Moment, iso_8601};
use super::private;
use check::{Broken, Chain};
use clock::WallClock;
use head::{Head, SignedHead};

/// The log, in a session's folder.
pub const LOG: &str = "audit.jsonl";
/// Its signed head.
pub const SIGNATURE: &str = "audit.sig";

/// What separates the bytes that are hashed from the hash.
const HASH_KEY: &str = ",\"hash\":\"";

/// Why an entry cannot be made. A session that cannot keep its log must not go on.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log cannot be read or written.
    #[error("audit log {}: {error}", path.display())]
    File {
        /// The log.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is there does not hold: nothing is appended to it.
    #[error("{0}; nothing is added to a log that does not hold")]
    Broken(#[from] Broken),
    /// It cannot be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A log that is being written.
#[derive(Debug)]
pub struct AuditLog {
    file: File,
    folder: PathBuf,
    session: String,
    next: u64,
    last: Hash,
    clock: WallClock,
}

/// A name for a session that no other one has: 128 random bits.
#[must_use]
pub fn new_session() -> String {
    to_hex(&rand::random::<[u8; 16]>())
}

impl AuditLog {
    /// Begins the log of `session` in `folder`, where there must not be one. `data`: who, what, which build, seed and
    /// configuration.
    ///
    /// # Errors
    /// There is a log already, or it cannot be written.
    pub fn create(folder: &Path, session: &str, data: Value, at: Moment) -> Result<Self, AuditError> {
        let path = folder.join(LOG);
        let file = private::options().append(true).create_new(true).open(&path);
        let file = file.map_err(|error| AuditError::File { path, error })?;
        let mut log = Self {
            file,
            folder: folder.to_owned(),
            session: session.to_owned(),
            next: 0,
            last: Hash::ZERO,
            clock: WallClock::new(at),
        };
        log.append(at, "opened", json!({"session": session, "about": data}))?;
        Ok(log)
    }

    /// Goes on with the log of a folder, behind whatever is there, with an entry `kind` about it.
    ///
    /// # Errors
    /// It does not hold, or cannot be written.
    pub fn resume(folder: &Path, kind: &str, data: Value, at: Moment) -> Result<Self, AuditError> {
        let chain = check::chain(folder)?;
        let path = folder.join(LOG);
        let failed = |error| AuditError::File { path: path.clone(), error };
        let mut file = private::options().append(true).open(&path).map_err(failed)?;
        let mut resumed = json!({"session": chain.session, "about": data});
        if let Some(torn) = &chain.torn {
            file.write_all(b"\n").map_err(failed)?;
            let place = resumed.as_object_mut();
            place.map(|entry| {
                entry.insert("torn".to_owned(), json!({"bytes": torn.bytes, "sha256": torn.hash}))
            });
        }
        let Chain { session, entries, head, .. } = chain;
        let mut log = Self {
            file,
            folder: folder.to_owned(),
            session,
            next: entries.len() as u64,
            last: head.hash,
            clock: WallClock::new(at),
        };
        log.append(at, kind, resumed)?;
        Ok(log)
    }

    /// The session's name.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The newest entry.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { session: self.session.clone(), n: self.next.saturating_sub(1), hash: self.last }
    }

    /// Adds an entry. `kind` in a word; `data` must tell nothing that is sealed.
    ///
    /// # Errors
    /// It cannot be written. What is half there is then a torn line that the next resumption tells of.
    pub fn append(&mut self, at: Moment, kind: &str, data: Value) -> Result<Head, AuditError> {
        let entry = json!({
            "n": self.next, "at": iso_8601(at.unix_s), "run_s": (at.run_s * 1e6).round() / 1e6,
            "kind": kind, "data": data, "prev": self.last,
        });
        let text = entry.to_string();
        let hashed = text.strip_suffix('}').unwrap_or(&text);
        let hash = Hash::of(hashed.as_bytes());
        let line = format!("{hashed}{HASH_KEY}{hash}\"}}\n");
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| AuditError::File { path: self.folder.join(LOG), error })?;
        (self.next, self.last) = (self.next + 1, hash);
        Ok(self.head())
    }

    /// To be called every second or so: makes an entry where the wall clock was set. Gives by how many seconds.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn watch_clock(&mut self, at: Moment) -> Result<Option<f64>, AuditError> {
        let Some(step) = self.clock.look(at) else { return Ok(None) };
        let data = json!({
            "step_s": step.step_s, "expected": iso_8601(at.unix_s - step.step_s), "total_s": step.total_s,
        });
        self.append(at, "clock_step", data)?;
        Ok(Some(step.step_s))
    }

    /// Signs the newest entry, beside the log and outside the folder. To be called every 10 s, and at the end.
    ///
    /// # Errors
    /// There is no key, or no room.
    pub fn sign(&mut self, keys: &Keys, at: Moment) -> Result<SignedHead, AuditError> {
        let signing = self.signing(keys, at)?;
        signing.keep()?;
        Ok(signing.signed)
    }

    /// The same with the wait for the disk left to whoever calls [`Signing::keep`]: in the order in which they were made.
    ///
    /// # Errors
    /// There is no key.
    pub fn signing(&self, keys: &Keys, at: Moment) -> Result<Signing, AuditError> {
        let path = self.folder.join(LOG);
        let file = self.file.try_clone().map_err(|error| AuditError::File { path, error })?;
        let signed = SignedHead::new(self.head(), &keys.signing()?, iso_8601(at.unix_s));
        Ok(Signing { signed, file, folder: self.folder.clone(), keys: keys.clone() })
    }

    /// Ends the session: one entry with the hash of every file that stands in the folder, and the signature.
    ///
    /// # Errors
    /// A file cannot be read, or as [`Self::sign`].
    pub fn close(mut self, keys: &Keys, data: Value, at: Moment) -> Result<SignedHead, AuditError> {
        let files = check::files(&self.folder)?;
        self.append(at, "closed", json!({"about": data, "files": files}))?;
        self.sign(keys, at)
    }
}

/// A signature of a log that is to be brought to the disk: never before the entries that it stands for.
#[derive(Debug)]
pub struct Signing {
    signed: SignedHead,
    file: File,
    folder: PathBuf,
    keys: Keys,
}

impl Signing {
    /// Brings the log to the disk, then its signature, beside it and outside of its folder.
    ///
    /// # Errors
    /// There is no room.
    pub fn keep(&self) -> Result<(), AuditError> {
        let path = self.folder.join(LOG);
        self.file.sync_data().map_err(|error| AuditError::File { path, error })?;
        let line = self.signed.to_line();
        let path = self.folder.join(SIGNATURE);
        private::replace(&path, format!("{line}\n").as_bytes())
            .map_err(|error| AuditError::File { path, error })?;
        Ok(self.keys.keep_head(&line)?)
    }
}

#[cfg(test)]
mod tests;

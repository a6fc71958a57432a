//! What would tell a condition, sealed: one file a block, a chunk of fixed size every second.
//!
//! In: bytes, by [`std::io::Write`] (a recorder's own XDF, so that what is opened later is a recording like any other),
//! and once a second the order to seal ([`SealedFile::seal`]). Out: a file that grows by the same number of bytes at
//! each order, whatever was written: neither its size nor its times tell anything. What does not fit into one chunk
//! goes into the next; what fills less is padded, inside the encryption.
//!
//! ```text
//! file   = header line (JSON, ends with \n), padded to 4,096 bytes; then records, all of the same length
//! record = "TSC1", length of the age file (u32 LE), age file, zeros
//! chunk  = what the age file holds: session (32 hex digits), block (u32 LE), number (u64 LE), bytes used (u32 LE),
//!          those bytes, zeros
//! ```
//! Each file has an x25519 key of its own, which the header holds encrypted to the instrument and to the holder of the
//! emergency key: opening one block tells nothing of the others, and that key can be given away alone. Each record is
//! a whole age file, written in one piece: a process that dies costs the chunk that it was gathering. Anyone can
//! encrypt to a public key, so each record's hash goes into the audit log ([`Sealed`]); that is what makes them ours.

mod read;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use serde::{Deserialize, Serialize};

use super::hash::{Hash, to_hex};
use super::private;
pub use read::{Record, SealedReader, Unlocked};

const MAGIC: &[u8; 4] = b"TSC1";
/// Of a file's header, padding included.
const HEADER_BYTES: usize = 4_096;
/// Before the bytes of a chunk: session, block, number, bytes used.
const CHUNK_HEAD: usize = 32 + 4 + 8 + 4;
/// What a record holds beside its chunk: magic, length, age's header (which has a stanza of random length), nonce,
/// and a tag for each 64 KiB. age's own comes to some 500 bytes.
const RECORD_EXTRA: usize = 2_048;
/// Chunks that may wait: a disk or a burst that is worse loses data, and says so.
const MAX_WAITING: usize = 64;

/// Why something was not sealed, or cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// The file cannot be read or written.
    #[error("sealed stream {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not what it should be.
    #[error("sealed stream {}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It cannot be encrypted or decrypted.
    #[error("sealed stream {}: {what}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    format: String,
    session: String,
    block: u32,
    /// Bytes that a chunk can hold.
    capacity: usize,
    /// Public key of this file.
    recipient: String,
    /// Its secret key, as an age file to the instrument and the emergency key, in hexadecimal digits.
    key: String,
}

const FORMAT: &str = "tras-sealed-1";

/// A chunk as it was sealed: what the audit log keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Name of the file.
    pub file: String,
    /// Its number in the file, from 0.
    pub n: u64,
    /// Hash of its record.
    pub sha256: Hash,
}

impl Sealed {
    /// As an entry of the audit log, kind `chunk`.
    #[must_use]
    pub fn entry(&self) -> serde_json::Value {
        serde_json::json!({"file": self.file, "chunk": self.n, "sha256": self.sha256})
    }
}

/// How many bytes a second of EEG and current come to as XDF, with room for events and estimates: the capacity of a
/// chunk. It must be the same for every condition, so it is reckoned from what every block may have.
#[must_use]
pub fn capacity(channels: usize, rate_hz: f64, current_rate_hz: f64) -> usize {
    // A sample of EEG: values, stamp, and the facts about its frame; a sample of current: value and stamp.
    let eeg = rate_hz * (channels as f64 * 4.0 + 9.0 + 8.0 * (4.0 + channels as f64 / 32.0));
    let current = current_rate_hz * 13.0;
    ((eeg + current) as usize + 32_768).next_multiple_of(4_096)
}

/// A stream that is being sealed.
pub struct SealedFile {
    file: File,
    path: PathBuf,
    recipient: Recipient,
    session: String,
    block: u32,
    capacity: usize,
    next: u64,
    waiting: Vec<u8>,
    /// Bytes that found no room.
    refused: u64,
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedFile")
            .field("path", &self.path)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl SealedFile {
    /// Begins the stream of a block at `path`, where there must be nothing. `capacity`: bytes a chunk, see
    /// [`capacity`]; `recipients`: who can open it.
    ///
    /// # Errors
    /// It is there already, cannot be written, or nobody could open it.
    pub fn create(
        path: &Path,
        session: &str,
        block: u32,
        capacity: usize,
        recipients: &[Recipient],
    ) -> Result<Self, SealedError> {
        let own = Identity::generate();
        let at_key = |what: String| SealedError::Key { path: path.to_owned(), what };
        let key = encrypt(recipients, own.to_string().expose_secret().as_bytes()).map_err(at_key)?;
        let recipient = own.to_public();
        let header = Header {
            format: FORMAT.to_owned(),
            session: session.to_owned(),
            block,
            capacity,
            recipient: recipient.to_string(),
            key: to_hex(&key),
        };
        let mut line = serde_json::to_string(&header).map_err(|error| at_key(error.to_string()))?;
        let Some(padding) = (HEADER_BYTES - 1).checked_sub(line.len()).filter(|_| session.len() == 32) else {
            return Err(at_key(
                "too many recipients, or a session's name that is not 32 characters".to_owned(),
            ));
        };
        line.extend(std::iter::repeat_n(' ', padding));
        line.push('\n');
        let at_file = |error| SealedError::File { path: path.to_owned(), error };
        let mut file = private::options().append(true).create_new(true).open(path).map_err(at_file)?;
        file.write_all(line.as_bytes()).map_err(at_file)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            recipient,
            session: session.to_owned(),
            block,
            capacity: capacity.max(1),
            next: 0,
            waiting: Vec::new(),
            refused: 0,
        })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that wait for the next chunk.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes that found no room and are lost.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Seals one chunk, also where nothing was written: to be called once a second, by the clock alone.
    ///
    /// # Errors
    /// The disk refuses; everything then waits for the next call. What is half there is a torn record, which no
    /// reader takes for a whole one; the next is written at its place.
    pub fn seal(&mut self) -> Result<Sealed, SealedError> {
        let used = self.waiting.len().min(self.capacity);
        let mut chunk = Vec::with_capacity(CHUNK_HEAD + self.capacity);
        chunk.extend(self.session.as_bytes());
        chunk.extend(self.block.to_le_bytes());
        chunk.extend(self.next.to_le_bytes());
        chunk.extend(u32::try_from(used).unwrap_or_default().to_le_bytes());
        chunk.extend(self.waiting.get(..used).unwrap_or_default());
        chunk.resize(CHUNK_HEAD + self.capacity, 0);
        let at_key = |what: String| SealedError::Key { path: self.path.clone(), what };
        let age = encrypt(std::slice::from_ref(&self.recipient), &chunk).map_err(at_key)?;
        let mut record = Vec::with_capacity(record_bytes(self.capacity));
        record.extend(MAGIC);
        record.extend(u32::try_from(age.len()).unwrap_or_default().to_le_bytes());
        record.extend(&age);
        if record.len() > record_bytes(self.capacity) {
            return Err(at_key("age wrote more than a record has room for".to_owned()));
        }
        record.resize(record_bytes(self.capacity), 0);
        let written = self.file.write_all(&record);
        if let Err(error) = written {
            let whole = HEADER_BYTES as u64 + self.next * record.len() as u64;
            // Should this fail as well, the torn record is seen by its length.
            let _ = self.file.set_len(whole);
            return Err(SealedError::File { path: self.path.clone(), error });
        }
        self.waiting.drain(..used);
        let file = self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let sealed = Sealed { file, n: self.next, sha256: Hash::of(&record) };
        self.next += 1;
        Ok(sealed)
    }

    /// Another handle on the file, by which it is brought to the disk.
    ///
    /// # Errors
    /// The system has no more.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl Write for SealedFile {
    /// Takes all or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + bytes.len() > self.capacity * MAX_WAITING {
            self.refused += bytes.len() as u64;
            let what = format!("{} bytes wait to be sealed already", self.waiting.len());
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        self.waiting.extend(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: [`SealedFile::seal`] does, at its own times.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Length of a record.
fn record_bytes(capacity: usize) -> usize {
    (CHUNK_HEAD + capacity + (capacity >> 12) + RECORD_EXTRA).next_multiple_of(512)
}

/// Encrypts to everyone in `recipients`.
///
/// # Errors
/// There is nobody, or age refuses.
pub fn encrypt(recipients: &[Recipient], plain: &[u8]) -> Result<Vec<u8>, String> {
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(|error| error.to_string())?;
    let mut sealed = Vec::with_capacity(plain.len() + RECORD_EXTRA);
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(|error| error.to_string())?;
    writer.write_all(plain).and_then(|()| writer.finish().map(|_| ())).map_err(|error| error.to_string())?;
    Ok(sealed)
}

/// Decrypts with one key.
///
/// # Errors
/// It is not encrypted to this key, or was changed.
pub fn decrypt(identity: &Identity, sealed: &[u8]) -> Result<Vec<u8>, String> {
    age::decrypt(identity, sealed).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;

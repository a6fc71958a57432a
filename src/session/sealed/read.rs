//! Reads a sealed stream: its records and their hashes without any key, its bytes with one.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use age::x25519::Identity;

use super::{CHUNK_HEAD, FORMAT, HEADER_BYTES, Header, MAGIC, SealedError, decrypt, record_bytes};
use crate::session::hash::{Hash, from_hex};

/// A file that is being read.
#[derive(Debug)]
pub struct SealedReader {
    input: BufReader<File>,
    path: PathBuf,
    header: Header,
    next: u64,
    torn: usize,
}

/// A record as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, from 0.
    pub n: u64,
    /// Hash of all its bytes.
    pub sha256: Hash,
    bytes: Vec<u8>,
}

/// The key of one file.
pub struct Unlocked {
    identity: Identity,
}

impl SealedReader {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// It cannot be read, or is no sealed stream.
    pub fn open(path: &Path) -> Result<Self, SealedError> {
        let at_file = |error| SealedError::File { path: path.to_owned(), error };
        let malformed = |what: String| SealedError::Malformed { path: path.to_owned(), what };
        let mut input = BufReader::new(File::open(path).map_err(at_file)?);
        let mut line = vec![0; HEADER_BYTES];
        input.read_exact(&mut line).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => malformed("is cut in its header".to_owned()),
            _ => at_file(error),
        })?;
        let header: Header =
            serde_json::from_slice(&line).map_err(|error| malformed(format!("has no header: {error}")))?;
        if header.format != FORMAT || header.session.len() != 32 || header.capacity > 1 << 28 {
            return Err(malformed(format!("is no {FORMAT}")));
        }
        Ok(Self { input, path: path.to_owned(), header, next: 0, torn: 0 })
    }

    /// The session that it is of.
    #[must_use]
    pub fn session(&self) -> &str {
        &self.header.session
    }

    /// The block that it is of.
    #[must_use]
    pub fn block(&self) -> u32 {
        self.header.block
    }

    /// Bytes behind the last whole record, once that was read.
    #[must_use]
    pub fn torn(&self) -> usize {
        self.torn
    }

    /// The next whole record; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read, or what comes is no record.
    pub fn next_record(&mut self) -> Result<Option<Record>, SealedError> {
        let length = record_bytes(self.header.capacity);
        let mut bytes = Vec::with_capacity(length);
        let mut record = self.input.by_ref().take(length as u64);
        record
            .read_to_end(&mut bytes)
            .map_err(|error| SealedError::File { path: self.path.clone(), error })?;
        if bytes.len() < length {
            self.torn = bytes.len();
            return Ok(None);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(self.malformed(format!("chunk {} is damaged", self.next)));
        }
        let record = Record { n: self.next, sha256: Hash::of(&bytes), bytes };
        self.next += 1;
        Ok(Some(record))
    }

    /// Opens the file's own key with the instrument's or the emergency key.
    ///
    /// # Errors
    /// It is sealed to others, or was changed.
    pub fn unlock(&self, identity: &Identity) -> Result<Unlocked, SealedError> {
        let key = |what: String| SealedError::Key { path: self.path.clone(), what };
        let sealed = from_hex(&self.header.key).ok_or_else(|| self.malformed("has no key".to_owned()))?;
        let plain = decrypt(identity, &sealed).map_err(key)?;
        let text = String::from_utf8(plain).map_err(|_| key("holds no key".to_owned()))?;
        let identity: Identity = text.parse().map_err(|what| key(format!("holds no key: {what}")))?;
        if identity.to_public().to_string() != self.header.recipient {
            return Err(key("holds the key of another file".to_owned()));
        }
        Ok(Unlocked { identity })
    }

    /// The bytes that a record holds.
    ///
    /// # Errors
    /// It was changed, or is of another place.
    pub fn bytes(&self, record: &Record, key: &Unlocked) -> Result<Vec<u8>, SealedError> {
        let number = |bytes: Option<&[u8]>| {
            bytes.map_or(0, |bytes| bytes.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)))
        };
        let length = usize::try_from(number(record.bytes.get(4..8))).unwrap_or(usize::MAX);
        let damaged = |what: &str| self.malformed(format!("chunk {}: {what}", record.n));
        let age =
            record.bytes.get(8..length.saturating_add(8)).ok_or_else(|| damaged("its length is wrong"))?;
        let plain = decrypt(&key.identity, age).map_err(|what| damaged(&what))?;
        let here = plain.get(..32) == Some(self.header.session.as_bytes())
            && number(plain.get(32..36)) == u64::from(self.header.block)
            && number(plain.get(36..44)) == record.n;
        if !here {
            return Err(damaged("is from another place: another session, block, or number"));
        }
        let used = usize::try_from(number(plain.get(44..48))).unwrap_or(usize::MAX);
        let bytes = plain.get(CHUNK_HEAD..CHUNK_HEAD.saturating_add(used));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| damaged("says that it holds more than it does"))
    }

    /// All bytes of the stream, in their order.
    ///
    /// # Errors
    /// As [`Self::unlock`] and [`Self::bytes`].
    pub fn read_all(mut self, identity: &Identity) -> Result<Vec<u8>, SealedError> {
        let key = self.unlock(identity)?;
        let mut all = Vec::new();
        while let Some(record) = self.next_record()? {
            all.extend(self.bytes(&record, &key)?);
        }
        Ok(all)
    }

    fn malformed(&self, what: String) -> SealedError {
        SealedError::Malformed { path: self.path.clone(), what }
    }
}

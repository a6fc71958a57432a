//! SHA-256, as 64 hexadecimal digits wherever it is written down.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first entry of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// Of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of a file, and its length.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of_file(path: &Path) -> io::Result<(Self, u64)> {
        let (mut file, mut sha) = (File::open(path)?, Sha256::new());
        let (mut buffer, mut length) = (vec![0; 1 << 16], 0);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((Self(sha.finalize().into()), length)),
                count => {
                    sha.update(buffer.get(..count).unwrap_or_default());
                    length += count as u64;
                }
            }
        }
    }

    /// The first 12 digits, for a sentence.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(12).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = from_hex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| format!("{text:?} is no SHA-256 of 64 hexadecimal digits"))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The running program, known by its own bytes.
pub mod build {
    use super::Hash;
    use std::sync::OnceLock;

    /// SHA-256 of the program's file, as 64 hexadecimal digits; empty where the system does not give the file. Read
    /// once: it takes some tenths of a second.
    #[must_use]
    pub fn id() -> &'static str {
        static ID: OnceLock<String> = OnceLock::new();
        ID.get_or_init(|| {
            let file = std::env::current_exe().and_then(|path| Hash::of_file(&path));
            file.map_or_else(|_| String::new(), |(hash, _)| hash.to_string())
        })
    }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

/// The bytes of hexadecimal digits; `None` where there is anything else.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    digits.chunks_exact(2).map(|pair| u8::try_from(pair.iter().fold(0, |n, d| n * 16 + d)).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn hashes_as_the_standard_says() {
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hash::of(b"abc").to_string(), abc);
        assert_eq!(abc.parse(), Ok(Hash::of(b"abc")));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"abc").unwrap();
        assert_eq!(Hash::of_file(file.path()).unwrap(), (Hash::of(b"abc"), 3));
    }

    #[test]
    fn refuses_what_is_no_hash() {
        for bad in ["", "ba78", "zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "0"] {
            assert!(bad.parse::<Hash>().is_err(), "{bad}");
        }
        assert_eq!(from_hex("00ff1"), None);
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
    }
}

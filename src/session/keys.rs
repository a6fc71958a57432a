//! The keys of this machine, made at first use, for its user alone (0600): one that signs audit logs (ed25519) and
//! one that opens what is sealed to the instrument (age, x25519); and the heads of audit logs, kept here because
//! here is outside of every session's folder.
//!
//! Whoever is root on this machine, or logged in as its user, can read these keys: they protect against everybody
//! else, and against anyone who changes a session's folder elsewhere.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};
use ed25519_dalek::SigningKey;

use super::hash::{from_hex, to_hex};
use super::private;

/// A folder that is used in place of the user's own, such as one on a stick.
pub const FOLDER_VARIABLE: &str = "TRAS_KEYS";

const SIGNING: &str = "audit.key";
const INSTRUMENT: &str = "instrument.key";
const HEADS: &str = "heads.jsonl";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Nobody says where keys belong.
    #[error("there is no folder for keys: HOME is not set; name one in {FOLDER_VARIABLE}")]
    NoFolder,
    /// A file cannot be read or written.
    #[error("key {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("key {}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// The folder of the keys.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// In `TRAS_KEYS`, or else `tras` in the user's folder for configurations.
    ///
    /// # Errors
    /// Neither is known.
    pub fn of_user() -> Result<Self, KeyError> {
        let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let folder = variable(FOLDER_VARIABLE)
            .or_else(|| variable("XDG_CONFIG_HOME").map(|dir| dir.join("tras")))
            .or_else(|| variable("HOME").map(|home| home.join(".config/tras")));
        folder.map(Self::within).ok_or(KeyError::NoFolder)
    }

    /// In this folder.
    #[must_use]
    pub fn within(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The key that signs, made where there is none.
    ///
    /// # Errors
    /// It cannot be read, written, or is no key.
    pub fn signing(&self) -> Result<SigningKey, KeyError> {
        let make = || -> String { to_hex(&rand::random::<[u8; 32]>()) };
        let (path, text) = self.read_or_make(SIGNING, make)?;
        parse_signing(&path, &text)
    }

    /// The key that signs; `None` where none was made yet.
    ///
    /// # Errors
    /// As [`Self::signing`].
    pub fn existing_signing(&self) -> Result<Option<SigningKey>, KeyError> {
        let path = self.folder.join(SIGNING);
        match std::fs::read_to_string(&path) {
            Ok(text) => parse_signing(&path, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyError::File { path, error }),
        }
    }

    /// The instrument's key, made where there is none.
    ///
    /// # Errors
    /// It cannot be read, written, or is no key.
    pub fn instrument(&self) -> Result<Identity, KeyError> {
        let make = || format!("{}\n", Identity::generate().to_string().expose_secret());
        let (path, _) = self.read_or_make(INSTRUMENT, make)?;
        read_identity(&path)
    }

    /// Where the heads of audit logs are kept.
    #[must_use]
    pub fn heads(&self) -> PathBuf {
        self.folder.join(HEADS)
    }

    /// Keeps a line about a head.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep_head(&self, line: &str) -> Result<(), KeyError> {
        let path = self.heads();
        let kept = private::create_folder(&self.folder)
            .and_then(|()| private::append(&path))
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        kept.map_err(|error| KeyError::File { path, error })
    }

    fn read_or_make(&self, name: &str, make: impl Fn() -> String) -> Result<(PathBuf, String), KeyError> {
        let path = self.folder.join(name);
        let at = |error| KeyError::File { path: path.clone(), error };
        private::create_folder(&self.folder).map_err(at)?;
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Two programs that start at once: the first key that is there counts.
                match private::write_new(&path, make().as_bytes()) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(error)),
                    _ => std::fs::read_to_string(&path).map_err(at)?,
                }
            }
            other => other.map_err(at)?,
        };
        Ok((path, text))
    }
}

fn parse_signing(path: &Path, text: &str) -> Result<SigningKey, KeyError> {
    let seed = from_hex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let malformed = || {
        KeyError::Malformed {
        path: path.to_owned(),
        what: "is not a signing key of 64 hexadecimal digits; bring back the copy that you keep, or move it away: \
               a new key is then made, and logs of the old one need --key"
            .to_owned(),
    }
    };
    seed.map(|seed| SigningKey::from_bytes(&seed)).ok_or_else(malformed)
}

/// Reads an age identity, as `age-keygen` writes it: comments, and one secret key.
///
/// # Errors
/// It cannot be read, or holds no such key.
pub fn read_identity(path: &Path) -> Result<Identity, KeyError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| KeyError::File { path: path.to_owned(), error })?;
    let mut keys = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let malformed = |what: &str| KeyError::Malformed { path: path.to_owned(), what: what.to_owned() };
    let key = keys.next().ok_or_else(|| malformed("is empty: it should hold AGE-SECRET-KEY-1..."))?;
    if keys.next().is_some() {
        return Err(malformed("holds more than one key: leave one"));
    }
    key.parse().map_err(|what| malformed(&format!("holds no x25519 key of age: {what}")))
}

/// Makes a new age identity in a file that must not be there yet, in the form of `age-keygen`.
///
/// # Errors
/// The file is there, or cannot be written.
pub fn make_identity(path: &Path) -> Result<Recipient, KeyError> {
    let identity = Identity::generate();
    let recipient = identity.to_public();
    let text = format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
    private::write_new(path, text.as_bytes())
        .map_err(|error| KeyError::File { path: path.to_owned(), error })?;
    Ok(recipient)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_are_made_once_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::within(dir.path().join("tras"));
        assert!(keys.existing_signing().unwrap().is_none());
        let signing = keys.signing().unwrap();
        assert_eq!(keys.signing().unwrap(), signing);
        assert_eq!(keys.existing_signing().unwrap(), Some(signing));
        let instrument = keys.instrument().unwrap().to_public().to_string();
        assert_eq!(keys.instrument().unwrap().to_public().to_string(), instrument);
        #[cfg(unix)]
        for name in [SIGNING, INSTRUMENT] {
            use std::os::unix::fs::PermissionsExt;
            let mode = dir.path().join("tras").join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_broken_key_is_never_replaced_in_silence() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::within(dir.path().to_owned());
        for name in [SIGNING, INSTRUMENT] {
            std::fs::write(dir.path().join(name), "half a k").unwrap();
        }
        assert!(keys.signing().unwrap_err().to_string().contains("audit.key"));
        assert!(keys.instrument().is_err());
        assert_eq!(std::fs::read_to_string(dir.path().join(SIGNING)).unwrap(), "half a k");
    }

    #[test]
    fn identities_have_the_form_of_the_standard_tool() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("emergency.key");
        let recipient = make_identity(&path).unwrap();
        assert_eq!(read_identity(&path).unwrap().to_public(), recipient);
        assert!(make_identity(&path).is_err(), "never overwritten");
        std::fs::write(&path, "# only a comment\n").unwrap();
        assert!(read_identity(&path).is_err_and(|error| error.to_string().contains("empty")));
    }
}

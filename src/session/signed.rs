//! A text that this machine has signed: what a measurement has found, with the signature behind it.
//!
//! Signed with ed25519 by the key that also signs audit logs: a public-key signature rather than a keyed hash, so that
//! whoever is given a recording can check it without being able to make one. It guards against mistakes and edits, not
//! against the machine's own user, who holds the key.

use std::path::Path;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::Deserialize;

use super::hash::{from_hex, to_hex};

/// Between what is signed and the signature.
const SEAL: &str = "\n[signature]\n";
/// More is no such file.
const MAX_BYTES: u64 = 65_536;

#[derive(Deserialize)]
struct Seal {
    key: String,
    signed: String,
}

/// `body` with its signature.
#[must_use]
pub fn sign(body: &str, key: &SigningKey) -> String {
    let (public, signature) = (key.verifying_key().to_bytes(), key.sign(body.as_bytes()).to_bytes());
    format!("{body}{SEAL}key = \"{}\"\nsigned = \"{}\"\n", to_hex(&public), to_hex(&signature))
}

/// The text of a file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let mut text = String::new();
    let opened = std::fs::File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    opened.take(MAX_BYTES).read_to_string(&mut text).map_err(|e| format!("cannot be read: {e}"))?;
    Ok(text)
}

/// What was signed, where `own` has signed it; `again` says how to come by another, `whose` what belongs to a machine.
///
/// # Errors
/// It bears no signature, another machine's, or was changed: what to do, for a person.
pub fn open<'a>(
    text: &'a str,
    own: Option<&VerifyingKey>,
    whose: &str,
    again: &str,
) -> Result<&'a str, String> {
    let none = || format!("bears no signature: {again}");
    let (body, seal) = text.split_once(SEAL).ok_or_else(none)?;
    let seal: Seal = toml::from_str(seal).map_err(|_| none())?;
    let own = own.ok_or_else(|| format!("this machine has signed nothing yet: {again} here"))?;
    if from_hex(&seal.key).as_deref() != Some(&own.to_bytes()[..]) {
        return Err(format!("was signed by another machine, whose {whose} is another: {again} here"));
    }
    let signature = from_hex(&seal.signed).and_then(|bytes| Signature::from_slice(&bytes).ok());
    if signature.is_some_and(|signature| own.verify_strict(body.as_bytes(), &signature).is_ok()) {
        Ok(body)
    } else {
        Err(format!("was changed after it was signed: {again}"))
    }
}

//! The head of a log: its newest entry's hash, which stands for all before it; and its signature.

use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::session::hash::{Hash, from_hex, to_hex};

/// The newest entry of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The session.
    pub session: String,
    /// The entry's number, from 0.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// What is signed: a name for this kind of message goes before, so that no other signature can pass for one.
    fn message(&self) -> Vec<u8> {
        format!("tras audit head 1\n{}\n{}\n{}\n", self.session, self.n, self.hash).into_bytes()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.hash)
    }
}

/// A head as it is printed: entry and hash.
///
/// # Errors
/// The text is something else.
pub fn parse_printed(text: &str) -> Result<(u64, Hash), String> {
    let parts = text.trim().split_once(':');
    let head = parts.and_then(|(n, hash)| Some((n.parse().ok()?, hash.parse().ok()?)));
    head.ok_or_else(|| format!("{text:?} is no head as it is printed: NUMBER:HASH of 64 hexadecimal digits"))
}

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// What is signed.
    #[serde(flatten)]
    pub head: Head,
    /// When, by the wall clock.
    pub at: String,
    /// The public key, in hexadecimal digits.
    pub key: String,
    /// The signature, in hexadecimal digits.
    pub signature: String,
}

impl SignedHead {
    /// Signs.
    #[must_use]
    pub fn new(head: Head, key: &SigningKey, at: String) -> Self {
        let signature = to_hex(&key.sign(&head.message()).to_bytes());
        Self { head, at, key: public(key), signature }
    }

    /// Whether the signature is that of its key.
    #[must_use]
    pub fn holds(&self) -> bool {
        let key = from_hex(&self.key).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let key = key.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok());
        let signature = from_hex(&self.signature).and_then(|bytes| Signature::from_slice(&bytes).ok());
        key.zip(signature)
            .is_some_and(|(key, signature)| key.verify(&self.head.message(), &signature).is_ok())
    }

    /// As one line of JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The public half of a key, in hexadecimal digits.
#[must_use]
pub fn public(key: &SigningKey) -> String {
    to_hex(key.verifying_key().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_signature_holds_for_its_head_alone() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let head = Head { session: "s".into(), n: 3, hash: Hash::of(b"x") };
        let signed = SignedHead::new(head.clone(), &key, "now".into());
        assert!(signed.holds());
        let again: SignedHead = serde_json::from_str(&signed.to_line()).unwrap();
        assert_eq!(again, signed);
        for other in [
            SignedHead { head: Head { n: 4, ..head.clone() }, ..signed.clone() },
            SignedHead { head: Head { session: "t".into(), ..head.clone() }, ..signed.clone() },
            SignedHead { head: Head { hash: Hash::of(b"y"), ..head.clone() }, ..signed.clone() },
            SignedHead { key: public(&SigningKey::from_bytes(&[8; 32])), ..signed.clone() },
            SignedHead { signature: "00".into(), ..signed.clone() },
        ] {
            assert!(!other.holds(), "{other:?}");
        }
        assert_eq!(parse_printed(&head.to_string()), Ok((3, Hash::of(b"x"))));
        assert!(parse_printed("3").is_err());
    }
}

//! Whether a chain that holds is the one that was written: by its signature, and by the heads kept elsewhere.

use std::path::Path;

use super::SIGNATURE;
use super::check::{Broken, Chain};
use super::head::{SignedHead, public};
use crate::session::hash::Hash;
use crate::session::keys::{KeyError, Keys};

/// What the one who checks knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// This machine's public key.
    pub own_key: Option<String>,
    /// Heads that this machine keeps, of all sessions.
    pub kept: Vec<SignedHead>,
    /// Public keys that the one who checks vouches for.
    pub keys: Vec<String>,
    /// A head as it was printed.
    pub printed: Option<(u64, Hash)>,
}

impl Trust {
    /// What this machine knows.
    ///
    /// # Errors
    /// Its key or its heads cannot be read.
    pub fn of(keys: &Keys) -> Result<Self, KeyError> {
        let path = keys.heads();
        let kept = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            other => other.map_err(|error| KeyError::File { path, error })?,
        };
        // A line that a dying process left half is no head.
        let kept = kept.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { own_key: keys.existing_signing()?.as_ref().map(public), kept, ..Self::default() })
    }

    /// Checks a chain against its signature and all that is known of it. Gives sentences about what was found.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn check(&self, folder: &Path, chain: &Chain) -> Result<Vec<String>, Broken> {
        let mut found = Vec::new();
        if let Some((n, hash)) = self.printed {
            stands(chain, n, hash, "the head that was printed")?;
            found.push(format!("the printed head stands at entry {n}"));
        }
        let kept: Vec<&SignedHead> =
            self.kept.iter().filter(|kept| kept.head.session == chain.session).collect();
        for kept in &kept {
            stands(chain, kept.head.n, kept.head.hash, "a head kept outside the folder")?;
        }
        let signed = self.signature(folder, chain)?;
        let own = self.own_key.as_ref() == Some(&signed.key);
        if own && kept.is_empty() {
            return Err(Broken::whole(
                "this machine's key signed the log, but the machine keeps no head of it: the log was written anew, or \
                 the list of heads was taken away",
            ));
        }
        if !own && !self.keys.contains(&signed.key) {
            return Err(Broken::whole(format!(
                "{SIGNATURE}: signed by key {}, which this machine does not know: compare it with the one that the \
                 session printed, and pass --key {}",
                signed.key, signed.key
            )));
        }
        found.push(format!(
            "signed by {} at entry {}",
            if own { "this machine" } else { "the given key" },
            signed.head.n
        ));
        found.push(match kept.len() {
            0 => "no head of it is kept on this machine: compare the printed one (--head)".to_owned(),
            count => format!("{count} heads kept outside the folder stand"),
        });
        Ok(found)
    }

    fn signature(&self, folder: &Path, chain: &Chain) -> Result<SignedHead, Broken> {
        let text = std::fs::read_to_string(folder.join(SIGNATURE))
            .map_err(|error| Broken::whole(format!("{SIGNATURE}: {error}: the log is not signed")))?;
        let signed: SignedHead = serde_json::from_str(text.trim())
            .map_err(|error| Broken::whole(format!("{SIGNATURE}: is no signed head: {error}")))?;
        if !signed.holds() {
            return Err(Broken::whole(format!("{SIGNATURE}: the signature does not fit: it was edited")));
        }
        if signed.head.session != chain.session {
            return Err(Broken::whole(format!(
                "{SIGNATURE}: is of session {}, the log of {}: one of them is from another folder",
                signed.head.session, chain.session
            )));
        }
        stands(chain, signed.head.n, signed.head.hash, "the signed head")?;
        Ok(signed)
    }

    /// Whether everything up to the last entry is signed.
    ///
    /// # Errors
    /// The first entry that is not.
    pub fn complete(folder: &Path, chain: &Chain) -> Result<(), Broken> {
        let text = std::fs::read_to_string(folder.join(SIGNATURE)).unwrap_or_default();
        let signed: Option<SignedHead> = serde_json::from_str(text.trim()).ok();
        let signed_to = signed.map(|signed| signed.head.n);
        match (&chain.torn, signed_to) {
            (Some(torn), _) => Err(Broken::at(
                chain.head.n + 1,
                format!("is torn ({} bytes): the program was killed while it wrote it", torn.bytes),
            )),
            (None, Some(n)) if n == chain.head.n => Ok(()),
            (None, n) => Err(Broken::at(
                n.map_or(0, |n| n + 1),
                "is not signed: the program was killed, or somebody added it",
            )),
        }
    }
}

fn stands(chain: &Chain, n: u64, hash: Hash, which: &str) -> Result<(), Broken> {
    let entry = usize::try_from(n).ok().and_then(|n| chain.entries.get(n));
    match entry {
        None => Err(Broken::at(
            chain.head.n + 1,
            format!("is missing: {which} is of entry {n}, the log was cut behind entry {}", chain.head.n),
        )),
        Some(entry) if entry.hash != hash => Err(Broken::at(
            n,
            format!(
                "is not the one that was written: {which} has the hash {}, this entry {}",
                hash.short(),
                entry.hash.short()
            ),
        )),
        Some(_) => Ok(()),
    }
}

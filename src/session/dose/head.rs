//! How far a ledger has come, kept beside it and in this user's own folder of states: whoever cuts the ledger must know
//! of both, and does it on purpose.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::DoseError;
use crate::session::{hash::Hash, private};

/// How many lines were written, and the hash over them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub lines: u64,
    pub chain: String,
}

impl Head {
    /// The furthest that any place remembers.
    pub(super) fn known(ledger: &Path) -> Self {
        let read = |path: PathBuf| serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok();
        places(ledger).into_iter().filter_map(read).max_by_key(|head: &Self| head.lines).unwrap_or_default()
    }

    /// Whether the ledger that stands at `found`, and has `met` this head on its way, is the one that this is the head
    /// of. It may be further: a process that died between the line and the head.
    pub(super) fn agrees(&self, found: &Self, met: bool, ledger: &Path) -> Result<(), DoseError> {
        if met {
            return Ok(());
        }
        Err(DoseError::Cut {
            path: ledger.to_owned(),
            found: found.lines,
            known: self.lines,
            heads: heads_of(ledger),
        })
    }

    /// Remembers.
    ///
    /// # Errors
    /// It can be written nowhere.
    pub(super) fn keep(&self, ledger: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self)?;
        let kept: Vec<io::Result<()>> = places(ledger).into_iter().map(|path| write(&path, &text)).collect();
        // A home that cannot be written to leaves the place beside the ledger.
        if kept.iter().any(Result::is_ok) { Ok(()) } else { kept.into_iter().collect() }
    }
}

/// The files that remember, in words.
pub(super) fn heads_of(ledger: &Path) -> String {
    places(ledger).iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}

/// This user's folder for what lasts between runs.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    variable("XDG_STATE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".local/state")))
        .map(|dir| dir.join("tras"))
}

fn places(ledger: &Path) -> Vec<PathBuf> {
    let absolute = std::path::absolute(ledger).unwrap_or_else(|_| ledger.to_owned());
    let name = Hash::of(absolute.as_os_str().as_encoded_bytes()).short();
    let elsewhere = state_folder().map(|dir| dir.join(format!("dose-{name}.head")));
    std::iter::once(ledger.with_extension("head")).chain(elsewhere).collect()
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private::create_folder(folder)?;
    }
    private::replace(path, text.as_bytes())
}

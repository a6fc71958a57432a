//! Opening one block: first the reason into the log, then the box, then what was sealed.

use std::path::{Path, PathBuf};

use age::x25519::Identity;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::allocation::{Allocation, AllocationError, OpenBlock};
use super::audit::check::chain;
use super::audit::{AuditError, AuditLog};
use super::keys::Keys;
use super::moment::{Moment, iso_8601};
use super::sealed::{SealedError, SealedReader};
use super::verify::streams_of;
use super::{folder, private};

/// What is known of an unblinded block: `unblinded/block-NN.json`. A session that was never blind writes these too, so
/// that whoever wants a block's condition has one place to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unblinded {
    /// The box of the allocation.
    #[serde(flatten)]
    pub block: OpenBlock,
    /// Why.
    pub reason: String,
    /// When, ISO 8601.
    pub at: String,
}

impl Unblinded {
    /// Of a block; `None` where it is still sealed.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn load(session: &Path, block: u32) -> Result<Option<Self>, String> {
        let path = session.join(folder::unblinded(block));
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| format!("{}: {error}", path.display()))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Whether it is what the allocation committed to.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, allocation: &Allocation) -> Result<(), String> {
        let OpenBlock { participant, session, block, .. } = &self.block;
        let committed = allocation.commitment_of(participant, session, *block);
        if committed == Some(self.block.commitment()) {
            return Ok(());
        }
        Err(format!("unblinded block {block} is not what the allocation committed to: it was changed"))
    }
}

/// The blocks of a session that are unblinded, in order.
#[must_use]
pub fn blocks_of(session: &Path) -> Vec<u32> {
    let items = std::fs::read_dir(session.join(folder::UNBLINDED)).into_iter().flatten().flatten();
    let number = |name: String| name.strip_prefix("block-")?.strip_suffix(".json")?.parse().ok();
    let mut blocks: Vec<u32> =
        items.filter_map(|item| number(item.file_name().to_string_lossy().into_owned())).collect();
    blocks.sort_unstable();
    blocks
}

/// Why a block was not unblinded.
#[derive(Debug, thiserror::Error)]
pub enum UnblindError {
    /// There is no reason.
    #[error("unblinding needs a reason, which goes into the audit log: --reason \"...\"")]
    Reason,
    /// The session has no allocation, or does not say whose it is.
    #[error("{0}")]
    Session(String),
    /// Of the allocation.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// Of the log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Of a sealed stream.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// Whose allocation a session goes by, as its log says.
struct Whose {
    participant: String,
    number: String,
    allocation: Allocation,
}

impl Whose {
    fn of(session: &Path) -> Result<Self, UnblindError> {
        let chain = chain(session).map_err(AuditError::Broken)?;
        let whose = chain.last("allocation").ok_or_else(|| {
            let folder = session.display();
            UnblindError::Session(format!("{folder}: the session has no allocation: nothing is blind in it"))
        })?;
        let (Some(participant), Some(number)) = (whose.text("participant"), whose.text("session")) else {
            let n = whose.n;
            return Err(UnblindError::Session(format!(
                "audit log entry {n}: does not say whose allocation it is"
            )));
        };
        let allocation = Allocation::load(&session.join(folder::ALLOCATION))?;
        if let Some(commitment) = whose.text("commitment").and_then(|text| text.parse().ok()) {
            allocation.expect(commitment)?;
        }
        Ok(Self { participant: participant.to_owned(), number: number.to_owned(), allocation })
    }
}

/// All blocks of a session, where it is that of `participant`.
///
/// # Errors
/// It is another's, or has no allocation.
pub fn blocks_of_allocation(session: &Path, participant: &str) -> Result<Vec<u32>, UnblindError> {
    let whose = Whose::of(session)?;
    if whose.participant != participant {
        let what = format!(
            "{}: the session is of participant {:?}, not {participant:?}",
            session.display(),
            whose.participant
        );
        return Err(UnblindError::Session(what));
    }
    Ok((1..=whose.allocation.blocks(participant, &whose.number)?).collect())
}

/// A block that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its condition.
    pub condition: String,
    /// Recordings that its sealed streams held.
    pub recordings: Vec<PathBuf>,
    /// The log's new head, as it is printed.
    pub head: String,
}

/// Unblinds one block of a session, from 1. The reason stands in the log, signed, before anything is opened.
///
/// # Errors
/// There is no reason, the log does not hold, or the key opens nothing.
pub fn unblind(
    session: &Path,
    block: u32,
    reason: &str,
    identity: &Identity,
    keys: &Keys,
    at: Moment,
) -> Result<Opened, UnblindError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(UnblindError::Reason);
    }
    let Whose { participant, number, allocation } = Whose::of(session)?;
    // A key that does not fit, or a block that is not there, is no unblinding: tried before it is entered.
    let open = allocation.open(&participant, &number, block, identity)?;
    let data = json!({"block": block, "reason": reason, "by": identity.to_public().to_string()});
    let mut log = AuditLog::resume(session, "reopened", json!({"why": "to unblind a block"}), at)?;
    log.append(at, "unblinded", data)?;
    let head = log.sign(keys, at)?.head.to_string();

    let file = |path: PathBuf| move |error| UnblindError::File { path, error };
    let condition = open.condition.clone();
    let unblinded = Unblinded { block: open, reason: reason.to_owned(), at: iso_8601(at.unix_s) };
    private::create_folder(&session.join(folder::UNBLINDED))
        .map_err(file(session.join(folder::UNBLINDED)))?;
    let path = session.join(folder::unblinded(block));
    let text = serde_json::to_string_pretty(&unblinded).unwrap_or_default() + "\n";
    private::replace(&path, text.as_bytes()).map_err(file(path))?;
    let mut recordings = Vec::new();
    for name in streams_of(session) {
        let reader = SealedReader::open(&session.join(folder::SEALED).join(&name))?;
        if reader.block() != block {
            continue;
        }
        let bytes = reader.read_all(identity)?;
        let stem = name.trim_end_matches(".sealed");
        let path = session.join(folder::UNBLINDED).join(format!("{stem}.xdf"));
        private::replace(&path, &bytes).map_err(file(path.clone()))?;
        recordings.push(path);
    }
    Ok(Opened { condition, recordings, head })
}

//! The decisions of another session, for the law `yoked`: read from its folder once everything in it holds, and kept in the
//! folder of the session that plays them, so that it can be resumed and recomputed by itself.
//!
//! In: a folder that `tras verify` would pass, every block of it unblinded. Out: for each of its blocks when what was
//! decided, from the block's begin. A block that had a sham there has no current here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::audit::check::chain;
use super::audit::trust::Trust;
use super::hash::Hash;
use super::protocol::{Condition, Given, Protocol};
use super::recorded::{Happened, Recorded, RecordedError, What};
use super::unblinding::Unblinded;
use super::verify::verify;
use super::{folder, private};
use crate::controller::{Wish, yoked::Replayed};
use crate::noise::Profile;

/// Why the decisions of a session cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum YokedError {
    /// It does not verify.
    #[error("{}: {what}; a session whose log does not hold is not played again", folder.display())]
    DoesNotHold {
        /// Its folder.
        folder: PathBuf,
        /// The first thing that does not hold.
        what: String,
    },
    /// A block is still sealed.
    #[error("{}: block {block} is still sealed: tras unblind {} --block {block} --reason \"...\"", folder.display(), folder.display())]
    Sealed {
        /// Its folder.
        folder: PathBuf,
        /// The block.
        block: u32,
    },
    /// It has no decision, or not of as many blocks as are to be played.
    #[error("{}: {what}", folder.display())]
    Lacks {
        /// Its folder.
        folder: PathBuf,
        /// What.
        what: String,
    },
    /// It cannot be read.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// A file cannot be read or written.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        what: String,
    },
}

/// One decision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    block: u32,
    at_s: f64,
    exponent: f64,
    peak_ma: f64,
    flow: bool,
}

/// What is played, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Yoked {
    /// The other session, as its log calls it.
    pub session: String,
    /// The head of its log when it was read.
    pub head: String,
    decisions: Vec<Line>,
}

impl Yoked {
    /// Of a session's folder, for a session of `blocks` blocks.
    ///
    /// # Errors
    /// The folder does not verify, a block of it is sealed, or it has fewer blocks.
    pub fn of_session(within: &Path, trust: &Trust, blocks: u32) -> Result<Self, YokedError> {
        let broken = |what: String| YokedError::DoesNotHold { folder: within.to_owned(), what };
        verify(within, trust).map_err(|error| broken(error.to_string()))?;
        let chain = chain(within).map_err(|error| broken(error.to_string()))?;
        let mut all: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
        for sitting in Recorded::open(within)?.sittings() {
            // A block that was done again counts as it was done last.
            all.extend(decided(within, &sitting)?);
        }
        for block in chain.all("phase").filter_map(|entry| entry.number("block")) {
            let block = u32::try_from(block).unwrap_or(0);
            if all.get(&block).is_none_or(Vec::is_empty) {
                return Err(YokedError::Sealed { folder: within.to_owned(), block });
            }
        }
        let found = all.last_key_value().map_or(0, |(block, _)| *block);
        if found < blocks {
            let what =
                format!("has decisions for {found} blocks, the protocol has {blocks}: play a whole session");
            return Err(YokedError::Lacks { folder: within.to_owned(), what });
        }
        let decisions = all.into_values().flatten().collect();
        Ok(Self { session: chain.session.clone(), head: chain.head.to_string(), decisions })
    }

    /// For the law; `peak_ma`: that of its condition.
    #[must_use]
    pub fn replayed(&self, peak_ma: f64) -> Vec<Replayed> {
        let of = |line: &Line| Replayed {
            block: line.block,
            at_s: line.at_s,
            wish: Wish { exponent: line.exponent, amplitude: line.peak_ma / peak_ma, flow: line.flow },
        };
        self.decisions.iter().map(of).collect()
    }

    /// Keeps it in the folder of the session that plays it. Gives the file's hash, for the log.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, session: &Path) -> Result<Hash, YokedError> {
        let path = session.join(folder::YOKED);
        let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
        let written = private::write_new(&path, text.as_bytes());
        written.map_err(|error| YokedError::File { path, what: error.to_string() })?;
        Ok(Hash::of(text.as_bytes()))
    }

    /// What a session keeps; `None` where it plays nothing of another's.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn kept(session: &Path) -> Result<Option<Self>, YokedError> {
        let path = session.join(folder::YOKED);
        let failed = |what: String| YokedError::File { path: path.clone(), what };
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| failed(error.to_string()))?,
        };
        serde_json::from_str(&text).map(Some).map_err(|error| failed(error.to_string()))
    }
}

/// Decisions of each block of one sitting, from the block's begin to its ramp down: there its law has no more say.
fn decided(within: &Path, sitting: &Recorded) -> Result<BTreeMap<u32, Vec<Line>>, YokedError> {
    let config = sitting.config()?;
    let protocol = config.protocol.as_ref().and_then(|protocol| protocol.build(&config).ok());
    let lacks = |what: &str| YokedError::Lacks { folder: within.to_owned(), what: what.to_owned() };
    let protocol = protocol.ok_or_else(|| lacks("was no session by a protocol"))?;
    let mut all: BTreeMap<u32, Vec<Line>> = BTreeMap::new();
    // Blocks with their begin and end, and decisions; those of one moment come in any order.
    let (mut spans, mut decisions) = (Vec::new(), Vec::new());
    for Happened { at_s, what } in sitting.happened() {
        let What::Event(event) = what else { continue };
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        match (text("event"), text("phase")) {
            (Some("decision"), _) => decisions.push((at_s, event)),
            (Some("phase"), Some("block")) => {
                let block = event.get("block").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
                let begun = (at_s, f64::INFINITY, block.unwrap_or(0));
                // The session's recording tells of it, and that of the unblinded block.
                if spans.last() != Some(&begun) {
                    spans.push(begun);
                }
            }
            (Some("phase"), _) => {
                if let Some((_, end_s, _)) = spans.last_mut().filter(|(_, end_s, _)| end_s.is_infinite()) {
                    *end_s = at_s;
                }
            }
            _ => {}
        }
    }
    for (begin_s, end_s, block) in spans {
        let Some(condition) = condition_of(within, &protocol, block) else { continue };
        let mut lines = Vec::new();
        for (at_s, event) in decisions.iter().filter(|(at_s, _)| (begin_s..end_s).contains(at_s)) {
            let number = |key: &str| event.get(key).and_then(Value::as_f64);
            let flow = event.get("flow").and_then(Value::as_bool);
            let (Some(exponent), Some(peak_ma), Some(flow)) = (number("exponent"), number("peak_ma"), flow)
            else {
                return Err(lacks("was recorded by a version whose decisions do not say amplitude and flow"));
            };
            let flow = flow && condition.profile != Profile::Sham;
            lines.push(Line { block, at_s: at_s - begin_s, exponent, peak_ma, flow });
        }
        all.insert(block, lines);
    }
    Ok(all)
}

/// The condition of a block, where anybody may know it.
fn condition_of<'a>(within: &Path, protocol: &'a Protocol, block: u32) -> Option<&'a Condition> {
    let plan = protocol.phases.get(protocol.place_of(block)?)?;
    match plan.given {
        Given::Condition(place) => protocol.conditions.get(place),
        Given::Allocated => {
            let opened = Unblinded::load(within, block).ok().flatten()?.block.condition;
            protocol.conditions.iter().find(|condition| condition.name == opened)
        }
        Given::Nothing => None,
    }
}

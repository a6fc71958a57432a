//! Lines that hold on to one another: each carries its number and a hash over itself and all before it.

use serde::{Deserialize, Serialize};

use super::{entry::Entry, head::Head};
use crate::session::hash::Hash;

/// A line: an entry with its place in the chain. Lines of older versions have none; they stand before all that do.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    #[serde(default)]
    n: u64,
    #[serde(default)]
    chain: String,
}

/// The line for `entry` after `before`, and what the ledger has come to with it.
pub(super) fn link(entry: &Entry, before: &Head) -> serde_json::Result<(String, Head)> {
    let n = before.lines + 1;
    let chain = hash(&before.chain, n, entry)?;
    let line = serde_json::to_string(&Line { entry: entry.clone(), n, chain: chain.clone() })?;
    Ok((line, Head { lines: n, chain }))
}

/// The entry of a line that follows `head`, which moves on to it; or what is wrong.
pub(super) fn check(line: &str, head: &mut Head) -> Result<Entry, String> {
    let Line { entry, n, chain } = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if chain.is_empty() && n == 0 {
        if !head.chain.is_empty() {
            return Err("it was put in by hand: it has no place in the chain".to_owned());
        }
        head.lines += 1;
        return Ok(entry);
    }
    if n != head.lines + 1 {
        return Err(format!("it is entry {n} where entry {} is due", head.lines + 1));
    }
    if hash(&head.chain, n, &entry).map_err(|e| e.to_string())? != chain {
        return Err("it, or a line before it, was changed".to_owned());
    }
    *head = Head { lines: n, chain };
    Ok(entry)
}

/// Where the chain stands at the end of `text`, as far as its lines can be read.
pub(super) fn head_of(text: &str) -> Head {
    let mut head = Head::default();
    for line in text.lines() {
        // A broken line is told at the next start; what is written after it goes on from the last that held.
        let _ = check(line, &mut head);
    }
    head
}

fn hash(before: &str, n: u64, entry: &Entry) -> serde_json::Result<String> {
    let whole = format!("{before}\n{n}\n{}", serde_json::to_string(entry)?);
    Ok(Hash::of(whole.as_bytes()).to_string())
}

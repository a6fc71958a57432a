//! Whether a session's folder holds what was kept, without any key but public ones.
//!
//! In the order in which one thing rests on another: the chain of the log, its signature and the heads kept elsewhere,
//! the sealed chunks by their hashes, the files by theirs, the allocation by its commitment, what was unblinded by the
//! allocation; and that the session was closed. The first that does not hold ends it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::allocation::Allocation;
use super::audit::check::{Broken, Chain, KeptFile, chain};
use super::audit::trust::Trust;
use super::folder;
use super::hash::Hash;
use super::sealed::{Sealed, SealedReader};
use super::unblinding::Unblinded;

/// What holds, a line each.
pub type Findings = Vec<(&'static str, String)>;

/// Checks a folder. Gives what was found to hold.
///
/// # Errors
/// The first that does not.
pub fn verify(session: &Path, trust: &Trust) -> Result<Findings, Broken> {
    let mut found = Findings::new();
    let chain = chain(session)?;
    found.push(("chain", format!("{} entries follow from each other", chain.entries.len())));
    let signed = trust.check(session, &chain)?;
    found.push(("signature", signed.join("; ")));
    found.push(("sealed", chunks(session, &chain)?));
    found.push(("files", files(session, &chain)?));
    found.push(("commitments", commitments(session, &chain)?));
    found.push(("clock", clock(&chain)));
    Trust::complete(session, &chain)?;
    found.push(("complete", complete(&chain)?));
    Ok(found)
}

/// Every chunk of every sealed stream is in the log, and every one in the log is there.
fn chunks(session: &Path, chain: &Chain) -> Result<String, Broken> {
    let mut logged: BTreeMap<&str, Vec<(u64, u64, &str)>> = BTreeMap::new();
    for entry in chain.all("chunk") {
        let (Some(file), Some(n), Some(sha256)) =
            (entry.text("file"), entry.number("chunk"), entry.text("sha256"))
        else {
            return Err(Broken::at(entry.n, "is no chunk of a sealed stream"));
        };
        logged.entry(file).or_default().push((entry.n, n, sha256));
    }
    let (mut count, streams) = (0, logged.len());
    for (file, entries) in &logged {
        let mut reader = open(session, file).map_err(|what| Broken::whole(what.to_string()))?;
        for (n, (entry, chunk, sha256)) in (0..).zip(entries) {
            let record = reader.next_record().map_err(|error| Broken::at(*entry, error.to_string()))?;
            let there = record.as_ref().map(|record| record.sha256.to_string());
            if *chunk != n {
                return Err(Broken::at(
                    *entry,
                    format!("tells of chunk {chunk} of {file} where {n} should follow"),
                ));
            }
            match there {
                None => {
                    return Err(Broken::at(
                        *entry,
                        format!("chunk {n} of {file} is missing: the file was cut"),
                    ));
                }
                Some(there) if there != *sha256 => {
                    return Err(Broken::at(
                        *entry,
                        format!("chunk {n} of {file} was changed: its hash does not fit"),
                    ));
                }
                Some(_) => count += 1,
            }
        }
        let more = reader.next_record().map_err(|error| Broken::whole(error.to_string()))?;
        if let Some(record) = more {
            return Err(Broken::whole(format!(
                "{file}: chunk {} is not in the log: it was put in",
                record.n
            )));
        }
        if reader.torn() > 0 {
            return Err(Broken::whole(format!("{file}: {} bytes of a torn chunk at its end", reader.torn())));
        }
        if reader.session() != chain.session {
            return Err(Broken::whole(format!("{file}: is of session {}", reader.session())));
        }
    }
    for file in streams_of(session) {
        // A stream whose first chunk never came.
        if !logged.contains_key(file.as_str()) {
            let first = open(session, &file).and_then(|mut reader| reader.next_record());
            if first.map_err(|error| Broken::whole(error.to_string()))?.is_some() {
                return Err(Broken::whole(format!("{file}: is not in the log: it was put in")));
            }
        }
    }
    Ok(format!("{count} chunks of {streams} streams have their hash in the log"))
}

fn open(session: &Path, file: &str) -> Result<SealedReader, super::sealed::SealedError> {
    SealedReader::open(&session.join(folder::SEALED).join(file))
}

/// Names of a session's sealed streams, in order.
#[must_use]
pub fn streams_of(session: &Path) -> Vec<String> {
    let items = std::fs::read_dir(session.join(folder::SEALED)).into_iter().flatten().flatten();
    let names = items.map(|item| item.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".sealed")).collect();
    names.sort();
    names
}

/// Chunks that a process that died had sealed but not entered into the log; a resumption enters them.
///
/// # Errors
/// A stream cannot be read.
pub fn chunks_to_enter(session: &Path, chain: &Chain) -> Result<Vec<Sealed>, super::sealed::SealedError> {
    let mut to_enter = Vec::new();
    for file in streams_of(session) {
        let entered =
            chain.all("chunk").filter(|entry| entry.text("file") == Some(file.as_str())).count() as u64;
        let mut reader = open(session, &file)?;
        while let Some(record) = reader.next_record()? {
            if record.n >= entered {
                to_enter.push(Sealed { file: file.clone(), n: record.n, sha256: record.sha256 });
            }
        }
    }
    Ok(to_enter)
}

/// The files of the newest list have their length and hash.
fn files(session: &Path, chain: &Chain) -> Result<String, Broken> {
    let Some(closed) = chain.last("closed") else {
        return Ok("no list of files: the session was not closed".to_owned());
    };
    let listed = closed.data.get("files").cloned().unwrap_or(Value::Null);
    let listed: Vec<KeptFile> = serde_json::from_value(listed)
        .map_err(|error| Broken::at(closed.n, format!("holds no list of files: {error}")))?;
    for file in &listed {
        let (sha256, bytes) = Hash::of_file(&session.join(&file.path))
            .map_err(|error| Broken::at(closed.n, format!("lists {}: {error}", file.path)))?;
        if (sha256, bytes) != (file.sha256, file.bytes) {
            return Err(Broken::at(
                closed.n,
                format!(
                    "{} was changed: {} bytes, {}...; at the close {} bytes, {}...",
                    file.path,
                    bytes,
                    sha256.short(),
                    file.bytes,
                    file.sha256.short()
                ),
            ));
        }
    }
    let now = super::audit::check::files(session).map_err(|error| Broken::whole(error.to_string()))?;
    let added: Vec<&str> = now
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| !listed.iter().any(|file| file.path == *path))
        .collect();
    let added = if added.is_empty() { String::new() } else { format!("; added since: {}", added.join(", ")) };
    Ok(format!("{} files have their hash in the log{added}", listed.len()))
}

/// The allocation is the one that the session began with; each block that was unblinded is as it was committed to.
fn commitments(session: &Path, chain: &Chain) -> Result<String, Broken> {
    let Some(entry) = chain.last("allocation") else {
        return Ok("the session has no allocation".to_owned());
    };
    let whole = |error: super::allocation::AllocationError| Broken::whole(error.to_string());
    let allocation = Allocation::load(&session.join(folder::ALLOCATION)).map_err(whole)?;
    let expected: Option<Hash> = entry.text("commitment").and_then(|text| text.parse().ok());
    let expected = expected.ok_or_else(|| Broken::at(entry.n, "holds no commitment"))?;
    allocation.expect(expected).map_err(|error| Broken::at(entry.n, error.to_string()))?;
    let mut opened = 0;
    for entry in chain.all("unblinded") {
        let Some(block) = entry.number("block").and_then(|block| u32::try_from(block).ok()) else {
            return Err(Broken::at(entry.n, "does not say which block was unblinded"));
        };
        if entry.text("reason").is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Broken::at(entry.n, "gives no reason for the unblinding"));
        }
        // The entry is made before anything is opened, so there may be nothing more.
        if let Some(unblinded) =
            Unblinded::load(session, block).map_err(|error| Broken::at(entry.n, error))?
        {
            unblinded.check(&allocation).map_err(|error| Broken::at(entry.n, error))?;
            opened += 1;
        }
    }
    let told: Vec<u64> = chain.all("unblinded").filter_map(|entry| entry.number("block")).collect();
    for block in super::unblinding::blocks_of(session) {
        if !told.contains(&u64::from(block)) {
            return Err(Broken::whole(format!("block {block} was unblinded, and the log does not say so")));
        }
    }
    Ok(format!(
        "{}... of study {:?}; {opened} blocks unblinded",
        allocation.commitment.short(),
        allocation.study
    ))
}

fn clock(chain: &Chain) -> String {
    let steps: Vec<&str> = chain.all("clock_step").map(|entry| entry.at.as_str()).collect();
    match steps.as_slice() {
        [] => "the wall clock was not set".to_owned(),
        steps => format!("the wall clock was set {} times: {}", steps.len(), steps.join(", ")),
    }
}

/// The session was closed, and nothing but unblinding came after.
fn complete(chain: &Chain) -> Result<String, Broken> {
    let Some(closed) = chain.last("closed") else {
        return Err(Broken::at(
            chain.head.n + 1,
            "is missing: the session was never closed; go on with `tras run --resume`, which closes it",
        ));
    };
    let after = usize::try_from(closed.n + 1).unwrap_or(usize::MAX);
    let after = chain.entries.get(after..).unwrap_or_default();
    if let Some(entry) = after.iter().find(|entry| entry.kind != "unblinded" && entry.kind != "reopened") {
        return Err(Broken::at(
            entry.n,
            format!("is {:?}, after the close of entry {}: it was not closed again", entry.kind, closed.n),
        ));
    }
    Ok(format!("closed at {}", closed.at))
}

#[cfg(test)]
mod tests;

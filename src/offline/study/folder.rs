//! What is read from a session's folder. Whatever is not there is told in a word and left out.
//!
//! * its name, `sub-P01_ses-2_...`: participant and session;
//! * `trials.csv`: the task; a condition that is empty there comes from its unblinded block;
//! * `unblinded/block-NN.json`: each block's condition; `questionnaires.jsonl`: guesses after blocks;
//! * `estimates.csv`: exponents; `events.csv`: our phases, or a task's markers `block_start` and `block_end`, which part
//!   rest from blocks; `summary.json`: charge and seconds of stimulation.

use std::collections::BTreeMap;
use std::path::Path;

use crate::offline::deletion::Spread;
use crate::offline::scores::table::Table;
use crate::session::folder::{ESTIMATES, EVENTS, SUMMARY};
use crate::session::questionnaires::{self, Sheet};
use crate::session::unblinding::{Unblinded, blocks_of};

/// Standard deviations below the mean R² at which a fit is deleted: at rest, and in the task (the study's).
pub const DELETE_SDS: [f64; 2] = [2.0, 3.0];

/// A guess after a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// The block, from 1.
    pub block: u32,
    /// The condition; `None` for "don't know".
    pub guess: Option<String>,
}

/// The mean exponent of a stretch of rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rest {
    /// Sum of exponents, and how many: windows of all channels and regions.
    pub sum: f64,
    /// See `sum`.
    pub n: usize,
}

impl Rest {
    /// The mean, of one window or more.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Takes another stretch in.
    pub fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.n += other.n;
    }
}

/// One session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// The participant's code.
    pub participant: String,
    /// The session's name.
    pub session: String,
    /// Each unblinded block's condition.
    pub conditions: BTreeMap<u32, String>,
    /// Guesses after blocks.
    pub guesses: Vec<Guess>,
    /// Rest before the first block (0) and after each block until the next.
    pub rest: BTreeMap<u32, Rest>,
    /// Exponents in blocks.
    pub task: Rest,
    /// Fits deleted by R²: at rest, in the task.
    pub deleted: [usize; 2],
    /// Charge delivered, C.
    pub charge_c: Option<f64>,
    /// Seconds of stimulation.
    pub stimulation_s: Option<f64>,
    /// What is not there.
    pub notes: Vec<String>,
}

/// The condition of each block of a session that is unblinded.
///
/// # Errors
/// A file that is there and broken, by its name.
pub fn conditions(path: &Path) -> Result<BTreeMap<u32, String>, String> {
    let known = |block| Ok(Unblinded::load(path, block)?.map(|unblinded| (block, unblinded.block.condition)));
    blocks_of(path).into_iter().filter_map(|block| known(block).transpose()).collect()
}

/// Reads the folder at `path`; its trials are read by [`super::join`].
///
/// # Errors
/// A file that is there and broken, by its name.
pub fn read(path: &Path) -> Result<Session, String> {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let entity = |key: &str| name.split('_').find_map(|part| part.strip_prefix(key)).map(str::to_owned);
    let mut session = Session {
        participant: entity("sub-").unwrap_or_else(|| name.clone()),
        session: entity("ses-").unwrap_or_default(),
        conditions: conditions(path)?,
        ..Session::default()
    };
    for filled in questionnaires::read(path)? {
        if let (Sheet::Guess { guess, .. }, Some(block)) = (filled.sheet, filled.block) {
            session.guesses.push(Guess { block, guess });
        }
    }
    let mut absent = Vec::new();
    if path.join(ESTIMATES).is_file() {
        let starts = blocks(path, &mut absent)?;
        exponents(&Table::read(&path.join(ESTIMATES))?, &starts, &mut session)
            .map_err(|what| format!("{}: {what}", path.join(ESTIMATES).display()))?;
    } else {
        absent.push(ESTIMATES);
    }
    match std::fs::read_to_string(path.join(SUMMARY)) {
        Ok(text) => {
            let summary: serde_json::Value =
                serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.join(SUMMARY).display()))?;
            let number = |key: &str| summary.get(key).and_then(serde_json::Value::as_f64);
            session.charge_c = number("charge_c");
            session.stimulation_s = number("stimulation_seconds");
        }
        Err(_) => absent.push(SUMMARY),
    }
    if !absent.is_empty() {
        session.notes.push(format!("{name}: no {}", absent.join(", no ")));
    }
    Ok(session)
}

/// A change of what goes on: at this stamp a block begins (its number), or ends (`None`).
type Turn = (f64, u32, bool);

/// Beginnings and ends of blocks, in order of time.
fn blocks(path: &Path, absent: &mut Vec<&'static str>) -> Result<Vec<Turn>, String> {
    if !path.join(EVENTS).is_file() {
        absent.push(EVENTS);
        return Ok(Vec::new());
    }
    let table = Table::read(&path.join(EVENTS))?;
    let at =
        |name: &str| table.column(name).ok_or(format!("{}: no column {name}", path.join(EVENTS).display()));
    let (time, value) = (at("time_s")?, at("value")?);
    let mut last = 0;
    let mut turns: Vec<Turn> = table
        .rows
        .iter()
        .filter_map(|(_, row)| {
            let told: serde_json::Value = serde_json::from_str(row.get(value)?).ok()?;
            let begins = match told.get("event")?.as_str()? {
                "block_start" => true,
                "block_end" => false,
                "phase" => told.get("phase")?.as_str()?.contains("block"),
                _ => return None,
            };
            let named =
                told.get("block").and_then(serde_json::Value::as_u64).and_then(|b| u32::try_from(b).ok());
            last = named.filter(|b| *b > 0).unwrap_or(last);
            Some((row.get(time)?.parse().ok()?, last, begins))
        })
        .collect();
    turns.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok(turns)
}

/// Sorts valid, clean exponents into rest and task and deletes poor fits by R².
fn exponents(table: &Table, turns: &[Turn], session: &mut Session) -> Result<(), String> {
    let at = |name: &str| table.column(name).ok_or_else(|| format!("no column {name}"));
    let (time, exponent, r_squared) = (at("time_s")?, at("exponent")?, at("r_squared")?);
    let (valid, contamination, target) = (at("valid")?, at("contamination")?, at("target")?);
    let mut fits: Vec<(f64, f64, f64, &str)> = Vec::new();
    for (_, row) in &table.rows {
        let cell = |at: usize| row.get(at).map_or("", String::as_str);
        let number = |at: usize| cell(at).parse::<f64>().ok();
        let clean = cell(valid) == "true" && cell(contamination) == "clean";
        if let (true, Some(t), Some(x), Some(r)) = (clean, number(time), number(exponent), number(r_squared))
        {
            fits.push((t, x, r, cell(target)));
        }
    }
    // Block 0 is what stands before the first.
    let place = |time_s: f64| {
        let turn = turns.iter().take_while(|(t, ..)| *t <= time_s).last();
        turn.map_or((0, false), |(_, block, begins)| (*block, *begins))
    };
    for (kind, sds) in DELETE_SDS.into_iter().enumerate() {
        let in_task = kind == 1;
        let mut spreads: BTreeMap<&str, Spread> = BTreeMap::new();
        let own = || fits.iter().filter(|f| place(f.0).1 == in_task);
        own().for_each(|(_, _, r, target)| spreads.entry(target).or_default().add(*r));
        for (time_s, exponent, r, target) in own() {
            let least = spreads.get(target).and_then(|spread| spread.limit(sds));
            if least.is_some_and(|least| *r < least) {
                if let Some(count) = session.deleted.get_mut(kind) {
                    *count += 1;
                }
                continue;
            }
            let one = Rest { sum: *exponent, n: 1 };
            if in_task {
                session.task.add(one);
            } else {
                session.rest.entry(place(*time_s).0).or_default().add(one);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn rest_is_parted_from_blocks_and_poor_fits_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub-P03_ses-2_20261125");
        std::fs::create_dir(&path).unwrap();
        let mut estimates = String::from("time_s,target,exponent,r_squared,contamination,valid\n");
        for k in 0..40 {
            let (r, x) =
                if k == 7 { (0.2, 9.0) } else { (0.95 + 0.001 * f64::from(k % 5), 1.0 + f64::from(k / 20)) };
            estimates += &format!("{k},Cz,{x},{r},clean,true\n");
        }
        estimates += "5.5,Cz,7,0.95,settling,true\n5.6,Cz,7,0.95,clean,false\n";
        std::fs::write(path.join("estimates.csv"), estimates).unwrap();
        let events = "time_s,wall_clock,source,event,block,value\n\
            9.5,,tras-task,marker,,\"{\"\"event\"\":\"\"block_start\"\",\"\"block\"\":1}\"\n\
            19.5,,tras-task,marker,,\"{\"\"event\"\":\"\"block_end\"\",\"\"block\"\":1}\"\n";
        std::fs::write(path.join("events.csv"), events).unwrap();
        let s = read(&path).unwrap();
        assert_eq!((s.participant.as_str(), s.session.as_str()), ("P03", "2"));
        assert_eq!((s.rest[&0].n, s.rest[&1].n, s.task.n), (9, 20, 10));
        assert_eq!((s.rest[&0].mean(), s.rest[&1].mean()), (Some(1.0), Some(2.0)));
        assert_eq!(s.deleted, [1, 0]);
        assert_eq!(s.notes, ["sub-P03_ses-2_20261125: no summary.json"]);
    }

    #[test]
    fn an_empty_folder_is_told_in_words() {
        let folder = tempfile::tempdir().unwrap();
        let s = read(folder.path()).unwrap();
        assert!(s.notes[0].contains("no estimates.csv, no summary.json"), "{:?}", s.notes);
    }
}

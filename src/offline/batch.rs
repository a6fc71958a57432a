//! Many recordings to one table, on every core: a few recordings at a time, or the channels of one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::deletion::{self, Spread};
use super::ledger::Ledger;
use super::recording::{self, Job, Summary, Unfinished};
use super::table;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Batch {
    /// To every recording.
    pub job: Job,
    /// The recordings; one that is named twice is done once.
    pub files: Vec<PathBuf>,
    /// The table; standard output where it is `None`.
    pub out: Option<PathBuf>,
    /// Whether a column `file` stands first.
    pub with_file: bool,
    /// Go on from an earlier run's work.
    pub resume: bool,
    /// Threads that estimate.
    pub threads: usize,
}

/// Something that a user may want to see at once.
#[derive(Debug)]
pub enum Event<'a> {
    /// So many samples of a recording are read, of so many where that is known.
    Samples(u64, Option<u64>),
    /// A recording is done.
    Done(&'a Path, &'a Summary),
    /// A recording was done by an earlier run.
    Reused(&'a Path),
    /// A recording is left out.
    Broken(&'a str),
}

/// What a batch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Recordings that are in the table.
    pub done: usize,
    /// Of these, the ones that an earlier run had done.
    pub reused: usize,
    /// Recordings that are left out.
    pub broken: usize,
    /// Ended by the user: there is no table yet, what is done is kept.
    pub interrupted: bool,
    /// Rows written by this run, and those that are valid.
    pub rows: u64,
    /// See `rows`.
    pub valid: u64,
}

/// What has been done so far, and which files are in it.
type State = (Outcome, HashSet<usize>);

/// Does it. `on` is called from several threads.
///
/// # Errors
/// Where the table cannot be written.
pub fn run(batch: &Batch, stop: &AtomicBool, on: &(dyn Fn(Event<'_>) + Sync)) -> Result<Outcome, String> {
    let columns = table::header(batch.with_file, &batch.job.columns());
    let header = csv_line(&columns)?;
    let ledger = Ledger::open(batch.out.as_deref(), header, batch.resume)?;
    let settings = format!("{:?} {}", batch.job, batch.with_file);
    let files = distinct(&batch.files);
    let keys: Vec<Option<String>> = files.iter().map(|file| Ledger::key(file, &settings).ok()).collect();
    let workers = files.len().clamp(1, batch.threads.max(1));
    let lanes = (batch.threads / workers).max(1);
    let (next, outcome) = (AtomicUsize::new(0), Mutex::new(State::default()));
    let note = |change: &dyn Fn(&mut State)| {
        // A poisoned lock means that a thread of ours has failed; its recording is then simply not done.
        change(&mut outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    };
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let (Some(file), Some(key)) = (files.get(nth), keys.get(nth)) else { return };
            let Some(key) = key else {
                on(Event::Broken(&format!("{}: cannot be read", file.display())));
                note(&|(outcome, _)| outcome.broken += 1);
                continue;
            };
            if ledger.has(key) {
                on(Event::Reused(file));
                note(&|(outcome, done)| {
                    outcome.reused += 1;
                    done.insert(nth);
                });
                continue;
            }
            match one(batch, &columns, &ledger, file, key, lanes, stop, on) {
                Ok(summary) => {
                    on(Event::Done(file, &summary));
                    note(&|(outcome, done)| {
                        outcome.rows += summary.rows;
                        outcome.valid += summary.valid;
                        done.insert(nth);
                    });
                }
                Err(Unfinished::Interrupted) => return,
                Err(Unfinished::Broken(what)) => {
                    let _ = std::fs::remove_file(ledger.draft(key));
                    on(Event::Broken(&what));
                    note(&|(outcome, _)| outcome.broken += 1);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    let (mut outcome, done) = outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    outcome.done = done.len();
    outcome.interrupted = outcome.done + outcome.broken < files.len();
    let told = |e: std::io::Error| match &batch.out {
        Some(out) => format!("{}: cannot be written: {e}", out.display()),
        None => format!("standard output: {e}"),
    };
    if outcome.interrupted && batch.resume {
        return Ok(outcome);
    }
    if outcome.interrupted || outcome.done == 0 {
        ledger.discard().map_err(told)?;
        return Ok(outcome);
    }
    let table: Vec<(String, String)> = (0..files.len())
        .filter(|nth| done.contains(nth))
        .filter_map(|nth| Some((keys.get(nth)?.clone()?, files.get(nth)?.display().to_string())))
        .collect();
    match ledger.assemble(&table) {
        // A reader that has gone (`| head`) has what it wanted; the parts are of no more use.
        Err(e) if batch.out.is_none() && e.kind() == std::io::ErrorKind::BrokenPipe => {
            ledger.discard().map_err(told)?;
        }
        assembled => assembled.map_err(told)?,
    }
    Ok(outcome)
}

/// One recording to its part.
#[expect(clippy::too_many_arguments, reason = "everything that a worker has")]
fn one(
    batch: &Batch,
    columns: &[String],
    ledger: &Ledger,
    file: &Path,
    key: &str,
    lanes: usize,
    stop: &AtomicBool,
    on: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Summary, Unfinished> {
    let draft = ledger.draft(key);
    let told = |e: &dyn std::fmt::Display| Unfinished::Broken(format!("{}: {e}", draft.display()));
    let mut out = csv::Writer::from_path(&draft).map_err(|e| told(&e))?;
    let name = file.display().to_string();
    let name = batch.with_file.then_some(name.as_str());
    let mut spreads: Vec<Spread> = Vec::new();
    let progress = |samples, total| on(Event::Samples(samples, total));
    let mut summary = recording::estimate(&batch.job, file, lanes, stop, &progress, |target, row| {
        if spreads.len() <= row.target {
            spreads.resize(row.target + 1, Spread::default());
        }
        if let Some(spread) = spreads.get_mut(row.target).filter(|_| row.is_valid()) {
            spread.add(row.r_squared);
        }
        table::write_row(&mut out, name, target, row).map_err(|e| format!("{}: {e}", draft.display()))
    })?;
    out.flush().map_err(|e| told(&e))?;
    drop(out);
    if let Some(sds) = batch.job.delete_below_sd {
        let deleted = deletion::mark(&draft, columns, &spreads, sds).map_err(Unfinished::Broken)?;
        summary.valid -= deleted;
        summary.notes.push(format!("{deleted} fits deleted: R2 below the mean - {sds} sd of their channel"));
    }
    ledger.finish(key).map_err(|e| told(&e))?;
    Ok(summary)
}

/// Each file once, in order; two ways to write one path are one file.
fn distinct(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let place = |file: &PathBuf| std::fs::canonicalize(file).unwrap_or_else(|_| file.clone());
    files.iter().filter(|file| seen.insert(place(file))).cloned().collect()
}

fn csv_line(cells: &[String]) -> Result<Vec<u8>, String> {
    let mut line = csv::Writer::from_writer(Vec::new());
    line.write_record(cells).map_err(|e| e.to_string())?;
    line.into_inner().map_err(|e| e.to_string())
}

//! `tras export-bids`: sessions' folders to a BIDS tree of EEG (BrainVision, 32-bit floats).
//!
//! In: folders of sessions, as they are; what is sealed stays out until it is unblinded. Out: for each folder EEG with its
//! events, channels and electrodes, questionnaires under `beh/`, and under `sourcedata/` the folder itself, the decisions
//! with their estimates, and the stimulation by the draft extension. Nothing that is there is overwritten. A session that
//! was resumed has a run for each sitting; its folder and its questionnaires stand there once.
//!
//! Times: onsets are samples of the data file over its rate, so that they point into it; where samples are missing
//! (`RecordingType` discontinuous) the column `time` has the session's own clock.

mod brainvision;
mod events;
mod names;
mod sidecars;
mod stimulation;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::Config;
use crate::session::folder;
use crate::session::questionnaires;
use crate::session::recorded::{Recorded, RecordedError};
use names::Place;

/// The specification that trees are written by.
pub const BIDS_VERSION: &str = "1.10.0";

/// Why a folder was not exported.
#[derive(Debug, thiserror::Error)]
pub enum BidsError {
    /// The folder cannot be read.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// A file cannot be written.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something is there already, or the data do not fit.
    #[error("{}: {what}", path.display())]
    Refused {
        /// The file or folder.
        path: PathBuf,
        /// What.
        what: String,
    },
}

impl BidsError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, error }
    }

    fn refused(path: &Path, what: impl Into<String>) -> Self {
        Self::Refused { path: path.to_owned(), what: what.into() }
    }
}

/// A folder that was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The session's folder.
    pub folder: PathBuf,
    /// The header file of its EEG in the tree.
    pub header: PathBuf,
    /// Samples of the EEG.
    pub samples: u64,
    /// Places where samples are missing.
    pub gaps: u64,
}

/// Exports folders into `tree`, which is made, or added to.
///
/// # Errors
/// The first folder that cannot be exported; those before it are in the tree.
pub fn export(folders: &[PathBuf], tree: &Path) -> Result<Vec<Exported>, BidsError> {
    let (mut sittings, mut of) = (Vec::with_capacity(folders.len()), Vec::with_capacity(folders.len()));
    for folder in folders {
        for (number, sitting) in Recorded::open(folder)?.sittings().into_iter().enumerate() {
            sittings.push(sitting);
            of.push((folder, number == 0));
        }
    }
    let places = names::places(&sittings, tree)?;
    write_tree(tree, &places)?;
    let mut exported = Vec::with_capacity(sittings.len());
    for ((recorded, place), (folder, first)) in sittings.iter().zip(&places).zip(of) {
        exported.push(one(recorded, place, folder, tree, first)?);
    }
    Ok(exported)
}

/// What a tree has once.
fn write_tree(tree: &Path, places: &[Place]) -> Result<(), BidsError> {
    fs::create_dir_all(tree).map_err(BidsError::file(tree))?;
    for (name, text) in sidecars::of_tree() {
        let path = tree.join(name);
        if !path.exists() {
            write(&path, &text)?;
        }
    }
    let path = tree.join("participants.tsv");
    let mut text = fs::read_to_string(&path).unwrap_or_else(|_| "participant_id\n".to_owned());
    for place in places {
        let name = format!("sub-{}", place.participant);
        let known = text.lines().skip(1).any(|line| line.split('\t').next() == Some(name.as_str()));
        if !known {
            text.push_str(&name);
            // Columns that somebody added.
            let more = text.lines().next().map_or(0, |header| header.matches('\t').count());
            text.push_str(&"\tn/a".repeat(more));
            text.push('\n');
        }
    }
    write(&path, &text)
}

/// `first`: of the sittings of its folder.
fn one(
    recorded: &Recorded,
    place: &Place,
    folder: &Path,
    tree: &Path,
    first: bool,
) -> Result<Exported, BidsError> {
    let config: Option<Config> = recorded.config().ok();
    let eeg = tree.join(place.folder()).join("eeg");
    fs::create_dir_all(&eeg).map_err(BidsError::file(&eeg))?;
    let stem = place.stem();
    let data = brainvision::write(recorded, &eeg, &stem)?;
    let happened = recorded.happened();
    let conditions = events::conditions(recorded.folder());
    let table = events::table(&happened, &data, &conditions);
    let write_as = |ending: &str, text: &str| write(&eeg.join(format!("{stem}_{ending}")), text);
    write_as("eeg.json", &json(&sidecars::eeg(recorded, config.as_ref(), &data, place)))?;
    write_as("channels.tsv", &sidecars::channels(recorded.eeg()?, &data))?;
    write_as("events.tsv", &table)?;
    write_as("events.json", &json(&events::columns()))?;
    // Electrodes are the same for all tasks and runs of a session, so their names have neither.
    let session_stem = place.session_stem();
    for (ending, text) in [
        ("electrodes.tsv", sidecars::electrodes(recorded.eeg()?)),
        ("coordsystem.json", json(&sidecars::coordinates())),
    ] {
        let path = eeg.join(format!("{session_stem}_{ending}"));
        if !path.exists() {
            write(&path, &text)?;
        }
    }
    if first {
        behaviour(recorded, place, tree, &stem)?;
    }
    let source = tree.join("sourcedata").join(place.folder());
    stimulation::write(recorded, config.as_ref(), &happened, &conditions, &source.join("nibs"), &stem)?;
    if folder.is_dir() && first {
        let name = folder.canonicalize().ok().and_then(|path| path.file_name().map(PathBuf::from));
        copy(folder, &source.join(name.unwrap_or_else(|| PathBuf::from(&stem))))?;
    } else if first {
        fs::create_dir_all(&source).map_err(BidsError::file(&source))?;
        let target = source.join(folder.file_name().unwrap_or_default());
        fs::copy(folder, &target).map_err(BidsError::file(&target))?;
    }
    let Some(header) = data.header.strip_prefix(tree).ok().map(Path::to_owned) else {
        return Err(BidsError::refused(&data.header, "is not in the tree"));
    };
    Ok(Exported { folder: folder.to_owned(), header, samples: data.samples, gaps: data.gaps.len() as u64 })
}

/// Questionnaires, where there are any.
fn behaviour(recorded: &Recorded, place: &Place, tree: &Path, stem: &str) -> Result<(), BidsError> {
    let refused = |what: String| BidsError::refused(&recorded.folder().join(folder::QUESTIONNAIRES), what);
    let filled = questionnaires::read(recorded.folder()).map_err(refused)?;
    if filled.is_empty() {
        return Ok(());
    }
    let beh = tree.join(place.folder()).join("beh");
    fs::create_dir_all(&beh).map_err(BidsError::file(&beh))?;
    write(&beh.join(format!("{stem}_beh.tsv")), &sidecars::questionnaires(&filled))?;
    write(&beh.join(format!("{stem}_beh.json")), &json(&sidecars::questionnaire_columns(place)))
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> Result<(), BidsError> {
    fs::create_dir_all(to).map_err(BidsError::file(to))?;
    for item in fs::read_dir(from).map_err(BidsError::file(from))? {
        let item = item.map_err(BidsError::file(from))?;
        let target = to.join(item.file_name());
        if item.file_type().map_err(BidsError::file(&target))?.is_dir() {
            copy(&item.path(), &target)?;
        } else {
            fs::copy(item.path(), &target).map_err(BidsError::file(&target))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), BidsError> {
    fs::write(path, text).map_err(BidsError::file(path))
}

fn json(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// A cell of a table: no tabs, no line breaks, `n/a` where there is nothing.
fn cell(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.trim().is_empty() { "n/a".to_owned() } else { plain }
}

//! A session's folder read back: what made it, its events, and its frames as the estimator got them.
//!
//! A folder has a recording (`session.xdf`, and `session-2.xdf` and so on where it was resumed) and, once blocks are
//! unblinded, one for each of their sealed streams. Those of one sitting are one again here: events by their stamps,
//! frames by their index. What is still sealed is missing, and seen by the gap in the index. Each sitting counts its
//! frames and estimates from its own beginning, so whoever goes by them takes one after the other:
//! [`Recorded::sittings`].

mod frames;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use frames::Frames;

use crate::acquisition::StreamDescription;
use crate::acquisition::recording::RecordingError;
use crate::acquisition::recording::xdf::xml::Node;
use crate::acquisition::recording::xdf::{Samples, Stream, Survey, file_header, survey};
use crate::config::Config;
use crate::estimator::Contamination;

/// What the header of a recording calls the sitting that made it, where it is not the first.
pub const SITTING: &str = "sitting";
/// Numbers that are read at once.
const AT_ONCE: usize = 1 << 12;

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    /// There is no recording.
    #[error("{}: holds no recording (session.xdf)", .0.display())]
    None(PathBuf),
    /// A recording cannot be read.
    #[error(transparent)]
    Unreadable(#[from] RecordingError),
    /// A recording lacks something.
    #[error("{}: {what}", path.display())]
    Lacks {
        /// The recording.
        path: PathBuf,
        /// What.
        what: String,
    },
}

/// One file.
#[derive(Clone, Debug)]
struct Part {
    path: PathBuf,
    survey: Survey,
    header: Option<Node>,
}

impl Part {
    fn open(path: PathBuf) -> Result<Self, RecordedError> {
        let survey = survey(&path)?;
        let header = file_header(&path)?;
        Ok(Self { path, survey, header })
    }

    fn about(&self, name: &str) -> Option<&str> {
        let about = self.header.as_ref().and_then(|header| header.child("tras"));
        about.and_then(|about| about.child(name)).map(|node| node.text.as_str())
    }

    /// The sitting that made it, from 1: what its header says; 1 where that says nothing, as in older recordings.
    fn sitting(&self) -> u32 {
        self.about(SITTING).and_then(|text| text.parse().ok()).unwrap_or(1)
    }

    fn stream(&self, name: &str) -> Option<&Stream> {
        self.survey.streams.iter().find(|stream| stream.description.name == name)
    }

    fn eeg(&self) -> Option<&Stream> {
        self.survey.streams.iter().find(|stream| stream.description.kind == "EEG")
    }

    fn lacks(&self, what: impl Into<String>) -> RecordedError {
        RecordedError::Lacks { path: self.path.clone(), what: what.into() }
    }
}

/// Something that happened, with its stamp on the session's clock.
#[derive(Clone, Debug, PartialEq)]
pub struct Happened {
    /// When.
    pub at_s: f64,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// An event of ours.
    Event(Value),
    /// A marker of the task, or of another program.
    Marker(String),
    /// A short marker of the session itself.
    OwnMarker(String),
}

/// A folder's recordings.
#[derive(Clone, Debug)]
pub struct Recorded {
    folder: PathBuf,
    parts: Vec<Part>,
}

impl Recorded {
    /// Of a folder, or of one recording alone.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, RecordedError> {
        let (folder, mut paths) = if path.is_dir() {
            (path.to_owned(), recordings(path))
        } else {
            (path.parent().unwrap_or_else(|| Path::new(".")).to_owned(), vec![path.to_owned()])
        };
        if paths.is_empty() {
            return Err(RecordedError::None(folder));
        }
        let mut parts = Vec::with_capacity(paths.len());
        for path in paths.drain(..) {
            parts.push(Part::open(path)?);
        }
        let recorded = Self { folder, parts };
        recorded.check()?;
        Ok(recorded)
    }

    /// One after the other, each with the recordings that it made: a session that was never resumed has one.
    #[must_use]
    pub fn sittings(&self) -> Vec<Self> {
        let mut numbers: Vec<u32> = self.parts.iter().map(Part::sitting).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let of = |number: u32| {
            let own = self.parts.iter().filter(|part| part.sitting() == number);
            Self { folder: self.folder.clone(), parts: own.cloned().collect() }
        };
        numbers.into_iter().map(of).collect()
    }

    /// All parts have the same EEG.
    fn check(&self) -> Result<(), RecordedError> {
        let eeg = self.eeg()?;
        for part in &self.parts {
            let other = part.eeg().ok_or_else(|| part.lacks("has no EEG"))?;
            if other.description.channels != eeg.channels {
                return Err(part.lacks("has other channels than the session's first recording"));
            }
        }
        Ok(())
    }

    /// Where it stands.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.path.as_path())
    }

    /// The EEG as it was recorded.
    ///
    /// # Errors
    /// There is none.
    pub fn eeg(&self) -> Result<&StreamDescription, RecordedError> {
        let first = self.parts.first().ok_or_else(|| RecordedError::None(self.folder.clone()))?;
        first.eeg().map(|stream| &stream.description).ok_or_else(|| first.lacks("has no EEG"))
    }

    /// What made it: `version`, `build`, `seed`, `configuration`, ...; `None` where the recording does not say.
    #[must_use]
    pub fn about(&self, name: &str) -> Option<&str> {
        self.parts.first().and_then(|part| part.about(name))
    }

    /// When it began, as the file says (ISO 8601).
    #[must_use]
    pub fn began(&self) -> Option<&str> {
        let header = self.parts.first().and_then(|part| part.header.as_ref());
        header.map(|header| header.text_of("datetime")).filter(|text| !text.is_empty())
    }

    /// The configuration that it ran with.
    ///
    /// # Errors
    /// It says none, or one that this version does not take.
    pub fn config(&self) -> Result<Config, RecordedError> {
        let path = self.parts.first().map_or_else(|| self.folder.clone(), |part| part.path.clone());
        let lacks = |what: String| RecordedError::Lacks { path: path.clone(), what };
        let text = self.about("configuration").ok_or_else(|| {
            lacks(
                "does not hold its configuration: it was made by an older version, or by another program"
                    .to_owned(),
            )
        })?;
        Config::from_str(text, "configuration of the recording").map_err(|error| lacks(error.to_string()))
    }

    /// Everything that happened, by its stamp.
    #[must_use]
    pub fn happened(&self) -> Vec<Happened> {
        let mut all = Vec::new();
        for part in &self.parts {
            let id = |name: &str| part.stream(name).map(|stream| stream.id);
            let (events, own) = (id("events"), id("session_markers"));
            for (stream, annotation) in &part.survey.annotations {
                let text = annotation.text.as_str();
                let what = if Some(*stream) == events {
                    What::Event(serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)))
                } else if Some(*stream) == own {
                    What::OwnMarker(text.to_owned())
                } else {
                    What::Marker(text.to_owned())
                };
                all.push(Happened { at_s: annotation.onset_s, what });
            }
        }
        all.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        all
    }

    /// From which frame on, by its index, frames had seen what of the current; in order. Before the first: clean.
    #[must_use]
    pub fn contamination(&self) -> Vec<(u64, Contamination)> {
        let mut changes: Vec<(u64, Contamination)> = Vec::new();
        for Happened { what, .. } in self.happened() {
            let What::Event(event) = what else { continue };
            if event.get("event").and_then(Value::as_str) != Some("flow") {
                continue;
            }
            let Some(frame) = event.get("frame").and_then(Value::as_u64) else { continue };
            let contamination = match event.get("contamination").and_then(Value::as_str) {
                Some("clean") => Contamination::Clean,
                Some("settling") => Contamination::Settling,
                Some(_) => Contamination::Stimulating,
                // Older recordings tell of flowing alone: what follows it is settling until something says more.
                None if event.get("flowing").and_then(Value::as_bool) == Some(true) => {
                    Contamination::Stimulating
                }
                None => Contamination::Settling,
            };
            changes.push((frame, contamination));
        }
        changes.sort_by_key(|(frame, _)| *frame);
        changes
    }

    /// Where the windows began to be cut by another rate: the last frame before, and the rate in Hz.
    #[must_use]
    pub fn refits(&self) -> Vec<(u64, f64)> {
        let mut refits: Vec<(u64, f64)> = Vec::new();
        for Happened { what, .. } in self.happened() {
            let What::Event(event) = what else { continue };
            if event.get("event").and_then(Value::as_str) == Some("refitted")
                && let Some(frame) = event.get("frame").and_then(Value::as_u64)
                && let Some(rate_hz) = event.get("rate_hz").and_then(Value::as_f64)
            {
                refits.push((frame, rate_hz));
            }
        }
        refits.sort_by_key(|(frame, _)| *frame);
        refits
    }

    /// Values of a stream of numbers, row by row with its stamp, of all parts by stamp.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn rows(&self, name: &str) -> Result<Vec<(f64, Vec<f64>)>, RecordedError> {
        let mut rows = Vec::new();
        for part in &self.parts {
            let Some(stream) = part.stream(name) else { continue };
            let width = stream.description.channels.len().max(1);
            let mut samples = Samples::open(&part.path, stream)?;
            let (mut values, mut stamps_s) = (vec![0.0; width * AT_ONCE], vec![0.0; AT_ONCE]);
            loop {
                let count = samples.read(&mut values, &mut stamps_s)?;
                if count == 0 {
                    break;
                }
                let read = values.chunks_exact(width).zip(&stamps_s).take(count);
                rows.extend(read.map(|(row, stamp_s)| (*stamp_s, row.to_vec())));
            }
        }
        rows.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Ok(rows)
    }

    /// The frames, in the order of their index.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn frames(&self) -> Result<Frames, RecordedError> {
        Frames::open(&self.parts)
    }
}

/// The recordings of a folder: those of the session in their order, then those of unblinded blocks.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let named = |folder: PathBuf, prefix: &str| {
        let items = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut found: Vec<(u32, String, PathBuf)> = items
            .filter_map(|item| {
                let name = item.file_name().to_string_lossy().into_owned();
                let rest = name.strip_prefix(prefix)?.strip_suffix(".xdf")?.to_owned();
                // `session.xdf` comes before `session-2.xdf`, and that before `session-10.xdf`.
                let number = rest.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(1);
                Some((number, rest, item.path()))
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, _, path)| path)
    };
    named(folder.to_owned(), "session").chain(named(folder.join(super::folder::UNBLINDED), "block")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn recordings_come_in_their_order() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("unblinded")).unwrap();
        for name in ["session-10.xdf", "session.xdf", "session-2.xdf", "unblinded/block-03.xdf", "other.xdf"]
        {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<String> = recordings(dir.path())
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["session.xdf", "session-2.xdf", "session-10.xdf", "block-03.xdf"]);
        assert!(matches!(
            Recorded::open(&dir.path().join("unblinded/..")),
            Err(RecordedError::Unreadable(_))
        ));
    }
}

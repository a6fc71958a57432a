//! A file as something to play: joins [`Recording`] with [`Playable`].

use super::playback::{Mark, Playable};
use crate::acquisition::StreamDescription;
use crate::acquisition::recording::{OpenOptions, Recording};
use std::path::{Path, PathBuf};

/// An opened recording that can begin again.
#[derive(Debug)]
pub struct Recorded {
    path: PathBuf,
    options: OpenOptions,
    recording: Recording,
    marks: Vec<Mark>,
}

impl Recorded {
    /// Opens `path`, see [`Recording::open`].
    ///
    /// # Errors
    /// What is wrong with the file, and where.
    pub fn open(path: &Path, options: OpenOptions) -> Result<Self, String> {
        let recording = Recording::open(path, &options).map_err(|error| error.to_string())?;
        let marks = recording
            .annotations()
            .iter()
            .map(|annotation| Mark { onset_s: annotation.onset_s, label: annotation.text.clone() })
            .collect();
        Ok(Self { path: path.to_owned(), options, recording, marks })
    }

    /// What the reader left out or mended.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        self.recording.notes()
    }
}

impl Playable for Recorded {
    fn description(&self) -> &StreamDescription {
        self.recording.description()
    }

    fn samples(&self) -> Option<u64> {
        self.recording.samples()
    }

    fn marks(&self) -> &[Mark] {
        &self.marks
    }

    fn read(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, String> {
        self.recording.read_block(values, stamps_s).map_err(|error| error.to_string())
    }

    fn rewind(&mut self) -> Result<(), String> {
        // Reading goes forward only: the file is opened again, annotations stay as they were.
        self.recording = Recording::open(&self.path, &self.options).map_err(|error| error.to_string())?;
        Ok(())
    }
}

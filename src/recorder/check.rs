//! The check that every recording must pass when it is closed: read back from the disk, not remembered.

use crate::acquisition::recording::RecordingError;
use crate::acquisition::recording::xdf::survey;
use std::path::Path;

/// One stream of a checked recording.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSummary {
    /// Its name.
    pub name: String,
    /// Its samples.
    pub samples: u64,
    /// Its clock offsets.
    pub clock_offsets: usize,
}

/// What is wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read at all.
    #[error(transparent)]
    Unreadable(#[from] RecordingError),
    /// It can be read, but is not whole.
    #[error("{path}: the recording fails its check: {what}")]
    Fails {
        /// The file.
        path: String,
        /// Everything that is wrong.
        what: String,
    },
}

/// Reads the whole file and wants: no damage; of every stream a footer whose count is that of its samples,
/// and at least one clock offset (without them stamps of several machines cannot be brought together).
///
/// # Errors
/// Says everything that is wrong.
pub fn check(path: &Path) -> Result<Vec<StreamSummary>, CheckError> {
    let survey = survey(path)?;
    let mut wrong = survey.damage.clone();
    if survey.streams.is_empty() {
        wrong.push("it holds no stream".to_owned());
    }
    let mut summaries = Vec::new();
    for stream in &survey.streams {
        let name = &stream.description.name;
        if stream.clock_offsets.is_empty() {
            wrong.push(format!("stream {name:?} has no clock offsets"));
        }
        match &stream.footer {
            None => wrong.push(format!("stream {name:?} has no footer: the recording was not closed")),
            Some(footer) if footer.text_of("sample_count") != stream.samples.to_string() => {
                wrong.push(format!(
                    "stream {name:?} holds {} samples, its footer says {:?}",
                    stream.samples,
                    footer.text_of("sample_count")
                ))
            }
            Some(_) => {}
        }
        summaries.push(StreamSummary {
            name: name.clone(),
            samples: stream.samples,
            clock_offsets: stream.clock_offsets.len(),
        });
    }
    if wrong.is_empty() {
        Ok(summaries)
    } else {
        Err(CheckError::Fails { path: path.display().to_string(), what: wrong.join("; ") })
    }
}

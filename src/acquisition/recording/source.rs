//! A recording behind the same trait as an amplifier, as fast as it is asked: for virtual time and for
//! computing past decisions again. To play one at its own rate is the business of `replay`.

use super::{Recording, RecordingError};
use crate::acquisition::{Poll, Source, StreamDescription};

/// Yields a recording's samples. `poll` reads the disk, so it belongs in no thread with a deadline.
#[derive(Debug)]
pub struct RecordingSource {
    recording: Recording,
    failure: Option<RecordingError>,
}

impl RecordingSource {
    /// From the recording's next sample on.
    #[must_use]
    pub fn new(recording: Recording) -> Self {
        Self { recording, failure: None }
    }

    /// Why the recording ended before its end; look at it after [`Poll::End`].
    #[must_use]
    pub fn failure(&self) -> Option<&RecordingError> {
        self.failure.as_ref()
    }

    /// Annotations, notes and the rest.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

impl Source for RecordingSource {
    fn description(&self) -> &StreamDescription {
        self.recording.description()
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        if self.failure.is_some() {
            return Poll::End;
        }
        match self.recording.read_block(values, stamps_s) {
            // Buffers that hold no sample are no sign of the end.
            Ok(0) if stamps_s.is_empty() || values.len() < self.description().channels.len() => Poll::Empty,
            Ok(0) => Poll::End,
            Ok(count) => Poll::Samples(count),
            Err(error) => {
                self.failure = Some(error);
                Poll::End
            }
        }
    }
}

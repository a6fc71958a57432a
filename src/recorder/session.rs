//! What a recorder is told of its session, and what it answers where something cannot be recorded.

use super::check::CheckError;
use super::xdf::XdfWriteError;
use crate::acquisition::StreamDescription;
use crate::session::moment::Moment;
use crate::session::sealed::SealedError;
use std::io;

/// What the file's headers need to know of the session.
#[derive(Clone, Debug)]
pub struct SessionStreams {
    /// The EEG as it is recorded: the chosen channels, in microvolts.
    pub eeg: StreamDescription,
    /// Labels of the regions or channels that are estimated, by [`crate::estimator::Estimate::target`].
    pub targets: Vec<String>,
    /// The estimator's name.
    pub method: String,
    /// Rate of the current in Hz; `None` in a session without stimulation.
    pub current_rate_hz: Option<f64>,
    /// What must be added to the EEG's stamps to bring them to this machine's clock, in seconds: 0, unless they
    /// are recorded on the sender's own.
    pub eeg_clock_offset_s: f64,
    /// When the session began, in s since 1970, and on the run's clock. Leave it out for files that repeat byte for
    /// byte.
    pub began: Option<Moment>,
    /// What made the recording, as elements of the header: version, build, seed, configuration, ...
    pub about: Vec<(String, String)>,
}

/// Why something was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The file could not be created.
    #[error("cannot record in {folder}: {error}; free space there, or choose another --record folder")]
    Create {
        /// The folder.
        folder: String,
        /// Why.
        error: io::Error,
    },
    /// A write was refused. What was recorded before stays readable; what waits is tried again at the next
    /// [`super::Recorder::maintain`].
    #[error("{path}: {error}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        error: XdfWriteError,
    },
    /// The file is not where it was made: what is written is lost.
    #[error("{path}: {error}: what is recorded now is lost; end the session")]
    Gone {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A table beside the recording was refused; it is tried again.
    #[error("{path}: {error}")]
    Table {
        /// Their folder.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A sealed stream was refused.
    #[error(transparent)]
    Sealed(#[from] SealedError),
    /// The closed file is not what it should be.
    #[error(transparent)]
    Check(#[from] CheckError),
}

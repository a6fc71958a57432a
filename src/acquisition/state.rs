//! What has become of a stream, as every room names it.

/// What has become of the EEG stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamState {
    /// Samples have not come yet.
    #[default]
    Waiting,
    /// Samples come.
    Live,
    /// The source is gone; it is looked for.
    Lost,
    /// A file or simulation has ended.
    Ended,
}

impl StreamState {
    /// As the operator reads it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Live => "LIVE",
            Self::Lost => "LOST",
            Self::Ended => "ENDED",
        }
    }
}

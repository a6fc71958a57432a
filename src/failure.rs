//! Why a command ended early, and the process's exit code for it. Every room may give one; only the command line
//! turns it into an exit code.

/// Why a command failed, by exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Bad arguments or configuration: 2.
    #[error("{0}")]
    Usage(String),
    /// Stream or device not found: 3.
    #[error("{0}")]
    NotFound(String),
    /// Fault during the run: 4.
    #[error("{0}")]
    Fault(String),
    /// A session's folder does not hold what it should: 5.
    #[error("{0}")]
    DoesNotHold(String),
}

impl Failure {
    /// The same failure in other words.
    #[must_use]
    pub fn reworded(self, words: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Usage(what) => Self::Usage(words(&what)),
            Self::NotFound(what) => Self::NotFound(words(&what)),
            Self::Fault(what) => Self::Fault(words(&what)),
            Self::DoesNotHold(what) => Self::DoesNotHold(words(&what)),
        }
    }

    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Fault(_) => 4,
            Self::DoesNotHold(_) => 5,
        }
    }

    /// [`Failure::Usage`] in the words of `error`.
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// [`Failure::Fault`] in the words of `error`.
    pub fn fault(error: impl std::fmt::Display) -> Self {
        Self::Fault(error.to_string())
    }
}

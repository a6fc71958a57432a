//! Stand-ins for what is outside: a virtual participant whose exponent is known, and recordings played again.
//!
//! In: settings and a seed, or a file. Out: samples for the virtual runtime ([`source`]), or an LSL stream
//! ([`publish`], [`playback`]) that nothing can tell from an amplifier's. [`faults`] breaks such a stream on
//! purpose, at stated times.

pub mod background;
#[cfg(target_os = "linux")]
pub mod child;
pub mod faults;
pub mod listen;
pub mod montage;
pub mod nuisance;
pub mod pace;
pub mod participant;
pub mod playback;
pub mod publish;
pub mod recorded;
pub mod response;
pub mod rhythm;
pub mod source;

/// Why `tras simulate` or `tras replay` could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The arguments or the file make no sense: exit code 2.
    #[error("{0}")]
    Arguments(String),
    /// A file or a receiver is not there: exit code 3.
    #[error("{0}")]
    NotFound(String),
    /// Something failed on the way: exit code 4.
    #[error("{0}")]
    Fault(String),
}

impl From<participant::SettingsError> for SimulationError {
    fn from(error: participant::SettingsError) -> Self {
        Self::Arguments(error.to_string())
    }
}

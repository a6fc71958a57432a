//! The command line: one file a command. Parses, runs, and turns what went wrong into an exit code.

pub mod replay;
pub mod simulate;

/// Why a command failed, by exit code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Bad arguments or configuration: 2.
    #[error("{0}")]
    Usage(String),
    /// Stream or device not found: 3.
    #[error("{0}")]
    NotFound(String),
    /// Fault during the run: 4.
    #[error("{0}")]
    Fault(String),
}

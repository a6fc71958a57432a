//! Estimates of a recording while current flowed: the current as delivered is found in the file ([`find`]), brought to
//! when it flowed ([`flow`]), fed to the removal ([`delivered`]), and a second estimator fits what it leaves ([`windows`]).
//!
//! In: a recording's path and what was asked. Out: what each sample saw of the current, the rows of windows under it,
//! and in words why some of them must not be believed: whatever cannot be proven is shown at most.

pub mod certify;
mod delivered;
mod figures;
mod find;
mod flow;
mod prepare;
mod windows;

pub use crate::estimator::settings::DuringCurrent;
pub use figures::{COLUMNS, Figures};
pub(super) use prepare::{Prepared, prepare};
pub(super) use windows::{Seen, Windows};

/// What is asked of every recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What becomes of windows under current.
    pub during: DuringCurrent,
    /// Which stream holds the current: its name or number, with `:LABEL` behind it where it has several channels of
    /// current.
    pub current: Option<String>,
}

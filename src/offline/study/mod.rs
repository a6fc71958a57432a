//! A study's sessions joined: d' by condition, exponent at rest and its change, dose, guesses: `tras study`.
//!
//! [`folder`] is the one place that knows what a session's folder holds; [`join`] makes a row for each participant
//! and condition, [`contrasts`] the paired differences and the regression, [`plots`] one page of pictures.

pub mod contrasts;
pub mod folder;
pub mod join;
pub mod plots;

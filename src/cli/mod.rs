//! To be filled.
pub mod check;

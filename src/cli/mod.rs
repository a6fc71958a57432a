//! To be filled.

pub mod replay;
pub mod simulate;

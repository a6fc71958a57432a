//! What a session keeps.

pub mod xdf;

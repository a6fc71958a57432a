//! To be filled.

pub mod noise;

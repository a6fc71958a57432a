//! The screen.

pub mod draw;
pub mod input;
pub mod state;
pub mod trace;

//! Working memory by continuous report: trials are made here, and scored here.
//!
//! In: angles in degrees (target, response, non-targets), a seed, a similarity kernel. Out: d' of the target
//! confusability model, circular SD, mixtures of two and three parts, intervals, missing responses both ways,
//! a proposal of loads; trial lists; simulated observers; what a study of them could find.
//!
//! Pure: no threads, clocks, files or printing. Every replicate draws from a stream of its own that is named by
//! seed, cell and number ([`stream`]), so whoever spreads cells over threads (the command line does) changes no
//! byte of the result.

pub mod angle;
mod bessel;
pub mod capacity;
pub mod cell;
pub mod design;
pub mod dprime;
pub mod kernel;
pub mod missing;
pub mod mixture;
mod normal;
pub mod quantile;
pub mod regression;
pub mod simulate;
pub mod stream;
pub mod study;
pub mod tcc;

pub use cell::{Cell, Score, Settings, Trial, score};
pub use dprime::{Bound, DPrimeFit, LogTable};
pub use kernel::Kernel;

/// The README's example, kept true.
#[cfg(doctest)]
#[doc = include_str!("README.md")]
pub struct Readme;

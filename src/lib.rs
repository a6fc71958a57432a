//! `tras` reads the aperiodic (1/f) exponent of a live EEG and writes shaped noise current back.
//!
//! ```text
//!  amplifier --LSL--> acquisition -ring-> estimator -> controller -> noise -> limits -ring-> stimulator
//! ```
//! Everything that flows is observed, never slowed, by `recorder`, `outlets` and `dashboard`.
//! The modules stand in the order in which a sample passes them.
//!
//! * **Core** (`estimator`, `controller`, `noise`, `limits`, `session`): no threads, clocks, I/O, logging,
//!   or allocation after construction. Data and the time go in, data comes out.
//! * **Edges** (`acquisition`, `stimulator`, `recorder`, `outlets`, `dashboard`): one adapter for each thing
//!   outside, behind a small trait.
//! * **Runtimes** (`runtime::live`, `runtime::virtual_time`) drive the same core.
//!
//! Time is `f64` seconds of the LSL clock of this machine (monotonic) wherever a name ends in `_s`;
//! potentials are microvolts (`_uv`), currents milliamperes (`_ma`), frequencies hertz (`_hz`).

pub mod child;
pub mod clean;
pub mod clock;
pub mod config;
pub mod failure;
pub mod realtime;
pub mod units;

pub mod acquisition;
pub mod ring;
pub use tras_estimator as estimator;
pub use tras_stimulation::{controller, current, limits, noise, plan, watch};
pub mod session;
pub mod stimulator;

pub mod dashboard;
#[cfg(target_os = "linux")]
pub mod markers;
pub mod outlets;
pub mod recorder;
pub mod task;

pub mod cli;
pub mod offline;
pub mod runtime;
pub mod simulation;

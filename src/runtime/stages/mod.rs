//! The three real-time stages, one step at a time: what a thread of `live` repeats, and `virtual_time` calls
//! in turn. None of them allocates, locks, logs or blocks after construction.

pub mod acquire;
pub mod closed_loop;
pub mod start_impedance;
pub mod stimulate;
pub mod through;

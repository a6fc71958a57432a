//! The two runtimes, which drive the same core: `live` by threads on the clock, `virtual_time` by a loop.
//!
//! [`stages`] holds what both run: acquire, loop and stimulate, each one step at a time.

pub mod assemble;
pub mod audited;
pub mod conduct;
pub mod digest;
pub mod ended;
pub mod events;
pub mod keep;
pub mod latency;
pub mod live;
pub mod observation;
pub mod recompute;
pub mod signals;
pub mod stages;
pub mod summary;
pub mod view_feed;
pub mod virtual_time;

//! Trials of working memory in, scores out: `tras score`, and what `tras study` takes from a session's trials.
//!
//! [`read`] takes tables of trials (our own `trials.csv`, any CSV with named columns, BIDS `beh`) into cells and
//! tells what it left out; [`run`] scores the cells on as many threads as it is given; [`write`] makes JSON lines and
//! tidy tables, [`plots`] the pictures. The arithmetic is `tras-scoring`'s.

pub mod plots;
pub mod read;
pub mod run;
pub mod table;
pub mod write;

pub use read::{Layout, Trials};
pub use run::{Scored, score_all};

/// What people read where a session has no condition, or its blocks are sealed.
#[must_use]
pub fn shown(condition: &str) -> &str {
    if condition.is_empty() { "no condition" } else { condition }
}

//! What a hostile audit tried (A1 to A14), each as the sequence that was found and as its kind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;
#[path = "hostile/dose.rs"]
mod dose;
#[path = "hostile/proof.rs"]
mod proof;
#[path = "hostile/repeats.rs"]
mod repeats;
#[path = "hostile/soup.rs"]
mod soup;
#[path = "hostile/times.rs"]
mod times;

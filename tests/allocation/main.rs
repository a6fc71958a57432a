//! What must not allocate, and how much memory the rest takes: under one counting allocator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

mod acquisition_allocation;
mod child_allocation;
mod estimator_allocation;
mod no_allocation;
mod recording_memory;
mod simulate_alloc;
mod through_current;

#[global_allocator]
static ALLOCATOR: tras_test_support::alloc::Counting = tras_test_support::alloc::Counting;

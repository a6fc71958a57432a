//! `cargo +nightly fuzz run csv` in the top folder: any bytes as a recording in CSV.
#![no_main]

mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read("csv", bytes));

//! `cargo +nightly fuzz run edf` in the top folder: any bytes as a recording in EDF.
#![no_main]

mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read("edf", bytes));

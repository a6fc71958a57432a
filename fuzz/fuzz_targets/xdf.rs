//! `cargo +nightly fuzz run xdf` in the top folder: any bytes as a recording in XDF.
#![no_main]

mod read;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| read::read("xdf", bytes));

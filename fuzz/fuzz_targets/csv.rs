//! Any bytes as a recording in CSV: `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tras_test_support::fuzz::recording("csv", bytes);
});

//! Any bytes as a recording in XDF: `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    tras_test_support::fuzz::recording("xdf", bytes);
});

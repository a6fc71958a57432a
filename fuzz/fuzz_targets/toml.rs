//! Any text as a configuration; what is taken can be written out and read back: `make fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    tras_test_support::fuzz::configuration(text);
});

//! `cargo +nightly fuzz run toml` in the top folder: any text as a configuration; what is taken can be written out and
//! read back.
#![no_main]

use tras::config::Config;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(config) = Config::from_str(text, "fuzz") else { return };
    let again = Config::from_str(&config.to_toml(), "written").expect("what was written is taken");
    assert_eq!(again.to_toml(), config.to_toml());
});

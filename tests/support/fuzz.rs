//! What the targets of `fuzz/` do with any bytes; `tests/pure/any_bytes.rs` does the same with known files and with
//! damaged ones.

use std::io::Write as _;

use tras::acquisition::recording::{OpenOptions, Recording};
use tras::config::Config;

/// Nobody has this many electrodes; a header may promise any width.
const MOST_CHANNELS: usize = 4_096;

/// Reads `bytes` to the end as a file that ends in `.kind`: whatever they are, that is an error or samples. Gives back
/// how many samples.
pub fn recording(kind: &str, bytes: &[u8]) -> usize {
    let mut file =
        tempfile::Builder::new().suffix(&format!(".{kind}")).tempfile().expect("a folder for files");
    file.write_all(bytes).expect("room for a file");
    let options = OpenOptions { rate_hz: (kind == "csv").then_some(250.0), ..OpenOptions::default() };
    let Ok(mut recording) = Recording::open(file.path(), &options) else { return 0 };
    let width = recording.description().channels.len();
    if width > MOST_CHANNELS {
        return 0;
    }
    let (mut values, mut stamps_s, mut read) = (vec![0.0; width * 64], vec![0.0; 64], 0);
    while let Ok(samples @ 1..) = recording.read_block(&mut values, &mut stamps_s) {
        read += samples;
    }
    read
}

/// Reads `text` as a configuration: what is taken can be written out and read back, and stays the same. Gives back
/// whether it was taken.
pub fn configuration(text: &str) -> bool {
    let Ok(config) = Config::from_str(text, "fuzz") else { return false };
    let again = Config::from_str(&config.to_toml(), "written").expect("what was written is taken");
    assert_eq!(again.to_toml(), config.to_toml());
    true
}

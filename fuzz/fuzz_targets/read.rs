//! Opens bytes as a recording of a kind and reads it to the end: whatever they are, that is an error or samples.

use std::io::Write;

use tras::acquisition::recording::{OpenOptions, Recording};

/// Reads `bytes` as a file that ends in `.kind`.
pub fn read(kind: &str, bytes: &[u8]) {
    let mut file = tempfile::Builder::new().suffix(&format!(".{kind}")).tempfile().expect("a folder for files");
    file.write_all(bytes).expect("room for a file");
    let options = OpenOptions { rate_hz: (kind == "csv").then_some(250.0), ..OpenOptions::default() };
    let Ok(mut recording) = Recording::open(file.path(), &options) else { return };
    let width = recording.description().channels.len();
    // A header may promise any width; nobody has this many electrodes.
    if width > 4_096 {
        return;
    }
    let (mut values, mut stamps_s) = (vec![0.0; width * 64], vec![0.0; 64]);
    while let Ok(1..) = recording.read_block(&mut values, &mut stamps_s) {}
}

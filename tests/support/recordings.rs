//! What the tests of recordings share: small files made by hand, and reading a whole recording.
#![allow(dead_code, missing_docs, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use tras::acquisition::recording::{OpenOptions, Recording, RecordingError};

/// One signal of an EDF or BDF file in the making.
#[derive(Clone)]
pub struct Signal {
    pub label: String,
    pub unit: String,
    pub physical: (f64, f64),
    pub digital: (i32, i32),
    pub samples: usize,
}

impl Signal {
    pub fn eeg(label: &str, samples: usize) -> Self {
        let digital = (-32768, 32767);
        Self { label: label.into(), unit: "uV".into(), physical: (-3276.8, 3276.7), digital, samples }
    }

    pub fn annotations(bytes: usize, width: usize) -> Self {
        let label = if width == 3 { "BDF Annotations" } else { "EDF Annotations" };
        let mut signal = Self::eeg(label, bytes / width);
        signal.physical = (-1.0, 1.0);
        signal
    }
}

/// An EDF (`width` 2) or BDF (3) file. `record(r, s)` gives the bytes of signal `s` in data record `r`, or
/// fewer: the rest is 0.
pub fn edf(
    width: usize,
    reserved: &str,
    records: (i64, usize),
    record_s: f64,
    signals: &[Signal],
    record: impl Fn(usize, usize) -> Vec<u8>,
) -> Vec<u8> {
    let mut out = Vec::new();
    let field = |text: &str, width: usize, out: &mut Vec<u8>| {
        let latin1: Vec<u8> = text.chars().map(|c| c as u8).collect();
        assert!(latin1.len() <= width, "{text:?} is longer than {width}");
        out.extend(&latin1);
        out.resize(out.len() + width - latin1.len(), b' ');
    };
    if width == 3 {
        out.extend(b"\xffBIOSEMI");
    } else {
        field("0", 8, &mut out);
    }
    field("X X X X", 80, &mut out);
    field("Startdate 20-NOV-2026 X X X", 80, &mut out);
    field("20.11.2609.00.00", 16, &mut out);
    field(&(256 * (signals.len() + 1)).to_string(), 8, &mut out);
    field(reserved, 44, &mut out);
    field(&records.0.to_string(), 8, &mut out);
    field(&record_s.to_string(), 8, &mut out);
    field(&signals.len().to_string(), 4, &mut out);
    let each = |width: usize, out: &mut Vec<u8>, text: &dyn Fn(&Signal) -> String| {
        signals.iter().for_each(|signal| field(&text(signal), width, out));
    };
    each(16, &mut out, &|s| s.label.clone());
    each(80, &mut out, &|_| String::new());
    each(8, &mut out, &|s| s.unit.clone());
    each(8, &mut out, &|s| s.physical.0.to_string());
    each(8, &mut out, &|s| s.physical.1.to_string());
    each(8, &mut out, &|s| s.digital.0.to_string());
    each(8, &mut out, &|s| s.digital.1.to_string());
    each(80, &mut out, &|_| String::new());
    each(8, &mut out, &|s| s.samples.to_string());
    each(32, &mut out, &|_| String::new());
    for r in 0..records.1 {
        for (s, signal) in signals.iter().enumerate() {
            let mut bytes = record(r, s);
            bytes.resize(signal.samples * width, 0);
            out.extend(bytes);
        }
    }
    out
}

/// 16-bit samples.
pub fn int16(values: impl IntoIterator<Item = i16>) -> Vec<u8> {
    values.into_iter().flat_map(i16::to_le_bytes).collect()
}

/// Everything of a recording.
#[derive(Debug)]
pub struct Whole {
    pub recording: Recording,
    pub values: Vec<f64>,
    pub stamps_s: Vec<f64>,
}

/// Reads a recording to its end in blocks of `block` samples.
pub fn read(path: &Path, options: &OpenOptions, block: usize) -> Result<Whole, RecordingError> {
    let mut recording = Recording::open(path, options)?;
    let width = recording.description().channels.len();
    let (mut values, mut stamps_s) = (Vec::new(), Vec::new());
    let (mut some, mut times_s) = (vec![0.0; block * width], vec![0.0; block]);
    loop {
        match recording.read_block(&mut some, &mut times_s)? {
            0 => return Ok(Whole { recording, values, stamps_s }),
            count => {
                values.extend(&some[..count * width]);
                stamps_s.extend(&times_s[..count]);
            }
        }
    }
}

/// Writes `bytes` as `name` into a new folder, which lives as long as what is returned.
pub fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// The error of opening or reading.
pub fn refusal(name: &str, bytes: &[u8], options: &OpenOptions) -> String {
    let (_folder, path) = file(name, bytes);
    read(&path, options, 100).expect_err("must be refused").to_string()
}

/// A file of the data that lie beside the project, where they do.
pub fn shared(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TRAS_SHARED_DATA")
        .map_or_else(|| crate::root().join("../shared/data"), PathBuf::from);
    Some(folder.join(name)).filter(|path| path.is_file())
}

//! BrainVision recordings: every kind of value and layout, segments, markers, and what is told of damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use proptest::prelude::*;
use std::path::{Path, PathBuf};
use tras::acquisition::recording::OpenOptions;
use tras_test_support::recordings::read;

const HEAD: &str = "Brain Vision Data Exchange Header File Version 1.0\r\n; made by a test\r\n[Common Infos]\r\n\
Codepage=UTF-8\r\nDataFile=$b.eeg\r\nMarkerFile=$b.vmrk\r\nDataFormat=BINARY\r\nNumberOfChannels=3\r\nSamplingInterval=4000\r\n";
const CHANNELS: &str =
    "[Channel Infos]\r\nCh1=Fz,,0.5,µV\r\nCh2=C\\1z,Ref,0.001,mV\r\nCh3=Pz\r\n[Comment]\r\nCh1=nothing\r\n";

/// Value of channel `c` at sample `k`, in steps.
fn step(k: usize, c: usize) -> i32 {
    (k as i32 % 1000) * if c == 1 { -1 } else { 1 } + c as i32
}

fn write(
    folder: &Path,
    format: &str,
    vectorized: bool,
    big: bool,
    samples: usize,
    more: &str,
    markers: &str,
) -> PathBuf {
    let encode = |value: i32| -> Vec<u8> {
        let mut raw = match format {
            "INT_16" => (value as i16).to_le_bytes().to_vec(),
            "INT_32" => value.to_le_bytes().to_vec(),
            _ => (value as f32).to_le_bytes().to_vec(),
        };
        if big {
            raw.reverse();
        }
        raw
    };
    let order: Vec<(usize, usize)> = if vectorized {
        (0..3).flat_map(|c| (0..samples).map(move |k| (k, c))).collect()
    } else {
        (0..samples).flat_map(|k| (0..3).map(move |c| (k, c))).collect()
    };
    let data: Vec<u8> = order.into_iter().flat_map(|(k, c)| encode(step(k, c))).collect();
    let orientation = if vectorized { "VECTORIZED" } else { "MULTIPLEXED" };
    let text = format!(
        "{HEAD}DataOrientation={orientation}\r\n{more}[Binary Infos]\r\nBinaryFormat={format}\r\nUseBigEndianOrder={}\r\n{CHANNELS}",
        if big { "YES" } else { "NO" }
    );
    std::fs::write(folder.join("rec.vhdr"), text).unwrap();
    std::fs::write(folder.join("rec.eeg"), data).unwrap();
    let head = "Brain Vision Data Exchange Marker File, Version 1.0\r\n[Marker Infos]\r\n";
    std::fs::write(folder.join("rec.vmrk"), format!("{head}{markers}")).unwrap();
    folder.join("rec.vhdr")
}

#[test]
fn every_format_and_layout_gives_the_same_values() {
    for format in ["INT_16", "INT_32", "IEEE_FLOAT_32"] {
        for vectorized in [false, true] {
            for big in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let path = write(folder.path(), format, vectorized, big, 1300, "", "");
                let whole = read(&path, &OpenOptions::default(), 77).unwrap();
                let description = whole.recording.description();
                assert_eq!(description.rate_hz, 250.0);
                let channels: Vec<(&str, &str)> =
                    description.channels.iter().map(|c| (c.label.as_str(), c.unit.as_str())).collect();
                assert_eq!(channels, [("Fz", "µV"), ("C,z", "mV"), ("Pz", "µV")]);
                assert_eq!((whole.stamps_s.len(), whole.recording.samples()), (1300, Some(1300)));
                for (k, (row, stamp_s)) in whole.values.chunks_exact(3).zip(&whole.stamps_s).enumerate() {
                    let wanted = [0.5, 0.001, 1.0].iter().enumerate().map(|(c, r)| f64::from(step(k, c)) * r);
                    assert!(
                        row.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9),
                        "{format} {vectorized} {k}"
                    );
                    assert!((stamp_s - k as f64 / 250.0).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn segments_jump_to_their_dates_and_markers_go_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let markers = "Mk1=New Segment,,1,1,0,20200101120000000000\r\nMk2=Stimulus,S  1,251,1,0\r\n\
        Mk3=New Segment,,501,1,0,20200101120010500000\r\nMk4=Comment,one\\1 two,626,25,0\r\n\
        Mk5=New Segment,,751,1,0,00000000000000000000\r\nMk6=Response,R  1,751,1,0\r\nMkX=broken\r\n";
    let path = write(folder.path(), "INT_16", false, false, 1000, "", markers);
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    assert!((whole.stamps_s[499] - 1.996).abs() < 1e-9);
    assert!((whole.stamps_s[500] - 10.5).abs() < 1e-6, "{}", whole.stamps_s[500]);
    // No date: how long the pause was is not known, but there was one.
    assert!((whole.stamps_s[750] - whole.stamps_s[749] - 0.008).abs() < 1e-6);
    let found: Vec<(f64, f64, &str)> =
        whole.recording.annotations().iter().map(|a| (a.onset_s, a.duration_s, a.text.as_str())).collect();
    let texts: Vec<&str> = found.iter().map(|(_, _, text)| *text).collect();
    assert_eq!(texts, ["Stimulus/S  1", "New Segment/", "Comment/one, two", "New Segment/", "Response/R  1"]);
    assert!(
        (found[0].0 - 1.0).abs() < 1e-9
            && (found[2].0 - 11.0).abs() < 1e-6
            && (found[2].1 - 0.1).abs() < 1e-9
    );
    let notes = whole.recording.notes().join("; ");
    assert!(
        notes.contains("1 segments begin without a date") && notes.contains("1 markers are malformed"),
        "{notes}"
    );
    // Segments of equal length without a marker each.
    let path = write(folder.path(), "INT_16", false, false, 1000, "SegmentDataPoints=250\r\n", "");
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    let jumps = whole.stamps_s.windows(2).filter(|pair| pair[1] - pair[0] > 0.006).count();
    assert_eq!(jumps, 3);
}

#[test]
fn a_data_file_that_is_shorter_than_its_header_says_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = |path: &Path| {
        let whole = read(path, &OpenOptions::default(), 64).unwrap();
        let channels = whole.recording.description().channels.len();
        (whole.stamps_s.len(), channels, whole.recording.notes().join("; "))
    };
    let cut = |path: &Path, bytes: u64| {
        let file = std::fs::File::options().write(true).open(path.with_extension("eeg")).unwrap();
        file.set_len(bytes).unwrap();
    };
    let path = write(folder.path(), "INT_16", false, false, 1000, "DataPoints=1000\r\n", "");
    cut(&path, 3001);
    let (samples, channels, notes) = told(&path);
    assert_eq!((samples, channels), (500, 3));
    assert!(notes.contains("promises 1000 samples, the data file holds 500"), "{notes}");
    let path = write(folder.path(), "INT_16", true, false, 1000, "DataPoints=1000\r\n", "");
    cut(&path, 5000);
    let (samples, channels, notes) = told(&path);
    assert_eq!((samples, channels), (1000, 2));
    assert!(notes.contains("left out: Pz"), "{notes}");
    // A header that says nothing: the markers do.
    let path = write(folder.path(), "INT_16", false, false, 1000, "", "Mk1=Stimulus,S  1,900,1,0\r\n");
    cut(&path, 3000);
    let (_, _, notes) = told(&path);
    assert!(notes.contains("1 markers lie beyond the end of the data"), "{notes}");
    // Renamed without mending the header's names.
    for end in ["vhdr", "eeg", "vmrk"] {
        std::fs::rename(path.with_extension(end), folder.path().join(format!("new.{end}"))).unwrap();
    }
    let renamed = folder.path().join("new.vhdr");
    let text = std::fs::read_to_string(&renamed).unwrap().replace("$b", "C:\\lab\\old");
    std::fs::write(&renamed, text).unwrap();
    assert!(told(&renamed).2.contains("old.eeg is not there"), "{}", told(&renamed).2);
    let part = read(&renamed.with_extension("eeg"), &OpenOptions::default(), 9).unwrap_err().to_string();
    assert!(part.contains("name its header") && part.contains("new.vhdr"), "{part}");
    std::fs::remove_file(renamed.with_extension("eeg")).unwrap();
    let missing = read(&renamed, &OpenOptions::default(), 9).unwrap_err().to_string();
    assert!(missing.contains("is not there"), "{missing}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damage_is_read_or_refused(flips in prop::collection::vec((0_usize..700, any::<u8>()), 0..8), cut in 0_usize..300) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "INT_16", false, false, 40, "DataPoints=40\r\n", "Mk1=Stimulus,S  1,9,1,0\r\n");
        for file in [path.clone(), path.with_extension("vmrk")] {
            let mut bytes = std::fs::read(&file).unwrap();
            for (at, byte) in &flips {
                if let Some(slot) = bytes.get_mut(*at) { *slot = *byte; }
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            std::fs::write(&file, bytes).unwrap();
        }
        if let Ok(whole) = read(&path, &OpenOptions::default(), 7) {
            prop_assert!(whole.stamps_s.len() <= 240);
        }
    }
}

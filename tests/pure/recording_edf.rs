//! EDF and BDF recordings: what is read from them, and what is refused with which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras::acquisition::recording::OpenOptions;
use tras_test_support::recordings::{Signal, edf, file, int16, read, refusal};

/// Three records of 1 s: Fz and Cz at 100 Hz, a slower one at 10 Hz, and annotations.
fn plus(reserved: &str, onsets_s: [f64; 3]) -> Vec<u8> {
    let mut micro = Signal::eeg("EEG Cz", 100);
    micro.unit = "\u{b5}V".into();
    let signals =
        [Signal::eeg("EEG Fz", 100), micro, Signal::eeg("Temp rectal", 10), Signal::annotations(60, 2)];
    edf(2, reserved, (3, 3), 1.0, &signals, move |r, s| match s {
        0 => int16((0..100).map(|i| (r * 100 + i) as i16)),
        1 => int16((0..100).map(|i| -((r * 100 + i) as i16))),
        2 => int16([7; 10]),
        _ if r == 1 => format!("+{}\x14\x14\0+1.5\x150.25\x14eyes closed\x14\0", onsets_s[r]).into_bytes(),
        _ => format!("+{}\x14\x14\0", onsets_s[r]).into_bytes(),
    })
}

#[test]
fn channels_units_stamps_and_annotations() {
    let (_folder, path) = file("rec.edf", &plus("EDF+C", [0.0, 1.0, 2.0]));
    let whole = read(&path, &OpenOptions::default(), 33).unwrap();
    let description = whole.recording.description();
    assert_eq!(description.rate_hz, 100.0);
    let channels: Vec<(&str, &str, &str)> =
        description.channels.iter().map(|c| (c.label.as_str(), c.unit.as_str(), c.kind.as_str())).collect();
    assert_eq!(channels, [("Fz", "uV", "EEG"), ("Cz", "\u{b5}V", "EEG")]);
    assert_eq!(whole.recording.samples(), Some(300));
    assert_eq!(whole.stamps_s.len(), 300);
    for (sample, (row, stamp_s)) in whole.values.chunks_exact(2).zip(&whole.stamps_s).enumerate() {
        assert!((row[0] - sample as f64 * 0.1).abs() < 1e-9 && (row[1] + sample as f64 * 0.1).abs() < 1e-9);
        assert!((stamp_s - sample as f64 * 0.01).abs() < 1e-9);
    }
    let annotations = whole.recording.annotations();
    assert_eq!(annotations.len(), 1);
    assert_eq!((annotations[0].onset_s, annotations[0].duration_s), (1.5, 0.25));
    assert_eq!(annotations[0].text, "eyes closed");
    assert!(whole.recording.notes().iter().any(|n| n.contains("Temp rectal") && n.contains("10 Hz")));
}

#[test]
fn a_discontinuous_file_shows_its_pause_in_the_stamps() {
    let (_folder, path) = file("rec.edf", &plus("EDF+D", [0.5, 1.5, 60.25]));
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    assert!((whole.stamps_s[0] - 0.5).abs() < 1e-9);
    assert!((whole.stamps_s[199] - 2.49).abs() < 1e-9);
    assert!((whole.stamps_s[200] - 60.25).abs() < 1e-9);
    assert!(whole.recording.notes().iter().any(|note| note.contains("discontinuous")));
}

#[test]
fn a_continuous_file_keeps_time_by_its_rate() {
    let (_folder, path) = file("rec.edf", &plus("EDF+C", [0.5, 9.0, 99.0]));
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    assert!((whole.stamps_s[299] - 3.49).abs() < 1e-9);
}

#[test]
fn bdf_has_24_bits_and_a_status_channel() {
    let wide = |label: &str| Signal { digital: (-8_388_608, 8_388_607), ..Signal::eeg(label, 4) };
    let mut fz = wide("Fz");
    fz.physical = (-8_388_608.0, 8_388_607.0);
    let bytes = edf(3, "24BIT", (2, 2), 1.0, &[fz, wide("Status")], |r, s| match (r, s) {
        (0, 0) => [[0_u8, 0, 0], [1, 0, 0], [0xFF, 0xFF, 0xFF], [0, 0, 0x80]].concat(),
        (_, 0) => [[0xFF_u8, 0xFF, 0x7F]; 4].concat(),
        // The amplifier's own bits stand above the trigger.
        (0, _) => [[0_u8, 0, 0x10], [5, 0, 0x10], [5, 0, 0x10], [0, 0, 0x10]].concat(),
        _ => [[5_u8, 1, 0], [5, 1, 0], [0, 0, 0], [5, 0, 0]].concat(),
    });
    let (_folder, path) = file("rec.bdf", &bytes);
    let whole = read(&path, &OpenOptions::default(), 3).unwrap();
    assert_eq!(whole.recording.description().channels.len(), 1);
    let wanted = [0.0, 1.0, -1.0, -8_388_608.0, 8_388_607.0];
    whole.values.iter().zip(wanted).for_each(|(value, wanted)| assert!((value - wanted).abs() < 1e-6));
    let codes: Vec<(f64, &str)> =
        whole.recording.annotations().iter().map(|a| (a.onset_s, a.text.as_str())).collect();
    assert_eq!(codes, [(0.25, "Status=5"), (1.0, "Status=261"), (1.75, "Status=5")]);
}

#[test]
fn a_missing_tail_is_told_and_the_rest_read() {
    let mut bytes = plus("EDF+C", [0.0, 1.0, 2.0]);
    bytes.truncate(bytes.len() - 100);
    let (_folder, path) = file("rec.edf", &bytes);
    let whole = read(&path, &OpenOptions::default(), 64).unwrap();
    assert_eq!(whole.stamps_s.len(), 200);
    let notes = whole.recording.notes().join("; ");
    assert!(notes.contains("promises 3 data records") && notes.contains("holds 2"), "{notes}");
    bytes[236..244].copy_from_slice(b"-1      ");
    let (_folder, path) = file("rec.edf", &bytes);
    assert_eq!(read(&path, &OpenOptions::default(), 64).unwrap().stamps_s.len(), 200);
}

#[test]
fn every_refusal_says_where_and_what() {
    let whole = plus("EDF+D", [0.0, 1.0, 2.0]);
    let with = |at: usize, text: &str| {
        let mut bytes = whole.clone();
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        bytes
    };
    // Fields of four signals: labels from 256, physical minima from 256 + 4 * 104.
    let cases: [(Vec<u8>, &[&str]); 9] = [
        (whole[..700].to_vec(), &["inside its header"]),
        (with(0, "PK"), &["byte 0", "neither EDF"]),
        (with(184, "1000    "), &["byte 184", "1000 bytes", "1280"]),
        (with(244, "soon    "), &["byte 244", "\"soon\""]),
        (with(244, "0       "), &["byte 244", "lasts 0 s"]),
        (with(252, "0   "), &["byte 252", "0 signals"]),
        (with(252, "-3  "), &["byte 252", "-3 signals"]),
        (with(256 + 4 * 104, "5e9     "), &[]),
        (with(256 + 4 * 216, "99999999"), &["can be read"]),
    ];
    for (bytes, wanted) in cases {
        if wanted.is_empty() {
            // A scale that is odd but finite is the file's own business.
            let (_folder, path) = file("rec.edf", &bytes);
            assert!(read(&path, &OpenOptions::default(), 64).is_ok());
            continue;
        }
        let error = refusal("rec.edf", &bytes, &OpenOptions::default());
        assert!(error.contains("rec.edf"), "{error}");
        wanted.iter().for_each(|word| assert!(error.contains(word), "{word:?} is not in: {error}"));
    }
    let silent = plus("EDF+D", [0.0, 1.0, f64::NAN]);
    assert!(refusal("rec.edf", &silent, &OpenOptions::default()).contains("does not say when it begins"));
}

#[test]
fn the_good_records_before_a_bad_one_come_first() {
    let (_folder, path) = file("rec.edf", &plus("EDF+D", [0.0, 1.0, f64::NAN]));
    let mut recording =
        tras::acquisition::recording::Recording::open(&path, &OpenOptions::default()).unwrap();
    let (mut values, mut stamps_s) = (vec![0.0; 2000], vec![0.0; 1000]);
    assert_eq!(recording.read_block(&mut values, &mut stamps_s).unwrap(), 200);
    assert!(recording.read_block(&mut values, &mut stamps_s).is_err());
    assert!(recording.read_block(&mut values, &mut stamps_s).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damage_is_read_or_refused_never_more(
        cut in 0_usize..3000,
        flips in prop::collection::vec((0_usize..3000, any::<u8>()), 0..8),
        discontinuous in any::<bool>(),
    ) {
        let mut bytes = plus(if discontinuous { "EDF+D" } else { "EDF+C" }, [0.0, 1.0, 2.0]);
        for (at, byte) in flips {
            if let Some(slot) = bytes.get_mut(at) { *slot = byte; }
        }
        bytes.truncate(bytes.len().saturating_sub(cut));
        let length = bytes.len();
        for name in ["rec.edf", "rec.bdf"] {
            let (_folder, path) = file(name, &bytes);
            if let Ok(whole) = read(&path, &OpenOptions::default(), 50) {
                // A sample needs two bytes of the file.
                prop_assert!(whole.values.len() <= length / 2);
            }
        }
    }
}

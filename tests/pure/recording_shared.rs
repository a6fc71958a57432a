//! The real recordings that lie beside the project, where they do: the CSV and the EDF hold the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::recording::OpenOptions;
use tras_test_support::recordings::{read, shared};

#[test]
fn the_csv_and_the_edf_hold_the_same_recording() {
    let (Some(csv), Some(edf)) = (shared("eeg-eye-state.csv"), shared("eeg-eye-state.edf")) else {
        tras_test_support::skipped(
            "the_csv_and_the_edf_hold_the_same_recording",
            "no shared data (set TRAS_SHARED_DATA)",
        );
        return;
    };
    let csv = read(&csv, &OpenOptions::default(), 333).unwrap();
    let edf = read(&edf, &OpenOptions::default(), 1000).unwrap();
    let labels = |whole: &tras_test_support::recordings::Whole| -> Vec<String> {
        whole.recording.description().channels.iter().map(|c| c.label.clone()).collect()
    };
    let wanted = ["AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4"];
    assert_eq!(labels(&csv), wanted);
    assert_eq!(labels(&edf), wanted);
    assert!(edf.recording.description().channels.iter().all(|c| c.unit == "uV"));
    for whole in [&csv, &edf] {
        assert_eq!(whole.recording.description().rate_hz, 128.0);
        assert_eq!(whole.recording.samples(), Some(whole.stamps_s.len() as u64));
    }
    assert_eq!(csv.stamps_s.len(), 14_980);
    let common = csv.stamps_s.len().min(edf.stamps_s.len());
    assert!(common > 14_900, "{common}");
    let spoilt = [898, 10_386, 11_509, 13_179];
    for sample in 0..common {
        assert!((csv.stamps_s[sample] - edf.stamps_s[sample]).abs() < 1e-6);
        for channel in 0..14 {
            let (a, b) = (csv.values[sample * 14 + channel], edf.values[sample * 14 + channel]);
            // The EDF is clipped to 3,500..5,200 uV in steps of 0.026.
            let same = (a.clamp(3500.0, 5200.0) - b).abs() < 0.03;
            assert!(same || spoilt.contains(&sample), "sample {sample}, channel {channel}: {a} and {b}");
        }
    }
    let open = |whole: &tras_test_support::recordings::Whole, text: &str| -> Vec<f64> {
        let annotations = whole.recording.annotations().iter();
        annotations.filter(|a| a.text == text).map(|a| a.onset_s).collect()
    };
    let (closed_csv, closed_edf) = (open(&csv, "eyes_closed=1"), open(&edf, "eyes_closed"));
    assert!(!closed_csv.is_empty());
    assert_eq!(closed_csv.len(), closed_edf.len());
    let near = closed_csv.iter().zip(&closed_edf).all(|(a, b)| (a - b).abs() < 0.01);
    assert!(near, "{closed_csv:?} {closed_edf:?}");
}

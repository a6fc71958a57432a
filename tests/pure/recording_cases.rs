//! One small file for each kind that was once misread, with what is right about it: the project's own, and those beside
//! the project where they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use tras::acquisition::conditioner::Conditioner;
use tras::acquisition::recording::OpenOptions;
use tras::acquisition::settings::AcquisitionSettings;
use tras_test_support::recordings::{Whole, read, shared};

/// The project's own file of that name, and the one beside the project.
fn both(name: &str) -> Vec<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases").join(name);
    let all = [Some(own).filter(|path| path.is_file()), shared(&format!("cases/{name}"))];
    let found: Vec<PathBuf> = all.into_iter().flatten().collect();
    assert!(!found.is_empty(), "{name}");
    found
}

fn open(path: &Path, options: &OpenOptions) -> Whole {
    read(path, options, 100).unwrap_or_else(|error| panic!("{error}"))
}

fn labels(whole: &Whole) -> Vec<&str> {
    whole.recording.description().channels.iter().map(|c| c.label.as_str()).collect()
}

fn notes(whole: &Whole) -> String {
    whole.recording.notes().join("; ")
}

/// Gaps and lost samples as every later stage sees them.
fn gaps(whole: &Whole) -> (u64, u64) {
    let settings =
        AcquisitionSettings { settle_s: 0.0, exact_stamps: true, ..AcquisitionSettings::default() };
    let mut conditioner = Conditioner::new(whole.recording.description(), &settings).unwrap();
    conditioner.push(&whole.values, &whole.stamps_s, 0.0, f64::NAN, |_, _| {});
    (conditioner.counts().gaps, conditioner.counts().lost)
}

/// Standard output and error of `tras estimate`, and its exit code.
fn estimate(path: &Path, options: &[&str]) -> (String, String, Option<i32>) {
    let output =
        Command::new(tras_test_support::tras()).arg("estimate").arg(path).args(options).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn every_pause_of_an_edf_plus_d_is_a_gap() {
    for path in both("edfplusD_200ms_pauses.edf") {
        let whole = open(&path, &OpenOptions::default());
        let pauses = (whole.stamps_s.len() / 500 - 1) as u64;
        assert_eq!(gaps(&whole), (pauses, 50 * pauses));
        let (table, told, _) = estimate(&path, &[]);
        assert_eq!(table.lines().count(), 1, "{table}");
        assert!(told.contains(&format!("{pauses} gaps, {} samples missing", 50 * pauses)), "{told}");
        let (table, _, _) = estimate(&path, &["--window", "2"]);
        assert_eq!(table.lines().count() as u64, 1 + pauses + 1, "{table}");
    }
}

#[test]
fn every_loss_of_a_csv_is_a_gap() {
    for path in both("loss_10_every_500.csv") {
        let whole = open(&path, &OpenOptions::default());
        let losses = (whole.stamps_s.len() as u64 - 1) / 490;
        assert_eq!(gaps(&whole), (losses, 10 * losses));
        assert_eq!(estimate(&path, &[]).0.lines().count(), 1);
    }
}

#[test]
fn coarse_times_are_read_at_their_true_rate_and_it_is_said() {
    for path in both("time_two_decimals.csv") {
        for rate_hz in [None, Some(250.0)] {
            let whole = open(&path, &OpenOptions { rate_hz, ..OpenOptions::default() });
            assert_eq!(whole.recording.description().rate_hz, 250.0);
            assert_eq!(whole.recording.measured_rate_hz(), Some(250.0));
            assert_eq!(gaps(&whole), (0, 0));
            assert!(notes(&whole).contains("the rate is 250 Hz"), "{}", notes(&whole));
        }
    }
    if let (Some(coarse), Some(fine)) =
        (shared("cases/time_two_decimals.csv"), shared("cases/time_same_full.csv"))
    {
        let exponents = |path: &Path| -> Vec<String> {
            let table = estimate(path, &[]).0;
            table.lines().skip(1).map(|row| row.split(',').nth(2).unwrap().to_owned()).collect()
        };
        assert_eq!(exponents(&coarse), exponents(&fine));
    }
}

#[test]
fn a_rate_that_is_not_the_nominal_one_is_refused_until_stated() {
    for path in both("nominal_500_real_250.xdf") {
        let (_, told, code) = estimate(&path, &[]);
        assert!(code == Some(4) && told.contains("says 500 Hz") && told.contains("--rate 250"), "{told}");
        let (table, told, code) = estimate(&path, &["--rate", "250"]);
        assert_eq!(code, Some(0), "{told}");
        assert!(table.lines().nth(1).unwrap().starts_with("1003.996,Fz,"), "{table}");
    }
}

#[test]
fn a_millisecond_of_jitter_breaks_nothing() {
    for path in both("jitter_1ms.xdf") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(gaps(&whole), (0, 0));
        let windows = whole.stamps_s.len() / 1000;
        let (table, _, _) = estimate(&path, &[]);
        assert_eq!(table.lines().count(), 1 + windows, "{table}");
        let first: f64 = table.lines().nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        assert!((first - 1003.996).abs() < 0.001, "{first}");
    }
}

#[test]
fn the_eeg_decides_the_rate_and_what_is_left_out_is_named() {
    for path in both("psg_eeg_100hz_others_1hz.edf") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!((labels(&whole), whole.recording.description().rate_hz), (vec!["Fpz-Cz", "Pz-Oz"], 100.0));
        let told = notes(&whole);
        assert!(
            ["Resp oro-nasal (1 Hz)", "EMG submental", "Temp rectal"].iter().all(|n| told.contains(n)),
            "{told}"
        );
        let asked = OpenOptions { channels: Some(vec!["temp rectal".into()]), ..OpenOptions::default() };
        let whole = open(&path, &asked);
        assert!(labels(&whole).contains(&"Temp rectal") && whole.recording.description().rate_hz == 1.0);
        let mixed = OpenOptions {
            channels: Some(vec!["Fpz-Cz".into(), "Temp rectal".into()]),
            ..OpenOptions::default()
        };
        assert!(read(&path, &mixed, 10).unwrap_err().to_string().contains("several rates"));
    }
}

#[test]
fn one_bad_channel_costs_no_other() {
    for path in both("blank_channel.edf") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(labels(&whole), ["Fz"]);
        assert!(notes(&whole).contains("channel \"-\" was left out: it has no scale"), "{}", notes(&whole));
        let asked = OpenOptions { channels: Some(vec!["-".into()]), ..OpenOptions::default() };
        assert!(read(&path, &asked, 10).unwrap_err().to_string().contains("no scale"));
    }
    for path in both("duplicate_labels.edf") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(labels(&whole), ["T8-P8", "T8-P8-2"]);
        assert!(notes(&whole).contains("another T8-P8 is T8-P8-2"));
        let (table, _, _) = estimate(&path, &["--channels", "T8-P8-2"]);
        assert!(
            table.lines().skip(1).all(|row| row.contains(",T8-P8-2,")) && table.lines().count() > 1,
            "{table}"
        );
    }
}

#[test]
fn a_unit_that_is_not_known_is_refused_until_stated_and_a_marker_needs_none() {
    for path in both("unit_dot_V.edf") {
        let (_, told, code) = estimate(&path, &[]);
        assert!(code == Some(4) && told.contains("unit \".V\"") && told.contains("--unit uV"), "{told}");
        assert_eq!(estimate(&path, &["--unit", "uV"]).2, Some(0));
    }
    for path in both("event_marker_without_unit.edf") {
        let (table, told, code) = estimate(&path, &[]);
        assert!(code == Some(0) && told.contains("left out as no EEG: Event marker"), "{told}");
        assert!(table.lines().count() > 1 && !table.contains("Event"), "{table}");
    }
    for path in both("legacy_edf_annotations.edf") {
        let whole = open(&path, &OpenOptions::default());
        let found: Vec<(f64, &str)> =
            whole.recording.annotations().iter().map(|a| (a.onset_s, a.text.as_str())).collect();
        assert_eq!(found.len(), 10);
        assert_eq!((found[0], found[9]), ((0.0, "ev"), (9.0, "ev")));
    }
}

#[test]
fn any_rate_works_with_the_defaults_and_what_was_taken_is_said() {
    for path in both("rate_199_84.edf") {
        let (table, told, code) = estimate(&path, &[]);
        assert_eq!(code, Some(0), "{told}");
        assert!(table.lines().count() >= 3, "{table}");
        assert!(told.contains("a window of 800 samples (4.003 s), a hop of 800 samples"), "{told}");
        assert_eq!(estimate(&path, &["--hop", "0.1"]).2, Some(0));
    }
}

#[test]
fn csv_as_programs_write_it() {
    for path in both("text_column.csv") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(labels(&whole), ["Fz"]);
        let marks = whole.recording.annotations();
        assert_eq!(marks.len(), 1);
        assert!(marks[0].text == "marker=go" && (marks[0].onset_s - 2.4).abs() < 1e-9);
    }
    for path in both("last_row_cut.csv") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(whole.stamps_s.len(), 1249);
        assert!(notes(&whole).contains("line 1251, the last, is cut off"), "{}", notes(&whole));
    }
    for path in both("timestamps_header.csv") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!((labels(&whole), whole.recording.description().rate_hz), (vec!["Fz", "Cz"], 250.0));
        assert_eq!(whole.stamps_s[0], 1.6e9);
    }
    for path in both("milliseconds.csv") {
        for rate_hz in [None, Some(250.0)] {
            let whole = open(&path, &OpenOptions { rate_hz, ..OpenOptions::default() });
            assert_eq!(whole.recording.description().rate_hz, 250.0);
            assert!((whole.stamps_s[1249] - 4.996).abs() < 1e-9);
            assert!(notes(&whole).contains("milliseconds"));
        }
    }
    for path in both("openbci.txt") {
        let whole = open(&path, &OpenOptions::default());
        assert_eq!(labels(&whole), ["EXG Channel 0", "EXG Channel 1"]);
        assert_eq!((whole.recording.description().rate_hz, gaps(&whole)), (250.0, (0, 0)));
        assert!(notes(&whole).contains("Accel Channel 0"), "{}", notes(&whole));
    }
}

#[test]
fn of_two_streams_of_one_name_the_one_with_samples_is_read() {
    for path in both("same_name_one_empty.xdf") {
        for stream in [None, Some("amp".to_owned()), Some("2".to_owned())] {
            let whole = open(&path, &OpenOptions { stream, ..OpenOptions::default() });
            assert!(whole.stamps_s.len() >= 1000);
        }
        let empty = open(&path, &OpenOptions { stream: Some("1".into()), ..OpenOptions::default() });
        assert!(empty.stamps_s.is_empty());
    }
    for path in both("unescaped_ampersand.xdf") {
        let error = read(&path, &OpenOptions::default(), 10).unwrap_err().to_string();
        assert!(error.contains("the header of stream 1 at byte") && error.contains("character"), "{error}");
    }
}

#[test]
fn escape_sequences_of_a_file_do_not_reach_the_terminal() {
    let Some(path) = shared("../repro/esc.edf") else {
        tras_test_support::skipped(
            "escape_sequences_of_a_file_do_not_reach_the_terminal",
            "no shared data (set TRAS_SHARED_DATA)",
        );
        return;
    };
    for options in [&[][..], &["--channels", "Qz"]] {
        let (table, told, _) = estimate(&path, options);
        assert!(!table.contains('\u{1b}') && !told.contains('\u{1b}'), "{table}{told}");
    }
}

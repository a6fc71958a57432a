//! CSV recordings: what is read from them, and what is refused with which words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tras::acquisition::recording::{OpenOptions, Recording, RecordingSource};
use tras::acquisition::{Poll, Source};
use tras_test_support::recordings::{file, read, refusal};

fn rate(rate_hz: f64) -> OpenOptions {
    OpenOptions { rate_hz: Some(rate_hz), ..OpenOptions::default() }
}

#[test]
fn time_channels_and_states_are_told_apart() {
    let mut text = String::from("\u{FEFF}time,Fz,\"Cz\",eyes_closed\r\n");
    for row in 0..1500 {
        let (time, state) = (f64::from(row) * 0.004, u8::from(row >= 1200));
        text += &format!("{time:.7},{}.25,-1e-3,{state}\r\n", row);
    }
    let (_folder, path) = file("rec.csv", text.as_bytes());
    let whole = read(&path, &OpenOptions::default(), 77).unwrap();
    let description = whole.recording.description();
    assert_eq!(description.rate_hz, 250.0);
    let labels: Vec<&str> = description.channels.iter().map(|c| c.label.as_str()).collect();
    assert_eq!(labels, ["Fz", "Cz"]);
    assert!(description.channels.iter().all(|c| c.unit == "uV"));
    assert_eq!(whole.recording.samples(), Some(1500));
    assert_eq!(whole.values[..4], [0.25, -0.001, 1.25, -0.001]);
    assert_eq!(whole.stamps_s.len(), 1500);
    assert!((whole.stamps_s[1499] - 5.996).abs() < 1e-9);
    let states: Vec<(f64, f64, &str)> =
        whole.recording.annotations().iter().map(|a| (a.onset_s, a.duration_s, a.text.as_str())).collect();
    assert_eq!(states.len(), 2);
    assert!(matches!(states[0], (0.0, d, "eyes_closed=0") if (d - 4.8).abs() < 1e-6));
    assert!(matches!(states[1], (o, d, "eyes_closed=1") if (o - 4.8).abs() < 1e-6 && (d - 1.2).abs() < 1e-6));
}

#[test]
fn whole_numbers_everywhere_are_channels() {
    let (_folder, path) = file("rec.csv", b"Fz,Cz\n1,2\n3,4\n");
    let whole = read(&path, &rate(100.0), 10).unwrap();
    assert_eq!(whole.values, [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(whole.stamps_s, [0.0, 0.01]);
}

#[test]
fn a_column_that_stops_being_a_state_is_a_channel() {
    let mut text = String::from("Fz,Cz\n");
    (0..1200).for_each(|row| text += &format!("{row}.5,{}\n", if row < 1100 { "0" } else { "17.5" }));
    let (_folder, path) = file("rec.csv", text.as_bytes());
    let whole = read(&path, &rate(100.0), 64).unwrap();
    assert_eq!(whole.recording.description().channels.len(), 2);
    assert!(whole.recording.annotations().is_empty());
    assert_eq!(whole.values[2 * 1150 + 1], 17.5);
}

#[test]
fn missing_values_are_not_numbers_and_semicolons_separate() {
    let (_folder, path) = file("rec.csv", b"Fz;Cz\n1.5;\nnan;2.5\n\n");
    let whole = read(&path, &rate(100.0), 10).unwrap();
    assert!(whole.values[1].is_nan() && whole.values[2].is_nan());
    assert_eq!((whole.values[0], whole.values[3]), (1.5, 2.5));
}

#[test]
fn asked_for_channels_are_read_and_others_named() {
    let options = OpenOptions { channels: Some(vec!["Cz".into()]), unit: Some("mV".into()), ..rate(100.0) };
    let (_folder, path) = file("rec.csv", b"Fz,Cz,note\n1.5,2,x\n1.5,3,y\n");
    let whole = read(&path, &options, 10).unwrap();
    assert_eq!(whole.values, [2.0, 3.0]);
    assert_eq!(whole.recording.description().channels[0].unit, "mV");
    assert!(
        whole.recording.notes().iter().any(|note| note.contains("\"Fz\"")),
        "{:?}",
        whole.recording.notes()
    );
}

#[test]
fn a_source_ends_where_the_recording_breaks_and_says_why() {
    let (_folder, path) = file("rec.csv", b"Fz,Cz\n1.5,2.5\n3.5,4.5\n5.5,x\n");
    let mut source = RecordingSource::new(Recording::open(&path, &rate(100.0)).unwrap());
    let (mut values, mut stamps_s) = ([0.0; 8], [0.0; 4]);
    assert_eq!(source.poll(&mut [], &mut []), Poll::Empty);
    assert_eq!(source.poll(&mut values, &mut stamps_s), Poll::Samples(2));
    assert_eq!(values[..4], [1.5, 2.5, 3.5, 4.5]);
    assert_eq!(source.poll(&mut values, &mut stamps_s), Poll::End);
    assert_eq!(source.poll(&mut values, &mut stamps_s), Poll::End);
    assert!(source.failure().unwrap().to_string().contains("line 4"));
    let (_folder, path) = file("rec.csv", b"Fz,Cz\n1.5,2.5\n");
    let mut source = RecordingSource::new(Recording::open(&path, &rate(100.0)).unwrap());
    assert_eq!(source.poll(&mut values, &mut stamps_s), Poll::Samples(1));
    assert_eq!(source.poll(&mut values, &mut stamps_s), Poll::End);
    assert!(source.failure().is_none());
}

#[test]
fn every_refusal_says_where_and_what_to_do() {
    let cases: [(&str, OpenOptions, &[&str]); 11] = [
        ("", rate(250.0), &["line 1", "header"]),
        ("Fz,Cz\n", rate(250.0), &["no rows"]),
        ("1.0,2.0\n3.0,4.0\n", rate(250.0), &["line 1", "header of channel names"]),
        ("note,Fz\na,b\n", rate(250.0), &["line 1", "0 channels"]),
        ("Fz,Cz\n1.0,2.0\n3.0\n1.0,2.0\n", rate(250.0), &["line 3", "1 cells", "2"]),
        ("Fz,Cz\n1.5,2.0\n3.0,x7\n", rate(250.0), &["line 3", "\"Cz\"", "\"x7\""]),
        ("Fz,Cz\n1.5,2.0\n", OpenOptions::default(), &["line 1", "sampling rate"]),
        ("time,Fz\n0,1.5\n0.1,2.0\n", rate(250.0), &["250 Hz", "10 Hz", "its times"]),
        ("time,Fz\n0,1.5\nsoon,2.0\n", rate(250.0), &["line 3", "\"soon\""]),
        ("Fz,Cz\n1.5,2.0\n", rate(-1.0), &["-1 Hz", "above 0"]),
        (
            "Fz,Cz\n1.5,2.0\n",
            OpenOptions { channels: Some(vec!["Oz".into()]), ..rate(250.0) },
            &["\"Oz\"", "Fz, Cz"],
        ),
    ];
    for (text, options, wanted) in cases {
        let error = refusal("rec.csv", text.as_bytes(), &options);
        assert!(error.contains("rec.csv"), "{error}");
        wanted.iter().for_each(|word| assert!(error.contains(word), "{word:?} is not in: {error}"));
    }
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let mut text = b"Fz,Cz\n1.5,".to_vec();
    text.resize(40 << 20, b'1');
    assert!(refusal("rec.csv", &text, &rate(250.0)).contains("longer than"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_read_or_refused(text in "(time,)?[A-C](,[A-D]){0,3}\n([0-9.,;x\"\\-\n\r\t]|nan|inf){0,200}") {
        let (_folder, path) = file("rec.csv", text.as_bytes());
        for options in [OpenOptions::default(), rate(250.0)] {
            let _ = read(&path, &options, 7);
        }
    }

    #[test]
    fn values_survive_whatever_the_block(values in prop::collection::vec(-1e6..1e6_f64, 3..90), block in 1_usize..40) {
        let rows = values.len() / 3;
        let mut text = String::from("a,b,c\n");
        values.chunks_exact(3).for_each(|r| text += &format!("{:?},{:?},{:?}\n", r[0], r[1], r[2]));
        let (_folder, path) = file("rec.csv", text.as_bytes());
        let whole = read(&path, &rate(250.0), block).unwrap();
        prop_assert_eq!(&whole.values[..], &values[..rows * 3]);
    }
}

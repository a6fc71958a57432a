//! A session's file: what the recorder writes, after a clean close and on a full disk.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::Command;
use tras::acquisition::recording::OpenOptions;
use tras::acquisition::recording::xdf::survey;
use tras::recorder::{Recorder, check};
use tras_test_support::recordings::read;
use tras_test_support::sessions::{CURRENT_RATE_HZ, numbers, record, session, step};

/// Set for the process whose disk is full: the folder that it records in.
const CHILD: &str = "TRAS_TEST_RECORDER_FULL";

#[test]
fn a_session_comes_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = record(folder.path(), 400);
    let found = survey(&path).unwrap();
    let counts: Vec<(&str, u64, usize)> = found
        .streams
        .iter()
        .map(|s| (s.description.name.as_str(), s.samples, s.clock_offsets.len()))
        .collect();
    // 20 s: offsets at 100 s, every 5 s, and at the end.
    assert_eq!(
        counts,
        [
            ("amp", 5000, 5),
            ("raw_stamps", 5000, 5),
            ("frame_facts", 400, 5),
            ("estimates", 400, 5),
            ("current", 40_000, 5),
            ("events", 400, 5),
            ("markers", 400, 5),
            ("session_markers", 400, 5),
        ]
    );
    let (rows, stamps_s) = numbers(&path, &found, "raw_stamps");
    // Stamps on two clocks: sums of decimal fractions, not exact in binary.
    for (got, want) in rows[3..6].iter().zip([1.0, 1_000.004, 100.005]) {
        assert!((got - want).abs() < 1e-9, "{rows:?}");
    }
    assert_eq!(stamps_s[1], 100.004);
    let table = std::fs::read_to_string(folder.path().join("events.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 3 * 400);
    let line = "100.050000,,tras,,,\"{\"\"step\"\":1}\"";
    assert!(table.lines().any(|l| l == line), "{}", table.lines().nth(4).unwrap());
    let table = std::fs::read_to_string(folder.path().join("estimates.csv")).unwrap();
    assert_eq!(table.lines().count(), 401);
    let (values, _) = numbers(&path, &found, "amp");
    assert!(values.iter().enumerate().all(|(i, v)| *v == f64::from(i as f32)));
    let (facts, _) = numbers(&path, &found, "frame_facts");
    assert_eq!(facts[5..10], [12.0, 3.0, 1.0, f64::from(1_u32 << 31) + 1.0, 129.0]);
    let (estimates, stamps_s) = numbers(&path, &found, "estimates");
    assert_eq!(estimates[..4], [1.0, 1.0, 10.0, 1009.0]);
    assert!(estimates[4].is_nan());
    assert_eq!(estimates[9..16], [0.0, 6.0, 7.0, 1.0, 0.0, 5.0, 104.0]);
    assert_eq!(stamps_s[1], 100.05);
    let (current, stamps_s) = numbers(&path, &found, "current");
    assert!(current.iter().all(|ma| *ma == 0.25));
    assert!(stamps_s.iter().enumerate().all(|(i, s)| (s - 100.0 - i as f64 / CURRENT_RATE_HZ).abs() < 1e-9));
    let events = found.streams.iter().find(|s| s.description.name == "events").unwrap().id;
    let texts: Vec<&str> =
        found.annotations.iter().filter(|(id, _)| *id == events).map(|(_, a)| a.text.as_str()).collect();
    assert_eq!((texts.len(), texts[399]), (400, "{\"step\":399}"));
    // As a recording it is the EEG with markers and events.
    let whole =
        read(&path, &OpenOptions { stream: Some("amp".into()), ..OpenOptions::default() }, 100).unwrap();
    assert_eq!(whole.recording.annotations().len(), 1200);
    let eeg = read(&path, &OpenOptions::default(), 100).unwrap();
    assert_eq!(eeg.recording.description().name, "amp");
}

#[test]
fn the_same_calls_give_the_same_bytes_and_overwrite_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let paths = [record(folder.path(), 50), record(folder.path(), 50)];
    assert_ne!(paths[0], paths[1]);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
}

#[test]
fn a_recording_without_clock_offsets_or_footers_fails_its_check() {
    use tras::acquisition::recording::xdf::format::Format;
    use tras::recorder::xdf::{StreamInfo, Values, XdfWriter};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.xdf");
    let info = StreamInfo {
        name: "amp".into(),
        kind: "EEG".into(),
        rate_hz: 100.0,
        format: Format::Float32,
        channels: session().eeg.channels,
        source_id: String::new(),
        hostname: String::new(),
        desc: Vec::new(),
    };
    let mut writer = XdfWriter::new(Vec::new(), None).unwrap();
    let id = writer.add_stream(&info).unwrap();
    writer.samples(id, &[1.0], Values::Float32(&[0.0; 40])).unwrap();
    std::fs::write(&path, writer.output_mut()).unwrap();
    let error = check(&path).unwrap_err().to_string();
    assert!(error.contains("\"amp\" has no clock offsets") && error.contains("no footer"), "{error}");
    writer.clock_offset(id, 1.0, 0.0).unwrap();
    std::fs::write(&path, writer.close().unwrap()).unwrap();
    assert_eq!(check(&path).unwrap()[0].samples, 1);
}

/// In a process of its own that may write no file beyond 200 kB, as if the disk were full there.
#[test]
fn a_full_disk_is_reported_and_costs_nothing_that_was_recorded() {
    if std::env::var_os(CHILD).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "recorder_session::a_full_disk_is_reported_and_costs_nothing_that_was_recorded",
                "--nocapture",
            ])
            .env(CHILD, folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = folder.path().join("session.xdf");
        let found = survey(&path).unwrap();
        assert_eq!(found.damage, [""; 0]);
        assert!(found.streams[0].samples > 100, "{}", found.streams[0].samples);
        return;
    }
    let folder = std::env::var_os(CHILD).unwrap();
    let limit = libc::rlimit { rlim_cur: 200_000, rlim_max: 200_000 };
    // SAFETY: both calls take values only; this process was started for this test.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
    let mut recorder = Recorder::create(Path::new(&folder), "session", &session(), 100.0).unwrap();
    let refused = (0..400).find_map(|number| {
        let now_s = step(&mut recorder, number);
        recorder.maintain(now_s).err()
    });
    let refused = refused.unwrap().to_string();
    assert!(refused.contains("session.xdf") && refused.contains("cannot write"), "{refused}");
}

//! Recordings over real LSL: values, stamps, markers and pace as the file has them, read by pylsl.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use tras::acquisition::recording::OpenOptions;
use tras::simulation::SimulationError;
use tras::simulation::playback::{PlaybackSettings, play};
use tras::simulation::recorded::Recorded;
use tras_test_support::lsl::{peer, said, session};
use tras_test_support::python;
use tras_test_support::recordings::{Signal, edf, file, int16};

/// A CSV of two channels at 128 Hz, and a state that changes every second.
fn csv(folder: &Path, samples: usize) -> std::path::PathBuf {
    let mut text = String::from("time,Fz,Oz,eyes_closed\n");
    for k in 0..samples {
        let (time, state) = (100.0 + k as f64 / 128.0, k / 128 % 2);
        writeln!(text, "{time:.7},{:.3},{:.3},{state}", k as f64 + 0.125, -(k as f64) - 0.25).unwrap();
    }
    let path = folder.join("made.csv");
    std::fs::write(&path, text).unwrap();
    path
}

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

#[test]
fn a_recording_keeps_its_pace_and_markers() {
    session();
    let Some(python) = python("a_recording_keeps_its_pace_and_markers") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recorded::open(&csv(folder.path(), 128 * 12), OpenOptions::default()).unwrap();
    let settings =
        PlaybackSettings { name: "rep-pace".into(), channels: vec!["Oz".into()], ..Default::default() };
    let child = peer(&python, "read_pylsl.py", &["rep-pace", "rep-pace-markers"]);
    let played = play(&mut recording, &settings, &AtomicBool::new(false), |_| ()).unwrap();
    let said = said(child);
    assert_eq!((played.samples, played.cut_pauses), (128 * 12, 0));
    assert!((said["rate"].as_f64().unwrap() - 128.0).abs() < 0.01);
    assert_eq!(said["channels"][0][0].as_str(), Some("Oz"));
    let (stamps, received) = (numbers(&said["stamps"]), numbers(&said["received"]));
    assert!(stamps.len() > 256, "{}", stamps.len());
    // The last sample of both is the same; from there back nothing is missing or altered.
    for (back, (row, stamp)) in said["values"].as_array().unwrap().iter().zip(&stamps).rev().enumerate() {
        let k = (128 * 12 - 1 - back) as f64;
        assert_eq!(row[0].as_f64(), Some(-k - 0.25));
        assert!((stamp - stamps[stamps.len() - 1] + back as f64 / 128.0).abs() < 2e-7, "sample {k}");
    }
    // Drift of the arrival against the stamps: medians of the first and last quarter.
    let lag = |range: std::ops::Range<usize>| {
        let mut lags: Vec<f64> = range.map(|i| received[i] - stamps[i]).collect();
        lags.sort_by(f64::total_cmp);
        lags[lags.len() / 2]
    };
    let (n, quarter) = (stamps.len(), stamps.len() / 4);
    let drift_ms = 1e3 * (lag(n - quarter..n) - lag(0..quarter));
    println!(
        "drift of the medians {drift_ms:.3} ms over {:.1} s; late by {:.0} us on average, {:.1} ms at worst",
        stamps[n - 1] - stamps[0],
        1e6 * played.lateness.mean_s(),
        1e3 * played.lateness.worst_s
    );
    // A sleep of 1 / rate after each sample would have been 0.1 ms x 1500 = 150 ms behind.
    assert!(drift_ms.abs() < 20.0, "{drift_ms} ms");
    let labels: Vec<&str> = said["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert!(labels.len() >= 3 && labels.iter().all(|l| l.starts_with("eyes_closed=")), "{labels:?}");
    for (label, stamp) in labels.iter().zip(numbers(&said["label_stamps"])) {
        let second = (stamp - stamps[n - 1] + (128.0 * 12.0 - 1.0) / 128.0).round();
        assert_eq!(*label, format!("eyes_closed={}", second as i64 % 2), "at {second} s");
    }
}

#[test]
fn fast_is_fast_and_the_same_every_time() {
    session();
    let Some(python) = python("fast_is_fast_and_the_same_every_time") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path(), 128 * 60);
    let run = || {
        let mut recording = Recorded::open(&path, OpenOptions::default()).unwrap();
        let settings = PlaybackSettings { name: "rep-fast".into(), fast: true, ..Default::default() };
        let child = peer(&python, "read_pylsl.py", &["rep-fast"]);
        let begin = std::time::Instant::now();
        let played = play(&mut recording, &settings, &AtomicBool::new(false), |_| ()).unwrap();
        assert!(begin.elapsed().as_secs_f64() < 40.0, "a minute of recording took {:?}", begin.elapsed());
        assert_eq!(played.samples, 128 * 60);
        drop(recording);
        let said = said(child);
        (numbers(&said["stamps"]), said["values"].clone())
    };
    let (first, second) = (run(), run());
    assert_eq!(first.0.len(), 128 * 60);
    assert!((first.0[0] - 1.0).abs() < 1e-9 && (first.0[1280] - 11.0).abs() < 1e-6);
    assert!(first == second, "two runs differ");
}

/// 600 samples are no multiple of what goes out together; one annotation lies at the last of them and one behind it.
#[test]
fn fast_loses_neither_the_last_samples_nor_the_markers_behind_them() {
    session();
    let Some(python) = python("fast_loses_neither_the_last_samples_nor_the_markers_behind_them") else {
        return;
    };
    let signals = [Signal::eeg("Fz", 100), Signal::annotations(60, 2)];
    let bytes = edf(2, "EDF+C", (6, 6), 1.0, &signals, |record, signal| match (signal, record) {
        (0, _) => int16((0..100).map(|k| (100 * record + k) as i16)),
        (_, 5) => b"+5\x14\x14\0+5.99\x14at the last\x14\0+6.5\x14behind it\x14\0".to_vec(),
        _ => format!("+{record}\x14\x14\0").into_bytes(),
    });
    let (_folder, path) = file("tail.edf", &bytes);
    let mut recording = Recorded::open(&path, OpenOptions::default()).unwrap();
    let settings = PlaybackSettings { name: "rep-tail".into(), fast: true, ..Default::default() };
    let child = peer(&python, "read_pylsl.py", &["rep-tail", "rep-tail-markers"]);
    let played = play(&mut recording, &settings, &AtomicBool::new(false), |_| ()).unwrap();
    drop(recording);
    let said = said(child);
    assert_eq!((played.samples, played.marks), (600, 2));
    let (stamps, values) = (numbers(&said["stamps"]), said["values"].as_array().unwrap());
    assert_eq!(stamps.len(), 600, "samples that arrived");
    for (k, row) in values.iter().enumerate() {
        // 0.1 uV a step.
        assert!((row[0].as_f64().unwrap() - 0.1 * k as f64).abs() < 0.06, "sample {k}: {row}");
    }
    let labels: Vec<&str> = said["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    assert_eq!(labels, ["at the last", "behind it"]);
    let at_s: Vec<f64> = numbers(&said["label_stamps"]).iter().map(|s| s - stamps[0]).collect();
    assert!((at_s[0] - 5.99).abs() < 1e-6 && (at_s[1] - 6.5).abs() < 1e-6, "{at_s:?}");
}

#[test]
fn mistakes_are_named() {
    session();
    let folder = tempfile::tempdir().unwrap();
    let path = csv(folder.path(), 256);
    let refuse = |settings: PlaybackSettings| {
        let mut recording = Recorded::open(&path, OpenOptions::default()).unwrap();
        play(&mut recording, &settings, &AtomicBool::new(false), |_| ()).unwrap_err()
    };
    let error = refuse(PlaybackSettings { channels: vec!["Xz".into()], ..Default::default() });
    assert!(
        matches!(&error, SimulationError::Arguments(what) if what.contains("`Xz`") && what.contains("Fz, Oz"))
    );
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            refuse(PlaybackSettings { speed, ..Default::default() }),
            SimulationError::Arguments(_)
        ));
    }
    let alone = PlaybackSettings { name: "rep-alone".into(), fast: true, wait_s: 0.3, ..Default::default() };
    assert!(matches!(refuse(alone), SimulationError::NotFound(_)));
    assert!(
        Recorded::open(&folder.path().join("none.edf"), OpenOptions::default())
            .unwrap_err()
            .contains("none.edf")
    );
}

#[test]
fn a_loop_goes_on_without_a_gap_and_a_stop_ends_it() {
    session();
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recorded::open(&csv(folder.path(), 128), OpenOptions::default()).unwrap();
    let settings = PlaybackSettings {
        name: "rep-loop".into(),
        looped: true,
        speed: 8.0,
        seconds: Some(5.5),
        ..Default::default()
    };
    let begin = std::time::Instant::now();
    let played = play(&mut recording, &settings, &AtomicBool::new(false), |_| ()).unwrap();
    assert_eq!(played.samples, 704, "5.5 rounds of 128");
    assert!((0.6..5.0).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
    let stopped = play(&mut recording, &settings, &AtomicBool::new(true), |_| ()).unwrap();
    assert_eq!(stopped.samples, 0);
}

//! What we read of a recording against what pyedflib, mne and pyxdf read of it: every value of every channel, over the
//! project's own files and those beside the project, where there is a Python with these peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tras::acquisition::recording::OpenOptions;
use tras_test_support::recordings::{Whole, read};
use tras_test_support::{python, root, skipped};

/// Every EDF, BDF and XDF file of both folders of cases, and the person's recording beside the project.
fn files() -> Vec<PathBuf> {
    let shared =
        std::env::var_os("TRAS_SHARED_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let folders = [root().join("tests/data/cases"), shared.join("cases"), shared];
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let known = |path: &PathBuf| {
        path.extension()
            .is_some_and(|e| ["edf", "bdf", "xdf"].iter().any(|known| e.eq_ignore_ascii_case(known)))
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(known).collect();
    files.sort();
    files
}

/// A label as every program has it: mne and we number those that are alike, each its own way.
fn plain(label: &str) -> &str {
    match label.rsplit_once('-') {
        Some((before, number)) if before.contains('-') && number.chars().all(|c| c.is_ascii_digit()) => {
            before
        }
        _ => label,
    }
}

/// How many of our channels a peer has too, with the same values; panics where one differs.
fn compare(path: &std::path::Path, ours: &Whole, said: &Value) -> usize {
    let reader = said["reader"].as_str().unwrap();
    let channels = &ours.recording.description().channels;
    let mut compared = 0;
    for (index, channel) in channels.iter().enumerate() {
        let before = channels[..index].iter().filter(|c| plain(&c.label) == plain(&channel.label)).count();
        let theirs = said["signals"].as_array().unwrap().iter();
        let Some(signal) =
            theirs.filter(|s| plain(s["label"].as_str().unwrap()) == plain(&channel.label)).nth(before)
        else {
            continue;
        };
        let factor = match (reader, channel.unit.as_str()) {
            ("mne", "uV" | "µV" | "microvolts") => 1.0,
            ("mne", "mV" | "millivolts") => 1e3,
            ("mne", "V" | "volts") => 1e6,
            // It takes a unit that it does not know for volts.
            ("mne", _) => continue,
            _ => 1.0,
        };
        let values = signal["values"].as_array().unwrap();
        // mne brings all signals to the highest rate.
        if values.len() != ours.stamps_s.len() {
            assert_eq!(reader, "mne", "{}: {} has {} samples", path.display(), channel.label, values.len());
            continue;
        }
        for (sample, theirs) in values.iter().enumerate() {
            let (a, b) = (factor * ours.values[sample * channels.len() + index], theirs.as_f64().unwrap());
            let same = (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
            assert!(same, "{}: {} sample {sample} is {a}, by {reader} {b}", path.display(), channel.label);
        }
        compared += 1;
    }
    compared
}

#[test]
fn every_value_is_what_pyedflib_mne_and_pyxdf_read() {
    let name = "every_value_is_what_pyedflib_mne_and_pyxdf_read";
    let Some(python) = python(name) else { return };
    let files = files();
    assert!(files.len() >= 10, "{files:?}");
    let script = root().join("tests/peers/read_recording.py");
    let output = Command::new(python).arg(script).args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (mut compared, mut readers) = (Vec::new(), std::collections::BTreeSet::new());
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let said: Value = serde_json::from_str(line).unwrap();
        let path = PathBuf::from(said["file"].as_str().unwrap());
        let reader = said["reader"].as_str().unwrap().to_owned();
        if let Some(why) = said["skipped"].as_str() {
            // A reader that is not installed is named once; a file that it refuses is one that we refuse too, or read
            // better, which other tests say.
            if why.contains("ModuleNotFoundError") && readers.insert(format!("no {reader}")) {
                skipped(&format!("{name} by {reader}"), why);
            }
            continue;
        }
        // What is refused is refused with a reason, and has tests of its own.
        let Ok(ours) = read(&path, &OpenOptions::default(), 512) else { continue };
        let count = compare(&path, &ours, &said);
        if count > 0 {
            compared.push(format!("{} by {reader}", path.file_name().unwrap().to_string_lossy()));
        }
    }
    println!("{} files compared: {compared:?}", compared.len());
    for must in ["duplicate_labels.edf by mne", "blank_channel.edf by mne", "jitter_1ms.xdf by pyxdf"] {
        let (file, reader) = must.split_once(" by ").unwrap();
        let there = readers.contains(&format!("no {reader}")) || compared.iter().any(|have| have == must);
        assert!(there, "{file} was not compared with {reader}: {compared:?}");
    }
}

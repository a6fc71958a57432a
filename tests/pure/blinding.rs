//! Two sessions that differ in their conditions alone leave an operator the same, to the byte: lines, tables, sizes, the
//! log. `make blinding-test` and `make blinding-live` look for what is only statistically different.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tras_test_support::lab::Lab;

use crate::protocols::{RUN, STUDY, folder, protocol, says};

/// A session whose three blocks have these conditions. The simulated participant does not respond to current, as the
/// program must not tell what a participant's own EEG tells.
fn session(method: &str, order: [&str; 3]) -> (Lab, PathBuf, String) {
    let lab = Lab::new();
    let text = protocol(&STUDY).replace("\"specparam\"", &format!("\"{method}\""));
    lab.write("p.toml", &format!("{text}[simulation]\nresponse_gain = 0\n"));
    let rows: String = (1..).zip(order).map(|(block, name)| format!("P01,2,{block},{name}\n")).collect();
    lab.write("list.csv", &format!("participant,session,block,condition\n{rows}"));
    says(
        &lab,
        0,
        "allocate --study wm --list list.csv --blocks 3 --conditions steep,flat,sham --new-emergency-key emergency.key \
         --out wm.allocation.json",
    );
    let said = says(&lab, 0, RUN);
    let folder = folder(&lab);
    (lab, folder, said)
}

/// What is new in every run is not looked at: hashes, signatures, dates and the name of the folder.
fn without_names(text: &str, folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let is_hash = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.replace(name, "FOLDER")
        .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| {
            let core = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_hash(core) { word.replace(core, "HASH") } else { word.to_owned() }
        })
        .collect()
}

/// What is as long as its random padding: the sealed boxes, which were there before the session.
const PADDED: &str = "allocation.json";

/// The entries of the log: what kind, when by the run's clock, and what they say.
fn log(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let entries = text.lines().map(|line| {
        let mut entry: Value = serde_json::from_str(line).unwrap();
        if let Some(files) = entry["data"]["files"].as_array_mut() {
            files.retain(|file| file["path"] != PADDED);
        }
        format!("{} {} {}", entry["kind"], entry["run_s"], entry["data"])
    });
    entries.map(|entry| without_names(&entry, folder)).collect()
}

/// A table's rows without their wall clock, which is not the virtual one.
fn rows(folder: &Path, table: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(table)).unwrap();
    let without = |line: &str| {
        let mut cells: Vec<&str> = line.splitn(3, ',').collect();
        cells.remove(1);
        cells.join(",")
    };
    text.lines().map(without).collect()
}

/// Every file below the folder, with its size.
fn sizes(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                let size = if name == PADDED { 0 } else { path.metadata().unwrap().len() };
                found.push((name, size));
            }
        }
    }
    found.sort();
    found
}

/// Line by line, so that a difference is seen at once.
fn same<T: PartialEq + std::fmt::Debug>(first: &[T], other: &[T]) {
    for (one, two) in first.iter().zip(other) {
        assert_eq!(one, two);
    }
    assert_eq!(first.len(), other.len());
}

/// Runs both, and compares all that an operator has.
fn compare(method: &str) {
    let (_a, first, said) = session(method, ["steep", "flat", "sham"]);
    let (_b, other, said_other) = session(method, ["sham", "steep", "flat"]);
    assert_eq!(without_names(&said, &first), without_names(&said_other, &other));
    for table in ["events.csv", "estimates.csv"] {
        same(&rows(&first, table), &rows(&other, table));
    }
    same(&log(&first), &log(&other));
    same(&sizes(&first), &sizes(&other));
}

#[test]
fn an_operator_has_the_same_to_the_byte_whatever_the_conditions_were() {
    compare("specparam");
}

#[test]
fn so_it_is_with_a_method_that_remembers() {
    compare("whittle");
}

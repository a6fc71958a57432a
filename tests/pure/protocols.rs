//! Protocols of short sessions, for tests that run them in virtual time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tras_test_support::lab::Lab;

/// The three conditions of the study.
pub(crate) const STUDY: [(&str, &str); 3] = [
    ("steep", "profile = \"steep\", exponent = 2.0"),
    ("flat", "profile = \"flat\", exponent = 0.5"),
    ("sham", "profile = \"sham\", exponent = 2.0"),
];

/// What the program says, both streams, where it ends with `code`.
pub(crate) fn says(lab: &Lab, code: i32, arguments: &str) -> String {
    let output = lab.tras(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {text}");
    text
}

/// Three blocks of a minute, one of each condition, with a rest of 40 s behind each.
pub(crate) fn protocol(conditions: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "[estimator]\nmethod = \"specparam\"\nrange_hz = [2, 35]\nwindow_s = 4\nhop_s = 0.5\n\
         [stimulation]\nenabled = true\npeak_ma = 0.5\nexponent = 2.0\nelectrode_area_cm2 = 35\n\
         [limits]\npeak_ma = 0.5\n[stimulator]\nkind = \"simulated\"\n\
         [controller]\nexponent_min = 0.5\nexponent_max = 2.5\n\
         [record]\nparticipant = \"P01\"\n\
         [protocol]\nstudy = \"wm\"\nsession = \"2\"\nallocation = \"wm.allocation.json\"\nconditions = [\n",
    );
    for (name, rest) in conditions {
        let _ = writeln!(text, "  {{ name = \"{name}\", peak_ma = 0.5, {rest} }},");
    }
    text.push_str(
        "]\nphases = [\n  { kind = \"impedance\" },\n  { kind = \"rest_eyes_open\", duration_s = 30 },\n\
           { repeat = 3, phases = [\n    { kind = \"task\", duration_s = 60, lead_s = 5, condition = \"allocated\" },\n\
             { kind = \"rest_eyes_open\", duration_s = 40 },\n  ] },\n  { kind = \"end\" },\n]\n",
    );
    text
}

/// Writes a protocol and makes its allocation.
pub(crate) fn prepare(lab: &Lab, text: &str, conditions: &[(&str, &str)]) {
    lab.write("p.toml", text);
    let names: Vec<&str> = conditions.iter().map(|(name, _)| *name).collect();
    let names = names.join(",");
    let allocate = format!(
        "allocate --study wm --participants 1 --session 2 --blocks 3 --conditions {names} \
         --new-emergency-key emergency.key --out wm.allocation.json"
    );
    says(lab, 0, &allocate);
}

/// The command of a virtual session by what [`prepare`] has made.
pub(crate) const RUN: &str =
    "run -c p.toml --participant P01 --session 2 --virtual --headless --seed 7 --record recordings";

/// The one folder of all sessions of a lab.
pub(crate) fn folder(lab: &Lab) -> PathBuf {
    let folders = std::fs::read_dir(lab.folder().join("recordings")).unwrap();
    folders.map(|folder| folder.unwrap().path()).next().unwrap()
}

/// Runs a session with its own allocation. Gives the folder.
pub(crate) fn session(lab: &Lab, conditions: &[(&str, &str)]) -> PathBuf {
    prepare(lab, &protocol(conditions), conditions);
    says(lab, 0, RUN);
    folder(lab)
}

/// Unblinds blocks of a session.
pub(crate) fn unblind(lab: &Lab, folder: &Path, blocks: std::ops::RangeInclusive<u32>) {
    for block in blocks {
        says(lab, 0, &format!("unblind {} --block {block} --reason test", folder.display()));
    }
}

/// Entries of a kind in the audit log of a session.
pub(crate) fn entries(folder: &Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|entry| entry["kind"] == kind).collect()
}

/// Recomputes a session: estimates, decisions, and the whole line.
pub(crate) fn recomputed(lab: &Lab, folder: &Path) -> (u64, u64, String) {
    let told = says(lab, 0, &format!("verify {} --recompute", folder.display()));
    let line = told.lines().find(|line| line.starts_with("recomputed")).unwrap().to_owned();
    let count = |word: usize| line.split_whitespace().nth(word).unwrap().parse().unwrap();
    (count(1), count(4), line)
}

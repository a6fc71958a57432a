//! What is kept of a session, by the program itself: allocated, sealed, unblinded, verified.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use tempfile::TempDir;
use tras::acquisition::frame::FrameHeader;
use tras::acquisition::{Channel, StreamDescription};
use tras::recorder::{Recorder, SealedRecording, SessionStreams};
use tras::session::allocation::Allocation;
use tras::session::audit::{AuditLog, new_session};
use tras::session::folder;
use tras::session::keys::Keys;
use tras::session::moment::Moment;
use tras::session::private;
use tras::session::sealed::SealedFile;

struct Lab {
    dir: TempDir,
}

impl Lab {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tras(&self, arguments: &[&str]) -> Output {
        Command::new(tras_test_support::tras())
            .args(arguments)
            .current_dir(self.dir.path())
            .env("TRAS_KEYS", self.path("keys"))
            .output()
            .unwrap()
    }

    fn says(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.tras(arguments);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    /// The folder of a closed session of P01 with two sealed blocks.
    fn session(&self, allocation: &Path) -> PathBuf {
        let folder = self.path("sub-P01_ses-2");
        private::create_folder(&folder.join(folder::SEALED)).unwrap();
        std::fs::copy(allocation, folder.join(folder::ALLOCATION)).unwrap();
        let allocation = Allocation::load(allocation).unwrap();
        let keys = Keys::within(self.path("keys"));
        let name = new_session();
        let at = |run_s: f64| Moment { unix_s: 1.7e9 + run_s, run_s };
        let mut log = AuditLog::create(&folder, &name, json!({"seed": 1}), at(0.0)).unwrap();
        let data = json!({"commitment": allocation.commitment, "participant": "P01", "session": "2"});
        log.append(at(0.1), "allocation", data).unwrap();
        for block in [1, 2] {
            let path = folder.join(folder::sealed(block));
            let to = allocation.recipients().unwrap();
            let mut sealed = SealedFile::create(&path, &name, block, 4_096, &to).unwrap();
            write!(sealed, "what was sealed of block {block}").unwrap();
            log.append(at(1.0), "chunk", sealed.seal().unwrap().entry()).unwrap();
        }
        log.close(&keys, json!({"why": "plan done"}), at(2.0)).unwrap();
        folder
    }
}

fn allocate(lab: &Lab) -> PathBuf {
    let text =
        lab.says(0, &["allocate", "--study", "wm", "--participants", "24", "--new-emergency-key", "e.key"]);
    assert!(text.contains("commitment") && text.contains("24, 288 blocks, permuted blocks of 3"), "{text}");
    lab.path("wm.allocation.json")
}

#[test]
fn an_allocation_is_balanced_and_tells_nothing() {
    let lab = Lab::new();
    let path = allocate(&lab);
    let text = std::fs::read_to_string(&path).unwrap();
    // The names of the conditions stand there once, in the list of all of them.
    assert_eq!(text.matches("steep").count(), 1);
    let allocation = Allocation::load(&path).unwrap();
    let key = Keys::within(lab.path("keys")).instrument().unwrap();
    for participant in ["P01", "P24"] {
        let mut order: Vec<String> =
            (1..=12).map(|n| allocation.open(participant, "2", n, &key).unwrap().condition).collect();
        for run in order.chunks_mut(3) {
            run.sort();
            assert_eq!(run, ["flat", "sham", "steep"]);
        }
    }
    let again =
        lab.says(2, &["allocate", "--study", "wm", "--participants", "2", "--new-emergency-key", "f.key"]);
    assert!(again.contains("is there already"), "{again}");
    for (arguments, what) in [
        (&["--participants", "2"][..], "somebody else"),
        (&["--participants", "2", "--emergency", "age1x"], "no public key"),
        (&["--participants", "2", "--new-emergency-key", "e.key"], "e.key"),
        (&["--participants", "2", "--blocks", "10", "--new-emergency-key", "g.key"], "cannot be balanced"),
    ] {
        let told = lab.says(2, &[&["allocate", "--study", "other"], arguments].concat());
        assert!(told.contains(what), "{told}");
    }
}

#[test]
fn a_session_verifies_is_unblinded_with_a_reason_and_shows_what_was_done_to_it() {
    let lab = Lab::new();
    let folder = lab.session(&allocate(&lab));
    let name = folder.to_str().unwrap();
    assert!(lab.says(0, &["verify", name]).contains("all holds"));
    assert!(lab.says(2, &["unblind", name, "--block", "1", "--reason", " "]).contains("--reason"));
    let told = lab.says(0, &["unblind", name, "--block", "1", "--reason", "rash", "--identity", "e.key"]);
    assert!(told.contains("block 1:") && told.contains("block-01.xdf"), "{told}");
    let opened = std::fs::read_to_string(folder.join(folder::unblinded_recording(1))).unwrap();
    assert_eq!(opened, "what was sealed of block 1");
    assert!(!folder.join(folder::unblinded_recording(2)).exists());
    assert!(lab.says(0, &["verify", name]).contains("1 blocks unblinded"));
    assert!(lab.says(2, &["unblind", name, "--participant", "P02", "--reason", "r"]).contains("P01"));
    assert!(lab.says(3, &["verify", "nowhere"]).contains("no such folder"));
    let log = folder.join("audit.jsonl");
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::write(&log, text.replace("rash", "fine")).unwrap();
    let told = lab.says(5, &["verify", name]);
    assert!(told.contains("audit.jsonl entry 6") && told.contains("edited"), "{told}");
    assert!(lab.says(5, &["unblind", name, "--block", "2", "--reason", "r"]).contains("entry 6"));
}

#[test]
fn blinding_counts_guesses_of_unblinded_blocks_alone() {
    use tras::session::questionnaires::{Filled, Sheet, append};
    let lab = Lab::new();
    let folder = lab.session(&allocate(&lab));
    let name = folder.to_str().unwrap();
    assert!(lab.says(2, &["blinding", name]).contains("nobody was asked"));
    for block in [1, 2] {
        let sheet = Sheet::Guess { guess: Some("sham".into()), confidence: Some(7) };
        append(&folder, &Filled { at: String::new(), run_s: 1.0, block: Some(block), sheet }).unwrap();
    }
    assert!(lab.says(2, &["blinding", name]).contains("not unblinded"));
    for block in ["1", "2"] {
        lab.says(0, &["unblind", name, "--block", block, "--reason", "study is over"]);
    }
    let told = lab.says(0, &["blinding", name]);
    assert!(told.contains("2 guesses of 1 participants") && told.contains("Bang's index"), "{told}");
    let told: serde_json::Value = serde_json::from_str(&lab.says(0, &["blinding", "--json", name])).unwrap();
    assert_eq!(told["guesses"], 2);
}

#[test]
fn the_standard_tool_opens_what_is_sealed() {
    if Command::new("age").arg("--version").output().is_err() {
        tras_test_support::skipped("the_standard_tool_opens_what_is_sealed", "no age");
        return;
    }
    let lab = Lab::new();
    let path = allocate(&lab);
    let text: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let sealed = tras::session::hash::from_hex(text["blocks"][0]["sealed"].as_str().unwrap()).unwrap();
    std::fs::write(lab.path("box.age"), sealed).unwrap();
    let output = Command::new("age")
        .args(["-d", "-i", "e.key", "box.age"])
        .current_dir(lab.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let open: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((open["participant"].as_str(), open["block"].as_u64()), (Some("P01"), Some(1)));
}

/// A session of the simulated participant with current, in virtual time; its folder.
fn virtual_session(lab: &Lab, seconds: &str) -> PathBuf {
    lab.says(0, &["demo", "--virtual", "--seconds", seconds, "--record", "recordings", "--seed", "7"]);
    lab.path("recordings/demo-001")
}

#[test]
fn every_recorded_run_has_a_log_that_holds_here_and_elsewhere() {
    let lab = Lab::new();
    let told = lab.says(
        0,
        &["demo", "--virtual", "--seconds", "20", "--record", "recordings", "--seed", "7", "--json"],
    );
    let arguments = told.lines().find_map(|line| line.strip_prefix("audit log")).unwrap();
    let name = lab.path("recordings/demo-001");
    let name = name.to_str().unwrap();
    let found = lab.says(0, &["verify", name]);
    // Recording, configuration, two tables, the summary.
    assert!(found.contains("5 files have their hash in the log\n"), "{found}");
    let elsewhere = |arguments: &str| {
        Command::new(env!("CARGO_BIN_EXE_tras"))
            .args(["verify", name])
            .args(arguments.split_whitespace())
            .env("TRAS_KEYS", lab.path("other-keys"))
            .output()
            .unwrap()
    };
    assert_eq!(elsewhere(arguments).status.code(), Some(0));
    let unknown = elsewhere("");
    assert_eq!(unknown.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("does not know"), "{unknown:?}");
    let summary = Path::new(name).join("summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    std::fs::write(&summary, text.replace("\"gaps\": 0", "\"gaps\": 1")).unwrap();
    assert!(lab.says(5, &["verify", name]).contains("summary.json was changed"));
}

#[test]
fn a_session_becomes_a_tree_that_others_read() {
    let lab = Lab::new();
    let folder = virtual_session(&lab, "60");
    let name = folder.to_str().unwrap();
    let sheet =
        tras::session::questionnaires::Sheet::Guess { guess: Some("sham".into()), confidence: Some(7) };
    let filled =
        tras::session::questionnaires::Filled { at: "2026-11-25".into(), run_s: 1.0, block: Some(1), sheet };
    tras::session::questionnaires::append(&folder, &filled).unwrap();
    assert!(lab.says(0, &["export-bids", name, "--out", "tree"]).contains("sub-demo_task-tras_eeg.vhdr"));
    let tree = lab.path("tree");
    let read = |path: &str| std::fs::read_to_string(tree.join(path)).unwrap();
    let events = read("sub-demo/eeg/sub-demo_task-tras_events.tsv");
    for kind in ["phase/block", "current/stimulating", "flow"] {
        assert!(events.contains(kind), "{events}");
    }
    assert!(read("sub-demo/beh/sub-demo_task-tras_beh.tsv").contains("\tsham\t7\t"));
    let bursts = read("sourcedata/sub-demo/nibs/sub-demo_task-tras_nibs.tsv");
    assert_eq!(bursts.lines().count(), 2, "{bursts}");
    assert!(read("sourcedata/sub-demo/nibs/sub-demo_task-tras_decisions.tsv").lines().count() > 10);
    assert!(tree.join("sourcedata/sub-demo/demo-001/session.xdf").is_file());
    assert!(lab.says(2, &["export-bids", name, "--out", "tree"]).contains("is there already"));
    assert!(lab.says(3, &["export-bids", "nowhere", "--out", "tree"]).contains("no such folder"));
    assert!(lab.says(0, &["export-bids", name, name, "--out", "two"]).contains("_run-02_"));

    let Some(python) = std::env::var_os("TRAS_RECORDS_PYTHON").filter(|python| !python.is_empty()) else {
        tras_test_support::skipped(
            "the peers of a_session_becomes_a_tree_that_others_read",
            "make records-peers",
        );
        return;
    };
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/read_bids.py"))
        .args([&tree, &folder.join("session.xdf")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["validator"], 0, "{told}");
    assert_eq!(
        (&told["stored_equals_session"], &told["mne_equals_session"]),
        (&json!(true), &json!(true)),
        "{told}"
    );
    println!("validator 0, MNE and pyxdf equal to the bit over {} samples", told["samples"]);
}

const RATE: u64 = 250;

/// Four channels, current, and a beginning.
fn streams() -> SessionStreams {
    let channel =
        |label: &str| Channel { label: label.into(), unit: "microvolts".into(), kind: "EEG".into() };
    SessionStreams {
        eeg: StreamDescription {
            name: "amp".into(),
            kind: "EEG".into(),
            source_id: String::new(),
            hostname: String::new(),
            rate_hz: RATE as f64,
            channels: ["Fz", "Cz", "Pz", "Oz"].map(channel).to_vec(),
        },
        targets: vec!["all".into()],
        method: "specparam".into(),
        current_rate_hz: Some(2_000.0),
        eeg_clock_offset_s: 0.0,
        began: Some(Moment { unix_s: 1_795_622_221.25, run_s: 100.0 }),
        about: vec![("participant".into(), "P01".into()), ("session".into(), "2".into())],
    }
}

/// A second of frames from `second` on.
fn frames(second: u64) -> (Vec<FrameHeader>, Vec<f32>) {
    let header = |index: u64| FrameHeader {
        index,
        stamp_s: 100.0 + index as f64 / RATE as f64,
        raw_stamp_s: index as f64,
        arrived_s: 100.1 + index as f64 / RATE as f64,
        ..FrameHeader::default()
    };
    let headers: Vec<FrameHeader> = (second * RATE..(second + 1) * RATE).map(header).collect();
    let values = headers.iter().flat_map(|h| (0..4).map(move |c| h.index as f32 + c as f32 * 0.25)).collect();
    (headers, values)
}

/// A session of 30 s whose seconds 10..20 are a sealed block, made by the pieces that a run uses.
fn sealed_session(lab: &Lab) -> PathBuf {
    let path = allocate(lab);
    let allocation = Allocation::load(&path).unwrap();
    let folder = lab.path("sub-P01_ses-2");
    private::create_folder(&folder).unwrap();
    std::fs::copy(&path, folder.join(folder::ALLOCATION)).unwrap();
    let keys = Keys::within(lab.path("keys"));
    let name = new_session();
    let at = |run_s: f64| Moment { unix_s: 1_795_622_121.25 + run_s, run_s };
    let mut log = AuditLog::create(&folder, &name, json!({}), at(100.0)).unwrap();
    let data = json!({"commitment": allocation.commitment, "participant": "P01", "session": "2"});
    log.append(at(100.0), "allocation", data).unwrap();
    let mut open = Recorder::create(&folder, "session", &streams(), 100.0).unwrap();
    let mut sealed: Option<SealedRecording> = None;
    for second in 0..30 {
        let now_s = 100.0 + second as f64;
        let (headers, values) = frames(second);
        let stamps_s: Vec<f64> = headers.iter().map(|h| h.stamp_s).collect();
        if second == 10 {
            let to = allocation.recipients().unwrap();
            sealed = Some(SealedRecording::begin(&folder, &name, 1, &streams(), &to, now_s).unwrap());
            open.own_marker(now_s, "block/1/start").unwrap();
        }
        if second == 20 {
            for chunk in sealed.take().unwrap().end(now_s).unwrap().0 {
                log.append(at(now_s), "chunk", chunk.entry()).unwrap();
            }
            open.own_marker(now_s, "block/1/end").unwrap();
        }
        match &mut sealed {
            Some(sealed) => {
                sealed.recorder().eeg(&stamps_s, &values).unwrap();
                sealed.recorder().raw_stamps(&headers).unwrap();
                sealed.recorder().current(now_s, 2_000.0, &[0.1; 2_000]).unwrap();
                for chunk in sealed.tick(now_s).unwrap() {
                    log.append(at(now_s), "chunk", chunk.entry()).unwrap();
                }
            }
            None => {
                open.eeg(&stamps_s, &values).unwrap();
                open.raw_stamps(&headers).unwrap();
            }
        }
        open.maintain(now_s).unwrap();
    }
    open.close(130.0).unwrap();
    log.close(&keys, json!({"why": "plan done"}), at(130.0)).unwrap();
    folder
}

#[test]
fn a_sealed_block_is_a_gap_until_it_is_unblinded_and_then_none() {
    let lab = Lab::new();
    let folder = sealed_session(&lab);
    let name = folder.to_str().unwrap();
    assert!(lab.says(0, &["verify", name]).contains("12 chunks of 1 streams"));
    assert!(lab.says(0, &["export-bids", name, "--out", "blind"]).contains("(5000 samples, 1 gaps)"));
    lab.says(0, &["unblind", name, "--block", "1", "--reason", "study is over"]);
    assert!(lab.says(0, &["verify", name]).contains("all holds"));
    assert!(lab.says(0, &["export-bids", name, "--out", "open"]).contains("(7500 samples)"));
    let stem = "sub-P01/ses-2/eeg/sub-P01_ses-2_task-tras_";
    let bytes = std::fs::read(lab.path("open").join(format!("{stem}eeg.eeg"))).unwrap();
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let expected: Vec<f32> = (0..30).flat_map(|second| frames(second).1).collect();
    assert!(values == expected);
    let sidecar =
        |tree: &str| std::fs::read_to_string(lab.path(tree).join(format!("{stem}eeg.json"))).unwrap();
    assert!(sidecar("blind").contains("\"discontinuous\"") && sidecar("open").contains("\"continuous\""));
    let marks = std::fs::read_to_string(lab.path("blind").join(format!("{stem}eeg.vmrk"))).unwrap();
    assert!(marks.contains("Mk1=New Segment,,1,1,0,20261125155701250000"), "{marks}");
    assert!(
        marks.contains("=New Segment,,2501,1,0") && marks.contains("=Comment,block/1/end,2501,1,0"),
        "{marks}"
    );
    // The copy in the tree is the session itself.
    let copy = lab.path("open/sourcedata/sub-P01/ses-2/sub-P01_ses-2");
    assert!(lab.says(0, &["verify", copy.to_str().unwrap()]).contains("all holds"));

    let Some(python) = std::env::var_os("TRAS_RECORDS_PYTHON").filter(|python| !python.is_empty()) else {
        tras_test_support::skipped(
            "MNELAB in a_sealed_block_is_a_gap_until_it_is_unblinded_and_then_none",
            "make records-peers",
        );
        return;
    };
    let output = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/read_mnelab.py"))
        .arg(folder.join("session.xdf"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["measured"], "2026-11-25 15:57:01.250000+00:00", "{told}");
    assert!(told["markers"].to_string().contains("block/1/start"), "{told}");
}

/// Begins and closes an audit log of a folder as it is.
fn log_it(lab: &Lab, folder: &Path) {
    let at = Moment { unix_s: 1.7e9, run_s: 0.0 };
    let log = AuditLog::create(folder, &new_session(), json!({}), at).unwrap();
    log.close(&Keys::within(lab.path("keys")), json!({}), at).unwrap();
}

#[test]
fn every_estimate_and_decision_is_recomputed_from_the_samples() {
    let lab = Lab::new();
    let folder = virtual_session(&lab, "90");
    let told = lab.says(0, &["verify", folder.to_str().unwrap(), "--recompute"]);
    println!("{told}");
    let line = told.lines().find(|line| line.starts_with("recomputed")).unwrap();
    let count = |word: usize| line.split_whitespace().nth(word).unwrap().parse::<u32>().unwrap();
    assert!(line.contains("bit for bit") && count(1) > 100 && count(4) > 50, "{line}");

    // One sample by its last bit: found, with the estimate that it changes.
    let path = folder.join("session.xdf");
    let mut bytes = std::fs::read(&path).unwrap();
    let found = tras::acquisition::recording::xdf::survey(&path).unwrap();
    let (values, _) = tras_test_support::sessions::numbers(&path, &found, &found.streams[0].description.name);
    let sample = (values[8 * 2_000] as f32).to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == sample).collect();
    assert_eq!(places.len(), 1, "the sample stands there once");
    bytes[places[0] + 1] ^= 0x40;
    std::fs::write(&path, bytes).unwrap();
    // Behind a log that was written anew, so that nothing but the samples tells.
    std::fs::remove_file(folder.join("audit.jsonl")).unwrap();
    log_it(&lab, &folder);
    let told = lab.says(5, &["verify", folder.to_str().unwrap(), "--recompute"]);
    assert!(told.contains("estimate") && told.contains("from the samples it is"), "{told}");
}

/// Rows of a table by its header's names.
fn table(text: &str) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows = reader
        .records()
        .map(|row| header.iter().map(str::to_owned).zip(row.unwrap().iter().map(str::to_owned)).collect());
    rows.collect()
}

#[test]
fn windows_under_current_are_told_and_settings_are_those_of_the_recording() {
    let lab = Lab::new();
    let folder = virtual_session(&lab, "90");
    let path = folder.join("session.xdf");
    let path = path.to_str().unwrap();
    let text = lab.says(0, &["estimate", path, "--out", "plain.csv"]);
    assert!(!text.contains("error"), "{text}");
    let plain = std::fs::read_to_string(lab.path("plain.csv")).unwrap();
    assert!(plain.lines().next().unwrap().ends_with(",floor_uv,pivot_offset,contamination"), "{plain}");
    let rows = table(&plain);
    let of = |what: &str| rows.iter().filter(|row| row["contamination"] == what).collect::<Vec<_>>();
    assert!(of("stimulating").len() > 50 && of("clean").len() > 30, "{plain}");
    assert!(of("stimulating").iter().all(|row| row["valid"] == "false" && row["reason"] == "under current"));
    assert!(of("clean").iter().any(|row| row["valid"] == "true"));

    // The recording's own settings: the very windows of the run, to the digits of the table.
    lab.says(0, &["estimate", path, "--as-recorded", "--out", "again.csv"]);
    let again = table(&std::fs::read_to_string(lab.path("again.csv")).unwrap());
    let live = table(&std::fs::read_to_string(folder.join("estimates.csv")).unwrap());
    let mut compared = 0;
    for row in again.iter().filter(|row| row["valid"] == "true") {
        let last_s: f64 = row["time"].parse().unwrap();
        let same = live.iter().find(|live| {
            let sample: f64 = live["last_sample"].parse().unwrap();
            live["target"] == row["channel"] && (1_000.0 + sample / 250.0 - last_s).abs() < 0.001
        });
        let Some(live) = same.filter(|live| live["valid"] == "true") else { continue };
        let (a, b): (f64, f64) = (row["exponent"].parse().unwrap(), live["exponent"].parse().unwrap());
        assert!((a - b).abs() < 1e-6, "{row:?} {live:?}");
        assert_eq!(row["contamination"], live["contamination"]);
        compared += 1;
    }
    assert!(compared > 20, "{compared} windows compared of {} and {}", again.len(), live.len());

    // The configuration beside it says the same.
    let config = folder.join("config.toml");
    lab.says(0, &["estimate", path, "-c", config.to_str().unwrap(), "--out", "config.csv"]);
    let by_config = std::fs::read_to_string(lab.path("config.csv")).unwrap();
    assert_eq!(by_config, std::fs::read_to_string(lab.path("again.csv")).unwrap());
}

#[test]
fn epochs_are_cut_at_markers_and_have_their_fields() {
    let lab = Lab::new();
    let folder = virtual_session(&lab, "90");
    let path = folder.join("session.xdf");
    let path = path.to_str().unwrap();
    let arguments =
        ["estimate", path, "--epochs", "phase:+0.5..+2.5, phase:-1.5..0,nothing:0..2", "--channels", "Fz,Cz"];
    let text = lab.says(0, &[&arguments[..], &["--out", "epochs.csv"]].concat());
    assert!(text.contains("no marker nothing"), "{text}");
    let rows = table(&std::fs::read_to_string(lab.path("epochs.csv")).unwrap());
    let after: Vec<_> = rows.iter().filter(|row| row["epoch"] == "phase:+0.5..+2.5").collect();
    let blocks: Vec<_> =
        after.iter().filter(|row| row["phase"] == "block" && row["channel"] == "Fz").collect();
    assert_eq!(blocks.len(), 2, "{rows:?}");
    assert_eq!((blocks[0]["block"].as_str(), blocks[0]["contamination"].as_str()), ("1", "stimulating"));
    let ends: f64 = blocks[0]["time"].parse().unwrap();
    let marker: f64 = blocks[0]["marker_time"].parse().unwrap();
    assert!((ends - marker - 2.5).abs() < 0.009, "{ends} {marker}");
    let before: Vec<_> =
        rows.iter().filter(|row| row["epoch"] == "phase:-1.5..0" && row["phase"] == "block").collect();
    assert!(before.iter().all(|row| row["contamination"] == "clean" || row["block"] == "2"), "{before:?}");
    for wrong in ["phase", "phase:2..1"] {
        lab.says(2, &["estimate", path, "--epochs", wrong]);
    }
}

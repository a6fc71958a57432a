//! What is kept of a session, by the program itself: allocated, sealed, unblinded, verified.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use tempfile::TempDir;
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
        Command::new(env!("CARGO_BIN_EXE_tras"))
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
        eprintln!("skipped: the_standard_tool_opens_what_is_sealed (no age)");
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

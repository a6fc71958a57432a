#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::Write;
use std::path::PathBuf;

use age::x25519::Identity;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::session::allocation::Order;
use crate::session::audit::{AuditLog, new_session};
use crate::session::keys::Keys;
use crate::session::moment::Moment;
use crate::session::sealed::SealedFile;
use crate::session::unblinding::unblind;

const CONDITIONS: [&str; 3] = ["sham", "steep", "flat"];

struct Study {
    dir: TempDir,
    keys: Keys,
    emergency: Identity,
}

fn at(run_s: f64) -> Moment {
    Moment { unix_s: 1.7e9 + run_s, run_s }
}

/// A session of three blocks, closed where `closed`, with a sealed stream of two chunks each.
fn study(closed: bool) -> Study {
    let dir = tempfile::tempdir().unwrap();
    let study = Study { keys: Keys::within(dir.path().join("keys")), dir, emergency: Identity::generate() };
    let folder = study.folder();
    private::create_folder(&folder.join(folder::SEALED)).unwrap();
    let to = [study.keys.instrument().unwrap().to_public(), study.emergency.to_public()];
    let order = Order {
        participant: "P01".into(),
        session: "2".into(),
        conditions: CONDITIONS.iter().map(|&c| c.to_owned()).collect(),
    };
    let allocation = Allocation::seal("wm", "list", String::new(), &[order], &to).unwrap();
    allocation.save(&folder.join(folder::ALLOCATION)).unwrap();
    std::fs::write(folder.join(folder::CONFIGURATION), "a = 1\n").unwrap();
    let session = new_session();
    let mut log = AuditLog::create(&folder, &session, json!({}), at(0.0)).unwrap();
    let data = json!({"commitment": allocation.commitment, "participant": "P01", "session": "2"});
    log.append(at(0.1), "allocation", data).unwrap();
    for block in 1..=3 {
        let path = folder.join(folder::sealed(block));
        let mut sealed = SealedFile::create(&path, &session, block, 5_000, &to).unwrap();
        for _ in 0..2 {
            sealed.write_all(format!("block {block} ").as_bytes()).unwrap();
            log.append(at(1.0), "chunk", sealed.seal().unwrap().entry()).unwrap();
        }
    }
    log.sign(&study.keys, at(2.0)).unwrap();
    if closed {
        log.close(&study.keys, json!({"why": "plan done"}), at(3.0)).unwrap();
    }
    study
}

use crate::session::private;

impl Study {
    fn folder(&self) -> PathBuf {
        self.dir.path().join("sub-P01_ses-2")
    }

    fn verify(&self) -> Result<Findings, Broken> {
        verify(&self.folder(), &Trust::of(&self.keys).unwrap())
    }

    fn broken(&self) -> String {
        self.verify().unwrap_err().to_string()
    }
}

#[test]
fn a_session_that_nobody_touched_holds() {
    let study = study(true);
    let found = study.verify().unwrap();
    let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["chain", "signature", "sealed", "files", "commitments", "clock", "complete"]);
    assert!(found.iter().any(|(_, what)| what.contains("6 chunks of 3 streams")), "{found:?}");
}

#[test]
fn one_block_is_unblinded_with_its_reason_and_no_other() {
    let study = study(true);
    let opened =
        unblind(&study.folder(), 2, "skin reaction", &study.emergency, &study.keys, at(9.0)).unwrap();
    assert_eq!(opened.condition, "steep");
    assert_eq!(std::fs::read(&opened.recordings[0]).unwrap(), b"block 2 block 2 ");
    assert_eq!(opened.recordings.len(), 1);
    assert!(!study.folder().join(folder::unblinded(1)).exists());
    let found = study.verify().unwrap();
    assert!(found.iter().any(|(_, what)| what.contains("1 blocks unblinded")), "{found:?}");
    let chain = chain(&study.folder()).unwrap();
    assert_eq!(chain.last("unblinded").unwrap().text("reason"), Some("skin reaction"));
}

#[test]
fn an_unblinding_without_reason_key_or_block_is_none() {
    let study = study(true);
    let (folder, keys) = (study.folder(), &study.keys);
    let log = std::fs::read(folder.join("audit.jsonl")).unwrap();
    assert!(unblind(&folder, 1, "  ", &study.emergency, keys, at(9.0)).is_err());
    assert!(unblind(&folder, 1, "r", &Identity::generate(), keys, at(9.0)).is_err());
    assert!(unblind(&folder, 4, "r", &study.emergency, keys, at(9.0)).is_err());
    assert_eq!(std::fs::read(folder.join("audit.jsonl")).unwrap(), log);
}

#[test]
fn a_condition_that_was_changed_or_opened_behind_the_log_is_told() {
    let study = study(true);
    unblind(&study.folder(), 2, "r", &study.emergency, &study.keys, at(9.0)).unwrap();
    let path = study.folder().join(folder::unblinded(2));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("steep", "flat")).unwrap();
    assert!(study.broken().contains("committed"), "{}", study.broken());
    std::fs::write(&path, &text).unwrap();
    std::fs::write(study.folder().join(folder::unblinded(3)), text).unwrap();
    assert!(study.broken().contains("block 3 was unblinded"), "{}", study.broken());
}

#[test]
fn chunks_that_were_cut_changed_or_put_in_are_told() {
    let study = study(true);
    let path = study.folder().join(folder::sealed(2));
    let bytes = std::fs::read(&path).unwrap();
    let record = (bytes.len() - 4_096) / 2;
    for (changed, what) in [
        (bytes[..bytes.len() - record].to_vec(), "chunk 1 of block-02.sealed is missing"),
        ([&bytes[..], &bytes[4_096..4_096 + record]].concat(), "chunk 2 is not in the log"),
        ([&bytes[..], &[0; 7]].concat(), "torn chunk"),
    ] {
        std::fs::write(&path, changed).unwrap();
        assert!(study.broken().contains(what), "{}", study.broken());
    }
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&path, changed).unwrap();
    assert!(study.broken().contains("chunk 1 of block-02.sealed was changed"), "{}", study.broken());
    std::fs::write(&path, bytes).unwrap();
    std::fs::copy(&path, study.folder().join("sealed/block-09.sealed")).unwrap();
    assert!(study.broken().contains("block-09.sealed: is not in the log"), "{}", study.broken());
    std::fs::remove_file(&path).unwrap();
    assert!(study.broken().contains("block-02.sealed"), "{}", study.broken());
}

#[test]
fn files_and_allocations_that_were_changed_are_told() {
    let study = study(true);
    let path = study.folder().join(folder::CONFIGURATION);
    std::fs::write(&path, "a = 2\n").unwrap();
    assert!(study.broken().contains("config.toml was changed"), "{}", study.broken());
    std::fs::write(&path, "a = 1\n").unwrap();
    std::fs::write(study.folder().join("my-notes.txt"), "mine").unwrap();
    let found = study.verify().unwrap();
    assert!(found.iter().any(|(_, what)| what.contains("added since: my-notes.txt")), "{found:?}");
}

#[test]
fn another_allocation_is_told_even_before_the_close() {
    let study = study(false);
    let other = self::study(false);
    std::fs::copy(other.folder().join(folder::ALLOCATION), study.folder().join(folder::ALLOCATION)).unwrap();
    assert!(study.broken().contains("its commitment is"), "{}", study.broken());
}

#[test]
fn a_session_that_was_killed_holds_once_it_is_resumed_and_closed() {
    let study = study(false);
    assert!(study.broken().contains("never closed"), "{}", study.broken());
    // A chunk that was sealed but not entered when the process died.
    let folder = study.folder();
    let before = chain(&folder).unwrap();
    let to = [study.emergency.to_public()];
    let mut late =
        SealedFile::create(&folder.join(folder::sealed(4)), &before.session, 4, 5_000, &to).unwrap();
    late.seal().unwrap();
    assert!(study.broken().contains("not in the log"), "{}", study.broken());
    let mut log = AuditLog::resume(&folder, "resumed", json!({}), at(50.0)).unwrap();
    for chunk in chunks_to_enter(&folder, &before).unwrap() {
        log.append(at(50.0), "chunk", chunk.entry()).unwrap();
    }
    log.close(&study.keys, json!({}), at(51.0)).unwrap();
    study.verify().unwrap();
}

#[test]
fn a_folder_without_a_log_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let broken = verify(dir.path(), &Trust::default()).unwrap_err().to_string();
    assert!(broken.contains("no session's folder"), "{broken}");
}

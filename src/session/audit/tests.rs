#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::trust::Trust;
use super::*;
use proptest::prelude::*;
use tempfile::TempDir;

struct Session {
    dir: TempDir,
    keys: Keys,
}

impl Session {
    fn folder(&self) -> PathBuf {
        self.dir.path().join("session")
    }

    fn log(&self) -> PathBuf {
        self.folder().join(LOG)
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.log()).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, lines: &[String]) {
        std::fs::write(self.log(), lines.join("\n") + "\n").unwrap();
    }

    /// All checks of the log itself.
    fn check(&self) -> Result<(), Broken> {
        let chain = check::chain(&self.folder())?;
        Trust::of(&self.keys).unwrap().check(&self.folder(), &chain)?;
        Trust::complete(&self.folder(), &chain)
    }

    fn broken(&self) -> (Option<u64>, String) {
        let broken = self.check().unwrap_err();
        (broken.entry, broken.to_string())
    }
}

fn at(run_s: f64) -> Moment {
    Moment { unix_s: 1.7e9 + run_s, run_s }
}

/// A closed session of ten entries, the eighth signed.
fn session_with(keys: Option<Keys>) -> Session {
    let dir = tempfile::tempdir().unwrap();
    let keys = keys.unwrap_or_else(|| Keys::within(dir.path().join("keys")));
    let session = Session { keys, dir };
    std::fs::create_dir(session.folder()).unwrap();
    std::fs::write(session.folder().join("config.toml"), "a = 1\n").unwrap();
    let mut log = AuditLog::create(&session.folder(), &new_session(), json!({"seed": 1}), at(0.0)).unwrap();
    for n in 1..=7 {
        log.append(at(f64::from(n)), "phase", json!({"name": "\",\"hash\":\"", "n": n})).unwrap();
    }
    log.sign(&session.keys, at(7.5)).unwrap();
    log.append(at(8.0), "phase", json!({"name": "end"})).unwrap();
    log.close(&session.keys, json!({"why": "plan done"}), at(9.0)).unwrap();
    session
}

fn session() -> Session {
    session_with(None)
}

#[test]
fn a_log_that_nobody_touched_holds() {
    let session = session();
    session.check().unwrap();
    let chain = check::chain(&session.folder()).unwrap();
    assert_eq!((chain.entries.len(), chain.head.n), (10, 9));
    let closed = chain.last("closed").unwrap();
    assert_eq!(closed.data["files"][0]["path"], "config.toml");
}

#[test]
fn an_edited_entry_is_named() {
    let session = session();
    let mut lines = session.lines();
    lines[3] = lines[3].replace("\"n\":3,\"name\"", "\"n\":4,\"name\"");
    session.write(&lines);
    assert_eq!(session.broken().0, Some(3));
    assert!(session.broken().1.contains("edited"));
}

#[test]
fn an_edited_entry_with_a_hash_that_fits_breaks_the_next() {
    let session = session();
    let mut lines = session.lines();
    let hashed = lines[3].rsplit_once(HASH_KEY).unwrap().0.replace("\"run_s\":3.0", "\"run_s\":3.5");
    lines[3] = format!("{hashed}{HASH_KEY}{}\"}}", Hash::of(hashed.as_bytes()));
    session.write(&lines);
    assert_eq!(session.broken().0, Some(4));
    assert!(session.broken().1.contains("does not follow"));
}

#[test]
fn entries_taken_out_put_in_or_swapped_are_named() {
    let session = session();
    let lines = session.lines();
    let mut less = lines.clone();
    less.remove(5);
    session.write(&less);
    assert_eq!(session.broken().0, Some(5));
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    session.write(&swapped);
    assert_eq!(session.broken().0, Some(2));
    let mut twice = lines.clone();
    twice.insert(4, lines[3].clone());
    session.write(&twice);
    assert_eq!(session.broken().0, Some(4));
    session.write(&lines[1..]);
    assert_eq!(session.broken().0, Some(0));
}

#[test]
fn a_cut_log_is_told_by_the_heads_outside() {
    let session = session();
    let lines = session.lines();
    session.write(&lines[..9]);
    assert_eq!(session.broken().0, Some(9));
    assert!(session.broken().1.contains("cut"), "{}", session.broken().1);
    // Also where an older signature was kept to go with it.
    let older = std::fs::read_to_string(session.keys.heads()).unwrap().lines().next().unwrap().to_owned();
    std::fs::write(session.folder().join(SIGNATURE), older).unwrap();
    session.write(&lines[..8]);
    assert_eq!(session.broken().0, Some(8));
    // In the middle of a line.
    let text = std::fs::read_to_string(session.log()).unwrap();
    std::fs::write(session.log(), &text[..text.len() - 40]).unwrap();
    assert!(session.check().is_err());
}

#[test]
fn a_log_written_anew_as_a_whole_is_told() {
    let (real, keys_elsewhere) = (session(), session());
    // By someone with a key of their own, under the same session's name.
    let chain = check::chain(&real.folder()).unwrap();
    let rewrite = |keys: &Keys, name: &str| {
        std::fs::remove_file(real.log()).unwrap();
        let mut log = AuditLog::create(&real.folder(), name, json!({"seed": 2}), at(0.0)).unwrap();
        for n in 1..=9 {
            log.append(at(f64::from(n)), "phase", json!({"n": n})).unwrap();
        }
        log.sign(keys, at(9.0)).unwrap();
    };
    rewrite(&keys_elsewhere.keys, &chain.session);
    assert_eq!(real.broken().0, Some(7));
    // Under a new name: no head is known, the key is not ours.
    rewrite(&keys_elsewhere.keys, "another");
    assert!(real.broken().1.contains("does not know"), "{}", real.broken().1);
    // With our key, but the list of heads without it.
    let heads = std::fs::read_to_string(real.keys.heads()).unwrap();
    rewrite(&real.keys, "yet another");
    std::fs::write(real.keys.heads(), heads).unwrap();
    assert!(real.broken().1.contains("written anew"), "{}", real.broken().1);
}

#[test]
fn a_log_from_another_folder_is_told() {
    let one = session();
    let other = session_with(Some(one.keys.clone()));
    std::fs::copy(other.log(), one.log()).unwrap();
    assert!(one.broken().1.contains("another folder"), "{}", one.broken().1);
}

#[test]
fn elsewhere_a_given_key_and_a_printed_head_serve() {
    let session = session();
    let chain = check::chain(&session.folder()).unwrap();
    let mut trust = Trust::default();
    assert!(trust.check(&session.folder(), &chain).is_err());
    trust.keys.push(head::public(&session.keys.signing().unwrap()));
    trust.printed = Some((chain.head.n, chain.head.hash));
    trust.check(&session.folder(), &chain).unwrap();
    trust.printed = Some((4, chain.head.hash));
    assert_eq!(trust.check(&session.folder(), &chain).unwrap_err().entry, Some(4));
    trust.printed = Some((40, chain.head.hash));
    assert_eq!(trust.check(&session.folder(), &chain).unwrap_err().entry, Some(10));
}

#[test]
fn a_torn_line_is_told_of_and_never_taken_away() {
    let session = session();
    let text = std::fs::read_to_string(session.log()).unwrap();
    let torn = format!("{text}{{\"at\":\"2026");
    std::fs::write(session.log(), &torn).unwrap();
    assert_eq!(session.broken().0, Some(10));
    let mut log = AuditLog::resume(&session.folder(), "resumed", json!({}), at(20.0)).unwrap();
    log.append(at(21.0), "phase", json!({})).unwrap();
    log.sign(&session.keys, at(22.0)).unwrap();
    session.check().unwrap();
    assert!(std::fs::read_to_string(session.log()).unwrap().starts_with(&torn));
    // Another line in its place, or one more, does not pass.
    let mut lines = session.lines();
    lines[10] = "{\"at\":\"2027".to_owned();
    session.write(&lines);
    assert_eq!(session.broken().0, Some(10));
}

#[test]
fn nothing_is_added_to_a_log_that_does_not_hold() {
    let session = session();
    let mut lines = session.lines();
    lines.remove(4);
    session.write(&lines);
    assert!(AuditLog::resume(&session.folder(), "resumed", json!({}), at(20.0)).is_err());
    assert!(AuditLog::create(&session.folder(), "s", json!({}), at(0.0)).is_err(), "there is one already");
}

#[test]
fn a_step_of_the_wall_clock_is_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = AuditLog::create(dir.path(), "s", json!({}), at(0.0)).unwrap();
    assert_eq!(log.watch_clock(at(1.0)).unwrap(), None);
    let step = log.watch_clock(Moment { unix_s: 1.7e9 + 3_602.0, run_s: 2.0 }).unwrap().unwrap();
    assert!((step - 3_600.0).abs() < 1e-6);
    let chain = check::chain(dir.path()).unwrap();
    let entry = chain.last("clock_step").unwrap();
    assert_eq!(entry.text("expected"), Some("2023-11-14T22:13:22.000Z"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever single byte is changed, and wherever the log is cut: it does not pass.
    #[test]
    fn no_change_passes(place in 0.0..1.0f64, change in 1u8..=255, cut in any::<bool>()) {
        let session = session();
        let mut bytes = std::fs::read(session.log()).unwrap();
        let place = (place * bytes.len() as f64) as usize;
        if cut { bytes.truncate(place) } else { bytes[place] ^= change }
        std::fs::write(session.log(), bytes).unwrap();
        prop_assert!(session.check().is_err());
    }
}

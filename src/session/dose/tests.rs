//! What an auditor tried: L1 to L8, and what must go on working.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const NOW: f64 = 1e9;

/// A machine that has been up since a fixed moment.
fn at(unix_s: f64) -> Moment {
    Moment { unix_s, up_s: unix_s - NOW + 1e5, boot: "one".into() }
}

fn open(dir: &Path, who: &str, now: &Moment) -> Result<DoseLedger, DoseError> {
    DoseLedger::open_at(dir, who, 60.0, now)
}

fn text(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("dose.jsonl")).unwrap()
}

fn write(dir: &Path, text: &str) {
    std::fs::write(dir.join("dose.jsonl"), text).unwrap();
}

#[test]
fn adds_up_across_restarts_and_forgets_after_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = open(dir.path(), "p01", &at(NOW)).unwrap();
    first.record_at(600.0, &at(NOW)).unwrap();
    first.record_at(1_800.0, &at(NOW + 1_200.0)).unwrap();
    let again = open(dir.path(), "p01", &at(NOW + 2_000.0)).unwrap();
    assert_eq!((again.left_s(), again.given_s()), (1_800.0, 1_800.0));
    assert_eq!(open(dir.path(), "p02", &at(NOW + 2_000.0)).unwrap().left_s(), 3_600.0);
    assert_eq!(open(dir.path(), "p01", &at(NOW + 90_000.0)).unwrap().left_s(), 3_600.0);
    let mut full = open(dir.path(), "p03", &at(NOW + 90_000.0)).unwrap();
    full.record_at(3_600.0, &at(NOW + 90_000.0)).unwrap();
    let error = open(dir.path(), "p03", &at(NOW + 90_001.0)).unwrap_err().to_string();
    assert!(error.contains("60.0 min"), "{error}");
}

#[test]
fn l1_two_runs_at_once_share_the_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = open(dir.path(), "P01", &at(NOW)).unwrap();
    let mut b = open(dir.path(), "P01", &at(NOW)).unwrap();
    a.record_at(3_000.0, &at(NOW)).unwrap();
    b.record_at(300.0, &at(NOW)).unwrap();
    assert_eq!(b.left_s(), 600.0);
    a.record_at(3_100.0, &at(NOW)).unwrap();
    assert_eq!(a.left_s(), 3_300.0);
}

#[test]
fn l2_l8_numbers_that_cannot_be_are_refused() {
    for bad in ["-1e9", "1e400", "NaN", "null", "\"3600\"", "1e9"] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &format!("{{\"participant\":\"P01\",\"ended_unix_s\":1e9,\"active_s\":{bad}}}\n"));
        let error = open(dir.path(), "P01", &at(NOW)).unwrap_err().to_string();
        assert!(error.contains("dose.jsonl:1"), "{bad}: {error}");
    }
}

#[test]
fn l3_another_spelling_is_the_same_person() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), "P01", &at(NOW)).unwrap().record_at(3_590.0, &at(NOW)).unwrap();
    assert_eq!(open(dir.path(), "p01", &at(NOW)).unwrap().left_s(), 10.0);
}

#[test]
fn l4_l5_a_clock_that_was_set_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), "P01", &at(NOW)).unwrap().record_at(100.0, &at(NOW)).unwrap();
    let set = |by_s: f64| Moment { unix_s: NOW + by_s, ..at(NOW) };
    for (by_s, told) in
        [(86_401.0, "ahead by 1440.0 min"), (-86_401.0, "in the future"), (-NOW, "in the future")]
    {
        let error = open(dir.path(), "P01", &set(by_s)).unwrap_err().to_string();
        assert!(error.contains(told), "{by_s}: {error}");
    }
    // A time server's step, a night, and a start of the machine are none.
    assert!(open(dir.path(), "P01", &set(60.0)).is_ok());
    assert!(open(dir.path(), "P01", &at(NOW + 40_000.0)).is_ok());
    let restarted = Moment { unix_s: NOW + 40_000.0, up_s: 30.0, boot: "two".into() };
    assert!(open(dir.path(), "P01", &restarted).is_ok());
    // The clock was wrong when it was written, and is right now.
    let dir = tempfile::tempdir().unwrap();
    let of_1970 = Moment { unix_s: 100.0, ..at(NOW) };
    open(dir.path(), "P01", &of_1970).unwrap().record_at(3_600.0, &of_1970).unwrap();
    assert!(open(dir.path(), "P01", &at(NOW)).is_err());
}

#[test]
fn l6_a_ledger_that_was_cut_edited_or_removed_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path(), "P01", &at(NOW)).unwrap();
    ledger.record_at(1_000.0, &at(NOW)).unwrap();
    ledger.record_at(3_500.0, &at(NOW)).unwrap();
    let whole = text(dir.path());
    let lines: Vec<&str> = whole.lines().collect();
    let edited = whole.replace("2500.0", "25.0");
    assert_ne!(whole, edited);
    let by_hand = "{\"participant\":\"P01\",\"ended_unix_s\":1e9,\"active_s\":0}";
    for (wrong, told) in [
        (format!("{}\n", lines[0]), "cut or replaced"),
        (String::new(), "cut or replaced"),
        (format!("{}\n", lines[1]), "entry 2 where entry 1"),
        (edited, "was changed"),
        (format!("{whole}{by_hand}\n"), "put in by hand"),
    ] {
        write(dir.path(), &wrong);
        let error = open(dir.path(), "P01", &at(NOW)).unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    std::fs::remove_file(dir.path().join("dose.jsonl")).unwrap();
    assert!(open(dir.path(), "P01", &at(NOW)).is_err());
    // One of the two places that remember is enough.
    let _ = std::fs::remove_file(dir.path().join("dose.head"));
    if state_folder().is_some_and(|dir| dir.is_dir()) {
        assert!(open(dir.path(), "P01", &at(NOW)).is_err());
    }
    write(dir.path(), &whole);
    assert_eq!(open(dir.path(), "P01", &at(NOW)).unwrap().left_s(), 100.0);
}

#[test]
fn l7_an_append_after_a_torn_line_loses_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path(), "P01", &at(NOW)).unwrap();
    ledger.record_at(100.0, &at(NOW)).unwrap();
    let whole = text(dir.path());
    write(dir.path(), &format!("{whole}{}", &whole[..20]));
    ledger.record_at(200.0, &at(NOW)).unwrap();
    assert_eq!(ledger.left_s(), 0.0, "what cannot be read is no leave to go on");
    let lines = text(dir.path());
    assert_eq!(lines.lines().count(), 3);
    assert!(open(dir.path(), "P01", &at(NOW)).unwrap_err().to_string().contains("dose.jsonl:2"));
}

#[test]
fn a_ledger_of_an_earlier_version_counts() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "{\"participant\":\"P01\",\"ended_unix_s\":1e9,\"active_s\":3000}\n");
    let mut ledger = open(dir.path(), "p01", &at(NOW)).unwrap();
    assert_eq!(ledger.left_s(), 600.0);
    ledger.record_at(5.0, &at(NOW)).unwrap();
    assert_eq!(open(dir.path(), "P01", &at(NOW)).unwrap().left_s(), 595.0);
}

//! The disk of recording and ledger stalls, or is full, while current flows.

use tras::clock;
use tras_device::State;
use tras_test_support::{
    disk::Disk,
    lab::{Lab, Run, sleep_s},
    serial::{Bench, Wrong},
};

use crate::common::{SIMULATE, comes_to, config, recorded, serial, told};

/// A run on the device's own code, its disk ours to stall, in full stimulation.
fn run_on(lab: &Lab, bench: &Bench, disk: &Disk) -> Run {
    let config = lab.write("run.toml", &config(&serial(bench), "dir = \"r\"\n"));
    let run = lab.run_with(&format!("run --headless --json -c {}", config.display()), &disk.environment());
    comes_to(bench, State::Stimulating, 40.0);
    told(&run, "current stimulating", 40.0);
    run
}

#[test]
fn a_stalled_disk_delays_neither_of_two_ctrl_c() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (bench, disk) = (Bench::start(Wrong::default()), Disk::new(lab.folder()).unwrap());
    let mut run = run_on(&lab, &bench, &disk);
    disk.stall().unwrap();
    // Past a write of the ledger, which comes every 5 s: it hangs now.
    sleep_s(6.0);
    assert_eq!(bench.newest().state, State::Stimulating);
    let first_s = bench.now_s();
    run.signal(libc::SIGINT);
    sleep_s(0.3);
    let second_s = bench.now_s();
    run.signal(libc::SIGINT);
    sleep_s(1.0);
    let zero_s = bench.after(first_s).1;
    println!(
        "stalled disk: zero {:.0} ms after the first Ctrl-C, {:.1} ms after the second",
        (zero_s - first_s) * 1e3,
        (zero_s - second_s) * 1e3
    );
    assert!(zero_s - second_s < 0.1, "{} s after the second", zero_s - second_s);
    disk.mend().unwrap();
    run.end(20.0);
    assert!(lab.folder().join("ledger/dose.jsonl").exists());
}

#[test]
fn a_disk_that_stays_stalled_ends_the_current_softly_and_in_words() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (bench, disk) = (Bench::start(Wrong::default()), Disk::new(lab.folder()).unwrap());
    let mut run = run_on(&lab, &bench, &disk);
    disk.stall().unwrap();
    let stalled_s = bench.now_s();
    // The recorder is missed after 10 s.
    sleep_s(13.0);
    let zero_s = bench.after(stalled_s).1 - stalled_s;
    println!("disk stalled: zero after {zero_s:.1} s");
    assert!((9.0..12.5).contains(&zero_s), "{zero_s} s");
    assert!(bench.newest().state != State::Fault, "{:?}", bench.newest());
    told(&run, "the recorder", 1.0);
    disk.mend().unwrap();
    run.signal(libc::SIGINT);
    assert_eq!(run.summary(4, 20.0)["faults"].as_array().map(|faults| !faults.is_empty()), Some(true));
}

#[test]
fn a_full_disk_is_told_at_once_and_ends_the_current_at_the_ledgers_next_write() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (bench, disk) = (Bench::start(Wrong::default()), Disk::new(lab.folder()).unwrap());
    let mut run = run_on(&lab, &bench, &disk);
    disk.fill().unwrap();
    let full_s = bench.now_s();
    let word = told(&run, "FAULT", 3.0);
    let told_s = bench.now_s() - full_s;
    sleep_s(8.0);
    let zero_s = bench.after(full_s).1 - full_s;
    println!("disk full: told after {told_s:.1} s ({}), zero after {zero_s:.1} s", word.trim());
    assert!(zero_s < 6.6, "{zero_s} s");
    run.signal(libc::SIGINT);
    let status = run.end(20.0);
    let complained = run.complained();
    assert_eq!(status.code(), Some(4), "{}{complained}", run.said());
    assert!(run.said().contains("dose"), "what could not be kept is told: {}{complained}", run.said());
}

/// Files that others write to the same disk make it answer late: what is written all the same is kept by a kill.
#[test]
fn a_disk_that_answers_late_is_told_and_costs_a_kill_nothing() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let disk = Disk::new(lab.folder()).unwrap();
    let config = lab.write("run.toml", "[stream]\nname = \"sim\"\n[record]\ndir = \"r\"\n");
    let mut run =
        lab.run_with(&format!("run --headless --json -c {}", config.display()), &disk.environment());
    told(&run, "LIVE", 20.0);
    disk.delay().unwrap();
    // It is asked every 5 s.
    told(&run, "the recording has STALLED", 12.0);
    sleep_s(3.0);
    let killed_s = clock::now_s();
    run.signal(libc::SIGKILL);
    run.end(5.0);
    let session = recorded(&lab);
    let (eeg, _) = session.eeg();
    let newest_s = session.numbers(&eeg).1.last().copied().unwrap();
    println!("killed on a disk that answers late: EEG to {:.2} s before", killed_s - newest_s);
    assert!(killed_s - newest_s < 1.0, "{} s", killed_s - newest_s);
}

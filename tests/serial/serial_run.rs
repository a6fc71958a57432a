//! `tras run` over a pseudo terminal into the firmware's own code: a whole session, an operator's Ctrl-C, and a
//! process that is stopped as by a debugger and goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tras_device::State;
use tras_test_support::serial::{Bench, Wrong};

/// A participant's EEG, for as long as it lives.
struct Eeg(Child);

impl Eeg {
    fn start(name: &str) -> Self {
        let child = Command::new(tras_test_support::tras())
            .args(["simulate", "--name", name, "--rate", "250"])
            .env("LSLAPICFG", tras_test_support::lsl::session())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Eeg {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(folder: &Path, stream: &str, port: &str, more: &[&str]) -> Child {
    let file = folder.join("session.toml");
    let text = format!(
        "[stream]\nname = \"{stream}\"\n[stimulation]\nenabled = true\nexponent = 1.0\nramp_up_s = 5\n\
         ramp_down_s = 5\nblock_s = 14\ngap_s = 30\nblocks = 1\nbaseline_s = 2\nelectrode_area_cm2 = 35\n\
         electrode_kohm = [5.0, 5.0]\n\
         [stimulator]\nkind = \"serial\"\nport = \"{port}\"\n[record]\ndir = \"{0}\"\nledger = \"{0}\"\nparticipant = \"S01\"\n",
        folder.join("recordings").display()
    );
    std::fs::write(&file, text).unwrap();
    Command::new(tras_test_support::tras())
        .args(["run", "--headless", "--json", "--no-record", "-c", file.to_str().unwrap()])
        .args(more)
        .env("LSLAPICFG", tras_test_support::lsl::session())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn wait_for(bench: &Bench, state: State) {
    let began = Instant::now();
    while bench.flow.lock().unwrap().last().is_none_or(|flow| flow.state != state) {
        assert!(began.elapsed() < Duration::from_secs(40), "the device never came to {state:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The day has 7 s left: the run ends its current then, in mid-block, and not at the block's end.
#[test]
fn the_days_limit_ends_a_run_in_mid_block() {
    let _eeg = Eeg::start("daily-run");
    let folder = tempfile::tempdir().unwrap();
    let recordings = folder.path().join("recordings");
    std::fs::create_dir_all(&recordings).unwrap();
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let participant = "s01";
    let entry = serde_json::json!({
        "participant": participant, "ended_unix_s": now_s - 3_600.0, "active_s": 3_593.0,
    });
    std::fs::write(recordings.join("dose.jsonl"), format!("{entry}\n")).unwrap();
    let bench = Bench::start(Wrong::default());
    let output =
        run(folder.path(), "daily-run", &bench.path, &["--seconds", "14"]).wait_with_output().unwrap();
    let words = told(&output);
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("limits.daily_min reached after 7 s of this run: ramped down"), "{words}");
    let summary: serde_json::Value =
        serde_json::from_str(String::from_utf8_lossy(&output.stdout).lines().last().unwrap()).unwrap();
    let given_s = summary["stimulation_seconds"].as_f64().unwrap();
    println!("daily limit: {given_s:.2} s of the 7 that were left, and a ramp of 1 s");
    assert!((7.0..8.5).contains(&given_s), "{words}");
    let (largest_ma, end) = (bench.after(0.0).0, bench.newest());
    assert!(
        largest_ma > 0.1 && (end.state, end.current_ma) == (State::Disarmed, 0.0),
        "{largest_ma}, {end:?}"
    );
    // And it is on record: the day is full now.
    let ledger = std::fs::read_to_string(recordings.join("dose.jsonl")).unwrap();
    assert!(ledger.lines().count() > 1, "{ledger}");
    let output = run(folder.path(), "daily-run", &bench.path, &[]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("come back tomorrow"), "{}", told(&output));
}

#[test]
fn a_session_a_ctrl_c_and_a_frozen_process() {
    let _eeg = Eeg::start("serial-run");
    let folder = tempfile::tempdir().unwrap();

    let bench = Bench::start(Wrong::default());
    let output = run(folder.path(), "serial-run", &bench.path, &[]).wait_with_output().unwrap();
    let (largest_ma, _) = bench.after(0.0);
    assert!(output.status.success(), "{}", told(&output));
    assert!((0.2..=0.5).contains(&largest_ma), "{largest_ma}\n{}", told(&output));
    let end = bench.newest();
    assert_eq!((end.state, end.current_ma, end.underruns), (State::Disarmed, 0.0, 0), "{}", told(&output));

    let bench = Bench::start(Wrong::default());
    let child = run(folder.path(), "serial-run", &bench.path, &[]);
    wait_for(&bench, State::Stimulating);
    let stopped_s = bench.now_s();
    // SAFETY: a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    let zero_s = bench.after(stopped_s).1 - stopped_s;
    println!("Ctrl-C: zero after {:.0} ms", zero_s * 1e3);
    assert!(output.status.success(), "{}", told(&output));
    assert!(zero_s < 1.5 && bench.newest().state == State::Disarmed, "{zero_s} s\n{}", told(&output));

    let bench = Bench::start(Wrong::default());
    let child = run(folder.path(), "serial-run", &bench.path, &[]);
    wait_for(&bench, State::Stimulating);
    let frozen_s = bench.now_s();
    // SAFETY: as above.
    unsafe { libc::kill(child.id() as i32, libc::SIGSTOP) };
    std::thread::sleep(Duration::from_secs(1));
    let zero_s = bench.after(frozen_s).1 - frozen_s;
    println!("process stopped: zero after {:.0} ms", zero_s * 1e3);
    assert!(zero_s < 0.6 && bench.newest().state == State::Fault, "{zero_s} s");
    // SAFETY: as above.
    unsafe { libc::kill(child.id() as i32, libc::SIGCONT) };
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((bench.newest().state, bench.newest().current_ma), (State::Fault, 0.0));
    // SAFETY: as above.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    assert!(bench.after(frozen_s + 1.0).0 == 0.0, "current after the fault");

    // The next run does not clear what this one has left behind, unless somebody says so.
    let output = run(folder.path(), "serial-run", &bench.path, &[]).wait_with_output().unwrap();
    let words = told(&output);
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("is latched from before") && words.contains("--clear-fault E"), "{words}");
    assert_eq!(bench.newest().state, State::Fault);
    // Another code than the one that is latched clears nothing, and one that is none is told so.
    let named = words.split("--clear-fault ").nth(1).unwrap().get(..3).unwrap().to_owned();
    let other = run(folder.path(), "serial-run", &bench.path, &["--clear-fault", "E17"]);
    let output = other.wait_with_output().unwrap();
    assert!(output.status.code() == Some(4) && told(&output).contains(&named), "{}", told(&output));
    let output =
        run(folder.path(), "serial-run", &bench.path, &["--clear-fault", "E99"]).wait_with_output().unwrap();
    assert!(output.status.code() == Some(2) && told(&output).contains("no such fault"), "{}", told(&output));
    let clear = ["--clear-fault", &named, "--seconds", "1"];
    let output = run(folder.path(), "serial-run", &bench.path, &clear).wait_with_output().unwrap();
    assert!(output.status.success() && told(&output).contains("was cleared"), "{}", told(&output));
    assert_eq!(bench.newest().state, State::Disarmed);
}

/// Zero is never confirmed over a link that is lost: the run says so, writes its dose and ends all the same.
#[test]
fn a_device_that_was_reset_keeps_neither_the_end_nor_the_ledger_waiting() {
    let _eeg = Eeg::start("reset-run");
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::start(Wrong::default());
    let child = run(folder.path(), "reset-run", &bench.path, &[]);
    wait_for(&bench, State::Stimulating);
    bench.wrong.lock().unwrap().reset = true;
    std::thread::sleep(Duration::from_secs(1));
    let asked = Instant::now();
    // SAFETY: a signal to a child of this test.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let output = child.wait_with_output().unwrap();
    let (ended_s, words) = (asked.elapsed().as_secs_f64(), told(&output));
    assert_eq!(output.status.code(), Some(4), "{words}");
    assert!(words.contains("it was reset") && words.contains("did not report zero current"), "{words}");
    assert!(!words.contains("has not confirmed"), "{words}");
    // It waits 5 s for the device's word, and for nothing else.
    assert!(ended_s < 9.0, "{ended_s} s\n{words}");
    let ledger = std::fs::read_to_string(folder.path().join("recordings/dose.jsonl")).unwrap();
    let given_s: f64 = ledger
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["active_s"].as_f64())
        .sum();
    assert!(given_s >= 5.0, "the ramp at least: {ledger}");
}

//! The amplifier's stream ends in mid-burst, and one of the same name, source id, rate, format and channels appears on another
//! machine: it is not resumed, both machines are told, and only a person's word takes it up.

use std::{io::Write, process::Stdio};

use tras_test_support::{
    lab::{Lab, Run, Session, sleep_s, wait_for},
    network::{alone, called},
    reader::Killed,
};

use crate::common::{SIMULATE, config, told, under_current};

/// `tras simulate` on a machine that is called `elsewhere`.
fn impostor(lab: &Lab) -> Killed {
    let mut command = called(lab.tras(SIMULATE), "elsewhere");
    Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

/// The name of this machine, as liblsl tells it.
fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

fn is_live(lab: &Lab) -> usize {
    Session::open(&lab.folder().join("r/S01-001")).when("stream", "state", "LIVE").len()
}

fn lost_to_an_impostor(lab: &Lab, sim: &mut Killed, run: &Run) -> Killed {
    sim.kill();
    let other = impostor(lab);
    let line = told(run, "is back, but from host", 20.0);
    println!("{line}");
    assert!(line.contains("from host elsewhere") && line.contains(&format!("on host {}", host())), "{line}");
    other
}

#[test]
fn an_impostor_on_another_machine_is_told_with_both_and_not_resumed() {
    alone("an_impostor_on_another_machine_is_told_with_both_and_not_resumed", || {
        let lab = Lab::new();
        let mut sim = lab.start(SIMULATE);
        let mut run = under_current(&lab, &config("kind = \"simulated\"", "dir = \"r\"\n"), "");
        let other = lost_to_an_impostor(&lab, &mut sim, &run);
        sleep_s(6.0);
        assert_eq!(is_live(&lab), 1, "resumed without a word");
        // The right one comes back beside it, and needs no word.
        let _again = lab.start(SIMULATE);
        wait_for("the stream of the right machine is resumed", 20.0, || (is_live(&lab) == 2).then_some(()));
        drop(other);
        run.signal(libc::SIGTERM);
        let summary = run.summary(0, 15.0);
        assert!(!summary["warnings"].to_string().contains("nobody has confirmed"), "{summary}");
        let taken =
            Session::of(&summary, &lab).when("stream", "taken_up", "from another host, by the operator");
        assert!(taken.is_empty());
    });
}

#[test]
fn a_device_that_moved_is_taken_up_at_the_typed_word() {
    alone("a_device_that_moved_is_taken_up_at_the_typed_word", || {
        let lab = Lab::new();
        let mut sim = lab.start(SIMULATE);
        let file = lab.write("run.toml", &config("kind = \"simulated\"", "dir = \"r\"\n"));
        let (mut run, mut typed) = lab.run_typed(&format!("run --headless --json -c {}", file.display()));
        told(&run, "current stimulating", 40.0);
        // Before anything is offered the word confirms nothing, not even for later.
        writeln!(typed, "take up").unwrap();
        let mut other = lost_to_an_impostor(&lab, &mut sim, &run);
        sleep_s(3.0);
        assert_eq!(is_live(&lab), 1, "resumed without a word");
        writeln!(typed, "take up").unwrap();
        wait_for("the stream of the other machine is resumed", 20.0, || (is_live(&lab) == 2).then_some(()));
        // It is the stream's host from here on: when it comes back, nobody needs to say so again.
        other.kill();
        told(&run, "LOST", 10.0);
        let _again = impostor(&lab);
        wait_for("it is resumed by itself", 20.0, || (is_live(&lab) == 3).then_some(()));
        run.signal(libc::SIGTERM);
        let summary = run.summary(0, 15.0);
        let session = Session::of(&summary, &lab);
        let taken = session.when("stream", "taken_up", "from another host, by the operator");
        assert_eq!(taken.len(), 1, "the word is on record, once: {:?}", session.events());
    });
}

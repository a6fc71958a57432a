//! A run under way, and what stands beside it.

use std::{path::PathBuf, process::Child, time::Instant};

use tras_device::State;
use tras_test_support::{
    lab::{Lab, Run, Session, wait_for},
    serial::Bench,
};

/// Why a current has ended, as the run says it.
pub(crate) const BY_SIGNAL: &str = "ended by a signal (Ctrl-C, SIGTERM)";
pub(crate) const SIMULATE: &str = "simulate --name sim --seed 5 --channels 4 --blinks 0";

/// A session of one long block on this stimulator; `more` are further sections.
pub(crate) fn config(stimulator: &str, more: &str) -> String {
    format!(
        "[stream]\nname = \"sim\"\n[stimulation]\nenabled = true\nexponent = 1.0\nramp_up_s = 5\nramp_down_s = 5\n\
         block_s = 60\ngap_s = 30\nblocks = 2\nbaseline_s = 2\nelectrode_area_cm2 = 35\nelectrode_kohm = [5.0, 5.0]\n\
         [stimulator]\n{stimulator}\n[record]\nparticipant = \"S01\"\nledger = \"ledger\"\n{more}"
    )
}

/// Where the device's own code listens.
pub(crate) fn serial(bench: &Bench) -> String {
    format!("kind = \"serial\"\nport = \"{}\"", bench.path)
}

/// Waits until the run says `word`, which is given back with its line.
pub(crate) fn told(run: &Run, word: &str, within_s: f64) -> String {
    wait_for(word, within_s, || run.said().lines().find(|line| line.contains(word)).map(str::to_owned))
}

/// The one recording of the lab, in its folder `r`.
pub(crate) fn recorded(lab: &Lab) -> Session {
    let runs = std::fs::read_dir(lab.folder().join("r")).unwrap().filter_map(Result::ok);
    let folder: Vec<PathBuf> =
        runs.map(|entry| entry.path()).filter(|path| path.join("session.xdf").exists()).collect();
    Session::open(&folder[0])
}

/// Until the device is in `state`.
pub(crate) fn comes_to(bench: &Bench, state: State, within_s: f64) {
    wait_for(&format!("the device in {state:?}"), within_s, || {
        let flow = bench.flow.lock().unwrap();
        flow.last().is_some_and(|flow| flow.state == state).then_some(())
    });
}

/// Waits for the end of a child; its exit code.
pub(crate) fn end_of(child: &mut Child, within_s: f64) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(began.elapsed().as_secs_f64() < within_s, "still running after {within_s} s");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A lab with an EEG stream, and a run on it in full stimulation.
pub(crate) fn under_current(lab: &Lab, text: &str, more: &str) -> Run {
    let config = lab.write("run.toml", text);
    let run = lab.run(&format!("run --headless --json {more} -c {}", config.display()));
    told(&run, "current stimulating", 40.0);
    run
}

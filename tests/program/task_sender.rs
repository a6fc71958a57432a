//! Another program's task drives a live session: `tests/peers/task_sender.py`, the example of how a PsychoPy script talks to
//! us. It hears by our marker outlet when a block's current has begun, and its own marker ends the block.

use std::io::{BufRead as _, Write as _};

use serde_json::Value;
use tras::session::recorded::{Recorded, What};
use tras_test_support::lab::{Lab, wait_for};

const PROTOCOL: &str = "[stream]\npredicate = \"name='sim'\"\n\
    [estimator]\nmethod = \"specparam\"\nrange_hz = [2, 35]\nwindow_s = 4\nhop_s = 0.5\n\
    [stimulation]\nenabled = true\npeak_ma = 0.5\nexponent = 2.0\nelectrode_area_cm2 = 35\nramp_up_s = 5\nramp_down_s = 5\n\
    [limits]\npeak_ma = 0.5\n[stimulator]\nkind = \"simulated\"\n\
    [protocol]\nstudy = \"wm\"\nsession = \"2\"\nbalanced = false\n\
    conditions = [{ name = \"steep\", profile = \"steep\", exponent = 2.0, peak_ma = 0.5 }]\n\
    markers = [{ name = \"done\", matches = \"block_end\", source_id = \"tras-task\" }]\n\
    phases = [\n  { kind = \"impedance\" },\n  { kind = \"rest_eyes_open\", duration_s = 5 },\n\
      { kind = \"task\", duration_s = 120, ends = \"done\", lead_s = 2, condition = \"steep\" },\n\
      { kind = \"rest_eyes_open\", duration_s = 3 },\n  { kind = \"end\" },\n]\n";

/// Lines of the audit log of a kind.
fn entries(folder: &std::path::Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap_or_default();
    let all = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|entry| entry["kind"] == kind).collect()
}

#[test]
fn a_task_program_in_python_hears_of_its_block_and_ends_it() {
    let Some(python) = tras_test_support::python("a_task_program_in_python_hears_of_its_block_and_ends_it")
    else {
        return;
    };
    let lab = Lab::new();
    lab.write("p.toml", PROTOCOL);
    let _sim = lab.start("simulate --name sim --channels 4");
    let mut task = lab.peer(&python, "task_sender.py", &["--trials", "4", "--seconds", "1", "--blocks", "1"]);
    let (mut run, mut typed) =
        lab.run_typed("run -c p.toml --session 2 --participant P01 --headless --record kept --wait 60");
    let folder = wait_for("the session's folder", 60.0, || {
        let made = std::fs::read_dir(lab.folder().join("kept")).ok()?.next()?.ok()?.path();
        (!entries(&made, "phase").is_empty()).then_some(made)
    });
    // A task program that is not there yet, on a busy machine, would miss its block.
    let mut hears = String::new();
    std::io::BufReader::new(task.0.stdout.take().unwrap()).read_line(&mut hears).unwrap();
    assert_eq!(hears, "hears tras-markers\n");
    // The operator: electrodes, on, both keys.
    for line in ["kohm 4.8 5.5", "next", "arm", "go"] {
        writeln!(typed, "{line}").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    assert_eq!(run.end(150.0).code(), Some(0), "{}\n{}", run.said(), run.complained());
    assert!(task.0.wait().unwrap().success(), "the task program ends with its last block");
    // The block went from its current to the task's word, not to its deadline of 120 s.
    let at_s = |kind: &str| {
        let of_block = |entry: &&Value| entry["data"]["block"] == 1;
        entries(&folder, kind).iter().find(of_block).unwrap()["run_s"].as_f64().unwrap()
    };
    let (begun_s, told_s, left_s) = (at_s("phase"), at_s("task_begins"), at_s("phase_left"));
    assert!((1.9..4.0).contains(&(told_s - begun_s)), "the task is called 2 s after its current");
    assert!((8.0..40.0).contains(&(left_s - begun_s)), "{} s", left_s - begun_s);
    assert_eq!(entries(&folder, "broken").len(), 0);
    // Every marker is in the recording, once and in order, and the block's end by its ramp.
    let happened = Recorded::open(&folder).unwrap().happened();
    let mut sent: Vec<(f64, Value)> = Vec::new();
    for item in &happened {
        if let What::Marker(text) = &item.what {
            sent.push((item.at_s, serde_json::from_str(text).unwrap()));
        }
    }
    let numbers: Vec<u64> = sent.iter().map(|(_, marker)| marker["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=18).collect::<Vec<u64>>(), "block_start, four of each trial, block_end");
    let (ended_s, last) = sent.last().unwrap();
    assert_eq!(last["event"], "block_end");
    assert!((4.9..8.0).contains(&(left_s - ended_s)), "a ramp of 5 s follows: {} s", left_s - ended_s);
    let own: Vec<&str> = happened
        .iter()
        .filter_map(|item| if let What::OwnMarker(text) = &item.what { Some(text.as_str()) } else { None })
        .filter(|text| text.starts_with("block/"))
        .collect();
    assert_eq!(own, ["block/1/start", "block/1/end"]);
}

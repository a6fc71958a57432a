//! The task as a participant meets it: the real page in a real browser, a scripted participant, the real program.
//!
//! Skipped by name where there is no Chromium. `TRAS_SHOTS=folder` keeps a picture of every phase.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cmp_owned,
    reason = "tests"
)]

#[path = "task_support/scores.rs"]
mod scores;
mod task_support;
#[path = "task_support/ways.rs"]
mod ways;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lsl::Pullable;
use serde_json::Value;
use task_support::{Browser, Window};

const SETTINGS: &str = "[task]\nloads = [2, 4]\nblocks = 2\ntrials_per_block = 4\npractice = 1\nfixation_ms = 150\n\
    sample_ms = 250\ndelay_ms = 200\niti_ms = 100\nresponse_ms = 1500\nfullscreen = false\n";

type Row = BTreeMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

/// A `tras task` under way.
struct Task {
    child: Child,
    url: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Task {
    fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_with(folder, SETTINGS, more)
    }

    fn start_with(folder: &Path, settings: &str, more: &[&str]) -> Self {
        std::fs::write(folder.join("task.toml"), settings).unwrap();
        let mut child = Command::new(tras_test_support::tras())
            .args(["task", "-c", "task.toml", "--out", "out", "--participant", "P07", "--seed", "4"])
            .args(more)
            .env("LSLAPICFG", tras_test_support::lsl::session())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut url = String::new();
        while !url.starts_with("http://127.0.0.1:") {
            url.clear();
            assert!(out.read_line(&mut url).unwrap() > 0, "it ended before it told an address");
        }
        Self { child, url: url.trim().to_owned(), out }
    }

    fn signal(&self, signal: i32) {
        // SAFETY: `kill` only takes numbers; the child has not been waited for.
        unsafe { libc::kill(i32::try_from(self.child.id()).unwrap(), signal) };
    }

    /// Waits for its end: exit code and what it still said.
    fn end(mut self) -> (Option<i32>, String, String) {
        let end = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = |source: &mut dyn std::io::Read| {
            let mut text = String::new();
            source.read_to_string(&mut text).unwrap();
            text
        };
        let complained = read(self.child.stderr.as_mut().unwrap());
        (self.child.wait().unwrap().code(), read(&mut self.out), complained)
    }
}

/// Goes through what comes, answering `off` degrees beside the target, except trial numbers in `silent`; ends at
/// the end, or at the probe of trial number `until`.
fn participate(window: &mut Window, plan: &[Row], first: usize, silent: &[usize], until: Option<usize>) {
    let mut shots = Shots::new();
    let mut number = first;
    loop {
        let phase = window.until(&[
            "welcome",
            "instructions",
            "practice",
            "practice_over",
            "break",
            "resumed",
            "slow",
            "fixation",
            "sample",
            "delay",
            "probe",
            "feedback",
            "ended",
        ]);
        shots.take(window, &phase);
        match phase.as_str() {
            "ended" => return,
            "probe" => {
                if until == Some(number) {
                    return;
                }
                let planned = &plan[number];
                let deg = |key: &str| planned[key].parse::<f64>().unwrap();
                if silent.contains(&number) {
                    std::thread::sleep(Duration::from_millis(1_400));
                } else {
                    window.answer(deg("target_deg") + deg("wheel_deg") + 7.0);
                }
                number += 1;
                leave(window, "probe");
            }
            "fixation" | "sample" | "delay" | "feedback" => leave(window, &phase),
            _ => {
                window.click(450.0, 350.0);
                leave(window, &phase);
            }
        }
    }
}

fn leave(window: &mut Window, phase: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while window.phase() == phase {
        assert!(Instant::now() < end, "stays in {phase}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// Pictures of phases, one each, where they are wanted.
struct Shots {
    folder: Option<std::path::PathBuf>,
    taken: Vec<String>,
}

impl Shots {
    fn new() -> Self {
        Self { folder: std::env::var_os("TRAS_SHOTS").map(Into::into), taken: Vec::new() }
    }

    fn take(&mut self, window: &mut Window, phase: &str) {
        let Some(folder) = &self.folder else { return };
        if !self.taken.iter().any(|p| p == phase) {
            if phase == "probe" {
                window.call(
                    "Input.dispatchMouseEvent",
                    serde_json::json!({ "type": "mouseMoved", "x": 600, "y": 150 }),
                );
            }
            std::fs::write(folder.join(format!("{phase}.png")), window.look()).unwrap();
            self.taken.push(phase.to_owned());
        }
    }
}

#[test]
fn a_participant_goes_through_two_blocks_and_every_marker_stands_at_its_frame() {
    let test = "a_participant_goes_through_two_blocks_and_every_marker_stands_at_its_frame";
    tras_test_support::lsl::session();
    let Some(browser) = Browser::open(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let task = Task::start(folder.path(), &[]);
    let found = lsl::resolve_bypred("name='tras-task' and type='Markers'", 1, 10.0).unwrap();
    let inlet = lsl::StreamInlet::new(&found[0], 60, 0, true).unwrap();
    inlet.open_stream(10.0).unwrap();
    let plan = rows(&folder.path().join("out/task-plan.csv"));
    assert_eq!(plan.len(), 9);

    let mut window = browser.window(&task.url);
    // A second window of the same browser is let in by its cookie, and refused by the task.
    window.until(&["welcome"]);
    let address = task.url.split("/?").next().unwrap().to_owned();
    let mut second = browser.window(&address);
    second.until(&["ended"]);
    drop(second);
    participate(&mut window, &plan, 0, &[3], None);
    let mut markers: Vec<(f64, Value)> = Vec::new();
    while let Ok((text, stamp_s)) = Pullable::<String>::pull_sample(&inlet, 1.0) {
        if stamp_s == 0.0 {
            break;
        }
        markers.push((stamp_s, serde_json::from_str(&text[0]).unwrap()));
    }
    let (code, said, complained) = task.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    assert!(said.contains("7 trials done, 1 missed, 0 broken, 1 for practice"), "{said}{complained}");
    assert!(complained.contains("a second window was refused"), "{complained}");

    let trials = rows(&folder.path().join("out/trials.csv"));
    assert_eq!(trials.len(), 9);
    for (number, (row, planned)) in trials.iter().zip(&plan).enumerate() {
        let say = |key: &str| row[key].as_str();
        let want = match number {
            0 => "practice",
            3 => "missed",
            _ => "done",
        };
        assert_eq!(
            (say("status"), say("condition"), say("target_deg")),
            (want, "none", planned["target_deg"].as_str())
        );
        if number == 3 {
            assert_eq!((say("response_deg"), say("rt_s")), ("", ""));
            continue;
        }
        let value = |key: &str| row[key].parse::<f64>().unwrap();
        let error = (value("response_deg") - value("target_deg") + 540.0) % 360.0 - 180.0;
        assert!((error - 7.0).abs() <= 1.0, "{row:?}");
        assert!(value("rt_s") > 0.0 && value("rt_s") < 1.5 && value("frames") > 30.0, "{row:?}");
        // On a busy machine frames are dropped; then they are flagged.
        let flags = say("flags");
        assert_eq!(flags.contains("dropped_frames"), value("frames_dropped") > 0.0, "{row:?}");
        let frame_ms = value("frame_ms");
        let right = (value("sample_ms") - 250.0).abs() <= 1.5 * frame_ms
            && (value("delay_ms") - 200.0).abs() <= 1.5 * frame_ms;
        assert_eq!(!right, flags.contains("times_wrong"), "{row:?}");
    }

    // Every marker, in order, numbered, and at the very stamp that the table has.
    let numbers: Vec<u64> = markers.iter().map(|(_, m)| m["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=markers.len() as u64).collect::<Vec<_>>());
    let events: Vec<&str> = markers.iter().map(|(_, m)| m["event"].as_str().unwrap()).collect();
    let count = |name: &str| events.iter().filter(|e| **e == name).count();
    for (name, times) in [
        ("trial_start", 9),
        ("sample_on", 9),
        ("delay_on", 9),
        ("probe_on", 9),
        ("response", 9),
        ("block_start", 2),
        ("block_end", 2),
    ] {
        assert_eq!(count(name), times, "{name}: {events:?}");
    }
    let of_trial = |event: &str, row: &Row| {
        let at = markers.iter().find(|(_, m)| {
            m["event"] == event
                && m["block"].as_u64() == row["block"].parse().ok()
                && m["trial"].as_u64() == row["trial"].parse().ok()
        });
        at.unwrap_or_else(|| panic!("no {event} for {row:?}")).clone()
    };
    for row in &trials {
        for (event, key) in
            [("sample_on", "sample_on_s"), ("delay_on", "delay_on_s"), ("probe_on", "probe_on_s")]
        {
            let (stamp_s, marker) = of_trial(event, row);
            // The table uses the offset at the trial's end, the marker the one at its own time.
            assert!((stamp_s - row[key].parse::<f64>().unwrap()).abs() < 0.018, "{event} {stamp_s} {row:?}");
            assert_eq!(marker["load"].to_string(), row["load"]);
            assert!(marker.get("condition").is_none());
        }
        let (_, marker) = of_trial("response", row);
        assert_eq!(marker["deg"].as_f64().map_or(String::new(), |d| d.to_string()), row["response_deg"]);
    }

    // What the task wrote, the scoring reads.
    let score = Command::new(tras_test_support::tras())
        .args(["score", "out/trials.csv", "--json", "--bootstraps", "20", "--imputations", "10"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(score.status.success(), "{}", String::from_utf8_lossy(&score.stderr));
    let lines: Vec<Value> =
        String::from_utf8(score.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let total: u64 = lines.iter().map(|l| l["n"].as_u64().unwrap()).sum();
    let missing: u64 = lines.iter().map(|l| l["missing"].as_u64().unwrap()).sum();
    assert_eq!((total, missing), (8, 1));
}

#[test]
fn a_reload_and_a_kill_cost_the_trial_under_way_and_no_other() {
    let test = "a_reload_and_a_kill_cost_the_trial_under_way_and_no_other";
    tras_test_support::lsl::session();
    let Some(browser) = Browser::open(test) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut task = Task::start(folder.path(), &["--no-lsl"]);
    let plan = rows(&folder.path().join("out/task-plan.csv"));
    let mut window = browser.window(&task.url);
    participate(&mut window, &plan, 0, &[], Some(2));
    window.reload();
    window.until(&["welcome"]);
    participate(&mut window, &plan, 3, &[], Some(4));
    task.child.kill().unwrap();
    task.child.wait().unwrap();
    window.until(&["ended"]);
    let status = |number: usize| rows(&folder.path().join("out/trials.csv"))[number]["status"].clone();
    assert_eq!((status(1), status(2), status(3)), ("done".into(), "broken".into(), "done".into()));
    assert_eq!(rows(&folder.path().join("out/trials.csv")).len(), 4);

    let again = Task::start(folder.path(), &["--no-lsl", "--resume"]);
    let mut window = browser.window(&again.url);
    participate(&mut window, &plan, 5, &[], None);
    let (code, said, complained) = again.end();
    assert_eq!(code, Some(0), "{said}{complained}");
    let trials = rows(&folder.path().join("out/trials.csv"));
    assert_eq!(trials.len(), 9);
    let told: Vec<(&str, &str)> =
        trials.iter().map(|r| (r["status"].as_str(), r["trial"].as_str())).collect();
    assert_eq!(told[4].0, "broken");
    assert!(trials[4]["flags"].contains("killed") && trials[2]["flags"].contains("reloaded"), "{trials:?}");
    assert!(told[5..].iter().all(|t| t.0 == "done"), "{told:?}");
}

//! `tras` as scripts see it: exit codes, the summary's keys, and what a signal leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::Path;
use tras::{
    noise::{Parameters, profile::check_seed},
    recorder::check,
};
use tras_test_support::lab::{Lab, Run, Session, assert_contract, sleep_s, wait_for};

const SIMULATE: &str = "simulate --name sim --seed 5 --channels 4";

/// One block that begins 1 s after the first frame, and lasts until the test ends it.
const BURST: &str = "\
[stream]\nname = \"sim\"\n[stimulation]\nenabled = true\npeak_ma = 0.4\nramp_up_s = 5\nramp_down_s = 5\n\
block_s = 120\ngap_s = 30\nblocks = 1\nbaseline_s = 1\nelectrode_area_cm2 = 35\n\
[limits]\npeak_ma = 0.4\n[stimulator]\nkind = \"simulated\"\n[record]\nparticipant = \"p\"\n";

fn refused(lab: &Lab, args: &str, code: i32, says: &str) {
    let output = lab.tras(args).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "tras {args}: {errors}");
    assert!(errors.contains(says), "tras {args}: {says:?} is not in {errors}");
}

#[test]
fn bad_arguments_and_configurations_end_with_2() {
    let lab = Lab::new();
    let invalid = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/invalid_configs");
    for (args, says) in [
        ("", "Usage"),
        ("stimulate", "unrecognized subcommand"),
        ("run", "--config"),
        ("demo --virtual --seconds nan", "positive"),
        ("monitor --seconds 0", "positive"),
        ("demo --record a --no-record", "cannot be used with"),
        ("simulate --channels 0", "1 to 256"),
        ("replay .", "is a directory"),
        ("check .", "is a directory"),
        ("estimate .", "is a directory"),
        ("demo --virtual --seconds -1", "positive number"),
        ("replay a.edf --seconds -1", "positive number"),
        ("estimate a.edf --freq-range 2,35", "`--range`"),
        ("fit a.csv --aperiodic-mode fixed", "`--mode`"),
    ] {
        refused(&lab, args, 2, says);
    }
    // A file that is missing is one thing, whatever it would have been.
    for command in [
        "run -c",
        "demo --virtual -c",
        "monitor -c",
        "check",
        "calibrate audio -c",
        "replay",
        "estimate",
        "fit",
    ] {
        refused(&lab, &format!("{command} nowhere.edf"), 3, "nowhere.edf");
    }
    for command in ["run -c", "demo --virtual -c", "monitor -c"] {
        let file = invalid.join("unknown_key.toml");
        refused(&lab, &format!("{command} {}", file.display()), 2, "did you mean `peak_ma`?");
    }
    // A folder that cannot be recorded in, before anything runs.
    lab.write("file", "");
    refused(&lab, "demo --virtual --seconds 1 --record file", 2, "cannot record in");
}

#[test]
fn a_stream_that_is_not_there_ends_with_3() {
    let lab = Lab::new();
    let config = lab.write("burst.toml", BURST);
    let mut monitor = lab.run("monitor --headless --stream absent");
    let mut run = lab.run(&format!("run --headless --no-record -c {}", config.display()));
    for process in [&mut monitor, &mut run] {
        let status = process.end(30.0);
        assert_eq!(status.code(), Some(3), "{}", process.complained());
    }
    assert!(monitor.complained().contains("absent"), "{}", monitor.complained());
    assert!(run.complained().contains("sim"), "{}", run.complained());
}

#[test]
fn noise_that_would_reach_a_limit_by_itself_is_refused_before_the_run() {
    let lab = Lab::new();
    let text = include_str!("../../configs/demo.toml");
    let config = lab.write("dc.toml", &format!("{text}\n[limits]\ndc_warn_ua = 0.5\ndc_max_ua = 0.5\n"));
    let config = config.display();
    refused(&lab, &format!("demo --virtual -c {config} --no-record"), 2, "limits.dc_max_ua: 10 s mean of");
    refused(&lab, &format!("demo --headless -c {config} --no-record"), 2, "limits.dc_max_ua: 10 s mean of");
}

#[test]
fn a_fault_during_the_run_ends_with_4_and_is_told() {
    let lab = Lab::new();
    let config = lab.write("burst.toml", BURST);
    let _sim = lab.start(&format!("{SIMULATE} --fault lost@8+1000"));
    let mut run = lab.run(&format!("run --headless --json --seconds 13 --record r -c {}", config.display()));
    let summary = run.summary(4, 60.0);
    assert_contract(&summary);
    let fault = summary["faults"][0].as_str().unwrap().to_owned();
    assert!(fault.contains("the EEG stream was lost"), "{fault}");
    assert!(run.complained().contains(&fault), "{}", run.complained());
    let session = Session::of(&summary, &lab);
    check(&session.path).unwrap();
    assert_eq!(session.numbers("current").0.last(), Some(&0.0), "the current ended at zero");
    assert_eq!(session.when("current", "state", "ramp up").len(), 1);
}

#[test]
fn run_monitor_and_demo_keep_the_contract_of_json() {
    let lab = Lab::new();
    let config = lab.write("burst.toml", BURST);
    let _sim = lab.start(SIMULATE);
    let mut run = lab
        .run(&format!("run --headless --json --seconds 9 --no-record --stream sim -c {}", config.display()));
    let mut monitor = lab.run("monitor --headless --json --seconds 9 --stream name='sim'");
    let mut demo = lab.run("demo --headless --json --seconds 9");
    for (name, process, stimulates) in
        [("run", &mut run, true), ("monitor", &mut monitor, false), ("demo", &mut demo, false)]
    {
        let summary = process.summary(0, 60.0);
        assert_contract(&summary);
        assert!(summary["samples_received"].as_u64().unwrap() > 1500, "{name}: {summary}");
        assert!(summary["estimates_valid"].as_u64().unwrap() > 2, "{name}: {summary}");
        assert!(summary["loop_latency_us"]["p50"].as_f64().unwrap() > 0.0, "{name}: {summary}");
        assert!(summary["record_dir"].is_null(), "{name}: {summary}");
        assert_eq!(summary["stimulation_seconds"].as_f64().unwrap() > 0.0, stimulates, "{name}: {summary}");
        // One line a second, where there is no terminal.
        let lines = process.said().lines().count();
        assert!(lines > 10, "{name}:\n{}", process.said());
    }
}

/// A run that stimulates at full amplitude, and the folder that it records in.
fn in_mid_burst(lab: &Lab) -> (Run, std::path::PathBuf) {
    // Without outlets: several such runs at once would use up LSL's ports on a machine.
    let config = lab.write("burst.toml", &format!("{BURST}[outlets]\nenabled = false\n"));
    let run = lab.run(&format!("run --headless --json --record r -c {}", config.display()));
    let folder = lab.folder().join("r/p-001");
    wait_for("full amplitude in the recording", 40.0, || {
        let there = folder.join("session.xdf").exists();
        (there && !Session::open(&folder).when("current", "state", "stimulating").is_empty()).then_some(())
    });
    sleep_s(2.0);
    (run, folder)
}

/// The largest |current| between two moments of a recording.
fn flowed(session: &Session, from_s: f64, to_s: f64) -> f64 {
    let (current, stamps_s) = session.numbers("current");
    let within = current.iter().zip(&stamps_s).filter(|(_, s)| (from_s..to_s).contains(*s));
    within.fold(0.0_f64, |most, (ma, _)| most.max(ma.abs()))
}

#[test]
fn sigterm_in_mid_burst_ramps_down_closes_the_files_and_ends_with_0() {
    ramps_down(libc::SIGTERM);
}

/// The terminal was closed.
#[test]
fn sighup_in_mid_burst_ramps_down_closes_the_files_and_ends_with_0() {
    ramps_down(libc::SIGHUP);
}

#[test]
fn a_second_signal_does_not_wait_for_the_ramp() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (mut run, folder) = in_mid_burst(&lab);
    run.signal(libc::SIGINT);
    sleep_s(0.3);
    run.signal(libc::SIGTERM);
    let summary = run.summary(0, 15.0);
    assert_contract(&summary);
    check(&folder.join("session.xdf")).unwrap();
    let session = Session::open(&folder);
    let halted_s = session.when("halted", "why", "ended by a signal (Ctrl-C, SIGTERM)");
    // The stimulate stage and the loop each say the first, only the former the second.
    let [asked_s, _, again_s] = halted_s[..] else { panic!("{halted_s:?}") };
    println!("second signal after {:.3} s", again_s - asked_s);
    assert!((0.2..0.6).contains(&(again_s - asked_s)), "{halted_s:?}");
    assert!(flowed(&session, asked_s, again_s - 0.05) > 0.03, "the first one ramps");
    // A turn of the thread, and no ramp of a second.
    assert_eq!(flowed(&session, again_s + 0.005, f64::INFINITY), 0.0);
}

#[test]
fn a_seed_whose_noise_clips_too_much_is_refused_before_the_run() {
    let lab = Lab::new();
    // Noise so slow has in ten minutes either no sample beyond three sigma or many.
    let parameters = Parameters { exponent: 3.0, band_hz: (0.1, 3.0), peak_ma: 0.02 };
    let seed = (1..200).find(|&seed| check_seed(&parameters, 2_000.0, seed, 1_200_000).is_err()).unwrap();
    let slow = BURST.replace(
        "peak_ma = 0.4\nramp",
        "peak_ma = 0.02\nexponent = 3\nband_hz = [0.1, 3]\noverride_band = true\nramp",
    );
    let config = lab.write("slow.toml", &slow);
    let says = format!("seed = {seed}: clips");
    refused(&lab, &format!("run --no-record --seed {seed} -c {}", config.display()), 2, &says);
}

#[test]
fn a_mean_current_beyond_the_warning_is_told_at_the_end() {
    let lab = Lab::new();
    for (limit, warns) in [("dc_warn_ua = 0.1", true), ("dc_warn_ua = 20", false)] {
        let config = lab.write("dc.toml", &BURST.replace("[limits]\n", &format!("[limits]\n{limit}\n")));
        let mut run = lab
            .run(&format!("demo --virtual --json --seconds 40 --seed 3 --no-record -c {}", config.display()));
        let summary = run.summary(0, 30.0);
        let warnings = summary["warnings"].to_string();
        let reached_ua = summary["current_dc_ua"].as_f64().unwrap();
        assert!((0.1..20.0).contains(&reached_ua), "{summary}");
        assert_eq!(warnings.contains("the mean current over 10 s reached"), warns, "{limit}: {warnings}");
        assert_eq!(warnings.contains("limits.dc_warn_ua = 0.1"), warns, "{limit}: {warnings}");
    }
}

fn ramps_down(signal: i32) {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (mut run, folder) = in_mid_burst(&lab);
    run.signal(signal);
    let summary = run.summary(0, 15.0);
    assert_contract(&summary);
    assert_eq!(summary["faults"].as_array().unwrap().len(), 0, "{summary}");
    assert_eq!(summary["underruns"], 0, "{summary}");

    let streams = check(&folder.join("session.xdf")).unwrap();
    let samples = |name: &str| streams.iter().find(|s| s.name == name).unwrap().samples;
    assert_eq!(Some(samples("sim")), summary["samples_received"].as_u64());
    let session = Session::open(&folder);
    let halted_s = session.when("halted", "why", "ended by a signal (Ctrl-C, SIGTERM)");
    let stopped_s = *halted_s.first().expect("the stop is recorded");
    let flowed = |from_s: f64, to_s: f64| flowed(&session, from_s, to_s);
    let current = session.numbers("current").0;
    // At full amplitude before, down within the ramp of 1 s and what the device had queued, and no step on the way.
    assert!(flowed(stopped_s - 1.0, stopped_s) > 0.1);
    assert!(flowed(stopped_s, stopped_s + 0.5) > 0.03, "a ramp, not a cut");
    assert_eq!(flowed(stopped_s + 1.3, f64::INFINITY), 0.0);
    assert!(current.windows(2).all(|w| (w[1] - w[0]).abs() <= 0.25 + 1e-6));
    assert_eq!(current.last(), Some(&0.0));
    let last = session.events().into_iter().rfind(|(_, e)| e["event"] == "current").unwrap().1;
    assert!(last["state"] == "armed" || last["state"] == "disarmed", "{last}");
}

#[test]
fn kill_9_leaves_a_recording_that_can_be_read() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let (mut run, folder) = in_mid_burst(&lab);
    run.signal(libc::SIGKILL);
    assert_eq!(run.end(5.0).code(), None, "killed");
    let path = folder.join("session.xdf");
    let complaint = check(&path).unwrap_err().to_string();
    assert!(complaint.contains("no footer"), "{complaint}");

    let session = Session::open(&folder);
    assert!(session.survey.streams.iter().all(|s| !s.clock_offsets.is_empty()));
    let (values, eeg_s) = session.numbers("sim");
    assert_eq!(values.len(), 4 * eeg_s.len());
    let (current, current_s) = session.numbers("current");
    let burst_s = session.when("current", "state", "stimulating")[0];
    // Stimulating for 2 s and what the test took to see it: at most the last second is lost.
    for (name, last_s) in [("EEG", eeg_s.last()), ("current", current_s.last())] {
        assert!(
            last_s.unwrap() - burst_s > 1.0,
            "{name} ends {} s into the burst",
            last_s.unwrap() - burst_s
        );
    }
    assert!(current.iter().any(|ma| ma.abs() > 0.1));
    assert!(session.rows("estimates").len() > 10);
    let test = "kill_9_leaves_a_recording_that_can_be_read";
    let Some(python) = tras_test_support::python(test) else { return };
    let read = tras_test_support::lsl::said(tras_test_support::lsl::peer(
        &python,
        "read_xdf.py",
        &[path.to_str().unwrap()],
    ));
    let streams = read["streams"].as_array().unwrap();
    assert_eq!(streams.len(), session.survey.streams.len());
    let eeg = streams.iter().find(|s| s["name"] == "sim").unwrap();
    assert_eq!(eeg["samples"].as_u64(), Some(eeg_s.len() as u64));
}

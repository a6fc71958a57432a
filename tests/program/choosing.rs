//! Which stream is taken where several are there: twins are told apart by the advice that is printed, and several
//! programs on one machine each find their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::Instant;

use tras_test_support::lab::{Lab, wait_for};

/// The predicates of the `--stream "..."` lines.
fn advised(complaint: &str) -> Vec<String> {
    let lines = complaint.lines().filter_map(|line| line.trim().strip_prefix("--stream \""));
    lines.map(|rest| rest.trim_end_matches('"').to_owned()).collect()
}

#[test]
fn twins_are_chosen_by_the_line_that_is_printed() {
    let lab = Lab::new();
    // Alike in all that a sender chooses.
    let _twins = [0, 1].map(|_| lab.start("simulate --name twin --seed 4 --channels 3"));
    let complaint = wait_for("both twins", 30.0, || {
        let mut run = lab.run("monitor --headless --json --wait 5 --seconds 2 --stream twin");
        let status = run.end(60.0);
        let complaint = run.complained();
        (status.code() == Some(2) && complaint.contains("2 LSL streams")).then_some(complaint)
    });
    let advised = advised(&complaint);
    assert_eq!(advised.len(), 2, "{complaint}");
    assert!(advised.iter().all(|text| text.starts_with("uid='")) && advised[0] != advised[1], "{complaint}");
    for predicate in advised {
        let mut run =
            lab.run(&format!("monitor --headless --json --wait 10 --seconds 3 --stream {predicate}"));
        let summary = run.summary(0, 60.0);
        assert!(summary["samples_received"].as_u64().unwrap() > 250, "{predicate}: {summary}");
    }
}

#[test]
fn three_demos_at_once_find_their_own_streams() {
    let lab = Lab::new();
    let runs = [0, 1, 2].map(|_| lab.run("demo --headless --json --no-record --seconds 8 --wait 30"));
    for mut run in runs {
        let summary = run.summary(0, 120.0);
        assert!(summary["samples_received"].as_u64().unwrap() > 1000, "{summary}");
        let warnings = summary["warnings"].to_string();
        assert!(!warnings.contains("LSL"), "{warnings}");
    }
}

#[test]
fn the_wait_for_a_stream_says_what_is_there_and_obeys_a_signal() {
    let lab = Lab::new();
    let _other = lab.start("simulate --name other --seed 4 --channels 3");
    let mut run = lab.run("monitor --headless --wait 60 --stream missing");
    wait_for("what is looked for, and what is there", 20.0, || {
        let said = run.complained();
        (said.contains("\"missing\"") && said.contains("\"other\"")).then_some(())
    });
    let told = Instant::now();
    run.signal(libc::SIGTERM);
    run.end(10.0);
    let took_s = told.elapsed().as_secs_f64();
    println!("ended {took_s:.2} s after the signal");
    // 0.3 s on a quiet machine; what must not be is that the wait of a minute goes on.
    assert!(took_s < 3.0, "{took_s} s");
}

/// Every line is an object with its kind and both times, estimates, events and seconds are among them, and the file has
/// the same lines.
#[test]
fn lines_of_json_tell_a_run_while_it_goes_on() {
    let lab = Lab::new();
    let mut run = lab.run("demo --json-lines --log run.log --no-record --seconds 9 --wait 30");
    let summary = run.summary(0, 120.0);
    assert_eq!(summary["kind"], "summary");
    let said = run.said();
    let lines: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for line in &lines {
        assert!(line["unix_s"].as_f64().unwrap() > 1.7e9 && line["run_s"].is_f64(), "{line}");
    }
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert!((8..=10).contains(&of("second")), "{} seconds", of("second"));
    assert_eq!(of("estimate") as u64, summary["estimates"].as_u64().unwrap(), "one region, one line each");
    assert!(of("event") >= 2 && of("summary") == 1, "{said}");
    let valid = lines.iter().find(|line| line["kind"] == "estimate" && line["valid"] == true);
    assert!(valid.is_none_or(|line| line["exponent"].is_f64() && line["reason"].is_null()), "{valid:?}");
    assert_eq!(std::fs::read_to_string(lab.folder().join("run.log")).unwrap(), said);
    assert!(run.complained().contains("samples"), "people are told on standard error");
}

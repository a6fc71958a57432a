//! Streams that are not what they say: another rate than the nominal one, and senders that lose samples all the time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::Value;
use tras_test_support::lab::{Lab, Row, Run, Session};
use tras_test_support::python;

/// A configuration that only estimates, and records.
fn config(lab: &Lab, name: &str, settle_s: f64, estimator: &str) -> String {
    let text = format!(
        "[stream]\nname = \"{name}\"\nsettle_s = {settle_s}\nlost_after_s = 0.5\n[estimator]\n{estimator}\n[stimulation]\nenabled = false\n\
         [stimulator]\nkind = \"none\"\n[outlets]\nenabled = false\n[record]\nparticipant = \"{name}\"\n"
    );
    lab.write(&format!("{name}.toml"), &text).display().to_string()
}

fn valid(rows: &[(f64, Row)]) -> Vec<&Row> {
    rows.iter().map(|(_, row)| row).filter(|row| row["valid"] == 1.0).collect()
}

/// A stream that says 500 Hz and runs at 250: told, nothing valid before it is known, and after that a window of 4 s
/// lasts 4 s and has the exponent of the signal.
#[test]
fn a_rate_that_is_not_the_nominal_one_is_measured_and_windows_are_cut_by_it() {
    let name = "a_rate_that_is_not_the_nominal_one_is_measured_and_windows_are_cut_by_it";
    let Some(python) = python(name) else { return };
    let lab = Lab::new();
    let args = ["--name", "half", "--rate", "250", "--nominal", "500", "--slope", "1.5"];
    let _sender = lab.peer(&python, "send_eeg.py", &args);
    let config = config(&lab, "half", 2.0, "window_s = 4\nhop_s = 0.5");
    let mut run = lab.run(&format!("run --headless --json --record r --seconds 25 --wait 20 -c {config}"));
    let summary = run.summary(0, 90.0);
    assert_eq!(summary["rate_nominal_hz"], 500.0, "{summary}");
    let measured_hz = summary["rate_measured_hz"].as_f64().unwrap();
    assert!((measured_hz / 250.0 - 1.0).abs() < 0.01, "{summary}");
    let warnings = summary["warnings"].to_string();
    assert!(
        warnings.contains("500 Hz of itself") && warnings.contains("windows were cut by 250 Hz"),
        "{warnings}"
    );
    let said = run.said();
    assert!(said.contains("the stream says 500 Hz of itself, its stamps run at 2"), "told at once:\n{said}");
    assert!(said.contains("windows are cut by 250 Hz from here on"), "{said}");

    let session = Session::of(&summary, &lab);
    let (events, rows) = (session.events(), session.rows("estimates"));
    let refitted: Vec<&Value> = events.iter().map(|(_, e)| e).filter(|e| e["event"] == "refitted").collect();
    assert_eq!(refitted.len(), 1, "{events:?}");
    let from = refitted[0]["frame"].as_f64().unwrap();
    let valid = valid(&rows);
    assert!(valid.len() > 10, "{} valid of {}", valid.len(), rows.len());
    let stamps_s = session.numbers("half").1;
    for row in &valid {
        let (first, last) = (row["first_sample"] as usize, row["last_sample"] as usize);
        assert!(first as f64 > from, "valid before the rate was known: {row:?}");
        let lasts_s = stamps_s[last] - stamps_s[first];
        assert!((lasts_s - 4.0).abs() < 0.05, "a window of 4 s lasts {lasts_s} s");
    }
    let mean = valid.iter().map(|row| row["exponent"]).sum::<f64>() / valid.len() as f64;
    assert!((mean - 1.5).abs() < 0.15, "exponent {mean}, truth 1.5");
    // From the file, with the estimator's change at the same frame, the same numbers.
    let folder = lab.folder().join(summary["record_dir"].as_str().unwrap());
    let mut verify = lab.run(&format!("verify --recompute {}", folder.display()));
    let status = verify.end(60.0);
    assert_eq!(status.code(), Some(0), "{}{}", verify.said(), verify.complained());
}

/// Of every 500 samples 10, 20 or 50 are never sent: each is counted, and no valid window spans a gap.
#[test]
fn every_loss_of_a_lossy_sender_is_counted() {
    const RATE_HZ: f64 = 200.0;
    let Some(python) = python("every_loss_of_a_lossy_sender_is_counted") else { return };
    let lab = Lab::new();
    let mut runs: Vec<(usize, String, Run)> = Vec::new();
    let mut senders = Vec::new();
    for lost in [10, 20, 50] {
        let name = format!("lossy{lost}");
        let loses = format!("{lost}:500");
        let args = ["--name", &name, "--rate", "200", "--slope", "1.2", "--lose", &loses];
        senders.push(lab.peer(&python, "send_eeg.py", &args));
        // Between two gaps are 2.25 s at least: room for stamps to settle and for windows of 1 s.
        let config = config(&lab, &name, 0.5, "window_s = 1\nhop_s = 0.1");
        let args = format!("run --headless --json --record r --seconds 30 --wait 20 -c {config}");
        runs.push((lost, name, lab.run(&args)));
    }
    for (lost, name, mut run) in runs {
        let summary = run.summary(0, 120.0);
        let session = Session::of(&summary, &lab);
        let stamps_s = session.numbers(&name).1;
        let received = stamps_s.len();
        assert_eq!(summary["samples_received"].as_u64(), Some(received as u64), "{summary}");
        // The sender's stamps are exact: what is missing in them is what was never sent.
        let span = ((stamps_s[received - 1] - stamps_s[0]) * RATE_HZ).round() as usize + 1;
        let (missing, counted) = (span - received, summary["samples_lost"].as_u64().unwrap() as usize);
        assert!(missing >= 8 * lost && missing % lost == 0, "{missing} missing of {span} ({lost} each)");
        // The very last gap may not be confirmed yet.
        assert!(
            counted == missing || counted + lost == missing,
            "{lost} each: {counted} counted of {missing}"
        );
        let facts = session.rows("frame_facts");
        let after: Vec<usize> =
            facts.iter().filter(|(_, r)| r["lost_before"] > 0.0).map(|(_, r)| r["index"] as usize).collect();
        assert!(after.len() >= 8, "{} gaps", after.len());
        let rows = session.rows("estimates");
        let valid = valid(&rows);
        assert!(valid.len() > 10, "{} valid estimates of {}", valid.len(), rows.len());
        // By the stamps, not by what was counted: a window that spans a gap lasts longer than it should.
        for row in valid {
            let (first, last) = (row["first_sample"] as usize, row["last_sample"] as usize);
            let gap = stamps_s[first..=last].windows(2).any(|pair| pair[1] - pair[0] > 2.0 / RATE_HZ);
            assert!(!gap, "{lost} each: a valid window spans a gap: {row:?}");
        }
    }
}

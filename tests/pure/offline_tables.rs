//! `tras fit` and `tras estimate` as scripts use them, and their read-outs against fooof's and numpy's numbers
//! (tests/data/offline/make_readouts.py made them).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tras::estimator::bands::Band;
use tras::estimator::timescale::Timescale;
use tras::estimator::tracking::{TrackSettings, Tracker};
use tras::estimator::{Fit, Reason, Spectrum};

fn tras(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(tras_test_support::tras()).current_dir(folder).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn readouts() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/offline/readouts.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// A CSV of first-order autoregressive noise, without a time column: poles differ by channel, seeds by file.
fn recording(folder: &Path, name: &str, seed: u64, samples: usize, channels: &[&str]) -> PathBuf {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut values = vec![0.0; channels.len()];
    let mut text = channels.join(",") + "\n";
    for _ in 0..samples {
        let mut cells = Vec::new();
        for (nth, value) in values.iter_mut().enumerate() {
            let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            *value = (0.5 + 0.45 * nth as f64 / channels.len() as f64) * *value + 5.0 * normal;
            cells.push(format!("{value:.3}"));
        }
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
    (header, rows)
}

const COLUMNS: &str = "time,channel,exponent,exponent_se,ci_low,ci_high,offset,r_squared,mae,n_peaks,valid,reason,bend_evidence,knee_hz,knee_se,floor_uv,pivot_offset";

#[test]
fn a_table_has_the_contracts_columns_and_a_row_a_window_and_channel() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "rec.csv", 1, 250 * 21, &["Fz", "Cz"]);
    for method in ["specparam", "whittle"] {
        let arguments = [
            "estimate", "rec.csv", "--rate", "250", "--window", "4", "--hop", "4", "--method", method,
            // First-order noise is flat below its corner: bent, which is not what is asked here.
            "--range", "2,35", "--bent", "steer", "--out", "est.csv",
        ];
        let output = tras(folder.path(), &arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        let (header, rows) = table(&folder.path().join("est.csv"));
        assert_eq!(header.join(","), COLUMNS);
        // 21 s: 5 whole windows of 4 s.
        assert_eq!(rows.len(), 10);
        let times: Vec<&str> = rows.iter().step_by(2).map(|row| row[0].as_str()).collect();
        assert_eq!(times, ["3.996", "7.996", "11.996", "15.996", "19.996"]);
        for row in &rows {
            assert_eq!((row[10].as_str(), row[11].as_str()), ("true", ""));
            let exponent: f64 = row[2].parse().unwrap();
            if method == "whittle" {
                let [se, low, high] = [3, 4, 5].map(|at| row[at].parse::<f64>().unwrap());
                assert!(
                    (high - low - 2.0 * 1.959_964 * se).abs() < 1e-5 && low < exponent && exponent < high
                );
            } else {
                assert!(row[3..6].iter().all(String::is_empty) && row[7].parse::<f64>().unwrap() >= 0.0);
            }
        }
        // One file leaves nothing beside its table.
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 2);
    }
}

#[test]
fn the_rows_are_the_same_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "rec.csv", 2, 250 * 30, &["A", "B", "C", "D", "E"]);
    let run = |jobs: &str| {
        let arguments = [
            "estimate",
            "rec.csv",
            "--rate",
            "250",
            "--hop",
            "1",
            "--region",
            "front=A+c",
            "--bands",
            "theta,mu=9-12",
            "--timescale",
            "--track",
            "--jobs",
            jobs,
        ];
        let output = tras(folder.path(), &arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let one = run("1");
    assert_eq!(one, run("4"));
    assert_eq!(one, run("64"));
    let header = format!("{COLUMNS},theta_power,mu_power,timescale_s,tracked,tracked_low,tracked_high");
    assert_eq!(one.lines().next().unwrap(), header);
    // 27 windows of 5 channels and a region.
    assert_eq!(one.lines().count(), 1 + 27 * 6);
    assert!(one.lines().skip(1).all(|line| line.split(',').all(|cell| cell != "NaN")));
    assert_eq!(one.lines().nth(6).unwrap().split(',').nth(1).unwrap(), "front");
}

#[test]
fn a_broken_file_is_named_and_left_out_and_the_exit_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "a.csv", 3, 250 * 9, &["Fz"]);
    recording(folder.path(), "c.csv", 4, 250 * 9, &["Fz"]);
    std::fs::write(folder.path().join("b.csv"), "Fz\n1.0\nhello\n").unwrap();
    std::fs::write(folder.path().join("d.edf"), vec![b'0'; 300]).unwrap();
    let files = ["estimate", "a.csv", "b.csv", "c.csv", "d.edf", "--rate", "250", "--out", "est.csv"];
    let output = tras(folder.path(), &files);
    assert_eq!(output.status.code(), Some(4));
    let told = stderr(&output);
    assert!(told.contains("b.csv: line 3") && told.contains("d.edf"), "{told}");
    let (header, rows) = table(&folder.path().join("est.csv"));
    assert_eq!(header.join(","), format!("file,{COLUMNS}"));
    let files: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(files, ["a.csv", "a.csv", "c.csv", "c.csv"]);
    assert!(!folder.path().join("est.csv.parts").exists());
}

#[test]
fn what_is_missing_or_wrong_is_told_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "a.csv", 5, 2000, &["Fz"]);
    for (arguments, code, told) in [
        (&["estimate", "a.csv", "gone.csv", "--rate", "250"][..], 3, "gone.csv"),
        (&["estimate", "a.csv", "--rate", "250", "--hop", "9"], 2, "--hop"),
        (&["estimate", "a.csv", "--rate=-1"], 2, "--rate"),
        (&["estimate", "a.csv", "--rate", "250", "--bands", "gamma"], 2, "gamma"),
        (&["estimate", "a.csv", "--rate", "250", "--bands", "x=60-80"], 2, "outside the fit range"),
        (&["estimate", "a.csv", "--rate", "250", "--preset", "rest"], 2, "trasrest"),
        (&["estimate", "a.csv", "--rate", "250", "--out", "a.csv"], 2, "one of the recordings"),
        (&["estimate", "a.csv", "--rate", "250", "--region", "x=Fz+Qz"], 4, "\"Qz\""),
        (&["estimate", "a.csv", "--rate", "60"], 4, "half the stream's rate"),
        (&["estimate", "a.csv"], 4, "sampling rate"),
        (&["estimate"], 2, "FILE"),
        (&["fit", "gone.csv"], 3, "gone.csv"),
        (&["fit", "a.csv"], 4, "write freq"),
        (&["fit", "a.csv", "--range", "35,2"], 2, "--range"),
        (&["fit", "a.csv", "--min-peak-height=-1"], 2, "peak height"),
    ] {
        let output = tras(folder.path(), arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_second_run_does_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, seed) in [("a.csv", 6), ("b.csv", 7), ("c.csv", 8)] {
        recording(at, name, seed, 250 * 9, &["Fz", "Cz"]);
    }
    let run = |files: &[&str], more: &[&str]| {
        let all = [&["estimate"], files, &["--rate", "250", "--out", "est.csv"], more].concat();
        let output = tras(at, &all);
        assert!(output.status.success(), "{}", stderr(&output));
        (std::fs::read(at.join("est.csv")).unwrap(), stderr(&output))
    };
    let (first, _) = run(&["a.csv", "b.csv"], &[]);
    let (again, told) = run(&["a.csv", "b.csv"], &[]);
    assert_eq!(first, again);
    assert!(told.contains("2 of them by an earlier run"), "{told}");
    // In another order, and with one more.
    let (more, told) = run(&["c.csv", "b.csv", "./b.csv", "a.csv"], &[]);
    assert!(told.contains("3 recordings, 2 of them by an earlier run: 4 new rows"), "{told}");
    let (fresh, told) = run(&["c.csv", "b.csv", "a.csv"], &["--fresh"]);
    assert_eq!(more, fresh);
    assert!(!told.contains("earlier"), "{told}");
    // A recording that has changed, and other settings, are done again.
    recording(at, "b.csv", 9, 250 * 13, &["Fz", "Cz"]);
    let (_, told) = run(&["a.csv", "b.csv"], &[]);
    assert!(told.contains("6 new rows") || told.contains("10 new rows"), "{told}");
    let (_, told) = run(&["a.csv", "b.csv"], &["--range", "2,30"]);
    assert!(told.contains("10 new rows") && !told.contains("earlier"), "{told}");
    // A table that somebody has changed is not trusted.
    std::fs::write(at.join("est.csv"), "mine").unwrap();
    let (_, told) = run(&["a.csv", "b.csv"], &["--range", "2,30"]);
    assert!(!told.contains("earlier"), "{told}");
}

/// The parts of a run that was ended are used by the next.
#[test]
fn an_interrupted_run_goes_on_from_its_parts() {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use tras::offline::batch::{Batch, Event, run};
    let folder = tempfile::tempdir().unwrap();
    let names = ["a.csv", "b.csv", "c.csv", "d.csv"];
    let files: Vec<PathBuf> =
        names.iter().enumerate().map(|(k, n)| recording(folder.path(), n, k as u64, 2500, &["Fz"])).collect();
    let out = folder.path().join("est.csv");
    let batch =
        Batch { job: job(), files, out: Some(out.clone()), with_file: true, resume: true, threads: 1 };
    let (stop, seen) = (AtomicBool::new(false), AtomicUsize::new(0));
    let outcome = run(&batch, &stop, &|event| {
        if let Event::Done(..) = event {
            stop.store(seen.fetch_add(1, Ordering::Relaxed) == 1, Ordering::Relaxed);
        }
    })
    .unwrap();
    assert!(outcome.interrupted && outcome.done == 2 && !out.exists());
    let outcome = run(&batch, &AtomicBool::new(false), &|_| {}).unwrap();
    assert_eq!((outcome.interrupted, outcome.done, outcome.reused), (false, 4, 2));
    let resumed = std::fs::read(&out).unwrap();
    let whole = Batch { resume: false, threads: 3, ..batch };
    run(&whole, &AtomicBool::new(false), &|_| {}).unwrap();
    assert_eq!(resumed, std::fs::read(&out).unwrap());
}

fn job() -> tras::offline::recording::Job {
    use tras::acquisition::{recording::OpenOptions, settings::AcquisitionSettings};
    tras::offline::recording::Job {
        config: tras::config::Config::default(),
        open: OpenOptions { rate_hz: Some(250.0), ..OpenOptions::default() },
        acquisition: AcquisitionSettings { settle_s: 0.0, ..AcquisitionSettings::default() },
        regions: Vec::new(),
        region_mean: tras::estimator::window::RegionMean::Spectra,
        each_channel: true,
        readouts: tras::offline::lane::Readouts::default(),
        contamination: false,
        epochs: Vec::new(),
        fields: Vec::new(),
        during_current: None,
        delete_below_sd: None,
    }
}

#[test]
fn the_task_preset_deletes_poor_fits() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "rec.csv", 11, 250 * 400, &["Fz"]);
    let arguments = ["estimate", "rec.csv", "--rate", "250", "--preset", "trastask", "--out", "est.csv"];
    let output = tras(folder.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let (_, rows) = table(&folder.path().join("est.csv"));
    assert_eq!(rows.len(), 200);
    let all: Vec<(f64, bool, &str)> = rows
        .iter()
        .filter(|row| !row[7].is_empty())
        .map(|row| (row[7].parse().unwrap(), row[10] == "true", row[11].as_str()))
        .collect();
    let counted: Vec<f64> =
        all.iter().filter(|row| row.1 || row.2.starts_with("R2")).map(|row| row.0).collect();
    let n = counted.len() as f64;
    let mean = counted.iter().sum::<f64>() / n;
    let sd = (counted.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    for (r_squared, valid, reason) in all {
        if valid || reason.starts_with("R2") {
            assert_eq!(valid, r_squared >= mean - 3.0 * sd, "{r_squared} {reason}");
        }
    }
    assert!(stderr(&output).contains("fits deleted: R2 below the mean - 3 sd"));
}

#[test]
fn spoilt_samples_show_in_the_rows_that_they_touch() {
    let folder = tempfile::tempdir().unwrap();
    let path = recording(folder.path(), "rec.csv", 12, 250 * 40, &["Fz", "Cz"]);
    let text = std::fs::read_to_string(&path).unwrap();
    // Two thirds of the third window of Fz are no EEG.
    let mended: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(line, row)| match line {
            2100..2900 => {
                format!("{},{}", if line % 2 == 0 { "nan" } else { "90000" }, row.split(',').nth(1).unwrap())
            }
            _ => row.to_owned(),
        })
        .collect();
    std::fs::write(&path, mended.join("\n")).unwrap();
    let half = ["--min-segments", "0.5", "--timescale"];
    let output = tras(
        folder.path(),
        &[&["estimate", "rec.csv", "--rate", "250", "--out", "est.csv"][..], &half].concat(),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let (_, rows) = table(&folder.path().join("est.csv"));
    let invalid: Vec<(&str, &str, &str)> = rows
        .iter()
        .filter(|row| row[10] == "false")
        .map(|row| (row[0].as_str(), row[1].as_str(), row[11].as_str()))
        .collect();
    assert_eq!(invalid, [("11.996", "Fz", "too few clean segments")]);
    let spoilt = rows.iter().find(|row| row[0] == "11.996" && row[1] == "Fz").unwrap();
    assert!(spoilt[2].is_empty() && spoilt[12].is_empty());
}

#[test]
fn a_fit_is_one_json_object_a_line_with_the_contracts_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "freq,two,flat,none\n".to_owned();
    for bin in 0..=80 {
        let freq = f64::from(bin) * 0.5;
        let line = 10_f64
            .powf(1.5 - 2.0 * freq.max(0.1).log10() + 0.8 * (-0.5 * ((freq - 10.0) / 1.2).powi(2)).exp());
        writeln!(text, "{freq},{line:e},3.0,0").unwrap();
    }
    std::fs::write(folder.path().join("spectra.csv"), text).unwrap();
    let contract = [
        "fit",
        "spectra.csv",
        "--method",
        "specparam",
        "--mode",
        "fixed",
        "--range",
        "2,35",
        "--peak-width",
        "1,8",
        "--max-peaks",
        "12",
        "--min-peak-height",
        "0.05",
        "--peak-threshold",
        "2.0",
        "--format",
        "jsonl",
    ];
    let output = tras(folder.path(), &contract);
    assert!(output.status.success(), "{}", stderr(&output));
    let lines: Vec<String> =
        String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("{\"name\":\"two\",\"exponent\":"), "{}", lines[0]);
    let records: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<&str> = records[0].as_object().unwrap().keys().map(String::as_str).collect();
    let contract =
        ["name", "exponent", "offset", "exponent_se", "r_squared", "mae", "peaks", "valid", "reason"];
    let more = ["adjusted_r_squared", "bend_evidence", "knee_hz", "median_error", "pivot_offset"];
    let mut expected = [&contract[..], &more[..]].concat();
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert!((records[0]["exponent"].as_f64().unwrap() - 2.0).abs() < 0.01);
    let peak = &records[0]["peaks"][0];
    assert!(
        (peak["cf"].as_f64().unwrap() - 10.0).abs() < 0.05
            && (peak["pw"].as_f64().unwrap() - 0.8).abs() < 0.05
    );
    assert!((peak["bw"].as_f64().unwrap() - 2.4).abs() < 0.1);
    assert_eq!(records[0]["valid"], Value::Bool(true));
    assert_eq!(records[2]["valid"], Value::Bool(false));
    assert_eq!(records[2]["reason"].as_str(), Some("bad spectrum"));
    assert!(records[2]["exponent"].is_null());
    // The same without any option, and knee mode has its key.
    assert_eq!(output.stdout, tras(folder.path(), &["fit", "spectra.csv"]).stdout);
    let knee = tras(folder.path(), &["fit", "spectra.csv", "--mode", "knee"]);
    assert!(String::from_utf8(knee.stdout).unwrap().lines().all(|line| line.contains("\"knee\":")));
    let twice = tras(folder.path(), &["fit", "spectra.csv", "--mode", "doublexp"]);
    let record: Value = serde_json::from_slice(twice.stdout.split(|b| *b == b'\n').next().unwrap()).unwrap();
    let [before, after] = ["exponent0", "exponent"].map(|key| record[key].as_f64().unwrap());
    let knee = record["knee"].as_f64().unwrap();
    // The slope at 20 Hz is that of the straight line.
    let slope = before + after * 20_f64.powf(after) / (knee + 20_f64.powf(after));
    assert!((slope - 2.0).abs() < 0.1, "{record}");
    let refused = tras(folder.path(), &["fit", "spectra.csv", "--mode", "doublexp", "--method", "whittle"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    // whittle does not guess how a spectrum was made.
    let unknown =
        String::from_utf8(tras(folder.path(), &["fit", "spectra.csv", "--method", "whittle"]).stdout)
            .unwrap();
    assert!(unknown.lines().all(|line| line.contains("\"valid\":false") && line.contains("give --segments")));
    let known = ["fit", "spectra.csv", "--method", "whittle", "--segments", "20"];
    let record: Value =
        serde_json::from_slice(tras(folder.path(), &known).stdout.split(|b| *b == b'\n').next().unwrap())
            .unwrap();
    assert!(
        (record["exponent"].as_f64().unwrap() - 2.0).abs() < 0.15
            && record["exponent_se"].as_f64().unwrap() > 0.0
    );
}

#[test]
fn band_power_is_what_fooof_leaves_above_its_line() {
    for case in readouts()["bands"].as_array().unwrap() {
        let power = numbers(&case["power"]);
        let freqs_hz: Vec<f64> =
            (0..power.len()).map(|k| k as f64 * case["step_hz"].as_f64().unwrap()).collect();
        let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 1, gamma_shape: 1.0 };
        let aperiodic = numbers(&case["aperiodic"]);
        let fit = Fit {
            offset: aperiodic[0],
            exponent: *aperiodic.last().unwrap(),
            knee: (aperiodic.len() == 3).then_some(aperiodic[1]),
            ..Fit::failed(Reason::PoorFit)
        };
        for (name, range) in case["bands"].as_object().unwrap() {
            let range = numbers(range);
            let band = Band { name: name.clone(), range_hz: (range[0], range[1]) };
            let expected = case["means"][name].as_f64().unwrap();
            let found = band.adjusted_power_log10(&spectrum, &fit);
            assert!((found - expected).abs() < 1e-9, "{} {name}: {found} {expected}", case["mode"]);
        }
    }
}

#[test]
fn the_timescale_is_numpys() {
    let case = &readouts()["timescale"];
    let channels: Vec<Vec<f64>> = case["channels"].as_array().unwrap().iter().map(numbers).collect();
    let mut timescale = Timescale::new(1000, case["rate_hz"].as_f64().unwrap());
    for (channel, expected) in channels.iter().zip(numbers(&case["acf50_s"])) {
        timescale.clear();
        timescale.add(channel.iter().copied());
        assert!((timescale.acf50_s() - expected).abs() < 1e-9, "{} {expected}", timescale.acf50_s());
    }
    timescale.clear();
    channels.iter().for_each(|channel| timescale.add(channel.iter().copied()));
    assert!((timescale.acf50_s() - case["both_s"].as_f64().unwrap()).abs() < 1e-9);
}

#[test]
fn tracking_is_the_expectation_given_all_that_was_seen() {
    let case = &readouts()["tracking"];
    let mut tracker = Tracker::new(TrackSettings {
        drift_per_sqrt_s: case["drift"].as_f64().unwrap(),
        new_share: case["new_share"].as_f64().unwrap(),
        default_se: f64::NAN,
    });
    let times = numbers(&case["times"]);
    for (nth, time_s) in times.into_iter().enumerate() {
        let measured = case["measured"][nth]
            .as_array()
            .map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap()));
        let expected = numbers(&case["found"][nth]);
        let found = tracker.step(time_s, measured).unwrap();
        assert!(
            (found.exponent - expected[0]).abs() < 1e-9 && (found.sd - expected[1]).abs() < 1e-9,
            "{nth}"
        );
    }
}

/// A real recording with spoilt samples: what is reported as valid looks like EEG. (That a spoilt sample changes no
/// exponent by more than 0.05 is the window's own test.)
#[test]
fn spoilt_samples_of_a_real_recording_do_not_reach_the_table() {
    let Some(path) = std::env::var_os("TRAS_EYE_STATE_EDF").map(PathBuf::from).filter(|path| path.is_file())
    else {
        tras_test_support::skipped("the eye-state EDF", "TRAS_EYE_STATE_EDF names no file");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let output =
        tras(folder.path(), &["estimate", path.to_str().unwrap(), "--hop", "0.5", "--out", "est.csv"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let (_, rows) = table(&folder.path().join("est.csv"));
    let valid: Vec<f64> =
        rows.iter().filter(|row| row[10] == "true").map(|row| row[2].parse().unwrap()).collect();
    assert!(valid.len() > rows.len() / 2 && valid.iter().all(|x| (-0.5..3.0).contains(x)));
}

#[test]
fn a_reader_that_has_had_enough_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    recording(folder.path(), "rec.csv", 9, 250 * 60, &["A", "B", "C", "D", "E", "F", "G", "H"]);
    let spectra: String = (1..200).map(|f| format!("{f},{}\n", 1.0 / f64::from(f))).collect();
    std::fs::write(folder.path().join("spectra.csv"), format!("freq,a\n{spectra}")).unwrap();
    std::fs::copy(tras_test_support::root().join("configs/run.toml"), folder.path().join("run.toml"))
        .unwrap();
    for line in [
        "estimate rec.csv --rate 250 --hop 0.5",
        "estimate --preset list",
        "fit spectra.csv --range 2,35",
        "noise --seconds 1",
        "check run.toml",
    ] {
        // A pipe whose reader has gone before anything is written.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(tras_test_support::tras())
            .current_dir(folder.path())
            .args(line.split(' '))
            .stdout(writer)
            .output()
            .unwrap();
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{line}: {told}");
        assert!(!told.contains("roken pipe") && !told.contains("panicked"), "{line}: {told}");
    }
}

#[test]
fn what_holds_for_the_settings_is_said_once_and_a_range_beyond_the_data_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "b.csv", "c.csv"] {
        recording(folder.path(), name, 9, 250 * 9, &["A"]);
    }
    let output =
        tras(folder.path(), &["estimate", "a.csv", "b.csv", "c.csv", "--rate", "250", "--out", "t.csv"]);
    assert_eq!(stderr(&output).matches("smallest peak width").count(), 1, "{}", stderr(&output));
    let spectra: String =
        (1..=40).map(|f| format!("{},{}\n", 0.25 * f64::from(f), 1.0 / f64::from(f))).collect();
    std::fs::write(folder.path().join("s.csv"), format!("freq,a\n{spectra}")).unwrap();
    let output = tras(folder.path(), &["fit", "s.csv", "--range", "1,100"]);
    assert!(stderr(&output).contains("the spectra hold 0.25 to 10 Hz"), "{}", stderr(&output));
    let output = tras(folder.path(), &["fit", "s.csv", "--range", "1,10"]);
    assert!(!stderr(&output).contains("the spectra hold"), "{}", stderr(&output));
}

//! `tras run` between others' programs: a person's recording replayed by a process of its own, pylsl as the
//! sender, mne-lsl on our outlets, pyxdf on our files.
//!
//! The recording's whole 117 s are played where `TRAS_LONG` is set, its first minute otherwise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tras::acquisition::recording::OpenOptions;
use tras::recorder::check;
use tras_test_support::lab::{Lab, Row, Session, assert_contract, sleep_s};
use tras_test_support::python;
use tras_test_support::recordings::shared;

/// An adaptive session on the stream `eeg`, with a baseline as short as its law allows.
fn config(baseline_s: u32, block_s: u32, blocks: u32, target: f64) -> String {
    format!(
        "[stream]\nname = \"eeg\"\n[estimator]\neach_channel = true\n\
         [controller]\nlaw = \"adaptive\"\ntarget_exponent = {target}\n\
         [stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = {block_s}\n\
         gap_s = 30\nblocks = {blocks}\nbaseline_s = {baseline_s}\nelectrode_area_cm2 = 35\n\
         [stimulator]\nkind = \"simulated\"\n[record]\nparticipant = \"p\"\n[outlets]\nprefix = \"lab\"\n"
    )
}

/// Whether pyxdf finds what our own reader finds: every stream, its count, its clock offsets, its footer.
fn assert_pyxdf_agrees(lab: &Lab, python: &Path, session: &Session) {
    let path = session.path.to_str().unwrap();
    let mut peer = lab.peer(python, "read_xdf.py", &[path]);
    let output = said_by(&mut peer);
    let streams = output["streams"].as_array().unwrap();
    let names: Vec<&str> = streams.iter().map(|s| s["name"].as_str().unwrap()).collect();
    for name in ["eeg", "estimates", "current", "events"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert_eq!(streams.len(), session.survey.streams.len(), "{names:?}");
    for ours in &session.survey.streams {
        let name = &ours.description.name;
        let theirs = streams.iter().find(|s| s["name"] == name.as_str()).unwrap();
        assert_eq!(theirs["samples"].as_u64(), Some(ours.samples), "{name}");
        assert_eq!(theirs["clock_offsets"].as_u64(), Some(ours.clock_offsets.len() as u64), "{name}");
        assert!(ours.clock_offsets.len() >= 2, "{name}: {} clock offsets", ours.clock_offsets.len());
        assert_eq!(theirs["footer"], true, "{name}");
    }
}

fn said_by(peer: &mut tras_test_support::reader::Killed) -> Value {
    let mut text = String::new();
    std::io::Read::read_to_string(peer.0.stdout.as_mut().unwrap(), &mut text).unwrap();
    let status = peer.0.wait().unwrap();
    let mut errors = String::new();
    std::io::Read::read_to_string(peer.0.stderr.as_mut().unwrap(), &mut errors).unwrap();
    assert!(status.success(), "the peer failed: {text}\n{errors}");
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {text}\n{errors}"))
}

/// The valid exponents of a target.
fn exponents(rows: &[(f64, Row)], target: usize) -> Vec<f64> {
    let valid = rows.iter().filter(|(_, r)| r["target"] == target as f64 && r["valid"] == 1.0);
    valid.map(|(_, r)| r["exponent"]).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

const SPOILT: [usize; 4] = [898, 10_386, 11_509, 13_179];

#[test]
fn a_person_s_recording_replayed_is_estimated_and_its_spoilt_samples_are_never_used() {
    let name = "a_person_s_recording_replayed_is_estimated_and_its_spoilt_samples_are_never_used";
    let (Some(edf), Some(csv)) = (shared("eeg-eye-state.edf"), shared("eeg-eye-state.csv")) else {
        tras_test_support::skipped(name, "no shared data (set TRAS_SHARED_DATA)");
        return;
    };
    let long = std::env::var_os("TRAS_LONG").is_some();
    let (seconds, blocks) = if long { (112, 2) } else { (58, 1) };
    let lab = Lab::new();
    let toml = lab.write("run.toml", &config(12, 16, blocks, 1.2));
    let args = format!("run --headless --json --record r --seconds {seconds} --seed 1 -c {}", toml.display());
    let mut run = lab.run(&args);
    sleep_s(0.5);
    let _replay = lab.start(&format!("replay {} --name eeg", edf.display()));
    let summary = run.summary(0, f64::from(seconds) + 30.0);
    assert_contract(&summary);
    assert_eq!(summary["samples_lost"], 0, "{summary}");
    let session = Session::of(&summary, &lab);
    check(&session.path).unwrap();

    // Every sample of the file from the first one heard, unchanged and in its order.
    let file = tras_test_support::recordings::read(&edf, &OpenOptions::default(), 1000).unwrap();
    let (values, eeg_s) = session.numbers("eeg");
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
    let row = |k: usize| &file.values[14 * k..14 * (k + 1)];
    let offset = (0..2000).find(|k| same(row(*k), &values[..14])).expect("the first frame is in the file");
    let differs = (0..eeg_s.len()).find(|i| !same(row(offset + i), &values[14 * i..14 * (i + 1)]));
    assert_eq!(differs, None, "offset {offset}");
    assert!(offset < 640, "{offset} samples passed before the first was heard");
    assert_eq!(Some(eeg_s.len() as u64), summary["samples_received"].as_u64());

    let spoilt: Vec<usize> =
        SPOILT.iter().filter(|s| (offset..offset + eeg_s.len()).contains(*s)).map(|s| s - offset).collect();
    assert_eq!(spoilt.len(), if long { 4 } else { 1 }, "spoilt samples within what was heard");
    let facts: BTreeMap<u64, u32> = session
        .rows("frame_facts")
        .iter()
        .map(|(_, row)| (row["index"] as u64, row["spoilt_0"] as u32))
        .collect();
    let rows = session.rows("estimates");
    let usual: Vec<f64> = (0..15).map(|target| median(exponents(&rows, target))).collect();
    for &sample in &spoilt {
        let marked = facts.get(&(sample as u64)).copied().unwrap_or(0);
        for channel in 0..14 {
            let step = (row(offset + sample)[channel] - row(offset + sample - 1)[channel]).abs();
            assert!(step < 500.0 || marked & (1 << channel) != 0, "channel {channel}, a step of {step} uV");
        }
        // Used by no segment: each valid window around it has gone without the segments (1 s, every 0.5 s) that
        // hold it.
        let (mut around, mut off) = (0, 0.0);
        for (_, estimate) in &rows {
            let (first, last) = (estimate["first_sample"] as usize, estimate["last_sample"] as usize);
            if !(first..=last).contains(&sample) || estimate["valid"] != 1.0 {
                continue;
            }
            around += 1;
            off += estimate["exponent"] - usual[estimate["target"] as usize];
            let holding =
                (0..7).filter(|k| (first + 64 * k..first + 64 * k + 128).contains(&sample)).count() as f64;
            assert!(holding >= 1.0);
            assert!(
                estimate["segments_used"] <= estimate["segments_total"] - holding,
                "sample {sample}: {estimate:?}"
            );
        }
        let off = off / f64::from(around.max(1));
        let number = sample + offset;
        eprintln!("spoilt sample {number}: {around} valid estimates around it, {off:+.3} from the usual");
        assert!(off.abs() < 0.25, "a spike flattens: the exponents around {number} are off by {off}");
    }

    // Current went out, as the plan says, and is in the summary.
    let stimulated_s = summary["stimulation_seconds"].as_f64().unwrap();
    let planned_s = 16.0 * f64::from(blocks);
    assert!((planned_s - 0.3..planned_s + 0.5).contains(&stimulated_s), "{stimulated_s} s of current");
    let current = session.numbers("current").0;
    assert!(current.iter().any(|ma| ma.abs() > 0.2) && current.iter().all(|ma| ma.abs() <= 0.5 + 1e-6));
    assert!(summary["decisions"].as_u64().unwrap() > 5, "{summary}");

    let Some(python) = python(name) else { return };
    assert_pyxdf_agrees(&lab, &python, &session);
    // The same stretch by another program: numpy, ordinary least squares.
    let numbers: Vec<String> =
        [offset, offset + eeg_s.len()].iter().chain(&SPOILT).map(usize::to_string).collect();
    let mut words = vec![csv.to_str().unwrap()];
    words.extend(numbers.iter().map(String::as_str));
    let slopes = said_by(&mut lab.peer(&python, "slopes.py", &words));
    let targets = session.targets();
    let (mut off, mut pairs) = (0.0, Vec::new());
    for (index, label) in targets.iter().enumerate().filter(|(_, label)| *label != "all") {
        let valid = exponents(&rows, index);
        assert!(valid.len() > 40, "{label}: {} valid estimates", valid.len());
        let (ours, theirs) = (median(valid), slopes[label].as_f64().unwrap());
        eprintln!("{label:4} {ours:.2}, by least squares {theirs:.2}");
        off += (ours - theirs).abs() / 14.0;
        pairs.push((ours, theirs));
    }
    assert_eq!(pairs.len(), 14);
    assert!(off < 0.25, "{off} apart on average");
    // Where blinks reach, windows with one are left out here and fitted there: these channels are compared by their mean
    // distance only.
    let blinks = ["AF3", "F7", "F8", "AF4"];
    let labels = targets.iter().filter(|label| *label != "all");
    let quiet: Vec<(f64, f64)> = labels
        .zip(&pairs)
        .filter(|(label, _)| !blinks.contains(&label.as_str()))
        .map(|(_, pair)| *pair)
        .collect();
    assert!(correlation(&quiet) > 0.9, "{quiet:?}");
    let exponent = |label: &str| pairs[targets.iter().position(|t| t == label).unwrap() - 1].0;
    assert!(exponent("F3") > exponent("P8") + 0.4, "the front is steeper in this recording");
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| pairs.iter().map(|p| f(p.0 - mx, p.1 - my)).sum::<f64>();
    sum(&|x, y| x * y) / (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt()
}

#[test]
fn pylsl_sends_noise_of_a_known_exponent_and_it_is_found() {
    let Some(python) = python("pylsl_sends_noise_of_a_known_exponent_and_it_is_found") else { return };
    let lab = Lab::new();
    let _sender = lab.peer(&python, "send_pink.py", &["eeg", "1.4", "7"]);
    // Until it is there: numpy's import and the noise take their time.
    sleep_s(3.0);
    let mut runs: Vec<(&str, tras_test_support::lab::Run)> = ["specparam", "whittle"]
        .into_iter()
        .map(|method| {
            let text = config(26, 12, 1, 1.6)
                .replace("[estimator]\n", &format!("[estimator]\nmethod = \"{method}\"\n"))
                .replace("\"lab\"", &format!("\"{method}\""));
            let toml = lab.write(&format!("{method}.toml"), &text);
            let args = format!("run --headless --json --record {method} --seconds 42 -c {}", toml.display());
            (method, lab.run(&args))
        })
        .collect();
    for (method, run) in &mut runs {
        let summary = run.summary(0, 90.0);
        assert_contract(&summary);
        assert_eq!(summary["samples_lost"], 0, "{method}: {summary}");
        assert!(summary["estimates_clean"].as_u64().unwrap() > 30, "{method}: {summary}");
        assert!(summary["stimulation_seconds"].as_f64().unwrap() > 11.0, "{method}: {summary}");
        // Below the target: steeper noise than the start's.
        assert!(summary["stimulation_exponent"].as_f64().unwrap() > 1.52, "{method}: {summary}");
        let session = Session::of(&summary, &lab);
        assert_eq!(session.eeg().1, ["Fz", "Cz", "Pz", "Oz"]);
        // Nothing of the simulated current reaches pylsl: what was estimated under it counts here too.
        let rows = session.rows("estimates");
        let valid = exponents(&rows, 0);
        let mean = valid.iter().sum::<f64>() / valid.len() as f64;
        eprintln!("exponent 1.4 sent, {mean:.3} found by {method} over {} estimates", valid.len());
        assert!((mean - 1.4).abs() < 0.1, "{method}: {mean}");
        assert_pyxdf_agrees(&lab, &python, &session);
    }
}

#[test]
fn mne_lsl_reads_our_outlets_during_a_run() {
    let Some(python) = python("mne_lsl_reads_our_outlets_during_a_run") else { return };
    let lab = Lab::new();
    let toml = lab.write("run.toml", &config(18, 30, 1, 1.7));
    let _sim = lab.start("simulate --name eeg --channels 4 --seed 2");
    let args = format!("run --headless --json --no-record --seconds 40 -c {}", toml.display());
    let mut run = lab.run(&args);
    let read = said_by(&mut lab.peer(&python, "read_outlets_mne_lsl.py", &["lab", "24"]));
    let summary = run.summary(0, 60.0);
    assert_eq!(summary["observations_dropped"], 0, "{summary}");

    let names = |what: &str, key: &str| -> Vec<String> {
        read[what][key].as_array().unwrap().iter().map(|n| n.as_str().unwrap_or("-").to_owned()).collect()
    };
    let stamps_s = |what: &str| -> Vec<f64> {
        read[what]["stamps"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect()
    };
    let rows = |what: &str| read[what]["values"].as_array().unwrap().clone();

    // Estimates: a row a hop, named by region and field.
    let labels = names("estimates", "names");
    assert_eq!(labels.len(), 5 * 6, "{labels:?}");
    assert_eq!(labels[..2], ["all.exponent", "all.se"]);
    let (found, at_s) = (rows("estimates"), stamps_s("estimates"));
    assert!(found.len() >= 35, "{} rows of estimates in 24 s", found.len());
    assert!(at_s.windows(2).all(|w| (w[1] - w[0] - 0.5).abs() < 0.05), "a row each 0.5 s: {at_s:?}");
    let column = |label: &str| labels.iter().position(|l| l == label).unwrap();
    let (exponent, valid, contamination) =
        (column("all.exponent"), column("all.valid"), column("all.contamination"));
    let good: Vec<&Value> = found.iter().filter(|row| row[valid] == 1.0).collect();
    assert!(good.len() >= 10, "{} valid rows", good.len());
    assert!(good.iter().all(|row| (0.5..2.5).contains(&row[exponent].as_f64().unwrap())));
    assert!(found.iter().any(|row| row[contamination] == 2.0), "none marked as taken under current");

    // Current: as delivered, in mA, without a hole once it flows.
    assert_eq!(names("current", "names"), ["current"]);
    assert_eq!(read["current"]["rate"], 2000.0);
    let (ma, at_s) = (rows("current"), stamps_s("current"));
    assert!(ma.len() > 4_000, "{} samples of current", ma.len());
    let ma: Vec<f64> = ma.iter().map(|row| row[0].as_f64().expect("finite")).collect();
    assert!(ma.iter().all(|ma| ma.abs() <= 0.5 + 1e-6) && ma.iter().any(|ma| ma.abs() > 0.05));
    assert!(at_s.windows(2).all(|w| (w[1] - w[0] - 5e-4).abs() < 1e-4), "stamps of the current");

    // Events: JSON, each with its kind; decisions and the burst's states among them.
    assert_eq!(names("events", "types"), ["Markers"]);
    let events: Vec<Value> = rows("events")
        .iter()
        .map(|row| serde_json::from_str(row[0].as_str().unwrap()).expect("an event is JSON"))
        .collect();
    assert!(events.iter().all(|event| event["event"].is_string()));
    for kind in ["decision", "current", "phase"] {
        assert!(events.iter().any(|event| event["event"] == kind), "no {kind} among {} events", events.len());
    }
}

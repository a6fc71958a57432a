//! `tras demo --virtual`: repeats byte for byte, closes the loop, never steers by its own stimulus, keeps every
//! limit. All of it read back from the recording, not from what the program remembers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::Value;
use std::collections::BTreeMap;
use tras::controller::{ControllerSettings, Law, adaptive::Adaptive};
use tras::estimator::{Contamination, Estimate, Fit, Reason};
use tras::recorder::check;
use tras_test_support::lab::{Lab, Session, assert_contract};

const RATE_HZ: f64 = 2000.0;
const PEAK_MA: f64 = 0.5;

fn demo(lab: &Lab, args: &str) -> Value {
    let summary = lab.run(&format!("demo --virtual --json {args}")).summary(0, 300.0);
    assert_contract(&summary);
    assert_eq!(summary["faults"], Value::Array(Vec::new()));
    assert_eq!(summary["observations_dropped"], 0);
    summary
}

/// The demo's own plan and participant, but 34 blocks, or another law: 2,390 s.
fn long_plan(lab: &Lab, name: &str, law: &str) -> String {
    let text = include_str!("../../configs/demo.toml");
    // A target far enough from 1.5 to tell what moved from what the estimator is off by.
    let longer = text
        .replace("blocks = 12", "blocks = 34")
        .replace("target_exponent = 1.7", "target_exponent = 1.8")
        .replace("law = \"adaptive\"", law);
    assert!(
        longer.contains("blocks = 34") && longer.contains("target_exponent = 1.8"),
        "configs/demo.toml has changed; mend this test"
    );
    lab.write(name, &longer).display().to_string()
}

fn clean(row: &BTreeMap<String, f64>) -> bool {
    row["contamination"] == 0.0 && row["valid"] == 1.0
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
    let lab = Lab::new();
    let run = |seed: u32, dir: &str| {
        let mut summary = demo(&lab, &format!("--seconds 300 --seed {seed} --record {dir}"));
        let session = Session::of(&summary, &lab);
        assert!(check(&session.path).unwrap().len() >= 5);
        summary.as_object_mut().unwrap().remove("record_dir").unwrap();
        (summary, std::fs::read(&session.path).unwrap())
    };
    let (first, bytes) = run(1, "a");
    let (again, same_bytes) = run(1, "b");
    assert_eq!(first, again);
    assert!(bytes == same_bytes, "two recordings of seed 1 differ");
    assert!(bytes.len() > 2_000_000, "{} bytes of recording", bytes.len());
    let (other, other_bytes) = run(2, "c");
    assert_ne!(first["exponent_mean"], other["exponent_mean"]);
    assert!(bytes != other_bytes);
}

#[test]
fn the_adaptive_law_moves_the_participant_toward_the_target_and_an_open_loop_does_not() {
    let lab = Lab::new();
    // A participant who follows further, and forgets slowly: the response is an invention, the closing of the
    // loop around it is not.
    let participant = "response_gain = 0.6\nresponse_tau_s = 60";
    let at_the_end = |law: &str, name: &str| {
        let config = long_plan(&lab, name, law);
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n{participant}\n")).unwrap();
        let summary = demo(&lab, &format!("--config {config} --seconds 2400 --seed 1 --record {name}-run"));
        let session = Session::of(&summary, &lab);
        let rows = session.rows("estimates");
        let all: Vec<f64> = rows.iter().filter(|(_, r)| clean(r)).map(|(_, r)| r["exponent"]).collect();
        assert!(all.len() > 800, "{} clean estimates", all.len());
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let stimulation = summary["stimulation_exponent"].as_f64().unwrap();
        (mean(&all[all.len() * 2 / 3..]), stimulation)
    };
    let (open, given_open) = at_the_end("law = \"fixed\"", "open.toml");
    let (closed, given) = at_the_end("law = \"adaptive\"", "closed.toml");
    eprintln!("exponent at the end: open loop {open:.3}, closed {closed:.3} (target 1.8, given {given:.2})");
    assert_eq!(given_open, 1.5);
    assert!(given > 1.7, "the law gave {given}");
    // Noise of the participant's own exponent moves nothing; blinks and peaks lift the estimate by up to 0.1.
    assert!((open - 1.55).abs() < 0.07, "an open loop of 1.5 on a participant of 1.5: {open}");
    assert!((1.8 - closed).abs() < 0.3 * (1.8 - open).abs(), "closed {closed}, open {open}");
}

#[test]
fn only_clean_estimates_steer_and_every_decision_can_be_recomputed() {
    let lab = Lab::new();
    let summary = demo(&lab, "--seconds 500 --seed 3 --record r");
    let session = Session::of(&summary, &lab);
    let rows = session.rows("estimates");
    let by_id: BTreeMap<u64, &BTreeMap<String, f64>> =
        rows.iter().map(|(_, row)| (row["estimate_id"] as u64, row)).collect();
    assert_eq!(by_id.len() as u64, summary["estimates"].as_u64().unwrap());
    assert!(rows.iter().any(|(_, row)| row["contamination"] == 2.0), "nothing was estimated under current");

    // The recording's own word for "clean" is not taken: where was current, in the current's stream?
    let (current, current_s) = session.numbers("current");
    let flowing_s: Vec<f64> =
        current.iter().zip(&current_s).filter(|(ma, _)| **ma != 0.0).map(|(_, s)| *s).collect();
    assert!(flowing_s.len() > 100_000);
    let (eeg_name, _) = session.eeg();
    let eeg_s = session.numbers(&eeg_name).1;
    let flowed_between = |from_s: f64, to_s: f64| {
        let first = flowing_s.partition_point(|s| *s < from_s);
        flowing_s.get(first).is_some_and(|s| *s <= to_s)
    };

    let bounds =
        ControllerSettings { min_exponent: 0.5, max_exponent: 2.5, ..ControllerSettings::open(1.5, 0.5) };
    let mut law = Adaptive::new(1.7, 0.5, 0.3, bounds);
    let (mut last_id, mut decisions) = (1, BTreeMap::from([(1, 1.5)]));
    for (_, event) in session.events() {
        if event["event"] == "decision" {
            let row = by_id[&event["estimate"].as_u64().unwrap()];
            assert!(clean(row), "{event} follows from {row:?}");
            let (first, last) = (row["first_sample"] as usize, row["last_sample"] as usize);
            let (from_s, to_s) = (eeg_s[first], eeg_s[last]);
            assert!((to_s - row["window_end"]).abs() < 1e-9 && (to_s - from_s - 3.996).abs() < 1e-6);
            assert!(
                !flowed_between(from_s - 2.0, to_s),
                "{event}: current flowed from {from_s} - 2 to {to_s}"
            );
            let wanted = law.update(&estimate(row)).unwrap().exponent;
            let exponent = event["exponent"].as_f64().unwrap();
            assert!((exponent - wanted.clamp(0.5, 2.5)).abs() < 1e-12, "{event}: recomputed {wanted}");
            assert_eq!(event["bounded"], !(0.5..=2.5).contains(&wanted));
            let id = event["id"].as_u64().unwrap();
            assert_eq!(id, last_id + 1, "decisions count from 2, the first follows from no estimate");
            last_id = id;
            decisions.insert(id, exponent);
        }
        if event["event"] == "current" && event["state"] == "ramp up" {
            // A burst has the newest decision, and its exponent.
            assert_eq!(event["decision"].as_u64(), Some(last_id));
            assert_eq!(event["exponent"].as_f64(), Some(decisions[&last_id]));
        }
    }
    assert_eq!(summary["decisions"].as_u64(), Some(last_id - 1));
    // And none that could have steered was passed over.
    assert_eq!(rows.iter().filter(|(_, row)| clean(row)).count() as u64, last_id - 1);
}

#[test]
fn windows_under_current_are_estimated_through_it_and_hide_leaves_them_out() {
    let lab = Lab::new();
    let text = include_str!("../../configs/demo.toml");
    let plan = text
        .replace("block_s = 40", "block_s = 100")
        .replace("[estimator]", "[estimator]\nmethod = \"whittle\"");
    assert!(
        plan.contains("block_s = 100") && plan.contains("whittle"),
        "configs/demo.toml has changed; mend this test"
    );
    let hidden = plan.replace("[estimator]", "[estimator]\nduring_current = \"hide\"");
    let shown = lab.write("show.toml", &plan).display().to_string();
    let hidden = lab.write("hide.toml", &hidden).display().to_string();
    let table = |dir: &str| -> Vec<BTreeMap<String, String>> {
        let folder = std::fs::read_dir(lab.folder().join(dir)).unwrap().next().unwrap().unwrap().path();
        let mut reader = csv::Reader::from_path(folder.join("estimates.csv")).unwrap();
        reader.deserialize().map(|row| row.unwrap()).collect()
    };
    let events = |config: &str, dir: &str| -> Vec<Value> {
        let summary = demo(&lab, &format!("--config {config} --seconds 150 --seed 4 --record {dir}"));
        let through = Session::of(&summary, &lab).events();
        through
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| event["event"] == "through_current")
            .collect()
    };
    let found = events(&shown, "shown");
    assert!(found.len() > 60, "{} estimates through the current", found.len());
    let exponents = |valid: bool| -> Vec<f64> {
        let of = found.iter().filter(|event| event["valid"] == valid);
        of.filter_map(|event| event["exponent"].as_f64()).collect()
    };
    let (valid, not) = (exponents(true), exponents(false));
    assert!(valid.len() > 20, "{} valid, {} not", valid.len(), not.len());
    // The participant's exponent is 1.5; the current's is 1.5 too, so what is left must be smaller by tens of dB, too.
    let mean = valid.iter().sum::<f64>() / valid.len() as f64;
    assert!((mean - 1.5).abs() < 0.15, "{mean}");
    let last = found.last().unwrap();
    assert!(last["last_sample"].as_u64().unwrap() - last["first_sample"].as_u64().unwrap() > 900, "{last}");
    assert!(
        found
            .iter()
            .all(|event| event["valid"] == true || event["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
    assert_eq!(events(&hidden, "hidden"), Vec::<Value>::new());
    // The table has them as rows of their own, marked; without a number, because nothing follows from them.
    let marked: Vec<_> = table("shown").into_iter().filter(|row| row["through_current"] == "true").collect();
    assert_eq!(marked.len(), found.len());
    assert!(marked.iter().all(|row| row["estimate_id"].is_empty() && row["contamination"] == "stimulating"));
    assert_eq!(marked.iter().filter(|row| row["valid"] == "true").count(), valid.len());
    assert!(marked.iter().any(|row| row["removed_db"].parse::<f64>().is_ok_and(|db| db > 10.0)));
    assert!(
        table("hidden").iter().all(|row| row["through_current"] == "false" && row["removed_db"].is_empty())
    );
}

fn estimate(row: &BTreeMap<String, f64>) -> Estimate {
    Estimate {
        id: row["estimate_id"] as u64,
        target: row["target"] as usize,
        first_sample: row["first_sample"] as u64,
        last_sample: row["last_sample"] as u64,
        stamp_s: row["window_end"],
        segments_used: row["segments_used"] as _,
        segments_total: row["segments_total"] as _,
        contamination: Contamination::Clean,
        fit: Fit {
            exponent: row["exponent"],
            exponent_se: row["exponent_se"],
            offset: row["offset"],
            r_squared: row["r_squared"],
            mae: row["mae"],
            invalid: None,
            ..Fit::failed(Reason::PoorFit)
        },
    }
}

/// The triangular mean over 10 s: a mean over 5 s of means over 5 s.
fn largest_slow_mean(current: &[f64]) -> f64 {
    let width = (5.0 * RATE_HZ) as usize;
    let boxcar = |x: &[f64]| {
        let mut sum = 0.0;
        let padded = std::iter::repeat_n(0.0, width).chain(x.iter().copied());
        let new = x.iter().copied().chain(std::iter::repeat_n(0.0, width));
        let means = new.zip(padded).map(|(new, old)| {
            sum += new - old;
            sum / width as f64
        });
        means.collect::<Vec<f64>>()
    };
    boxcar(&boxcar(current)).into_iter().fold(0.0, |most, x| most.max(x.abs()))
}

#[test]
fn every_limit_holds_and_peak_and_rms_are_as_configured() {
    let lab = Lab::new();
    for seed in [1, 2] {
        let summary = demo(&lab, &format!("--seed {seed} --record r"));
        let session = Session::of(&summary, &lab);
        let (current, stamps_s) = session.numbers("current");
        // Bursts: what follows on without a break, between zeros of a second.
        let mut bursts: Vec<Vec<f64>> = Vec::new();
        let mut last_s = f64::NEG_INFINITY;
        for (&ma, &stamp_s) in current.iter().zip(&stamps_s) {
            assert!(stamp_s > last_s);
            if stamp_s - last_s > 1.0 {
                bursts.push(Vec::new());
            } else {
                assert!((stamp_s - last_s - 1.0 / RATE_HZ).abs() < 1e-6, "a break in a burst at {stamp_s}");
            }
            last_s = stamp_s;
            bursts.last_mut().unwrap().push(ma);
        }
        assert_eq!(bursts.len(), 12, "blocks of the plan");
        let (mut active, mut charge_mc) = (0_usize, 0.0);
        for burst in &bursts {
            let seconds = burst.len() as f64 / RATE_HZ;
            assert!((40.0..40.3).contains(&seconds), "a block of 40 s took {seconds} s");
            assert!(burst.iter().all(|ma| ma.abs() <= PEAK_MA + 1e-6));
            assert!(burst.windows(2).all(|w| (w[1] - w[0]).abs() <= 0.5 * 0.5 + 1e-6), "0.5 mA/ms");
            let dc_ma = largest_slow_mean(burst);
            assert!(dc_ma <= 0.020, "a 10 s mean of {} uA", dc_ma * 1e3);
            let (mut net, mut most) = (0.0_f64, 0.0_f64);
            for ma in burst {
                net += ma / RATE_HZ;
                most = most.max(net.abs());
            }
            assert!(most <= 0.6, "{most} mC to one side");
            // Half a second into a ramp of 5 s the gain is below 2.5 %.
            let (begin, end) = (&burst[..1000], &burst[burst.len() - 1000..]);
            assert!(begin.iter().chain(end).all(|ma| ma.abs() < 0.025 * PEAK_MA));
            assert_eq!(burst.last(), Some(&0.0));
            let steady = &burst[(6.0 * RATE_HZ) as usize..(34.0 * RATE_HZ) as usize];
            let rms = (steady.iter().map(|x| x * x).sum::<f64>() / steady.len() as f64).sqrt();
            // 28 s of noise with most power at its slowest: the spread of the RMS itself is several percent.
            assert!((rms / (PEAK_MA / 3.0) - 1.0).abs() < 0.3, "RMS {rms} mA");
            active += burst.len();
            charge_mc += burst.iter().map(|x| x.abs()).sum::<f64>() / RATE_HZ;
        }
        assert!(charge_mc <= 2400.0 && active as f64 / RATE_HZ <= 40.0 * 60.0);
        // All blocks: ramps of a raised cosine hold 3/8 of the full power.
        let full_s = 12.0 * (30.0 + 10.0 * 3.0 / 8.0);
        let squares = current.iter().map(|x| x * x).sum::<f64>() / RATE_HZ;
        let rms = (squares / full_s).sqrt();
        assert!((rms / (PEAK_MA / 3.0) - 1.0).abs() < 0.05, "RMS {rms} mA over all blocks");
        let peak = current.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        assert!((0.9 * PEAK_MA..=PEAK_MA).contains(&peak), "peak {peak} mA");

        // The summary says what the recording holds.
        let near = |key: &str, value: f64| {
            let told = summary[key].as_f64().unwrap();
            assert!((told - value).abs() < 1e-6 * value, "{key}: {told}, recorded {value}");
        };
        near("current_peak_ma", peak);
        // The host counts a ramp to its end, whose last samples the device rounds to zero: half a second a block.
        let (told_s, flowed_s) = (summary["stimulation_seconds"].as_f64().unwrap(), active as f64 / RATE_HZ);
        assert!((told_s - flowed_s).abs() < 0.1 * 12.0, "stimulation_seconds: {told_s}, recorded {flowed_s}");
        near("current_rms_ma", (squares / told_s).sqrt());
        near("charge_c", charge_mc * 1e-3);
        assert_eq!(summary["underruns"], 0);
    }
}

//! Two runs of one participant at once, each with a stimulator of its own: the day is one.

use tras_test_support::{
    lab::Lab,
    serial::{Bench, Wrong},
};

use crate::common::{SIMULATE, config, end_of, serial};

/// What is left of the day, in s.
const LEFT_S: f64 = 24.0;

#[test]
fn two_runs_at_once_share_what_is_left_of_the_day() {
    let lab = Lab::new();
    let _sim = lab.start(SIMULATE);
    let now_s = tras::clock::unix_s();
    std::fs::create_dir_all(lab.folder().join("ledger")).unwrap();
    let entry = serde_json::json!({
        "participant": "s01", "ended_unix_s": now_s - 3_600.0, "active_s": 3_600.0 - LEFT_S,
    });
    lab.write("ledger/dose.jsonl", &format!("{entry}\n"));
    let benches = [Bench::start(Wrong::default()), Bench::start(Wrong::default())];
    let mut runs: Vec<_> = benches
        .iter()
        .enumerate()
        .map(|(at, bench)| {
            let file = lab.write(&format!("run-{at}.toml"), &config(&serial(bench), ""));
            let args = format!("run --headless --json --no-record --seconds 40 -c {}", file.display());
            lab.start(&args)
        })
        .collect();
    let codes: Vec<Option<i32>> = runs.iter_mut().map(|run| end_of(&mut run.0, 70.0)).collect();
    // What left both devices, as each tick says.
    let flowed_s: Vec<f64> = benches
        .iter()
        .map(|bench| {
            let flow = bench.flow.lock().unwrap();
            let from = flow.iter().find(|flow| flow.current_ma != 0.0).map_or(0.0, |flow| flow.at_s);
            flow.iter().rfind(|flow| flow.current_ma != 0.0).map_or(0.0, |flow| flow.at_s - from)
        })
        .collect();
    let sum_s: f64 = flowed_s.iter().sum();
    println!("{LEFT_S} s were left: {flowed_s:.1?} s flowed, {sum_s:.1} s in all; codes {codes:?}");
    assert!(flowed_s.iter().all(|s| *s > 3.0), "both played: {flowed_s:?}");
    // Each is told of the other at its own next write, 5 s apart, and ramps down in 1 s.
    assert!(sum_s < LEFT_S + 13.0, "{sum_s} s");
    assert!(codes.iter().all(|code| *code == Some(4)), "{codes:?}");
}

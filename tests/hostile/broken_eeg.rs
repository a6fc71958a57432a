//! EEG that is wrong within the protocol: numbers that are none, stamps that jump, run backwards or stand still, rates that
//! are not what they claim, a flood. The run lives, says what is wrong where something is, and is never steered by it.

use std::path::Path;

use tras_test_support::{
    lab::{Lab, Session, sleep_s},
    network::alone,
    python,
    serial::{Bench, Wrong},
};

use tras_device::State;

use crate::common::{comes_to, config, serial, told};

/// A run of 16 s on EEG that is wrong in this way from the start; its summary and its estimates: all, and the valid ones.
fn watched(python: &Path, way: &str) -> (serde_json::Value, usize, usize) {
    let lab = Lab::new();
    let _sender = lab.peer(python, "send_wrong.py", &[way]);
    let mut run = lab.run("monitor --headless --json --record r --wait 20 --seconds 16 --stream sim");
    let status = run.end(50.0);
    let (said, complained) = (run.said(), run.complained());
    assert!(matches!(status.code(), Some(0 | 4)), "{way}: {status}\n{said}\n{complained}");
    assert!(!complained.contains("panicked"), "{way}: {complained}");
    let summary: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let rows = Session::of(&summary, &lab).rows("estimates");
    let valid = rows.iter().filter(|(_, row)| row["valid"] == 1.0).count();
    println!("{way}: {} estimates, {valid} valid; warnings {}", rows.len(), summary["warnings"]);
    (summary, rows.len(), valid)
}

#[test]
fn broken_eeg_neither_ends_a_run_nor_makes_an_estimate() {
    let name = "broken_eeg_neither_ends_a_run_nor_makes_an_estimate";
    let Some(python) = python(name) else { return };
    alone(name, move || {
        // The measure of the others: the same signal, whole.
        let (_, all, valid) = watched(&python, "nothing");
        assert!(valid * 2 > all && all > 10, "{valid} of {all} valid with nothing wrong");
        for way in ["constant", "backwards", "ahead", "huge"] {
            let (_, _, valid) = watched(&python, way);
            assert_eq!(valid, 0, "{way}");
        }
        // Ten times slower than it says of itself: told, and estimated at the rate that it has, once that is known.
        let (summary, all, valid) = watched(&python, "slow");
        assert!(summary["warnings"].to_string().contains("windows were cut by 250 Hz"), "{summary}");
        assert!(
            valid < all && (summary["rate_measured_hz"].as_f64().unwrap() - 250.0).abs() < 2.0,
            "{summary}"
        );
    });
}

#[test]
fn eeg_that_is_spoilt_here_and_there_neither_ends_a_run_nor_passes_for_whole() {
    let name = "eeg_that_is_spoilt_here_and_there_neither_ends_a_run_nor_passes_for_whole";
    let Some(python) = python(name) else { return };
    alone(name, move || {
        for way in ["nan", "stamps", "jumpy"] {
            let (summary, all, valid) = watched(&python, way);
            let gaps = summary["gaps"].as_u64().unwrap();
            assert!(
                valid < all || gaps > 0,
                "{way}: {valid} of {all} valid, {gaps} gaps: nothing was noticed"
            );
        }
    });
}

/// A hundred times the samples that there should be, in mid-burst: the current may end, by a ramp and with a word; a stop
/// is obeyed at once.
#[test]
fn a_flood_of_samples_does_not_delay_a_stop() {
    let name = "a_flood_of_samples_does_not_delay_a_stop";
    let Some(python) = python(name) else { return };
    alone(name, move || {
        let lab = Lab::new();
        let _sender = lab.peer(&python, "send_wrong.py", &["flood", "--good", "22"]);
        let bench = Bench::start(Wrong::default());
        let file = lab.write("run.toml", &config(&serial(&bench), ""));
        let mut run = lab.run(&format!("run --headless --json --no-record --wait 20 -c {}", file.display()));
        comes_to(&bench, State::Stimulating, 40.0);
        let flood_s = bench.now_s();
        let word = told(&run, "current ended", 30.0);
        sleep_s(1.5);
        let largest_ma = bench.after(flood_s).0;
        assert!(
            bench.flow.lock().unwrap().iter().all(|flow| flow.state != State::Fault),
            "a fault of the device"
        );
        assert_eq!(bench.newest().current_ma, 0.0);
        println!("flood: {}; at most {largest_ma:.3} mA", word.trim());
        assert!(largest_ma <= 0.5, "{largest_ma} mA");
        run.signal(libc::SIGINT);
        let began = std::time::Instant::now();
        run.end(20.0);
        println!("the run had ended {:.1} s after Ctrl-C", began.elapsed().as_secs_f64());
        assert!(began.elapsed().as_secs_f64() < 5.0);
    });
}

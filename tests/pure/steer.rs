//! `estimator.during_current = "steer"`: a certificate from a recording, a first block that confirms it, and a law that
//! reaches its target within the second; and everything without which nothing steers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use serde_json::Value;
use tras_test_support::lab::{Lab, Session};

const TARGET: f64 = 1.8;

/// A run of two channels: `during`, what the participant answers, block length and count, and what else there is.
fn plan(during: &str, gain: f64, block_s: u32, blocks: u32, more: &str) -> String {
    format!(
        "[stream]\nhighpass_hz = 0.1\nlowpass_hz = 100\n\
         [estimator]\nmethod = \"whittle\"\nduring_current = \"{during}\"\n{more}\
         [controller]\nlaw = \"adaptive\"\ntarget_exponent = {TARGET}\n\
         [stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = {block_s}\ngap_s = 30\n\
         blocks = {blocks}\nbaseline_s = 40\nelectrode_area_cm2 = 35\n\
         [stimulator]\nkind = \"simulated\"\n[simulation]\nchannels = 2\nresponse_gain = {gain}\n"
    )
}

/// What the program says, both streams, where it ends with `code`.
fn says(lab: &Lab, code: i32, arguments: &[&str]) -> String {
    let output = lab.tras("").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

/// Runs a configuration in virtual time. Gives the folder of its recording.
fn run(lab: &Lab, config: &str, record: &str) -> PathBuf {
    says(lab, 0, &["demo", "-c", config, "--virtual", "--headless", "--seed", "4", "--record", record]);
    let mut folders = std::fs::read_dir(lab.folder().join(record)).unwrap();
    folders.next().unwrap().unwrap().path()
}

/// A lab with a phantom's recording that has been certified, and the configuration `steer.toml` that names it.
fn certified(block_s: u32, blocks: u32) -> Lab {
    let lab = Lab::new();
    // A phantom answers to nothing.
    lab.write("phantom.toml", &plan("show", 0.0, 300, 1, ""));
    let steer = plan("steer", 0.5, block_s, blocks, "[through_current]\ncertificate = \"phantom.cert\"\n");
    lab.write("steer.toml", &steer);
    let phantom = run(&lab, "phantom.toml", "phantom").join("session.xdf");
    let told = says(
        &lab,
        0,
        &[
            "certify",
            "--through-current",
            phantom.to_str().unwrap(),
            "-c",
            "steer.toml",
            "--load",
            "virtual phantom",
            "-o",
            "phantom.cert",
        ],
    );
    assert!(told.contains("certified: in the configuration"), "{told}");
    lab
}

fn events(folder: &std::path::Path) -> Vec<(f64, Value)> {
    Session::open(folder).events()
}

fn of<'a>(events: &'a [(f64, Value)], kind: &str) -> Vec<&'a (f64, Value)> {
    events.iter().filter(|(_, event)| event["event"] == kind).collect()
}

fn steered(events: &[(f64, Value)]) -> Vec<f64> {
    let decisions = of(events, "decision");
    decisions.iter().filter(|(_, event)| event["through_current"] == true).map(|(at_s, _)| *at_s).collect()
}

/// When block `number` begins and ends.
fn block(events: &[(f64, Value)], number: u64) -> (f64, f64) {
    let phases = of(events, "phase");
    let at = phases.iter().position(|(_, e)| e["phase"] == "block" && e["block"] == number).unwrap();
    (phases[at].0, phases[at + 1].0)
}

/// Mean of what was proven under current in the last 80 s of block 2.
fn reached(events: &[(f64, Value)]) -> f64 {
    let (_, end_s) = block(events, 2);
    let through = of(events, "through_current");
    let late = through.iter().filter(|(at_s, event)| {
        (end_s - 80.0..end_s).contains(at_s) && event["valid"] == true && event["target"] == 0
    });
    let exponents: Vec<f64> = late.map(|(_, event)| event["exponent"].as_f64().unwrap()).collect();
    assert!(exponents.len() > 80, "{} proven", exponents.len());
    exponents.iter().sum::<f64>() / exponents.len() as f64
}

#[test]
fn a_law_reaches_its_target_within_a_block_that_its_first_block_has_confirmed() {
    let lab = certified(300, 2);
    let folder = run(&lab, "steer.toml", "steer");
    let steering = events(&folder);
    let confirmed = of(&steering, "through_current_confirmed");
    assert_eq!(confirmed.len(), 1);
    assert_eq!(confirmed[0].1["confirmed"], true, "{confirmed:?}");
    let (first, second) = (block(&steering, 1), block(&steering, 2));
    assert!(confirmed[0].0 >= first.1);
    let decisions = steered(&steering);
    assert!(decisions.len() > 200, "{}", decisions.len());
    assert!(decisions.iter().all(|at_s| (second.0..second.1).contains(at_s)), "in the second block alone");

    // No step of the current's exponent is faster than 0.02/s over the 4.1 s of a noise block.
    let bursts = of(&steering, "current");
    let moving: Vec<(f64, f64)> = bursts
        .iter()
        .filter(|(at_s, e)| e["state"] == "stimulating" && *at_s > second.0)
        .map(|(at_s, e)| (*at_s, e["exponent"].as_f64().unwrap()))
        .collect();
    assert!(moving.len() > 10, "{moving:?}");
    for pair in moving.windows(2) {
        let step = (pair[1].1 - pair[0].1).abs();
        assert!(step <= 0.02 * 4.097, "{pair:?}");
    }

    // Today's law has the gaps alone.
    lab.write("show.toml", &plan("show", 0.5, 300, 2, ""));
    let showing = events(&run(&lab, "show.toml", "show"));
    assert!(steered(&showing).is_empty() && of(&showing, "through_current_confirmed").is_empty());
    let (with, without) = (reached(&steering), reached(&showing));
    println!(
        "mean exponent in the last 80 s of block 2, target {TARGET}: steer {with:.3}, show {without:.3}"
    );
    assert!((with - TARGET).abs() < 0.06, "{with}");
    assert!((without - TARGET).abs() > 2.0 * (with - TARGET).abs(), "{with} {without}");

    // What followed from windows under current is not recomputed, and that is said.
    let told = says(&lab, 0, &["verify", folder.to_str().unwrap(), "--recompute"]);
    assert!(told.contains("followed from a window under current"), "{told}");
}

#[test]
fn a_first_block_that_does_not_confirm_lets_nothing_steer() {
    // Some twenty seconds are left of it once the path is learnt.
    let lab = certified(60, 2);
    let seen = events(&run(&lab, "steer.toml", "short"));
    let confirmed = of(&seen, "through_current_confirmed");
    assert_eq!((confirmed.len(), &confirmed[0].1["confirmed"]), (1, &Value::Bool(false)));
    assert!(confirmed[0].1["reason"].as_str().unwrap().contains("less than a minute"), "{confirmed:?}");
    assert!(steered(&seen).is_empty() && of(&seen, "through_current").len() > 50);
}

#[test]
fn without_a_certificate_of_this_very_setup_steer_is_refused() {
    let lab = certified(60, 1);
    let text = std::fs::read_to_string(lab.folder().join("steer.toml")).unwrap();
    let refused = |name: &str, text: &str, why: &str| {
        lab.write(name, text);
        let told = says(&lab, 2, &["demo", "-c", name, "--virtual", "--headless", "--seed", "4"]);
        assert!(told.contains(why), "{name}: {told}");
    };
    refused("montage.toml", &text.replace("channels = 2", "channels = 3"), "made for the montage");
    let window = text.replace("[estimator]", "[estimator]\nrange_hz = [2, 40]");
    refused("window.toml", &window, "made for the windows 2..35 Hz in 4 s");
    let old = text.replace("[through_current]", "[through_current]\ncertificate_days = 0.1");
    lab.write("old.toml", &old);
    says(&lab, 0, &["check", "old.toml"]);
    refused("missing.toml", &text.replace("phantom.cert", "other.cert"), "other.cert cannot be read");
    let certificate = std::fs::read_to_string(lab.folder().join("phantom.cert")).unwrap();
    lab.write("edited.cert", &certificate.replacen("removed_db = ", "removed_db = 9", 1));
    refused("edited.toml", &text.replace("phantom.cert", "edited.cert"), "was changed after it was signed");
}

#[test]
fn a_recording_that_does_not_show_it_is_not_certified() {
    let lab = Lab::new();
    lab.write("short.toml", &plan("show", 0.0, 60, 1, ""));
    lab.write("steer.toml", &plan("steer", 0.5, 60, 1, "[through_current]\ncertificate = \"c.cert\"\n"));
    let certify = |recording: &str, code: i32| {
        let fixed =
            ["certify", "--through-current", recording, "-c", "steer.toml", "--load", "x", "-o", "c.cert"];
        says(&lab, code, &fixed)
    };
    let short = run(&lab, "short.toml", "short").join("session.xdf");
    let told = certify(short.to_str().unwrap(), 2);
    assert!(told.contains("not certified: only") && told.contains("at least 60 s are needed"), "{told}");
    // A participant who answers is no phantom: the exponent under current is another one.
    lab.write("answers.toml", &plan("show", 1.0, 300, 1, ""));
    let answers = run(&lab, "answers.toml", "answers").join("session.xdf");
    let told = certify(answers.to_str().unwrap(), 2);
    assert!(told.contains("off the clean one"), "{told}");
    assert!(!lab.folder().join("c.cert").exists());
    certify("nothing.xdf", 3);
}

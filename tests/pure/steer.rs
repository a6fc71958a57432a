//! `tras certify --through-current`: what a phantom's recording shows is certified and signed; what does not show it is not.
//! `estimator.during_current = "steer"` itself is not released (`tests/invalid_configs/during_current_steer.toml`).
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use tras_test_support::lab::Lab;

/// A run of two channels that shows windows under current: what the participant answers, and how long the block is.
fn plan(gain: f64, block_s: u32, more: &str) -> String {
    format!(
        "[estimator]\nmethod = \"whittle\"\n{more}[controller]\nlaw = \"adaptive\"\ntarget_exponent = 1.8\n\
         [stimulation]\nenabled = true\nexponent = 1.5\nramp_up_s = 5\nramp_down_s = 5\nblock_s = {block_s}\ngap_s = 30\n\
         blocks = 1\nbaseline_s = 40\nelectrode_area_cm2 = 35\n\
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

/// Runs a plan in virtual time. Gives its recording.
fn record(lab: &Lab, name: &str, plan: &str) -> PathBuf {
    let config = format!("{name}.toml");
    lab.write(&config, plan);
    says(lab, 0, &["demo", "-c", &config, "--virtual", "--headless", "--seed", "4", "--record", name]);
    let mut folders = std::fs::read_dir(lab.folder().join(name)).unwrap();
    folders.next().unwrap().unwrap().path().join("session.xdf")
}

fn certify(lab: &Lab, code: i32, recording: &str, config: &str) -> String {
    let fixed =
        ["certify", "--through-current", recording, "-c", config, "--load", "virtual", "-o", "c.cert"];
    says(lab, code, &fixed)
}

#[test]
fn a_phantom_is_certified_and_the_certificate_holds_for_its_own_setup_alone() {
    let lab = Lab::new();
    // A phantom answers to nothing.
    let phantom = record(&lab, "phantom", &plan(0.0, 300, ""));
    let told = certify(&lab, 0, phantom.to_str().unwrap(), "phantom.toml");
    assert!(told.contains("certified: in the configuration"), "{told}");
    let certificate = std::fs::read_to_string(lab.folder().join("c.cert")).unwrap();
    assert!(
        certificate.contains("amplifier = \"tras-sim\"") && certificate.contains("[signature]"),
        "{certificate}"
    );
    let names = |file: &str| format!("[through_current]\ncertificate = \"{file}\"\n");
    lab.write("same.toml", &plan(0.0, 300, &names("c.cert")));
    says(&lab, 0, &["check", "same.toml"]);
    let refused = |more: &str, why: &str| {
        lab.write("other.toml", &plan(0.0, 300, more));
        let told = says(&lab, 2, &["check", "other.toml"]);
        assert!(told.contains(why), "{told}");
    };
    refused(&format!("range_hz = [2, 40]\n{}", names("c.cert")), "made for the windows 2..35 Hz in 4 s");
    refused(&names("nothing.cert"), "nothing.cert cannot be read");
    lab.write("edited.cert", &certificate.replacen("removed_db = ", "removed_db = 9", 1));
    refused(&names("edited.cert"), "was changed after it was signed");
}

#[test]
fn a_recording_that_does_not_show_it_is_not_certified() {
    let lab = Lab::new();
    let short = record(&lab, "short", &plan(0.0, 60, ""));
    let told = certify(&lab, 2, short.to_str().unwrap(), "short.toml");
    assert!(told.contains("not certified: only") && told.contains("at least 60 s are needed"), "{told}");
    // A participant who answers is no phantom.
    let answers = record(&lab, "answers", &plan(1.0, 300, ""));
    let told = certify(&lab, 2, answers.to_str().unwrap(), "answers.toml");
    assert!(told.contains("not certified"), "{told}");
    assert!(!lab.folder().join("c.cert").exists());
    certify(&lab, 3, "nothing.xdf", "short.toml");
}

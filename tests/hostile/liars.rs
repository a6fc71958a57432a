//! Streams that claim what cannot be: channels without number, a string of three gigabytes.

use std::{os::unix::process::ExitStatusExt, process::Stdio};

use tras_test_support::{
    attack::{Claims, Forged},
    children,
    lab::{Lab, sleep_s},
    network::alone,
};

use crate::common::{SIMULATE, config, told, under_current};

/// Memory that a claim may cost the process that stimulates, in MB.
const MOST_MB: f64 = 40.0;

#[test]
fn a_claimed_number_of_channels_is_refused_in_words_before_any_connection() {
    alone("a_claimed_number_of_channels_is_refused_in_words_before_any_connection", || {
        for channels in ["2000000000", "100000000", "1000000", "1025", "0", "-5"] {
            let lab = Lab::new();
            let forged = Forged::start(Claims {
                name: "fake",
                kind: "EEG",
                format: "float32",
                channels: channels.to_owned(),
                string_bytes: 0,
            });
            let mut command = lab.tras("monitor --headless --no-record --seconds 3 --wait 6 --stream fake");
            let output = command.stdout(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
            let words = String::from_utf8_lossy(&output.stderr);
            println!("{channels} channels: {:?}: {}", output.status.code(), words.trim());
            assert_eq!(output.status.signal(), None, "{channels}: {words}");
            assert_eq!(output.status.code(), Some(3), "{channels}: {words}");
            assert!(words.contains("fake") && words.contains("channels"), "{channels}: {words}");
            assert_eq!(forged.asked(), 0, "{channels}: it was connected to");
        }
    });
}

#[test]
fn a_claimed_length_of_a_marker_takes_no_memory_of_the_process_that_stimulates() {
    alone("a_claimed_length_of_a_marker_takes_no_memory_of_the_process_that_stimulates", || {
        let lab = Lab::new();
        let _sim = lab.start(SIMULATE);
        let text = config("kind = \"simulated\"", "dir = \"r\"\n[markers]\nstreams = [\"task\"]\n");
        let mut run = under_current(&lab, &text, "");
        let before_mb = children::resident_mb(run.pid()).unwrap();
        let forged = Forged::start(Claims {
            name: "task",
            kind: "Markers",
            format: "string",
            channels: "1".to_owned(),
            string_bytes: 3_000_000_000,
        });
        let (mut most_mb, mut of_child_mb) = (before_mb, 0.0_f64);
        for _ in 0..120 {
            sleep_s(0.1);
            most_mb = most_mb.max(children::resident_mb(run.pid()).expect("the run lives"));
            let child = children::child(run.pid(), "markers").and_then(children::resident_mb);
            of_child_mb = of_child_mb.max(child.unwrap_or_default());
        }
        println!(
            "3 GB claimed {} times: the run {before_mb:.0} -> {most_mb:.0} MB, the markers' process at most {of_child_mb:.0} MB",
            forged.asked()
        );
        assert!(forged.asked() > 0, "nobody asked for the sample: nothing was tested");
        assert!(most_mb < before_mb + MOST_MB, "{before_mb} -> {most_mb} MB");
        assert!(of_child_mb < 600.0, "{of_child_mb} MB");
        told(&run, "current stimulating", 1.0);
        assert!(!run.said().contains("current ended"), "{}", run.said());
        run.signal(libc::SIGTERM);
        let summary = run.summary(0, 15.0);
        assert_eq!(summary["faults"].as_array().map(Vec::len), Some(0), "{summary}");
    });
}

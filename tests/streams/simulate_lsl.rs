//! The published participant over real LSL: read by pylsl, broken on purpose, and responding to current.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use lsl::{Pullable, StreamInlet, resolve_byprop};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tras::outlets::{OutletSettings, Outlets};
use tras::simulation::listen::Names;
use tras::simulation::montage::labels;
use tras::simulation::participant::{Participant, ParticipantSettings};
use tras::simulation::publish::{PublishSettings, publish};
use tras_test_support::lsl::{peer, said, session};
use tras_test_support::python;

fn settings(name: &str, seconds: f64) -> PublishSettings {
    PublishSettings {
        name: name.into(),
        participant: ParticipantSettings { labels: labels(4), ..ParticipantSettings::default() },
        seed: 9,
        chunk: 1,
        seconds: Some(seconds),
        faults: Vec::new(),
        respond_to: None,
    }
}

/// Reads `name` until nothing has come for `quiet`: stamps and first channel.
fn read(name: &str, quiet: Duration) -> (Vec<f64>, Vec<f32>) {
    let found = resolve_byprop("name", name, 1, 20.0).unwrap();
    let inlet = StreamInlet::new(&found[0], 360, 0, true).unwrap();
    inlet.open_stream(10.0).unwrap();
    let (mut stamps, mut values, mut last) =
        (Vec::new(), Vec::new(), Instant::now() + Duration::from_secs(5));
    let mut sample: Vec<f32> = Vec::new();
    while last.elapsed() < quiet {
        let stamp = inlet.pull_sample_buf(&mut sample, 0.05).unwrap_or(0.0);
        if stamp != 0.0 {
            stamps.push(stamp);
            values.push(sample[0]);
            last = Instant::now();
        }
    }
    (stamps, values)
}

#[test]
fn pylsl_reads_the_participant() {
    session();
    let Some(python) = python("pylsl_reads_the_participant") else { return };
    let child = peer(&python, "read_pylsl.py", &["sim-pylsl"]);
    let published = publish(&settings("sim-pylsl", 8.0), &AtomicBool::new(false), |_| ()).unwrap();
    let said = said(child);
    assert_eq!((published.made, published.sent), (2000, 2000));
    assert_eq!((said["type"].as_str(), said["rate"].as_f64()), (Some("EEG"), Some(250.0)));
    assert_eq!(said["manufacturer"].as_str(), Some("tras"));
    assert!(!said["reference"].as_str().unwrap().is_empty());
    assert_eq!(
        said["channels"].to_string(),
        r#"[["Fz","microvolts","EEG"],["Cz","microvolts","EEG"],["Pz","microvolts","EEG"],["F3","microvolts","EEG"]]"#
    );
    let stamps: Vec<f64> = said["stamps"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    assert!(stamps.len() > 250, "{} samples arrived", stamps.len());
    let spread = stamps.windows(2).map(|w| (w[1] - w[0] - 0.004).abs()).fold(0.0, f64::max);
    assert!(spread < 1e-8, "stamps are off the grid by {spread} s");
    // What arrives is what the same seed makes.
    let mut twin = Participant::new(&settings("", 1.0).participant, 9).unwrap();
    let mut expected = vec![0.0_f32; 4 * 2000];
    twin.next_block(None, &mut expected);
    let missed = 2000 - stamps.len();
    let values = said["values"].as_array().unwrap();
    // The JSON in between may cost the last bit.
    let same =
        |value: &serde_json::Value, made: f32| (value.as_f64().unwrap() - f64::from(made)).abs() < 1e-9;
    for (k, (row, made)) in values.iter().zip(expected.chunks(4).skip(missed)).enumerate() {
        let row = row.as_array().unwrap();
        assert!(row.iter().zip(made).all(|(v, m)| same(v, *m)), "sample {k}: {row:?}, made {made:?}");
    }
    println!(
        "late by {:.0} us on average, {:.1} ms at worst",
        1e6 * published.lateness.mean_s(),
        1e3 * published.lateness.worst_s
    );
}

#[test]
fn faults_reach_the_reader() {
    session();
    let mut settings = settings("sim-faults", 7.0);
    settings.faults =
        ["dropout@3+1", "jump@5=2.5", "spike:Fz@4.5=50000"].iter().map(|f| f.parse().unwrap()).collect();
    let reader = std::thread::spawn(|| read("sim-faults", Duration::from_secs(2)));
    let published = publish(&settings, &AtomicBool::new(false), |_| ()).unwrap();
    let (stamps, values) = reader.join().unwrap();
    assert_eq!((published.made, published.sent), (1750, 1500));
    let gaps: Vec<f64> = stamps.windows(2).map(|w| w[1] - w[0]).filter(|gap| *gap > 0.01).collect();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!((gaps[0] - 1.004).abs() < 1e-6 && (gaps[1] - 2.504).abs() < 1e-6, "{gaps:?}");
    assert_eq!(values.iter().filter(|v| **v > 40_000.0).count(), 1);
}

#[test]
fn a_lost_stream_returns_with_its_identity() {
    session();
    let mut settings = settings("sim-lost", 10.0);
    settings.faults = vec!["lost@3+2".parse().unwrap()];
    let reader = std::thread::spawn(|| read("sim-lost", Duration::from_secs(6)));
    let published = publish(&settings, &AtomicBool::new(false), |_| ()).unwrap();
    let (stamps, _) = reader.join().unwrap();
    assert_eq!((published.made, published.sent), (2500, 2000));
    let longest = stamps.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max);
    assert!(longest >= 2.0, "the reader saw no gap: {longest}");
    let after = stamps.iter().rev().take_while(|s| **s > stamps[0] + 3.5).count();
    assert!(after > 100, "liblsl recovered the stream by its source id: {after} samples");
}

#[test]
fn current_makes_an_artefact_and_moves_the_exponent() {
    session();
    let mut settings = settings("sim-response", 14.0);
    settings.participant.rhythms.clear();
    settings.participant.blinks_per_minute = 0.0;
    settings.participant.response.gain = 1.0;
    settings.participant.response.rise_s = 3.0;
    settings.participant.response.fade_s = 1e5;
    settings.respond_to = Some(Names::of_current("resp-current"));
    let reader = std::thread::spawn(|| read("sim-response", Duration::from_secs(2)));
    let stimulator = std::thread::spawn(|| {
        let named = OutletSettings { prefix: "resp".into(), notes: vec![] };
        let mut outlets = Outlets::open(&named, &["Fz".to_owned()], 1000.0).unwrap();
        let start_s = tras::clock::now_s();
        // Nothing for 8 s, in which the listener finds the streams; then 3 s of +-0.1 mA.
        for block in 0..250_u32 {
            let due_s = start_s + f64::from(block) * 0.05;
            std::thread::sleep(Duration::from_secs_f64((due_s - tras::clock::now_s()).max(0.0)));
            let on = (160..220).contains(&block);
            if block == 160 {
                outlets.push_event(due_s, r#"{"event":"current","exponent":2.5,"rms_ma":0.1}"#).unwrap();
            } else if block == 220 {
                outlets.push_event(due_s, r#"{"event":"current","exponent":null,"rms_ma":0}"#).unwrap();
            }
            let sign = |i: u32| if (i / 20).is_multiple_of(2) { 0.1 } else { -0.1 };
            let samples: Vec<f32> = (0..50).map(|i| if on { sign(i) } else { 0.0 }).collect();
            outlets.push_current(due_s, &samples).unwrap();
        }
    });
    let published = publish(&settings, &AtomicBool::new(false), |_| ()).unwrap();
    stimulator.join().unwrap();
    let (stamps, values) = reader.join().unwrap();
    println!("{published:?}");
    assert!(published.current_heard > 8000, "{published:?}");
    // How many come late is a matter of who else wants the processor; most must not.
    assert!((published.current_late as f64) < 0.5 * published.current_heard as f64, "{published:?}");
    // 3 s at a time constant of 3 s toward 2.5 from 1.5: 1.5 + 1 x (1 - 1/e) = 2.13.
    assert!((published.exponent - 2.13).abs() < 0.1, "{}", published.exponent);
    let rms = |from: f64, to: f64| {
        let part: Vec<f64> = stamps
            .iter()
            .zip(&values)
            .filter(|(s, _)| (from..to).contains(&(**s - stamps[stamps.len() - 1] + 14.0)))
            .map(|(_, v)| f64::from(*v))
            .collect();
        (part.iter().map(|x| x * x).sum::<f64>() / part.len() as f64).sqrt()
    };
    let twin = Participant::new(&settings.participant, 9).unwrap();
    let expected = 0.1 * twin.artefact_uv_per_ma(0).abs();
    let (quiet, loud) = (rms(4.0, 7.0), rms(9.0, 10.5));
    println!("EEG rms {quiet:.1} uV without, {loud:.1} uV with current; artefact alone {expected:.1} uV");
    assert!(loud > 5.0 * quiet && (loud / expected - 1.0).abs() < 0.2, "{quiet} {loud} {expected}");
}

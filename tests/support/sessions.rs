//! A session of which everything is known, recorded in steps of 50 ms.
#![allow(dead_code, missing_docs, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::path::{Path, PathBuf};
use tras::acquisition::frame::{ChannelSet, Facts, FrameHeader};
use tras::acquisition::recording::xdf::{Samples, Survey};
use tras::acquisition::{Channel, StreamDescription};
use tras::estimator::{Contamination, Estimate, Fit, Reason};
use tras::recorder::{Recorder, SessionStreams};

pub const RATE: usize = 250;
pub const CURRENT_RATE_HZ: f64 = 2000.0;

pub fn session() -> SessionStreams {
    let labels = (0..40).map(|c| Channel { label: format!("E{c}"), unit: "uV".into(), kind: "EEG".into() });
    SessionStreams {
        eeg: StreamDescription {
            name: "amp".into(),
            kind: "EEG".into(),
            source_id: "amp-1".into(),
            hostname: "lab".into(),
            rate_hz: RATE as f64,
            channels: labels.collect(),
        },
        targets: vec!["frontal".into(), "P<z>".into()],
        method: "specparam".into(),
        current_rate_hz: Some(CURRENT_RATE_HZ),
        eeg_clock_offset_s: 0.0,
        began: None,
        about: vec![("seed".into(), "1".into())],
    }
}

pub fn estimate(id: u64, fit: Fit) -> Estimate {
    Estimate {
        id,
        target: 1,
        first_sample: 10,
        last_sample: 1009,
        stamp_s: 104.0,
        segments_used: 6,
        segments_total: 7,
        contamination: Contamination::Settling,
        fit,
    }
}

/// One step of 50 ms: EEG, current, an estimate, an event, a marker and a spoilt frame.
pub fn step(recorder: &mut Recorder, step: usize) -> f64 {
    let now_s = 100.0 + step as f64 * 0.05;
    // 12 or 13 samples.
    let (first, last) = (step * RATE / 20, (step + 1) * RATE / 20);
    let stamps_s: Vec<f64> = (first..last).map(|i| 100.0 + i as f64 / RATE as f64).collect();
    let values: Vec<f32> = (first * 40..last * 40).map(|i| i as f32).collect();
    recorder.eeg(&stamps_s, &values).unwrap();
    let header = |(index, &stamp_s): (usize, &f64)| FrameHeader {
        index: index as u64,
        stamp_s,
        // The sender's clock is 900 s ahead.
        raw_stamp_s: stamp_s + 900.0,
        arrived_s: stamp_s + 0.001,
        ..FrameHeader::default()
    };
    let headers: Vec<FrameHeader> = (first..last).zip(&stamps_s).map(header).collect();
    recorder.raw_stamps(&headers).unwrap();
    recorder.own_marker(now_s, "block/3/start").unwrap();
    recorder.current(now_s, CURRENT_RATE_HZ, &[0.25; 100]).unwrap();
    recorder.estimate(now_s, &estimate(step as u64 + 1, Fit::failed(Reason::PoorFit))).unwrap();
    recorder.event(now_s, &format!("{{\"step\":{step}}}")).unwrap();
    recorder.marker(now_s, "probe_on").unwrap();
    let mut spoilt = ChannelSet::EMPTY;
    [0, 31, 32, 39].into_iter().for_each(|channel| spoilt.insert(channel));
    let frame = FrameHeader {
        index: first as u64,
        stamp_s: now_s,
        lost_before: 3,
        facts: Facts::GAP,
        spoilt,
        ..FrameHeader::default()
    };
    recorder.frame(&frame).unwrap();
    recorder.frame(&FrameHeader { index: 7, stamp_s: now_s, ..FrameHeader::default() }).unwrap();
    now_s
}

pub fn record(folder: &Path, steps: usize) -> PathBuf {
    let mut recorder = Recorder::create(folder, "session", &session(), 100.0).unwrap();
    let path = recorder.path().to_owned();
    let mut now_s = 100.0;
    for number in 0..steps {
        now_s = step(&mut recorder, number);
        if number % 10 == 9 {
            recorder.maintain(now_s).unwrap();
        }
    }
    let summaries = recorder.close(now_s).unwrap();
    assert!(summaries.iter().all(|s| s.clock_offsets >= 2), "{summaries:?}");
    path
}

/// Values (sample-major) and stamps of one stream of numbers, whole.
pub fn numbers(path: &Path, survey: &Survey, name: &str) -> (Vec<f64>, Vec<f64>) {
    let stream = survey.streams.iter().find(|s| s.description.name == name).unwrap();
    let mut samples = Samples::open(path, stream).unwrap();
    let width = stream.description.channels.len();
    let (mut some, mut times_s) = (vec![0.0; width << 14], vec![0.0; 1 << 14]);
    let (mut values, mut stamps_s) = (Vec::new(), Vec::new());
    loop {
        match samples.read(&mut some, &mut times_s).unwrap() {
            0 => return (values, stamps_s),
            count => {
                values.extend(&some[..count * width]);
                stamps_s.extend(&times_s[..count]);
            }
        }
    }
}

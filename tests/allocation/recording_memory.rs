//! Reading a recording takes the same memory whatever its length.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fmt::Write;
use tras::acquisition::Channel;
use tras::acquisition::recording::xdf::format::Format;
use tras::acquisition::recording::{OpenOptions, Recording};
use tras::recorder::xdf::{StreamInfo, Values, XdfWriter};
use tras_test_support::alloc;
use tras_test_support::recordings::{Signal, edf, file, int16};

const CHANNELS: usize = 64;
const RATE: usize = 250;

fn csv(seconds: usize) -> Vec<u8> {
    let mut text = String::from("time");
    (0..CHANNELS).for_each(|c| write!(text, ",E{c}").unwrap());
    text.push('\n');
    for row in 0..seconds * RATE {
        write!(text, "{:.3}", row as f64 / RATE as f64).unwrap();
        (0..CHANNELS).for_each(|c| write!(text, ",{row}.{c}").unwrap());
        text.push('\n');
    }
    text.into_bytes()
}

fn edf_plus(seconds: usize) -> Vec<u8> {
    let mut signals: Vec<Signal> = (0..CHANNELS).map(|c| Signal::eeg(&format!("E{c}"), RATE)).collect();
    signals.push(Signal::annotations(40, 2));
    edf(2, "EDF+C", (seconds as i64, seconds), 1.0, &signals, |r, s| {
        if s == CHANNELS {
            format!("+{r}\x14\x14\0").into_bytes()
        } else {
            int16((0..RATE).map(|i| i as i16))
        }
    })
}

fn xdf(seconds: usize) -> Vec<u8> {
    let channel = |c| Channel { label: format!("E{c}"), unit: "uV".into(), kind: "EEG".into() };
    let info = StreamInfo {
        name: "amp".into(),
        kind: "EEG".into(),
        rate_hz: RATE as f64,
        format: Format::Float32,
        channels: (0..CHANNELS).map(channel).collect(),
        source_id: String::new(),
        hostname: String::new(),
        desc: Vec::new(),
    };
    let mut writer = XdfWriter::new(Vec::new(), None).unwrap();
    let id = writer.add_stream(&info).unwrap();
    for second in 0..seconds {
        writer.regular_samples(id, second as f64, Values::Float32(&vec![1.5; CHANNELS * RATE])).unwrap();
    }
    writer.close().unwrap()
}

/// The most memory that opening and reading took, and the samples.
fn peak(name: &str, bytes: &[u8]) -> (usize, usize) {
    let (_folder, path) = file(name, bytes);
    let mut values = vec![0.0; CHANNELS * 128];
    let mut stamps_s = vec![0.0; 128];
    let before = alloc::begin_peak();
    let started = std::time::Instant::now();
    let mut recording = Recording::open(&path, &OpenOptions::default()).unwrap();
    let mut samples = 0;
    while let count @ 1.. = recording.read_block(&mut values, &mut stamps_s).unwrap() {
        samples += count;
    }
    let rate = samples as f64 * CHANNELS as f64 / started.elapsed().as_secs_f64() / 1e6;
    println!(
        "{name}: {samples} samples of {CHANNELS} channels, {} bytes: {rate:.1} million values a second",
        bytes.len()
    );
    (usize::try_from(alloc::peak() - before).unwrap(), samples)
}

#[test]
fn memory_does_not_grow_with_the_recording() {
    for (name, make) in [("rec.csv", csv as fn(usize) -> Vec<u8>), ("rec.edf", edf_plus), ("rec.xdf", xdf)] {
        let ((short, few), (long, many)) = (peak(name, &make(20)), peak(name, &make(120)));
        println!("{name}: peak {short} and {long} bytes");
        assert_eq!((few, many), (20 * RATE, 120 * RATE), "{name}");
        assert!(long < short + 4096, "{name}: {short} bytes for 20 s, {long} for 120 s");
        assert!(long < 512 * 1024, "{name}: {long} bytes");
    }
}

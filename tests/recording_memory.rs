//! Reading a recording takes the same memory whatever its length.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common_recording;

use common_recording::{Signal, edf, file, int16};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use tras::acquisition::Channel;
use tras::acquisition::recording::xdf::format::Format;
use tras::acquisition::recording::{OpenOptions, Recording};
use tras::recorder::xdf::{StreamInfo, Values, XdfWriter};

/// Counts what is allocated, and the most that ever was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: both calls go to the system's allocator with what came; the counts are beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
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
    (PEAK.load(Ordering::Relaxed) - before, samples)
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

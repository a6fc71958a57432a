//! Acquisition against real liblsl streams: outlets of this process, and sender processes that are killed.
//!
//! A sender process is this test binary again, running `sender_process` with its orders in the environment,
//! so that no Python is needed. Every run has an LSL session of its own on the loopback interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{Read, Seek, SeekFrom};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lsl::{ChannelFormat, ExPushable, StreamInfo, StreamOutlet};
use tras::acquisition::frame::Facts;
use tras::acquisition::lsl::{LslSource, StderrDiversion, visible_streams};
use tras::acquisition::settings::{AcquisitionSettings, StreamChoice};
use tras::acquisition::{Poll, Source};
use tras::clock;
use tras_test_support::lsl::session;
use tras_test_support::reader::{Killed, Reader};

/// A stream of two sines on offsets; what it must say of itself is up to the test.
#[derive(Clone)]
struct Sender {
    name: String,
    source_id: String,
    rate_hz: f64,
    labels: Vec<&'static str>,
    unit: &'static str,
    format: ChannelFormat,
    chunk: usize,
}

impl Sender {
    fn new(name: &str) -> Self {
        session();
        Self {
            name: name.to_owned(),
            source_id: format!("{name}-1"),
            rate_hz: 250.0,
            labels: vec!["Fz", "Cz"],
            unit: "microvolts",
            format: ChannelFormat::Float32,
            chunk: 1,
        }
    }

    fn outlet(&self) -> StreamOutlet {
        let count = self.labels.len() as u32;
        let mut info =
            StreamInfo::new(&self.name, "EEG", count, self.rate_hz, self.format, &self.source_id).unwrap();
        let mut channels = info.desc().append_child("channels");
        for label in &self.labels {
            let mut channel = channels.append_child("channel");
            channel.append_child_value("label", label);
            channel.append_child_value("unit", self.unit);
            channel.append_child_value("type", "EEG");
        }
        StreamOutlet::new(&info, 0, 60).unwrap()
    }

    /// In a process of its own, which can be killed.
    fn process(&self) -> Killed {
        let orders = format!(
            "{}|{}|{}|{}|{}|{}",
            self.name,
            self.source_id,
            self.rate_hz,
            self.labels.join(","),
            self.unit,
            self.chunk
        );
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["acquisition_lsl::sender_process", "--exact", "--ignored", "--nocapture"])
            .env("TRAS_TEST_SENDER", orders)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Killed(child)
    }

    fn settings(&self) -> AcquisitionSettings {
        let choice = StreamChoice { name: Some(self.name.clone()), ..StreamChoice::default() };
        AcquisitionSettings { choice, ..AcquisitionSettings::default() }
    }
}

/// Not a test: a sender, when a test starts this binary with orders for it.
#[test]
#[ignore = "the sender process of the other tests"]
fn sender_process() {
    let Ok(orders) = std::env::var("TRAS_TEST_SENDER") else { return };
    let parts: Vec<&str> = orders.split('|').collect();
    let sender = Sender {
        name: parts[0].to_owned(),
        source_id: parts[1].to_owned(),
        rate_hz: parts[2].parse().unwrap(),
        labels: parts[3].split(',').map(|l| &*l.to_owned().leak()).collect(),
        unit: parts[4].to_owned().leak(),
        format: ChannelFormat::Float32,
        chunk: parts[5].parse().unwrap(),
    };
    let outlet = sender.outlet();
    let parent = std::os::unix::process::parent_id();
    let (start_s, mut k) = (clock::now_s(), 0u32);
    while std::os::unix::process::parent_id() == parent {
        for _ in 0..sender.chunk {
            let at_s = start_s + f64::from(k) / sender.rate_hz;
            let sample: Vec<f32> = (0..sender.labels.len()).map(|c| wave(at_s, c) as f32).collect();
            outlet.push_sample_ex(&sample, at_s, false).unwrap();
            k += 1;
        }
        let due_s = start_s + f64::from(k) / sender.rate_hz - clock::now_s();
        sleep(Duration::from_secs_f64(due_s.max(0.0)));
    }
}

fn wave(at_s: f64, channel: usize) -> f64 {
    4000.0 + 30.0 * (at_s * (61.0 + 7.0 * channel as f64)).sin() + 5.0 * (at_s * 233.0).cos()
}

#[test]
fn every_number_format_arrives_as_microvolts() {
    let formats = [
        (ChannelFormat::Float32, "float32"),
        (ChannelFormat::Double64, "double64"),
        (ChannelFormat::Int64, "int64"),
        (ChannelFormat::Int32, "int32"),
        (ChannelFormat::Int16, "int16"),
        (ChannelFormat::Int8, "int8"),
    ];
    for (format, name) in formats {
        let sender = Sender { format, unit: "mV", ..Sender::new(&format!("formats-{name}")) };
        let outlet = sender.outlet();
        let mut reader = Reader::open(&sender.settings()).unwrap();
        assert_eq!(reader.source.format(), name);
        assert!(outlet.wait_for_consumers(5.0), "{name}");
        let start_s = clock::now_s();
        for k in 0..20i32 {
            let (a, b) = (k * 3 - 50, 100 - k * 7);
            let stamp_s = start_s + f64::from(k) / 250.0;
            match format {
                ChannelFormat::Float32 => outlet.push_sample_ex(&vec![a as f32, b as f32], stamp_s, true),
                ChannelFormat::Double64 => {
                    outlet.push_sample_ex(&vec![f64::from(a), f64::from(b)], stamp_s, true)
                }
                ChannelFormat::Int64 => {
                    outlet.push_sample_ex(&vec![i64::from(a), i64::from(b)], stamp_s, true)
                }
                ChannelFormat::Int32 => outlet.push_sample_ex(&vec![a, b], stamp_s, true),
                ChannelFormat::Int16 => outlet.push_sample_ex(&vec![a as i16, b as i16], stamp_s, true),
                _ => outlet.push_sample_ex(&vec![a as i8, b as i8], stamp_s, true),
            }
            .unwrap();
            reader.receive(1);
            assert_eq!(reader.last_uv, [(a * 1000) as f32, (b * 1000) as f32], "{name}");
            assert_eq!(reader.heads.last().unwrap().raw_stamp_s, stamp_s);
        }
    }
}

#[test]
fn what_is_no_eeg_is_refused_with_its_reason() {
    let words = Sender { format: ChannelFormat::String, ..Sender::new("refused-words") };
    let irregular = Sender { rate_hz: 0.0, ..Sender::new("refused-irregular") };
    let counts = Sender { unit: "counts", ..Sender::new("refused-counts") };
    let _outlets = [words.outlet(), irregular.outlet(), counts.outlet()];
    for (sender, told) in [(words, "string"), (irregular, "irregular"), (counts, "stream.unit")] {
        let error = Reader::open(&sender.settings()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains(&sender.name), "{error}");
    }
}

#[test]
fn two_of_one_name_are_refused_and_told_apart_by_source_id() {
    let first = Sender::new("twins");
    let second = Sender { source_id: "twins-2".into(), labels: vec!["Oz", "Pz", "Fz"], ..first.clone() };
    let _outlets = [first.outlet(), second.outlet()];
    let error = Reader::open(&first.settings()).map(|_| ()).unwrap_err();
    let text = error.to_string();
    assert!(!error.is_not_found() && text.contains("\"twins-1\"") && text.contains("\"twins-2\""), "{text}");
    assert!(text.contains("3 channels of float32 at 250 Hz"), "{text}");
    let mut settings = first.settings();
    settings.choice.source_id = Some("twins-2".into());
    assert_eq!(Reader::open(&settings).unwrap().source.description().channels[0].label, "Oz");
    settings.choice = StreamChoice::from_argument("name='twins' and channel_count=2");
    assert_eq!(Reader::open(&settings).unwrap().source.description().source_id, "twins-1");
}

#[test]
fn a_stream_that_is_not_there_is_told_with_those_that_are() {
    let sender = Sender::new("present");
    let _outlet = sender.outlet();
    let settings = AcquisitionSettings { choice: StreamChoice::from_argument("absent"), ..sender.settings() };
    let error = LslSource::open(&settings, 2.0).map(|_| ()).unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("\"present\""), "{error}");
    assert!(visible_streams(1.5).unwrap().iter().any(|s| s.name == "present" && s.channels == 2));
}

#[test]
fn a_killed_sender_is_lost_within_half_a_second_and_resumed_when_it_returns() {
    let sender = Sender::new("killed");
    let cycles: usize = std::env::var("TRAS_SOAK_CYCLES").map_or(3, |n| n.parse().unwrap());
    let mut process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    let (mut slowest_loss, mut slowest_return) = (Duration::ZERO, Duration::ZERO);
    for cycle in 0..cycles {
        reader.receive(100);
        process.kill();
        let loss = reader.poll_until(5.0, "loss", |_, poll| poll == Poll::Lost);
        assert!(loss < Duration::from_millis(500), "cycle {cycle}: {loss:?}");
        let received = reader.heads.len();
        process = sender.process();
        let back = reader.poll_until(20.0, "return", |_, poll| poll == Poll::Resumed);
        reader.receive(10);
        let head = reader.heads[received];
        assert!(head.facts.intersects(Facts::RESUMED) && head.facts.intersects(Facts::UNSETTLED), "{head:?}");
        // The gap in samples is the gap in time.
        let gap_s = head.stamp_s - reader.heads[received - 1].stamp_s;
        assert!((gap_s * 250.0 - 1.0 - f64::from(head.lost_before)).abs() <= 3.0, "{gap_s} s, {head:?}");
        (slowest_loss, slowest_return) = (slowest_loss.max(loss), slowest_return.max(back));
    }
    assert_eq!(reader.conditioner.counts().resumes, cycles as u64);
    assert_eq!(reader.conditioner.counts().gaps, cycles as u64);
    eprintln!("{cycles} cycles: slowest loss {slowest_loss:?}, slowest return {slowest_return:?}");
}

#[test]
fn a_hung_sender_is_lost_and_resumed_on_its_own_connection() {
    let sender = Sender::new("hung");
    let process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    reader.receive(200);
    process.signal(libc::SIGSTOP);
    let loss = reader.poll_until(5.0, "loss", |_, poll| poll == Poll::Lost);
    assert!(loss < Duration::from_millis(500), "{loss:?}");
    reader.poll_for(1.5);
    assert_eq!(reader.source.refused(), None);
    process.signal(libc::SIGCONT);
    let back = reader.poll_until(5.0, "return", |_, poll| poll == Poll::Resumed);
    assert!(back < Duration::from_millis(500), "{back:?}");
    reader.receive(100);
}

#[test]
fn a_stream_that_comes_back_changed_is_not_resumed() {
    let sender = Sender::new("changing");
    let mut process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    let changes = [
        (Sender { rate_hz: 500.0, ..sender.clone() }, "rate was 250, is 500"),
        (Sender { labels: vec!["Fz", "Cz", "Pz"], ..sender.clone() }, "number of channels was 2, is 3"),
        (Sender { labels: vec!["Cz", "Fz"], ..sender.clone() }, "label of channel 1 was Fz, is Cz"),
        (Sender { source_id: "other".into(), ..sender.clone() }, "it is another"),
    ];
    for (changed, told) in changes {
        reader.receive(50);
        process.kill();
        reader.poll_until(5.0, "loss", |_, poll| poll == Poll::Lost);
        process = changed.process();
        reader.poll_until(20.0, told, |reader, poll| {
            assert_ne!(poll, Poll::Resumed, "{told}");
            reader.source.refused().is_some_and(|r| r.contains(told))
        });
        process.kill();
        process = sender.process();
        reader.poll_until(20.0, "return", |_, poll| poll == Poll::Resumed);
        assert_eq!(reader.source.refused(), None);
    }
}

#[test]
fn after_a_stall_of_ours_the_newest_data_count_and_the_rest_is_counted() {
    let sender = Sender::new("stall");
    let _process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    reader.receive(750);
    sleep(Duration::from_secs(5));
    let before = reader.heads.len();
    let first = reader.poll();
    assert!(matches!(first, Poll::Samples(_)), "{first:?}");
    let oldest_s = clock::now_s() - reader.heads[before].stamp_s;
    assert!((0.9..1.3).contains(&oldest_s), "the oldest handed out is {oldest_s} s old");
    reader.poll_until(1.0, "newest", |_, poll| poll == Poll::Empty);
    let newest_s = clock::now_s() - reader.heads.last().unwrap().stamp_s;
    assert!(newest_s < 0.1, "the newest is {newest_s} s old");
    reader.receive(100);
    let skipped = reader.source.skipped();
    assert!((900..1100).contains(&skipped), "{skipped}");
    let lost: u64 = reader.heads.iter().map(|h| u64::from(h.lost_before)).sum();
    assert_eq!(lost, skipped, "the stamps show what was skipped");
    // A stall shorter than max_age_s loses nothing.
    sleep(Duration::from_millis(700));
    reader.receive(200);
    assert_eq!(reader.source.skipped(), skipped);
    assert_eq!(reader.conditioner.counts().lost, lost);
    assert_eq!(reader.conditioner.counts().gaps, 1);
    assert_eq!(reader.source.sender_lag(), None);
}

#[test]
fn a_sender_with_chunks_of_a_second_is_warned_of_and_not_lost() {
    let sender = Sender { chunk: 250, ..Sender::new("chunks") };
    let _process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    let start = Instant::now();
    reader.poll_until(20.0, "time", |_, poll| {
        assert_ne!(poll, Poll::Lost, "after {:?}", start.elapsed());
        start.elapsed() > Duration::from_secs(6)
    });
    let lag = reader.source.sender_lag().unwrap();
    assert!((0.8..1.2).contains(&lag.chunk_s), "{lag:?}");
    assert!(reader.heads.len() >= 1000 && reader.conditioner.counts().gaps == 0);
}

#[test]
fn several_streams_lose_nothing_side_by_side() {
    let samples: usize = std::env::var("TRAS_SOAK_SAMPLES").map_or(2000, |n| n.parse().unwrap());
    let senders: Vec<Sender> = (0..8).map(|k| Sender::new(&format!("side-{k}"))).collect();
    let outlets: Vec<StreamOutlet> = senders.iter().map(Sender::outlet).collect();
    let mut readers: Vec<Reader> = senders.iter().map(|s| Reader::open(&s.settings()).unwrap()).collect();
    assert!(outlets.iter().all(|o| o.wait_for_consumers(5.0)));
    let start_s = clock::now_s();
    for k in 0..samples {
        for (c, outlet) in outlets.iter().enumerate() {
            let at_s = start_s + k as f64 / 250.0;
            outlet.push_sample_ex(&vec![wave(at_s, c) as f32, wave(at_s, c + 4) as f32], at_s, true).unwrap();
        }
        for reader in &mut readers {
            reader.poll();
        }
        sleep(Duration::from_millis(1));
    }
    for reader in &mut readers {
        let missing = samples - reader.heads.len();
        reader.receive(missing);
        assert_eq!((reader.heads.len(), reader.conditioner.counts().lost), (samples, 0));
    }
}

#[test]
fn the_senders_own_chunking_is_overruled() {
    let sender = Sender::new("hidden-chunks");
    let mut info = StreamInfo::new("hidden-chunks", "EEG", 1, 250.0, ChannelFormat::Float32, "h").unwrap();
    let mut channel = info.desc().append_child("channels").append_child("channel");
    channel.append_child_value("unit", "uV");
    // The sender asks for chunks of two seconds.
    let outlet = StreamOutlet::new(&info, 500, 60).unwrap();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    assert_eq!(reader.source.description().channels[0].label, "1");
    assert!(outlet.wait_for_consumers(5.0));
    for k in 0..100 {
        let sent_s = clock::now_s();
        outlet.push_sample_ex(&vec![wave(sent_s, k) as f32], sent_s, false).unwrap();
        reader.receive(1);
        assert!(clock::now_s() - sent_s < 0.3, "sample {k} came after {} s", clock::now_s() - sent_s);
        sleep(Duration::from_millis(4));
    }
}

#[test]
fn what_liblsl_prints_can_be_kept_off_the_screen() {
    let sender = Sender::new("printing");
    let mut process = sender.process();
    let mut reader = Reader::open(&sender.settings()).unwrap();
    reader.receive(20);
    let mut log = tempfile::tempfile().unwrap();
    let diversion = StderrDiversion::to(&log).unwrap();
    process.kill();
    reader.poll_until(5.0, "loss", |_, poll| poll == Poll::Lost);
    sleep(Duration::from_millis(200));
    drop(diversion);
    let mut text = String::new();
    log.seek(SeekFrom::Start(0)).unwrap();
    log.read_to_string(&mut text).unwrap();
    assert!(text.contains("broke off"), "{text}");
}

/// The acquiring thread owns its source, and may be started after it is opened.
#[test]
fn a_source_may_move_to_its_thread() {
    fn moves<T: Send>() {}
    moves::<LslSource>();
    moves::<tras::acquisition::conditioner::Conditioner>();
}

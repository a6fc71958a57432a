//! The inlet's child allocates nothing on its way from a sample to the ring, and the reader nothing on its way out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use lsl::{ChannelFormat, ExPushable, StreamInfo, StreamOutlet};
use tras::{
    acquisition::{
        lsl::{
            LslSource,
            child::{Forward, record},
        },
        settings::{AcquisitionSettings, StreamChoice},
    },
    child::{
        link::Link,
        ring::{Reader, Writer},
    },
    clock,
};
use tras_test_support::{alloc::calls, lsl::session};

const NAME: &str = "child-allocation";

/// Sends at 1 kHz until told to stop; an outlet stays in the thread that made it.
fn send(seconds: f64) {
    let mut info = StreamInfo::new(NAME, "EEG", 4, 1_000.0, ChannelFormat::Float32, NAME).unwrap();
    let mut channels = info.desc().append_child("channels");
    for _ in 0..4 {
        channels.append_child("channel").append_child_value("unit", "uV");
    }
    let outlet = StreamOutlet::new(&info, 0, 60).unwrap();
    let (began, mut next_s) = (Instant::now(), clock::now_s());
    while began.elapsed().as_secs_f64() < seconds {
        while next_s < clock::now_s() {
            outlet.push_sample_ex(&vec![next_s as f32; 4], next_s, true).unwrap();
            next_s += 0.001;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn the_childs_frame_path_allocates_nothing() {
    session();
    let sending = std::thread::spawn(|| send(8.0));
    let settings =
        AcquisitionSettings { choice: StreamChoice::from_argument(NAME), ..AcquisitionSettings::default() };
    let mut source = LslSource::open(&settings, 20.0).unwrap();
    let link = Link::create("{}").unwrap();
    let width = record::HEAD + 4;
    // Small, so that it runs full as well: nobody reads in the first half.
    let place = link.lay_data(1_000, width).unwrap();
    let mut forward = Forward::new(&link, Writer::new(place.clone()), 4);
    let (mut reader, mut slot) = (Reader::new(place), vec![0; width]);
    let (mut turns, mut frames, mut lost) = (0, 0, 0);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(12) && lost < 100 {
        let before = calls();
        forward.turn(&mut source);
        if began.elapsed() > Duration::from_secs(2) {
            while reader.pop(&mut slot).unwrap() {
                frames += u32::from(slot[0] == record::SAMPLE);
            }
        }
        assert_eq!(calls() - before, 0, "turn {turns}, lost: {}", forward.is_lost());
        turns += 1;
        // The sender ends: a loss allocates nothing either.
        lost += i32::from(forward.is_lost());
    }
    println!("{turns} turns, {frames} frames, {lost} turns after the loss: no allocation");
    assert!(frames > 2_000 && lost > 0, "{frames} frames, {lost} turns lost");
    sending.join().unwrap();
}

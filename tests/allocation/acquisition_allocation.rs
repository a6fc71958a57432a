//! The acquiring thread allocates nothing: not while samples flow, not at a stall, a loss or a return.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use lsl::{ChannelFormat, ExPushable, StreamInfo, StreamOutlet};
use tras::acquisition::conditioner::Conditioner;
use tras::acquisition::lsl::LslSource;
use tras::acquisition::settings::{AcquisitionSettings, Reference, StreamChoice};
use tras::acquisition::{Poll, Source};
use tras::clock;
use tras::ring::{FrameProducer, frame_ring};
use tras_test_support::{alloc::calls, lsl::session};

/// Everything that the acquiring thread does with one poll.
struct Acquire {
    source: LslSource,
    conditioner: Conditioner,
    ring: FrameProducer,
    values: Vec<f64>,
    stamps_s: Vec<f64>,
}

impl Acquire {
    /// One round; what it found, and how often it allocated.
    fn round(&mut self) -> (Poll, u64) {
        let before = calls();
        let poll = self.source.poll(&mut self.values, &mut self.stamps_s);
        match poll {
            Poll::Samples(n) => {
                let (ring, correction_s) = (&mut self.ring, self.source.correction_s());
                let (values, stamps) = (&self.values[..2 * n], &self.stamps_s[..n]);
                self.conditioner.push(values, stamps, correction_s, clock::now_s(), |head, values| {
                    ring.push(head, values);
                });
            }
            Poll::Resumed => self.conditioner.resumed(),
            _ => {}
        }
        (poll, calls() - before)
    }
}

fn outlet() -> StreamOutlet {
    let mut info = StreamInfo::new("allocation", "EEG", 2, 250.0, ChannelFormat::Float32, "a").unwrap();
    let mut channels = info.desc().append_child("channels");
    for _ in 0..2 {
        channels.append_child("channel").append_child_value("unit", "uV");
    }
    StreamOutlet::new(&info, 0, 60).unwrap()
}

#[test]
fn nothing_is_allocated_after_the_start() {
    session();
    let mut sender = Some(outlet());
    let settings = AcquisitionSettings {
        choice: StreamChoice::from_argument("allocation"),
        reference: Reference::Average,
        max_age_s: 0.2,
        ..AcquisitionSettings::default()
    };
    let source = LslSource::open(&settings, 20.0).unwrap();
    let conditioner = Conditioner::new(source.description(), &settings).unwrap();
    // Small, so that it overruns as well.
    let (ring, reader) = frame_ring(2, 100);
    let mut acquire = Acquire { source, conditioner, ring, values: vec![0.0; 128], stamps_s: vec![0.0; 64] };
    let (start, mut next_s) = (Instant::now(), clock::now_s());
    let (mut stalled, mut lost, mut resumed, mut calls) = (false, false, false, 0);
    while start.elapsed() < Duration::from_secs(12) {
        let elapsed_s = start.elapsed().as_secs_f64();
        while next_s < clock::now_s() {
            if let Some(outlet) = &sender {
                let sample = vec![(next_s * 61.0).sin() as f32, (next_s * 33.0).cos() as f32];
                outlet.push_sample_ex(&sample, next_s, true).unwrap();
            }
            next_s += 0.004;
        }
        if elapsed_s > 3.0 && !stalled {
            // The samples of the stall are sent at the top of the loop, and waited for here.
            stalled = start.elapsed() > Duration::from_millis(3700);
            sleep(Duration::from_millis(400));
            continue;
        }
        if elapsed_s > 5.0 && !lost {
            sender = None;
        }
        let (poll, new) = acquire.round();
        calls += new;
        assert_eq!(new, 0, "{poll:?} after {elapsed_s} s");
        if poll == Poll::Lost && !lost {
            lost = true;
            sender = Some(outlet());
        }
        resumed |= poll == Poll::Resumed;
        sleep(Duration::from_millis(1));
    }
    assert!(stalled && lost && resumed && acquire.source.skipped() > 0 && reader.overruns() > 0);
    assert!(acquire.conditioner.counts().received > 1000);
    assert_eq!(calls, 0);
}

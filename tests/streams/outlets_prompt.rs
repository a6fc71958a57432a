//! What is pushed leaves at once.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::time::{Duration, Instant};

use lsl::{ChannelFormat, Pullable, StreamInfo, StreamInlet, StreamOutlet};
use tras::outlets::prompt::{looks, push};

/// Fails where the linker has kept liblsl's own sleep: then every outlet is a millisecond late.
#[test]
fn outlets_send_at_once() {
    let info = StreamInfo::new("prompt", "EEG", 1, 0.0, ChannelFormat::Float32, "prompt").unwrap();
    let outlet = StreamOutlet::new(&info, 0, 360).unwrap();
    let found = lsl::resolve_bypred("name='prompt'", 1, 10.0).unwrap();
    let inlet = StreamInlet::new(found.first().unwrap(), 360, 0, false).unwrap();
    inlet.open_stream(10.0).unwrap();
    let mut took_s = Vec::new();
    for number in 0..40_u8 {
        std::thread::sleep(Duration::from_micros(2_000 + 137 * u64::from(number % 8)));
        let pushed = Instant::now();
        push(&outlet, &vec![f32::from(number)], 0.0, true).unwrap();
        let (mut sample, mut stamp) = (Vec::<f32>::new(), 0.0);
        while stamp == 0.0 && pushed.elapsed() < Duration::from_secs(5) {
            (sample, stamp) = inlet.pull_sample(0.0).unwrap();
        }
        assert_eq!(sample, [f32::from(number)]);
        took_s.push(pushed.elapsed().as_secs_f64());
    }
    assert!(looks() > 0, "liblsl's own sleep was linked");
    took_s.sort_by(f64::total_cmp);
    println!("from push to pull: {:?} s at the median", took_s.get(20));
}

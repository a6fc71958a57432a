//! What the removal costs: time of everything that a hop asks of it, beside the estimate. Time on a processor, not on the
//! wall: what else the machine does is not counted. Linux only.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tras_estimator::frame::FrameHeader;
use tras_estimator::through_current::{Remover, Settings};

use crate::head::CURRENT_HZ;

/// What this thread has spent on processors, in ms; NaN where the system does not say.
fn on_cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or(f64::NAN) * 1e-6
}

/// Runs three minutes of a stream of `channels` at `rate_hz`, and prints what a hop of half a second took.
pub(crate) fn report(channels: usize, rate_hz: f64) {
    const HOP_S: f64 = 0.5;
    const HOPS: u64 = 400;
    let Ok(mut remover) = Remover::new(Settings::new(channels, rate_hz, 35.0, CURRENT_HZ, 4.0, HOP_S)) else {
        return println!("cost: {channels} channels at {rate_hz} Hz are refused");
    };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (mut slow, mut values) = (0.0_f64, vec![0.0_f32; channels]);
    let (mut told, mut cleaned, mut spent_ms) = (0_u64, 0_u64, [0.0; 4]);
    remover.quiet(1000.0 - 1.0 / CURRENT_HZ);
    let hop = (HOP_S * rate_hz) as u64;
    let all: Vec<usize> = (0..channels).collect();
    for turn in 0..HOPS {
        let mut current: Vec<f32> = vec![];
        while (told + current.len() as u64) as f64 / CURRENT_HZ < (turn + 1) as f64 * HOP_S {
            let noise: f64 = rng.sample(StandardNormal);
            slow += 0.05 * (noise - slow);
            current.push((0.5 * slow) as f32);
        }
        let frames: Vec<(FrameHeader, Vec<f32>)> = (turn * hop..(turn + 1) * hop)
            .map(|index| {
                let at = (index as f64 / rate_hz * CURRENT_HZ) as u64;
                let ma = current.get(at.saturating_sub(told) as usize).copied().unwrap_or_default();
                for value in &mut values {
                    let noise: f64 = rng.sample(StandardNormal);
                    *value = 10.0 * noise as f32 + 2000.0 * ma;
                }
                let stamp_s = 1000.0 + index as f64 / rate_hz;
                (FrameHeader { index, stamp_s, ..FrameHeader::default() }, values.clone())
            })
            .collect();
        let mut at_ms = on_cpu_ms();
        let mut lap = |k: usize| {
            let now_ms = on_cpu_ms();
            spent_ms[k] += now_ms - at_ms;
            at_ms = now_ms;
        };
        for ma in &current {
            remover.current(1000.0 + told as f64 / CURRENT_HZ, *ma, 0);
            told += 1;
        }
        lap(0);
        for (header, values_uv) in &frames {
            remover.frame(header, values_uv);
        }
        lap(1);
        remover.poll(&mut |_, _| cleaned += 1);
        lap(2);
        std::hint::black_box(remover.proof(&all));
        lap(3);
    }
    // The system counts by its tick: only the mean over many hops is a time.
    let [current, frames, rest, proof] = spent_ms.map(|ms| ms / HOPS as f64);
    println!(
        "cost: {channels} channels at {rate_hz} Hz, a hop of {HOP_S} s: {:.2} ms on a processor (thinning {frames:.2}, current \
         {current:.2}, removal {rest:.2}, proof {proof:.2}); {cleaned} frames cleaned",
        current + frames + rest + proof
    );
}

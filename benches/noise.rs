//! Noise: samples a second on one core, soft limiting and amplitude included; the slowest single call; the
//! host's whole current with its limiter.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use tras::current::{Current, Setup, Start};
use tras::limits::HostLimits;
use tras::noise::{Noise, Parameters, Profile};

const RATE_HZ: f64 = 2000.0;

fn noise() -> Noise {
    let parameters = Parameters { exponent: 2.0, band_hz: (0.5, 100.0), peak_ma: 0.5 };
    Noise::new(&parameters, RATE_HZ, 7).unwrap()
}

/// The transform falls on one call in 205: how long that one takes.
fn slowest_call() {
    let mut source = noise();
    let mut out = vec![0f32; 40];
    let mut blocks = Vec::new();
    for _ in 0..200 {
        let mut worst = 0.0f64;
        for _ in 0..205 {
            let begun = Instant::now();
            source.fill(black_box(&mut out));
            worst = worst.max(begun.elapsed().as_secs_f64() * 1e6);
        }
        blocks.push(worst);
    }
    blocks.sort_by(f64::total_cmp);
    let at = |share: f64| blocks[((blocks.len() - 1) as f64 * share) as usize];
    println!(
        "noise/call with a new block: median {:.0} us, p90 {:.0} us, worst of 200 {:.0} us",
        at(0.5),
        at(0.9),
        at(1.0)
    );
}

/// Nanoseconds that this thread has had a processor, by Linux: what other programs take is not in it.
fn on_processor_ns() -> Option<f64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_whitespace().next()?.parse().ok()
}

/// Samples a second of `step`, which makes `samples` of them, three times over: by processor time where Linux tells it,
/// which is what counts on a busy machine, and by the wall.
fn throughput(name: &str, samples: usize, mut step: impl FnMut()) {
    let calls = 200_000_000 / samples;
    for _ in 0..3 {
        let (begun, wall) = (on_processor_ns(), Instant::now());
        for _ in 0..calls {
            step();
        }
        let made = (calls * samples) as f64;
        let by_wall = made / wall.elapsed().as_secs_f64() / 1e6;
        let by_processor = begun.zip(on_processor_ns()).map(|(begun, ended)| made / (ended - begun) * 1e3);
        println!(
            "noise/{name}: {:.0} million samples/s of processor time, {by_wall:.0} by the wall",
            by_processor.unwrap_or(f64::NAN)
        );
    }
}

fn flowing() -> Current {
    let mut current = Current::new(&Setup::new(HostLimits::for_electrode(35.0), 7)).unwrap();
    current.arm().unwrap();
    let start = Start { decision_id: 1, profile: Profile::Steep, exponent: 2.0, peak_ma: 0.5 };
    current.start(&start).unwrap();
    current
}

fn main() {
    slowest_call();
    let (mut source, mut out) = (noise(), vec![0f32; 65_536]);
    throughput("fill 0.5..100 Hz, limited", out.len(), || source.fill(black_box(&mut out)));
    // Stays within the session's time: 2,400 s are 4.8 million samples, then it would measure the latched fault.
    let (mut current, mut short) = (flowing(), vec![0f32; 4_000]);
    throughput("current with every limit", short.len(), || {
        if current.dose().active_samples > 4_000_000 {
            current = flowing();
        }
        current.fill(black_box(&mut short));
    });
}

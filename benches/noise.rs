//! Noise: samples a second on one core, soft limiting and amplitude included; the slowest single call; the
//! host's whole current with its limiter.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput};
use tras::current::{Current, Setup, Start};
use tras::limits::HostLimits;
use tras::noise::{Noise, Parameters, Profile};

const RATE_HZ: f64 = 2000.0;

fn noise() -> Noise {
    let parameters = Parameters { exponent: 2.0, band_hz: (0.5, 100.0), peak_ma: 0.5 };
    Noise::new(&parameters, RATE_HZ, 7).unwrap()
}

fn throughput(c: &mut Criterion) {
    let mut group = c.benchmark_group("noise");
    let mut out = vec![0f32; 65_536];
    group.throughput(Throughput::Elements(out.len() as u64));
    let mut source = noise();
    group.bench_function("fill 0.5..100 Hz, limited", |b| b.iter(|| source.fill(black_box(&mut out))));
    let mut current = Current::new(&Setup::new(HostLimits::for_electrode(35.0), 7)).unwrap();
    current.arm().unwrap();
    let start = Start { decision_id: 1, profile: Profile::Steep, exponent: 2.0, peak_ma: 0.5 };
    current.start(&start).unwrap();
    // Stays within the session's time: 2,400 s are 4.8 million samples, then it measures the latched fault.
    let mut short = vec![0f32; 4_000];
    group.throughput(Throughput::Elements(short.len() as u64));
    group.sample_size(10);
    group.measurement_time(std::time::Duration::from_millis(100));
    group.warm_up_time(std::time::Duration::from_millis(1));
    group.bench_function("current with every limit", |b| {
        b.iter(|| {
            if current.dose().active_samples > 4_000_000 {
                current = Current::new(&Setup::new(HostLimits::for_electrode(35.0), 7)).unwrap();
                current.arm().unwrap();
                current.start(&start).unwrap();
            }
            current.fill(black_box(&mut short));
        });
    });
    group.finish();
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

/// Criterion's first figure by processor time rather than by the wall: of use on a busy machine.
fn by_processor_time() {
    let mut source = noise();
    let mut out = vec![0f32; 65_536];
    for _ in 0..3 {
        let (begun, wall) = (on_processor_ns(), Instant::now());
        for _ in 0..4_000 {
            source.fill(black_box(&mut out));
        }
        let samples = 4_000.0 * out.len() as f64;
        let by_wall = samples / wall.elapsed().as_secs_f64() / 1e6;
        if let (Some(begun), Some(ended)) = (begun, on_processor_ns()) {
            let by_processor = samples / (ended - begun) * 1e3;
            println!(
                "noise/fill: {by_processor:.0} million samples/s of processor time, {by_wall:.0} by the wall"
            );
        }
    }
}

fn main() {
    slowest_call();
    by_processor_time();
    let mut criterion = Criterion::default().configure_from_args();
    throughput(&mut criterion);
    criterion.final_summary();
}

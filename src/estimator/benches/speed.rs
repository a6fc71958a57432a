//! How long a specparam fit, a whittle fit and a hop take.
//!
//! ```text
//! cargo bench -p tras-estimator --bench speed                              all tables
//! cargo bench -p tras-estimator --bench speed -- --write spectra.csv       the spectra that are fitted
//! python benches/estimator_reference.py spectra.csv times.csv              what fooof 1.1.1 and specparam 2 take for them
//! cargo bench -p tras-estimator --bench speed -- --reference times.csv     with the ratio to each
//! cargo bench -p tras-estimator --bench speed -- --only fits               one table: fits, whittle or hops
//! ```
//! CPU time of the thread, so that other processes count as little as may be: medians, and the slowest of 1,000.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a bench has files"
)]

#[allow(dead_code, missing_docs, reason = "the accuracy bench uses the rest")]
#[path = "accuracy/signal.rs"]
mod signal;

use std::fmt::Write;

use rand::{Rng, SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use tras_estimator::assemble;
use tras_estimator::frame::FrameHeader;
use tras_estimator::settings::{MethodName, Settings};
use tras_estimator::specparam::{Mode, Specparam, SpecparamSettings};
use tras_estimator::spectrum::{Average, Kind, SpectrumSettings};
use tras_estimator::window::{Estimator, EstimatorSettings};
use tras_estimator::{Contamination, Method, Spectrum};

/// CPU time of this thread in microseconds: the wall clock would count other processes.
fn cpu_us() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0, "no CPU clock");
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 * 1e-3
}

/// Spectra in each cell of the table.
const SPECTRA: usize = 1000;
/// Standard deviation of the noise in log10 power: a long rest recording's, and a 4 s window's.
const NOISES: [(&str, f64); 2] = [("low", 0.01), ("high", 0.1)];

fn freqs_hz() -> Vec<f64> {
    (4..=70).map(|k| f64::from(k) * 0.5).collect()
}

fn uniform(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// log10 power with `peaks` true peaks.
fn spectra(peaks: usize, noise: f64) -> Vec<Vec<f64>> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(100 * peaks as u64 + (noise * 1000.0) as u64);
    let bands = [(8.5, 12.0), (18.0, 26.0), (4.5, 6.5)];
    (0..SPECTRA)
        .map(|_| {
            let (offset, exponent) = (uniform(&mut rng, -0.5, 1.5), uniform(&mut rng, 0.7, 2.0));
            let truth: Vec<(f64, f64, f64)> = bands
                .iter()
                .take(peaks)
                .map(|(low, high)| {
                    let centre = uniform(&mut rng, *low, *high);
                    (centre, uniform(&mut rng, 0.3, 1.0), uniform(&mut rng, 0.7, 2.0))
                })
                .collect();
            freqs_hz()
                .iter()
                .map(|f| {
                    let line = offset - exponent * f.log10();
                    let peaks: f64 =
                        truth.iter().map(|(c, h, s)| h * (-0.5 * ((f - c) / s).powi(2)).exp()).sum();
                    let scatter: f64 = StandardNormal.sample(&mut rng);
                    line + peaks + noise * scatter
                })
                .collect()
        })
        .collect()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median and largest time of one fit, in microseconds, and peaks found.
fn time_fits(mode: Mode, spectra: &[Vec<f64>]) -> (f64, f64, f64) {
    let mut method = Specparam::new(SpecparamSettings { mode, ..SpecparamSettings::tras() }).unwrap();
    let freqs_hz = freqs_hz();
    let (mut times, mut found) = (Vec::new(), 0);
    for log_power in std::iter::once(&spectra[0]).chain(spectra) {
        let power: Vec<f64> = log_power.iter().map(|p| 10_f64.powf(*p)).collect();
        let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 7, gamma_shape: 6.0 };
        // The shortest of three: one preempted fit says nothing about the fit.
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let start = cpu_us();
            let fit = method.fit(std::hint::black_box(&spectrum), 0);
            best = best.min(cpu_us() - start);
            found += fit.peaks.as_slice().len();
        }
        times.push(best);
    }
    times.remove(0);
    let slowest = times.iter().copied().fold(0.0, f64::max);
    (median(&mut times), slowest, found as f64 / 3.0 / times.len() as f64)
}

/// fooof's and specparam's medians in microseconds, by cell: `mode,peaks,noise,fooof_us,specparam_us`.
fn reference(path: &str) -> Vec<(String, f64, f64)> {
    let text = std::fs::read_to_string(path).expect("the file of reference times");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        (cells[..3].join(","), cells[3].parse().unwrap(), cells[4].parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

fn fits_table(reference: &[(String, f64, f64)]) {
    println!("One specparam fit, tRAS settings, 67 bins, {SPECTRA} spectra a cell (us)");
    println!("mode   true peaks  noise  found  median  slowest  fooof 1.1.1 / ours  specparam 2 / ours");
    for mode in [Mode::Fixed, Mode::Knee] {
        for peaks in 0..4 {
            for (name, noise) in NOISES {
                let (middle, slowest, found) = time_fits(mode, &spectra(peaks, noise));
                let mode_name = if mode == Mode::Fixed { "fixed" } else { "knee" };
                let key = format!("{mode_name},{peaks},{name}");
                let ratio = reference
                    .iter()
                    .find(|(cell, ..)| *cell == key)
                    .map_or(String::new(), |(_, f, s)| format!("{:>18.0}  {:>18.0}", f / middle, s / middle));
                println!(
                    "{mode_name:<6} {peaks:>10}  {name:<5}  {found:>5.1}  {middle:>6.1}  {slowest:>7.1}  {ratio}"
                );
            }
        }
    }
}

fn write_spectra(path: &str) {
    let mut text = String::new();
    for peaks in 0..4 {
        for (name, noise) in NOISES {
            for log_power in spectra(peaks, noise) {
                let _ = write!(text, "{peaks},{name}");
                for value in log_power {
                    let _ = write!(text, ",{value:.9}");
                }
                text.push('\n');
            }
        }
    }
    std::fs::write(path, text).expect("the file of spectra");
}

/// Median microseconds of a hop: its samples pushed, and the estimates.
fn time_hops(channels: usize, window_s: f64, spectrum: SpectrumSettings) -> (f64, f64) {
    let rate_hz = 250.0;
    let settings = EstimatorSettings {
        window_s,
        spectrum,
        targets: EstimatorSettings::each_channel((0..channels).map(|c| c.to_string())),
        ..EstimatorSettings::default()
    };
    let method = Box::new(Specparam::new(SpecparamSettings::tras()).unwrap());
    let mut estimator = Estimator::new(settings, rate_hz, channels, method).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut walk = vec![0.0_f32; channels];
    let (mut pushes, mut fits, mut push_us) = (Vec::new(), Vec::new(), 0.0);
    for index in 0..((window_s + 12.0) * rate_hz) as u64 {
        for x in &mut walk {
            let noise: f64 = StandardNormal.sample(&mut rng);
            *x = 0.95 * *x + 3.0 * noise as f32;
        }
        let header = FrameHeader { index, stamp_s: index as f64 / rate_hz, ..FrameHeader::default() };
        let start = cpu_us();
        let due = estimator.push(&header, &walk, Contamination::Clean);
        push_us += cpu_us() - start;
        if due {
            let start = cpu_us();
            std::hint::black_box(estimator.estimates(header.stamp_s));
            if index as f64 > window_s * rate_hz {
                fits.push(cpu_us() - start);
                pushes.push(push_us);
            }
            push_us = 0.0;
        }
    }
    (median(&mut pushes), median(&mut fits))
}

/// Fits of consecutive 4 s windows, after their transform: a minute for the memory, then 200 that count. With memory the
/// mean too: every eighth window the minute is searched, which costs most.
fn whittle_table() {
    const WINDOW_S: f64 = 4.0;
    const SAMPLES: usize = 1000;
    const WARM: usize = 15;
    println!("\nOne whittle fit of a 4 s window after the transform (us)");
    println!("memory, s  true peaks  median    mean  slowest of 1,000");
    for memory_s in [60.0, 0.0] {
        for kind in 0..4 {
            let mut times = Vec::new();
            for session in 0..5 {
                let mut draw = signal::Draw::new(session);
                let density = signal::Density::line(1.0, signal::peaks(kind, 1.0, &mut draw));
                let x = density.series((WARM + 200) * SAMPLES, &mut draw);
                let settings = Settings {
                    memory_s,
                    ..Settings::for_windows(MethodName::Whittle, WINDOW_S, WINDOW_S, [2.0, 35.0])
                };
                let windows = assemble::estimator_settings(&settings, EstimatorSettings::each_channel(["x"]));
                let method = assemble::method(&settings, &windows, signal::RATE_HZ).unwrap();
                let mut estimator = Estimator::new(windows, signal::RATE_HZ, 1, method).unwrap();
                for (index, &value) in x.iter().enumerate() {
                    let header = FrameHeader { index: index as u64, ..FrameHeader::default() };
                    if !estimator.push(&header, &[value as f32], Contamination::Clean) {
                        continue;
                    }
                    // Once only: a second fit of a window would find it in the memory.
                    let start = cpu_us();
                    std::hint::black_box(estimator.estimates(0.0));
                    let took = cpu_us() - start;
                    if index > WARM * SAMPLES {
                        times.push(took);
                    }
                }
            }
            let slowest = times.iter().copied().fold(0.0, f64::max);
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            println!("{memory_s:>9}  {kind:>10}  {:>6.1}  {mean:>6.1}  {slowest:>16.1}", median(&mut times));
        }
    }
}

fn hops_table() {
    println!(
        "\nOne hop of 0.1 s at 250 Hz (us, median): 25 samples pushed and transformed + a fit for each channel"
    );
    let multitaper = SpectrumSettings {
        kind: Kind::Multitaper { half_bandwidth_hz: 1.0, tapers: None },
        segment_s: 4.0,
        ..SpectrumSettings::default()
    };
    let median = SpectrumSettings { average: Average::Median, ..SpectrumSettings::default() };
    let kinds = [
        ("Welch 1 s, mean", SpectrumSettings::default()),
        ("Welch 1 s, median", median),
        ("multitaper 4 s", multitaper),
    ];
    for (name, spectrum) in kinds {
        println!("{name:<18} channels     window 4 s           8 s          16 s");
        for channels in [1, 8, 64] {
            print!("{:>27}", channels);
            for window_s in [4.0, 8.0, 16.0] {
                let (push, fit) = time_hops(channels, window_s, spectrum);
                print!("  {push:>5.0} + {fit:>5.0}");
            }
            println!();
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    if let Some(path) = after("--write") {
        write_spectra(path);
        return;
    }
    let times = after("--reference").map(|path| reference(path)).unwrap_or_default();
    let only = after("--only");
    let asked = |name: &str| only.is_none_or(|only| only == name);
    if asked("fits") {
        fits_table(&times);
    }
    if asked("whittle") {
        whittle_table();
    }
    if asked("hops") {
        hops_table();
    }
}

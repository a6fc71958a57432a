//! What others do, on the same data: eight channels under one current, each with a path of its own. All of them are given
//! what they do not have in practice: the current at the EEG's own samples, and its delay.
//!
//! * nothing;
//! * template: the current's waveform, scaled to each window by least squares, taken away;
//! * spatial filter: the direction of largest variance under current, from the first half minute, projected out;
//! * LMS, RLS: adaptive filters of 24 taps (-8..15 samples) on the current (Kohli and Casson 2019, Sensors 19:190).

use super::head::{self, CURRENT_HZ, Head, QUIET_S, RAMP_S};
use super::{HOP_S, WINDOW_S, estimator};
use tras_estimator::Contamination;
use tras_estimator::frame::FrameHeader;
use tras_estimator::through_current::{Remover, Settings};

const CHANNELS: usize = 8;
const RATE_HZ: f64 = 250.0;
const BEFORE: usize = 8;
const TAPS: usize = 24;

/// Recorded channels, their EEG alone, and the current: in mA as delivered, and at the EEG's samples.
struct Data {
    eeg: Vec<Vec<f64>>,
    recorded: Vec<Vec<f64>>,
    delivered_ma: Vec<f32>,
    current: Vec<f64>,
}

fn data(seed: u64, artefact_uv: f64, cubic: f64) -> Data {
    let (mut eeg, mut recorded, mut delivered_ma) = (vec![], vec![], vec![]);
    let one = Head { seed, artefact_uv, cubic, ppm: 0.0, wander_ppm: 0.0, ..Head::default() };
    for channel in 0..CHANNELS {
        let far = 1.0 - 0.1 * channel as f64;
        let charges = 0.3 + 0.05 * channel as f64;
        let eeg_seed = Some(1000 * seed + channel as u64);
        let signals = Head { artefact_uv: artefact_uv * far, charges, eeg_seed, ..one.clone() }.signals();
        eeg.push(signals.eeg_uv);
        recorded.push(signals.recorded_uv);
        delivered_ma = signals.current_ma;
    }
    // The amplifier's own filters, which the anchors are given too.
    let mut filtered: Vec<f64> = delivered_ma.iter().map(|x| f64::from(*x)).collect();
    head::highpass(&mut filtered, CURRENT_HZ, one.highpass.0, one.highpass.1);
    head::antialias(&mut filtered, CURRENT_HZ, 0.35 * RATE_HZ);
    let at = |n: usize| head::at(&filtered, (n as f64 / RATE_HZ - one.delay_s) * CURRENT_HZ);
    let current = (0..eeg[0].len()).map(at).collect();
    Data { eeg, recorded, delivered_ma, current }
}

fn template(data: &Data) -> Vec<f64> {
    let n = (WINDOW_S * RATE_HZ) as usize;
    let mut out = vec![];
    for (y, x) in data.recorded[0].chunks(n).zip(data.current.chunks(n)) {
        let (xy, xx) = y.iter().zip(x).fold((0.0, 1e-30), |(xy, xx), (y, x)| (xy + x * y, xx + x * x));
        out.extend(y.iter().zip(x).map(|(y, x)| y - xy / xx * x));
    }
    out
}

fn spatial(data: &Data) -> Vec<f64> {
    let learn = ((QUIET_S + RAMP_S) * RATE_HZ) as usize..((QUIET_S + RAMP_S + 30.0) * RATE_HZ) as usize;
    let mut direction = [1.0; CHANNELS];
    // The first principal component, by the power method.
    for _ in 0..50 {
        let mut next = [0.0; CHANNELS];
        for n in learn.clone() {
            let score: f64 = (0..CHANNELS).map(|c| data.recorded[c][n] * direction[c]).sum();
            (0..CHANNELS).for_each(|c| next[c] += score * data.recorded[c][n]);
        }
        let norm = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        direction = next.map(|x| x / norm);
    }
    (0..data.recorded[0].len())
        .map(|n| {
            let score: f64 = (0..CHANNELS).map(|c| data.recorded[c][n] * direction[c]).sum();
            data.recorded[0][n] - score * direction[0]
        })
        .collect()
}

fn row(current: &[f64], n: usize) -> [f64; TAPS] {
    std::array::from_fn(|k| {
        (n + BEFORE).checked_sub(k).and_then(|at| current.get(at)).copied().unwrap_or(0.0)
    })
}

fn lms(data: &Data) -> Vec<f64> {
    let mut weights = [0.0; TAPS];
    let step = 0.02;
    let filter = |(n, y): (usize, &f64)| {
        let x = row(&data.current, n);
        let error = y - x.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>();
        let power = x.iter().map(|x| x * x).sum::<f64>() + 1e-6;
        weights.iter_mut().zip(x).for_each(|(w, x)| *w += step * error * x / power);
        error
    };
    data.recorded[0].iter().enumerate().map(filter).collect()
}

fn rls(data: &Data) -> Vec<f64> {
    // Forgets over 30 s.
    let keep = 1.0 - 1.0 / (30.0 * RATE_HZ);
    let mut weights = [0.0; TAPS];
    let mut inverse = [[0.0; TAPS]; TAPS];
    (0..TAPS).for_each(|k| inverse[k][k] = 1e4);
    let filter = |(n, y): (usize, &f64)| {
        let x = row(&data.current, n);
        let error = y - x.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>();
        let px: [f64; TAPS] = std::array::from_fn(|i| (0..TAPS).map(|j| inverse[i][j] * x[j]).sum());
        let gain = keep + x.iter().zip(&px).map(|(x, p)| x * p).sum::<f64>();
        for i in 0..TAPS {
            weights[i] += px[i] / gain * error;
            for j in 0..TAPS {
                inverse[i][j] = (inverse[i][j] - px[i] * px[j] / gain) / keep;
            }
            // Without current nothing is learnt: what is not known must not grow without end.
            inverse[i][i] = inverse[i][i].min(1e6);
        }
        error
    };
    data.recorded[0].iter().enumerate().map(filter).collect()
}

/// Exponents of a signal by the end of their windows, in samples of the stream; valid fits alone.
fn exponents(signal: &[f64], rate_hz: f64, thin: u64) -> Vec<(u64, f64)> {
    let mut estimator = estimator(rate_hz);
    let mut found = vec![];
    for (n, x) in signal.iter().enumerate() {
        let header =
            FrameHeader { index: n as u64 * thin, stamp_s: n as f64 / rate_hz, ..FrameHeader::default() };
        if estimator.push(&header, &[*x as f32], Contamination::Clean) {
            let fit = estimator.estimate(0, header.stamp_s).fit;
            found.push((header.index, if fit.invalid.is_none() { fit.exponent } else { f64::NAN }));
        }
    }
    found
}

/// Exponents of what our removal leaves of the first channel, and which were proven.
fn ours(data: &Data) -> (Vec<(u64, f64)>, Vec<bool>) {
    let settings = Settings::new(CHANNELS, RATE_HZ, 35.0, CURRENT_HZ, WINDOW_S, HOP_S);
    let Ok(mut remover) = Remover::new(settings) else { return (vec![], vec![]) };
    let mut estimator = estimator(remover.rate_hz());
    let (mut told, mut found, mut proven) = (0, vec![], vec![]);
    remover.quiet(1000.0 - 1.0 / CURRENT_HZ);
    for n in 0..data.eeg[0].len() {
        while (told as f64) < (n as f64 + 250.0) * CURRENT_HZ / RATE_HZ && told < data.delivered_ma.len() {
            remover.current(1000.0 + told as f64 / CURRENT_HZ, data.delivered_ma[told], 0);
            told += 1;
        }
        let header =
            FrameHeader { index: n as u64, stamp_s: 1000.0 + n as f64 / RATE_HZ, ..FrameHeader::default() };
        let values: Vec<f32> = data.recorded.iter().map(|channel| channel[n] as f32).collect();
        remover.frame(&header, &values);
        let mut cleaned = vec![];
        remover.poll(&mut |header, values| cleaned.push((*header, values[0])));
        for (header, value) in cleaned {
            if estimator.push(&header, &[value], Contamination::Clean) {
                let fit = estimator.estimate(0, header.stamp_s).fit;
                found.push((header.index, if fit.invalid.is_none() { fit.exponent } else { f64::NAN }));
                proven.push(remover.proof(&[0]).failed.is_none());
            }
        }
    }
    (found, proven)
}

/// Prints the table: difference to the same windows of the same EEG without current, from half a minute after the ramp.
pub(crate) fn report() {
    let names = ["nothing", "template", "spatial filter", "LMS", "RLS", "here", "here, proven"];
    for (artefact_uv, cubic) in [(100.0, 0.0), (1000.0, 0.0), (10_000.0, 0.0), (1000.0, 3e-3)] {
        let mut differences: Vec<Vec<f64>> = vec![vec![]; names.len()];
        let mut windows = 0;
        for seed in 1..=3 {
            let data = data(seed, artefact_uv, cubic);
            let alone = exponents(&data.eeg[0], RATE_HZ, 1);
            let signals = [data.recorded[0].clone(), template(&data), spatial(&data), lms(&data), rls(&data)];
            let from = ((QUIET_S + RAMP_S + 34.0) * RATE_HZ) as u64;
            let mut compare = |found: &[(u64, f64)], into: usize, keep: &dyn Fn(usize) -> bool| {
                for (k, (at, exponent)) in found.iter().enumerate().filter(|(_, (at, _))| *at >= from) {
                    let nearest = alone.iter().min_by_key(|(other, _)| other.abs_diff(*at));
                    if let Some((_, want)) = nearest
                        && want.is_finite()
                        && exponent.is_finite()
                        && keep(k)
                    {
                        differences[into].push(exponent - want);
                    }
                }
            };
            for (into, signal) in signals.iter().enumerate() {
                compare(&exponents(signal, RATE_HZ, 1), into, &|_| true);
            }
            let (found, proven) = ours(&data);
            compare(&found, 5, &|_| true);
            compare(&found, 6, &|k| proven[k]);
            windows += found.iter().filter(|(at, _)| *at >= from).count();
        }
        let cells: Vec<String> = names
            .iter()
            .zip(&differences)
            .map(|(name, x)| {
                let n = x.len().max(1) as f64;
                let mean = x.iter().sum::<f64>() / n;
                let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                let valid = 100.0 * x.len() as f64 / windows.max(1) as f64;
                format!("{name} {mean:+.3} {sd:.3} ({valid:.0} %)")
            })
            .collect();
        println!("anchors, {artefact_uv} uV, third order {cubic}: {}", cells.join(" | "));
    }
}

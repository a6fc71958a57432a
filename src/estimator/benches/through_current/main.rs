//! Estimates under current against estimates of the same EEG without it, over paths that real heads have.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a bench")]

mod anchors;
mod cost;
mod head;

use head::{CURRENT_HZ, Head, QUIET_S, RAMP_S};
use tras_estimator::frame::{Facts, FrameHeader};
use tras_estimator::settings::{Bent, DuringCurrent, Floor, MethodName, Mode, Region, Settings};
use tras_estimator::spectrum::{Average, Detrend};
use tras_estimator::through_current::{Remover, Settings as RemoverSettings, Unproven};
use tras_estimator::window::{Estimator, RegionMean, Target};
use tras_estimator::{Contamination, assemble};

const WINDOW_S: f64 = 4.0;
const HOP_S: f64 = 0.5;

pub(crate) fn estimator(rate_hz: f64) -> Estimator {
    let settings = Settings {
        method: MethodName::Whittle,
        mode: Mode::Fixed,
        bent: Bent::Hold,
        floor: Floor::None,
        range_hz: [2.0, 35.0],
        window_s: WINDOW_S,
        hop_s: HOP_S,
        segment_s: 2.0,
        overlap: 0.75,
        average: Average::Mean,
        detrend: Detrend::Constant,
        max_peaks: 12,
        peak_width_hz: [1.0, 8.0],
        min_peak_height: 0.05,
        peak_threshold: 2.0,
        line_hz: 0.0,
        min_r_squared: None,
        min_segments_share: 0.5,
        during_current: DuringCurrent::Show,
        memory_s: 60.0,
        regions: vec![Region { name: "a".into(), channels: vec![] }],
        each_channel: false,
        steer: "a".into(),
    };
    let target = Target { name: "a".into(), channels: vec![0], mean: RegionMean::Spectra };
    let windows = assemble::estimator_settings(&settings, vec![target]);
    let method = assemble::method(&settings, &windows, rate_hz).unwrap();
    Estimator::new(windows, rate_hz, 1, method).unwrap()
}

struct Row {
    /// Exponent with the artefact removed, without current, whether called valid, why not.
    found: Vec<(f64, f64, bool, Option<Unproven>)>,
    removed_db: f64,
    ppm: f64,
}

fn run(head: &Head, window_s: f64) -> Row {
    let signals = head.signals();
    let rate = head.eeg_hz;
    let mut remover = Remover::new(RemoverSettings::new(1, rate, 35.0, CURRENT_HZ, window_s, HOP_S)).unwrap();
    let (mut alone, mut through) = (estimator(rate), estimator(remover.rate_hz()));
    let mut alone_at: Vec<(u64, f64, Option<tras_estimator::Reason>)> = vec![];
    let mut row = Row { found: vec![], removed_db: f64::NAN, ppm: 0.0 };
    let mut told = 0;
    let per_frame = CURRENT_HZ / rate;
    remover.quiet(1000.0 - 1.0 / CURRENT_HZ);
    for (n, (eeg, recorded)) in signals.eeg_uv.iter().zip(&signals.recorded_uv).enumerate() {
        let stamp_s = 1000.0 + n as f64 / rate;
        let header = FrameHeader {
            index: n as u64,
            stamp_s,
            raw_stamp_s: stamp_s,
            arrived_s: stamp_s,
            facts: Facts::NONE,
            ..FrameHeader::default()
        };
        while (told as f64) < (n as f64 + 250.0) * per_frame && told < signals.current_ma.len() {
            remover.current(1000.0 + told as f64 / CURRENT_HZ, signals.current_ma[told], 0);
            told += 1;
        }
        if alone.push(&header, &[*eeg as f32], Contamination::Clean) {
            let estimate = alone.estimate(0, stamp_s);
            alone_at.push((estimate.last_sample, estimate.fit.exponent, estimate.fit.invalid));
        }
        remover.frame(&header, &[*recorded as f32]);
        let mut cleaned = vec![];
        remover.poll(&mut |header, values| cleaned.push((*header, values[0])));
        for (header, value) in cleaned {
            if through.push(&header, &[value], Contamination::Clean) {
                let estimate = through.estimate(0, header.stamp_s);
                let proof = remover.proof(&[0]);
                let t = header.index as f64 / rate;
                let nearest = alone_at.iter().min_by_key(|(last, _, _)| last.abs_diff(estimate.last_sample));
                if let Some((_, want, None)) = nearest
                    && t > QUIET_S + RAMP_S + 6.0
                {
                    let valid = estimate.fit.invalid.is_none() && proof.failed.is_none();
                    row.found.push((estimate.fit.exponent, *want, valid, proof.failed));
                    row.removed_db = proof.removed_db;
                }
            }
        }
    }
    row.ppm = remover.drift_ppm().0;
    row
}

fn report(name: &str, heads: &[Head]) {
    let mut found = vec![];
    let (mut db, mut ppm) = (0.0, 0.0);
    for head in heads {
        let row = run(head, WINDOW_S);
        found.extend(row.found);
        db = row.removed_db;
        ppm = row.ppm;
    }
    let difference = |all: bool| -> Vec<f64> {
        found.iter().filter(|f| (all || f.2) && f.0.is_finite()).map(|f| f.0 - f.1).collect()
    };
    let stats = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len().max(1) as f64;
        let sd = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len().max(1) as f64).sqrt();
        (mean, sd)
    };
    let (bias, sd) = stats(&difference(true));
    let (valid_bias, valid_sd) = stats(&difference(false));
    let truth: Vec<f64> = found.iter().map(|f| f.1).collect();
    let valid = found.iter().filter(|f| f.2).count() as f64 / found.len().max(1) as f64;
    let mut why = std::collections::BTreeMap::new();
    for f in &found {
        if let Some(reason) = f.3 {
            *why.entry(reason.as_str()).or_insert(0) += 1;
        }
    }
    println!(
        "{name:<44} n {:>4} valid {:>5.1} %  bias {valid_bias:+.3} sd {valid_sd:.3} | all {bias:+.3} {sd:.3} | own sd {:.3} | {db:.0} dB {ppm:+.1} ppm {why:?}",
        found.len(),
        100.0 * valid,
        stats(&truth).1,
    );
}

fn main() {
    let only = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    if only.as_ref().is_none_or(|only| "cost".contains(only.as_str())) {
        for (channels, rate_hz) in [(8, 250.0), (64, 500.0), (64, 5000.0)] {
            cost::report(channels, rate_hz);
        }
    }
    if only.as_ref().is_none_or(|only| "anchors".contains(only.as_str())) {
        anchors::report();
    }
    let seeds = 3;
    let heads = |head: Head| -> Vec<Head> { (1..=seeds).map(|seed| Head { seed, ..head.clone() }).collect() };
    let mut rows: Vec<(String, Head)> = vec![];
    for chi in [2.0, 0.5] {
        for artefact_uv in [0.0, 10.0, 100.0, 1e3, 1e4, 1e5] {
            rows.push((
                format!("size {artefact_uv} uV, current {chi}"),
                Head { artefact_uv, current_exponent: chi, ..Head::default() },
            ));
        }
    }
    for eeg_hz in [128.0, 500.0, 1000.0, 5000.0] {
        rows.push((format!("EEG at {eeg_hz} Hz"), Head { eeg_hz, ..Head::default() }));
    }
    for cubic in [1e-4, 3e-4, 1e-3, 3e-3, 1e-2] {
        rows.push((format!("cubic {cubic}"), Head { cubic, ..Head::default() }));
    }
    for modulation in [3e-4, 1e-3, 3e-3, 1e-2] {
        rows.push((format!("modulation {modulation}"), Head { modulation, ..Head::default() }));
    }
    for (corner, order) in [(0.016, 1), (0.5, 1), (1.0, 1), (0.16, 2), (1.0, 2)] {
        rows.push((
            format!("highpass {corner} order {order}"),
            Head { highpass: (corner, order), ..Head::default() },
        ));
    }
    for (name, artefact_uv, cubic) in
        [("awake", 1e3, 0.0), ("awake, 10 mV", 1e4, 0.0), ("awake, third order 3e-3", 1e3, 3e-3)]
    {
        rows.push((name.to_owned(), Head { lively: true, artefact_uv, cubic, ..Head::default() }));
    }
    for range_uv in [4000.0, 3000.0, 2000.0] {
        rows.push((format!("saturates at {range_uv} uV"), Head { range_uv, ..Head::default() }));
    }
    for walk in [1e-4, 1e-3] {
        rows.push((format!("walk {walk}"), Head { walk, ..Head::default() }));
    }
    for ppm in [0.0, 100.0] {
        rows.push((format!("ppm {ppm}"), Head { ppm, ..Head::default() }));
    }
    for (name, head) in rows {
        if only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            report(&name, &heads(head));
        }
    }
}

//! A real recording with four broken samples, where it is at hand (shared/data/eeg-eye-state.csv; 14 channels, 128 Hz).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras::acquisition::frame::FrameHeader;
use tras::estimator::specparam::{Specparam, SpecparamSettings};
use tras::estimator::window::{Estimator, EstimatorSettings};
use tras::estimator::{Contamination, Estimate};

const RATE_HZ: f64 = 128.0;
const BROKEN: [usize; 4] = [898, 10386, 11509, 13179];

/// Names, and samples [sample][channel].
fn recording() -> Option<(Vec<String>, Vec<Vec<f32>>)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let found = ["../shared/data", "../../shared/data"]
        .iter()
        .find_map(|folder| std::fs::read_to_string(format!("{root}/{folder}/eeg-eye-state.csv")).ok());
    let Some(text) = found else {
        tras_test_support::skipped(
            "estimator_recording",
            "no shared/data/eeg-eye-state.csv beside the repository",
        );
        return None;
    };
    let mut lines = text.lines();
    let names: Vec<String> = lines.next()?.split(',').map(str::to_string).collect();
    let wanted = |name: &String| name != "time" && name != "eyes_closed";
    let keep: Vec<usize> = (0..names.len()).filter(|at| wanted(&names[*at])).collect();
    let samples = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            keep.iter().map(|at| cells[*at].parse().unwrap()).collect()
        })
        .collect();
    Some((keep.iter().map(|at| names[*at].clone()).collect(), samples))
}

/// Estimates of the whole recording, `marked` samples said to be spoilt on every channel.
fn run(names: &[String], samples: &[Vec<f32>], marked: &[usize], least: f64) -> Vec<Estimate> {
    let settings = EstimatorSettings {
        hop_s: 0.5,
        min_good_fraction: least,
        targets: EstimatorSettings::each_channel(names.iter().cloned()),
        ..EstimatorSettings::default()
    };
    let method = Box::new(Specparam::new(SpecparamSettings::tras()).unwrap());
    let mut estimator = Estimator::new(settings, RATE_HZ, names.len(), method).unwrap();
    let mut all = Vec::new();
    for (index, frame) in samples.iter().enumerate() {
        let stamp_s = index as f64 / RATE_HZ;
        let mut header = FrameHeader { index: index as u64, stamp_s, ..FrameHeader::default() };
        if marked.contains(&index) {
            (0..names.len()).for_each(|channel| header.spoilt.insert(channel));
        }
        if estimator.push(&header, frame, Contamination::Clean) {
            all.extend_from_slice(estimator.estimates(stamp_s));
        }
    }
    all
}

/// A straight line in place of the broken samples.
fn mended(samples: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let mut mended = samples.to_vec();
    for at in BROKEN {
        for (channel, value) in mended[at].iter_mut().enumerate() {
            *value = 0.5 * (samples[at - 1][channel] + samples[at + 1][channel]);
        }
    }
    mended
}

fn holds_a_broken_sample(estimate: &Estimate) -> bool {
    BROKEN.iter().any(|at| (estimate.first_sample..=estimate.last_sample).contains(&(*at as u64)))
}

#[test]
fn the_values_of_marked_samples_reach_no_estimate() {
    let Some((names, samples)) = recording() else { return };
    let broken = run(&names, &samples, &BROKEN, 0.5);
    let without = run(&names, &mended(&samples), &BROKEN, 0.5);
    assert!(broken.iter().filter(|e| holds_a_broken_sample(e) && e.fit.invalid.is_none()).count() > 100);
    for (a, b) in broken.iter().zip(&without) {
        assert_eq!(a.fit.invalid, b.fit.invalid);
        assert!((a.fit.exponent - b.fit.exponent).abs() < 1e-9 || a.fit.exponent.is_nan(), "{a:?} {b:?}");
    }
}

#[test]
fn where_every_segment_must_be_good_no_window_with_a_broken_sample_is_reported() {
    let Some((names, samples)) = recording() else { return };
    // Not marked: the detector has to see them by itself.
    let broken = run(&names, &samples, &[], 1.0);
    let without = run(&names, &mended(&samples), &[], 1.0);
    let (mut reported, mut both) = (0, 0);
    for (a, b) in broken.iter().zip(&without) {
        reported += usize::from(a.fit.invalid.is_none());
        if a.fit.invalid.is_none() && b.fit.invalid.is_none() {
            both += 1;
            assert!((a.fit.exponent - b.fit.exponent).abs() < 0.05, "{a:?} {b:?}");
        }
    }
    println!("{reported} of {} estimates reported, {both} in both, none changed", broken.len());
    assert!(both > broken.len() / 3);
}

//! The sliding window against a transform of its samples done from scratch, and what makes an estimate invalid.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use tras_estimator::assemble::{self, estimator_settings};
use tras_estimator::frame::{Facts, FrameHeader};
use tras_estimator::settings::{MethodName, Settings};
use tras_estimator::specparam::{Specparam, SpecparamSettings};
use tras_estimator::spectrum::{Average, SpectrumSettings, Taper, transform::Transform};
use tras_estimator::window::{Estimator, EstimatorSettings, RegionMean, Target};
use tras_estimator::{Contamination, Estimate, Fit, Method, Reason, Spectrum};

const RATE_HZ: f64 = 250.0;

fn method() -> Box<dyn Method> {
    Box::new(Specparam::new(SpecparamSettings::tras()).unwrap())
}

fn settings(channels: usize) -> EstimatorSettings {
    EstimatorSettings {
        targets: EstimatorSettings::each_channel((0..channels).map(|c| format!("C{c}"))),
        artefact: None,
        ..EstimatorSettings::default()
    }
}

/// Pink-like noise: a sum of leaky walks an octave apart.
fn pink(samples: usize, seed: u64) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut poles = [0.0_f64; 10];
    (0..samples)
        .map(|_| {
            let mut sum = 0.0;
            for (k, pole) in poles.iter_mut().enumerate() {
                let keep = 1.0 - 0.5_f64.powi(k as i32);
                let noise: f64 = StandardNormal.sample(&mut rng);
                *pole = keep * *pole + (1.0 - keep * keep).sqrt() * noise;
                sum += *pole;
            }
            4.0 * sum as f32
        })
        .collect()
}

fn header(index: usize) -> FrameHeader {
    FrameHeader { index: index as u64, stamp_s: index as f64 / RATE_HZ, ..FrameHeader::default() }
}

/// Pushes everything; `change` edits headers and contamination. Returns all estimates of the first target.
fn run(
    estimator: &mut Estimator,
    channels: &[Vec<f32>],
    change: impl Fn(usize, &mut FrameHeader, &mut Contamination),
) -> Vec<Vec<Estimate>> {
    let mut all = Vec::new();
    for index in 0..channels[0].len() {
        let mut header = header(index);
        let mut contamination = Contamination::Clean;
        change(index, &mut header, &mut contamination);
        let frame: Vec<f32> = channels.iter().map(|channel| channel[index]).collect();
        if estimator.push(&header, &frame, contamination) {
            all.push(estimator.estimates(header.stamp_s).to_vec());
        }
    }
    all
}

/// Mean periodogram of the segments of `window`, counted back from its end.
fn from_scratch(settings: &SpectrumSettings, window: &[f32], bins: usize) -> Vec<f64> {
    let len = (settings.segment_s * RATE_HZ).round() as usize;
    let step = (settings.segment_s * (1.0 - settings.overlap) * RATE_HZ).round() as usize;
    let mut transform = Transform::new(settings, len, RATE_HZ);
    let mut mean = vec![0.0; bins];
    let mut power = vec![0.0; bins];
    let mut count = 0.0;
    let mut end = window.len();
    while end >= len {
        let mut segment: Vec<f64> = window[end - len..end].iter().map(|x| f64::from(*x)).collect();
        assert!(transform.periodogram(&mut segment, &mut power));
        mean.iter_mut().zip(&power).for_each(|(m, p)| *m += p);
        count += 1.0;
        end -= step.min(end);
    }
    mean.iter().map(|m| m / count).collect()
}

#[test]
fn reused_segments_are_the_spectrum_of_the_window() {
    let data = [pink(30 * 250, 1), pink(30 * 250, 2)];
    for (hop_s, segment_s, overlap) in
        [(0.1, 1.0, 0.5), (0.5, 1.0, 0.5), (2.0, 1.0, 0.8), (0.04, 2.0, 0.5), (0.3, 4.0, 0.5)]
    {
        let spectrum = SpectrumSettings { segment_s, overlap, ..SpectrumSettings::default() };
        let mut estimator =
            Estimator::new(EstimatorSettings { hop_s, spectrum, ..settings(2) }, RATE_HZ, 2, method())
                .unwrap();
        let hop = estimator.hop_samples();
        let mut compared = 0;
        for index in 0..data[0].len() {
            if estimator.push(&header(index), &[data[0][index], data[1][index]], Contamination::Clean)
                && index + 1 >= 1000
            {
                assert_eq!((index + 1) % hop, 0);
                estimator.estimates(0.0);
                for (target, channel) in data.iter().enumerate() {
                    let ours = estimator.spectrum(target).unwrap();
                    let exact = from_scratch(&spectrum, &channel[index + 1 - 1000..=index], ours.power.len());
                    for (a, b) in ours.power.iter().zip(&exact) {
                        assert!((a / b - 1.0).abs() < 1e-9 || (a - b).abs() < 1e-12, "{a} {b}");
                    }
                    compared += 1;
                }
            }
        }
        assert!(compared > 20);
    }
}

#[test]
fn no_window_spans_a_break_and_it_fills_anew_after_one() {
    for fact in [Facts::GAP, Facts::STAMP_JUMP, Facts::OVERRUN, Facts::RESUMED] {
        let mut data = pink(20 * 250, 3);
        // Before the break the data are huge: any of them in a later segment would show.
        data.iter_mut().take(2500).for_each(|x| *x *= 1e4);
        let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
        let all = run(&mut estimator, &[data.clone()], |index, header, _| {
            if index == 2500 {
                header.facts.insert(fact);
            }
        });
        for estimates in &all {
            let estimate = estimates[0];
            let after = (estimate.last_sample + 1).saturating_sub(2500);
            let filling = estimate.last_sample < 999 || (1..1000).contains(&after);
            assert_eq!(estimate.fit.invalid == Some(Reason::Filling), filling, "{estimate:?}");
            if !filling {
                assert_eq!(estimate.last_sample - estimate.first_sample, 999);
                assert!(estimate.first_sample >= 2500 || estimate.last_sample < 2500);
            }
        }
        assert!(estimator.spectrum(0).unwrap().power.iter().all(|p| *p < 1e6));
    }
}

#[test]
fn breaks_that_come_faster_than_hops_do_not_silence_it() {
    let data = pink(4 * 250, 3);
    let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |index, header, _| {
        if index % 20 == 0 {
            header.facts.insert(Facts::GAP);
        }
    });
    assert!(all.len() >= 18, "{}", all.len());
    assert!(all.iter().all(|e| e[0].fit.invalid == Some(Reason::Filling)));
}

#[test]
fn an_estimator_can_move_to_its_thread() {
    fn moves<T: Send>(_: &T) {}
    moves(&Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap());
}

#[test]
fn a_spoilt_sample_leaves_out_its_segments_on_its_channel_only() {
    let data = vec![pink(20 * 250, 4), pink(20 * 250, 5)];
    let mut estimator = Estimator::new(settings(2), RATE_HZ, 2, method()).unwrap();
    let all = run(&mut estimator, &data, |index, header, _| {
        if index == 2500 {
            header.spoilt.insert(1);
        }
    });
    for estimates in &all {
        let last = estimates[0].last_sample;
        if last >= 999 {
            assert_eq!((estimates[0].segments_used, estimates[0].segments_total), (7, 7));
            // The window holds the sample; each sample lies in two half-overlapped segments, but for its ends.
            let inside = (2500..3500).contains(&last);
            assert_eq!(estimates[1].segments_used < 7, inside, "{:?}", estimates[1]);
            assert!(estimates[1].segments_used >= 5);
            assert_eq!(estimates[1].fit.invalid, None);
        }
    }
}

#[test]
fn spoilt_values_never_reach_the_spectrum() {
    let mut data = pink(20 * 250, 6);
    for index in [2500, 2501, 2600] {
        data[index] = [f32::NAN, 1e9, f32::INFINITY][index % 3];
    }
    let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |index, header, _| {
        if [2500, 2501, 2600].contains(&index) {
            header.spoilt.insert(0);
        }
    });
    for estimates in all.iter().filter(|e| e[0].last_sample >= 999) {
        assert_eq!(estimates[0].fit.invalid, None);
        assert!((0.5..1.6).contains(&estimates[0].fit.exponent), "{:?}", estimates[0].fit);
    }
}

#[test]
fn unmarked_values_that_are_not_finite_are_left_out_too() {
    let mut data = pink(11 * 250, 6);
    data[1500] = f32::NAN;
    let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |_, _, _| {});
    let last = all.last().unwrap()[0];
    assert_eq!((last.segments_used, last.fit.invalid), (7, None));
    assert!(all.iter().any(|e| e[0].segments_used < 7 && e[0].fit.invalid.is_none()));
}

#[test]
fn too_few_segments_are_no_estimate() {
    let data = pink(20 * 250, 7);
    let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |index, header, _| {
        if (2500..3100).contains(&index) {
            header.spoilt.insert(0);
        }
    });
    let at = |last: u64| all.iter().find(|e| e[0].last_sample == last).unwrap()[0];
    let worst = at(3249);
    assert_eq!(worst.fit.invalid, Some(Reason::TooFewSegments));
    assert!(worst.segments_used < 4 && worst.fit.exponent.is_nan());
    assert_eq!(at(4499).fit.invalid, None);
}

#[test]
fn the_windows_contamination_is_its_worst_samples() {
    let data = pink(20 * 250, 8);
    let mut estimator = Estimator::new(settings(1), RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |index, _, contamination| {
        *contamination = match index {
            2000..2200 => Contamination::Stimulating,
            2200..2500 => Contamination::Settling,
            _ => Contamination::Clean,
        };
    });
    for estimates in &all {
        let expected = match estimates[0].last_sample {
            2000..3199 => Contamination::Stimulating,
            3199..3499 => Contamination::Settling,
            _ => Contamination::Clean,
        };
        assert_eq!(estimates[0].contamination, expected, "{}", estimates[0].last_sample);
        assert_eq!(
            estimates[0].steers(),
            expected == Contamination::Clean && estimates[0].last_sample >= 999
        );
    }
}

#[test]
fn what_flowed_before_changes_nothing_that_is_estimated_at_rest() {
    // A tenth of what an electrode sees: small enough to be taken for EEG, were it not known.
    let rest = pink(150 * 250, 12);
    let current: Vec<f32> = pink(150 * 250, 13).iter().map(|x| 4.0 * x).collect();
    for name in [MethodName::Specparam, MethodName::Whittle] {
        let of = Settings::for_windows(name, 4.0, 0.5, [2.0, 40.0]);
        let estimates = |flows: bool| {
            let targets = EstimatorSettings::each_channel(["C0".to_owned()]);
            let settings = estimator_settings(&of, targets);
            let method = assemble::method(&of, &settings, RATE_HZ).unwrap();
            let mut estimator = Estimator::new(settings, RATE_HZ, 1, method).unwrap();
            let with = |(i, x): (usize, &f32)| {
                x + if (7500..22500).contains(&i) && flows { current[i] } else { 0.0 }
            };
            let data: Vec<f32> = rest.iter().enumerate().map(with).collect();
            run(&mut estimator, &[data], |index, _, contamination| {
                *contamination = match index {
                    7500..22500 => Contamination::Stimulating,
                    22500..23000 => Contamination::Settling,
                    _ => Contamination::Clean,
                };
            })
        };
        let (quiet, after) = (estimates(false), estimates(true));
        let clean = |of: &[Vec<Estimate>]| -> Vec<String> {
            of.iter()
                .flatten()
                .filter(|e| e.contamination == Contamination::Clean)
                .map(|e| format!("{e:?}"))
                .collect()
        };
        assert!(clean(&quiet).len() > 150);
        for (one, other) in clean(&quiet).iter().zip(clean(&after)) {
            assert_eq!(*one, other, "{}", name.name());
        }
        assert_ne!(format!("{quiet:?}"), format!("{after:?}"), "the current is in it while it flows");
    }
}

#[test]
fn unsettled_stamps_and_old_data_make_an_estimate_invalid() {
    let data = pink(10 * 250, 9);
    let with_age = EstimatorSettings { max_age_s: Some(0.5), ..settings(1) };
    let mut estimator = Estimator::new(with_age, RATE_HZ, 1, method()).unwrap();
    let all = run(&mut estimator, &[data], |index, header, _| {
        if index == 1200 {
            header.facts.insert(Facts::UNSETTLED);
        }
    });
    for estimates in &all {
        let unsettled = (1200..2200).contains(&estimates[0].last_sample);
        assert_eq!(estimates[0].fit.invalid == Some(Reason::Unsettled), unsettled);
    }
    assert_eq!(estimator.estimates(11.0)[0].fit.invalid, Some(Reason::Stale));
    assert_eq!(estimator.estimates(10.1)[0].fit.invalid, None);
}

#[test]
fn a_region_does_without_its_spoilt_channels() {
    let data: Vec<Vec<f32>> = (0..4).map(|c| pink(10 * 250, 10 + c)).collect();
    for mean in [RegionMean::Spectra, RegionMean::Fits] {
        let region = Target { name: "frontal".into(), channels: vec![0, 1, 3], mean };
        let mut estimator =
            Estimator::new(EstimatorSettings { targets: vec![region], ..settings(0) }, RATE_HZ, 4, method())
                .unwrap();
        let one_bad = run(&mut estimator, &data, |_, header, _| header.spoilt.insert(0));
        assert_eq!(one_bad.last().unwrap()[0].fit.invalid, None);
        let two: Vec<f64> = {
            let a = estimator.spectrum(0).unwrap().power.to_vec();
            let b: Vec<Vec<f64>> = [1, 3]
                .map(|c: usize| from_scratch(&SpectrumSettings::default(), &data[c][1500..], a.len()))
                .to_vec();
            a.iter().zip(&b[0]).zip(&b[1]).map(|((a, x), y)| a / (0.5 * (x + y))).collect()
        };
        assert!(two.iter().skip(1).all(|ratio| (ratio - 1.0).abs() < 1e-9));
        estimator.reset();
        let two_bad = run(&mut estimator, &data, |_, header, _| {
            header.spoilt.insert(0);
            header.spoilt.insert(3);
        });
        assert_eq!(two_bad.last().unwrap()[0].fit.invalid, Some(Reason::TooFewSegments));
    }
}

/// Counts what it is given, to see that hops fit once for each target.
struct Echo;

impl Method for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn fit(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit {
        Fit {
            exponent: target as f64,
            offset: spectrum.gamma_shape,
            invalid: None,
            ..Fit::failed(Reason::PoorFit)
        }
    }
}

#[test]
fn targets_and_series_of_a_method_are_told_apart() {
    let region = |channels: &[usize], mean| Target { name: "r".into(), channels: channels.to_vec(), mean };
    let targets = vec![
        region(&[0], RegionMean::Spectra),
        region(&[1, 2], RegionMean::Fits),
        region(&[0, 1], RegionMean::Spectra),
    ];
    let mut estimator =
        Estimator::new(EstimatorSettings { targets, ..settings(0) }, RATE_HZ, 3, Box::new(Echo)).unwrap();
    let data: Vec<Vec<f32>> = (0..3).map(|c| pink(5 * 250, c)).collect();
    let all = run(&mut estimator, &data, |_, _, _| {});
    let exponents: Vec<f64> = all.last().unwrap().iter().map(|e| e.fit.exponent).collect();
    assert_eq!(exponents, [0.0, 1.5, 3.0]);
    let ids: Vec<u64> = all.iter().flatten().map(|e| e.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    // Seven half-overlapped Hann segments.
    let shape = all.last().unwrap()[0].fit.offset;
    assert!((shape - 49.0 / (7.0 + 12.0 / 36.0)).abs() < 0.01, "{shape}");
}

#[test]
fn the_scatter_of_a_bin_is_that_of_its_gamma_shape() {
    // White noise: the relative variance of a bin over many windows is 1 / gamma_shape.
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let white: Vec<f32> = (0..2000 * 250)
        .map(|_| {
            let x: f64 = StandardNormal.sample(&mut rng);
            x as f32
        })
        .collect();
    for (average, overlap) in [(Average::Mean, 0.5), (Average::Mean, 0.8), (Average::Median, 0.5)] {
        let spectrum = SpectrumSettings { average, overlap, ..SpectrumSettings::default() };
        let settings = EstimatorSettings { hop_s: 4.0, spectrum, ..settings(1) };
        let mut estimator = Estimator::new(settings, RATE_HZ, 1, Box::new(Echo)).unwrap();
        let (mut n, mut sum, mut squares, mut shape) = (0.0, 0.0, 0.0, 0.0);
        for (index, x) in white.iter().enumerate() {
            if estimator.push(&header(index), &[*x], Contamination::Clean) {
                shape = estimator.estimates(0.0)[0].fit.offset;
                for p in &estimator.spectrum(0).unwrap().power[5..100] {
                    n += 1.0;
                    sum += p;
                    squares += p * p;
                }
            }
        }
        let mean: f64 = sum / n;
        let measured = mean * mean / (squares / n - mean * mean);
        assert!((measured / shape - 1.0).abs() < 0.06, "{average:?} {overlap}: {measured} {shape}");
        // Density of white noise of variance 1: 2 / rate, whatever the average.
        assert!((mean * RATE_HZ / 2.0 - 1.0).abs() < 0.02, "{average:?} {mean}");
    }
}

#[test]
fn settings_that_do_not_fit_are_refused_with_what_would() {
    let refuse = |settings: EstimatorSettings| Estimator::new(settings, RATE_HZ, 2, method()).err().unwrap();
    let message = refuse(EstimatorSettings { hop_s: 0.3, ..settings(2) });
    assert!(message.contains("multiple") && message.contains("a hop of 0.25 s"), "{message}");
    assert!(refuse(EstimatorSettings { window_s: 0.5, ..settings(2) }).contains("longer than the window"));
    assert!(refuse(settings(0)).contains("nothing to estimate"));
    assert!(refuse(settings(3)).contains("channel 2 of 2"));
    let empty = Target { name: "nowhere".into(), channels: vec![], mean: RegionMean::Spectra };
    assert!(refuse(EstimatorSettings { targets: vec![empty], ..settings(2) }).contains("nowhere"));
    assert!(Estimator::new(settings(1), 0.0, 1, method()).err().unwrap().contains("regular rate"));
}

#[test]
fn the_usual_settings_serve_every_usual_rate() {
    for rate_hz in [250.0, 256.0, 300.0, 500.0, 512.0, 1000.0, 1024.0, 2048.0, 5000.0] {
        for hop_s in [0.05, 0.1, 0.25, 0.5, 1.0] {
            let settings = EstimatorSettings { hop_s, ..settings(1) };
            let made = Estimator::new(settings, rate_hz, 1, Box::new(Echo));
            assert!(made.is_ok(), "{rate_hz} Hz, {hop_s} s: {}", made.err().unwrap());
        }
    }
}

#[test]
fn warnings_name_the_filter_and_the_width() {
    let settings = EstimatorSettings {
        fit_range_hz: Some((2.0, 35.0)),
        filter_corners_hz: (Some(0.1), Some(30.0)),
        ..settings(1)
    };
    let estimator = Estimator::new(settings, RATE_HZ, 1, method()).unwrap();
    let [filter, width] = estimator.warnings() else { panic!("{:?}", estimator.warnings()) };
    assert!(filter.contains("30 Hz") && filter.contains("too high"), "{filter}");
    assert!(width.contains("twice the resolution"), "{width}");
    assert!(SpecparamSettings::tras().warnings(0.5).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the settings and data, nothing panics, and an estimate that is valid is finite.
    #[test]
    fn any_settings_and_data(
        window_s in 0.2_f64..3.0,
        hop_s in 0.01_f64..2.0,
        segment_s in 0.05_f64..2.0,
        overlap in 0.0_f64..0.95,
        median: bool,
        scale in prop::sample::select(vec![0.0_f32, 1e-30, 1.0, 1e6, f32::MAX, f32::NAN]),
        breaks in prop::collection::vec(0_usize..500, 0..5),
    ) {
        let average = if median { Average::Median } else { Average::Mean };
        let spectrum = SpectrumSettings { segment_s, overlap, average, kind: tras_estimator::spectrum::Kind::Welch { taper: Taper::Hann }, ..SpectrumSettings::default() };
        let settings = EstimatorSettings { window_s, hop_s, spectrum, ..settings(1) };
        if let Ok(mut estimator) = Estimator::new(settings, 100.0, 1, method()) {
            let data: Vec<f32> = pink(500, 1).iter().map(|x| x * scale).collect();
            let all = run(&mut estimator, &[data], |index, header, _| {
                if breaks.contains(&index) {
                    header.facts.insert(Facts::GAP);
                }
            });
            for estimate in all.iter().flatten() {
                prop_assert_eq!(estimate.fit.invalid.is_none(), estimate.fit.invalid.is_none() && estimate.fit.exponent.is_finite());
            }
        }
    }
}

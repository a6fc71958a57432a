//! Nothing allocates once an estimator is made: neither pushing, nor transforming, nor fitting, nor a break.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use tras::acquisition::frame::{Facts, FrameHeader};
use tras::estimator::Contamination;
use tras::estimator::specparam::{Mode, Specparam, SpecparamSettings};
use tras::estimator::spectrum::{Average, Kind, LineNoise, SpectrumSettings};
use tras::estimator::window::{Estimator, EstimatorSettings, RegionMean, Target};
use tras_test_support::alloc::allocations;

fn allocations_of(settings: EstimatorSettings, mode: Mode) -> u64 {
    let method = Specparam::new(SpecparamSettings {
        mode,
        line_noise: Some(LineNoise { mains_hz: 50.0, half_width_hz: 1.0 }),
        ..SpecparamSettings::tras()
    })
    .unwrap();
    let mut estimator = Estimator::new(settings, 250.0, 3, Box::new(method)).unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let before = allocations();
    let mut walk = [0.0_f32; 3];
    let (mut valid, mut total) = (0, 0);
    for index in 0..20 * 250_u64 {
        for x in &mut walk {
            let noise: f64 = StandardNormal.sample(&mut rng);
            *x = 0.95 * *x + 3.0 * noise as f32;
        }
        let mut header = FrameHeader { index, stamp_s: index as f64 / 250.0, ..FrameHeader::default() };
        if index == 1500 {
            header.facts.insert(Facts::GAP);
        }
        if index % 1700 == 0 {
            header.spoilt.insert(1);
        }
        if estimator.push(&header, &walk, Contamination::Clean) {
            let estimates = estimator.estimates(header.stamp_s);
            total += estimates.len();
            valid += estimates.iter().filter(|e| e.fit.invalid.is_none()).count();
        }
    }
    let allocated = allocations() - before;
    assert!(valid > total / 2, "{valid} of {total} valid");
    allocated
}

#[test]
fn an_estimator_never_allocates_after_it_is_made() {
    let targets = vec![
        Target { name: "a".into(), channels: vec![0], mean: RegionMean::Spectra },
        Target { name: "b".into(), channels: vec![0, 1, 2], mean: RegionMean::Fits },
        Target { name: "c".into(), channels: vec![1, 2], mean: RegionMean::Spectra },
    ];
    let multitaper = SpectrumSettings {
        kind: Kind::Multitaper { half_bandwidth_hz: 1.0, tapers: None },
        segment_s: 4.0,
        ..SpectrumSettings::default()
    };
    let median = SpectrumSettings { average: Average::Median, ..SpectrumSettings::default() };
    for spectrum in [SpectrumSettings::default(), median, multitaper] {
        for mode in [Mode::Fixed, Mode::Knee] {
            let settings =
                EstimatorSettings { targets: targets.clone(), spectrum, ..EstimatorSettings::default() };
            assert_eq!(allocations_of(settings, mode), 0, "{spectrum:?} {mode:?}");
        }
    }
}

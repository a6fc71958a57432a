//! The aperiodic exponent of an array of numbers: frames in, an estimate every half second out.
//!
//! `cargo run --example estimate`. The array here is a random walk, whose exponent is 2 by construction.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use tras_estimator::{
    Contamination,
    frame::FrameHeader,
    specparam::{Specparam, SpecparamSettings},
    window::{Estimator, EstimatorSettings},
};

const RATE_HZ: f64 = 250.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut level_uv = 0.0_f32;
    let signal_uv: Vec<f32> = (0..20 * 250)
        .map(|_| {
            let step: f64 = StandardNormal.sample(&mut rng);
            level_uv = 0.999 * level_uv + step as f32;
            level_uv
        })
        .collect();

    let settings = EstimatorSettings {
        hop_s: 0.5,
        targets: EstimatorSettings::each_channel(["Cz".to_owned()]),
        ..EstimatorSettings::default()
    };
    let method = Specparam::new(SpecparamSettings::tras())?;
    let mut estimator = Estimator::new(settings, RATE_HZ, 1, Box::new(method))?;
    for (index, sample_uv) in (0_u64..).zip(&signal_uv) {
        let header = FrameHeader { index, stamp_s: index as f64 / RATE_HZ, ..FrameHeader::default() };
        if estimator.push(&header, &[*sample_uv], Contamination::Clean) {
            let estimate = estimator.estimate(0, header.stamp_s);
            let word = estimate.fit.invalid.map_or("valid", |reason| reason.as_str());
            println!("{:5.1} s  exponent {:.3}  {word}", header.stamp_s, estimate.fit.exponent);
        }
    }
    Ok(())
}

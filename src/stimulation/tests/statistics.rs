//! The noise is what it says: exponent, RMS, distribution, DC, over 10 min for each exponent.
//!
//! `cargo test -p tras-stimulation --test statistics -- --nocapture` prints the table.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use tras_stimulation::noise::measure::Measure;
use tras_stimulation::noise::profile::clipped_samples;
use tras_stimulation::noise::{Colour, Noise, Parameters, RMS_AFTER_LIMIT};

const RATE_HZ: f64 = 2000.0;
const SAMPLES: usize = 1_200_000;
const BAND_HZ: (f64, f64) = (0.5, 100.0);
const RANGE_HZ: (f64, f64) = (1.0, 90.0);

fn parameters(exponent: f64) -> Parameters {
    Parameters { exponent, band_hz: BAND_HZ, peak_ma: 0.5 }
}

/// Measures 10 min before and after limiting, of one seed.
fn ten_minutes(exponent: f64, seed: u64) -> (Measure, Measure) {
    let mut colour = Colour::new(RATE_HZ, BAND_HZ, exponent, seed).unwrap();
    let mut noise = Noise::new(&parameters(exponent), RATE_HZ, seed).unwrap();
    let (mut before, mut after) = (Measure::new(RATE_HZ), Measure::new(RATE_HZ));
    let mut chunk = vec![0f32; 8000];
    for _ in 0..SAMPLES / chunk.len() {
        colour.fill(&mut chunk);
        before.push(&chunk);
        noise.fill(&mut chunk);
        after.push(&chunk);
    }
    (before, after)
}

#[test]
fn ten_minutes_have_the_exponent_asked_for_and_no_dc() {
    println!(
        "chi | before, +- se | after | RMS/expected | DC uA | worst 10 s uA (plain) | clipped % | max |response| dB"
    );
    for chi in [0.5, 1.0, 1.5, 2.0, 2.5] {
        let (before, after) = ten_minutes(chi, 7);
        let (b, a) = (before.figures(RANGE_HZ), after.figures(RANGE_HZ));
        let (before, after) = (b.slope.unwrap(), a.slope.unwrap());
        let clipped =
            clipped_samples(&parameters(chi), RATE_HZ, 7, SAMPLES as u64).unwrap() as f64 / SAMPLES as f64;
        let colour = Colour::new(RATE_HZ, BAND_HZ, chi, 7).unwrap();
        let response = (0..400)
            .map(|i| 90f64.powf(f64::from(i) / 399.0))
            .map(|f_hz| colour.response_db(chi, f_hz).abs())
            .fold(0.0, f64::max);
        println!(
            "{chi} | {:.4} +- {:.4} | {:.4} | {:.4} | {:.3} | {:.2} ({:.2}) | {:.3} | {response:.4}",
            before.exponent,
            before.se,
            after.exponent,
            a.rms_ma / parameters(chi).rms_ma(),
            a.dc_ma * 1e3,
            a.dc_10s_ma * 1e3,
            a.dc_10s_plain_ma * 1e3,
            clipped * 100.0,
        );
        assert!((before.exponent - chi).abs() < 0.02, "chi {chi}: {before:?}");
        assert!((after.exponent - chi).abs() < 0.05, "chi {chi}: {after:?}");
        assert!(a.dc_ma.abs() < 0.005 && a.dc_10s_ma < 0.005, "chi {chi}: {a:?}");
        assert!(response < 0.25 && clipped <= 0.005 && a.peak_ma <= 0.5);
    }
}

/// The mean over seeds has no bias, its scatter is the standard error claimed, the
/// RMS is the same for every exponent.
#[test]
fn many_seeds_show_no_bias_and_the_same_rms() {
    for chi in [0.5, 2.5] {
        let (mut sum, mut power, mut se) = (0.0, 0.0, 0.0);
        let seeds = 12;
        for seed in 100..100 + seeds {
            let mut colour = Colour::new(RATE_HZ, BAND_HZ, chi, seed).unwrap();
            let mut measure = Measure::new(RATE_HZ);
            let mut chunk = vec![0f32; 8000];
            for _ in 0..SAMPLES / chunk.len() {
                colour.fill(&mut chunk);
                measure.push(&chunk);
            }
            let figures = measure.figures(RANGE_HZ);
            sum += figures.slope.unwrap().exponent;
            se = figures.slope.unwrap().se;
            power += figures.rms_ma.powi(2);
        }
        let mean = sum / seeds as f64;
        let mean_se = se / (seeds as f64).sqrt();
        println!(
            "chi {chi}: mean of {seeds} seeds {mean:.4} +- {mean_se:.4}, RMS {:.4}",
            (power / seeds as f64).sqrt()
        );
        assert!((mean - chi).abs() < 4.0 * mean_se + 0.001, "chi {chi}: {mean} +- {mean_se}");
        assert!(((power / seeds as f64).sqrt() - 1.0).abs() < 0.02);
    }
}

/// The marginal distribution: shares beyond 1, 2, 3 sigma, and the RMS after limiting, against the normal's.
#[test]
fn the_samples_are_gaussian() {
    let mut colour = Colour::new(RATE_HZ, BAND_HZ, 0.5, 5).unwrap();
    let mut x = vec![0f32; 4_000_000];
    colour.fill(&mut x);
    for (sigmas, share) in [(1.0, 0.317_31), (2.0, 0.045_50), (3.0, 0.002_700)] {
        let beyond = x.iter().filter(|x| x.abs() > sigmas).count() as f64 / x.len() as f64;
        assert!((beyond / share - 1.0).abs() < 0.05, "{sigmas}: {beyond}");
    }
    let mut noise = Noise::new(&parameters(0.5), RATE_HZ, 5).unwrap();
    noise.fill(&mut x);
    let rms = (x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
    assert!((rms / parameters(0.5).rms_ma() - 1.0).abs() < 0.005, "{rms}");
    println!("RMS after limiting: {:.5} of sigma", RMS_AFTER_LIMIT);
}

/// The worst 10 s mean over several seeds, in relation to its expected standard deviation.
#[test]
fn the_slow_current_is_what_the_bins_predict() {
    for chi in [1.0, 2.0, 2.5] {
        let mut worst: Vec<f64> = (0..8)
            .map(|seed| {
                let mut noise = Noise::new(&parameters(chi), RATE_HZ, 200 + seed).unwrap();
                let mut measure = Measure::new(RATE_HZ);
                let mut chunk = vec![0f32; 8000];
                for _ in 0..SAMPLES / chunk.len() {
                    noise.fill(&mut chunk);
                    measure.push(&chunk);
                }
                measure.figures(RANGE_HZ).dc_10s_ma * 1e3
            })
            .collect();
        worst.sort_by(f64::total_cmp);
        let sd_ua = Colour::new(RATE_HZ, BAND_HZ, chi, 1).unwrap().expected(chi).dc_10s_sd * 0.5 / 3.0 * 1e3;
        println!("chi {chi}: worst 10 s DC of 8 seeds x 10 min: {worst:.2?} uA; expected sd {sd_ua:.2} uA");
        // The largest of some 600 independent values lies at about 3.2 sd.
        assert!(worst[7] < 5.0 && worst[7] < 5.5 * sd_ua && worst[0] > 1.5 * sd_ua, "chi {chi}");
    }
}

#[test]
fn a_seed_gives_the_same_samples_and_another_seed_others() {
    let samples = |seed| {
        let mut noise = Noise::new(&parameters(2.0), RATE_HZ, seed).unwrap();
        let mut out = vec![0f32; 50_000];
        noise.fill(&mut out);
        out
    };
    assert_eq!(samples(7), samples(7));
    let (a, b) = (samples(7), samples(8));
    let dot: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a * b)).sum();
    let power: f64 = a.iter().map(|a| f64::from(a * a)).sum();
    assert!((dot / power).abs() < 0.6);
}

#[test]
fn the_expected_rms_is_the_same_for_every_exponent() {
    // 60 blocks of each exponent would leave 5 % of chance at 2.5; many short bands average it out: a band of
    // 5..100 Hz has blocks ten times shorter, and so ten times as many.
    for chi in [0.0, 1.0, 2.0, 3.0] {
        let mut colour = Colour::new(RATE_HZ, (5.0, 100.0), chi, 9).unwrap();
        let mut x = vec![0f32; 6_000_000];
        colour.fill(&mut x);
        let rms = (x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
        println!("chi {chi}: RMS {rms:.4}");
        assert!((rms - 1.0).abs() < 0.01, "chi {chi}: {rms}");
    }
}

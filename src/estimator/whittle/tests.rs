#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
//! The method on simulated Gaussian signals: few windows, limits that a regression would break. The whole table is
//! `cargo bench --bench accuracy`.

use super::*;
use crate::spectrum::shape::Overlap;
use crate::spectrum::transform::Transform;
use crate::spectrum::{Kind, SpectrumSettings};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tras_fft::Complex;

const RATE_HZ: f64 = 250.0;
/// Bound on the standard deviation of the exponent, 4 s, 2..35 Hz.
const BOUND: f64 = 0.127;

fn series(samples: usize, seed: u64, density: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = samples.next_power_of_two();
    let mut line = vec![Complex::new(0.0, 0.0); n];
    for i in 1..n / 2 {
        let scale = (density(i as f64 * RATE_HZ / n as f64) * n as f64 * RATE_HZ / 4.0).sqrt();
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        line[i] = Complex::new(scale * normal(), scale * normal());
        line[n - i] = line[i].conj();
    }
    tras_fft::inverse(n).process(&mut line);
    line.iter().take(samples).map(|v| v.re / n as f64).collect()
}

fn bump(f: f64, centre_hz: f64, sigma_hz: f64, times_line: f64) -> f64 {
    times_line / centre_hz * (-0.5 * ((f - centre_hz) / sigma_hz).powi(2)).exp()
}

struct Bench {
    transform: Transform,
    freqs: Vec<f64>,
    design: Design,
    shape: f64,
}

impl Bench {
    fn new() -> Self {
        let settings = SpectrumSettings {
            kind: Kind::Multitaper { half_bandwidth_hz: 1.0, tapers: None },
            segment_s: 4.0,
            overlap: 0.0,
            ..SpectrumSettings::default()
        };
        let design = Design::of_settings(&settings, RATE_HZ, 4.0);
        let transform = Transform::new(&settings, 1000, RATE_HZ);
        let shape = Overlap::new(transform.tapers(), 1000).mean_shape([true].into_iter());
        Self { transform, freqs: (0..=500).map(|i| f64::from(i) * 0.25).collect(), design, shape }
    }

    fn method(&self, memory_s: f64) -> Whittle {
        Whittle::new(Settings { memory_s, ..Settings::default() }, &self.design, &self.freqs, 1)
    }

    fn fit(&mut self, method: &mut Whittle, window: &[f64]) -> Fit {
        let mut power = vec![0.0; self.freqs.len()];
        assert!(self.transform.periodogram(&mut window.to_vec(), &mut power));
        let spectrum =
            Spectrum { freqs_hz: &self.freqs, power: &power, segments: 1, gamma_shape: self.shape };
        method.fit(&spectrum, 0)
    }
}

/// Error over the bound, bias and coverage over 200 windows after the first minute.
fn error(memory_s: f64, seed: u64, density: impl Fn(f64) -> f64) -> (f64, f64, f64) {
    let mut bench = Bench::new();
    let mut method = bench.method(memory_s);
    let x = series(215_000, seed, density);
    let (mut square, mut sum, mut covered) = (0.0, 0.0, 0.0);
    for window in x.chunks_exact(1000).enumerate().filter_map(|(w, window)| {
        let fit = bench.fit(&mut method, window);
        (w >= 15).then_some(fit)
    }) {
        assert_eq!(window.invalid, None);
        let e = window.exponent - 1.0;
        square += e * e / 200.0;
        sum += e / 200.0;
        covered += f64::from(e.abs() <= 1.96 * window.exponent_se) / 200.0;
    }
    (square.sqrt() / BOUND, sum, covered)
}

// Of 200 windows the error scatters by 5 %, the bias by 0.01, the coverage by 1.5 %.
#[test]
fn a_pure_power_law_is_met_at_the_bound() {
    let (error, bias, covered) = error(60.0, 11, |f| 10.0 / f.max(0.1));
    assert!(error < 1.06 && bias.abs() < 0.03 && covered > 0.9, "{error} {bias} {covered}");
}

#[test]
fn alpha_and_theta_bend_nothing() {
    let density = |f: f64| 10.0 * (1.0 / f.max(0.1) + bump(f, 10.0, 1.0, 5.0) + bump(f, 6.0, 0.7, 4.0));
    let (with, bias, covered) = error(60.0, 12, density);
    assert!(with < 1.2 && bias.abs() < 0.035 && covered > 0.9, "{with} {bias} {covered}");
    let (without, bias, _) = error(0.0, 12, density);
    assert!(without < 1.5 && bias.abs() < 0.06, "{without} {bias}");
}

#[test]
fn the_peaks_are_where_they_are() {
    let mut bench = Bench::new();
    let mut method = bench.method(60.0);
    let x = series(80_000, 13, |f| 10.0 * (1.0 / f.max(0.1) + bump(f, 10.0, 1.0, 8.0)));
    let fits: Vec<Fit> = x.chunks_exact(1000).map(|window| bench.fit(&mut method, window)).collect();
    let last = fits.last().unwrap();
    let alpha = last.peaks.as_slice().iter().find(|p| (p.centre_hz - 10.0).abs() < 0.7).unwrap();
    assert!((alpha.bandwidth_hz - 2.0).abs() < 0.8, "{alpha:?}");
    // One decade of power at 1 Hz: the offset's own error is that of the exponent times log10 15.
    let offset = fits.iter().skip(20).map(|f| f.offset).sum::<f64>() / (fits.len() - 20) as f64;
    assert!((offset - 1.0).abs() < 0.06, "{offset}");
}

#[test]
fn a_reset_forgets_everything() {
    let mut bench = Bench::new();
    let mut method = bench.method(60.0);
    let x = series(20_000, 14, |f| 10.0 * (1.0 / f.max(0.1) + bump(f, 10.0, 1.0, 8.0)));
    let first: Vec<Fit> = x.chunks_exact(1000).map(|window| bench.fit(&mut method, window)).collect();
    method.reset();
    let again: Vec<Fit> = x.chunks_exact(1000).map(|window| bench.fit(&mut method, window)).collect();
    // Numbers that are not known are NaN, which is not equal to itself.
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
}

#[test]
fn a_sinusoid_that_no_peak_can_be_is_a_poor_fit() {
    let mut bench = Bench::new();
    let mut method = bench.method(0.0);
    let mut x = series(10_000, 15, |f| 10.0 / f.max(0.1));
    for (t, v) in x.iter_mut().enumerate() {
        *v += 40.0 * (std::f64::consts::TAU * 10.03 * t as f64 / RATE_HZ).sin();
    }
    for window in x.chunks_exact(1000) {
        assert!(matches!(bench.fit(&mut method, window).invalid, Some(Reason::PoorFit | Reason::Bent)));
    }
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let bench = Bench::new();
    let mut method = bench.method(60.0);
    let good: Vec<f64> = bench.freqs.iter().map(|f| 1.0 / f.max(0.1)).collect();
    let mut reason = |freqs: &[f64], power: &[f64], segments, gamma_shape| {
        method.fit(&Spectrum { freqs_hz: freqs, power, segments, gamma_shape }, 0).invalid
    };
    assert_eq!(reason(&bench.freqs, &good[..20], 1, 7.0), Some(Reason::BadSpectrum));
    assert_eq!(reason(&[], &[], 1, 7.0), Some(Reason::BadSpectrum));
    assert_eq!(reason(&bench.freqs, &good, 0, 0.0), Some(Reason::TooFewSegments));
    assert_eq!(reason(&bench.freqs, &good, 1, f64::NAN), Some(Reason::TooFewSegments));
    let other: Vec<f64> = bench.freqs.iter().map(|f| f * 1.5).collect();
    assert_eq!(reason(&other, &good, 1, 7.0), Some(Reason::BadSpectrum));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut power = good.clone();
        power[20] = bad;
        assert_eq!(reason(&bench.freqs, &power, 1, 7.0), Some(Reason::BadSpectrum), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn any_positive_spectrum_gives_a_number_with_an_error_or_a_reason(
        ln_power in proptest::collection::vec(-60.0..60.0_f64, 501),
        calm in 0.0..1.0_f64,
    ) {
        let bench = Bench::new();
        let mut method = bench.method(60.0);
        let power: Vec<f64> = ln_power.iter().map(|x| (x * calm).exp()).collect();
        for _ in 0..5 {
            let fit = method.fit(
                &Spectrum { freqs_hz: &bench.freqs, power: &power, segments: 1, gamma_shape: 7.0 },
                0,
            );
            prop_assert!(fit.invalid.is_some() || fit.exponent.is_finite() && fit.exponent_se > 0.0, "{fit:?}");
        }
    }
}

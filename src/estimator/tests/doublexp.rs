//! specparam's line of two exponents against specparam 2.0.0rc7 on 60 spectra
//! (`tests/data/specparam/make_doublexp.py` made them).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use tras_estimator::specparam::{Mode, Specparam, SpecparamSettings};
use tras_estimator::{Method, Spectrum};

/// Where specparam's own fit describes the spectrum (exponents below 10), ours has its curve and its numbers, but for a
/// few where another first line leaves other peaks. Its error is larger in very few, which have fewer peaks.
#[test]
fn the_line_is_specparams_where_specparam_has_found_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/specparam/doublexp.csv");
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let freqs_hz: Vec<f64> = (2..=120).map(|k| f64::from(k) * 0.5).collect();
    let settings = SpecparamSettings {
        mode: Mode::Doublexp,
        range_hz: (1.0, 60.0),
        peak_width_hz: (2.0, 8.0),
        max_n_peaks: 4,
        min_peak_height: 0.15,
        ..SpecparamSettings::default()
    };
    let mut method = Specparam::new(settings).expect("settings");
    let (mut sane, mut same_curve, mut same_numbers, mut worse) = (0, 0, 0, 0);
    for line in text.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().expect("a number")).collect();
        let [peaks, mut offset, mut before, mut knee, mut growth, error] = cells[..6] else {
            panic!("{line}")
        };
        let power: Vec<f64> = cells[6..].iter().map(|log| 10_f64.powf(*log)).collect();
        let spectrum = Spectrum { freqs_hz: &freqs_hz, power: &power, segments: 1, gamma_shape: 1.0 };
        let fit = method.fit(&spectrum, 0);
        assert_eq!(fit.invalid, None);
        assert!(fit.exponent > 0.0 && fit.adjusted_r_squared < fit.r_squared);
        worse += usize::from(fit.mae > error + 1e-3);
        if growth.abs() > 10.0 || fit.peaks.as_slice().len() != peaks as usize {
            continue;
        }
        sane += 1;
        if growth < 0.0 {
            // The same curve, both exponents in each other's place.
            (offset, before, knee, growth) = (offset - knee.log10(), before + growth, 1.0 / knee, -growth);
        }
        let ours = (fit.exponent0.unwrap(), fit.knee.unwrap(), fit.exponent);
        let apart = freqs_hz.iter().map(|f| {
            let theirs = offset - (f.powf(before) * (knee + f.powf(growth))).log10();
            (fit.offset - (f.powf(ours.0) * (ours.1 + f.powf(ours.2))).log10() - theirs).abs()
        });
        let apart = apart.fold(0.0, f64::max);
        same_curve += usize::from(apart < 0.01);
        same_numbers += usize::from((ours.0 - before).abs() < 0.05 && (ours.2 - growth).abs() < 0.05);
        println!(
            "exponents {:.3} {:.3} here, {before:.3} {growth:.3} there; curves {apart:.4} apart",
            ours.0, ours.2
        );
    }
    println!(
        "{sane} of 60 comparable: curve the same in {same_curve}, numbers in {same_numbers}; larger error in {worse} of 60"
    );
    assert!(sane >= 30 && worse <= 3, "{sane} {worse}");
    assert!(same_curve * 10 >= sane * 8 && same_numbers == same_curve, "{same_curve} of {sane}");
}

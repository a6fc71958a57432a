//! specparam against fooof 1.1.1 on 600 spectra (tests/data/specparam/make_parity.py made them).
//!
//! `cargo test --release -p tras-estimator --test parity -- --nocapture` prints the report.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use tras_estimator::specparam::{Mode, Specparam, SpecparamSettings};
use tras_estimator::{Fit, Method, Spectrum};

/// One spectrum and what fooof made of it.
struct Case {
    study: String,
    settings: SpecparamSettings,
    freqs_hz: Vec<f64>,
    power: Vec<f64>,
    offset: f64,
    exponent: f64,
    r_squared: f64,
    mae: f64,
    /// Centre, power, bandwidth.
    peaks: Vec<[f64; 3]>,
}

fn cases() -> Vec<Case> {
    // Another file of the same script (other seed, more spectra) may be named.
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/specparam/spectra.csv");
    let path = std::env::var("TRAS_PARITY").unwrap_or_else(|_| kept.into());
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks_exact(2).map(|pair| case(pair[0], pair[1])).collect()
}

fn case(found: &str, spectrum: &str) -> Case {
    let cells: Vec<&str> = found.split(',').collect();
    let number = |at: usize| cells[at].parse::<f64>().expect("a number");
    let power: Vec<f64> = spectrum.split(',').map(|v| 10_f64.powf(v.parse().expect("a number"))).collect();
    let peaks: Vec<f64> = cells[16..].iter().filter(|v| !v.is_empty()).map(|v| v.parse().unwrap()).collect();
    Case {
        study: cells[0].into(),
        settings: SpecparamSettings {
            range_hz: (number(2), number(3)),
            mode: if cells[1] == "knee" { Mode::Knee } else { Mode::Fixed },
            peak_width_hz: (number(4), number(5)),
            max_n_peaks: if number(6) == 0.0 { usize::MAX } else { number(6) as usize },
            min_peak_height: number(7),
            peak_threshold: number(8),
            line_noise: None,
        },
        freqs_hz: (0..power.len()).map(|k| number(9) + k as f64 * number(10)).collect(),
        power,
        offset: number(11),
        exponent: number(13),
        r_squared: number(14),
        mae: number(15),
        peaks: peaks.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect(),
    }
}

fn fit(case: &Case) -> Fit {
    let mut method = Specparam::new(case.settings.clone()).expect("settings");
    let spectrum = Spectrum { freqs_hz: &case.freqs_hz, power: &case.power, segments: 1, gamma_shape: 1.0 };
    method.fit(&spectrum, 0)
}

/// What a group of spectra came to.
#[derive(Default)]
struct Tally {
    deltas: Vec<f64>,
    same_peaks: usize,
    failed_here: usize,
    failed_there: usize,
    /// Among those that differ by more than the tolerance: which of the two has the lower error.
    lower_here: usize,
    lower_there: usize,
}

impl Tally {
    fn add(&mut self, case: &Case, fit: &Fit, tolerance: f64) {
        if case.exponent.is_nan() {
            self.failed_there += 1;
            return;
        }
        if fit.invalid.is_some() {
            self.failed_here += 1;
        }
        let delta = (fit.exponent - case.exponent).abs();
        self.deltas.push(if delta.is_nan() { f64::INFINITY } else { delta });
        self.same_peaks += usize::from(fit.peaks.as_slice().len() == case.peaks.len());
        if delta > tolerance {
            self.lower_here += usize::from(fit.mae < case.mae);
            self.lower_there += usize::from(fit.mae >= case.mae);
            println!(
                "  {:<10} exponent {:.4} here, {:.4} there; MAE {:.6} / {:.6}; peaks {} / {}",
                case.study,
                fit.exponent,
                case.exponent,
                fit.mae,
                case.mae,
                fit.peaks.as_slice().len(),
                case.peaks.len()
            );
        }
    }

    fn within(&self, tolerance: f64) -> f64 {
        self.deltas.iter().filter(|d| **d <= tolerance).count() as f64 / self.deltas.len() as f64
    }

    fn median(&self) -> f64 {
        let mut sorted = self.deltas.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }

    fn print(&self, name: &str) {
        println!(
            "{name:<18} n {:>3}  |d exponent| median {:.1e}, <= 0.001 {:.1} %, <= 0.01 {:.1} %, <= 0.05 {:.1} %, max {:.1e}; \
             same number of peaks {:.1} %; failed here {}, there {}; of those that differ lower error here {}, there {}",
            self.deltas.len(),
            self.median(),
            100.0 * self.within(0.001),
            100.0 * self.within(0.01),
            100.0 * self.within(0.05),
            self.deltas.iter().copied().fold(0.0, f64::max),
            100.0 * self.same_share(),
            self.failed_here,
            self.failed_there,
            self.lower_here,
            self.lower_there,
        );
    }

    fn same_share(&self) -> f64 {
        self.same_peaks as f64 / self.deltas.len() as f64
    }
}

fn tally(mode: Mode, tolerance: f64) -> Tally {
    let mut all = Tally::default();
    let mut studies: Vec<(String, Tally)> = Vec::new();
    for case in cases().iter().filter(|case| case.settings.mode == mode) {
        let fit = fit(case);
        all.add(case, &fit, tolerance);
        if studies.last().is_none_or(|(name, _)| *name != case.study) {
            studies.push((case.study.clone(), Tally::default()));
        }
        studies.last_mut().unwrap().1.add(case, &fit, f64::INFINITY);
    }
    for (name, tally) in &studies {
        tally.print(name);
    }
    all.print(&format!("{mode:?}, all"));
    all
}

#[test]
fn fixed_mode_gives_fooofs_exponents_and_peaks() {
    let all = tally(Mode::Fixed, 0.01);
    assert!(all.deltas.len() + all.failed_there >= 400);
    assert!(all.within(0.01) >= 0.99, "{}", all.within(0.01));
    assert!(all.median() <= 0.001, "{}", all.median());
    assert!(all.same_share() >= 0.95, "{}", all.same_share());
}

#[test]
fn knee_mode_gives_fooofs_exponents_and_peaks() {
    let all = tally(Mode::Knee, 0.05);
    assert!(all.deltas.len() + all.failed_there >= 150);
    assert!(all.within(0.05) >= 0.95, "{}", all.within(0.05));
    assert!(all.same_share() >= 0.95, "{}", all.same_share());
}

#[test]
fn offsets_errors_and_peaks_are_fooofs() {
    let (mut fits, mut close) = (0, 0);
    for case in cases().iter().filter(|case| case.settings.mode == Mode::Fixed && case.exponent.is_finite()) {
        let fit = fit(case);
        let peaks = fit.peaks.as_slice();
        fits += 1;
        let near = |a: f64, b: f64, tolerance: f64| (a - b).abs() <= tolerance;
        let same_peaks = peaks.len() == case.peaks.len()
            && peaks.iter().zip(&case.peaks).all(|(ours, [centre, power, width])| {
                near(ours.centre_hz, *centre, 0.05)
                    && near(ours.power_log10, *power, 0.02)
                    && near(ours.bandwidth_hz, *width, 0.1)
            });
        close += usize::from(
            near(fit.offset, case.offset, 0.01)
                && near(fit.r_squared, case.r_squared, 0.001)
                && near(fit.mae, case.mae, 0.001)
                && same_peaks,
        );
    }
    println!("offset, R2, MAE and every peak as fooof's: {close} of {fits}");
    assert!(close * 100 >= fits * 95, "{close} of {fits}");
}

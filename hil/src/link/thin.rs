//! Fewer samples a second, without folding: a low-pass of Kaiser's window, then every n-th sample.

use std::f64::consts::PI;

/// Length of the filter to each side, in samples of the output.
const REACH: usize = 24;
/// Kaiser's shape for 80 dB.
const BETA: f64 = 7.86;
/// The corner as a share of the output's rate: flat to 0.39 of it, 80 dB down from 0.5 on.
const CORNER: f64 = 0.445;

/// Every `factor`-th sample of the low-passed `samples`, without those at the ends that the filter does not reach.
pub(super) fn thin(samples: &[f32], factor: usize) -> Vec<f32> {
    let factor = factor.max(1);
    let half = REACH * factor;
    let kernel: Vec<f64> = (0..=2 * half)
        .map(|k| {
            let x = (k as f64 - half as f64) / factor as f64;
            let sinc = if x == 0.0 { 1.0 } else { (2.0 * PI * CORNER * x).sin() / (2.0 * PI * CORNER * x) };
            sinc * bessel(BETA * (1.0 - (x / REACH as f64).powi(2)).max(0.0).sqrt())
        })
        .collect();
    let sum: f64 = kernel.iter().sum();
    let at =
        |place: &[f32]| (place.iter().zip(&kernel).map(|(s, k)| f64::from(*s) * k).sum::<f64>() / sum) as f32;
    samples.windows(kernel.len()).step_by(factor).map(at).collect()
}

/// Modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_of(f_hz: f64) -> f64 {
        let tone = |k: i32| (2.0 * PI * f_hz * f64::from(k) / 48_000.0).sin() as f32;
        let samples: Vec<f32> = (0..96_000).map(tone).collect();
        let thinned = thin(&samples, 24);
        (thinned.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / thinned.len() as f64 * 2.0).sqrt()
    }

    #[test]
    fn what_is_kept_is_flat_and_what_would_fold_is_gone() {
        for f_hz in [20.0, 90.0, 400.0, 700.0] {
            assert!((left_of(f_hz) - 1.0).abs() < 0.005, "{f_hz} Hz: {}", left_of(f_hz));
        }
        for f_hz in [1_010.0, 1_910.0, 2_010.0, 10_000.0] {
            assert!(left_of(f_hz) < 3e-4, "{f_hz} Hz: {}", left_of(f_hz));
        }
        assert!(thin(&[0.0; 10], 24).is_empty());
    }
}

//! Target confusability competition (Schurgin, Wixted & Brady 2020): how probable each of 360 responses is.
//!
//! Every response option has a familiarity, normal with SD 1 and mean d' times its similarity to the target; the
//! most familiar one is reported. So p_i = integral of phi(x - d' s_i) prod over k != i of Phi(x - d' s_k) dx.

use crate::angle::{DISTANCES, directions};
use crate::kernel::Kernel;
use crate::normal::{cumulative, ln_cumulative, ln_density};

/// How the density is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quadrature {
    /// Exact: sums to 1 within 1e-10, and no motor noise.
    Exact,
    /// As the public MATLAB version reckons it: intervals of 0.05 from -10 to 10, competitors at the left edge of
    /// each, normed, then smeared by a motor error of 2 degrees. For comparison with figures made by it.
    Compat,
}

/// The step of the exact quadrature. The trapezoidal rule converges exponentially for such integrands: halving it
/// changes nothing within 1e-12 (tested).
const STEP: f64 = 0.1;
/// Beyond this many SD from a mean there is nothing to integrate: phi(9) is 1e-18.
const REACH: f64 = 9.0;
/// The public version's range, step, and motor error in degrees.
const COMPAT: (f64, f64, f64) = (10.0, 0.05, 2.0);

/// The probability of one response at each whole-degree distance, 0 to 180, at `d_prime`. Weighted by
/// [`directions`] they sum to 1.
#[must_use]
pub fn density(kernel: &Kernel, d_prime: f64, quadrature: Quadrature) -> Vec<f64> {
    match quadrature {
        Quadrature::Exact => exact(kernel, d_prime, STEP),
        Quadrature::Compat => compat(kernel, d_prime),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of steps")]
fn exact(kernel: &Kernel, d_prime: f64, step: f64) -> Vec<f64> {
    let means: Vec<f64> = kernel.similarity().iter().map(|s| d_prime * s).collect();
    let top = means.iter().copied().fold(0.0, f64::max);
    let steps = ((top + 2.0 * REACH) / step).ceil() as usize;
    let mut sum = vec![0.0; DISTANCES];
    let mut log_below = vec![0.0; DISTANCES];
    for index in 0..=steps {
        let x = -REACH + index as f64 * step;
        let mut all_below = 0.0;
        for ((slot, mean), distance) in log_below.iter_mut().zip(&means).zip(0..) {
            *slot = ln_cumulative(x - mean);
            all_below += directions(distance) * *slot;
        }
        // The largest of 360 lies here with a probability below 1e-300.
        if all_below < -690.0 {
            continue;
        }
        for ((total, mean), below) in sum.iter_mut().zip(&means).zip(&log_below) {
            *total += (ln_density(x - mean) + all_below - below).exp();
        }
    }
    sum.iter_mut().for_each(|p| *p *= step);
    sum
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of steps")]
fn compat(kernel: &Kernel, d_prime: f64) -> Vec<f64> {
    let (reach, step, motor_deg) = COMPAT;
    let means: Vec<f64> = kernel.similarity().iter().map(|s| d_prime * s).collect();
    let mut sum = vec![0.0; DISTANCES];
    for index in 0..(2.0 * reach / step).round() as usize {
        let x = -reach + index as f64 * step;
        let all_below: f64 =
            means.iter().zip(0..).map(|(mean, d)| directions(d) * ln_cumulative(x - mean)).sum();
        if all_below < -690.0 {
            continue;
        }
        for (total, mean) in sum.iter_mut().zip(&means) {
            let inside = cumulative(x + step - mean) - cumulative(x - mean);
            *total += inside * (all_below - ln_cumulative(x - mean)).exp();
        }
    }
    let norm: f64 = sum.iter().zip(0..).map(|(p, d)| directions(d) * p).sum();
    smear(&sum, motor_deg).into_iter().map(|p| p / norm).collect()
}

/// A circular convolution with a normal motor error.
fn smear(density: &[f64], motor_deg: f64) -> Vec<f64> {
    let fold = |deg: usize| if deg < DISTANCES { deg } else { 360 - deg };
    let weights: Vec<f64> = (0..360).map(|d| (-0.5 * (fold(d) as f64 / motor_deg).powi(2)).exp()).collect();
    let norm: f64 = weights.iter().sum();
    (0..DISTANCES)
        .map(|at| {
            let shifted = weights
                .iter()
                .zip(0..)
                .map(|(w, by)| w * density.get(fold((at + by) % 360)).copied().unwrap_or_default());
            shifted.sum::<f64>() / norm
        })
        .collect()
}

/// The circular SD in degrees of a density over distances.
#[must_use]
pub fn circular_sd_deg(density: &[f64]) -> f64 {
    let resultant: f64 =
        density.iter().zip(0..).map(|(p, d)| directions(d) * p * (d as f64).to_radians().cos()).sum();
    crate::angle::sd_of_resultant_deg(resultant)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// kernel, d', p(0), p(90), circular SD in degrees
    const VECTORS: [(&str, f64, f64, f64, f64); 5] = [
        ("naka35", 1.0, 0.015_468_295_92, 0.001_332_429_209, 61.135_454),
        ("naka35", 2.0, 0.034_700_892_93, 0.000_238_932_913, 25.305_331),
        ("naka35", 3.0, 0.050_064_777_19, 1.717_651_318e-5, 12.104_399),
        ("exp40", 2.0, 0.042_618_141_36, 0.000_313_954_242_9, 28.732_918),
        ("vm5", 2.0, 0.029_945_695_78, 8.594_791_722e-5, 19.930_299),
    ];

    #[test]
    fn every_test_vector_to_its_digits() {
        for (name, d_prime, at_0, at_90, sd) in VECTORS {
            let p = density(&Kernel::named(name).unwrap(), d_prime, Quadrature::Exact);
            let digits = |value: f64, printed: f64| (value / printed - 1.0).abs() < 4e-10;
            assert!(digits(p[0], at_0), "{name} {d_prime}: p(0) {}", p[0]);
            assert!(digits(p[90], at_90), "{name} {d_prime}: p(90) {}", p[90]);
            assert!((circular_sd_deg(&p) - sd).abs() < 6e-7, "{name} {d_prime}: {}", circular_sd_deg(&p));
            let sum: f64 = p.iter().zip(0..).map(|(p, d)| directions(d) * p).sum();
            assert!((sum - 1.0).abs() < 1e-10, "{sum}");
        }
    }

    #[test]
    fn a_finer_step_changes_nothing() {
        let kernel = Kernel::named("naka35").unwrap();
        for d_prime in [0.0, 2.3, 7.0, 12.0] {
            let (coarse, fine) = (exact(&kernel, d_prime, STEP), exact(&kernel, d_prime, STEP / 4.0));
            for (a, b) in coarse.iter().zip(&fine) {
                assert!((a / b - 1.0).abs() < 1e-9, "{d_prime}: {a} {b}");
            }
        }
    }

    #[test]
    fn no_memory_is_uniform() {
        for p in density(&Kernel::named("vm5").unwrap(), 0.0, Quadrature::Exact) {
            assert!((p * 360.0 - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_public_grid_is_off_as_reported() {
        // The grid alone moves p(0) by 0.7 to 1 % and the circular SD by about -0.3 degrees.
        let kernel = Kernel::named("naka35").unwrap();
        for (d_prime, by) in [(1.0, -0.328), (2.0, -0.204)] {
            let (e, c) = (exact(&kernel, d_prime, STEP), compat(&kernel, d_prime));
            let moved = circular_sd_deg(&c) - circular_sd_deg(&e);
            assert!((moved - by).abs() < 0.002, "{moved}");
            let smeared = smear(&e, COMPAT.2);
            let grid = c[0] / smeared[0] - 1.0;
            assert!((0.005..0.011).contains(&grid), "{grid}");
            let sum: f64 = c.iter().zip(0..).map(|(p, d)| directions(d) * p).sum();
            assert!((sum - 1.0).abs() < 1e-12);
        }
    }
}

//! Whether the model describes the spectrum.
//!
//! The gamma deviance of each bin, `x - 1 - ln x` with x the power over its expectation, has a known mean and
//! variance where the model is right. Its weighted sum, in standard deviations from that mean, is the misfit.

use super::linear::fast_ln;
use super::scoring::{Data, Scratch};

/// How far the deviance lies above what Gaussian noise gives, in standard deviations. `dimension` parameters were
/// fitted.
pub(super) fn misfit(scratch: &Scratch, data: &Data<'_>, dimension: usize) -> f64 {
    let Some(&relative_variance) = data.covariance.first() else { return f64::NAN };
    let shape = 1.0 / relative_variance;
    let mut deviance = 0.0;
    let mut total = 0.0;
    for (x, k) in scratch.ratio().iter().zip(data.weight) {
        deviance += k * (x - 1.0 - fast_ln(*x));
        total += k;
    }
    // E = ln k - digamma(k), Var = trigamma(k) - 1/k, by their asymptotic series at k + 3 and the recurrence.
    let (mut digamma, mut trigamma, mut z) = (0.0, 0.0, shape);
    while z < 6.0 {
        digamma -= 1.0 / z;
        trigamma += 1.0 / (z * z);
        z += 1.0;
    }
    digamma += z.ln() - 0.5 / z - 1.0 / (12.0 * z * z) + 1.0 / (120.0 * z.powi(4));
    trigamma += 1.0 / z + 0.5 / (z * z) + 1.0 / (6.0 * z.powi(3)) - 1.0 / (30.0 * z.powi(5));
    let mean = shape.ln() - digamma;
    let variance = trigamma - relative_variance;
    // Deviances are all but squares: their correlation is the square of that of the power.
    let mut spread = 0.0;
    for (lag, r) in data.covariance.iter().enumerate() {
        let shifted = data.weight.get(lag..).unwrap_or_default();
        let pairs: f64 = data.weight.iter().zip(shifted).map(|(a, b)| a * b).sum();
        spread += if lag == 0 { pairs } else { 2.0 * pairs } * (r / relative_variance).powi(2);
    }
    // Each parameter takes one of the chi-squared degrees of freedom.
    (deviance - (mean * total - 0.5 * dimension as f64)) / (variance * spread).sqrt()
}

/// Squared correlation of model and spectrum, and the mean and the median of their absolute difference, in log10 power,
/// as specparam has them. `work` has room for every bin.
pub(super) fn goodness(scratch: &Scratch, work: &mut Vec<f64>) -> (f64, f64, f64) {
    work.clear();
    let n = scratch.ratio().len() as f64;
    let (mut sx, mut sy, mut sxx, mut syy, mut sxy, mut absolute) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (ratio, mu) in scratch.ratio().iter().zip(scratch.expected()) {
        let (model, error) = (fast_ln(*mu), fast_ln(*ratio));
        let power = model + error;
        sx += model;
        sy += power;
        sxx += model * model;
        syy += power * power;
        sxy += model * power;
        absolute += error.abs();
        work.push(error.abs() / std::f64::consts::LN_10);
    }
    let covariance = sxy - sx * sy / n;
    let r_squared = covariance * covariance / ((sxx - sx * sx / n) * (syy - sy * sy / n));
    (r_squared, absolute / n / std::f64::consts::LN_10, crate::artefact::median(work))
}

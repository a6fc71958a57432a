//! The small linear algebra of the fits: factors of matrices of at most [`MAX_PARAMETERS`] rows, sums of products.

use super::parameters::MAX_PARAMETERS;

/// `u' R u` of a banded Toeplitz covariance.
pub fn quadratic(u: &[f64], covariance: &[f64]) -> f64 {
    let mut total = 0.0;
    for (lag, r) in covariance.iter().enumerate() {
        let shifted = u.get(lag..).unwrap_or_default();
        let sum = dot(u.get(..shifted.len()).unwrap_or_default(), shifted);
        total += if lag == 0 { r * sum } else { 2.0 * r * sum };
    }
    total
}

pub(super) type Matrix = [[f64; MAX_PARAMETERS]; MAX_PARAMETERS];

#[allow(clippy::indexing_slicing, clippy::needless_range_loop, reason = "matrices; indices < MAX_PARAMETERS")]
pub(super) fn cholesky(matrix: &Matrix, factor: &mut Matrix, dimension: usize) -> bool {
    let dimension = dimension.min(MAX_PARAMETERS);
    for i in 0..dimension {
        for j in 0..=i {
            let mut sum = matrix[i][j];
            for k in 0..j {
                sum -= factor[i][k] * factor[j][k];
            }
            if i == j {
                if sum.is_nan() || sum <= 1e-12 {
                    return false;
                }
                factor[i][i] = sum.sqrt();
            } else {
                factor[i][j] = sum / factor[j][j];
            }
        }
    }
    true
}

#[allow(clippy::indexing_slicing, clippy::needless_range_loop, reason = "matrices; indices < MAX_PARAMETERS")]
pub(super) fn solve(factor: &Matrix, right: &mut [f64; MAX_PARAMETERS], dimension: usize) {
    let dimension = dimension.min(MAX_PARAMETERS);
    for i in 0..dimension {
        let mut sum = right[i];
        for k in 0..i {
            sum -= factor[i][k] * right[k];
        }
        right[i] = sum / factor[i][i];
    }
    for i in (0..dimension).rev() {
        let mut sum = right[i];
        for k in i + 1..dimension {
            sum -= factor[k][i] * right[k];
        }
        right[i] = sum / factor[i][i];
    }
}

/// Sum of products in four running sums, which the compiler can keep in vector registers.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = (a.chunks_exact(4), a.len() / 4 * 4);
    for (x, y) in fours.zip(b.chunks_exact(4)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let tail: f64 = a
        .get(rest..)
        .unwrap_or_default()
        .iter()
        .zip(b.get(rest..).unwrap_or_default())
        .map(|(x, y)| x * y)
        .sum();
    sums.iter().sum::<f64>() + tail
}

/// ln(x) of a positive number: its exponent, and an artanh series of the mantissa; absolute error below 1e-8.
#[inline]
pub fn fast_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    // Mantissa over sqrt 2 lies in 0.707..1.414, so that |z| <= 0.172.
    let m = mantissa * std::f64::consts::FRAC_1_SQRT_2;
    let z = (m - 1.0) / (m + 1.0);
    let z2 = z * z;
    let series = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0)))));
    series + (exponent as f64 + 0.5) * std::f64::consts::LN_2
}

/// exp(x) by splitting off the power of two and a Taylor series of the remainder: relative error below 2e-9, and
/// unlike the library's it is inlined and vectorised.
#[inline]
pub fn fast_exp(x: f64) -> f64 {
    let x = x.clamp(-600.0, 600.0);
    let k = (x * std::f64::consts::LOG2_E + 1024.5) as i64 - 1024;
    let r = x - k as f64 * std::f64::consts::LN_2;
    let p = 1.0
        + r * (1.0
            + r * (0.5
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5040.0))))));
    p * f64::from_bits(((k + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_exponential_is_one() {
        for i in -400..400 {
            let x = f64::from(i) * 0.1;
            assert!((fast_exp(x) / x.exp() - 1.0).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn the_logarithm_is_one() {
        for i in -300..300 {
            let x = (f64::from(i) * 0.37).exp();
            assert!((fast_ln(x) - x.ln()).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn the_dot_product_takes_every_element() {
        let a: Vec<f64> = (0..11).map(f64::from).collect();
        assert!((dot(&a, &a) - 385.0).abs() < 1e-12);
    }
}

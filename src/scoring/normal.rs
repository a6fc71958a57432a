//! The standard normal distribution: density and the logarithm of its integral.

/// ln sqrt(2 pi)
const LN_ROOT_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// ln phi(z).
pub(crate) fn ln_density(z: f64) -> f64 {
    -0.5 * z * z - LN_ROOT_TWO_PI
}

/// Phi(z), exact in both tails down to the smallest number.
pub(crate) fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// ln Phi(z); minus infinity below about -38, where Phi is smaller than any number.
pub(crate) fn ln_cumulative(z: f64) -> f64 {
    if z > 6.0 {
        // 1 - Phi is small and exact there; the logarithm of something next to one is not.
        libm::log1p(-cumulative(-z))
    } else {
        cumulative(z).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_in_both_tails() {
        // Phi(1.96), Phi(-8) and 1 - Phi(8) by mpmath.
        assert!((cumulative(1.96) - 0.975_002_104_851_779_5).abs() < 1e-15);
        assert!((ln_cumulative(-8.0) + 35.013_437_159_914_02).abs() < 1e-10);
        assert!((ln_cumulative(8.0) / -6.220_960_574_271_786e-16 - 1.0).abs() < 1e-10);
        assert_eq!(ln_cumulative(-40.0), f64::NEG_INFINITY);
        assert!((ln_density(2.0) - (-2.918_938_533_204_672_7)).abs() < 1e-15);
    }
}

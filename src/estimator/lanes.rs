//! Arithmetic that the compiler can do on four numbers at a time.
//!
//! Every function is inlined into its caller, so that a caller compiled for wide registers
//! ([`crate::specparam::Specparam`] has one) gets them here too. Hot loops are plain `for`s: the bodies of closures and of
//! `map` over arrays are compiled apart, for narrow registers. The order of the operations is the same whatever the
//! registers, and nothing is contracted: the results do not depend on the processor.

/// Numbers in a register.
pub(crate) const LANES: usize = 4;
/// One register.
pub(crate) type Four = [f64; LANES];

/// Sums, differences and products of registers. By value: what is read before anything is written cannot have changed,
/// which is what the compiler must know to keep four numbers together.
#[inline(always)]
pub(crate) fn plus([a0, a1, a2, a3]: Four, [b0, b1, b2, b3]: Four) -> Four {
    [a0 + b0, a1 + b1, a2 + b2, a3 + b3]
}

/// See [`plus`].
#[inline(always)]
pub(crate) fn minus([a0, a1, a2, a3]: Four, [b0, b1, b2, b3]: Four) -> Four {
    [a0 - b0, a1 - b1, a2 - b2, a3 - b3]
}

/// See [`plus`].
#[inline(always)]
pub(crate) fn times([a0, a1, a2, a3]: Four, [b0, b1, b2, b3]: Four) -> Four {
    [a0 * b0, a1 * b1, a2 * b2, a3 * b3]
}

/// One number four times.
#[inline(always)]
pub(crate) fn all(x: f64) -> Four {
    [x, x, x, x]
}

/// Sum over a register.
#[inline(always)]
pub(crate) fn across([a0, a1, a2, a3]: Four) -> f64 {
    (a0 + a1) + (a2 + a3)
}

/// Inner product in four running sums.
#[inline(always)]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0_f64; LANES];
    let ((a4, a_rest), (b4, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut rest = 0.0;
    for (x, y) in a_rest.iter().zip(b_rest) {
        rest += x * y;
    }
    for (x, y) in a4.iter().zip(b4) {
        sums = plus(sums, times(*x, *y));
    }
    across(sums) + rest
}

/// Length of a vector.
#[inline(always)]
pub(crate) fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

/// 1.5 * 2^52: added and taken off again it rounds to a whole number, which its lowest bits then hold.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: products of the first with small whole numbers are exact.
const LN_2: (f64, f64) = (f64::from_bits(0x3fe6_2e42_fee0_0000), 1.908_214_929_270_587_7e-10);

/// e^x to a few units of the last place; beyond +-708 that of +-708.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-708.0, 708.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2.0) - k * LN_2.1;
    // Taylor's series up to r^13: |r| <= ln 2 / 2.
    const TERMS: [f64; 12] = [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
    ];
    let mut sum = 1.0 / 6_227_020_800.0;
    for term in TERMS {
        sum = sum * r + term;
    }
    let power = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    (sum * r + 1.0) * power
}

/// log10(x) of a normal positive number, to a few units of the last place; NaN of anything else.
#[inline(always)]
pub(crate) fn log10(x: f64) -> f64 {
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const BIAS: u64 = 1023 << 52;
    let bits = x.to_bits();
    // x = m 2^k with m in 0.707..1.414.
    let biased = bits.wrapping_sub(ROOT_HALF).wrapping_add(BIAS) >> 52;
    let m = f64::from_bits(bits.wrapping_sub(biased << 52).wrapping_add(BIAS));
    let k = f64::from_bits(biased | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0);
    // ln m = 2 artanh z, |z| <= 0.172.
    let z = (m - 1.0) / (m + 1.0);
    let z2 = z * z;
    const TERMS: [f64; 10] = [
        1.0 / 19.0,
        1.0 / 17.0,
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        0.2,
        1.0 / 3.0,
        1.0,
    ];
    let mut sum = 1.0 / 21.0;
    for term in TERMS {
        sum = sum * z2 + term;
    }
    let value = k * std::f64::consts::LOG10_2 + (2.0 * std::f64::consts::LOG10_E) * (z * sum);
    if (f64::MIN_POSITIVE..=f64::MAX).contains(&x) { value } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_one() {
        for i in -70_000..70_000 {
            let x = f64::from(i) * 0.010_1;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15, "{x}");
        }
        assert!((exp(0.0) - 1.0).abs() < f64::EPSILON && exp(f64::NAN).is_nan());
        assert!(exp(-1e9) > 0.0 && exp(1e9).is_finite());
    }

    #[test]
    fn the_logarithm_is_one() {
        for i in -30_000..30_000 {
            let x = (f64::from(i) * 0.0233).exp();
            assert!((log10(x) - x.log10()).abs() <= 1e-15 * (0.3 + x.log10().abs()), "{x}");
        }
        for x in [1.0 - f64::EPSILON, 1.0, 1.0 + f64::EPSILON, f64::MIN_POSITIVE, f64::MAX] {
            assert!((log10(x) - x.log10()).abs() <= 1e-15 * x.log10().abs(), "{x}");
        }
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(log10(x).is_nan(), "{x}");
        }
    }

    #[test]
    fn the_inner_product_takes_every_element() {
        let a: Vec<f64> = (0..11).map(f64::from).collect();
        assert!((dot(&a, &a) - 385.0).abs() < 1e-12);
    }
}

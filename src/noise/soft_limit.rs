//! Keeps Gaussian noise within its peak without a corner.
//!
//! In: noise of RMS 1. Out: samples within ±1, where ±1 stands for the peak of three standard deviations.

/// The peak in standard deviations: sigma = peak / 3 (facts of the project; 99.7 % of a Gaussian lie inside).
pub const PEAK_SIGMAS: f64 = 3.0;
/// Linear up to this share of the peak (2.7 sigma: 0.7 % of the samples lie above), constant from 2 - it on.
const LINEAR: f32 = 0.9;

/// Limits `x` (in units of the peak) to ±1: identity up to 0.9, then the slope falls from 1 to 0 as a
/// smoothstep, and 1 is reached at 1.1. Twice differentiable, monotone, odd. A NaN comes out as 0.
#[inline]
#[must_use]
pub fn soft_limit(x: f32) -> f32 {
    const SPAN: f32 = 2.0 * (1.0 - LINEAR);
    let size = x.abs();
    let t = ((size - LINEAR) * (1.0 / SPAN)).max(0.0).min(1.0);
    // Integral of 1 - (3t² - 2t³).
    let bent = SPAN * (t - t * t * t + 0.5 * t * t * t * t);
    let y = (size.min(LINEAR) + bent).min(1.0);
    y.copysign(x) * f32::from(u8::from(size == size))
}

/// RMS of limited Gaussian noise of RMS 1 (before and after in the same unit), by numerical integration. It is
/// the same for every spectrum, because every sample is Gaussian whatever its neighbours are.
#[must_use]
pub fn rms_after_limit() -> f64 {
    let step = 1e-3;
    let power: f64 = (-8_000..=8_000)
        .map(|i| {
            let g = f64::from(i) * step;
            let y = f64::from(soft_limit((g / PEAK_SIGMAS) as f32)) * PEAK_SIGMAS;
            y * y * (-0.5 * g * g).exp() * step
        })
        .sum();
    (power / (2.0 * std::f64::consts::PI).sqrt()).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn within_the_peak_monotone_and_odd(a in -3.0f32..3.0, b in -3.0f32..3.0) {
            prop_assert!(soft_limit(a).abs() <= 1.0);
            prop_assert_eq!(soft_limit(-a), -soft_limit(a));
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(soft_limit(low) <= soft_limit(high) + 1e-7);
            if a.abs() <= 0.9 {
                prop_assert_eq!(soft_limit(a), a);
            }
        }

        #[test]
        fn any_bit_pattern_stays_within_the_peak(bits in any::<u32>()) {
            prop_assert!(soft_limit(f32::from_bits(bits)).abs() <= 1.0);
        }
    }

    #[test]
    fn limiting_costs_under_half_a_percent_of_the_rms() {
        let rms = rms_after_limit();
        assert!(rms > 0.995 && rms < 1.0, "{rms}");
    }
}

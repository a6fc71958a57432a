//! Keeps Gaussian noise within its peak without a corner.
//!
//! In: noise of RMS 1. Out: samples within ±1, where ±1 stands for the peak of three standard deviations.
//!
//! A memoryless limiter takes whole excursions of steep noise off one side (0.1 s at 4 sigma are 16 uC at a peak of
//! 0.5 mA), which reads as DC: up to 6 uA over 10 s at χ = 2, ten times what the noise itself has. [`SoftLimit`]
//! therefore remembers the charge that it took off and gives it back over 0.3 s, before limiting: the error of
//! the limiting has no slow part.

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
    let t = ((size - LINEAR) * (1.0 / SPAN)).clamp(0.0, 1.0);
    // Integral of 1 - (3t² - 2t³).
    let bent = SPAN * (t - t * t * t + 0.5 * t * t * t * t);
    let y = (size.min(LINEAR) + bent).min(1.0);
    y.copysign(x) * f32::from(u8::from(!size.is_nan()))
}

/// Samples between two updates of the correction; it moves on a straight line between them.
pub(super) const PIECE: usize = 64;
/// Time in which the charge taken off is given back, in s; but at least ten pieces, for stability.
const GIVE_BACK_S: f64 = 0.3;

/// The soft limit with a memory for what it took off; see the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoftLimit {
    /// Sum of what was taken off and not yet given back, in peaks times samples.
    owed: f32,
    correction: f32,
    gain: f32,
}

impl SoftLimit {
    /// For `rate_hz` samples a second.
    #[must_use]
    pub(super) fn new(rate_hz: f64) -> Self {
        let samples = (GIVE_BACK_S * rate_hz).max(10.0 * PIECE as f64);
        Self { owed: 0.0, correction: 0.0, gain: (1.0 / samples) as f32 }
    }

    /// Forgets what is owed.
    pub(super) fn reset(&mut self) {
        (self.owed, self.correction) = (0.0, 0.0);
    }

    /// Limits a piece of unit noise to ±1; gives the count of samples beyond three sigma.
    pub(super) fn process(&mut self, piece: &mut [f32; PIECE]) -> u32 {
        let from = self.correction;
        self.correction = self.owed * self.gain;
        let step = (self.correction - from) / PIECE as f32;
        let (mut clipped, mut lost) = (0, 0.0);
        for (i, x) in piece.iter_mut().enumerate() {
            let asked = *x * (1.0 / PEAK_SIGMAS as f32);
            clipped += u32::from(asked.abs() > 1.0);
            let y = soft_limit(asked + from + step * (i + 1) as f32);
            lost += asked - y;
            *x = y;
        }
        self.owed += lost;
        clipped
    }
}

/// RMS of limited Gaussian noise of RMS 1, before and after in the same unit. It is the same for every spectrum,
/// because every sample is Gaussian whatever its neighbours are. A test integrates it.
pub const RMS_AFTER_LIMIT: f64 = 0.997_259;
/// The mean of its absolute value; without the limit it would be sqrt(2/pi).
pub const MEAN_ABS_AFTER_LIMIT: f64 = 0.797_038;

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
        let step = 1e-3;
        let (mut power, mut absolute) = (0.0, 0.0);
        for i in -8_000..=8_000 {
            let g = f64::from(i) * step;
            let y = f64::from(soft_limit((g / PEAK_SIGMAS) as f32)) * PEAK_SIGMAS;
            let density = (-0.5 * g * g).exp() / (2.0 * std::f64::consts::PI).sqrt() * step;
            power += y * y * density;
            absolute += y.abs() * density;
        }
        let rms = power.sqrt();
        assert!(rms > 0.995 && rms < 1.0, "{rms}");
        assert!((rms - RMS_AFTER_LIMIT).abs() < 1e-6 && (absolute - MEAN_ABS_AFTER_LIMIT).abs() < 1e-6);
    }
}

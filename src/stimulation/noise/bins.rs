//! The Fourier bins of a noise's band, and what they predict before a sample is made.
//!
//! In: rate, band, exponent. Out: the power of each bin, and the [`Expected`] step, slow mean and charges of a current
//! of RMS 1. What a plan, a burst's check and the report know of the noise's statistics, they know from here.

use std::f64::consts::PI;
use std::ops::RangeInclusive;

use super::NoiseError;

/// Blocks hold at least this many periods of the band's low edge: the smearing by the window (s = 0.56 bins)
/// is then an eighth of an octave at the edge and 0.06 dB an octave above it, before its compensation.
const PERIODS_PER_BLOCK: f64 = 4.0;
/// Longest block. 2^20 samples take tens of ms to make: beyond that the caller wants a lower rate.
const MAX_BLOCK: usize = 1 << 20;
/// The window's kernel is followed this far on either side, in bins; beyond, it is below 1e-13.
const KERNEL_BINS: i64 = 32;

/// What the bins predict of a current of RMS 1, before limiting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Standard deviation of the difference of neighbouring samples.
    pub step_sd: f64,
    /// Standard deviation of the triangular 10 s mean (see [`crate::limits`]).
    pub dc_10s_sd: f64,
    /// Standard deviation of the integral since a burst began, in s (times mA gives mC).
    pub charge_sd_s: f64,
    /// Standard deviation of the integral of |current| for the square root of its length, in s/sqrt(s).
    pub abs_charge_sd: f64,
    /// Relative standard deviation of the RMS over 60 s, over which the density is limited.
    pub rms_60s_sd: f64,
}

/// The bins of a band; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Bins {
    rate_hz: f64,
    /// Samples of a block.
    len: usize,
    low_bin: usize,
    high_bin: usize,
    /// Variance of the window's kernel, in bins².
    smear_bins2: f64,
    /// Distances in bins and shares of the power that the window moves there.
    smear: [(f64, f64); 17],
}

impl Bins {
    /// The bins of `band_hz` (low, high) at `rate_hz`.
    ///
    /// # Errors
    /// A band that is empty, holds fewer than 8 bins, or reaches above 0.45 of the rate; a rate that would need
    /// blocks longer than 2^20 samples.
    pub fn new(rate_hz: f64, band_hz: (f64, f64)) -> Result<Self, NoiseError> {
        let (low_hz, high_hz) = band_hz;
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return Err(NoiseError::Rate { rate_hz });
        }
        if !(low_hz > 0.0 && low_hz < high_hz && high_hz <= 0.45 * rate_hz) {
            return Err(NoiseError::Band { low_hz, high_hz, rate_hz });
        }
        let wanted = PERIODS_PER_BLOCK * rate_hz / low_hz;
        if wanted > MAX_BLOCK as f64 {
            return Err(NoiseError::Rate { rate_hz });
        }
        let len = (wanted.ceil() as usize).next_power_of_two();
        let bin_hz = rate_hz / len as f64;
        let low_bin = (low_hz / bin_hz).ceil() as usize;
        let high_bin = (high_hz / bin_hz).floor() as usize;
        if high_bin < low_bin + 8 {
            return Err(NoiseError::Band { low_hz, high_hz, rate_hz });
        }
        let smear = std::array::from_fn(|i| {
            let distance = (i as f64 - 8.0) * 0.25;
            (distance, 0.25 * kernel(distance))
        });
        Ok(Self { rate_hz, len, low_bin, high_bin, smear_bins2: smear_bins2(), smear })
    }

    /// Samples of a block.
    #[must_use]
    pub fn block_len(&self) -> usize {
        self.len
    }

    /// Indices of the band's bins.
    pub(super) fn range(&self) -> RangeInclusive<usize> {
        self.low_bin..=self.high_bin
    }

    /// Width of a bin in Hz.
    fn bin_hz(&self) -> f64 {
        self.rate_hz / self.len as f64
    }

    /// Power of bin `k` such that the smeared sum follows f^-χ; not yet normalised. `k` in bins.
    pub(super) fn power(&self, chi: f64, k: f64) -> f64 {
        let f_hz = k * self.bin_hz();
        f_hz.powf(-chi) / (1.0 + 0.5 * chi * (chi + 1.0) * self.smear_bins2 / (k * k))
    }

    /// The shaping's own frequency response: the expected output spectrum at `f_hz` over f^-χ, in dB (power),
    /// from the bins and the window's kernel. 0 is exact; outside the band it falls to minus infinity.
    #[must_use]
    pub fn response_db(&self, chi: f64, f_hz: f64) -> f64 {
        let at = f_hz / self.bin_hz();
        let nearest = at.round() as i64;
        let power: f64 = (nearest - KERNEL_BINS..=nearest + KERNEL_BINS)
            .filter(|&k| self.range().contains(&(k.unsigned_abs() as usize)))
            .map(|k| self.power(chi, k.unsigned_abs() as f64) * kernel(at - k as f64))
            .sum();
        10.0 * (power / f_hz.powf(-chi)).log10()
    }

    /// What the bins predict for exponent `chi`: see [`Expected`].
    #[must_use]
    pub fn expected(&self, chi: f64) -> Expected {
        let (mut total, mut squares, mut step, mut dc, mut charge) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for k in self.range() {
            let f_hz = k as f64 * self.bin_hz();
            let power = self.power(chi, k as f64);
            total += power;
            squares += power * power;
            step += power * (2.0 * (PI * f_hz / self.rate_hz).sin()).powi(2);
            // Q(t) - Q(0) of a sine: twice the variance of its integral.
            charge += 2.0 * power / (2.0 * PI * f_hz).powi(2);
            // The mean's zeros are as narrow as a bin's smearing, which therefore fills them.
            for &(distance, share) in &self.smear {
                dc += power * share * crate::limits::dc_gain((k as f64 + distance) * self.bin_hz()).powi(2);
            }
        }
        Expected {
            step_sd: (step / total).sqrt(),
            dc_10s_sd: (dc / total).sqrt(),
            charge_sd_s: (charge / total).sqrt(),
            // The autocovariance of |x| is r²/pi to first order (r: that of x, of variance 1), and by Parseval the
            // integral of r² over all lags is half that of the squared one-sided spectrum.
            rms_60s_sd: 0.5 * (squares / (total * total) / self.bin_hz() / 60.0).sqrt(),
            abs_charge_sd: (0.5 * squares / (total * total) / self.bin_hz() / PI).sqrt(),
        }
    }
}

/// The window at sample `n` of `len`.
pub(super) fn window_at(n: usize, len: usize) -> f64 {
    let s = (PI * (n as f64 + 0.5) / len as f64).sin();
    (PI / 2.0 * s * s).sin()
}

/// Length of the window on which kernel and smearing are computed: in units of bins its shape does not depend
/// on the length.
const KERNEL_LEN: usize = 1024;

/// The window's power kernel at a distance of `bins`, as a density for each bin: its integral is 1.
fn kernel(bins: f64) -> f64 {
    // Symmetric window: twice the cosine sum of one half. Its power sum is len / 2.
    let sum: f64 = (0..KERNEL_LEN / 2)
        .map(|n| {
            let from_centre = (n as f64 + 0.5) / KERNEL_LEN as f64 - 0.5;
            window_at(n, KERNEL_LEN) * (2.0 * PI * bins * from_centre).cos()
        })
        .sum();
    8.0 * sum * sum / (KERNEL_LEN * KERNEL_LEN) as f64
}

/// Variance of the kernel in bins²: by Parseval the power of the window's derivative.
fn smear_bins2() -> f64 {
    let slope2: f64 =
        (0..KERNEL_LEN - 1).map(|n| (window_at(n + 1, KERNEL_LEN) - window_at(n, KERNEL_LEN)).powi(2)).sum();
    let power = KERNEL_LEN as f64 / 2.0;
    slope2 / power * (KERNEL_LEN as f64 / (2.0 * PI)).powi(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_kernel_holds_all_power_and_its_variance_is_the_smearing() {
        let d = 0.05;
        let (mut area, mut second) = (0.0, 0.0);
        for i in -600..=600 {
            let x = f64::from(i) * d;
            area += kernel(x) * d;
            second += x * x * kernel(x) * d;
        }
        assert!((area - 1.0).abs() < 1e-6, "{area}");
        assert!((second - smear_bins2()).abs() < 1e-4, "{second} {}", smear_bins2());
    }

    #[test]
    fn the_charge_of_noise_lies_where_the_bins_say() {
        // Largest one-sided charges of 65 s at 1 mA peak, measured: 34, 118, 304 and 1,658 uC.
        let measured = [(0.5, 0.5, 0.034), (0.5, 1.0, 0.118), (0.5, 2.0, 0.304), (0.1, 2.0, 1.658)];
        for (low_hz, exponent, charge_mc) in measured {
            let sd_mc = Bins::new(2_000.0, (low_hz, 100.0)).unwrap().expected(exponent).charge_sd_s / 3.0;
            let ratio = charge_mc / sd_mc;
            assert!((1.5..4.5).contains(&ratio), "{low_hz} Hz, {exponent}: {ratio}");
        }
    }
}

//! Gaussian noise of unit RMS with the power spectrum f^-χ inside a band and nothing outside it.
//!
//! In: sampling rate, band, exponent χ, seed. Out: samples without unit, by [`Colour::fill`]; the amplitude
//! is given to them in [`super::Noise`].
//!
//! Spectral synthesis: every block draws an independent complex Gaussian for each Fourier bin inside the band,
//! scales it by f^(-χ/2), and transforms back. Blocks overlap by half under a window w with
//! w²(n) + w²(n + N/2) = 1, so that the sum of two independent blocks has exactly constant variance and every
//! sample is exactly Gaussian. Because the bins are known, so is their sum: the expected RMS is 1 for any χ
//! without measuring anything. A new χ enters with the next block and fades in over half a block.
//!
//! The window is sin(π/2·sin²(πn/N)) (Vorbis I specification, section 1.3.2) and not the plain sine: both
//! satisfy the condition, but a sine's side lobes at 5 bins hold 8e-5 of a bin's power for each bin, and at χ = 2
//! leak more slow current below the band than the band itself makes; this one's hold 6e-9.
//!
//! The window smears each bin over its neighbours, which lifts a curved spectrum by 1 + χ(χ+1)/2·(s·Δf/f)² to
//! second order, s being the smearing's standard deviation in bins. The bins are divided by that factor.
//! What remains is told by [`Colour::response_db`].
//!
//! Block b is a function of (seed, b, χ) alone: its random numbers are ChaCha8's stream b. So any stretch of a
//! session can be made again. Bit for bit on one processor type; another one's vector width may round the last
//! bit of the transform differently.

use std::f64::consts::PI;
use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};

use super::NoiseError;

/// Blocks hold at least this many periods of the band's low edge: the smearing by the window (s = 0.56 bins)
/// is then an eighth of an octave at the edge and 0.06 dB an octave above it, before its compensation.
const PERIODS_PER_BLOCK: f64 = 4.0;
/// Longest block. 2^20 samples take tens of ms to make: beyond that the caller wants a lower rate.
const MAX_BLOCK: usize = 1 << 20;
/// The window's kernel is followed this far on either side, in bins; beyond, it is below 1e-13.
const KERNEL_BINS: i64 = 32;

/// A source of coloured noise; see the module.
pub struct Colour {
    rate_hz: f64,
    low_bin: usize,
    high_bin: usize,
    chi: f64,
    next_block: u64,
    rng: ChaCha8Rng,
    /// Standard deviation of the real and of the imaginary part of each bin of the band.
    bin_sd: Vec<f32>,
    /// Variance of the window's kernel, in bins².
    smear_bins2: f64,
    /// Distances in bins and shares of the power that the window moves there.
    smear: Vec<(f64, f64)>,
    window: Vec<f32>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    block: Vec<f32>,
    /// Second half of the newest block under its falling window.
    tail: Vec<f32>,
    /// Finished samples; those before `at` are gone.
    ready: Vec<f32>,
    at: usize,
}

/// What the bins predict of a current of RMS 1, before limiting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Standard deviation of the difference of neighbouring samples.
    pub step_sd: f64,
    /// Standard deviation of the triangular 10 s mean (see [`crate::limits`]).
    pub dc_10s_sd: f64,
    /// Standard deviation of the integral since a burst began, in s (times mA gives mC).
    pub charge_sd_s: f64,
}

impl Colour {
    /// Prepares a source and its first block. `band_hz` is (low, high).
    ///
    /// # Errors
    /// χ outside 0..3; a band that is empty, holds fewer than 8 bins, or reaches above 0.45 of the rate; a rate
    /// that would need blocks longer than 2^20 samples.
    pub fn new(rate_hz: f64, band_hz: (f64, f64), chi: f64, seed: u64) -> Result<Self, NoiseError> {
        check_exponent(chi)?;
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
        let window: Vec<f32> = (0..len).map(|n| window_at(n, len) as f32).collect();
        let inverse = RealFftPlanner::<f32>::new().plan_fft_inverse(len);
        let mut colour = Self {
            rate_hz,
            low_bin,
            high_bin,
            chi,
            next_block: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            bin_sd: vec![0.0; high_bin - low_bin + 1],
            smear_bins2: smear_bins2(),
            smear: (-8..=8).map(|i| f64::from(i) * 0.25).map(|d| (d, 0.25 * kernel(d))).collect(),
            window,
            spectrum: inverse.make_input_vec(),
            scratch: inverse.make_scratch_vec(),
            inverse,
            block: vec![0.0; len],
            tail: vec![0.0; len / 2],
            ready: vec![0.0; len / 2],
            at: len / 2,
        };
        colour.restart(chi);
        Ok(colour)
    }

    /// Fills `out` with the next samples, RMS 1. Never allocates. Once every half block (8,192 samples at
    /// 2,000 samples/s from 0.5 Hz) one call makes the next block.
    pub fn fill(&mut self, mut out: &mut [f32]) {
        while !out.is_empty() {
            if self.at >= self.ready.len() {
                self.advance();
            }
            let ready = self.ready.get(self.at..).unwrap_or_default();
            let n = ready.len().min(out.len());
            let (now, later) = out.split_at_mut(n);
            now.copy_from_slice(ready.get(..n).unwrap_or_default());
            self.at += n;
            out = later;
        }
    }

    /// Asks for another exponent: it begins with the next block, at most half a block from now, and is complete
    /// half a block later, under constant RMS and without a step. Values outside 0..3 are clamped.
    pub fn set_exponent(&mut self, chi: f64) {
        let chi = if chi.is_finite() { chi.clamp(0.0, 3.0) } else { self.chi };
        if chi != self.chi {
            self.chi = chi;
            self.rescale();
        }
    }

    /// Drops what is prepared and begins afresh with exponent `chi` at once: for use at zero amplitude only,
    /// between bursts, because the noise itself steps. The blocks' numbers go on: no block is repeated.
    pub fn restart(&mut self, chi: f64) {
        self.set_exponent(chi);
        self.rescale();
        self.advance();
        self.at = self.ready.len();
    }

    /// Samples of one block; a change of χ is complete within one.
    #[must_use]
    pub fn block_len(&self) -> usize {
        self.block.len()
    }

    /// The exponent of the next block.
    #[must_use]
    pub fn exponent(&self) -> f64 {
        self.chi
    }

    /// Width of a bin in Hz.
    fn bin_hz(&self) -> f64 {
        self.rate_hz / self.block.len() as f64
    }

    /// Power of bin `k` such that the smeared sum follows f^-χ; not yet normalised. `k` in bins.
    fn bin_power(&self, chi: f64, k: f64) -> f64 {
        let f_hz = k * self.bin_hz();
        f_hz.powf(-chi) / (1.0 + 0.5 * chi * (chi + 1.0) * self.smear_bins2 / (k * k))
    }

    /// Makes the bins' standard deviations for the present χ: the sum of their powers is 1.
    fn rescale(&mut self) {
        let bins = self.low_bin..=self.high_bin;
        let total: f64 = bins.clone().map(|k| self.bin_power(self.chi, k as f64)).sum();
        for (i, k) in bins.enumerate() {
            // A bin X adds 2·Re(X·e^iθ) to each sample: variance 4·sd².
            let sd = 0.5 * (self.bin_power(self.chi, k as f64) / total).sqrt();
            if let Some(slot) = self.bin_sd.get_mut(i) {
                *slot = sd as f32;
            }
        }
    }

    /// Draws the next block and joins its first half to the last one's second half.
    fn advance(&mut self) {
        self.rng.set_stream(self.next_block);
        self.rng.set_word_pos(0);
        self.next_block += 1;
        self.spectrum.fill(Complex::new(0.0, 0.0));
        if let Some(bins) = self.spectrum.get_mut(self.low_bin..=self.high_bin) {
            for (bin, &sd) in bins.iter_mut().zip(&self.bin_sd) {
                let re: f32 = StandardNormal.sample(&mut self.rng);
                let im: f32 = StandardNormal.sample(&mut self.rng);
                *bin = Complex::new(re * sd, im * sd);
            }
        }
        let made =
            self.inverse.process_with_scratch(&mut self.spectrum, &mut self.block, &mut self.scratch).is_ok();
        debug_assert!(made, "lengths were planned together");
        let half = self.ready.len();
        let (rise, fall) = self.window.split_at(half);
        let (first, second) = self.block.split_at(half);
        let joined = self.ready.iter_mut().zip(&self.tail).zip(first.iter().zip(rise));
        for ((ready, &tail), (&x, &w)) in joined {
            *ready = tail + x * w;
        }
        for (tail, (&x, &w)) in self.tail.iter_mut().zip(second.iter().zip(fall)) {
            *tail = x * w;
        }
        self.at = 0;
    }

    /// The shaping's own frequency response: the expected output spectrum at `f_hz` over f^-χ, in dB (power),
    /// from the bins and the window's kernel. 0 is exact; outside the band it falls to minus infinity.
    #[must_use]
    pub fn response_db(&self, chi: f64, f_hz: f64) -> f64 {
        let at = f_hz / self.bin_hz();
        let nearest = at.round() as i64;
        let power: f64 = (nearest - KERNEL_BINS..=nearest + KERNEL_BINS)
            .filter(|&k| (self.low_bin..=self.high_bin).contains(&(k.unsigned_abs() as usize)))
            .map(|k| self.bin_power(chi, k.unsigned_abs() as f64) * kernel(at - k as f64))
            .sum();
        10.0 * (power / f_hz.powf(-chi)).log10()
    }

    /// What the bins predict for exponent `chi`: see [`Expected`].
    #[must_use]
    pub fn expected(&self, chi: f64) -> Expected {
        let (mut total, mut step, mut dc, mut charge) = (0.0, 0.0, 0.0, 0.0);
        for k in self.low_bin..=self.high_bin {
            let f_hz = k as f64 * self.bin_hz();
            let power = self.bin_power(chi, k as f64);
            total += power;
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
        }
    }
}

/// Refuses exponents outside 0..3.
pub(super) fn check_exponent(chi: f64) -> Result<(), NoiseError> {
    if (0.0..=3.0).contains(&chi) { Ok(()) } else { Err(NoiseError::Exponent { exponent: chi }) }
}

/// The window at sample `n` of `len`.
fn window_at(n: usize, len: usize) -> f64 {
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
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
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
    fn the_response_is_flat_from_1_hz_to_90_percent_of_the_top() {
        let colour = Colour::new(2000.0, (0.5, 100.0), 1.0, 1).unwrap();
        for chi in [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0] {
            let worst = (0..120)
                .map(|i| 90f64.powf(f64::from(i) / 119.0))
                .map(|f_hz| colour.response_db(chi, f_hz).abs())
                .fold(0.0, f64::max);
            assert!(worst < 0.01, "chi {chi}: {worst} dB");
            let outside = colour.response_db(chi, 0.1).max(colour.response_db(chi, 101.0));
            assert!(outside < -50.0, "chi {chi}: {outside} dB outside the band");
        }
    }

    #[test]
    fn neighbouring_halves_of_the_window_keep_the_variance() {
        for n in 0..512 {
            let sum = window_at(n, 1024).powi(2) + window_at(n + 512, 1024).powi(2);
            assert!((sum - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_change_of_exponent_makes_no_step() {
        let mut colour = Colour::new(2000.0, (0.5, 100.0), 2.5, 3).unwrap();
        let mut x = vec![0f32; 60_000];
        for (i, chunk) in x.chunks_mut(4096).enumerate() {
            colour.set_exponent(if i % 2 == 0 { 0.5 } else { 2.5 });
            colour.fill(chunk);
        }
        let bound = 6.0 * colour.expected(0.5).step_sd as f32;
        let worst = x.windows(2).map(|p| (p[1] - p[0]).abs()).fold(0.0, f32::max);
        assert!(worst < bound, "{worst} {bound}");
    }

    #[test]
    fn bad_arguments_are_refused() {
        for (rate, band, chi) in [
            (2000.0, (0.5, 100.0), -0.1),
            (2000.0, (0.5, 100.0), f64::NAN),
            (2000.0, (0.5, 950.0), 1.0),
            (2000.0, (0.0, 100.0), 1.0),
            (2000.0, (50.0, 10.0), 1.0),
            (2000.0, (f64::NAN, 10.0), 1.0),
            (f64::INFINITY, (0.5, 100.0), 1.0),
            (f64::NAN, (0.5, 100.0), 1.0),
            (1e9, (0.5, 100.0), 1.0),
        ] {
            assert!(Colour::new(rate, band, chi, 1).is_err(), "{rate} {band:?} {chi}");
        }
    }
}

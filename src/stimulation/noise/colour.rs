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
//! What remains is told by [`Bins::response_db`].
//!
//! Block b is a function of (seed, b, χ) alone: its random numbers are ChaCha8's stream b. So any stretch of a
//! session can be made again. Bit for bit on one processor type; another one's vector width may round the last
//! bit of the transform differently.

use std::sync::Arc;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tras_fft::{Complex, ComplexToReal};

use super::bins::{Bins, Expected, window_at};
use super::{EXPONENTS, NoiseError, check_exponent};

/// A source of coloured noise; see the module.
pub struct Colour {
    bins: Bins,
    chi: f64,
    /// What was asked for; `chi` comes nearer with each block, by so much at most.
    wanted_chi: f64,
    most_per_block: f64,
    rate_hz: f64,
    next_block: u64,
    rng: ChaCha8Rng,
    /// Standard deviation of the real and of the imaginary part of each bin of the band.
    bin_sd: Vec<f32>,
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

impl Colour {
    /// Prepares a source and its first block. `band_hz` is (low, high).
    ///
    /// # Errors
    /// χ outside 0..3; a band that is empty, holds fewer than 8 bins, or reaches above 0.45 of the rate; a rate
    /// that would need blocks longer than 2^20 samples.
    pub fn new(rate_hz: f64, band_hz: (f64, f64), chi: f64, seed: u64) -> Result<Self, NoiseError> {
        check_exponent(chi)?;
        let bins = Bins::new(rate_hz, band_hz)?;
        let len = bins.block_len();
        let window: Vec<f32> = (0..len).map(|n| window_at(n, len) as f32).collect();
        let inverse = tras_fft::real_inverse_f32(len);
        let mut colour = Self {
            chi,
            wanted_chi: chi,
            most_per_block: f64::INFINITY,
            rate_hz,
            next_block: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            bin_sd: vec![0.0; bins.range().count()],
            bins,
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
    /// half a block later, under constant RMS and without a step; where that would be faster than [`Self::set_slope`]
    /// allows, over as many blocks as it takes. Values outside 0..3 are clamped.
    pub fn set_exponent(&mut self, chi: f64) {
        let (least, most) = EXPONENTS;
        if chi.is_finite() {
            self.wanted_chi = chi.clamp(least, most);
        }
    }

    /// The fastest change of the exponent, for each second; none at first.
    pub fn set_slope(&mut self, per_s: f64) {
        self.most_per_block = per_s.max(0.0) * (self.ready.len() as f64 / self.rate_hz);
    }

    /// Drops what is prepared and begins afresh with exponent `chi` at once: for use at zero amplitude only,
    /// between bursts, because the noise itself steps. The blocks' numbers go on: no block is repeated.
    pub fn restart(&mut self, chi: f64) {
        self.set_exponent(chi);
        self.chi = self.wanted_chi;
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

    /// The bins, for what they predict.
    #[must_use]
    pub fn bins(&self) -> &Bins {
        &self.bins
    }

    /// See [`Bins::response_db`].
    #[must_use]
    pub fn response_db(&self, chi: f64, f_hz: f64) -> f64 {
        self.bins.response_db(chi, f_hz)
    }

    /// See [`Bins::expected`].
    #[must_use]
    pub fn expected(&self, chi: f64) -> Expected {
        self.bins.expected(chi)
    }

    /// Makes the bins' standard deviations for the present χ: the sum of their powers is 1.
    fn rescale(&mut self) {
        let total: f64 = self.bins.range().map(|k| self.bins.power(self.chi, k as f64)).sum();
        for (i, k) in self.bins.range().enumerate() {
            // A bin X adds 2·Re(X·e^iθ) to each sample: variance 4·sd².
            let sd = 0.5 * (self.bins.power(self.chi, k as f64) / total).sqrt();
            if let Some(slot) = self.bin_sd.get_mut(i) {
                *slot = sd as f32;
            }
        }
    }

    /// Draws the next block and joins its first half to the last one's second half.
    fn advance(&mut self) {
        if self.chi != self.wanted_chi {
            let way = self.wanted_chi - self.chi;
            // Exactly what was asked for at the end, whatever sums of steps round to.
            let last = way.abs() <= self.most_per_block;
            self.chi = if last { self.wanted_chi } else { self.chi + self.most_per_block.copysign(way) };
            self.rescale();
        }
        self.rng.set_stream(self.next_block);
        self.rng.set_word_pos(0);
        self.next_block += 1;
        self.spectrum.fill(Complex::new(0.0, 0.0));
        if let Some(bins) = self.spectrum.get_mut(self.bins.range()) {
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

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
    fn no_change_of_exponent_is_faster_than_its_slope() {
        let mut colour = Colour::new(2000.0, (0.5, 100.0), 1.0, 3).unwrap();
        colour.set_slope(0.02);
        colour.set_exponent(1.5);
        let (mut x, mut seconds, mut last) = (vec![0f32; 2000], 0.0, 1.0);
        while colour.exponent() < 1.5 {
            colour.fill(&mut x);
            seconds += 1.0;
            // A block begins every 4.1 s, and fades in over as long.
            assert!(colour.exponent() >= last && colour.exponent() - last <= 0.02 * 4.1, "{seconds} s");
            last = colour.exponent();
            assert!(seconds < 60.0);
        }
        assert!((20.0..30.0).contains(&seconds), "0.5 at 0.02/s took {seconds} s");
        colour.restart(2.0);
        assert_eq!(colour.exponent(), 2.0, "at zero amplitude there is nothing to feel");
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

//! The neural timescale: the lag at which the autocorrelation of a window falls to half its peak (ACF-50).
//!
//! Watanabe, Rees & Masuda 2019 (eLife 8:e42256) and the half width of Honey et al. 2012 (Neuron 76:423). The
//! autocorrelation is that of the samples less their mean, with the same divisor at every lag (the biased
//! estimate, statsmodels' `acf(adjusted=False)`), taken by zero-padded transforms; between the two lags around the
//! crossing it is taken as straight.

use std::sync::Arc;

use tras_fft::{Complex, ComplexToReal, RealToComplex};

/// Autocorrelations of windows of one length. Does not allocate after construction.
pub struct Timescale {
    rate_hz: f64,
    len: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
    line: Vec<f64>,
    bins: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
    scratch_back: Vec<Complex<f64>>,
    /// Sum of the channels' autocorrelations, each with a peak of 1.
    sum: Vec<f64>,
    channels: usize,
}

impl Timescale {
    /// For windows of `len` samples at `rate_hz`.
    #[must_use]
    pub fn new(len: usize, rate_hz: f64) -> Self {
        // Twice the length: no lag wraps round.
        let points = (2 * len.max(1)).next_power_of_two();
        let (forward, inverse) = (tras_fft::real_forward(points), tras_fft::real_inverse(points));
        Self {
            rate_hz,
            len,
            line: forward.make_input_vec(),
            bins: forward.make_output_vec(),
            scratch: forward.make_scratch_vec(),
            scratch_back: inverse.make_scratch_vec(),
            sum: vec![0.0; len],
            channels: 0,
            forward,
            inverse,
        }
    }

    /// Begins a new target (a channel or a region).
    pub fn clear(&mut self) {
        self.sum.fill(0.0);
        self.channels = 0;
    }

    /// Adds a channel's window: its autocorrelation, scaled to a peak of 1. A window without variance, of another
    /// length, or with a value that is not finite is left out.
    pub fn add(&mut self, samples: impl Iterator<Item = f64>) {
        self.line.fill(0.0);
        let (mut total, mut count) = (0.0, 0);
        for (slot, sample) in self.line.iter_mut().take(self.len).zip(samples) {
            *slot = sample;
            total += sample;
            count += 1;
        }
        if count < self.len || count == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "windows are far below 2^52 samples")]
        let mean = total / count as f64;
        self.line.iter_mut().take(self.len).for_each(|x| *x -= mean);
        let forward = self.forward.process_with_scratch(&mut self.line, &mut self.bins, &mut self.scratch);
        self.bins.iter_mut().for_each(|bin| *bin = Complex::new(bin.norm_sqr(), 0.0));
        let inverse =
            self.inverse.process_with_scratch(&mut self.bins, &mut self.line, &mut self.scratch_back);
        let peak = self.line.first().copied().unwrap_or(0.0);
        if forward.is_err() || inverse.is_err() || !(peak.is_finite() && peak > 0.0) {
            return;
        }
        for (sum, value) in self.sum.iter_mut().zip(&self.line) {
            *sum += value / peak;
        }
        self.channels += 1;
    }

    /// The lag in seconds at which the mean autocorrelation of the channels first falls to 0.5. NaN where there is no
    /// channel or it never does.
    #[must_use]
    pub fn acf50_s(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "windows are far below 2^52 samples")]
        let half = 0.5 * self.channels as f64;
        if self.channels == 0 {
            return f64::NAN;
        }
        let Some(lag) = self.sum.iter().position(|&value| value <= half) else { return f64::NAN };
        let after = self.sum.get(lag).copied().unwrap_or(f64::NAN);
        let before = lag.checked_sub(1).and_then(|at| self.sum.get(at)).copied().unwrap_or(f64::NAN);
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let crossing = (lag as f64) - (half - after) / (before - after);
        crossing / self.rate_hz
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_cosine_crosses_half_at_a_sixth_of_its_period() {
        // Many whole periods: the biased autocorrelation is (1 - lag / n) cos.
        let (rate_hz, len) = (1000.0, 20_000);
        let mut timescale = Timescale::new(len, rate_hz);
        timescale.add((0..len).map(|n| (std::f64::consts::TAU * 10.0 * n as f64 / rate_hz).cos()));
        assert!((timescale.acf50_s() - 1.0 / 60.0).abs() < 2e-4, "{}", timescale.acf50_s());
    }

    #[test]
    fn what_cannot_have_one_has_none() {
        let mut timescale = Timescale::new(100, 100.0);
        assert!(timescale.acf50_s().is_nan());
        timescale.add((0..100).map(|_| 3.0));
        timescale.add((0..100).map(|n| if n == 7 { f64::NAN } else { f64::from(n) }));
        timescale.add((0..99).map(f64::from));
        assert!(timescale.acf50_s().is_nan());
    }
}

//! Gaussian signals of a known spectrum: a power law and peaks.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rustfft::{FftPlanner, num_complex::Complex};

pub const RATE_HZ: f64 = 250.0;

/// A peak of the simulated signal.
#[derive(Clone, Copy, Debug)]
pub struct Bump {
    pub centre_hz: f64,
    pub sigma_hz: f64,
    pub height_log10: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    Gauss,
    LogGauss,
    Lorentz,
}

impl Bump {
    /// Power relative to the line at the centre frequency.
    pub fn at(&self, f: f64, chi: f64, shape: Shape) -> f64 {
        let z = (f - self.centre_hz) / self.sigma_hz;
        let height = 10f64.powf(self.height_log10) - 1.0;
        match shape {
            Shape::Gauss => height * self.centre_hz.powf(-chi) * (-0.5 * z * z).exp(),
            // Half width at half maximum of the Gaussian.
            Shape::Lorentz => height * self.centre_hz.powf(-chi) / (1.0 + (z / 1.177).powi(2)),
            Shape::LogGauss => {
                f.max(0.1).powf(-chi) * (10f64.powf(self.height_log10 * (-0.5 * z * z).exp()) - 1.0)
            }
        }
    }
}

/// Peaks drawn at random: none, alpha, alpha and theta, or those and beta.
pub fn draw(kind: usize, widest_theta_hz: f64, rng: &mut ChaCha8Rng) -> Vec<Bump> {
    let mut bumps = Vec::new();
    let mut one = |low: f64, high: f64, widest: f64| Bump {
        centre_hz: rng.random_range(low..high),
        sigma_hz: rng.random_range(0.5..widest),
        height_log10: rng.random_range(0.3..1.0),
    };
    if kind >= 1 {
        bumps.push(one(8.0, 13.0, 2.0));
    }
    if kind >= 2 {
        bumps.push(one(4.0, 7.0, widest_theta_hz));
    }
    if kind >= 3 {
        bumps.push(one(15.0, 28.0, 2.0));
    }
    bumps
}

/// A Gaussian series of the given one-sided density.
pub fn series(samples: usize, rng: &mut ChaCha8Rng, density: impl Fn(f64) -> f64) -> Vec<f64> {
    let n = samples.next_power_of_two();
    let mut line = vec![Complex::new(0.0, 0.0); n];
    for i in 1..n / 2 {
        let f = i as f64 * RATE_HZ / n as f64;
        let scale = (density(f) * n as f64 * RATE_HZ / 4.0).sqrt();
        let re: f64 = StandardNormal.sample(rng);
        let im: f64 = StandardNormal.sample(rng);
        line[i] = Complex::new(scale * re, scale * im);
        line[n - i] = line[i].conj();
    }
    FftPlanner::new().plan_fft_inverse(n).process(&mut line);
    line.iter().take(samples).map(|v| v.re / n as f64).collect()
}

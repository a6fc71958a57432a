//! Plans of Fourier transforms, for all that transforms.
//!
//! `rustfft` is generic: whatever crate makes a planner compiles all of it anew, 40 s of a build of 50. Here it is
//! compiled once, and what is handed out are trait objects.

use std::sync::Arc;

use realfft::RealFftPlanner;
use rustfft::FftPlanner;

pub use realfft::{ComplexToReal, RealToComplex, num_complex::Complex};
pub use rustfft::Fft;

/// From `len` real values to `len / 2 + 1` bins, not scaled.
#[must_use]
pub fn real_forward(len: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(len)
}

/// From `len / 2 + 1` bins to `len` real values, not scaled.
#[must_use]
pub fn real_inverse(len: usize) -> Arc<dyn ComplexToReal<f64>> {
    RealFftPlanner::new().plan_fft_inverse(len)
}

/// As [`real_inverse`], in single precision.
#[must_use]
pub fn real_inverse_f32(len: usize) -> Arc<dyn ComplexToReal<f32>> {
    RealFftPlanner::new().plan_fft_inverse(len)
}

/// From `len` complex values to `len` bins, in place, not scaled.
#[must_use]
pub fn forward(len: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_forward(len)
}

/// From `len` bins to `len` complex values, in place, not scaled.
#[must_use]
pub fn inverse(len: usize) -> Arc<dyn Fft<f64>> {
    FftPlanner::new().plan_fft_inverse(len)
}

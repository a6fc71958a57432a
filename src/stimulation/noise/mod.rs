//! Exponent and amplitude in, current samples in mA out.
//!
//! [`colour`] makes Gaussian noise of unit RMS with the spectrum f^-χ, [`soft_limit`] keeps it within three
//! standard deviations, and the amplitude, an [`Envelope`], gives it its milliamperes. [`profile`] says which
//! noise. No clock, no allocation after construction; the same seed gives the same samples.

pub mod bins;
pub mod colour;
pub mod course;
pub mod measure;
pub mod profile;
mod soft_limit;

use crate::{envelope::Envelope, limits::hard};
pub use bins::{Bins, Expected};
pub use colour::Colour;
pub use profile::{Parameters, Profile};
pub use soft_limit::{MEAN_ABS_AFTER_LIMIT, PEAK_SIGMAS, RMS_AFTER_LIMIT, soft_limit};
use soft_limit::{PIECE, SoftLimit};

/// The exponents that a noise may have: least and largest.
pub const EXPONENTS: (f64, f64) = (0.0, 3.0);

/// Refuses an exponent outside [`EXPONENTS`].
fn check_exponent(exponent: f64) -> Result<(), NoiseError> {
    let (least, most) = EXPONENTS;
    if (least..=most).contains(&exponent) { Ok(()) } else { Err(NoiseError::Exponent { exponent }) }
}

/// Why a noise cannot be made.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoiseError {
    /// χ outside its limits.
    #[error("exponent = {exponent}: must lie in {}..{}", EXPONENTS.0, EXPONENTS.1)]
    Exponent { exponent: f64 },
    /// The band does not fit the rate.
    #[error(
        "band = {low_hz},{high_hz} Hz at {rate_hz} samples/s: the low edge must be above 0 and well below the \
         high one, the high edge at most 0.45 of the rate"
    )]
    Band { low_hz: f64, high_hz: f64, rate_hz: f64 },
    /// The band is beyond the hard limits.
    #[error("band = {low_hz},{high_hz} Hz: must lie in 0.1..640 Hz, low edge first")]
    BandLimits { low_hz: f64, high_hz: f64 },
    /// The rate.
    #[error("rate = {rate_hz} samples/s: must be positive, and at most 2^18 periods of the band's low edge")]
    Rate { rate_hz: f64 },
    /// The peak is beyond the hard limit.
    #[error("peak = {peak_ma} mA: must be above 0 and at most 1 mA, the hard limit of the host")]
    Peak { peak_ma: f64 },
    /// No such profile.
    #[error("profile = {name}: must be one of steep, flat, sham")]
    Profile { name: String },
    /// Too many samples beyond three sigma.
    #[error("seed = {seed}: clips {:.2} % of its samples, the limit is 0.5 %; {}", share * 100.0, advice(*better))]
    Seed { seed: u64, share: f64, better: Option<u64> },
}

fn advice(better: Option<u64>) -> String {
    better.map_or_else(
        || "none of the next 50 seeds passes: raise the band's low edge or lower the exponent".to_owned(),
        |seed| format!("seed {seed} passes"),
    )
}

/// The fastest change of the amplitude, in mA/s on average over its raised cosine: as gentle as a ramp of 10 s
/// to the largest peak.
const AMPLITUDE_MA_PER_S: f64 = 0.1;
/// The shortest change of the amplitude, in s.
const AMPLITUDE_LEAST_S: f64 = 1.0;
/// A noise current that never ends; see the module.
pub struct Noise {
    colour: Colour,
    limiter: SoftLimit,
    /// Limited samples in units of the peak; those before `at` are gone. The limiter works in whole pieces, so
    /// that the samples do not depend on how they are asked for.
    ready: [f32; PIECE],
    at: usize,
    peak_ma: Envelope,
    rate_hz: f64,
    samples: u64,
    clipped: u64,
}

impl Noise {
    /// Prepares a noise current at its full amplitude.
    ///
    /// # Errors
    /// Those of [`Parameters::check`] and [`Colour::new`].
    pub fn new(parameters: &Parameters, rate_hz: f64, seed: u64) -> Result<Self, NoiseError> {
        parameters.check()?;
        Ok(Self {
            colour: Colour::new(rate_hz, parameters.band_hz, parameters.exponent, seed)?,
            limiter: SoftLimit::new(rate_hz),
            ready: [0.0; PIECE],
            at: PIECE,
            peak_ma: Envelope::steady(parameters.peak_ma as f32),
            rate_hz,
            samples: 0,
            clipped: 0,
        })
    }

    /// Fills `out` with the next samples in mA. No sample exceeds the peak.
    pub fn fill(&mut self, mut out: &mut [f32]) {
        while !out.is_empty() {
            if self.at >= PIECE {
                self.colour.fill(&mut self.ready);
                self.clipped += u64::from(self.limiter.process(&mut self.ready));
                self.samples += PIECE as u64;
                self.at = 0;
            }
            let ready = self.ready.get(self.at..).unwrap_or_default();
            let n = ready.len().min(out.len());
            let (now, later) = out.split_at_mut(n);
            now.copy_from_slice(ready.get(..n).unwrap_or_default());
            self.peak_ma.apply(now);
            self.at += n;
            out = later;
        }
    }

    /// Another exponent, without a step; see [`Colour::set_exponent`].
    pub fn set_exponent(&mut self, exponent: f64) {
        self.colour.set_exponent(exponent);
    }

    /// The fastest change of the exponent; see [`Colour::set_slope`].
    pub fn set_slope(&mut self, per_s: f64) {
        self.colour.set_slope(per_s);
    }

    /// Another peak, without a step: along a raised cosine at 0.1 mA/s, for at least 1 s. Clamped to 0..1 mA.
    pub fn set_peak_ma(&mut self, peak_ma: f64) {
        if !peak_ma.is_finite() {
            return;
        }
        let to = peak_ma.clamp(0.0, hard::PEAK_MA);
        let way = (to - f64::from(self.peak_ma.value())).abs();
        let seconds = (way / AMPLITUDE_MA_PER_S).max(AMPLITUDE_LEAST_S);
        self.peak_ma.go(to as f32, (seconds * self.rate_hz) as u64);
    }

    /// Exponent and peak at once: for use where the current is zero, because the noise steps.
    pub fn restart(&mut self, exponent: f64, peak_ma: f64) {
        self.colour.restart(exponent);
        self.limiter.reset();
        self.at = PIECE;
        if peak_ma.is_finite() {
            self.peak_ma = Envelope::steady(peak_ma.clamp(0.0, hard::PEAK_MA) as f32);
        }
    }

    /// The source of the noise, for its expected statistics.
    #[must_use]
    pub fn colour(&self) -> &Colour {
        &self.colour
    }

    /// Samples made so far, and how many of them were beyond three sigma before limiting.
    #[must_use]
    pub fn clipped(&self) -> (u64, u64) {
        (self.samples, self.clipped)
    }
}

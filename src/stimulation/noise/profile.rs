//! What kind of noise: steep, flat or sham, and its parameters.
//!
//! In: what a protocol or a configuration says. Out: checked numbers for [`super::Noise`]. None of the
//! exponents here is the study's (it published none): they are this program's own defaults, for a protocol to set.

use super::{Colour, MEAN_ABS_AFTER_LIMIT, NoiseError, PEAK_SIGMAS, RMS_AFTER_LIMIT, check_exponent};
use crate::limits::hard;

/// The widest band, in Hz, by explicit override.
pub const WIDEST_BAND_HZ: (f64, f64) = (0.1, 640.0);
/// The default band, in Hz, the same for all profiles.
pub const DEFAULT_BAND_HZ: (f64, f64) = (0.5, 100.0);
/// A seed whose noise exceeds three sigma in more than this share of its samples is refused.
pub const MAX_CLIPPED_SHARE: f64 = 0.005;

/// The conditions of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A large exponent: slow components dominate.
    Steep,
    /// A small exponent: near white.
    Flat,
    /// The same noise at first, ramped up and down, then zero: see [`super::course`].
    Sham,
}

impl Profile {
    /// All, in the order in which they are listed to a person.
    pub const ALL: [Self; 3] = [Self::Steep, Self::Flat, Self::Sham];

    /// The name in configurations, markers and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steep => "steep",
            Self::Flat => "flat",
            Self::Sham => "sham",
        }
    }

    /// This program's default exponent, not the study's. Sham has the steep one: what is felt in its 30 s.
    #[must_use]
    pub const fn default_exponent(self) -> f64 {
        match self {
            Self::Steep | Self::Sham => 2.0,
            Self::Flat => 0.5,
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = NoiseError;

    fn from_str(name: &str) -> Result<Self, NoiseError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| NoiseError::Profile { name: name.to_owned() })
    }
}

/// A noise current: its spectrum and amplitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameters {
    /// χ: the power spectrum falls as f^-χ inside the band.
    pub exponent: f64,
    /// Low and high edge in Hz.
    pub band_hz: (f64, f64),
    /// Largest |current| in mA; three standard deviations.
    pub peak_ma: f64,
}

impl Parameters {
    /// Checks against the hard limits.
    ///
    /// # Errors
    /// Names the value and its limit.
    pub fn check(&self) -> Result<(), NoiseError> {
        check_exponent(self.exponent)?;
        let (low_hz, high_hz) = self.band_hz;
        let (lowest_hz, highest_hz) = WIDEST_BAND_HZ;
        if !(low_hz >= lowest_hz && low_hz < high_hz && high_hz <= highest_hz) {
            return Err(NoiseError::BandLimits { low_hz, high_hz });
        }
        if !(self.peak_ma > 0.0 && self.peak_ma <= hard::PEAK_MA) {
            return Err(NoiseError::Peak { peak_ma: self.peak_ma });
        }
        Ok(())
    }

    /// Standard deviation before limiting, in mA: the same for every exponent.
    #[must_use]
    pub fn sigma_ma(&self) -> f64 {
        self.peak_ma / PEAK_SIGMAS
    }

    /// Expected RMS after limiting, in mA: the same for every exponent.
    #[must_use]
    pub fn rms_ma(&self) -> f64 {
        self.sigma_ma() * RMS_AFTER_LIMIT
    }

    /// Expected mean |current| after limiting, in mA: the same for every exponent.
    #[must_use]
    pub fn mean_abs_ma(&self) -> f64 {
        self.sigma_ma() * MEAN_ABS_AFTER_LIMIT
    }
}

/// Samples of noise beyond three sigma, out of `samples` from a seed's beginning. A Gaussian has 0.27 % on
/// average, but steep noise has them in few long runs, so that single seeds have far more.
///
/// # Errors
/// Those of [`Colour::new`].
pub fn clipped_samples(
    parameters: &Parameters,
    rate_hz: f64,
    seed: u64,
    samples: u64,
) -> Result<u64, NoiseError> {
    let mut colour = Colour::new(rate_hz, parameters.band_hz, parameters.exponent, seed)?;
    let mut buffer = vec![0f32; 8192];
    let (mut left, mut clipped) = (samples, 0);
    while left > 0 {
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let chunk = buffer.get_mut(..n).unwrap_or_default();
        colour.fill(chunk);
        clipped += chunk.iter().filter(|x| x.abs() > PEAK_SIGMAS as f32).count() as u64;
        left -= n as u64;
    }
    Ok(clipped)
}

/// Refuses a seed that clips more than [`MAX_CLIPPED_SHARE`] of its first `samples` samples, and gives the
/// share of one that passes. Takes about 20 ms for 10 min at 2,000 samples/s: call it before arming.
///
/// # Errors
/// [`NoiseError::Seed`] names the share and the next seed that passes, where one of the next 50 does; or the
/// errors of [`Colour::new`].
pub fn check_seed(parameters: &Parameters, rate_hz: f64, seed: u64, samples: u64) -> Result<f64, NoiseError> {
    let share = |seed| -> Result<f64, NoiseError> {
        Ok(clipped_samples(parameters, rate_hz, seed, samples)? as f64 / samples.max(1) as f64)
    };
    let own = share(seed)?;
    if own <= MAX_CLIPPED_SHARE {
        return Ok(own);
    }
    let mut better = None;
    for other in (1..=50).map(|i| seed.wrapping_add(i)) {
        if share(other)? <= MAX_CLIPPED_SHARE {
            better = Some(other);
            break;
        }
    }
    Err(NoiseError::Seed { seed, share: own, better })
}

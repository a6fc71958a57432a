//! Segments in, power spectra out.
//!
//! [`transform`] turns one segment of one channel into a periodogram, by one taper (Welch, [`taper`]) or several
//! (multitaper, [`dpss`]); [`pool`] keeps the segments of the window and their mean or median; [`shape`] says how
//! many degrees of freedom that mean has.

pub mod dpss;
pub mod pool;
pub mod shape;
pub mod taper;
pub mod transform;

pub use taper::Taper;

/// How a segment becomes a spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// One taper (Welch 1967).
    Welch {
        /// Which.
        taper: Taper,
    },
    /// Several orthogonal tapers for each segment (Thomson 1982): Slepian's, with equal weights.
    Multitaper {
        /// Half the width, in Hz, over which power is smeared.
        half_bandwidth_hz: f64,
        /// How many tapers; `None`: 2 x half bandwidth x segment - 1, all that leak little.
        tapers: Option<usize>,
    },
}

/// How the segments of a window become one spectrum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// The mean, as a running sum: a hop's cost does not depend on the window.
    #[default]
    Mean,
    /// The median, corrected for its bias (Allen et al. 2012, Phys Rev D 85:122006, as scipy does): robust against
    /// a few bad segments, costs time in proportion to the segments in the window, and has about half the
    /// degrees of freedom.
    Median,
}

/// What is taken out of a segment before it is tapered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Detrend {
    /// Nothing.
    None,
    /// The mean.
    #[default]
    Constant,
    /// The least-squares line.
    Linear,
}

/// Segments and their transform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpectrumSettings {
    /// Tapers.
    pub kind: Kind,
    /// Length of a segment in seconds.
    pub segment_s: f64,
    /// Share of a segment that the next one covers again, 0..1.
    pub overlap: f64,
    /// Mean or median.
    pub average: Average,
    /// What is taken out.
    pub detrend: Detrend,
    /// Transform the changes from sample to sample, and divide the periodogram by what taking them does to each
    /// frequency: what is steep, drifts or steps hardly leaks out of its own bins (prewhitening; Percival and Walden
    /// 1993, section 6.5).
    pub whiten: bool,
    /// Bins above this are not kept.
    pub max_hz: f64,
}

impl Default for SpectrumSettings {
    /// Welch, 1 s Hann, half overlap, as the tRAS study's estimates were made.
    fn default() -> Self {
        Self {
            kind: Kind::Welch { taper: Taper::Hann },
            segment_s: 1.0,
            overlap: 0.5,
            average: Average::Mean,
            detrend: Detrend::Constant,
            whiten: false,
            max_hz: 100.0,
        }
    }
}

/// What taking the changes from sample to sample does to the power at `freq_hz`.
#[must_use]
pub fn whitening(freq_hz: f64, rate_hz: f64) -> f64 {
    4.0 * (std::f64::consts::PI * freq_hz / rate_hz).sin().powi(2)
}

/// Mains frequency: its bins and those of its harmonics are no EEG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineNoise {
    /// 50 or 60.
    pub mains_hz: f64,
    /// How far from the mains and each harmonic bins are left out; at least the taper's half width.
    pub half_width_hz: f64,
}

impl LineNoise {
    /// Whether a bin at `freq_hz` is left out.
    #[must_use]
    pub fn covers(&self, freq_hz: f64) -> bool {
        let harmonic = (freq_hz / self.mains_hz).round().max(1.0);
        (freq_hz - harmonic * self.mains_hz).abs() <= self.half_width_hz
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonics_are_covered_and_dc_is_not() {
        let noise = LineNoise { mains_hz: 50.0, half_width_hz: 1.0 };
        for (freq_hz, covered) in
            [(0.0, false), (48.9, false), (49.0, true), (51.0, true), (100.5, true), (75.0, false)]
        {
            assert_eq!(noise.covers(freq_hz), covered, "{freq_hz} Hz");
        }
    }
}

//! How exponents are estimated: what a user decides, as plain data.
//!
//! In: whatever reads a configuration fills [`Settings`] in. Out: [`crate::assemble`] makes of it what runs.
//! Each choice exists once in this crate: [`Mode`] beside its lines, [`Average`] and
//! [`Detrend`] beside the spectrum that they shape.

use serde::{Serialize, Serializer};

use crate::specparam::Mode;
use crate::spectrum::{Average, Detrend};

/// Which method fits the spectrum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MethodName {
    /// The algorithm of fooof 1.1.1.
    Specparam,
    /// Maximum likelihood.
    Whittle,
}

impl MethodName {
    /// As a file writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Specparam => "specparam",
            Self::Whittle => "whittle",
        }
    }
}

/// Channels whose spectra are averaged before the fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// How screens, streams and files call it.
    pub name: String,
    /// Channel labels; empty means every chosen channel.
    pub channels: Vec<String>,
}

/// How exponents are estimated. The defaults are the settings of the tRAS working-memory study (fixed mode,
/// 2..35 Hz, 12 peaks of 1..8 Hz, height 0.05, threshold 2) on Welch segments of 1 s, Hann, half overlap, which is
/// where specparam comes closest to the statistical bound at these settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Which method fits the spectrum.
    pub method: MethodName,
    /// The shape of the aperiodic part.
    pub mode: Mode,
    /// Fit range, low and high, in Hz.
    pub range_hz: [f64; 2],
    /// Length of the window, in s.
    pub window_s: f64,
    /// From one estimate to the next, in s.
    pub hop_s: f64,
    /// Length of a Welch segment, in s.
    pub segment_s: f64,
    /// Share of a segment that the next one repeats, 0..0.95.
    pub overlap: f64,
    /// How segments are joined.
    pub average: Average,
    /// What is removed from a segment before its transform.
    pub detrend: Detrend,
    /// Most peaks in a fit.
    pub max_peaks: u32,
    /// Narrowest and widest peak, in Hz (two standard deviations).
    pub peak_width_hz: [f64; 2],
    /// Least height of a peak above the aperiodic line, in log10 power.
    pub min_peak_height: f64,
    /// Least height of a peak, in standard deviations of the flattened spectrum.
    pub peak_threshold: f64,
    /// Mains frequency whose bins are left out, 50 or 60 Hz; 0 leaves none out.
    #[serde(serialize_with = "whole")]
    pub line_hz: f64,
    /// Least R² of a valid fit; none accepts any, as the references do.
    pub min_r_squared: Option<f64>,
    /// Share of a window's segments that must be clean, 0..1.
    pub min_segments_share: f64,
    /// How long a method may remember where the peaks are, in s; 0 forgets at once.
    pub memory_s: f64,
    /// Where estimates are taken; never empty (`all` of every channel by default).
    pub regions: Vec<Region>,
    /// Estimate each channel as well as the regions.
    pub each_channel: bool,
    /// The region whose estimate steers.
    pub steer: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn whole<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    #[allow(clippy::cast_possible_truncation, reason = "0, 50 or 60")]
    serializer.serialize_i64(*value as i64)
}

impl Settings {
    /// From one segment's start to the next one's, in s.
    #[must_use]
    pub fn segment_step_s(&self) -> f64 {
        self.segment_s * (1.0 - self.overlap)
    }

    /// Index of the steering region in [`Settings::regions`].
    #[must_use]
    pub fn steering_region(&self) -> usize {
        self.regions.iter().position(|region| region.name == self.steer).unwrap_or(0)
    }
}

//! How exponents are estimated: what a user decides, as plain data.
//!
//! In: whatever reads a configuration fills [`Settings`] in. Out: [`crate::assemble`] makes of it what runs.
//! Each choice exists once in this crate: [`Mode`] beside its lines, [`Average`] and
//! [`Detrend`] beside the spectrum that they shape.

use serde::{Serialize, Serializer};

use crate::assemble::best_segments;
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

/// Whether the aperiodic line bends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A straight line in log-log.
    #[default]
    Fixed,
    /// A line that bends at a knee.
    Knee,
    /// Either, by the evidence of the last minute, or both where that is marginal (`whittle`).
    Auto,
}

/// What becomes of a straight line's exponent where the spectrum bends (`whittle`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bent {
    /// It is not valid.
    #[default]
    Hold,
    /// It is valid, a descriptive slope.
    Steer,
    /// The same, and each is marked.
    Warn,
}

/// Whether white noise under the spectrum is looked for (`whittle`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Floor {
    /// Where the last minute asks for it.
    #[default]
    Auto,
    /// Never.
    None,
}

/// What becomes of windows in which current flowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DuringCurrent {
    /// They are not valid.
    Hide,
    /// The current's artefact is removed, and what is left is estimated, with what is proven of it. It never steers.
    #[default]
    Show,
    /// The same, and what is proven steers, under a certificate that the session's own first block has confirmed.
    Steer,
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
    /// What becomes of a straight line's exponent where the spectrum bends.
    pub bent: Bent,
    /// Whether a floor is looked for.
    pub floor: Floor,
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
    /// What becomes of windows under current.
    pub during_current: DuringCurrent,
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
    /// The defaults for `method` on windows of `window_s` every `hop_s` over `range_hz`: on the segments that serve
    /// it best.
    #[must_use]
    pub fn for_windows(method: MethodName, window_s: f64, hop_s: f64, range_hz: [f64; 2]) -> Self {
        let (segment_s, overlap) = best_segments(method, window_s, range_hz);
        Self {
            method,
            mode: Mode::Fixed,
            bent: Bent::Hold,
            floor: Floor::Auto,
            range_hz,
            window_s,
            hop_s,
            segment_s,
            overlap,
            average: Average::Mean,
            detrend: Detrend::Constant,
            max_peaks: 12,
            peak_width_hz: [1.0, 8.0],
            min_peak_height: 0.05,
            peak_threshold: 2.0,
            line_hz: 50.0,
            min_r_squared: None,
            min_segments_share: 0.5,
            during_current: DuringCurrent::default(),
            // Peaks of a minute ago are still there: what whittle may start from.
            memory_s: 60.0,
            regions: vec![Region { name: "all".to_owned(), channels: Vec::new() }],
            each_channel: false,
            steer: "all".to_owned(),
        }
    }

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

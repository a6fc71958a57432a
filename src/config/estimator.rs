//! `[estimator]`: window, spectrum, fit, and where the estimates are taken.

use serde::{Serialize, Serializer};

use super::section::{Section, within};
use crate::estimator::{MAX_PEAKS, build::best_segments};

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

/// The shape of the aperiodic part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A straight line in log-log.
    Fixed,
    /// A line that bends at a knee.
    Knee,
}

/// How the segments of a window are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Average {
    /// Mean power of each bin.
    Mean,
    /// Median power of each bin, corrected for its bias.
    Median,
}

/// What is removed from a segment before its transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Detrend {
    /// The mean.
    Constant,
    /// The least-squares line.
    Linear,
    /// Nothing.
    None,
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
pub struct Estimator {
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

impl Estimator {
    /// From one segment's start to the next one's, in s.
    #[must_use]
    pub fn segment_step_s(&self) -> f64 {
        self.segment_s * (1.0 - self.overlap)
    }

    /// Index of the steering region in [`Estimator::regions`].
    #[must_use]
    pub fn steering_region(&self) -> usize {
        self.regions.iter().position(|region| region.name == self.steer).unwrap_or(0)
    }

    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let methods = [("specparam", MethodName::Specparam), ("whittle", MethodName::Whittle)];
        let detrends =
            [("constant", Detrend::Constant), ("linear", Detrend::Linear), ("none", Detrend::None)];
        let most_peaks = u32::try_from(MAX_PEAKS).unwrap_or(16);
        let method = s.choice("method", MethodName::Specparam, &methods);
        let window_s = s.number("window_s", 4.0, within(0.5, 120.0, "s"));
        let hop_s = s.number("hop_s", 0.5, within(0.01, 60.0, "s"));
        let (segment_s, mut overlap) = best_segments(method, window_s, hop_s);
        if s.is_set("segment_s") {
            overlap = 0.5;
        }
        let mut estimator = Self {
            method,
            mode: s.choice("mode", Mode::Fixed, &[("fixed", Mode::Fixed), ("knee", Mode::Knee)]),
            range_hz: s.pair("range_hz", [2.0, 35.0], within(0.1, 500.0, "Hz")),
            window_s,
            hop_s,
            segment_s: s.number("segment_s", segment_s, within(0.1, 60.0, "s")),
            overlap: s.number("overlap", overlap, within(0.0, 0.95, "")),
            average: s.choice(
                "average",
                Average::Mean,
                &[("mean", Average::Mean), ("median", Average::Median)],
            ),
            detrend: s.choice("detrend", Detrend::Constant, &detrends),
            max_peaks: s.count("max_peaks", 12, 0, most_peaks),
            peak_width_hz: s.pair("peak_width_hz", [1.0, 8.0], within(0.05, 100.0, "Hz")),
            min_peak_height: s.number("min_peak_height", 0.05, within(0.0, 10.0, "log10 power")),
            peak_threshold: s.number("peak_threshold", 2.0, within(0.0, 100.0, "sd")),
            line_hz: read_line(s, 50.0),
            min_r_squared: s.number_opt("min_r_squared", within(0.0, 1.0, "")),
            min_segments_share: s.number("min_segments_share", 0.5, within(0.01, 1.0, "")),
            // Peaks of a minute ago are still there: what whittle may start from.
            memory_s: s.number("memory_s", 60.0, within(0.0, 600.0, "s")),
            regions: s.tables(
                "regions",
                "[{ name = \"frontal\", channels = [\"Fz\", \"F3\"] }]",
                read_region,
            ),
            each_channel: s.flag("each_channel", false),
            steer: s.text("steer").unwrap_or_default(),
        };
        if !s.is_set("regions") {
            estimator.regions = vec![Region { name: "all".to_owned(), channels: Vec::new() }];
        } else if estimator.regions.is_empty() {
            s.problem(
                "regions",
                "the list is empty",
                "name a region, or leave the key out for one of all channels",
            );
        }
        if estimator.steer.is_empty() {
            estimator.steer = estimator.regions.first().map(|region| region.name.clone()).unwrap_or_default();
        }
        s.done();
        estimator
    }
}

fn read_region(s: &mut Section<'_, '_, '_>) -> Region {
    let region = Region { name: s.text("name").unwrap_or_default(), channels: s.texts("channels") };
    if !s.is_set("name") {
        s.problem("name", "is missing", "give the region a name");
    }
    region
}

/// `line_hz` of this section: 50, 60 or 0.
pub(super) fn read_line(s: &mut Section<'_, '_, '_>, default: f64) -> f64 {
    let value = s.number("line_hz", default, within(0.0, 60.0, "Hz"));
    if value != 0.0 && value != 50.0 && value != 60.0 {
        s.problem("line_hz", format!("{value} Hz is no mains frequency"), "set 50, 60, or 0 for none");
        return default;
    }
    value
}

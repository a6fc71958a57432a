//! What an estimator is made from, and the sample counts that follow.

use super::steps::Steps;
use crate::artefact::ArtefactSettings;
use crate::spectrum::SpectrumSettings;
use crate::{Fit, Reason};

/// What is estimated: a channel, or a region of interest.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Name of the channel or region.
    pub name: String,
    /// Indices among the chosen channels.
    pub channels: Vec<usize>,
    /// How a region's channels become one number.
    pub mean: RegionMean,
}

/// How a region's channels become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegionMean {
    /// Mean of the spectra of the unspoilt channels, one fit: less noise; strong channels weigh more.
    #[default]
    Spectra,
    /// A fit for each channel, mean of the valid ones: every channel weighs the same.
    Fits,
}

/// Settings of an estimator.
#[derive(Clone, Debug, PartialEq)]
pub struct EstimatorSettings {
    /// Length of the window in seconds.
    pub window_s: f64,
    /// From one estimate to the next, in seconds.
    pub hop_s: f64,
    /// Segments and their transform.
    pub spectrum: SpectrumSettings,
    /// What is estimated.
    pub targets: Vec<Target>,
    /// Least share of a window's segments, and of a region's channels, that must be unspoilt.
    pub min_good_fraction: f64,
    /// Segments are judged by these; `None`: only what acquisition marks is left out.
    pub artefact: Option<ArtefactSettings>,
    /// A fit with a lower R^2 is invalid.
    pub min_r_squared: Option<f64>,
    /// A fit with an exponent outside is invalid.
    pub exponent_range: (f64, f64),
    /// Estimates of data older than this, in seconds, are invalid.
    pub max_age_s: Option<f64>,
    /// The method's fit range in Hz, for the warnings.
    pub fit_range_hz: Option<(f64, f64)>,
    /// Corners of the filters that the amplifier or acquisition applies (high-pass, low-pass) in Hz, where known.
    pub filter_corners_hz: (Option<f64>, Option<f64>),
}

impl Default for EstimatorSettings {
    /// 4 s windows, 10 estimates a second, on the default spectrum. No targets.
    fn default() -> Self {
        Self {
            window_s: 4.0,
            hop_s: 0.1,
            spectrum: SpectrumSettings::default(),
            targets: Vec::new(),
            min_good_fraction: 0.5,
            artefact: Some(ArtefactSettings::default()),
            min_r_squared: None,
            // Scalp EEG lies within 0 and 3; beyond this it is an artefact's spectrum.
            exponent_range: (-1.0, 5.0),
            max_age_s: None,
            fit_range_hz: None,
            filter_corners_hz: (None, None),
        }
    }
}

impl EstimatorSettings {
    /// A target for each of the named channels.
    #[must_use]
    pub fn each_channel<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Vec<Target> {
        let target = |(channel, name): (usize, S)| Target {
            name: name.into(),
            channels: vec![channel],
            mean: RegionMean::Spectra,
        };
        names.into_iter().enumerate().map(target).collect()
    }

    pub(super) fn wanted(&self, channel_count: usize) -> Vec<bool> {
        (0..channel_count).map(|c| self.targets.iter().any(|target| target.channels.contains(&c))).collect()
    }

    /// How many series of spectra the method sees: it may remember something about each.
    pub(super) fn memories(&self) -> usize {
        self.first_memory(self.targets.len())
    }

    /// The first of `target`'s series.
    pub(super) fn first_memory(&self, target: usize) -> usize {
        let series = |target: &Target| match target.mean {
            RegionMean::Spectra => 1,
            RegionMean::Fits => target.channels.len(),
        };
        self.targets.iter().take(target).map(series).sum()
    }

    /// Marks a valid fit that breaks a limit of these settings.
    pub(super) fn gate(&self, fit: &mut Fit) {
        if fit.invalid.is_some() {
            return;
        }
        let (low, high) = self.exponent_range;
        if !(fit.exponent >= low && fit.exponent <= high) {
            fit.invalid = Some(Reason::OutOfRange);
        } else if self.min_r_squared.is_some_and(|least| fit.r_squared.is_nan() || fit.r_squared < least) {
            fit.invalid = Some(Reason::PoorFit);
        }
    }

    pub(super) fn warnings(&self, timing: &Timing, rate_hz: f64) -> Vec<String> {
        let mut warnings: Vec<String> = timing.told.iter().cloned().collect();
        #[expect(clippy::cast_precision_loss, reason = "sample counts are small")]
        let unused_s = (timing.window - timing.segment - (timing.depth - 1) * timing.step) as f64 / rate_hz;
        if unused_s > 0.0 {
            warnings.push(format!(
                "the window's first {unused_s:.3} s are in no segment: make (window - segment) a multiple of the \
                 segment step"
            ));
        }
        if let Some((low_hz, high_hz)) = self.fit_range_hz {
            let (high_pass, low_pass) = self.filter_corners_hz;
            if let Some(corner_hz) = high_pass.filter(|corner| *corner >= low_hz) {
                warnings.push(format!(
                    "the high-pass corner at {corner_hz} Hz lies inside the fit range from {low_hz} Hz: the exponent \
                     will be too low"
                ));
            }
            if let Some(corner_hz) = low_pass.filter(|corner| *corner <= high_hz) {
                warnings.push(format!(
                    "the low-pass corner at {corner_hz} Hz lies inside the fit range to {high_hz} Hz: the exponent \
                     will be too high"
                ));
            }
            if high_hz > self.spectrum.max_hz.min(rate_hz / 2.0) {
                warnings.push(format!(
                    "the fit range ends at {high_hz} Hz but the spectrum at {} Hz",
                    self.spectrum.max_hz.min(rate_hz / 2.0)
                ));
            }
        }
        warnings
    }
}

/// Everything in samples.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    pub(super) window: usize,
    pub(super) hop: usize,
    pub(super) segment: usize,
    /// From one segment of a window to the next.
    pub(super) step: usize,
    /// From one segment that is transformed to the next.
    pub(super) grid: usize,
    /// Segments on the grid in a step.
    pub(super) phases: usize,
    /// Segments in a window.
    pub(super) depth: usize,
    /// What was taken, where it is not what was asked for.
    told: Option<String>,
}

impl Timing {
    pub(super) fn new(settings: &EstimatorSettings, rate_hz: f64, channels: usize) -> Result<Self, String> {
        if !(rate_hz > 0.0 && rate_hz.is_finite()) {
            return Err(format!("rate {rate_hz} Hz: a stream without a regular rate has no spectrum"));
        }
        let spectrum = &settings.spectrum;
        if !(0.0..1.0).contains(&spectrum.overlap) {
            return Err(format!("overlap {}: must be at least 0 and below 1", spectrum.overlap));
        }
        let step_s = spectrum.segment_s * (1.0 - spectrum.overlap);
        let steps = Steps::new(settings.window_s, settings.hop_s, spectrum.segment_s, step_s, rate_hz)?;
        let Steps { window, hop, segment, step, depth, .. } = steps;
        if segment < 8 {
            return Err(format!(
                "segment of {} s is only {segment} samples at {rate_hz} Hz",
                spectrum.segment_s
            ));
        }
        let small = hop.min(step);
        let grid = if depth > 1 { small } else { hop };
        let phases = if depth > 1 && hop < step { step / hop } else { 1 };
        check_targets(settings, channels)?;
        if !(settings.min_good_fraction > 0.0 && settings.min_good_fraction <= 1.0) {
            let given = settings.min_good_fraction;
            return Err(format!("least share of good segments {given}: must be above 0 and at most 1"));
        }
        Ok(Self { window, hop, segment, step, grid, phases, depth, told: steps.told(rate_hz) })
    }

    /// Bin centres from 0 to `max_hz` or the Nyquist frequency.
    pub(super) fn frequencies(&self, rate_hz: f64, max_hz: f64) -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "sample counts are small")]
        let (bin, len) = (|k: usize| k as f64 * rate_hz / self.segment as f64, self.segment);
        (0..=len / 2).map(bin).take_while(|f| *f <= max_hz + 1e-9).collect()
    }
}

fn check_targets(settings: &EstimatorSettings, channels: usize) -> Result<(), String> {
    if settings.targets.is_empty() {
        return Err("nothing to estimate: name at least one channel or region".into());
    }
    for target in &settings.targets {
        if target.channels.is_empty() {
            return Err(format!("region {:?} has no channels", target.name));
        }
        if let Some(channel) = target.channels.iter().find(|channel| **channel >= channels) {
            return Err(format!("{:?} wants channel {channel} of {channels} (counted from 0)", target.name));
        }
    }
    Ok(())
}

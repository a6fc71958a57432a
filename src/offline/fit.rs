//! Fits spectra that were made elsewhere, one record a spectrum.
//!
//! `whittle` has to know how a spectrum scatters and how its taper smears: how many segments are in the mean, how much
//! they overlap, and their taper. The length of a segment is taken to be 1 / (frequency step), that is without zero
//! padding. Where the segments are not known it does not guess: its records are invalid and say so.

use serde::Serialize;

use super::spectra::Spectra;
use crate::config::MethodName;
use crate::estimator::settings;
use crate::estimator::specparam::{self, Specparam, SpecparamSettings};
use crate::estimator::spectrum::{Taper, shape::Overlap};
use crate::estimator::whittle::{Settings as WhittleSettings, Whittle, design::Design};
use crate::estimator::{Fit, Method, Peak, Spectrum};

/// Why `whittle` cannot say anything about a spectrum of unknown making.
pub const UNKNOWN_MAKING: &str =
    "whittle needs to know how the spectrum was made: give --segments or --window";

/// How the spectra were made, as far as `whittle` is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Making {
    /// Segments in the mean.
    pub segments: usize,
    /// Share of a segment that the next one repeats, 0..1.
    pub overlap: f64,
    /// Of a segment.
    pub taper: TaperChoice,
}

/// The tapers of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaperChoice {
    /// One.
    Single(Taper),
    /// So many sine tapers.
    Sine(usize),
}

impl TaperChoice {
    /// `hann`, `hamming`, `blackman`, `boxcar` or `sine:5`.
    ///
    /// # Errors
    /// Says what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "hann" => Ok(Self::Single(Taper::Hann)),
            "hamming" => Ok(Self::Single(Taper::Hamming)),
            "blackman" => Ok(Self::Single(Taper::Blackman)),
            "boxcar" => Ok(Self::Single(Taper::Boxcar)),
            other => match other.strip_prefix("sine:").and_then(|count| count.parse().ok()) {
                Some(count @ 1..=64) => Ok(Self::Sine(count)),
                _ => Err("expected hann, hamming, blackman, boxcar, or sine:K with K from 1 to 64".into()),
            },
        }
    }
}

/// What is fitted, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct FitSettings {
    /// Which method.
    pub method: MethodName,
    /// Whether the line bends.
    pub mode: settings::Mode,
    /// `specparam`'s; `whittle` takes its range.
    pub specparam: SpecparamSettings,
    /// For `whittle`; `None`: not known.
    pub making: Option<Making>,
}

/// A peak, in specparam's words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PeakRecord {
    /// Centre frequency in Hz.
    pub cf: f64,
    /// Height above the aperiodic line in log10 power.
    pub pw: f64,
    /// Two standard deviations, in Hz.
    pub bw: f64,
}

impl From<&Peak> for PeakRecord {
    fn from(peak: &Peak) -> Self {
        Self { cf: peak.centre_hz, pw: peak.power_log10, bw: peak.bandwidth_hz }
    }
}

/// One spectrum's result; numbers that are not known are NaN, `null` in JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FitRecord {
    /// The file, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The spectrum's name.
    pub name: String,
    /// Aperiodic exponent.
    pub exponent: f64,
    /// log10 power at 1 Hz of the aperiodic line.
    pub offset: f64,
    /// In knee mode alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knee: Option<f64>,
    /// Standard error of the exponent, where the method has one.
    pub exponent_se: f64,
    /// Squared correlation of model and spectrum, in log10 power.
    pub r_squared: f64,
    /// Mean absolute error of the model, in log10 power.
    pub mae: f64,
    /// By frequency.
    pub peaks: Vec<PeakRecord>,
    /// Whether the fit may be used.
    pub valid: bool,
    /// Why not.
    pub reason: Option<String>,
    /// R squared for as many parameters as the model has.
    pub adjusted_r_squared: f64,
    /// Median absolute error of the model, in log10 power.
    pub median_error: f64,
    /// The knee's frequency: knee^(1/exponent).
    pub knee_hz: f64,
    /// ln of how much likelier a bent line is than a straight one (`whittle`).
    pub bend_evidence: f64,
    /// log10 power of the aperiodic line at the range's geometric mean.
    pub pivot_offset: f64,
    /// The exponent below the knee, for a line of two exponents alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exponent0: Option<f64>,
}

impl FitRecord {
    fn new(name: &str, fit: &Fit, mode: specparam::Mode, reason: Option<&str>) -> Self {
        let reason = reason.or(fit.invalid.map(crate::estimator::Reason::as_str));
        Self {
            file: None,
            name: name.to_owned(),
            exponent: fit.exponent,
            offset: fit.offset,
            knee: (mode != specparam::Mode::Fixed).then_some(fit.knee.unwrap_or(f64::NAN)),
            exponent_se: fit.exponent_se,
            r_squared: fit.r_squared,
            mae: fit.mae,
            peaks: fit.peaks.as_slice().iter().map(PeakRecord::from).collect(),
            valid: reason.is_none(),
            reason: reason.map(str::to_owned),
            adjusted_r_squared: fit.adjusted_r_squared,
            median_error: fit.median_error,
            knee_hz: fit.knee_hz,
            bend_evidence: fit.bend_evidence,
            pivot_offset: fit.pivot_offset,
            exponent0: (mode == specparam::Mode::Doublexp).then_some(fit.exponent0.unwrap_or(f64::NAN)),
        }
    }
}

/// Fits every spectrum and hands its record to `each`, in the file's order.
///
/// # Errors
/// Where the settings cannot be fitted with, or `each` fails.
pub fn fit_all(
    spectra: &Spectra,
    settings: &FitSettings,
    mut each: impl FnMut(FitRecord) -> Result<(), String>,
) -> Result<(), String> {
    let mode = settings.specparam.mode;
    let mut method: Box<dyn Method> = match (settings.method, &settings.making) {
        (MethodName::Specparam, _) => Box::new(Specparam::new(settings.specparam.clone())?),
        (MethodName::Whittle, Some(making)) => Box::new(whittle(spectra, settings, making)),
        (MethodName::Whittle, None) => {
            let nothing = Fit::failed(crate::estimator::Reason::BadSpectrum);
            for (name, _) in &spectra.columns {
                each(FitRecord::new(name, &nothing, mode, Some(UNKNOWN_MAKING)))?;
            }
            return Ok(());
        }
    };
    let (segments, gamma_shape) = match &settings.making {
        Some(making) => {
            let design = design(spectra, making);
            let overlap = Overlap::new(&unit(&design.tapers), design.step_samples);
            (making.segments, overlap.mean_shape((0..making.segments).map(|_| true)))
        }
        None => (1, 1.0),
    };
    for (name, power) in &spectra.columns {
        let spectrum = Spectrum { freqs_hz: &spectra.freqs_hz, power, segments, gamma_shape };
        // Each spectrum by itself: the columns of a table need not be of one person.
        method.reset();
        each(FitRecord::new(name, &method.fit(&spectrum, 0), mode, None))?;
    }
    Ok(())
}

fn whittle(spectra: &Spectra, settings: &FitSettings, making: &Making) -> Whittle {
    let segment_s = 1.0 / spectra.step_hz();
    #[expect(clippy::cast_precision_loss, reason = "segments are few")]
    let window_s = segment_s * (1.0 + (making.segments - 1) as f64 * (1.0 - making.overlap));
    let method = WhittleSettings {
        range_hz: settings.specparam.range_hz,
        memory_s: 0.0,
        mode: settings.mode,
        hop_s: window_s,
        window_s,
        ..WhittleSettings::default()
    };
    Whittle::new(method, &design(spectra, making), &spectra.freqs_hz, 1)
}

/// A sampling rate of four times the highest frequency stands in for the true one, which a table does not hold: it
/// only has to be high enough that nothing folds back into the range.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bins are few"
)]
fn design(spectra: &Spectra, making: &Making) -> Design {
    let top_hz = spectra.freqs_hz.last().copied().unwrap_or(1.0);
    let step_hz = spectra.step_hz();
    let samples = ((4.0 * top_hz / step_hz).round() as usize).max(8);
    let rate_hz = samples as f64 * step_hz;
    let step_samples = ((samples as f64 * (1.0 - making.overlap)).round() as usize).max(1);
    match making.taper {
        TaperChoice::Sine(count) => Design::sine(rate_hz, samples, count, step_samples, making.segments),
        TaperChoice::Single(taper) => Design {
            sample_rate_hz: rate_hz,
            tapers: vec![taper.values(samples)],
            step_samples,
            segments: making.segments,
            whiten: false,
        },
    }
}

fn unit(tapers: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let scale = |taper: &Vec<f64>| {
        let energy = taper.iter().map(|v| v * v).sum::<f64>().sqrt();
        taper.iter().map(|v| v / energy).collect()
    };
    tapers.iter().map(scale).collect()
}

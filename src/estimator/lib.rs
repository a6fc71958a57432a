#![doc = include_str!("README.md")]
//!
//! # Rooms
//! Frames in, aperiodic exponents out.
//!
//! [`window`] gathers frames into segments that never span a gap, [`spectrum`] transforms each segment once,
//! and a [`Method`] fits the mean of the segments in the window. [`artefact`] says which segments are spoilt.
//! No threads, no clock, no allocation after construction.

#![warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods, clippy::disallowed_types)]

pub mod artefact;
pub mod assemble;
pub mod bands;
pub mod frame;
mod lanes;
pub mod peaks;
pub mod settings;
pub mod specparam;
pub mod spectrum;
pub mod through_current;
pub mod timescale;
pub mod tracking;
pub mod whittle;
pub mod window;

/// The most peaks that a fit reports.
pub const MAX_PEAKS: usize = 32;

/// An oscillatory peak above the aperiodic line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Peak {
    /// Centre frequency in Hz.
    pub centre_hz: f64,
    /// Height above the aperiodic line in log10 power.
    pub power_log10: f64,
    /// Width: two standard deviations, in Hz (specparam's convention).
    pub bandwidth_hz: f64,
}

/// Up to [`MAX_PEAKS`] peaks, without allocation.
#[derive(Clone, Copy, Default, PartialEq)]
pub struct Peaks {
    peaks: [Peak; MAX_PEAKS],
    len: u8,
}

impl Peaks {
    /// The peaks, by frequency.
    #[must_use]
    pub fn as_slice(&self) -> &[Peak] {
        self.peaks.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Adds a peak; one too many is left out and `false` returned.
    pub fn push(&mut self, peak: Peak) -> bool {
        let Some(slot) = self.peaks.get_mut(usize::from(self.len)) else {
            return false;
        };
        *slot = peak;
        self.len += 1;
        true
    }

    /// Orders the peaks by centre frequency.
    pub fn sort(&mut self) {
        let len = usize::from(self.len);
        if let Some(peaks) = self.peaks.get_mut(..len) {
            peaks.sort_unstable_by(|a, b| a.centre_hz.total_cmp(&b.centre_hz));
        }
    }
}

impl std::fmt::Debug for Peaks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// A power spectrum: the mean over the good segments of a window.
#[derive(Clone, Copy, Debug)]
pub struct Spectrum<'a> {
    /// Bin centres in Hz, ascending, evenly spaced, DC may be the first.
    pub freqs_hz: &'a [f64],
    /// One-sided density in uV^2/Hz, as long as `freqs_hz`.
    pub power: &'a [f64],
    /// Segments that are in the mean.
    pub segments: usize,
    /// Equivalent degrees of freedom of a bin / 2: the shape of its gamma distribution.
    pub gamma_shape: f64,
}

/// Why an estimate must not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not one whole window since the start, a gap or a jump.
    Filling,
    /// Too many segments are spoilt; how many are left stands beside it in the estimate.
    TooFewSegments,
    /// A bin of the fit range has no power or is not finite.
    BadSpectrum,
    /// The least-squares or likelihood iteration did not converge.
    NotConverged,
    /// The model does not describe the spectrum.
    PoorFit,
    /// The spectrum bends, and a straight line was fitted.
    Bent,
    /// The exponent is outside what an EEG can have.
    OutOfRange,
    /// The stamps have not settled.
    Unsettled,
    /// The data are older than `max_age_s`.
    Stale,
}

impl Reason {
    /// A short phrase for tables and screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filling => "filling",
            Self::TooFewSegments => "too few clean segments",
            Self::BadSpectrum => "bad spectrum",
            Self::NotConverged => "not converged",
            Self::PoorFit => "poor fit",
            Self::Bent => "bent",
            Self::OutOfRange => "exponent out of range",
            Self::Unsettled => "stamps unsettled",
            Self::Stale => "stale data",
        }
    }
}

/// What a method makes of one spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Aperiodic exponent: power falls as f^-exponent. NaN where the fit failed.
    pub exponent: f64,
    /// Standard error of the exponent; NaN where the method has none.
    pub exponent_se: f64,
    /// log10 power at 1 Hz of the aperiodic line (specparam's offset).
    pub offset: f64,
    /// Knee parameter, `None` in fixed mode.
    pub knee: Option<f64>,
    /// The exponent below the knee where the line has two: there power falls as f^-exponent0, above it as
    /// f^-(exponent0 + exponent).
    pub exponent0: Option<f64>,
    /// Squared correlation of model and spectrum, in log10 power.
    pub r_squared: f64,
    /// Mean absolute error of the model, in log10 power.
    pub mae: f64,
    /// R squared for as many parameters as the model has (Ezekiel 1930): 1 - (1 - R²)(n - 1)/(n - p - 1).
    pub adjusted_r_squared: f64,
    /// Median absolute error of the model, in log10 power.
    pub median_error: f64,
    /// Where level and exponent are all but uncorrelated, in Hz; NaN where the method has no such place.
    pub pivot_hz: f64,
    /// log10 power of the aperiodic line there: an offset that does not move with the exponent.
    pub pivot_offset: f64,
    /// The knee's frequency, knee^(1/exponent), and its standard error, in Hz; NaN where there is none.
    pub knee_hz: f64,
    /// See `knee_hz`.
    pub knee_se: f64,
    /// White noise under the spectrum: root mean square over the whole band, in uV; 0 where none was found, NaN where
    /// the method looks for none.
    pub floor_uv: f64,
    /// ln of how much likelier a line with a knee is than a straight one, both with peaks; NaN where it is not known.
    pub bend_evidence: f64,
    /// Peaks, by frequency.
    pub peaks: Peaks,
    /// `None` where the fit may be used.
    pub invalid: Option<Reason>,
    /// What to bear in mind where it may.
    pub caution: Option<Reason>,
}

impl Fit {
    /// A fit that failed.
    #[must_use]
    pub fn failed(reason: Reason) -> Self {
        Self {
            exponent: f64::NAN,
            exponent_se: f64::NAN,
            offset: f64::NAN,
            knee: None,
            exponent0: None,
            r_squared: f64::NAN,
            mae: f64::NAN,
            adjusted_r_squared: f64::NAN,
            median_error: f64::NAN,
            pivot_hz: f64::NAN,
            pivot_offset: f64::NAN,
            knee_hz: f64::NAN,
            knee_se: f64::NAN,
            floor_uv: f64::NAN,
            bend_evidence: f64::NAN,
            peaks: Peaks::default(),
            invalid: Some(reason),
            caution: None,
        }
    }
}

/// [`Fit::adjusted_r_squared`] of a model with `parameters` over `bins`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "small")]
pub fn adjusted_r_squared(r_squared: f64, bins: usize, parameters: usize) -> f64 {
    let left = bins as f64 - parameters as f64 - 1.0;
    if left > 0.0 { 1.0 - (1.0 - r_squared) * (bins as f64 - 1.0) / left } else { f64::NAN }
}

/// A way to fit a spectrum. `fit` does not allocate.
pub trait Method: Send {
    /// `specparam` or `whittle`.
    fn name(&self) -> &'static str;
    /// Fits the bins of `spectrum` that lie in the method's range. `target` (a channel's or region's index)
    /// lets a method remember what earlier windows of the same target have shown.
    fn fit(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit;
    /// Whether the windows that follow may be remembered. Those with a current in them may not: what a head is like
    /// at rest is no matter of what flowed before.
    fn remember(&mut self, whether: bool) {
        let _ = whether;
    }
    /// Forgets what earlier windows have shown.
    fn reset(&mut self) {}
    /// What a user should know before trusting fits to bins that are `bin_hz` apart.
    fn warnings(&self, bin_hz: f64) -> Vec<String> {
        let _ = bin_hz;
        Vec::new()
    }
}

/// Whether current flowed while a window was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contamination {
    /// No current since at least the blind gap before the window.
    #[default]
    Clean,
    /// Within the blind gap after zero current.
    Settling,
    /// Current flowed, or may have.
    Stimulating,
}

impl Contamination {
    /// In a word, as in tables and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Settling => "settling",
            Self::Stimulating => "stimulating",
        }
    }
}

/// One window's result for one region or channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Counts estimates from 1.
    pub id: u64,
    /// Index of the region or channel among those that are estimated.
    pub target: usize,
    /// [`crate::frame::FrameHeader::index`] of the window's first and last samples.
    pub first_sample: u64,
    /// See `first_sample`.
    pub last_sample: u64,
    /// Stamp of the last sample.
    pub stamp_s: f64,
    /// Segments in the mean, and those that the whole window has.
    pub segments_used: usize,
    /// See `segments_used`.
    pub segments_total: usize,
    /// The worst that any sample of the window has.
    pub contamination: Contamination,
    /// The fit; its `invalid` covers the window's own reasons too.
    pub fit: Fit,
}

impl Estimate {
    /// Whether the estimate may steer: valid, and no current in its window.
    #[must_use]
    pub fn steers(&self) -> bool {
        self.fit.invalid.is_none() && self.contamination == Contamination::Clean
    }
}

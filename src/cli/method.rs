//! The options that `estimate` and `fit` share: which method, on which range, with which peaks.

use clap::{Args, ValueEnum};

use super::options::pair;
use crate::config::MethodName;
use crate::estimator::settings::Mode;

/// How to fit. What is not given is the preset's, or the tRAS study's.
#[derive(Args, Clone, Debug)]
pub struct MethodOptions {
    /// How to fit [default: specparam]
    #[arg(long)]
    pub method: Option<MethodArg>,
    /// Whether the aperiodic line bends; auto (whittle): by the evidence of the last minute [default: fixed]
    #[arg(long)]
    pub mode: Option<ModeArg>,
    /// Fit range in Hz [default: 2,35]
    #[arg(long, value_name = "LO,HI", value_parser = pair)]
    pub range: Option<[f64; 2]>,
    /// Narrowest and widest peak in Hz, two standard deviations [default: 1,8]
    #[arg(long, value_name = "LO,HI", value_parser = pair)]
    pub peak_width: Option<[f64; 2]>,
    /// Most peaks [default: 12]
    #[arg(long, value_name = "N")]
    pub max_peaks: Option<u32>,
    /// Least height of a peak in log10 power [default: 0.05]
    #[arg(long, value_name = "H")]
    pub min_peak_height: Option<f64>,
    /// Least height of a peak in standard deviations of the flattened spectrum [default: 2.0]
    #[arg(long, value_name = "SD")]
    pub peak_threshold: Option<f64>,
}

/// `--method`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodArg {
    /// The algorithm of fooof 1.1.1
    Specparam,
    /// Maximum likelihood
    Whittle,
}

impl MethodArg {
    /// As a configuration names it.
    #[must_use]
    pub fn name(self) -> MethodName {
        match self {
            Self::Specparam => MethodName::Specparam,
            Self::Whittle => MethodName::Whittle,
        }
    }
}

/// `--mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// A straight line in log-log
    Fixed,
    /// A line that bends at a knee
    Knee,
    /// Either, by the evidence
    Auto,
    /// Two exponents and a knee (`fit` alone, by specparam)
    Doublexp,
}

impl ModeArg {
    /// As a configuration names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Knee => "knee",
            Self::Auto => "auto",
            Self::Doublexp => "doublexp",
        }
    }

    /// As the estimator has it; a line of two exponents is `fit`'s alone and has a knee.
    #[must_use]
    pub fn mode(self) -> Mode {
        match self {
            Self::Fixed => Mode::Fixed,
            Self::Knee | Self::Doublexp => Mode::Knee,
            Self::Auto => Mode::Auto,
        }
    }
}

/// `--bent`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BentArg {
    /// Not valid
    Hold,
    /// Valid, as a descriptive slope
    Steer,
    /// Valid, and marked
    Warn,
}

impl BentArg {
    /// As a configuration names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Steer => "steer",
            Self::Warn => "warn",
        }
    }
}

/// `--floor`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloorArg {
    /// Where the last minute asks for one
    Auto,
    /// Never
    None,
}

impl FloorArg {
    /// As a configuration names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
        }
    }
}

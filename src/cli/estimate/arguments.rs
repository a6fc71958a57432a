//! What `tras estimate` is asked, as a command line says it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::method::{BentArg, FloorArg, MethodOptions};
use crate::cli::montage::MontageOptions;
use crate::cli::options::{drift, positive};
use crate::estimator::bands::Band;
use crate::estimator::tracking::Drift;
use crate::offline::markers::Epoch;
use crate::offline::through::DuringCurrent;

const AFTER_HELP: &str = "\
Recordings: XDF, EDF, EDF+, BDF, BDF+, BrainVision (.vhdr), CSV (a header of channel names; an optional column of times;
  microvolts).
Output columns: time,channel,exponent,exponent_se,ci_low,ci_high,offset,r_squared,mae,n_peaks,valid,reason,
  bend_evidence,knee_hz,knee_se,floor_uv,pivot_offset
  time is the stamp of the window's last sample, in seconds on the recording's own time axis. ci_low and ci_high are
  exponent -/+ 1.96 exponent_se, empty for specparam, which states no standard error. valid is true or false; reason
  says why not, or what to bear in mind. whittle alone: bend_evidence is ln of how much likelier the last minute is
  with a knee than without, floor_uv white noise under the spectrum (rms over the whole band). knee_hz is empty without
  a knee. pivot_offset is log10 power at the range's geometric mean. A window that does not fit between the start or a gap and the next gap or the end has no row.
  A column file stands first where several files are given. Then follow, where asked for:
  NAME_power (--bands: mean log10 power above the aperiodic line), timescale_s (--timescale: ACF-50),
  tracked, tracked_low, tracked_high (--track: Kalman filter at the window's end and its 95 %
  interval).
  contamination (our own recordings): clean, settling (in the blind gap after current) or stimulating; a window that is
  not clean is not valid. With --epochs: epoch, marker_time, and each field of the markers (the keys of a JSON marker,
  the key=value words of another; of our own recordings block and, where it is unblinded, condition too).
  With --during-current, last: through_current (true: the window saw current, and the estimate is of what its removal
  left; exponent_se has the removal's own cost in it), linearity_p and modulation_p (probability by chance of second-
  and third-order terms, and of a gain that breathes), residual_coherence (share of what was left that still follows
  the current), removed_db (power taken out over power left). valid is true only where all of it is proven in that very
  window; reason says what is not. The current is found by its unit, mA; what is wrong with it is told on standard error.
  Parquet is not written.
Resuming: with several files, recordings that are done are kept in OUT.parts until all are, then OUT is written in one
  step and OUT.done says what is in it. The same command again does only what is missing or has changed.
Exit codes: 0 done; 2 bad arguments; 3 a file is missing (nothing is done); 4 a file is broken or does not fit the
  settings: it is named on standard error and left out, the table holds the others; also 4 where the run was ended
  before its table was written.";

/// Estimate the aperiodic exponent over recordings: one row a window and channel.
///
/// Without --preset: the tRAS settings (2..35 Hz, fixed), specparam on Welch segments of 1 s (Hann, half overlap),
/// whittle on whitened ones (cosine, half overlap), longer where the range begins below 1 Hz.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct EstimateArgs {
    /// The recordings
    #[arg(required_unless_present = "preset", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The table [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Start from a study's settings; `--preset list` shows them all
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Start from a session's configuration: its [estimator] section, and which channels and reference it says
    #[arg(short, long, value_name = "FILE", conflicts_with = "preset")]
    pub config: Option<PathBuf>,
    /// Start from the settings that the recordings were made with, which they hold themselves
    #[arg(long, conflicts_with_all = ["preset", "config"])]
    pub as_recorded: bool,
    /// Windows at markers, in place of windows that follow each other: delay_on:+0..+1.5, trial_start:-1..0
    #[arg(
        long, value_name = "MARKER:FROM..TO", value_delimiter = ',', value_parser = Epoch::parse,
        allow_hyphen_values = true, conflicts_with_all = ["window", "hop", "timescale", "track"]
    )]
    pub epochs: Vec<Epoch>,
    /// Sampling rate in Hz: for a CSV without times, or over what a file says of itself (it must fit the file's stamps)
    #[arg(long, value_name = "HZ", value_parser = positive)]
    pub rate: Option<f64>,
    /// Length of a window in seconds [default: 4]
    #[arg(long, value_name = "S", value_parser = positive)]
    pub window: Option<f64>,
    /// From one window to the next in seconds [default: the window's length]
    #[arg(long, value_name = "S", value_parser = positive)]
    pub hop: Option<f64>,
    /// How to fit
    #[command(flatten)]
    pub fit: MethodOptions,
    /// What becomes of whittle's straight line where the spectrum bends: hold (not valid, reason `bent`), steer (valid,
    /// as a descriptive slope) or warn (valid, reason `bent` beside it) [default: hold]
    #[arg(long, value_name = "WHAT")]
    pub bent: Option<BentArg>,
    /// White noise under the spectrum (whittle): auto (learnt over the last minute) or none [default: auto]
    #[arg(long, value_name = "WHAT")]
    pub floor: Option<FloorArg>,
    /// Seconds that whittle remembers where the peaks are; 0: nothing [default: 60]
    #[arg(long, value_name = "S")]
    pub memory: Option<f64>,
    /// Length of a segment in seconds
    #[arg(long, value_name = "S", value_parser = positive)]
    pub segment: Option<f64>,
    /// Share of a segment that the next one repeats
    #[arg(long, value_name = "SHARE")]
    pub overlap: Option<f64>,
    /// Share of a window's segments that must be clean, or it is invalid; live runs and tables have one default
    /// [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub min_segments: Option<f64>,
    /// Mains frequency whose bins are left out: 50, 60, or 0 for none [default: 50]
    #[arg(long, value_name = "HZ")]
    pub line: Option<f64>,
    /// A fit with a lower R2 is not valid
    #[arg(long, value_name = "R2")]
    pub min_r_squared: Option<f64>,
    /// A fit is deleted (not valid) where its R2 is below the mean - SDS standard deviations of its channel's fits
    #[arg(long, value_name = "SDS", value_parser = positive)]
    pub delete_below_sd: Option<f64>,
    /// Which channels
    #[command(flatten)]
    pub montage: MontageOptions,
    /// Which stream of an XDF file, by name or number, where it has several that could be meant
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// How a region's channels become one number
    #[arg(long, default_value = "spectra")]
    pub region_mean: RegionMeanArg,
    /// Regions only, no rows for single channels
    #[arg(long, requires = "region")]
    pub no_channels: bool,
    /// Power above the aperiodic line: delta, theta, alpha, beta, or NAME=LO-HI in Hz, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "BANDS", value_parser = Band::parse)]
    pub bands: Vec<Band>,
    /// The ACF-50 neural timescale of each window, in seconds
    #[arg(long)]
    pub timescale: bool,
    /// Follow the exponent over windows; how fast it drifts is learnt from them, or believed to be so much a square root
    /// of a second
    #[arg(long, value_name = "DRIFT", num_args = 0..=1, default_missing_value = "learnt", require_equals = true, value_parser = drift)]
    pub track: Option<Drift>,
    /// Windows under current: hide (not valid) or show (the current's artefact is removed by the current as delivered,
    /// and what is proven is valid); adds the columns through_current,linearity_p,residual_coherence,modulation_p,removed_db
    #[arg(long, value_name = "WHAT", conflicts_with = "epochs")]
    pub during_current: Option<DuringCurrentArg>,
    /// The stream of an XDF file that holds the current as delivered, in mA: its name or number, STREAM:CHANNEL where it
    /// has several [default: the only one that says to hold a current]
    #[arg(long, value_name = "STREAM", requires = "during_current")]
    pub current: Option<String>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Do every file again, whatever is done already
    #[arg(long)]
    pub fresh: bool,
}

/// `--during-current`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DuringCurrentArg {
    /// Not valid
    Hide,
    /// Valid where the removal of the artefact is proven
    Show,
}

impl DuringCurrentArg {
    pub(super) fn what(self) -> DuringCurrent {
        match self {
            Self::Hide => DuringCurrent::Hide,
            Self::Show => DuringCurrent::Show,
        }
    }
}

/// `--region-mean`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RegionMeanArg {
    /// Mean of the spectra, one fit
    Spectra,
    /// A fit for each channel, mean of the fits
    Fits,
}

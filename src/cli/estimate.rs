//! `tras estimate FILE...`: recordings to a table of exponents.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::method::{BentArg, FloorArg, MethodOptions, ModeArg};
use super::options::positive;
use crate::acquisition::recording::OpenOptions;
use crate::acquisition::settings::{AcquisitionSettings, Reference};
use crate::clean;
use crate::config::Config;
use crate::estimator::bands::Band;
use crate::estimator::window::RegionMean;
use crate::failure::Failure;
use crate::offline::batch::{self, Batch, Event, Outcome};
use crate::offline::current;
use crate::offline::lane::Readouts;
use crate::offline::markers::{self, Epoch};
use crate::offline::preset::Preset;
use crate::offline::recording::Job;
use crate::offline::settings::{Overrides, complaint};
use crate::session::recorded::Recorded;

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
  tracked, tracked_low, tracked_high (--track: Kalman filter and its 95 % interval).
  contamination (our own recordings): clean, settling (in the blind gap after current) or stimulating; a window that is
  not clean is not valid. With --epochs: epoch, marker_time, and each field of the markers (the keys of a JSON marker,
  the key=value words of another; of our own recordings block and, where it is unblinded, condition too).
  Parquet is not written.
Resuming: with several files, recordings that are done are kept in OUT.parts until all are, then OUT is written in one
  step and OUT.done says what is in it. The same command again does only what is missing or has changed.
Exit codes: 0 done; 2 bad arguments; 3 a file is missing (nothing is done); 4 a file is broken or does not fit the
  settings: it is named on standard error and left out, the table holds the others; also 4 where the run was ended
  before its table was written.";

/// Where there is no terminal for a bar, a line comes so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

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
    /// Channels, by label: Fz,Cz [default: all EEG channels]
    #[arg(long, value_delimiter = ',', value_name = "LABELS")]
    pub channels: Vec<String>,
    /// What potentials are measured against: none, average, or labels: M1,M2 [default: none]
    #[arg(long, value_name = "WHAT")]
    pub reference: Option<String>,
    /// Unit of the channels, over what the file says
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<String>,
    /// Which stream of an XDF file, by name or number, where it has several that could be meant
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// A region of interest beside the channels: frontal=Fz+F3+F4; may be repeated
    #[arg(long, value_name = "NAME=CH+CH", value_parser = region)]
    pub region: Vec<(String, Vec<String>)>,
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
    /// Follow the exponent over windows, believing that it drifts by so much a square root of a second
    #[arg(long, value_name = "DRIFT", num_args = 0..=1, default_missing_value = "0.02", require_equals = true, value_parser = positive)]
    pub track: Option<f64>,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Do every file again, whatever is done already
    #[arg(long)]
    pub fresh: bool,
}

/// `--region-mean`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RegionMeanArg {
    /// Mean of the spectra, one fit
    Spectra,
    /// A fit for each channel, mean of the fits
    Fits,
}

/// `NAME=CH+CH`.
pub(super) fn region(text: &str) -> Result<(String, Vec<String>), String> {
    let wrong = || "expected NAME=CH+CH, as in frontal=Fz+F3+F4".to_owned();
    let (name, channels) = text.split_once('=').ok_or_else(wrong)?;
    let channels: Vec<String> = channels.split('+').map(|label| label.trim().to_owned()).collect();
    if name.trim().is_empty() || channels.iter().any(String::is_empty) {
        return Err(wrong());
    }
    Ok((name.trim().to_owned(), channels))
}

impl EstimateArgs {
    /// What is asked of every recording: options over the preset's settings over the defaults.
    ///
    /// # Errors
    /// Names the option that is wrong and what would be right.
    pub fn job(&self) -> Result<Job, String> {
        let preset = self.preset.as_deref().map(Preset::named).transpose()?;
        let given = self.given()?;
        let delete_below_sd = self.delete_below_sd.or(preset.as_ref().and_then(|p| p.delete_below_sd));
        let config = self.resolve(preset, given.as_ref())?;
        let job = Job {
            open: OpenOptions {
                rate_hz: self.rate,
                stream: self.stream.clone(),
                channels: self.used(),
                unit: self.unit.clone(),
            },
            acquisition: AcquisitionSettings {
                unit: self.unit.clone(),
                channels: given
                    .as_ref()
                    .filter(|_| self.channels.is_empty() && !self.as_recorded)
                    .map_or_else(|| self.channels.clone(), |given| given.stream.channels.clone()),
                reference: given
                    .as_ref()
                    .filter(|_| self.reference.is_none() && !self.as_recorded)
                    .map_or_else(|| self.reference(), |given| reference_of(&given.stream.reference)),
                // A file's stamps are what they are: there is nothing to wait for.
                settle_s: 0.0,
                exact_stamps: true,
                ..AcquisitionSettings::default()
            },
            regions: match &given {
                Some(given) if self.region.is_empty() => {
                    given.estimator.regions.iter().map(|r| (r.name.clone(), r.channels.clone())).collect()
                }
                _ => self.region.clone(),
            },
            region_mean: match self.region_mean {
                RegionMeanArg::Spectra => RegionMean::Spectra,
                RegionMeanArg::Fits => RegionMean::Fits,
            },
            each_channel: match &given {
                Some(given) if self.region.is_empty() => given.estimator.each_channel,
                _ => !self.no_channels,
            },
            contamination: false,
            epochs: self.epochs.clone(),
            fields: Vec::new(),
            readouts: Readouts {
                bands: self.bands.clone(),
                timescale: self.timescale,
                track_drift: self.track,
            },
            delete_below_sd,
            config,
        };
        let columns = job.columns();
        if let Some(twice) =
            columns.iter().enumerate().find(|(at, name)| columns.iter().take(*at).any(|n| n == *name))
        {
            return Err(format!("--bands: column {} would stand twice; name each band once", twice.1));
        }
        let [low, high] = job.config.estimator.range_hz;
        if let Some(band) = job.readouts.bands.iter().find(|b| b.range_hz.0 >= high || b.range_hz.1 <= low) {
            return Err(format!("--bands {}: lies outside the fit range of {low} to {high} Hz", band.name));
        }
        Ok(job)
    }

    /// The configuration that the settings start from, where one is asked for.
    fn given(&self) -> Result<Option<Config>, String> {
        if let Some(path) = &self.config {
            return super::check::load(path).map(Some).map_err(|error| error.to_string());
        }
        if !self.as_recorded {
            return Ok(None);
        }
        let mut first: Option<(Config, &PathBuf)> = None;
        for path in &self.files {
            let config = Recorded::open(path).and_then(|recorded| recorded.config());
            let config = config.map_err(|error| format!("--as-recorded: {error}"))?;
            match &first {
                Some((known, earlier)) if known.estimator != config.estimator => {
                    let (earlier, path) = (earlier.display(), path.display());
                    return Err(format!(
                        "--as-recorded: {earlier} and {path} were recorded with different settings; estimate them one by one, \
                         or with one -c FILE"
                    ));
                }
                Some(_) => {}
                None => first = Some((config, path)),
            }
        }
        Ok(first.map(|(config, _)| config))
    }

    fn resolve(&self, preset: Option<Preset>, given: Option<&Config>) -> Result<Config, String> {
        let given = given.map(|given| toml::Table::try_from(&given.estimator)).transpose();
        let mut keys = match (preset, given.map_err(|error| error.to_string())?) {
            (_, Some(table)) => Overrides::from_table(table),
            (Some(preset), None) => preset.estimator,
            // Windows that follow each other: what lies in between would cost and tell little.
            (None, None) => {
                let mut keys = Overrides::default();
                keys.set("hop_s", Some(self.window.unwrap_or(4.0)));
                keys
            }
        };
        let whole =
            |pair: [f64; 2]| toml::Value::Array(pair.iter().map(|&x| toml::Value::Float(x)).collect());
        if let Some(method) = self.fit.method {
            let name = method.name().name();
            // Segments that a preset has for its own method do not serve another.
            if keys.text("method").is_some_and(|theirs| theirs != name) {
                keys.clear(&["segment_s", "overlap"]);
            }
            keys.set("method", Some(name));
        }
        keys.set("mode", self.fit.mode.map(ModeArg::name));
        keys.set("bent", self.bent.map(BentArg::name));
        keys.set("floor", self.floor.map(FloorArg::name));
        keys.set("window_s", self.window);
        keys.set("hop_s", self.hop.or(self.window));
        keys.set("range_hz", self.fit.range.map(whole));
        keys.set("peak_width_hz", self.fit.peak_width.map(whole));
        keys.set("max_peaks", self.fit.max_peaks.map(i64::from));
        keys.set("min_peak_height", self.fit.min_peak_height);
        keys.set("peak_threshold", self.fit.peak_threshold);
        keys.set("memory_s", self.memory);
        keys.set("segment_s", self.segment);
        keys.set("overlap", self.overlap);
        keys.set("min_segments_share", self.min_segments);
        keys.set("line_hz", self.line);
        keys.set("min_r_squared", self.min_r_squared);
        keys.resolve().map_err(|error| complaint(&error))
    }

    /// Labels of all channels that are used, where channels are named; the reader may leave out the others.
    fn used(&self) -> Option<Vec<String>> {
        let mut labels = self.channels.clone();
        if labels.is_empty() && !self.no_channels {
            return None;
        }
        labels.extend(self.region.iter().flat_map(|(_, channels)| channels.iter().cloned()));
        if let Reference::Channels(more) = self.reference() {
            labels.extend(more);
        }
        Some(labels).filter(|labels| !labels.is_empty())
    }

    fn reference(&self) -> Reference {
        match self.reference.as_deref().map(str::trim) {
            None | Some("" | "none") => Reference::None,
            Some("average") => Reference::Average,
            Some(labels) => {
                Reference::Channels(labels.split(',').map(|label| label.trim().to_owned()).collect())
            }
        }
    }
}

/// Estimates every recording.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &EstimateArgs) -> Result<(), Failure> {
    if args.preset.as_deref() == Some("list") {
        return list_presets();
    }
    if args.files.is_empty() {
        return Err(Failure::Usage("name at least one recording".into()));
    }
    super::files_exist(&args.files)?;
    let mut job = args.job().map_err(Failure::Usage)?;
    // A file that cannot be read is told of when its turn comes.
    job.contamination = args.files.iter().any(|file| current::is_own(file).unwrap_or(false));
    if !job.epochs.is_empty() {
        let read = args.files.iter().filter_map(|file| markers::of(file, &job.open, &job.epochs).ok());
        job.fields = markers::fields(read.collect::<Vec<_>>().iter().flatten());
    }
    if let Some(out) = &args.out
        && args.files.iter().any(|file| same_file(file, out))
    {
        return Err(Failure::Usage(format!("--out {}: is one of the recordings", out.display())));
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let several = args.files.len() > 1;
    let batch = Batch {
        job,
        files: args.files.clone(),
        out: args.out.clone(),
        with_file: several,
        // One recording is done anew each time: whoever names one file wants its table and nothing beside it.
        resume: several && args.out.is_some() && !args.fresh,
        threads: args.jobs.unwrap_or_else(cores).clamp(1, 256),
    };
    let stop = super::replay::interrupted().map_err(Failure::from)?;
    let started = Instant::now();
    let outcome = watch(&batch, &stop).map_err(Failure::Fault)?;
    let seconds = started.elapsed().as_secs_f64();
    close(&batch, &outcome, seconds)
}

fn reference_of(reference: &crate::config::Reference) -> Reference {
    match reference {
        crate::config::Reference::None => Reference::None,
        crate::config::Reference::Average => Reference::Average,
        crate::config::Reference::Channels(labels) => Reference::Channels(labels.clone()),
    }
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Runs the batch behind a progress bar: of samples for one file, of files for several.
fn watch(batch: &Batch, stop: &Arc<AtomicBool>) -> Result<Outcome, String> {
    let count = batch.files.len();
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(count as u64) } else { ProgressBar::hidden() };
    let template = if count > 1 {
        "{wide_bar} {pos}/{len} files  {eta} left"
    } else {
        "{wide_bar} {percent}%  {eta} left"
    };
    // A template that does not parse would only change the bar's looks.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let finished = AtomicUsize::new(0);
    let tell = |text: String| {
        if bar.is_hidden() { super::tell(&text) } else { bar.println(clean::lines(&text)) }
    };
    // What holds for the settings is the same for every recording: it is said once.
    let said = Mutex::new(HashSet::new());
    let first_time = |text: &String| said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone());
    // Without a terminal there is no bar: a line now and then tells that there is life.
    let last_sign = Mutex::new(Instant::now());
    let sign = |text: &dyn Fn() -> String| {
        let mut last = last_sign.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.is_hidden() && last.elapsed() >= SIGN_OF_LIFE {
            *last = Instant::now();
            super::tell(&text());
        }
    };
    let count_one = || {
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        bar.set_position(done as u64);
        sign(&|| format!("{done} of {count} recordings"));
    };
    let outcome = batch::run(batch, stop, &|event| match event {
        Event::Samples(done, Some(total)) if count == 1 => {
            bar.set_length(total);
            bar.set_position(done);
            sign(&|| format!("{} % of {total} samples", 100 * done / total.max(1)));
        }
        Event::Samples(done, None) if count == 1 => sign(&|| format!("{done} samples")),
        Event::Samples(..) => {}
        Event::Done(file, summary) => {
            for note in &summary.notes {
                tell(format!("{}: {note}", file.display()));
            }
            for note in summary.settings.iter().filter(|note| first_time(note)) {
                tell(format!("settings: {note}"));
            }
            count_one();
        }
        Event::Reused(_) => count_one(),
        Event::Broken(what) => {
            tell(format!("tras: {what} (left out)"));
            count_one();
        }
    });
    bar.finish_and_clear();
    outcome
}

fn close(batch: &Batch, outcome: &Outcome, seconds: f64) -> Result<(), Failure> {
    let Outcome { done, reused, broken, rows, valid, .. } = outcome;
    if outcome.interrupted {
        let kept = if batch.resume { "; the same command again goes on from here" } else { "" };
        return Err(Failure::Fault(format!(
            "ended: {done} of {} recordings are done{kept}",
            batch.files.len()
        )));
    }
    let earlier = if *reused > 0 { format!(", {reused} of them by an earlier run") } else { String::new() };
    let place =
        batch.out.as_ref().map_or_else(|| "standard output".to_owned(), |out| out.display().to_string());
    let plural = if *done == 1 { "" } else { "s" };
    let share = 100.0 * batch.job.config.estimator.min_segments_share;
    super::tell(&format!(
        "{done} recording{plural}{earlier}: {rows} new rows, {valid} valid (at least {share} % of their segments \
         clean), to {place} in {seconds:.1} s"
    ));
    if *broken > 0 {
        let none = if *done == 0 { "; there is no table" } else { "" };
        return Err(Failure::Fault(format!("left out: {broken} of {} recordings{none}", batch.files.len())));
    }
    Ok(())
}

fn list_presets() -> Result<(), Failure> {
    let mut text = String::new();
    for preset in Preset::all().map_err(Failure::Fault)? {
        let e = preset.estimator.resolve().map_err(|e| Failure::Fault(complaint(&e)))?.estimator;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", preset.name);
        let _ = writeln!(text, "  {}", preset.source);
        let _ = writeln!(
            text,
            "  {}, {} to {} Hz, windows of {} s every {} s, segments of {} s, overlap {}",
            e.method.name(),
            e.range_hz[0],
            e.range_hz[1],
            e.window_s,
            e.hop_s,
            e.segment_s,
            e.overlap
        );
        let deletion = preset.delete_below_sd.map_or_else(String::new, |sds| {
            format!("; a fit is deleted where R2 < mean - {sds} sd of its channel's")
        });
        let _ = writeln!(
            text,
            "  at most {} peaks of {} to {} Hz, height {}, threshold {} sd{deletion}",
            e.max_peaks, e.peak_width_hz[0], e.peak_width_hz[1], e.min_peak_height, e.peak_threshold
        );
    }
    super::print(&text)
}

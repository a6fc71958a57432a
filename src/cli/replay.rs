//! `tras replay FILE`: plays a recording as an LSL stream, its annotations as markers.

use super::options::positive;
use crate::acquisition::recording::OpenOptions;
use crate::failure::Failure;
use crate::simulation::SimulationError;
use crate::simulation::playback::{Playable, PlaybackSettings, Played, play};
use crate::simulation::recorded::Recorded;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Play an XDF, EDF, EDF+, BDF, BrainVision or CSV recording as an LSL stream, its annotations as a marker stream.
///
/// Each sample leaves at its own time by the monotonic clock. With --fast the samples go out as fast as the
/// reader takes them, stamped by the recording's own time (1 s + time since its first sample), the same on every
/// run; LSL cannot slow a sender down, so give the reader a buffer that holds the recording. Ctrl-C ends it
/// cleanly.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The recording
    pub file: PathBuf,
    /// Name of the stream; markers go out as NAME-markers
    #[arg(long, default_value = "tras-replay")]
    pub name: String,
    /// Begin again at the end
    #[arg(long = "loop")]
    pub looped: bool,
    /// Play faster (above 1) or slower
    #[arg(long, default_value_t = 1.0, conflicts_with = "fast", value_parser = positive)]
    pub speed: f64,
    /// As fast as possible, with the recording's own stamps; waits for a reader first
    #[arg(long, conflicts_with = "looped")]
    pub fast: bool,
    /// With --fast: how long to wait for a reader, seconds
    #[arg(long, default_value_t = 30.0, value_parser = positive)]
    pub wait: f64,
    /// Channels to play, by label: Fz,Cz
    #[arg(long, value_delimiter = ',')]
    pub channels: Vec<String>,
    /// Sampling rate in Hz: for a CSV without times, or over what a file says of itself (it must fit the file's stamps)
    #[arg(long, value_parser = positive)]
    pub rate: Option<f64>,
    /// Which stream of an XDF file, by name or number, where it has several that could be meant
    #[arg(long)]
    pub stream: Option<String>,
    /// End after so many seconds of the recording
    #[arg(long, value_parser = positive)]
    pub seconds: Option<f64>,
}

impl ReplayArgs {
    /// The arguments as settings.
    #[must_use]
    pub fn settings(&self) -> PlaybackSettings {
        PlaybackSettings {
            name: self.name.clone(),
            looped: self.looped,
            speed: self.speed,
            fast: self.fast,
            channels: self.channels.clone(),
            seconds: self.seconds,
            wait_s: self.wait,
        }
    }
}

/// A flag that Ctrl-C and SIGTERM set.
///
/// # Errors
/// [`SimulationError::Fault`] where the handler cannot be installed.
pub fn interrupted() -> Result<Arc<AtomicBool>, SimulationError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .map_err(|e| SimulationError::Fault(format!("cannot take signal {signal}: {e}")))?;
    }
    Ok(stop)
}

/// Opens the file and plays it; see [`run_with`].
///
/// # Errors
/// [`Failure::NotFound`] where there is no file, [`Failure::Usage`] where it cannot be read; see [`play`] for the rest.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let options = OpenOptions { rate_hz: args.rate, stream: args.stream.clone(), ..OpenOptions::default() };
    super::file_exists(&args.file)?;
    let mut recording = Recorded::open(&args.file, options).map_err(SimulationError::Arguments)?;
    for note in recording.notes() {
        super::tell(&format!("{}: {note}", args.file.display()));
    }
    Ok(run_with(args, &mut recording).map(|_| ())?)
}

/// Plays `recording` with a progress bar on a terminal, until its end or Ctrl-C.
///
/// # Errors
/// See [`play`].
pub fn run_with(args: &ReplayArgs, recording: &mut impl Playable) -> Result<Played, SimulationError> {
    let settings = args.settings();
    let stop = interrupted()?;
    let stream = recording.description();
    super::tell(&format!(
        "playing {} as `{}`: {} channels at {} Hz, {} annotations (Ctrl-C ends)",
        args.file.display(),
        settings.name,
        stream.channels.len(),
        stream.rate_hz,
        recording.marks().len()
    ));
    let bar = progress(recording.samples().filter(|_| !args.looped));
    let played = play(recording, &settings, &stop, |so_far| bar.set_position(so_far.samples))?;
    bar.finish_and_clear();
    super::tell(&format!(
        "{} samples ({:.1} s) and {} markers sent; late by {:.0} us on average, {:.1} ms at worst",
        played.samples,
        played.seconds,
        played.marks,
        1e6 * played.lateness.mean_s(),
        1e3 * played.lateness.worst_s
    ));
    if played.cut_pauses > 0 {
        super::tell(&format!(
            "{} pauses of the recording were longer than a minute and were left out",
            played.cut_pauses
        ));
    }
    Ok(played)
}

fn progress(samples: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match samples {
        Some(count) => {
            (ProgressBar::new(count), "{wide_bar} {percent}% {elapsed_precise} / {duration_precise}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {pos} samples {elapsed_precise}"),
    };
    // A template that does not parse would only change the bar's looks.
    ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
}

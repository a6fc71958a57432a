//! One recording to rows: read and conditioned by one thread in blocks, estimated by one thread for each share of the
//! channels, written by one.
//!
//! ```text
//!  file -> Recording -> Conditioner -blocks-> Lane, Lane, ... -rows-> written in order of time and target
//! ```
//! Channels between them hold a few blocks each, so memory does not grow with the file, and the rows are the same
//! for any number of threads.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::current::Timeline;
use super::epochs::{Cut, EpochLane};
use super::lane::{Lane, Readouts};
use super::markers::{self, Epoch};
use super::table::Row;
use super::through::{self, Asked, Prepared};
use crate::acquisition::conditioner::Conditioner;
use crate::acquisition::frame::FrameHeader;
use crate::acquisition::recording::{OpenOptions, Recording};
use crate::acquisition::settings::AcquisitionSettings;
use crate::config::Config;
use crate::estimator::window::{EstimatorSettings, RegionMean, Target};
use crate::units::hz;

/// Samples that are handed on together: 4 s at 250 Hz.
const BLOCK: usize = 1024;
/// Blocks that may wait between two threads.
const WAITING: usize = 4;

/// What is asked of every recording.
#[derive(Clone, Debug)]
pub struct Job {
    /// Holds the estimator's settings.
    pub config: Config,
    /// What to make of a file that does not say everything itself.
    pub open: OpenOptions,
    /// Channels, reference, unit.
    pub acquisition: AcquisitionSettings,
    /// Regions by name and channels, beside (or instead of) the channels.
    pub regions: Vec<(String, Vec<String>)>,
    /// How a region's channels become one number.
    pub region_mean: RegionMean,
    /// Whether each channel has its rows.
    pub each_channel: bool,
    /// Beside the fit.
    pub readouts: Readouts,
    /// Whether the table has a column for what windows saw of the current: some recording is one of ours.
    pub contamination: bool,
    /// Windows cut at markers, in place of windows that follow each other.
    pub epochs: Vec<Epoch>,
    /// Fields of their markers that have a column.
    pub fields: Vec<String>,
    /// What becomes of windows under current; without it they are not valid, and no column tells of it.
    pub during_current: Option<Asked>,
    /// A fit is deleted where its R² is below the mean minus so many standard deviations of its channel's fits.
    pub delete_below_sd: Option<f64>,
}

impl Job {
    /// Names of the columns behind those that every table has.
    #[must_use]
    pub fn columns(&self) -> Vec<String> {
        let mut names = self.readouts.columns();
        names.extend(self.contamination.then(|| "contamination".to_owned()));
        if !self.epochs.is_empty() {
            names.extend(["epoch".to_owned(), "marker_time".to_owned()]);
            names.extend(self.fields.iter().cloned());
        }
        if self.during_current.is_some() {
            names.extend(through::COLUMNS.map(str::to_owned));
        }
        names
    }
}

/// One thread's share of the work.
enum Worker {
    Lane(Box<Lane>),
    Epochs(EpochLane),
}

impl Worker {
    fn push(&mut self, header: &FrameHeader, samples_uv: &[f32], rows: &mut Vec<Row>) {
        match self {
            Self::Lane(lane) => lane.push(header, samples_uv, rows),
            Self::Epochs(lane) => lane.push(header, samples_uv, rows),
        }
    }
}

/// Why a recording has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It is broken, or does not fit what is asked.
    Broken(String),
    /// The user has ended the run.
    Interrupted,
}

/// What a recording came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Names of the targets, in order.
    pub targets: Vec<String>,
    /// Rows written.
    pub rows: u64,
    /// Rows that are valid.
    pub valid: u64,
    /// What a user should know of this recording, each once.
    pub notes: Vec<String>,
    /// What a user should know of the settings: the same for every recording of the same rate.
    pub settings: Vec<String>,
}

/// Frames on their way to the lanes.
#[derive(Default)]
struct Block {
    headers: Vec<FrameHeader>,
    /// [frame][channel]
    samples_uv: Vec<f32>,
}

/// Takes `path` through `lanes` estimators. `write` gets each row with its target's name; `progress` the samples read.
///
/// # Errors
/// A file that cannot be read or does not fit the settings, with its name; or `stop` was set.
pub fn estimate(
    job: &Job,
    path: &Path,
    lanes: usize,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
    mut write: impl FnMut(&str, &Row) -> Result<(), String> + Send,
) -> Result<Summary, Unfinished> {
    let broken = |what: String| Unfinished::Broken(format!("{}: {what}", path.display()));
    let mut recording = Recording::open(path, &job.open).map_err(|e| Unfinished::Broken(e.to_string()))?;
    let mut conditioner = Conditioner::new(recording.description(), &job.acquisition)
        .map_err(|e| broken(as_options(&e.to_string())))?;
    let rate_hz = recording.description().rate_hz;
    let measured_hz = recording.measured_rate_hz().unwrap_or(rate_hz);
    job.config.check_against_rate(rate_hz).map_err(|e| broken(super::settings::complaint(&e)))?;
    let labels: Vec<String> = conditioner.channels().iter().map(|channel| channel.label.clone()).collect();
    let targets = targets(job, &labels).map_err(broken)?;
    let left_out = not_eeg(&recording, job, &labels);
    let mut summary = Summary {
        targets: targets.iter().map(|target| target.name.clone()).collect(),
        notes: recording.notes().iter().cloned().chain(left_out).collect(),
        ..Summary::default()
    };
    let told = Timeline::of(path).map_err(|e| Unfinished::Broken(e.to_string()))?;
    let mut prepared = match &job.during_current {
        Some(asked) => {
            through::prepare(path, &job.open, asked, told).map_err(|e| Unfinished::Broken(e.to_string()))?
        }
        None => Prepared::as_told(told),
    };
    summary.notes.append(&mut prepared.notes);
    let timeline = prepared.timeline.take().map(Arc::new);
    // Epochs are few and short: one thread has them all. The path of the current is learnt from all channels together.
    let lanes = if job.epochs.is_empty() && job.during_current.is_none() { lanes } else { 1 };
    let share = targets.len().div_ceil(lanes.clamp(1, targets.len().max(1)));
    let mut workers = Vec::new();
    if !job.epochs.is_empty() {
        let e = &job.config.estimator;
        let markers =
            markers::of(path, &job.open, &job.epochs).map_err(|e| Unfinished::Broken(e.to_string()))?;
        let cut = Cut {
            epochs: &job.epochs,
            markers,
            fields: &job.fields,
            tells: job.contamination,
            timeline: timeline.clone(),
        };
        let lane = EpochLane::new(e, &job.readouts, &targets, labels.len(), rate_hz, cut).map_err(broken)?;
        summary.settings.extend(lane.warnings());
        summary.notes.extend(lane.missing());
        workers.push(Worker::Epochs(lane));
    }
    let parts = if job.epochs.is_empty() { targets.as_slice() } else { &[] };
    for (nth, part) in parts.chunks(share.max(1)).enumerate() {
        let lane =
            Lane::new(&job.config.estimator, &job.readouts, part, nth * share, rate_hz).map_err(broken)?;
        if nth == 0 {
            summary.settings.extend(lane.warnings().iter().cloned());
        }
        let mut lane = lane.with_current(timeline.clone(), job.contamination);
        if job.during_current.is_some() {
            let (e, prepared) = (&job.config.estimator, std::mem::take(&mut prepared));
            lane = lane.with_through(e, prepared, measured_hz).map_err(broken)?;
        }
        workers.push(Worker::Lane(Box::new(lane)));
    }
    let names = summary.targets.clone();
    let cut_off = AtomicU64::new(0);
    let (rows, valid) = std::thread::scope(|scope| {
        let mut inputs: Vec<Sender<Arc<Block>>> = Vec::new();
        let mut outputs: Vec<Receiver<Vec<Row>>> = Vec::new();
        for worker in workers {
            let (to_lane, blocks) = bounded::<Arc<Block>>(WAITING);
            let (to_writer, rows) = bounded::<Vec<Row>>(WAITING);
            let cut_off = &cut_off;
            scope.spawn(move || {
                let left = run_worker(worker, &blocks, &to_writer);
                cut_off.fetch_add(left, Ordering::Relaxed);
            });
            inputs.push(to_lane);
            outputs.push(rows);
        }
        let writer = scope.spawn(move || write_rows(&outputs, &names, &mut write));
        let read = read_blocks(&mut recording, &mut conditioner, &inputs, stop, progress);
        drop(inputs);
        let written = match writer.join() {
            Ok(written) => written.map_err(Unfinished::Broken),
            Err(_) => Err(broken("the writing thread failed".into())),
        };
        // A writer that has failed ends the reading early: its reason is the one that counts.
        let counts = written?;
        read.map(|()| counts)
    })?;
    summary.rows = rows;
    summary.valid = valid;
    let counts = conditioner.counts();
    if counts.gaps > 0 {
        summary
            .notes
            .push(format!("{} gaps, {} samples missing: no window spans one", counts.gaps, counts.lost));
    }
    let cut_off = cut_off.into_inner();
    if cut_off > 0 {
        summary.notes.push(format!("{cut_off} epochs are not whole in the recording: left out"));
    }
    if rows == 0 && job.epochs.is_empty() {
        let (samples, window_s) = (counts.received, job.config.estimator.window_s);
        summary
            .notes
            .push(format!("no window of {window_s} s fits its {samples} samples at {}", hz(rate_hz)));
    }
    Ok(summary)
}

/// The channels that are no EEG, in a sentence, where nobody said which to take.
fn not_eeg(recording: &Recording, job: &Job, taken: &[String]) -> Option<String> {
    let channels = recording.description().channels.iter();
    let left_out: Vec<&str> = channels
        .map(|channel| channel.label.as_str())
        .filter(|label| !taken.iter().any(|t| t == label))
        .collect();
    (job.acquisition.channels.is_empty() && !left_out.is_empty())
        .then(|| format!("left out as no EEG: {} (--channels takes them all the same)", left_out.join(", ")))
}

/// A message about a stream, for a user who has no configuration but the options of the command line.
fn as_options(what: &str) -> String {
    what.replace(
        "state it in the configuration, for instance stream.unit = \"uV\" (or \"mV\", \"V\")",
        "state it: --unit uV (or mV, V)",
    )
    .replace("state it in the configuration, for instance stream.unit = \"uV\"", "state it: --unit uV")
    .replace("stream.channels", "--channels")
    .replace("stream.reference", "--reference")
    .replace("stream.unit", "--unit")
}

/// Channels first, then regions.
fn targets(job: &Job, labels: &[String]) -> Result<Vec<Target>, String> {
    let mut targets = Vec::new();
    if job.each_channel {
        targets.extend(EstimatorSettings::each_channel(labels.iter().cloned()));
    }
    for (name, wanted) in &job.regions {
        let find = |label: &String| {
            let found = labels.iter().position(|known| known.eq_ignore_ascii_case(label));
            found.ok_or_else(|| {
                format!("region {name:?} wants channel {label:?}; there are {}", labels.join(", "))
            })
        };
        // A region of a configuration that names no channels has all of them.
        let channels = if wanted.is_empty() {
            (0..labels.len()).collect()
        } else {
            wanted.iter().map(find).collect::<Result<Vec<usize>, String>>()?
        };
        targets.push(Target { name: name.clone(), channels, mean: job.region_mean });
    }
    Ok(targets)
}

fn read_blocks(
    recording: &mut Recording,
    conditioner: &mut Conditioner,
    lanes: &[Sender<Arc<Block>>],
    stop: &AtomicBool,
    progress: &(dyn Fn(u64, Option<u64>) + Sync),
) -> Result<(), Unfinished> {
    let width = recording.description().channels.len();
    let (mut values, mut stamps_s) = (vec![0.0; width * BLOCK], vec![0.0; BLOCK]);
    let (mut done, total) = (0, recording.samples());
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(Unfinished::Interrupted);
        }
        let count = recording
            .read_block(&mut values, &mut stamps_s)
            .map_err(|error| Unfinished::Broken(error.to_string()))?;
        if count == 0 {
            return Ok(());
        }
        let mut block = Block { headers: Vec::with_capacity(count), samples_uv: Vec::new() };
        block.samples_uv.reserve(count * conditioner.channels().len());
        let (values, stamps_s) = (values.get(..count * width), stamps_s.get(..count));
        // A file has no arrival times, and its clock is the one that counts.
        conditioner.push(
            values.unwrap_or_default(),
            stamps_s.unwrap_or_default(),
            0.0,
            f64::NAN,
            |header, samples_uv| {
                block.headers.push(*header);
                block.samples_uv.extend_from_slice(samples_uv);
            },
        );
        let block = Arc::new(block);
        for lane in lanes {
            // A lane that is gone was told so by the writer, whose reason is reported.
            if lane.send(Arc::clone(&block)).is_err() {
                return Ok(());
            }
        }
        done += count as u64;
        progress(done, total);
    }
}

/// Gives the number of epochs that were left out.
fn run_worker(mut worker: Worker, blocks: &Receiver<Arc<Block>>, writer: &Sender<Vec<Row>>) -> u64 {
    for block in blocks {
        let mut rows = Vec::new();
        let width = block.samples_uv.len() / block.headers.len().max(1);
        for (header, samples_uv) in block.headers.iter().zip(block.samples_uv.chunks_exact(width.max(1))) {
            worker.push(header, samples_uv, &mut rows);
        }
        if writer.send(rows).is_err() {
            break;
        }
    }
    match worker {
        Worker::Lane(mut lane) => {
            let mut rows = Vec::new();
            lane.finish(&mut rows);
            // A writer that is gone has said why.
            let _ = writer.send(rows);
            0
        }
        Worker::Epochs(lane) => lane.end(),
    }
}

/// Each lane sends one list a block; a window's rows come out in the order of their targets. Returns how many rows, and
/// how many of them are valid.
fn write_rows(
    lanes: &[Receiver<Vec<Row>>],
    names: &[String],
    write: &mut impl FnMut(&str, &Row) -> Result<(), String>,
) -> Result<(u64, u64), String> {
    let (mut count, mut valid) = (0, 0);
    loop {
        let mut parts = Vec::with_capacity(lanes.len());
        for lane in lanes {
            match lane.recv() {
                Ok(rows) => parts.push(rows.into_iter().peekable()),
                Err(_) => return Ok((count, valid)),
            }
        }
        while let Some(time_s) = parts.first_mut().and_then(|rows| rows.peek()).map(|row| row.time_s) {
            for rows in &mut parts {
                while let Some(row) = rows.next_if(|row| row.time_s.total_cmp(&time_s).is_eq()) {
                    write(names.get(row.target).map_or("", String::as_str), &row)?;
                    count += 1;
                    valid += u64::from(row.is_valid());
                }
            }
        }
    }
}

//! The live runtime: every thread, ring, channel and priority on this page.
//!
//! ```text
//! thread (priority)   takes                         gives
//! acquire   (FIFO 70) LSL inlet                     loop ring, record ring (SPSC, 10 s each); notes
//! loop      (FIFO 75) loop ring                     commands (bounded channel); notes
//! stimulate (FIFO 80) commands                      device queue; delivered ring (SPSC, 10 s); notes
//! observe   (none)    notes, record ring,           screen's view (a mutex that the three above never take),
//!                     delivered ring, markers       outlets, entries for `record` (bounded channel)
//! markers   (none)    LSL marker streams            markers (bounded channel)
//! tras-serial (78)    a ring of bytes               the serial port, and back (only with that adapter)
//! audio     (79)      rings of bytes and samples    the output's buffers (only with that adapter)
//! record    (none)    entries                       XDF file
//! dashboard (none)    view                          keys
//! main      (none)    signals, keys                 control words
//! ```
//! What an observer is too slow for is dropped and counted. Nothing in the first three threads allocates,
//! locks, logs or blocks once they run; `tests/no_allocation.rs` proves the first.

mod acquire;
pub mod control;
mod loop_thread;
mod markers;
mod observe;
mod record;
mod stimulate;
mod watch_over;

use std::{
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::bounded;
use ringbuf::{HeapRb, traits::Split};

use self::{
    control::Control, loop_thread::LoopThread, observe::Observer, stimulate::StimulateThread,
    watch_over::watch_over,
};
use super::{
    build::Built,
    digest::Digest,
    keep::Keeper,
    observation::Notes,
    signals::Signals,
    stages::{acquire::AcquireStage, closed_loop::LoopStage, stimulate::StimulateStage},
    summary::Summary,
    view_feed::ViewFeed,
    watch::CurrentWatch,
};
use crate::{
    acquisition::{Source, conditioner::Conditioner, lsl::LslSource, settings::AcquisitionError},
    clock, dashboard,
    failure::Failure,
    outlets::{OutletSettings, Outlets},
    realtime::{self, Granted},
    recorder::Recorder,
    ring::frame_ring,
    session::dose::DoseLedger,
    stimulator::Delivered,
};

/// Seconds of data that a ring holds.
const RING_S: f64 = 10.0;
/// Notes, commands and entries under way at most.
const NOTES: usize = 8_192;
const COMMANDS: usize = 256;
const ENTRIES: usize = 4_096;
/// A thread that has started says within this what priority it got.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// How a run is watched.
#[derive(Clone, Debug)]
pub enum Watching {
    /// In the dashboard.
    Dashboard(dashboard::Options),
    /// By one line a second on standard error or output.
    Lines,
}

/// Real-time threads give back what they counted.
struct Acquired {
    counts: crate::acquisition::conditioner::Counts,
    overruns: u64,
    warnings: Vec<String>,
}

/// Runs until the plan is done, the time is up, or someone says stop.
///
/// # Errors
/// Something that the configuration asks for is not there, or does not fit. Faults during the run are in the
/// summary.
pub fn run(built: &Built, watching: &Watching) -> Result<Summary, Failure> {
    let fault = |e: std::io::Error| Failure::Fault(e.to_string());
    let signals = Signals::register().map_err(fault)?;
    let control = Arc::new(Control::default());
    let watch = Arc::new(CurrentWatch::default());
    let (notes, notes_out) = Notes::channel(NOTES);

    // Everything that may be missing or refused is asked for here, before any thread starts.
    let source = LslSource::open(&built.acquisition(), built.patience_s).map_err(not_found)?;
    let description = source.description().clone();
    let conditioner = Conditioner::new(&description, &built.acquisition()).map_err(not_found)?;
    built.config.check_against_rate(description.rate_hz).map_err(|e| Failure::Usage(e.to_string()))?;
    let labels: Vec<String> = conditioner.channels().iter().map(|c| c.label.clone()).collect();
    let estimator = built.estimator(description.rate_hz, &labels)?;
    let targets = estimator.settings().targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>();
    let mut warnings = estimator.warnings().to_vec();
    let hop_frames = estimator.hop_samples();
    let controller = built.controller()?;
    let decision = controller.decision();
    let began_s = clock::now_s();
    let device = if built.stimulates() { Some(built.stimulator(began_s)?) } else { None };
    let rate_hz = device.as_ref().map_or(1.0, |device| device.rate_hz());
    let planned = if built.stimulates() { built.config.plan().cautions } else { Vec::new() };
    for caution in device.iter().flat_map(|device| device.cautions()).chain(planned) {
        // Before anything can flow, and once more in the summary.
        eprintln!("tras: {caution}");
        warnings.push(caution);
    }
    let current = if built.stimulates() { Some(built.current(rate_hz)?) } else { None };
    let ledger = match &current {
        // Nothing flows into a person from a simulation.
        Some(_) if built.config.stimulator.kind.is_real() => Some(open_ledger(built)?),
        _ => None,
    };
    let outlets = open_outlets(built, &targets, rate_hz)?;
    let keeper = match &built.record {
        None => None,
        Some(folder) => {
            let session = built.session_streams(&description, conditioner.channels(), targets, rate_hz);
            let recorder = Recorder::create(folder, "session", &session, began_s)
                .map_err(|e| Failure::Usage(e.to_string()))?;
            Some(Keeper::new(recorder, rate_hz, built.config.record.eeg))
        }
    };
    let view = Arc::new(Mutex::new(built.view(&description, &labels, device.as_deref())));

    // Rings and channels.
    let ring_frames = (description.rate_hz * RING_S).ceil() as usize;
    let (mut to_loop, from_acquire) = frame_ring(labels.len(), ring_frames);
    let (mut to_record, frames) = frame_ring(labels.len(), ring_frames);
    let (delivered_in, delivered_out) = HeapRb::<Delivered>::new((rate_hz * RING_S).ceil() as usize).split();
    let (commands_in, commands_out) = bounded(COMMANDS);
    let (entries_in, entries_out) = bounded(ENTRIES);
    let (markers_in, markers_out) = bounded(NOTES);
    let (granted_in, granted_out) = bounded::<(&'static str, Granted)>(8);

    // Threads. Each real-time one asks for its priority and says what it got.
    let mut acquire_stage = AcquireStage::new(source, conditioner, notes.clone());
    let (loop_control, granted) = (Arc::clone(&control), granted_in.clone());
    let acquire: JoinHandle<Acquired> = spawn("tras-acquire", move || {
        let _ = granted.send(("acquire", realtime::promote(70)));
        acquire::run(&mut acquire_stage, &mut to_loop, &mut to_record, &loop_control);
        let mut warnings = Vec::new();
        warnings.extend(acquire_stage.source().sender_lag().map(|lag| {
            format!(
                "the sender sends chunks of {:.2} s: every estimate is so much late, and loss is noticed after {:.2} s",
                lag.chunk_s, lag.lost_after_s
            )
        }));
        warnings.extend(acquire_stage.source().refused());
        Acquired { counts: *acquire_stage.conditioner().counts(), overruns: to_loop.overruns(), warnings }
    })?;

    let stage =
        LoopStage::new(built.loop_settings(), estimator, controller, Arc::clone(&watch), notes.clone());
    let mut thread = LoopThread {
        stage,
        ring: from_acquire,
        commands: commands_in,
        control: Arc::clone(&control),
        hop_frames,
        commands_dropped: 0,
        since_hop: 0,
        burst: 1,
    };
    let (granted, width) = (granted_in.clone(), labels.len());
    let looping: JoinHandle<()> = spawn("tras-loop", move || {
        let _ = granted.send(("loop", realtime::promote(75)));
        let mut values = vec![0.0; width];
        thread.run(&mut values);
    })?;

    let stimulate: Option<JoinHandle<u64>> = match (current, device) {
        (Some(current), Some(device)) => {
            let burst = built.burst();
            let stage = StimulateStage::new(burst, current, device, decision, watch, notes.clone(), began_s);
            let mut thread = StimulateThread {
                stage,
                commands: commands_out,
                delivered: delivered_in,
                delivered_dropped: 0,
                control: Arc::clone(&control),
            };
            let granted = granted_in.clone();
            Some(spawn("tras-stimulate", move || {
                let _ = granted.send(("stimulate", realtime::promote(80)));
                thread.run();
                thread.delivered_dropped
            })?)
        }
        _ => {
            control.report_safe();
            None
        }
    };
    drop(granted_in);
    let threads = 2 + usize::from(stimulate.is_some());
    let answers = (0..threads).filter_map(|_| granted_out.recv_timeout(ANSWER_WITHIN).ok());
    warnings.extend(refusals(answers));
    if !realtime::lock_memory() {
        warnings
            .push("memory is not locked (RLIMIT_MEMLOCK): a page fault may delay a real-time thread".into());
    }

    let recording = match keeper {
        None => None,
        Some(keeper) => Some(spawn("tras-record", move || record::run(keeper, &entries_out))?),
    };
    let markers = markers::spawn(built, markers_in, Arc::clone(&control))?;
    let observer = Observer {
        notes: notes_out,
        frames,
        delivered: delivered_out,
        markers: markers_out,
        feed: ViewFeed::new(Arc::clone(&view), rate_hz, began_s),
        outlets: None,
        record: recording.is_some().then_some(entries_in),
        digest: Digest::new(built.loop_settings().steer, rate_hz, built.dc_warn_ma()),
        control: Arc::clone(&control),
        dropped: 0,
    };
    // Outlets are not `Send`: their own thread opens them.
    let observing: JoinHandle<(Digest, u64)> = spawn("tras-observe", move || {
        Observer { outlets: outlets.and_then(|open| open()), ..observer }.run()
    })?;

    let mut faults = watch_over(built, watching, &control, &signals, &view, ledger, began_s);

    control.quit();
    let acquired = join(acquire)?;
    join(looping)?;
    let undelivered = stimulate.map(join).transpose()?.unwrap_or_default();
    let (digest, dropped) = join(observing)?;
    join(markers)?;
    if let Some(recording) = recording {
        faults.extend(join(recording)?);
    }

    let mut summary = digest.summary(&acquired.counts, acquired.overruns, rate_hz);
    summary.seconds = clock::now_s() - began_s;
    summary.observations_dropped = notes.dropped() + dropped + undelivered;
    summary.record_dir = built.record.clone();
    summary.cpu_cores = realtime::processor_seconds() / summary.seconds;
    summary.faults.extend(faults);
    warnings.extend(acquired.warnings);
    if digest.skipped() > 0 {
        let skipped = digest.skipped();
        warnings.push(format!("{skipped} windows were passed over because a newer one was there"));
    }
    warnings.append(&mut summary.warnings);
    summary.warnings = warnings;
    Ok(summary)
}

fn not_found(error: AcquisitionError) -> Failure {
    if error.is_not_found() {
        Failure::NotFound(error.to_string())
    } else {
        Failure::Usage(error.to_string())
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Failure> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|e| Failure::Fault(format!("cannot start thread {name}: {e}")))
}

fn join<T>(handle: JoinHandle<T>) -> Result<T, Failure> {
    let name = handle.thread().name().unwrap_or("?").to_owned();
    handle.join().map_err(|_| Failure::Fault(format!("thread {name} panicked; this is a defect of tras")))
}

/// One warning for all threads that were refused real time.
fn refusals(granted: impl Iterator<Item = (&'static str, Granted)>) -> Option<String> {
    let refused: Vec<&str> =
        granted.filter(|(_, got)| matches!(got, Granted::Ordinary(_))).map(|(name, _)| name).collect();
    (!refused.is_empty()).then(|| {
        format!(
            "real-time priority refused for {}: see the latencies for what that costs",
            refused.join(", ")
        )
    })
}

fn open_ledger(built: &Built) -> Result<DoseLedger, Failure> {
    let (record, limits) = (&built.config.record, &built.config.limits);
    DoseLedger::open(record.dir.as_ref(), &record.participant, limits.daily_min, clock::unix_s())
        .map_err(|e| Failure::Usage(e.to_string()))
}

type OpenOutlets = Box<dyn FnOnce() -> Option<Outlets> + Send>;

/// Opens the outlets once to see that they can be, and gives what opens them in their thread.
fn open_outlets(built: &Built, targets: &[String], rate_hz: f64) -> Result<Option<OpenOutlets>, Failure> {
    if !built.config.outlets.enabled {
        return Ok(None);
    }
    let settings = OutletSettings { prefix: built.config.outlets.prefix.clone(), notes: Vec::new() };
    drop(Outlets::open(&settings, targets, rate_hz).map_err(|e| Failure::Usage(e.to_string()))?);
    let targets = targets.to_vec();
    Ok(Some(Box::new(move || Outlets::open(&settings, &targets, rate_hz).ok())))
}

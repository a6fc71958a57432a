//! The live runtime: every thread, ring, channel and priority on this page.
//!
//! ```text
//! thread (priority)   takes                         gives
//! acquire   (FIFO 70) ring of the inlet's process   loop ring, record ring (SPSC, 10 s each); notes
//! loop      (FIFO 75) loop ring                     commands (bounded channel); notes
//! stimulate (FIFO 80) commands                      device queue; delivered ring (SPSC, 10 s); notes
//! observe   (none)    notes, record ring,           screen's view (a mutex that the three above never take),
//!                     delivered ring, markers       outlets, entries for `record` (bounded channel)
//! markers   (none)    ring of the markers' process  markers (bounded channel)
//! children  (none)    signs of life, messages       new child processes in place of dead ones
//! tras-serial (78)    a ring of bytes               the serial port, and back (only with that adapter)
//! audio     (79)      rings of bytes and samples    the output's buffers (only with that adapter)
//! record    (none)    entries                       XDF file
//! ledger    (none)    seconds of current            the day's dose on disk, and how much is left (control words)
//! stops     (none)    keys                          control words
//! dashboard (none)    view                          keys
//! main      (none)    time, signs of life           control words
//! ```
//! What an observer is too slow for is dropped and counted. Nothing in the first three threads allocates,
//! locks, logs or blocks once they run; `tests/allocation/no_allocation.rs` proves the first.

mod acquire;
mod confirm;
pub mod control;
pub mod json_lines;
mod keys;
mod ledger;
mod loop_thread;
mod markers;
mod observe;
mod record;
pub mod refit;
mod session;
mod stimulate;
mod threads;
mod watch_over;

use std::sync::{Arc, Mutex};

use crossbeam_channel::bounded;
use ringbuf::{HeapRb, traits::Split};

use self::{
    acquire::AcquireThread,
    confirm::Confirm,
    control::Control,
    json_lines::JsonLines,
    ledger::Ledger,
    loop_thread::LoopThread,
    observe::Observer,
    session::LiveSession,
    stimulate::StimulateThread,
    threads::{Granted, join, refusals, spawn, spawn_real_time},
    watch_over::WatchOver,
};
use super::{
    assemble::{AnySource, Parts},
    conduct::task::SessionTask,
    digest::Digest,
    ended::EndedBy,
    keep::Keeper,
    observation::Note,
    signals::Signals,
    summary::Summary,
    view_feed::ViewFeed,
};
use crate::{
    child::supervise::supervise, clock, dashboard, failure::Failure, markers::Markers,
    outlets::remote::RemoteOutlets, realtime, ring::frame_ring, stimulator::Delivered,
};

/// Seconds of data that a ring holds.
const RING_S: f64 = 10.0;
/// Commands and markers under way at most.
const COMMANDS: usize = 256;
/// A hundred batches of frames and as many of current a second: a disk that stalls for a minute costs nothing.
const ENTRIES: usize = 16_384;
const MARKERS: usize = 8_192;

/// How a run is watched.
#[derive(Clone, Debug)]
pub enum Watching {
    /// In the dashboard.
    Dashboard(dashboard::Options),
    /// By one line a second, on standard error where standard output is a script's.
    Lines {
        /// Whether it is.
        to_stderr: bool,
    },
}

/// Runs until the plan is done, the time is up, or someone says stop. `told`: the lines that a script reads.
///
/// # Errors
/// A stream of our own cannot be opened, or a thread not be started. Faults during the run are in the summary.
pub fn run(
    parts: Parts<AnySource>,
    signals: &Signals,
    watching: &Watching,
    mut told: Option<JsonLines>,
) -> Result<Summary, Failure> {
    let Parts {
        acquire,
        looping,
        stimulate,
        notes,
        notes_out,
        digest,
        keeper,
        view,
        outlets,
        ledger,
        conductor,
        task,
        news,
        shape,
        markers: marker_order,
        mut children,
        refit,
        moved,
        ..
    } = parts;
    let mut warnings = parts.warnings;
    for caution in parts.cautions {
        // Before anything can flow, and once more in the summary.
        eprintln!("tras: {caution}");
        warnings.push(caution);
    }
    // Everything that talks to the network runs in processes of its own, and is there before current can flow.
    let outlets = outlets.map(|order| RemoteOutlets::start(&order)).transpose().map_err(Failure::usage)?;
    let outlets = outlets.map(|(outlets, child)| {
        children.push(child);
        outlets
    });
    let task = task.map(|order| SessionTask::start(&order)).transpose().map_err(Failure::usage)?;
    let control = Arc::new(Control::default());
    let view = Arc::new(Mutex::new(view));
    if let Some(ledger) = &ledger {
        let (given_min, left_min) = (ledger.given_s() / 60.0, ledger.left_s() / 60.0);
        eprintln!(
            "tras: this participant has had {given_min:.1} min of stimulation in the last 24 h, {left_min:.1} min are left \
             (ledger {})",
            ledger.path().display()
        );
    }
    let board = conductor.as_ref().map(|conductor| (conductor.board(), conductor.blind()));
    let blind = board.as_ref().is_some_and(|(_, blind)| *blind);
    // While the session is blind, the most that any condition could have had: the ledger can be read.
    let reckoned = board.filter(|(_, blind)| *blind).map(|(board, _)| board);
    let ledger = ledger.map(|ledger| Ledger::start(ledger, Arc::clone(&control), reckoned)).transpose()?;

    // Rings and channels.
    let ring_frames = (shape.eeg_rate_hz * RING_S).ceil() as usize;
    let (to_loop, from_acquire) = frame_ring(shape.channels, ring_frames);
    let (to_record, frames) = frame_ring(shape.channels, ring_frames);
    let delivered = HeapRb::<Delivered>::new((shape.current_rate_hz * RING_S).ceil() as usize);
    let (delivered_in, delivered_out) = delivered.split();
    let (seen_in, seen_out) =
        HeapRb::<Delivered>::new((shape.current_rate_hz * RING_S).ceil() as usize).split();
    let (commands_in, commands_out) = bounded(COMMANDS);
    let (entries_in, entries_out) = bounded(ENTRIES);
    let (markers_in, markers_out) = bounded(MARKERS);

    // Real-time threads. Each asks for its priority and says what it got.
    let (granted_in, granted_out) = bounded::<Granted>(8);
    let mut thread = AcquireThread { stage: acquire, to_loop, to_record, control: Arc::clone(&control) };
    let acquiring = spawn_real_time("acquire", 70, &granted_in, move || thread.run())?;
    let (refitter, refits) = refit::refits(refit);
    let mut thread =
        LoopThread::new(looping, from_acquire, seen_out, commands_in, Arc::clone(&control), refits);
    let deciding = spawn_real_time("loop", 75, &granted_in, move || thread.run())?;
    let mut stimulating = None;
    if let Some(stage) = stimulate {
        let mut thread = StimulateThread::new(
            stage,
            commands_out,
            delivered_in,
            seen_in,
            Arc::clone(&control),
            signals.word(),
        );
        stimulating = Some(spawn_real_time("stimulate", 80, &granted_in, move || thread.run())?);
    } else {
        control.report_safe();
    }
    drop(granted_in);
    warnings.extend(refusals(&granted_out, 2 + usize::from(stimulating.is_some())));
    if !realtime::lock_memory() {
        warnings
            .push("memory is not locked (RLIMIT_MEMLOCK): a page fault may delay a real-time thread".into());
    }

    // Threads that nothing waits for.
    let records = keeper.is_some();
    let pulse = keeper.as_ref().map(Keeper::pulse);
    let recording = keeper
        .map(|keeper| {
            let control = Arc::clone(&control);
            spawn("tras-record", move || record::run(keeper, &entries_out, &control))
        })
        .transpose()?;
    let mut marking = None;
    if marker_order.any() && (records || conductor.is_some()) {
        let (mut source, child) = Markers::start(&marker_order).map_err(Failure::fault)?;
        children.push(child);
        let listening = Arc::clone(&control);
        marking = Some(spawn("tras-markers", move || markers::listen(&mut source, &markers_in, &listening))?);
    }
    let (run, ran) = bounded::<()>(0);
    let telling = notes.clone();
    let supervising = spawn("tras-children", move || {
        supervise(children, &ran, &mut |role, news| telling.tell(clock::now_s(), Note::Child(role, news)));
    })?;
    lock(&view).blinded = blind;
    let conducted =
        conductor.map(|c| LiveSession::new(c, pulse.clone(), Arc::clone(&view), task, shape.began_s));
    let (session, typed) = conducted.unzip();
    let confirm = moved.map(|moved| Confirm { moved, notes: notes.clone() });
    // On a screen keys are read by it.
    if matches!(watching, Watching::Lines { .. }) {
        session::read_lines(typed.clone(), confirm.clone()).map_err(Failure::fault)?;
    }
    told.iter_mut().for_each(|told| told.begin(shape.began_s));
    let observer = Observer {
        told,
        targets: shape.targets.clone(),
        block: false,
        clean: true,
        session,
        news,
        notes: notes_out,
        frames,
        delivered: delivered_out,
        markers: markers_out,
        feed: ViewFeed::new(Arc::clone(&view), shape.current_rate_hz, shape.began_s, shape.unclean_s),
        outlets,
        record: records.then_some(entries_in),
        digest,
        refitter,
        control: Arc::clone(&control),
        dropped: 0,
    };
    let observing = spawn("tras-observe", move || observer.run())?;

    // This thread: signals, keys, time; it comes back when the current has ended.
    let mut faults =
        WatchOver { control: &control, signals, view: &view, shape: &shape, pulse, typed, confirm }
            .run(watching);
    // Before the ledger is waited for: where no zero was confirmed, this is what it writes its last entry on.
    control.quit();
    if let Some(ledger) = ledger {
        faults.extend(ledger.finish());
    }
    let acquired = join(acquiring)?;
    join(deciding)?;
    let undelivered = stimulating.map(join).transpose()?.unwrap_or_default();
    let (digest, dropped, told) = join(observing)?;
    marking.map(join).transpose()?;
    // Last, so that what was told at the end still goes out.
    drop(run);
    join(supervising)?;
    if let Some(recording) = recording {
        faults.extend(join(recording)?);
    }

    let mut summary = digest.summary(&acquired.counts, acquired.overruns, control.active_s());
    if blind {
        summary.hide();
    }
    (summary.rate_nominal_hz, summary.rate_measured_hz) = acquired.rates_hz;
    summary.stimulates = shape.stimulates;
    summary.ended = control.ended_by().unwrap_or(EndedBy::Fault);
    summary.seconds = clock::now_s() - shape.began_s;
    summary.observations_dropped = notes.dropped() + dropped + undelivered;
    summary.record_dir = shape.record_dir;
    summary.cpu_cores = realtime::processor_seconds() / summary.seconds;
    summary.faults.extend(faults);
    warnings.extend(acquired.warnings);
    warnings.extend(passed_over(&digest));
    warnings.append(&mut summary.warnings);
    summary.warnings = warnings;
    if let Some(told) = told {
        summary.observations_dropped += told.dropped();
        told.finish(&summary);
    }
    Ok(summary)
}

fn lock(view: &Mutex<dashboard::View>) -> std::sync::MutexGuard<'_, dashboard::View> {
    view.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn passed_over(digest: &Digest) -> Option<String> {
    let skipped = digest.skipped();
    (skipped > 0).then(|| format!("{skipped} windows were passed over because a newer one was there"))
}

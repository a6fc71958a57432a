//! The virtual runtime: one thread and a clock that is a counter. A session of 40 minutes takes seconds, and
//! the same seed gives the same bytes, because everything it drives is the core that the live runtime drives.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::{
    build::Built,
    digest::Digest,
    events,
    keep::{CurrentRuns, Entry, Keeper},
    observation::{Halt, Note, Notes, Stamped},
    stages::{
        acquire::AcquireStage,
        closed_loop::{Command, LoopStage},
        stimulate::StimulateStage,
    },
    summary::Summary,
    watch::CurrentWatch,
};
use crate::{
    acquisition::state::StreamState,
    acquisition::{Source, conditioner::Conditioner, frame::FrameHeader},
    failure::Failure,
    recorder::Recorder,
    simulation::source::SimulatedSource,
    stimulator::{State, Stop},
};

/// One turn of the loop, in s.
const TURN_S: f64 = 0.005;
/// The virtual clock does not start at 0, as no real one does.
const START_S: f64 = 1_000.0;
/// After the end, the ramp down of 1 s and the device's queue have so long.
const SAFE_WITHIN_S: f64 = 5.0;
/// Notes of one turn at most.
const NOTES: usize = 65_536;

/// The stages and what observes them.
struct Virtual {
    acquire: AcquireStage<SimulatedSource>,
    looping: LoopStage,
    stimulate: Option<StimulateStage>,
    /// Of the current; 1 without any.
    rate_hz: f64,
    commands: Vec<Command>,
    notes: Notes,
    notes_out: Receiver<Stamped>,
    digest: Digest,
    keeper: Option<Keeper>,
    runs: CurrentRuns,
}

/// Runs `built` on its simulated participant and stimulator. `progress` is told the virtual seconds done.
///
/// # Errors
/// The configuration does not fit the simulation.
pub fn run(built: &Built, progress: &mut dyn FnMut(f64)) -> Result<Summary, Failure> {
    let mut all = Virtual::new(built)?;
    let seconds = built.seconds.unwrap_or_else(|| built.schedule().map_or(60.0, |s| s.total_s()));
    let mut ending_since_s: Option<f64> = None;
    let mut maintained_s = START_S;
    let mut turn = 0_u64;
    let now_s = loop {
        turn += 1;
        let now_s = START_S + turn as f64 * TURN_S;
        let stream = all.read(now_s);
        all.commands.extend(all.looping.plan(stream, now_s));
        let over = now_s - START_S >= seconds || all.looping.done() || stream == StreamState::Ended;
        if over && ending_since_s.is_none() {
            ending_since_s = Some(now_s);
            all.end(now_s);
        }
        all.write(now_s);
        all.observe();
        if now_s - maintained_s >= 1.0 {
            maintained_s = now_s;
            all.maintain(now_s);
            progress((now_s - START_S).min(seconds));
        }
        if let Some(since_s) = ending_since_s {
            let at_rest = all.stimulate.as_ref().is_none_or(StimulateStage::at_rest);
            if at_rest || now_s - since_s > SAFE_WITHIN_S {
                if !at_rest {
                    all.digest
                        .fault("the stimulator did not report zero current within 5 s of the end".to_owned());
                }
                break now_s;
            }
        }
    };
    Ok(all.close(built, now_s))
}

impl Virtual {
    fn new(built: &Built) -> Result<Self, Failure> {
        let usage = |e: &dyn std::fmt::Display| Failure::Usage(e.to_string());
        let source =
            SimulatedSource::new(&built.participant(), built.seed, START_S, None).map_err(|e| usage(&e))?;
        let mut acquisition = built.acquisition();
        // One process, one stamp a sample: there is nothing to smooth.
        acquisition.settle_s = 0.0;
        let stream = source.description().clone();
        let conditioner = Conditioner::new(&stream, &acquisition).map_err(|e| usage(&e))?;
        let labels: Vec<String> = conditioner.channels().iter().map(|c| c.label.clone()).collect();
        let (notes, notes_out) = Notes::channel(NOTES);
        let watch = Arc::new(CurrentWatch::default());
        let estimator = built.estimator(stream.rate_hz, &labels)?;
        let targets = estimator.settings().targets.iter().map(|target| target.name.clone()).collect();
        let controller = built.controller()?;
        let decision = controller.decision();
        let settings = built.loop_settings();
        let mut rate_hz = 1.0;
        let mut stimulate = None;
        if built.stimulates() {
            let device = built.stimulator(START_S)?;
            rate_hz = device.rate_hz();
            let (current, watch) = (built.current(rate_hz)?, Arc::clone(&watch));
            let (burst, notes) = (built.burst(), notes.clone());
            stimulate = Some(StimulateStage::new(burst, current, device, decision, watch, notes, START_S));
        }
        let keeper = match &built.record {
            None => None,
            Some(folder) => {
                let session = built.session_streams(&stream, conditioner.channels(), targets, rate_hz);
                let recorder =
                    Recorder::create(folder, "session", &session, START_S).map_err(|e| usage(&e))?;
                Some(Keeper::new(recorder, rate_hz, built.config.record.eeg))
            }
        };
        Ok(Self {
            acquire: AcquireStage::new(source, conditioner, notes.clone()),
            looping: LoopStage::new(settings, estimator, controller, watch, notes.clone()),
            stimulate,
            rate_hz,
            commands: Vec::new(),
            notes,
            notes_out,
            digest: Digest::new(settings.steer, rate_hz, built.dc_warn_ma()),
            keeper,
            runs: CurrentRuns::new(),
        })
    }

    /// EEG that is due: acquire and loop.
    fn read(&mut self, now_s: f64) -> StreamState {
        let Self { acquire, looping, commands, keeper, .. } = self;
        acquire.source().advance_to(now_s);
        let mut headers: Vec<FrameHeader> = Vec::new();
        let mut values_uv: Vec<f32> = Vec::new();
        let stream = acquire.step(&mut || now_s, &mut |header, samples_uv| {
            if keeper.is_some() {
                headers.push(*header);
                values_uv.extend_from_slice(samples_uv);
            }
            if looping.frame(header, samples_uv, now_s) {
                looping.hop(now_s, &mut |decision| {
                    commands.push(Command::Decide(decision));
                    now_s
                });
            }
        });
        if !headers.is_empty() {
            self.keep(&Entry::Frames(headers, values_uv));
        }
        stream
    }

    /// Current that is due: stimulate. What the device delivers reaches the participant.
    fn write(&mut self, now_s: f64) {
        let Self { acquire, stimulate, commands, digest, keeper, runs, rate_hz, .. } = self;
        let Some(stage) = stimulate else { return commands.clear() };
        for command in commands.drain(..) {
            stage.command(command, now_s);
        }
        let participant = acquire.source();
        stage.step(true, now_s, &mut |sample| {
            digest.delivered(sample.current_ma);
            if let (Some(run), Some(keeper)) = (runs.push(&sample), keeper.as_mut()) {
                keeper.keep(&run);
            }
            participant.deliver(sample.stamp_s, *rate_hz, &[sample.current_ma]);
        });
    }

    /// Everything that the stages have told.
    fn observe(&mut self) {
        while let Ok(stamped) = self.notes_out.try_recv() {
            self.digest.note(&stamped);
            if let Note::Host { state, exponent, rms_ma, .. } = stamped.note {
                let on = matches!(state, State::RampUp | State::Stimulating);
                self.acquire.source().set_drive(on.then_some((exponent, rms_ma)));
            }
            if matches!(stamped.note, Note::Estimate(_)) || events::json(&stamped).is_some() {
                self.keep(&Entry::Note(Box::new(stamped)));
            }
        }
    }

    fn end(&mut self, now_s: f64) {
        self.looping.end(Halt::Operator, now_s);
        if let Some(stage) = &mut self.stimulate {
            stage.lock(Stop::Soft, Halt::Operator, now_s);
        }
    }

    fn keep(&mut self, entry: &Entry) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(entry);
        }
    }

    fn maintain(&mut self, now_s: f64) {
        if let Some(run) = self.runs.take() {
            self.keep(&run);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.maintain(now_s);
        }
    }

    fn close(mut self, built: &Built, now_s: f64) -> Summary {
        if let Some(stage) = &mut self.stimulate {
            stage.disarm(now_s);
        }
        self.maintain(now_s);
        let mut summary = self.digest.summary(self.acquire.conditioner().counts(), 0, self.rate_hz);
        summary.seconds = now_s - START_S;
        summary.record_dir.clone_from(&built.record);
        summary.observations_dropped = self.notes.dropped();
        let left_out = self.acquire.source().current_left_out();
        if left_out > 0 {
            summary.warnings.push(format!("{left_out} samples of current came too late for the participant"));
        }
        summary.faults.extend(self.keeper.and_then(|keeper| keeper.close(now_s)));
        summary
    }
}

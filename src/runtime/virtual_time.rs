//! The virtual runtime: one thread and a clock that is a counter. A session of 40 minutes takes seconds, and
//! the same seed gives the same bytes, because everything it drives is the core that the live runtime drives.

use std::sync::Arc;

use super::{
    build::Built,
    digest::Digest,
    events,
    keep::{CurrentRuns, Entry, Keeper},
    observation::{Note, Notes, StreamState},
    stages::{acquire::AcquireStage, closed_loop::Command, closed_loop::LoopStage, stimulate::StimulateStage},
    summary::Summary,
    watch::CurrentWatch,
};
use crate::{
    acquisition::conditioner::Conditioner,
    cli::CliError,
    recorder::Recorder,
    simulation::source::SimulatedSource,
    acquisition::Source,
    stimulator::{State, Stop},
};

/// One turn of the loop, in s: the period of the live stimulate thread would give the same, slower.
const TURN_S: f64 = 0.005;
/// The virtual clock does not start at 0, as no real one does.
const START_S: f64 = 1_000.0;
/// After the end, the ramp down of 1 s and the device's queue have so long.
const SAFE_WITHIN_S: f64 = 5.0;

/// Runs `built` on its simulated participant and stimulator. `progress` is told the virtual seconds done.
///
/// # Errors
/// The configuration does not fit the simulation.
pub fn run(built: &Built, progress: &mut dyn FnMut(f64)) -> Result<Summary, CliError> {
    let usage = |e: &dyn std::fmt::Display| CliError::Usage(e.to_string());
    let source = SimulatedSource::new(&built.participant(), built.seed, START_S, None).map_err(|e| usage(&e))?;
    let mut acquisition = built.acquisition();
    // One process, one stamp a sample: there is nothing to smooth.
    acquisition.settle_s = 0.0;
    let conditioner = Conditioner::new(source.description(), &acquisition).map_err(|e| usage(&e))?;
    let labels: Vec<String> = conditioner.channels().iter().map(|c| c.label.clone()).collect();
    let description = source.description().clone();
    let (notes, notes_out) = Notes::channel(65_536);
    let watch = Arc::new(CurrentWatch::default());
    let estimator = built.estimator(description.rate_hz, &labels)?;
    let targets = estimator.settings().targets.iter().map(|target| target.name.clone()).collect::<Vec<_>>();
    let controller = built.controller()?;
    let decision = controller.decision();
    let settings = built.loop_settings();
    let mut looping =
        LoopStage::new(settings, estimator, controller, Arc::clone(&watch), notes.clone());
    let mut acquire = AcquireStage::new(source, conditioner, notes.clone());
    let mut stimulate = if built.stimulates() {
        let device = built.stimulator(START_S)?;
        let rate_hz = device.rate_hz();
        let current = built.current(rate_hz)?;
        let watch = Arc::clone(&watch);
        Some((StimulateStage::new(built.burst(), current, device, decision, watch, notes.clone(), START_S), rate_hz))
    } else {
        None
    };
    let rate_hz = stimulate.as_ref().map_or(1.0, |(_, rate_hz)| *rate_hz);
    let mut keeper = match &built.record {
        None => None,
        Some(folder) => {
            let session = built.session_streams(&description, acquire.conditioner().channels(), targets, rate_hz);
            let recorder = Recorder::create(folder, "session", &session, START_S).map_err(|e| usage(&e))?;
            Some(Keeper::new(recorder, rate_hz))
        }
    };

    let seconds = built.seconds.unwrap_or_else(|| built.schedule().map_or(60.0, |s| s.total_s()));
    let mut digest = Digest::new(settings.steer);
    let mut runs = CurrentRuns::new();
    let mut commands: Vec<Command> = Vec::new();
    let mut turn = 0_u64;
    let mut ending_since_s: Option<f64> = None;
    let mut maintained_s = START_S;
    loop {
        turn += 1;
        let now_s = START_S + turn as f64 * TURN_S;
        acquire.source().advance_to(now_s);
        let mut frames = (Vec::new(), Vec::new());
        let stream = acquire.step(&mut || now_s, &mut |header, samples_uv| {
            if keeper.is_some() {
                frames.0.push(*header);
                frames.1.extend_from_slice(samples_uv);
            }
            if looping.frame(header, samples_uv, now_s) {
                looping.hop(now_s, &mut |decision| {
                    commands.push(Command::Decide(decision));
                    now_s
                });
            }
        });
        commands.extend(looping.plan(stream, now_s));
        let ended = now_s - START_S >= seconds || looping.done() || stream == StreamState::Ended;
        if ended && ending_since_s.is_none() {
            ending_since_s = Some(now_s);
            looping.end(super::observation::Halt::Operator, now_s);
        }
        if let Some((stage, rate_hz)) = &mut stimulate {
            for command in commands.drain(..) {
                stage.command(command, now_s);
            }
            if ending_since_s == Some(now_s) {
                stage.lock(Stop::Soft, super::observation::Halt::Operator, now_s);
            }
            let participant = acquire.source();
            stage.step(true, now_s, &mut |sample| {
                digest.delivered(sample.current_ma);
                if let Some(run) = runs.push(&sample)
                    && let Some(keeper) = &mut keeper
                {
                    keeper.keep(&run);
                }
                participant.deliver(sample.stamp_s, *rate_hz, &[sample.current_ma]);
            });
        }
        commands.clear();
        if let Some(keeper) = &mut keeper {
            if !frames.0.is_empty() {
                keeper.keep(&Entry::Frames(frames.0, frames.1));
            }
        }
        for stamped in notes_out.try_iter() {
            digest.note(&stamped);
            if let Note::Host { state, exponent, rms_ma, .. } = stamped.note {
                let on = matches!(state, State::RampUp | State::Stimulating);
                acquire.source().set_drive(on.then_some((exponent, rms_ma)));
            }
            if let Some(keeper) = &mut keeper
                && (matches!(stamped.note, Note::Estimate(_)) || events::json(&stamped).is_some())
            {
                keeper.keep(&Entry::Note(Box::new(stamped)));
            }
        }
        if now_s - maintained_s >= 1.0 {
            maintained_s = now_s;
            progress((now_s - START_S).min(seconds));
            if let Some(keeper) = &mut keeper {
                if let Some(run) = runs.take() {
                    keeper.keep(&run);
                }
                keeper.maintain(now_s);
            }
        }
        if let Some(since_s) = ending_since_s {
            let at_rest = stimulate.as_ref().is_none_or(|(stage, _)| stage.at_rest());
            if at_rest || now_s - since_s > SAFE_WITHIN_S {
                if !at_rest {
                    digest.fault("the stimulator did not report zero current within 5 s of the end".to_owned());
                }
                if let Some((stage, _)) = &mut stimulate {
                    stage.disarm(now_s);
                }
                break;
            }
        }
    }
    let now_s = START_S + turn as f64 * TURN_S;
    let mut summary = digest.summary(acquire.conditioner().counts(), 0, rate_hz);
    summary.seconds = now_s - START_S;
    summary.record_dir = built.record.clone();
    summary.observations_dropped = notes.dropped();
    if let Some(mut keeper) = keeper {
        if let Some(run) = runs.take() {
            keeper.keep(&run);
        }
        summary.faults.extend(keeper.close(now_s));
    }
    Ok(summary)
}

//! The virtual runtime: one thread and a clock that is a counter. A session of 40 minutes takes seconds, and
//! the same seed gives the same bytes, because everything it drives is the core that the live runtime drives.

use crossbeam_channel::Receiver;

use super::{
    assemble::{self, Order, Parts, Shape},
    conduct::{Conductor, Deed, Script},
    digest::Digest,
    ended::EndedBy,
    events,
    keep::{CurrentRuns, Entry, Keeper},
    observation::{Halt, Note, Notes, Stamped},
    stages::{
        acquire::AcquireStage,
        closed_loop::{Command, LoopStage},
        stimulate::StimulateStage,
    },
    summary::Summary,
};
use crate::{
    acquisition::frame::FrameHeader,
    acquisition::state::StreamState,
    failure::Failure,
    simulation::source::SimulatedSource,
    stimulator::{State, Stop},
};

/// One turn of the loop, in s.
const TURN_S: f64 = 0.005;
/// The virtual clock does not start at 0, as no real one does.
const START_S: f64 = 1_000.0;
/// After the end, the ramp down of 1 s and the device's queue have so long.
const SAFE_WITHIN_S: f64 = 5.0;

/// The stages and what observes them.
struct Virtual {
    acquire: AcquireStage<SimulatedSource>,
    looping: LoopStage,
    stimulate: Option<StimulateStage>,
    shape: Shape,
    commands: Vec<Command>,
    notes: Notes,
    notes_out: Receiver<Stamped>,
    digest: Digest,
    keeper: Option<Keeper>,
    runs: CurrentRuns,
    /// What conducts a session by a protocol, and who acts in it.
    conducted: Option<(Conductor, Script)>,
    lines: bool,
    ended: EndedBy,
}

/// Runs `order` on its simulated participant and stimulator. `progress` is told the virtual seconds done.
///
/// # Errors
/// The configuration does not fit the simulation.
pub fn run(order: &Order, progress: &mut dyn FnMut(f64)) -> Result<Summary, Failure> {
    let mut all = Virtual::new(assemble::in_virtual_time(order, START_S)?, order.seed);
    let seconds = order.length_s();
    let mut ending_since_s: Option<f64> = None;
    let mut maintained_s = START_S;
    let mut turn = 0_u64;
    let now_s = loop {
        turn += 1;
        let now_s = START_S + turn as f64 * TURN_S;
        let stream = all.read(now_s);
        all.commands.extend(all.looping.plan(stream, now_s));
        let over = [
            (all.looping.done(), EndedBy::Plan),
            (stream == StreamState::Ended, EndedBy::Stream),
            // Without `--seconds` the plan's own length.
            (now_s - START_S >= seconds, order.seconds.map_or(EndedBy::Plan, |_| EndedBy::Seconds)),
        ];
        if let Some((_, by)) = over.into_iter().find(|(is_over, _)| *is_over)
            && ending_since_s.is_none()
        {
            ending_since_s = Some(now_s);
            all.end(by, now_s);
        }
        all.write(now_s);
        all.observe();
        all.conduct(now_s);
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
    Ok(all.close(now_s))
}

impl Virtual {
    fn new(parts: Parts<SimulatedSource>, seed: u64) -> Self {
        let Parts { acquire, looping, stimulate, notes, notes_out, digest, keeper, shape, conductor, .. } =
            parts;
        let (commands, runs) = (Vec::new(), CurrentRuns::new());
        let conducted = conductor.map(|conductor| (conductor, Script::new(seed)));
        let lines = conducted.is_some();
        Self {
            acquire,
            looping,
            stimulate,
            shape,
            commands,
            notes,
            notes_out,
            digest,
            keeper,
            runs,
            conducted,
            lines,
            ended: EndedBy::default(),
        }
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
            self.keep(&Entry::Frames(headers, values_uv), now_s);
        }
        stream
    }

    /// Current that is due: stimulate. What the device delivers reaches the participant.
    fn write(&mut self, now_s: f64) {
        let Self { acquire, looping, stimulate, commands, digest, keeper, runs, shape, .. } = self;
        let Some(stage) = stimulate else { return commands.clear() };
        for command in commands.drain(..) {
            stage.command(command, now_s);
        }
        let participant = acquire.source();
        stage.step(true, now_s, &mut |sample| {
            digest.delivered(sample.current_ma);
            looping.delivered(&sample);
            if let (Some(run), Some(keeper)) = (runs.push(&sample), keeper.as_mut()) {
                keeper.keep(&run, now_s);
            }
            participant.deliver(sample.stamp_s, shape.current_rate_hz, &[sample.current_ma]);
        });
    }

    /// Everything that the stages have told.
    fn observe(&mut self) {
        while let Ok(stamped) = self.notes_out.try_recv() {
            self.digest.note(&stamped);
            if let Some((conductor, _)) = &mut self.conducted {
                conductor.note(&stamped);
            }
            if let Note::Host { state, exponent, rms_ma, .. } = stamped.note {
                let on = matches!(state, State::RampUp | State::Stimulating);
                self.acquire.source().set_drive(on.then_some((exponent, rms_ma)));
            }
            if matches!(stamped.note, Note::Estimate(_)) || events::json(&stamped).is_some() {
                let at_s = stamped.at_s;
                self.keep(&Entry::Note(Box::new(stamped)), at_s);
            }
        }
    }

    /// Conductor, operator and task, in a session by a protocol.
    fn conduct(&mut self, now_s: f64) {
        let Some((mut conductor, mut script)) = self.conducted.take() else { return };
        conductor.turn(now_s);
        let markers = script.act(&mut conductor, now_s);
        for (at_s, text) in markers {
            self.keep(&Entry::Marker(at_s, text), now_s);
        }
        for deed in conductor.deeds() {
            script.see(&deed, now_s);
            match deed {
                Deed::Log(kind, data) => self.keep(&Entry::Log(kind, data), now_s),
                Deed::Marker(text) => self.keep(&Entry::OwnMarker(now_s, text), now_s),
                Deed::Filled(filled) => self.keep(&Entry::Filled(Box::new(filled)), now_s),
                Deed::Line(text) if self.lines => println!("{:8.1} s {text}", now_s - START_S),
                Deed::Line(_) => {}
            }
        }
        self.conducted = Some((conductor, script));
    }

    fn end(&mut self, by: EndedBy, now_s: f64) {
        self.ended = by;
        self.looping.end(Halt::Ends(by), now_s);
        if let Some(stage) = &mut self.stimulate {
            stage.lock(Stop::Soft, Halt::Ends(by), now_s);
        }
    }

    fn keep(&mut self, entry: &Entry, now_s: f64) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(entry, now_s);
        }
    }

    fn maintain(&mut self, now_s: f64) {
        if let Some(run) = self.runs.take() {
            self.keep(&run, now_s);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.maintain(now_s);
        }
    }

    fn close(mut self, now_s: f64) -> Summary {
        if let Some(stage) = &mut self.stimulate {
            stage.disarm(now_s);
        }
        self.conduct(now_s);
        self.maintain(now_s);
        let blind = self.conducted.as_ref().is_some_and(|(conductor, _)| conductor.blind());
        let active_s = self.stimulate.as_ref().map_or(0.0, StimulateStage::active_s);
        let conditioner = self.acquire.conditioner();
        let mut summary = self.digest.summary(conditioner.counts(), 0, active_s);
        summary.rate_nominal_hz = conditioner.nominal_rate_hz();
        summary.rate_measured_hz = conditioner.measured_rate_hz();
        summary.stimulates = self.shape.stimulates;
        summary.ended = self.ended;
        summary.seconds = now_s - START_S;
        summary.record_dir = self.shape.record_dir;
        summary.observations_dropped = self.notes.dropped();
        let left_out = self.acquire.source().current_left_out();
        if left_out > 0 {
            summary.warnings.push(format!("{left_out} samples of current came too late for the participant"));
        }
        if blind {
            summary.hide();
        }
        summary.faults.extend(self.keeper.and_then(|keeper| keeper.close(now_s)));
        summary
    }
}

//! The loop: frames -> window -> estimate -> decision, and the session's plan -> commands.
//!
//! **Deadline**: one hop. When it is missed, frames wait in the ring; the windows that have passed are taken
//! in without being fitted (`skipped` counts them) and only the newest is estimated, so the loop never acts
//! on an old window and never falls behind for good.

use std::sync::Arc;

use crate::{
    acquisition::frame::FrameHeader,
    acquisition::state::StreamState,
    controller::{Controller, Decision},
    estimator::{Contamination, Estimate, through_current::Confirmation, window::Estimator},
    noise::Profile,
    runtime::{
        observation::{Halt, Note, Notes, SpectrumNote},
        stages::through::ThroughStage,
    },
    session::{
        course::{Course, Data, Load, Moment, Want},
        schedule::Phase,
    },
    stimulator::{Delivered, Stop},
    watch::CurrentWatch,
};

/// What the loop asks of the stimulate stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// What the next burst shall have.
    Decide(Decision),
    /// What the running burst shall come to, at the current's own slope.
    Steer(Decision),
    /// Which noise the next burst has.
    Profile(Profile),
    /// Begin a burst with the newest decision's exponent.
    Start,
    /// End the burst by its ramp.
    Finish,
    /// End the burst now.
    Stop(Stop),
}

impl From<Want> for Command {
    fn from(want: Want) -> Self {
        match want {
            Want::Start => Self::Start,
            Want::Finish => Self::Finish,
            Want::Stop => Self::Stop(Stop::Soft),
        }
    }
}

/// The numbers that the loop goes by.
#[derive(Clone, Copy, Debug)]
pub struct LoopSettings {
    /// Index of the region whose estimates steer.
    pub steer: usize,
    /// Frames within this time after zero current are not clean.
    pub blind_gap_s: f64,
    /// Older data neither make an estimate valid nor let a burst go on.
    pub max_age_s: f64,
}

/// Estimator, controller and course, with what they need to know of the moment.
pub struct LoopStage {
    settings: LoopSettings,
    /// What it follows; `None` never stimulates. Begins at the first frame.
    course: Option<Box<dyn Course>>,
    estimator: Estimator,
    controller: Controller,
    watch: Arc<CurrentWatch>,
    notes: Notes,
    begun: bool,
    ended: bool,
    /// The course has asked for a current and not ended it; whether the law has let it flow.
    released: Option<bool>,
    newest: FrameHeader,
    /// Of the newest frame: changes are told, so that a recording says it of every frame.
    contamination: Contamination,
    /// Regions and channels that are estimated.
    targets: usize,
    /// Hops whose window was not fitted because a newer one was there.
    skipped: u64,
    /// Estimates of windows under current, where they are wanted.
    through: Option<Box<ThroughStage>>,
    /// Whether they steer; `None`: never.
    confirmation: Option<Confirmation>,
}

impl LoopStage {
    /// A loop that has seen nothing.
    #[must_use]
    pub fn new(
        settings: LoopSettings,
        course: Option<Box<dyn Course>>,
        estimator: Estimator,
        controller: Controller,
        watch: Arc<CurrentWatch>,
        notes: Notes,
    ) -> Self {
        Self {
            targets: estimator.settings().targets.len(),
            settings,
            course,
            estimator,
            controller,
            watch,
            notes,
            begun: false,
            ended: false,
            released: None,
            newest: FrameHeader::default(),
            contamination: Contamination::Clean,
            skipped: 0,
            through: None,
            confirmation: None,
        }
    }

    /// With estimates of windows under current; with a confirmation they steer once it holds.
    #[must_use]
    pub fn with_through(self, through: Option<ThroughStage>, confirmation: Option<Confirmation>) -> Self {
        Self { through: through.map(Box::new), confirmation, ..self }
    }

    /// Takes a sample of current as the device delivered it.
    pub fn delivered(&mut self, sample: &Delivered) {
        if let Some(through) = &mut self.through {
            through.delivered(sample);
        }
    }

    /// The newest decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.controller.decision()
    }

    /// The session's phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.course.as_ref().map_or(Phase::Baseline, |course| course.phase())
    }

    /// Takes one frame in; `true` when it completes a hop.
    pub fn frame(&mut self, header: &FrameHeader, samples_uv: &[f32], now_s: f64) -> bool {
        if !self.begun {
            self.begun = true;
            let (phase, left_s) =
                self.course.as_mut().map_or((Phase::Baseline, f64::INFINITY), |course| course.begin(now_s));
            self.notes.tell(now_s, Note::Phase(phase, left_s));
        }
        self.newest = *header;
        let contamination = self.watch.contamination_of(header, self.settings.blind_gap_s);
        if contamination != self.contamination {
            self.contamination = contamination;
            let flowing = contamination == Contamination::Stimulating;
            self.notes.tell(now_s, Note::Flow { flowing, contamination, frame: header.index });
        }
        if let Some(through) = &mut self.through {
            through.frame(header, samples_uv, contamination);
        }
        self.estimator.push(header, samples_uv, contamination)
    }

    /// Goes on with `estimator`, made for `rate_hz`; the one before is left in its place, for a thread that may free it.
    pub fn refit(&mut self, estimator: &mut Estimator, rate_hz: f64, now_s: f64) {
        estimator.follow(&self.estimator);
        // The removal is cut to the rate that the stream said.
        if let Some(through) = &mut self.through {
            through.retire();
        }
        std::mem::swap(&mut self.estimator, estimator);
        self.notes.tell(now_s, Note::Refitted { rate_hz, frame: self.newest.index });
    }

    /// Samples from one window to the next.
    #[must_use]
    pub fn hop_frames(&self) -> usize {
        self.estimator.hop_samples()
    }

    /// Counts a hop that is passed over because a newer window is waiting.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Fits the newest window of every target and lets the steering one decide. `queued` is called with the
    /// decision, and gives the time at which it had it.
    pub fn hop(&mut self, now_s: f64, queued: &mut dyn FnMut(Decision) -> f64) {
        // The steering region first: its decision is queued before any other region is fitted.
        let estimate = self.estimator.estimate(self.settings.steer, now_s);
        let decision = self.controller.observe(&estimate, now_s);
        let queued_s = queued(self.controller.decision());
        self.notes.tell(now_s, Note::Estimate(estimate));
        let took_s = queued_s - self.newest.arrived_s;
        let since_stamp_s = queued_s - self.newest.stamp_s;
        self.notes.tell(now_s, Note::Hop { took_s, since_stamp_s, skipped: self.skipped });
        if let Some(decision) = decision {
            self.notes.tell(now_s, Note::Decision(decision));
        }
        self.tell_spectrum(&estimate, now_s);
        for target in (0..self.targets).filter(|&target| target != self.settings.steer) {
            let estimate = self.estimator.estimate(target, now_s);
            self.notes.tell(now_s, Note::Estimate(estimate));
        }
    }

    /// Follows the course. Gives the commands that this moment asks for, in their order. Behind the decision of a hop,
    /// it is time for what only looks.
    pub fn plan(&mut self, stream: StreamState, now_s: f64) -> impl Iterator<Item = Command> + use<> {
        let steered = self.see_through(now_s).map(Command::Steer);
        let mut commands = [None; 3];
        self.follow(stream, now_s, &mut commands);
        steered.into_iter().chain(commands.into_iter().flatten())
    }

    /// Tells the windows under current that are whole by now. Gives the newest decision that follows from them.
    fn see_through(&mut self, now_s: f64) -> Option<Decision> {
        let Self { through, confirmation, controller, notes, settings, released, .. } = self;
        let (through, flows) = (through.as_mut()?, *released == Some(true));
        let mut steered = None;
        through.turn(&mut |estimate, proof| {
            notes.tell(now_s, Note::Through(estimate, proof));
            let Some(confirmation) = confirmation.as_mut().filter(|_| estimate.target == settings.steer)
            else {
                return;
            };
            confirmation.window(&proof, estimate.fit.invalid.is_none());
            if confirmation.holds() && flows && proof.failed.is_none() {
                steered = controller.observe_through(&estimate, now_s).or(steered);
            }
        });
        if confirmation.is_some_and(|confirmation| confirmation.holds()) && flows {
            steered = controller.pass_through(now_s).or(steered);
        }
        if let Some(decision) = steered {
            notes.tell(now_s, Note::Decision(decision));
        }
        steered
    }

    /// The first block confirms, or does not, that windows under current may steer.
    fn confirm(&mut self, phase: Phase, now_s: f64) {
        let Some(confirmation) = &mut self.confirmation else { return };
        match phase {
            Phase::Block(_) => confirmation.begin_block(),
            Phase::Ending(_) => {}
            _ => {
                if let Some(verdict) = confirmation.end_block() {
                    self.notes.tell(now_s, Note::Confirmed(verdict));
                }
            }
        }
    }

    fn follow(&mut self, stream: StreamState, now_s: f64, commands: &mut [Option<Command>; 3]) {
        let age_s = self.newest.age_s(now_s);
        let data = match stream {
            StreamState::Live if age_s > self.settings.max_age_s => Data::Stale(age_s),
            StreamState::Live => Data::Fresh,
            _ => Data::Lost,
        };
        let Some(course) = self.course.as_mut() else { return };
        let step = course.follow(&Moment { now_s, data });
        if let Some((phase, left_s)) = step.entered {
            self.notes.tell(now_s, Note::Phase(phase, left_s));
            self.confirm(phase, now_s);
        }
        match step.gave_up {
            Some(Data::Stale(age_s)) => self.notes.tell(now_s, Note::Halted(Halt::Stale(age_s))),
            Some(_) => self.notes.tell(now_s, Note::Halted(Halt::StreamLost)),
            None => {}
        }
        let [decide, profile, flow] = commands;
        match step.want {
            Some(Want::Start) => {
                let ready = step.load.is_none_or(|load| {
                    *profile = Some(Command::Profile(load.profile));
                    *decide = self.load(load, now_s).map(Command::Decide);
                    decide.is_some()
                });
                self.released = ready.then_some(false);
            }
            Some(want) => {
                *flow = Some(Command::from(want));
                self.released = None;
                // Between blocks nothing follows from the condition of the last one.
                *decide =
                    self.load(Load { law: 0, block: 0, profile: Profile::Steep }, now_s).map(Command::Decide);
                return;
            }
            None if self.released.is_some() => {
                *decide = self.controller.pass(now_s).map(|decision| {
                    self.notes.tell(now_s, Note::Decision(decision));
                    Command::Decide(decision)
                });
            }
            None => {}
        }
        // Within what the course has released, the law says whether current flows.
        let may = self.controller.decision().flow;
        if self.released.is_some_and(|flows| flows != may) {
            self.released = Some(may);
            *flow = Some(if may { Command::Start } else { Command::Finish });
        }
    }

    /// Puts a law to work. `None` where there is only one, or no such law.
    fn load(&mut self, load: Load, now_s: f64) -> Option<Decision> {
        if self.controller.laws() == 1 {
            return None;
        }
        let decision = self.controller.select(load.law, load.block, now_s)?;
        self.notes.tell(now_s, Note::Decision(decision));
        Some(decision)
    }

    /// No burst begins any more in this run.
    pub fn end(&mut self, why: Halt, now_s: f64) {
        if !self.ended {
            self.ended = true;
            self.course.iter_mut().for_each(|course| course.end());
            self.notes.tell(now_s, Note::Halted(why));
        }
    }

    /// Whether the plan is done.
    #[must_use]
    pub fn done(&self) -> bool {
        self.course.as_ref().is_some_and(|course| course.done())
    }

    fn tell_spectrum(&self, estimate: &Estimate, now_s: f64) {
        let Some(spectrum) = self.estimator.spectrum(estimate.target) else { return };
        self.notes.tell(now_s, Note::Spectrum(SpectrumNote::of(&spectrum)));
    }
}

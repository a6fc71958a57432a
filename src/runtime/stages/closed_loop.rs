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
    estimator::{Contamination, Estimate, window::Estimator},
    runtime::{
        observation::{Halt, Note, Notes, SpectrumNote},
        watch::CurrentWatch,
    },
    session::schedule::{Phase, Schedule},
    stimulator::Stop,
};

/// What the loop asks of the stimulate stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// What the next burst shall have.
    Decide(Decision),
    /// Begin a burst with the newest decision's exponent.
    Start,
    /// End the burst by its ramp.
    Finish,
    /// End the burst now.
    Stop(Stop),
}

/// The numbers that the loop goes by.
#[derive(Clone, Copy, Debug)]
pub struct LoopSettings {
    /// The plan; `None` never stimulates.
    pub schedule: Option<Schedule>,
    /// Index of the region whose estimates steer.
    pub steer: usize,
    /// Frames within this time after zero current are not clean.
    pub blind_gap_s: f64,
    /// Older data neither make an estimate valid nor let a burst go on.
    pub max_age_s: f64,
}

/// Estimator, controller and plan, with what they need to know of the moment.
pub struct LoopStage {
    settings: LoopSettings,
    estimator: Estimator,
    controller: Controller,
    watch: Arc<CurrentWatch>,
    notes: Notes,
    /// When the plan began: at the first frame.
    began_s: Option<f64>,
    phase: Phase,
    /// No burst may begin any more, in this run.
    ended: bool,
    /// The present block is given up; the next one may begin.
    block_given_up: bool,
    newest: FrameHeader,
    flowing: bool,
    /// Regions and channels that are estimated.
    targets: usize,
    /// Hops whose window was not fitted because a newer one was there.
    skipped: u64,
}

impl LoopStage {
    /// A loop that has seen nothing.
    #[must_use]
    pub fn new(
        settings: LoopSettings,
        estimator: Estimator,
        controller: Controller,
        watch: Arc<CurrentWatch>,
        notes: Notes,
    ) -> Self {
        Self {
            targets: estimator.settings().targets.len(),
            settings,
            estimator,
            controller,
            watch,
            notes,
            began_s: None,
            phase: Phase::Baseline,
            ended: false,
            block_given_up: false,
            newest: FrameHeader::default(),
            flowing: false,
            skipped: 0,
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
        self.phase
    }

    /// Takes one frame in; `true` when it completes a hop.
    pub fn frame(&mut self, header: &FrameHeader, samples_uv: &[f32], now_s: f64) -> bool {
        if self.began_s.is_none() {
            self.began_s = Some(now_s);
            self.tell_phase(now_s);
        }
        self.newest = *header;
        let contamination = self.watch.contamination(header.stamp_s, self.settings.blind_gap_s);
        let flowing = contamination == Contamination::Stimulating;
        if flowing != self.flowing {
            self.flowing = flowing;
            self.notes.tell(now_s, Note::Flow { flowing, frame: header.index });
        }
        self.estimator.push(header, samples_uv, contamination)
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
        self.notes.tell(now_s, Note::Hop { took_s, skipped: self.skipped });
        if let Some(decision) = decision {
            self.notes.tell(now_s, Note::Decision(decision));
        }
        self.tell_spectrum(&estimate, now_s);
        for target in (0..self.targets).filter(|&target| target != self.settings.steer) {
            let estimate = self.estimator.estimate(target, now_s);
            self.notes.tell(now_s, Note::Estimate(estimate));
        }
    }

    /// Follows the plan. Gives the command that this moment asks for.
    pub fn plan(&mut self, stream: StreamState, now_s: f64) -> Option<Command> {
        let schedule = self.settings.schedule?;
        let began_s = self.began_s?;
        let (phase, _) = schedule.at(now_s - began_s);
        let entered = phase != self.phase;
        if entered {
            self.phase = phase;
            self.block_given_up = false;
            self.tell_phase(now_s);
        }
        if self.ended {
            return None;
        }
        let Phase::Block(_) = phase else {
            return (entered && matches!(phase, Phase::Ending(_))).then_some(Command::Finish);
        };
        let age_s = now_s - self.newest.stamp_s;
        let halt = if stream != StreamState::Live {
            Some(Halt::StreamLost)
        } else if age_s > self.settings.max_age_s {
            Some(Halt::Stale(age_s))
        } else {
            None
        };
        match halt {
            // Given up as a whole: a burst that came back half-way would be neither the protocol's dose nor
            // something the participant expects.
            Some(why) if !self.block_given_up => {
                self.block_given_up = true;
                self.notes.tell(now_s, Note::Halted(why));
                Some(Command::Stop(Stop::Soft))
            }
            None if entered => Some(Command::Start),
            _ => None,
        }
    }

    /// No burst begins any more in this run.
    pub fn end(&mut self, why: Halt, now_s: f64) {
        if !self.ended {
            self.ended = true;
            self.notes.tell(now_s, Note::Halted(why));
        }
    }

    /// Whether the plan is done.
    #[must_use]
    pub fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    fn tell_phase(&self, now_s: f64) {
        let left_s = match (self.settings.schedule, self.began_s) {
            (Some(schedule), Some(began_s)) => schedule.at(now_s - began_s).1,
            _ => f64::INFINITY,
        };
        self.notes.tell(now_s, Note::Phase(self.phase, left_s));
    }

    fn tell_spectrum(&self, estimate: &Estimate, now_s: f64) {
        let Some(spectrum) = self.estimator.spectrum(estimate.target) else { return };
        self.notes.tell(now_s, Note::Spectrum(SpectrumNote::of(&spectrum)));
    }
}

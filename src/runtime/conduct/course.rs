//! The sequencer as the loop's course: what keys, markers and boxes tell comes in by a channel, what follows goes out by
//! another. Neither blocks nor allocates.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crossbeam_channel::{Receiver, Sender};

use crate::{
    session::{
        course::{Course, Load, Moment, Step, Want},
        protocol::Kind,
        schedule::Phase,
        sequencer::{Device, Input, Need, Recording, Said, Sequencer, State, World},
    },
    watch::CurrentWatch,
};

/// What the conductor tells the course.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// A key or a marker.
    Input(Input),
    /// The condition of a block is opened.
    Opened(Load),
}

/// What the course tells the conductor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// When.
    pub at_s: f64,
    /// What.
    pub said: Said,
    /// Where the session is now.
    pub state: State,
    /// What the next phase still needs.
    pub missing: Option<Need>,
    /// Of the phase that runs.
    pub left_s: f64,
    /// Whether both keys are turned.
    pub armed: bool,
    /// The block whose condition is needed next.
    pub at_hand: Option<u32>,
}

/// What others know and the sequencer asks for; every access is one atomic word.
#[derive(Debug)]
pub struct Board {
    /// Bits of an `f64`: since when the recording is not healthy; NaN where it is.
    recording_bad_s: AtomicU64,
    fault: AtomicBool,
    impedance: AtomicBool,
    dose_left: AtomicBool,
    /// Bits of an `f64`: the largest time with current that the session can have had.
    reckoned_s: AtomicU64,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            recording_bad_s: AtomicU64::new(f64::NAN.to_bits()),
            fault: AtomicBool::new(false),
            impedance: AtomicBool::new(false),
            dose_left: AtomicBool::new(true),
            reckoned_s: AtomicU64::new(0.0_f64.to_bits()),
        }
    }
}

impl Board {
    /// How the recording is: since when it is not healthy.
    pub fn set_recording(&self, bad_since_s: Option<f64>) {
        self.recording_bad_s.store(bad_since_s.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
    }

    /// A fault is latched.
    pub fn set_fault(&self) {
        self.fault.store(true, Ordering::Relaxed);
    }

    /// Both electrodes are written down, and pass.
    pub fn set_impedance(&self, passes: bool) {
        self.impedance.store(passes, Ordering::Relaxed);
    }

    /// The next block's largest dose is left.
    pub fn set_dose_left(&self, left: bool) {
        self.dose_left.store(left, Ordering::Relaxed);
    }

    /// The largest time with current that the session can have had, in s.
    pub fn set_reckoned_s(&self, active_s: f64) {
        self.reckoned_s.store(active_s.to_bits(), Ordering::Relaxed);
    }

    /// See [`Board::set_reckoned_s`].
    #[must_use]
    pub fn reckoned_s(&self) -> f64 {
        f64::from_bits(self.reckoned_s.load(Ordering::Relaxed))
    }

    /// What must hold before a current, and whether it does: electrodes, recording, dose, no fault.
    #[must_use]
    pub fn checks(&self) -> [bool; 4] {
        let word = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let healthy = self.recording() == Recording::Healthy;
        [word(&self.impedance), healthy, word(&self.dose_left), !word(&self.fault)]
    }

    fn recording(&self) -> Recording {
        let bad_s = f64::from_bits(self.recording_bad_s.load(Ordering::Relaxed));
        if bad_s.is_nan() { Recording::Healthy } else { Recording::Bad(bad_s) }
    }
}

/// See the module.
pub struct SessionCourse {
    sequencer: Sequencer,
    told: Receiver<Told>,
    heard: Sender<Heard>,
    board: Arc<Board>,
    watch: Arc<CurrentWatch>,
    opened: Option<Load>,
    begun: bool,
    phase: Phase,
    last: Option<(State, Option<Need>, bool)>,
}

impl SessionCourse {
    /// A session that has not begun.
    #[must_use]
    pub fn new(
        sequencer: Sequencer,
        told: Receiver<Told>,
        heard: Sender<Heard>,
        board: Arc<Board>,
        watch: Arc<CurrentWatch>,
    ) -> Self {
        let phase = Phase::Part(Kind::Baseline);
        Self { sequencer, told, heard, board, watch, opened: None, begun: false, phase, last: None }
    }

    fn world(&self, moment: &Moment) -> World {
        let fault = self.board.fault.load(Ordering::Relaxed);
        let device = match (fault, self.watch.flowing()) {
            (true, _) => Device::Fault,
            (false, true) => Device::Playing,
            (false, false) => Device::AtRest,
        };
        World {
            now_s: moment.now_s,
            data: moment.data,
            recording: self.board.recording(),
            device,
            impedance: self.board.impedance.load(Ordering::Relaxed),
            dose_left: self.board.dose_left.load(Ordering::Relaxed),
            condition_of: self.opened.map(|load| load.block),
        }
    }

    fn phase_of(&self, place: usize) -> Phase {
        match self.sequencer.protocol().phases.get(place) {
            Some(plan) => plan.block.map_or(Phase::Part(plan.kind), Phase::Block),
            None => Phase::Done,
        }
    }

    fn tell(&mut self, at_s: f64, said: Said, missing: Option<Need>) {
        let state = self.sequencer.state();
        let now = (state, missing, self.sequencer.armed());
        if said == Said::default() && self.last == Some(now) {
            return;
        }
        self.last = Some(now);
        let (left_s, at_hand) = (self.sequencer.left_s(at_s), self.sequencer.block_at_hand());
        // Without room the conductor is gone; the session goes on, and ends by its own.
        let _ = self.heard.try_send(Heard { at_s, said, state, missing, left_s, armed: now.2, at_hand });
    }

    fn take(&mut self, moment: &Moment, said: Said, world: &World) -> Step {
        let mut step = Step::default();
        let missing = self.sequencer.missing(world);
        self.tell(moment.now_s, said, missing);
        if let Some(place) = said.entered {
            self.phase = self.phase_of(place);
            step.entered = Some((self.phase, self.sequencer.left_s(moment.now_s)));
        }
        step.want = said.want;
        match (said.want, self.phase) {
            (Some(Want::Start), _) => step.load = self.opened,
            (Some(Want::Finish), Phase::Block(block)) if said.left.is_none() => {
                self.phase = Phase::Ending(block);
                step.entered = Some((self.phase, self.sequencer.left_s(moment.now_s)));
            }
            _ => {}
        }
        if said.left.is_some() && said.entered.is_none() {
            self.opened = self.opened.filter(|load| Some(load.block) == self.sequencer.block_at_hand());
            self.phase = Phase::Waiting;
            step.entered = Some((self.phase, f64::INFINITY));
        }
        if self.sequencer.state() == State::Stopped {
            self.phase = Phase::Done;
            step.entered = Some((Phase::Done, f64::INFINITY));
        }
        step
    }
}

impl Course for SessionCourse {
    fn begin(&mut self, _now_s: f64) -> (Phase, f64) {
        self.begun = true;
        self.phase = Phase::Waiting;
        (self.phase, f64::INFINITY)
    }

    fn follow(&mut self, moment: &Moment) -> Step {
        if !self.begun || self.phase == Phase::Done {
            return Step::default();
        }
        let world = self.world(moment);
        let input = match self.told.try_recv() {
            Ok(Told::Input(input)) => input,
            Ok(Told::Opened(load)) => {
                // Only the block that is next: what was opened for another one begins nothing.
                if self.sequencer.block_at_hand() == Some(load.block) {
                    self.opened = Some(load);
                }
                Input::Tick
            }
            Err(_) => Input::Tick,
        };
        let said = self.sequencer.step(&world, input);
        self.take(moment, said, &world)
    }

    fn end(&mut self) {
        if self.begun {
            let said = self.sequencer.end();
            self.phase = Phase::Done;
            self.tell(f64::NAN, said, None);
        }
    }

    fn phase(&self) -> Phase {
        self.phase
    }
}

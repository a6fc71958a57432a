//! The session as a state machine: where it is, what it waits for, and when a current may begin or must end.
//!
//! In: the time, markers (as numbers of rules), keys, and the states of stream, device and recording. Out: phases that
//! begin, what the current shall do, and words for the operator. It never learns a condition. No clock, no allocation.
//!
//! ```text
//! Before(phase) -needs hold, marker or key came-> Within(phase) -time, marker, key-> Before(next) ... -> Stopped
//!      ^ keys: arm, then go                          | stop key, data, device, recording: the block is broken
//!      +------------- continue, then go ---- Held <--+ (stop key)          any state -quit, end-> Stopped
//! ```
//! What holds, whatever comes in (tested below):
//! * a current begins only on entering a phase for which the protocol names one, with both keys turned by the operator,
//!   the device at rest, the condition of this very block at hand, and `gap_s` after the last;
//! * it ends before another begins, and none begins after the end;
//! * no marker turns a key. A marker can only let a block begin that the operator has released.

use super::course::{Data, Want};
use super::protocol::{Begin, Finish, Kind, Overrun, PhasePlan, Protocol};

/// The second key counts for so long after the first, in s.
pub const TWO_KEYS_WITHIN_S: f64 = 10.0;
/// A turn that comes so long after the one before was not ours: the machine slept, or its clock jumped; in s.
pub const JUMP_S: f64 = 2.0;

/// What the operator may press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The first of the two keys.
    Arm,
    /// The second one.
    Go,
    /// Stop stimulation, now.
    Stop,
    /// After a stop: on with the next block; [`Key::Go`] confirms.
    Continue,
    /// What a phase waits for where its protocol says `key`.
    Next,
    /// End the session.
    Quit,
}

/// What comes in at a moment beside the state of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing: time passes.
    Tick,
    /// A marker that a rule of the protocol knows, by its number.
    Marker(usize),
    /// A key.
    Key(Key),
}

/// How the recording is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Recording {
    /// All is written.
    Healthy,
    /// It fails or stalls, since this time.
    Bad(f64),
}

/// The device's own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// No current, none waits.
    AtRest,
    /// Current flows, or is about to.
    Playing,
    /// A fault is latched.
    Fault,
}

/// The state of things at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct World {
    /// Now, in s.
    pub now_s: f64,
    /// Of the EEG.
    pub data: Data,
    /// Of the recording.
    pub recording: Recording,
    /// Of the stimulator.
    pub device: Device,
    /// Both electrodes are written down, and pass.
    pub impedance: bool,
    /// The participant's day, and the session, still have this block's largest dose.
    pub dose_left: bool,
    /// The block whose condition is at hand.
    pub condition_of: Option<u32>,
}

/// Something that must hold, and does not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The electrodes are not written down.
    Impedance,
    /// The stream has not been live for long enough.
    Stream,
    /// The recording is not healthy.
    Recording,
    /// The dose is spent.
    Dose,
    /// The device still plays, or has a fault.
    Device,
    /// The last current is too young.
    Gap,
    /// The condition is not opened yet.
    Condition,
    /// Both keys.
    Keys,
    /// The phase's own marker.
    Marker,
    /// The phase's own key.
    Next,
}

/// Why a block was broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Break {
    /// The operator stopped it.
    Operator,
    /// The EEG is lost.
    StreamLost,
    /// The newest EEG is too old, by s.
    Stale(f64),
    /// The recording failed for longer than the protocol's patience.
    Recording,
    /// The device has a fault.
    Device,
    /// The clock jumped, by s.
    Clock(f64),
    /// Its marker or key did not come.
    Late,
    /// The session was ended.
    Ended,
}

/// What the operator is told, and the log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Word {
    /// The first key: the second one is awaited.
    FirstKey,
    /// Both keys: currents of the protocol may begin.
    Armed,
    /// The second key did not come in time.
    KeyExpired,
    /// A key that does nothing here.
    KeyIdle(Key),
    /// Broken block.
    Broken(u32, Break),
    /// A phase was left out because what it waits for did not come.
    LeftOut(usize),
    /// A phase began or ended at its deadline, without what it waited for.
    Late(usize),
    /// A marker came that nothing waits for: a second time, or too early or late.
    Unexpected(usize),
    /// Stopped by the operator; nothing begins until continued.
    Held,
    /// Stopped where no current flowed: the keys are needed again before the next block.
    Disarmed,
    /// The clock jumped, by s.
    ClockJumped(f64),
    /// The session is over.
    Over,
}

/// What follows from a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Said {
    /// A phase that begins here: its place in the protocol.
    pub entered: Option<usize>,
    /// A phase that ends here.
    pub left: Option<usize>,
    /// For the current.
    pub want: Option<Want>,
    /// The task of this block is to begin now: `lead_s` after its current.
    pub task_begins: Option<u32>,
    /// For the operator and the log.
    pub word: Option<Word>,
}

/// Where the session is. Numbers are places in the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// A phase is next.
    Before(usize),
    /// In a phase.
    Within(usize),
    /// The operator has stopped stimulation; this phase is next.
    Held(usize),
    /// Over.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Keys {
    None,
    First(f64),
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
    /// None was asked for, or it has ended.
    Off,
    On,
    /// Asked to end; the device may still play.
    Down,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Sequencer {
    protocol: Protocol,
    /// Phases to go through, in order: places in the protocol. A resumed session has fewer.
    order: Vec<usize>,
    /// Place in `order`.
    at: usize,
    state: State,
    since_s: f64,
    last_s: f64,
    live_since_s: Option<f64>,
    keys: Keys,
    flow: Flow,
    /// When the device was last seen playing.
    played_s: f64,
    /// The marker or key that the phase waits for has come.
    cue: bool,
    task_told: bool,
    broken: bool,
    /// The phase ends here, whatever else: a marker or key came and its ramp down runs.
    ends_s: Option<f64>,
}

impl Sequencer {
    /// At the protocol's first phase.
    #[must_use]
    pub fn new(protocol: Protocol) -> Self {
        let order = (0..protocol.phases.len()).collect();
        Self::through(protocol, order)
    }

    /// A session that goes on at `block`: impedances first, then this block and all that follows. Keys and dose are
    /// asked for as at the beginning. `None` where there is no such block.
    #[must_use]
    pub fn resumed(protocol: Protocol, block: u32) -> Option<Self> {
        let first = protocol.place_of(block)?;
        let measures = protocol.phases.iter().position(|phase| phase.kind == Kind::Impedance);
        let order = measures.filter(|&place| place < first).into_iter();
        let order = order.chain(first..protocol.phases.len()).collect();
        Some(Self::through(protocol, order))
    }

    fn through(protocol: Protocol, order: Vec<usize>) -> Self {
        let state = order.first().map_or(State::Stopped, |&place| State::Before(place));
        Self {
            protocol,
            order,
            at: 0,
            state,
            since_s: 0.0,
            last_s: f64::NAN,
            live_since_s: None,
            keys: Keys::None,
            flow: Flow::Off,
            played_s: f64::NEG_INFINITY,
            cue: false,
            task_told: false,
            broken: false,
            ends_s: None,
        }
    }

    /// Where the session is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The protocol.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Whether the operator's two keys are turned.
    #[must_use]
    pub fn armed(&self) -> bool {
        self.keys == Keys::Both
    }

    /// The block whose condition is needed next, or that runs.
    #[must_use]
    pub fn block_at_hand(&self) -> Option<u32> {
        let here = match self.state {
            State::Before(_) | State::Within(_) | State::Held(_) => self.order.get(self.at..)?,
            State::Stopped => return None,
        };
        here.iter().find_map(|&place| self.plan(place).filter(|p| p.has_current())?.block)
    }

    /// Seconds left of the phase that runs; infinite where nothing but a key ends it.
    #[must_use]
    pub fn left_s(&self, now_s: f64) -> f64 {
        match (self.state, self.ends_s) {
            (State::Within(_), Some(ends_s)) => ends_s - now_s,
            (State::Within(place), None) => {
                self.plan(place).map_or(f64::INFINITY, |plan| plan.duration_s - (now_s - self.since_s))
            }
            _ => f64::INFINITY,
        }
    }

    /// The first thing that the next phase still needs; `None` where nothing is missing, or no phase is next.
    #[must_use]
    pub fn missing(&self, world: &World) -> Option<Need> {
        let State::Before(place) = self.state else { return None };
        let plan = self.plan(place)?;
        let live_s = self.live_since_s.map_or(-1.0, |since_s| world.now_s - since_s);
        let current = plan.has_current();
        let needs = &plan.needs;
        let list = [
            (needs.impedance && !world.impedance, Need::Impedance),
            ((needs.stream_s > 0.0 || current) && live_s < needs.stream_s, Need::Stream),
            (needs.recording && world.recording != Recording::Healthy, Need::Recording),
            (needs.dose && !world.dose_left, Need::Dose),
            (current && (world.device != Device::AtRest || self.flow != Flow::Off), Need::Device),
            (current && world.now_s - self.played_s < self.protocol.gap_s, Need::Gap),
            (current && world.condition_of != plan.block, Need::Condition),
            (current && self.keys != Keys::Both, Need::Keys),
            (!self.cue && matches!(plan.begin, Begin::Marker(_)), Need::Marker),
            (!self.cue && plan.begin == Begin::Key, Need::Next),
        ];
        list.into_iter().find_map(|(missing, need)| missing.then_some(need))
    }

    /// Moves on.
    pub fn step(&mut self, world: &World, input: Input) -> Said {
        let mut said = Said::default();
        if self.state == State::Stopped || world.now_s.is_nan() {
            return said;
        }
        if self.last_s.is_nan() {
            (self.last_s, self.since_s) = (world.now_s, world.now_s);
        }
        // A clock that went back stands still until it has caught up: no phase begins anew.
        let jump_s = world.now_s - self.last_s;
        let world = &World { now_s: world.now_s.max(self.last_s), ..*world };
        self.last_s = world.now_s;
        self.look(world);
        if jump_s.abs() > JUMP_S {
            self.live_since_s = None;
            said.word = Some(Word::ClockJumped(jump_s));
            self.break_off(Break::Clock(jump_s), &mut said);
        }
        match input {
            Input::Tick => {}
            Input::Marker(rule) => self.marker(rule, &mut said),
            Input::Key(key) => self.key(key, world.now_s, &mut said),
        }
        match self.state {
            State::Before(place) => self.wait(place, world, &mut said),
            State::Within(place) => self.go_on(place, world, &mut said),
            State::Held(_) | State::Stopped => {}
        }
        said
    }

    /// Ends the session: from any state in this one step.
    pub fn end(&mut self) -> Said {
        let mut said = Said::default();
        self.stop(&mut said);
        said
    }

    fn plan(&self, place: usize) -> Option<&PhasePlan> {
        self.protocol.phases.get(place)
    }

    /// Takes in what the states of things tell about the past.
    fn look(&mut self, world: &World) {
        match world.data {
            Data::Fresh => self.live_since_s = Some(self.live_since_s.unwrap_or(world.now_s)),
            Data::Lost | Data::Stale(_) => self.live_since_s = None,
        }
        if world.device == Device::Playing || self.flow == Flow::On {
            self.played_s = world.now_s;
        } else if self.flow == Flow::Down {
            self.flow = Flow::Off;
        }
        if let Keys::First(at_s) = self.keys
            && world.now_s - at_s > TWO_KEYS_WITHIN_S
        {
            self.keys = Keys::None;
        }
    }

    fn marker(&mut self, rule: usize, said: &mut Said) {
        let awaited = match self.state {
            State::Before(place) => self.plan(place).is_some_and(|p| p.begin == Begin::Marker(rule)),
            State::Within(place) => self.plan(place).is_some_and(|p| p.finish == Finish::Marker(rule)),
            State::Held(_) | State::Stopped => false,
        };
        if awaited && !self.cue {
            self.cue = true;
        } else {
            said.word = Some(Word::Unexpected(rule));
        }
    }

    fn key(&mut self, key: Key, now_s: f64, said: &mut Said) {
        let idle = Some(Word::KeyIdle(key));
        match (key, self.state) {
            (Key::Quit, _) => self.stop(said),
            (Key::Stop, State::Within(place)) if self.flow == Flow::On => {
                self.break_off(Break::Operator, said);
                said.left = Some(place);
                self.keys = Keys::None;
                self.at += 1;
                self.state = self.order.get(self.at).map_or(State::Stopped, |&next| State::Held(next));
            }
            (Key::Stop, state) => {
                self.keys = Keys::None;
                let held = matches!(state, State::Held(_));
                said.word = Some(if held { Word::Held } else { Word::Disarmed });
            }
            (Key::Arm, State::Before(_) | State::Within(_)) | (Key::Continue, State::Held(_)) => {
                if self.keys != Keys::Both {
                    self.keys = Keys::First(now_s);
                    said.word = Some(Word::FirstKey);
                } else {
                    said.word = idle;
                }
            }
            (Key::Go, State::Before(_) | State::Within(_) | State::Held(_)) => match self.keys {
                Keys::First(_) => {
                    self.keys = Keys::Both;
                    said.word = Some(Word::Armed);
                    if let State::Held(next) = self.state {
                        self.before(next, now_s);
                    }
                }
                Keys::None => said.word = Some(Word::KeyExpired),
                Keys::Both => said.word = idle,
            },
            (Key::Next, State::Before(place)) if self.plan(place).is_some_and(|p| p.begin == Begin::Key) => {
                self.cue = true;
            }
            (Key::Next, State::Within(place))
                if self.plan(place).is_some_and(|p| p.finish == Finish::Key) =>
            {
                self.cue = true;
            }
            _ => said.word = idle,
        }
    }

    fn wait(&mut self, place: usize, world: &World, said: &mut Said) {
        let Some(plan) = self.plan(place) else { return self.stop(said) };
        let (wait_s, late, begin, current) = (plan.wait_s, plan.late_begin, plan.begin, plan.has_current());
        if plan.kind == Kind::End {
            said.entered = Some(place);
            return self.stop(said);
        }
        if world.now_s - self.since_s > wait_s {
            match late {
                Overrun::End => {
                    self.stop(said);
                    said.word = Some(Word::LeftOut(place));
                    return;
                }
                Overrun::Break => {
                    said.word = Some(Word::LeftOut(place));
                    return self.advance(world.now_s, said);
                }
                // Only what the phase itself waits for; its needs must hold all the same.
                Overrun::GoOn if !self.cue && begin != Begin::AtOnce => {
                    self.cue = true;
                    said.word = Some(Word::Late(place));
                }
                Overrun::GoOn => {}
            }
        }
        if self.missing(world).is_some() {
            return;
        }
        self.state = State::Within(place);
        self.since_s = world.now_s;
        (self.cue, self.task_told, self.broken, self.ends_s) = (false, false, false, None);
        said.entered = Some(place);
        if current {
            self.flow = Flow::On;
            said.want = Some(Want::Start);
        }
    }

    fn go_on(&mut self, place: usize, world: &World, said: &mut Said) {
        let Some(plan) = self.plan(place) else { return self.stop(said) };
        let (duration_s, lead_s, finish, late) =
            (plan.duration_s, plan.lead_s, plan.finish, plan.late_finish);
        let (block, ramp_s) = (plan.block, self.protocol.ramp_down_s);
        let elapsed_s = world.now_s - self.since_s;
        if self.flow == Flow::On
            && let Some(why) = self.trouble(world)
        {
            self.break_off(why, said);
        }
        if block.is_some() && !self.task_told && !self.broken && elapsed_s >= lead_s {
            self.task_told = true;
            said.task_begins = block;
        }
        if let Some(ends_s) = self.ends_s {
            if world.now_s >= ends_s {
                self.leave(place, world.now_s, said);
            }
            return;
        }
        let on = self.flow == Flow::On;
        let tail_s = if on { ramp_s } else { 0.0 };
        let timed = finish == Finish::Time;
        let due = match finish {
            Finish::Time => elapsed_s >= duration_s - tail_s,
            Finish::Marker(_) | Finish::Key => self.cue || elapsed_s >= duration_s - tail_s,
        };
        if !due {
            return;
        }
        if !timed && !self.cue {
            match late {
                Overrun::GoOn => said.word = Some(Word::Late(place)),
                Overrun::Break if block.is_some() => self.break_off_late(said),
                Overrun::Break => said.word = Some(Word::Late(place)),
                Overrun::End => return self.stop(said),
            }
        }
        if self.flow == Flow::On {
            said.want = Some(Want::Finish);
            self.flow = Flow::Down;
        }
        self.ends_s = Some(if timed { self.since_s + duration_s } else { world.now_s + tail_s });
        if tail_s == 0.0 {
            self.leave(place, world.now_s, said);
        }
    }

    fn trouble(&self, world: &World) -> Option<Break> {
        match world.data {
            Data::Lost => return Some(Break::StreamLost),
            Data::Stale(age_s) => return Some(Break::Stale(age_s)),
            Data::Fresh => {}
        }
        if world.device == Device::Fault {
            return Some(Break::Device);
        }
        match world.recording {
            Recording::Bad(since_s) if world.now_s - since_s > self.protocol.patience_s => {
                Some(Break::Recording)
            }
            _ => None,
        }
    }

    /// The current of the block that runs ends softly, now; its time goes on without.
    fn break_off(&mut self, why: Break, said: &mut Said) {
        if self.flow == Flow::On {
            self.flow = Flow::Down;
            self.broken = true;
            said.want = Some(Want::Stop);
            if let State::Within(place) = self.state {
                let block = self.plan(place).and_then(|plan| plan.block).unwrap_or(0);
                said.word = Some(Word::Broken(block, why));
            }
        }
    }

    fn break_off_late(&mut self, said: &mut Said) {
        self.break_off(Break::Late, said);
        if let State::Within(place) = self.state
            && let Some(block) = self.plan(place).and_then(|plan| plan.block)
        {
            said.word = Some(Word::Broken(block, Break::Late));
        }
    }

    fn leave(&mut self, place: usize, now_s: f64, said: &mut Said) {
        said.left = Some(place);
        self.advance(now_s, said);
    }

    fn advance(&mut self, now_s: f64, said: &mut Said) {
        self.at += 1;
        match self.order.get(self.at) {
            Some(&next) => self.before(next, now_s),
            None => self.stop(said),
        }
    }

    fn before(&mut self, place: usize, now_s: f64) {
        self.state = State::Before(place);
        self.since_s = now_s;
        self.cue = false;
        self.ends_s = None;
    }

    fn stop(&mut self, said: &mut Said) {
        if self.state == State::Stopped {
            return;
        }
        said.word = Some(Word::Over);
        self.break_off(Break::Ended, said);
        if let State::Within(place) = self.state {
            said.left = Some(place);
        }
        self.keys = Keys::None;
        self.state = State::Stopped;
    }
}

#[cfg(test)]
#[path = "sequencer_tests.rs"]
mod tests;

//! The host's current: noise, envelope and limits, and the state machine that governs them.
//!
//! In: commands, each with the id of its decision. Out: samples in mA for the device, at the rate that they are
//! asked for, and events. No clock: time is the count of samples, so that the live and the virtual runtime
//! produce the same current. `fill` neither allocates nor blocks.
//!
//! ```text
//! Disarmed -arm-> Armed -start-> RampUp -> Stimulating -finish, stop-> RampDown -> Armed
//!                                        fault, broken limit: Fault (latched) -clear_fault-> Disarmed
//! ```
//! Every way down is always accepted, in any state; every way up is checked, and refused with a reason.
//! Sham goes through the same states at the same times as the other profiles, so that the state gives nothing
//! away: its current comes to zero by itself while it "stimulates".

mod checks;
mod command;
mod setup;

use std::collections::VecDeque;

pub use checks::{SLOW_SDS, check_noise};
pub use command::{Cause, Event, EventKind, Refusal, Set, Start};
pub use setup::{Setup, SetupError};

use crate::envelope::Envelope;
use crate::limits::{Dose, Limiter};
use crate::noise::course::Course;
use crate::noise::{Noise, Parameters};
use tras_device::{FaultCode, State};
use tras_wire::Stop;

/// Ramp of [`Stop::Soft`] in s.
const SOFT_STOP_S: f64 = 1.0;
/// Events that wait to be fetched; more are counted and dropped.
const EVENTS: usize = 64;
/// Samples between looks at whether the current has come to zero after a fast stop.
const WATCH: usize = 8;

/// What has flowed, for the closing summary.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Seconds with current.
    pub stimulation_seconds: f64,
    /// RMS over those seconds in mA.
    pub current_rms_ma: f64,
    /// Largest |current| in mA.
    pub current_peak_ma: f64,
    /// Integral of |current| in mC.
    pub charge_mc: f64,
    /// Largest |10 s mean| in mA.
    pub dc_peak_ma: f64,
    /// Share of the noise beyond three sigma before limiting.
    pub clipped_share: f64,
}

/// The host's current; see the module.
pub struct Current {
    setup: Setup,
    noise: Noise,
    limiter: Limiter,
    state: State,
    /// The way down, where one was told.
    gain: Envelope,
    /// The profile's own course: its ramp up, and for sham its fade.
    course: Course,
    /// Sample at which the ramp up is over: the same for every profile.
    up_at: u64,
    /// A fast stop or a cut is on its way: the relay opens at zero.
    closing: bool,
    armed_at: u64,
    samples: u64,
    decision_id: u64,
    fault: Option<Cause>,
    events: VecDeque<Event>,
    events_lost: u64,
}

impl Current {
    /// Builds the current, disarmed. Allocates everything that it will ever need.
    ///
    /// # Errors
    /// A limit beyond its hard limit, a band that the rate cannot carry, a ramp shorter than 5 s.
    pub fn new(setup: &Setup) -> Result<Self, SetupError> {
        setup.check_times()?;
        let limiter = Limiter::new(&setup.limits, setup.rate_hz)?;
        let parameters = Parameters { exponent: 1.0, band_hz: setup.band_hz, peak_ma: setup.limits.peak_ma };
        let mut noise = Noise::new(&parameters, setup.rate_hz, setup.seed)?;
        noise.set_slope(setup.exponent_per_s);
        Ok(Self {
            setup: *setup,
            noise,
            limiter,
            state: State::Disarmed,
            gain: Envelope::steady(0.0),
            course: Course::steady(),
            up_at: 0,
            closing: false,
            armed_at: 0,
            samples: 0,
            decision_id: 0,
            fault: None,
            events: VecDeque::with_capacity(EVENTS),
            events_lost: 0,
        })
    }

    /// Lets bursts start. Expires on its own.
    ///
    /// # Errors
    /// Not disarmed.
    pub fn arm(&mut self) -> Result<(), Refusal> {
        self.need("arm", "it must be disarmed, and a fault cleared", &[State::Disarmed])?;
        self.limiter.reset();
        self.armed_at = self.samples;
        self.enter(State::Armed);
        Ok(())
    }

    /// Begins a burst with the ramp up. The noise starts afresh, with numbers that were never used before.
    ///
    /// # Errors
    /// Not armed, parameters beyond a limit, a noise that would break a limit by itself, or too little charge or
    /// time left for its ramps.
    pub fn start(&mut self, start: &Start) -> Result<(), Refusal> {
        self.need("start", "it must be armed, and the burst before it ended", &[State::Armed])?;
        self.check(start.exponent, start.peak_ma)?;
        self.check_left(start)?;
        self.noise.restart(start.exponent, start.peak_ma);
        self.limiter.begin_burst();
        self.course = Course::new(&start.profile.shape(self.setup.ramp_up_s), self.setup.rate_hz);
        self.gain = Envelope::steady(1.0);
        self.up_at = self.samples + self.count(self.setup.ramp_up_s);
        self.apply(start.decision_id, start.exponent, start.peak_ma);
        self.enter(State::RampUp);
        Ok(())
    }

    /// Changes exponent and peak of a running burst, without a step, the exponent no faster than the setup's slope.
    ///
    /// # Errors
    /// No burst runs, or parameters beyond a limit.
    pub fn set(&mut self, set: &Set) -> Result<(), Refusal> {
        self.need("set", "a burst must be running", &[State::RampUp, State::Stimulating])?;
        self.check(set.exponent, set.peak_ma)?;
        self.noise.set_exponent(set.exponent);
        self.noise.set_peak_ma(set.peak_ma);
        self.apply(set.decision_id, set.exponent, set.peak_ma);
        Ok(())
    }

    /// Ends a burst as scheduled, with the ramp down. Nothing happens where none runs.
    pub fn finish(&mut self) {
        self.ramp_down(self.setup.ramp_down_s);
    }

    /// Ends a burst: in 1 s, then armed; or in 100 ms or at once, then disarmed. Accepted in every state.
    pub fn stop(&mut self, how: Stop) {
        match (how, self.state) {
            (Stop::Soft, _) => self.ramp_down(SOFT_STOP_S),
            (Stop::Fast | Stop::Cut, State::Disarmed) => {}
            (Stop::Fast | Stop::Cut, State::Armed) => self.enter(State::Disarmed),
            (Stop::Fast | Stop::Cut, State::Fault) => self.limiter.shut(how == Stop::Cut),
            (Stop::Fast | Stop::Cut, State::RampUp | State::Stimulating | State::RampDown) => {
                self.shut(how == Stop::Cut);
                self.closing = true;
                self.enter(State::RampDown);
            }
        }
    }

    /// Latches a fault from outside: to zero in 100 ms, or at once with [`Stop::Cut`]. The first one is kept.
    pub fn fault(&mut self, code: FaultCode, value: f32, how: Stop) {
        self.shut(how == Stop::Cut);
        self.latch(Cause::Commanded { code, value }, self.samples);
    }

    /// Opens the relay: at once if no current flows, else after a fast stop. A fault stays latched.
    pub fn disarm(&mut self) {
        self.stop(Stop::Fast);
    }

    /// Forgets a fault, once the current is zero, and disarms.
    ///
    /// # Errors
    /// There is none, or current still flows.
    pub fn clear_fault(&mut self) -> Result<(), Refusal> {
        self.need("clear_fault", "there is no fault to clear", &[State::Fault])?;
        if !self.limiter.reset() {
            let needs = "the current is not zero yet";
            return Err(Refusal::State { command: "clear_fault", state: self.state, needs });
        }
        self.fault = None;
        self.enter(State::Disarmed);
        Ok(())
    }

    /// Fills `out` with the next samples in mA. They obey every limit, whatever was commanded.
    pub fn fill(&mut self, mut out: &mut [f32]) {
        self.advance();
        while !out.is_empty() {
            let n = self.until_next().min(out.len());
            let (now, later) = out.split_at_mut(n);
            if matches!(self.state, State::RampUp | State::Stimulating | State::RampDown) {
                self.noise.fill(now);
                self.gain.apply(now);
                self.course.apply(now);
            } else {
                now.fill(0.0);
            }
            let broken = self.limiter.process(now);
            if let Some(violation) = broken {
                self.latch(violation.into(), self.samples + violation.at_index as u64);
            }
            self.samples += n as u64;
            self.advance();
            out = later;
        }
    }

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Events that were dropped because nobody fetched them.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// The latched fault.
    #[must_use]
    pub fn latched(&self) -> Option<Cause> {
        self.fault
    }

    /// The exponent of the noise that is being made: on its way to the newest that was asked for.
    #[must_use]
    pub fn exponent(&self) -> f64 {
        self.noise.colour().exponent()
    }

    /// The decision in force; 0 before the first.
    #[must_use]
    pub fn decision_id(&self) -> u64 {
        self.decision_id
    }

    /// Samples made since construction.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The last sample in mA: zero, and a window may be clean after its settling.
    #[must_use]
    pub fn last_ma(&self) -> f32 {
        self.limiter.last_ma()
    }

    /// What has flowed.
    #[must_use]
    pub fn dose(&self) -> &Dose {
        self.limiter.dose()
    }

    /// What has flowed, for the closing summary.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let dose = self.limiter.dose();
        let (made, clipped) = self.noise.clipped();
        Totals {
            stimulation_seconds: dose.active_s(self.setup.rate_hz),
            current_rms_ma: dose.rms_ma(),
            current_peak_ma: dose.peak_ma,
            charge_mc: dose.total_charge_mc,
            dc_peak_ma: dose.dc_peak_ma,
            clipped_share: clipped as f64 / made.max(1) as f64,
        }
    }

    /// Samples in `seconds`, at least one.
    fn count(&self, seconds: f64) -> u64 {
        ((seconds * self.setup.rate_hz).round() as u64).max(1)
    }

    /// Samples until something happens on its own.
    fn until_next(&self) -> usize {
        let left = if self.closing {
            WATCH as u64
        } else {
            match self.state {
                State::Armed => {
                    (self.armed_at + self.count(self.setup.arm_expires_s)).saturating_sub(self.samples)
                }
                State::RampUp => self.up_at.saturating_sub(self.samples),
                State::RampDown => self.gain.remaining(),
                State::Stimulating | State::Disarmed | State::Fault => u64::MAX,
            }
        };
        usize::try_from(left).unwrap_or(usize::MAX).max(1)
    }

    /// Makes the changes that are due at this sample.
    fn advance(&mut self) {
        if self.closing {
            if self.limiter.reset() {
                self.closing = false;
                self.enter(State::Disarmed);
            }
            return;
        }
        match self.state {
            State::Armed if self.samples >= self.armed_at + self.count(self.setup.arm_expires_s) => {
                self.report(EventKind::ArmExpired, self.samples);
                self.enter(State::Disarmed);
            }
            State::RampUp if self.samples >= self.up_at => self.enter(State::Stimulating),
            State::RampDown if self.gain.resting() => {
                self.armed_at = self.samples;
                self.enter(State::Armed);
            }
            _ => {}
        }
    }

    /// To zero in 100 ms, or at once; a ramp that is nearly over is not made longer by it.
    fn shut(&mut self, cut: bool) {
        let left =
            if self.state == State::RampDown && !self.closing { self.gain.remaining() } else { u64::MAX };
        self.limiter.shut_within(cut, left);
    }

    /// Begins the way down over `seconds`, or hurries one that is longer.
    fn ramp_down(&mut self, seconds: f64) {
        let len = self.count(seconds);
        let running = matches!(self.state, State::RampUp | State::Stimulating);
        if running || (self.state == State::RampDown && !self.closing && self.gain.remaining() > len) {
            self.course.stop_rising();
            self.gain.go(0.0, len);
            self.enter(State::RampDown);
        }
    }

    fn apply(&mut self, decision_id: u64, exponent: f64, peak_ma: f64) {
        self.decision_id = decision_id;
        self.report(EventKind::Applied { exponent, peak_ma }, self.samples);
    }

    fn latch(&mut self, cause: Cause, sample_index: u64) {
        if self.fault.is_none() {
            self.fault = Some(cause);
            self.report(EventKind::Fault(cause), sample_index);
        }
        self.closing = false;
        self.gain = Envelope::steady(0.0);
        if self.state != State::Fault {
            let kind = EventKind::State { from: self.state, to: State::Fault };
            self.state = State::Fault;
            self.report(kind, sample_index);
        }
    }

    fn enter(&mut self, to: State) {
        if to != self.state {
            let kind = EventKind::State { from: self.state, to };
            self.state = to;
            self.report(kind, self.samples);
        }
    }

    fn report(&mut self, kind: EventKind, sample_index: u64) {
        if self.events.len() < EVENTS {
            self.events.push_back(Event { sample_index, decision_id: self.decision_id, kind });
        } else {
            self.events_lost += 1;
        }
    }
}

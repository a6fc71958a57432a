//! Stimulate: commands -> noise -> limits -> the device's queue, and the device's word back.
//!
//! **Deadline**: the device holds at least 20 ms of samples. When it is missed the device's queue runs dry,
//! the device ramps itself down and latches a fault: this stage is the only one whose delay a participant
//! could feel, and so it has the highest priority and the device does not trust it.

use std::sync::Arc;

use crate::{
    controller::Decision,
    current::{Cause, Current, EventKind, Set, Start},
    noise::Profile,
    runtime::{
        observation::{Halt, Note, Notes},
        stages::{closed_loop::Command, start_impedance::StartImpedance},
    },
    stimulator::{Delivered, FaultCode, State, Status, Stimulator, Stop},
    watch::CurrentWatch,
};

/// Most samples that are made and queued in one step.
const BLOCK: usize = 512;
/// Zeros behind a ramp down, in s: a device ends a burst whose queue runs dry after 10 ms of them.
const TAIL_S: f64 = 0.05;
/// The device's word is passed on this often.
const STATUS_EVERY_S: f64 = 0.05;

/// What every burst has in common.
#[derive(Clone, Copy, Debug)]
pub struct BurstSettings {
    /// Which noise.
    pub profile: Profile,
    /// Its largest |current|, in mA.
    pub peak_ma: f64,
    /// Its RMS at full amplitude, in mA.
    pub rms_ma: f64,
    /// Above this impedance it is ended while it ramps up, in kOhm.
    pub start_kohm: f64,
}

/// The host's current and the device that takes it.
pub struct StimulateStage {
    burst: BurstSettings,
    current: Current,
    device: Box<dyn Stimulator>,
    watch: Arc<CurrentWatch>,
    notes: Notes,
    samples_ma: Vec<f32>,
    /// The newest decision; the next burst begins with it.
    decision: Decision,
    /// Of the burst that runs.
    exponent: f64,
    /// Of the burst that runs, at full amplitude.
    rms_ma: f64,
    status: Status,
    told_status_s: f64,
    /// A fault or the operator: nothing starts any more in this run.
    locked: bool,
    device_fault_told: bool,
    loss_told: bool,
    /// A stop was said and no burst has begun since.
    stopping: bool,
    /// Zeros still to be queued behind the ramp down: the device takes them for the end of the burst.
    tail: usize,
    start_impedance: StartImpedance,
    /// Why the device did not take the newest samples.
    refused: Option<&'static str>,
}

impl StimulateStage {
    /// A stage that is disarmed. `device` is connected.
    #[must_use]
    pub fn new(
        burst: BurstSettings,
        current: Current,
        mut device: Box<dyn Stimulator>,
        decision: Decision,
        watch: Arc<CurrentWatch>,
        notes: Notes,
        now_s: f64,
    ) -> Self {
        let status = device.poll(now_s, &mut |_| {});
        Self {
            burst,
            current,
            device,
            watch,
            notes,
            samples_ma: vec![0.0; BLOCK],
            decision,
            exponent: decision.exponent,
            rms_ma: burst.rms_ma,
            status,
            told_status_s: f64::NEG_INFINITY,
            locked: false,
            device_fault_told: false,
            loss_told: false,
            stopping: false,
            tail: 0,
            start_impedance: StartImpedance::new(burst.start_kohm),
            refused: None,
        }
    }

    /// Takes a command of the loop.
    pub fn command(&mut self, command: Command, now_s: f64) {
        match command {
            Command::Decide(decision) => self.decision = decision,
            Command::Steer(decision) => self.steer(decision),
            Command::Profile(profile) => self.burst.profile = profile,
            Command::Start => self.start(now_s),
            Command::Finish => self.current.finish(),
            Command::Stop(how) => self.stop(how, now_s),
        }
    }

    /// Ends the current and lets nothing start any more in this run.
    pub fn lock(&mut self, how: Stop, why: Halt, now_s: f64) {
        if !self.locked || how == Stop::Cut {
            self.locked = true;
            self.stop(how, now_s);
            self.notes.tell(now_s, Note::Halted(why));
        }
    }

    /// No current flows, by the device's own word, and none waits to.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        let host = matches!(self.current.state(), State::Disarmed | State::Armed | State::Fault);
        host && !self.watch.flowing()
    }

    /// Seconds with current since the start of the run.
    #[must_use]
    pub fn active_s(&self) -> f64 {
        self.current.totals().stimulation_seconds
    }

    /// Opens the relay.
    pub fn disarm(&mut self, now_s: f64) {
        if self.status.state != State::Disarmed {
            self.current.disarm();
            self.device.disarm(now_s);
        }
    }

    /// Moves current and device on. `loop_alive`: the loop has gone round lately; without it the current ends,
    /// because a heartbeat that does not depend on the loop would keep a current alive that nobody decides on.
    pub fn step(&mut self, loop_alive: bool, now_s: f64, delivered: &mut dyn FnMut(Delivered)) {
        if !loop_alive && self.watch.flowing() {
            self.lock(Stop::Fast, Halt::Frozen, now_s);
        }
        self.feed(now_s);
        self.status = self.device.poll(now_s, delivered);
        self.heed_device(now_s);
        self.heed_impedance(now_s);
        self.heed_refusal(now_s);
        self.tell_events(now_s);
        if now_s - self.told_status_s >= STATUS_EVERY_S {
            self.told_status_s = now_s;
            self.notes.tell(now_s, Note::Device(self.status));
        }
    }

    fn start(&mut self, now_s: f64) {
        if self.locked || self.watch.flowing() {
            return;
        }
        if self.status.state == State::Disarmed
            && let Err(error) = self.device.arm(now_s)
        {
            return self.link_failed(error.in_short(), now_s);
        }
        if self.current.state() == State::Disarmed && self.current.arm().is_err() {
            return self.link_failed("the host's current cannot be armed", now_s);
        }
        let start = Start {
            decision_id: self.decision.id,
            profile: self.burst.profile,
            exponent: self.decision.exponent,
            peak_ma: self.decision.peak_ma,
        };
        // The watch first: from here on no frame counts as clean.
        self.watch.begin();
        if let Err(refusal) = self.current.start(&start) {
            self.watch.end(now_s);
            return self.link_failed(refusal.in_short(), now_s);
        }
        self.exponent = self.decision.exponent;
        self.rms_ma = self.burst.rms_ma * self.decision.peak_ma / self.burst.peak_ma;
        self.stopping = false;
        self.start_impedance.begin(self.status.impedance_kohm);
        self.tail = (self.device.rate_hz() * TAIL_S) as usize;
    }

    /// Takes a decision that the running burst is to follow, at the current's own slope.
    fn steer(&mut self, decision: Decision) {
        self.decision = decision;
        let Decision { id: decision_id, exponent, peak_ma, .. } = decision;
        // Between bursts, and on the way down, there is nothing to change: the next one begins with it. What is beyond a
        // limit changes nothing either.
        let _ = self.current.set(&Set { decision_id, exponent, peak_ma });
    }

    fn stop(&mut self, how: Stop, now_s: f64) {
        self.current.stop(how);
        // A soft stop is the host's own ramp of 1 s, played to its end. Ramped by the device as well, it would
        // run its queue dry; and if the host dies on the way, the device's heartbeat ends it.
        if how != Stop::Soft {
            self.device.stop(how, now_s);
            (self.tail, self.stopping) = (0, true);
        }
    }

    /// Keeps the device's queue full while a burst runs, then adds its last zeros.
    fn feed(&mut self, now_s: f64) {
        let host = self.current.state();
        let running = matches!(host, State::RampUp | State::Stimulating | State::RampDown);
        if self.status.state == State::Fault {
            return;
        }
        let most = if running { BLOCK } else { self.tail.min(BLOCK) };
        let room = self.device.room().min(most);
        if !running {
            self.tail -= room;
        }
        let Some(block) = self.samples_ma.get_mut(..room).filter(|block| !block.is_empty()) else { return };
        self.current.fill(block);
        self.refused = self.device.queue(block, now_s).err().map(|error| error.in_short());
    }

    /// A refusal that neither a fault of the device nor a stop explains is a failed link.
    fn heed_refusal(&mut self, now_s: f64) {
        let stopping = self.stopping || matches!(self.status.state, State::RampDown | State::Fault);
        if let Some(what) = self.refused.take()
            && !stopping
            && self.current.state() != State::Armed
        {
            self.link_failed(what, now_s);
        }
    }

    /// Follows the device: its faults are the host's, and only its word ends a burst.
    fn heed_device(&mut self, now_s: f64) {
        if let Some(fault) = self.status.fault
            && !self.device_fault_told
        {
            self.device_fault_told = true;
            self.locked = true;
            self.current.fault(fault.code, fault.value, Stop::Fast);
            self.notes.tell(now_s, Note::DeviceFault(fault));
            self.notes.tell(now_s, Note::Halted(Halt::Fault));
        }
        if let Some(why) = self.status.lost
            && !self.loss_told
        {
            self.loss_told = true;
            self.link_failed(why, now_s);
            self.notes.tell(now_s, Note::Halted(Halt::Fault));
        }
        let host_rests = matches!(self.current.state(), State::Disarmed | State::Armed | State::Fault);
        let device_rests = matches!(self.status.state, State::Disarmed | State::Armed | State::Fault);
        if host_rests && device_rests && self.status.current_ma == 0.0 && self.status.queue_fill == 0 {
            self.watch.end(now_s);
        }
    }

    /// Electrodes that are bad from the start: nobody waits for them to become a fault.
    fn heed_impedance(&mut self, now_s: f64) {
        let ramping = self.current.state() == State::RampUp;
        let Some(kohm) = self.start_impedance.judge(self.status.impedance_kohm, ramping, now_s) else {
            return;
        };
        if !self.locked {
            self.notes.tell(now_s, Note::HostFault("start_kohm", kohm));
            self.lock(Stop::Soft, Halt::Impedance { kohm, limit_kohm: self.burst.start_kohm }, now_s);
        }
    }

    fn link_failed(&mut self, what: &'static str, now_s: f64) {
        (self.locked, self.tail) = (true, 0);
        self.current.fault(FaultCode::Heartbeat, 0.0, Stop::Fast);
        self.device.stop(Stop::Fast, now_s);
        self.notes.tell(now_s, Note::LinkFault(what));
    }

    fn tell_events(&mut self, now_s: f64) {
        let exponent = self.current.exponent();
        if self.current.state() == State::Stimulating && exponent != self.exponent {
            self.exponent = exponent;
            let (decision_id, sample) = (self.current.decision_id(), self.current.samples());
            let (state, rms_ma) = (State::Stimulating, self.rms_ma);
            self.notes.tell(now_s, Note::Host { state, decision_id, sample, exponent, rms_ma });
        }
        while let Some(event) = self.current.next_event() {
            match event.kind {
                EventKind::State { to, .. } => {
                    let note = Note::Host {
                        state: to,
                        decision_id: event.decision_id,
                        sample: event.sample_index,
                        exponent: self.exponent,
                        rms_ma: self.rms_ma,
                    };
                    self.notes.tell(now_s, note);
                }
                EventKind::Fault(Cause::Limit { limit, value, .. }) => {
                    self.locked = true;
                    self.device.stop(Stop::Fast, now_s);
                    self.notes.tell(now_s, Note::HostFault(limit.name(), value));
                    self.notes.tell(now_s, Note::Halted(Halt::Fault));
                }
                _ => {}
            }
        }
    }
}

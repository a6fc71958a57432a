//! The state machine, one tick of the DAC after another.
//!
//! Each tick first counts what has flowed since the last, then looks for anything broken, then moves the
//! current. A fault is latched on the first break and only a person's word clears it; from there the current
//! follows a ramp of its own that nothing the host says can lengthen.

use tras_wire::{Fault, FaultCode, Identity, Limits, State, Telemetry};

use crate::at_rest::{DrySpells, OpenRelay, Supply};
use crate::clears::Clears;
use crate::dose::Dose;
use crate::hard::{FAST_STOP_US, RAMP_UP_US, SOFT_STOP_US, STALL_US};
use crate::impedance::Impedance;
use crate::kept::{Found, Kept};
use crate::player::{Flow, Player};
use crate::proof::Proof;
use crate::ramp::Ramp;
use crate::readback::Readback;
use crate::session::Session;

/// What a device is told once, when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// What it says of itself; its queue capacity is the queue's.
    pub identity: Identity,
    /// Differs from one power-up to the next as well as the board can: session numbers come from it.
    pub entropy: u32,
}

/// Current and voltage as measured, and the current that was commanded at that moment: the delay of the
/// measurement is the board's to know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Commanded, in mA.
    pub commanded_ma: f32,
    /// Measured, in mA.
    pub current_ma: f32,
    /// Across the electrodes, in V.
    pub voltage_v: f32,
}

/// What the board senses at one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sense {
    /// The emergency stop is pressed.
    pub e_stop: bool,
    /// The DAC answers and holds what was written.
    pub dac_ok: bool,
    /// A new measurement, if there is one.
    pub reading: Option<Reading>,
}

/// What the board is to do until the next tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Output {
    /// The current to set, in mA.
    pub current_ma: f32,
    /// Whether the relay is to be closed: the board pulses its monostable if so.
    pub relay_closed: bool,
    /// Whether the shunt across the output is to be open. Closed, it keeps what flows from the electrodes.
    pub shunt_open: bool,
    /// Current into the closed shunt, on top of the other, in mA: the test before arming.
    pub probe_ma: f32,
}

/// One stimulator.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) output: Output,
    /// The latest time heard of, by tick or message.
    pub(crate) now_us: u64,
    ticked_us: u64,
    pub(crate) ramp: Ramp,
    /// What a fast ramp brings to zero; a soft one goes on playing.
    pub(crate) held_ma: Option<f32>,
    /// Where a ramp down leads.
    pub(crate) after: State,
    pub(crate) fault: Option<Fault>,
    /// A second one, graver than the first, to be cleared after it.
    pub(crate) graver: Option<Fault>,
    pub(crate) untold: [Option<Fault>; 2],
    pub(crate) clears: Clears,
    pub(crate) e_stop: bool,
    pub(crate) limits: Option<Limits>,
    pub(crate) dose: Dose,
    pub(crate) player: Player,
    pub(crate) readback: Readback,
    pub(crate) impedance: Impedance,
    has_shunt: bool,
    pub(crate) proof: Proof,
    pub(crate) open_relay: OpenRelay,
    pub(crate) supply: Supply,
    dry_spells: DrySpells,
    pub(crate) session: Session,
}

impl Device {
    /// Disarmed, with nothing flowing; where its watchdog has reset it, in `Fault`.
    pub fn new(config: Config) -> Self {
        let player = Player::new(usize::from(config.identity.queue_capacity));
        let identity = Identity { queue_capacity: player.queue.capacity() as u16, ..config.identity };
        let mut device = Self {
            config: Config { identity, ..config },
            state: State::Disarmed,
            output: Output::default(),
            now_us: 0,
            ticked_us: 0,
            ramp: Ramp::ZERO,
            held_ma: None,
            after: State::Disarmed,
            fault: None,
            graver: None,
            untold: [None; 2],
            clears: Clears::new(),
            e_stop: false,
            limits: None,
            dose: Dose::new(),
            player,
            readback: Readback::default(),
            impedance: Impedance::default(),
            has_shunt: false,
            proof: Proof::default(),
            open_relay: OpenRelay::default(),
            supply: Supply::default(),
            dry_spells: DrySpells::default(),
            session: Session::new(config.entropy),
        };
        if config.identity.watchdog_reset {
            device.latch(FaultCode::Reset, 1.0);
        }
        device
    }

    /// The same after a reset, with what an earlier run has left: a reset gives back no dose and clears no fault.
    pub fn resumed(config: Config, found: &Found) -> Self {
        let mut device = Self::new(config);
        let reset = device.fault.take();
        device.untold = [None; 2];
        if let Found::Kept(kept) = found {
            device.dose.resume(kept.total_fc, kept.active_us, kept.commanded_fc, kept.error_fc);
            device.clears = Clears::resumed(kept.clears);
            for fault in
                kept.fault.into_iter().chain(kept.graver.map(|code| Fault { code, value: 0.0, at_us: 0 }))
            {
                device.latch(fault.code, fault.value);
            }
        }
        match (reset, found) {
            (Some(fault), _) => device.latch(fault.code, fault.value),
            (None, Found::Kept(kept)) if kept.closed => device.latch(FaultCode::Reset, 2.0),
            (None, Found::Spoilt) => device.latch(FaultCode::Reset, 3.0),
            _ => {}
        }
        device
    }

    /// The stage has a relay that a shunt follows, both of which it can move alone: they are tested before each
    /// arming.
    #[must_use]
    pub fn with_shunt(self) -> Self {
        Self { has_shunt: true, ..self }
    }

    /// To be kept through a reset, as of the last tick.
    pub fn kept(&self) -> Kept {
        let (total_fc, active_us, commanded_fc, error_fc) = self.dose.counts();
        Kept {
            total_fc,
            active_us,
            commanded_fc,
            error_fc,
            fault: self.fault.map(|fault| Fault { at_us: 0, ..fault }),
            graver: self.graver.map(|fault| fault.code),
            closed: self.output.relay_closed,
            clears: self.clears.counts(self.now_us),
        }
    }

    /// The supply that DAC and ADC measure by, in V, as the board has measured it against a reference of its own.
    /// Once told, it is expected every second.
    pub fn supply(&mut self, volts: f32) {
        self.supply.heard(volts, self.now_us);
    }

    /// The way out has broken off by itself, under current, and comes back: counts as a dry spell.
    pub fn stumbled(&mut self) {
        let flows = matches!(self.state, State::RampUp | State::Stimulating | State::RampDown);
        if flows && self.dry_spells.note(self.now_us) {
            self.latch(FaultCode::DrySpells, crate::hard::DRY_SPELLS as f32);
        }
    }

    pub(crate) fn begin_proof(&mut self) {
        self.proof = Proof::begin(self.has_shunt);
    }

    /// One update of the DAC. To be called at its rate; with the relay closed, a pause longer than the
    /// monostable holds it is a fault. Time that stands still or runs backwards moves nothing.
    pub fn tick(&mut self, now_us: u64, sense: &Sense) -> Output {
        let dt_us = now_us.saturating_sub(self.ticked_us);
        self.ticked_us = self.ticked_us.max(now_us);
        self.now_us = self.now_us.max(now_us);
        let active = self.output.relay_closed && !matches!(self.state, State::Disarmed | State::Armed);
        self.dose.account(self.output.current_ma, dt_us, active);
        self.e_stop = sense.e_stop;
        // No step is ever longer than what a stall allows: what follows counts in u32.
        let step_us = dt_us.min(u64::from(STALL_US)) as u32;
        if let Some((code, value)) = self.broken_at_rest(step_us, sense) {
            self.latch(code, value);
        }
        if let Some((code, value)) = self.broken(dt_us, step_us, sense) {
            self.latch(code, value);
        }
        let current_ma = self.advance(step_us);
        self.set(current_ma, step_us);
        self.output
    }

    /// The next current, before the last checks.
    fn advance(&mut self, dt_us: u32) -> f32 {
        match self.state {
            State::Disarmed => 0.0,
            State::Armed => {
                if self.now_us >= self.session.armed_until_us {
                    self.finish(State::Disarmed);
                } else if self.proof.is_done()
                    && !self.session.burst_over
                    && self.player.queue.len() >= self.player.prefill()
                {
                    (self.state, self.ramp) = (State::RampUp, Ramp::ZERO);
                    self.dose.begin_burst();
                }
                0.0
            }
            State::RampUp => {
                self.ramp.rise(dt_us, RAMP_UP_US);
                if self.ramp.is_full() {
                    self.state = State::Stimulating;
                }
                self.play(dt_us)
            }
            State::Stimulating => self.play(dt_us),
            State::RampDown => {
                self.ramp.fall(dt_us, if self.held_ma.is_some() { FAST_STOP_US } else { SOFT_STOP_US });
                let current_ma = match self.held_ma {
                    Some(held_ma) => held_ma * self.ramp.gain(),
                    None => self.play(dt_us),
                };
                if self.ramp.is_zero() {
                    self.finish(self.after);
                }
                current_ma
            }
            State::Fault => {
                self.ramp.fall(dt_us, FAST_STOP_US);
                self.held_ma.unwrap_or(0.0) * self.ramp.gain()
            }
        }
    }

    fn play(&mut self, dt_us: u32) -> f32 {
        let (underruns, gain) = (self.player.underruns(), self.ramp.gain());
        let (sample_ma, flow) = self.player.advance(dt_us);
        if self.player.underruns() != underruns {
            self.stumbled();
            if self.state == State::Fault {
                // The last sample is reached, as its number says; from there by the fault's own ramp.
                let reached_ma = sample_ma * gain;
                self.held_ma = self.held_ma.map(|_| reached_ma);
                return self.held_ma.unwrap_or(0.0);
            }
        }
        match flow {
            Flow::Playing => return sample_ma * gain,
            // A burst that rests at zero, or that was on its way down anyhow, is over.
            _ if self.state == State::RampDown => self.finish(self.after),
            Flow::Ended => self.finish(State::Armed),
            Flow::Starved => {
                let missing = self.session.missing;
                let dry_ms = self.player.dry_us() as f32 * 1e-3;
                match missing {
                    0 => self.latch(FaultCode::Underrun, dry_ms),
                    n => self.latch(FaultCode::SequenceGap, n as f32),
                }
                // The fade has been the ramp: nothing is left to bring down.
                (self.ramp, self.held_ma) = (Ramp::ZERO, None);
            }
        }
        0.0
    }

    /// A burst is over and its current is zero.
    pub(crate) fn finish(&mut self, state: State) {
        self.end_burst();
        (self.state, self.ramp, self.held_ma) = (state, Ramp::ZERO, None);
        self.session.renew_arming(self.now_us);
    }

    pub(crate) fn end_burst(&mut self) {
        self.session.burst_over = true;
        self.session.missing = 0;
        self.player.queue.clear();
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// What is set now.
    pub fn output(&self) -> Output {
        self.output
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.limits.unwrap_or(crate::hard::LIMITS)
    }

    /// The index after the last sample that the current has reached, since arming.
    pub fn delivered(&self) -> u64 {
        self.player.delivered()
    }

    /// A fault that has not been told yet: to be sent at once.
    pub fn take_new_fault(&mut self) -> Option<Fault> {
        let [first, second] = &mut self.untold;
        first.take().or_else(|| second.take())
    }

    /// Everything about it, now.
    pub fn telemetry(&self, now_us: u64) -> Telemetry {
        Telemetry {
            at_us: now_us,
            echo: self.session.echo,
            state: self.state,
            fault: self.fault,
            relay_closed: self.output.relay_closed,
            queue_fill: self.player.queue.len() as u16,
            next_index: self.session.next_index,
            delivered: self.player.delivered(),
            underruns: self.player.underruns(),
            current_ma: self.output.current_ma,
            measured_ma: self.readback.measured_ma(),
            impedance_kohm: self.impedance.kohm(),
            total_charge_mc: self.dose.total_mc(),
            net_charge_mc: self.dose.net_mc(),
            dc_ma: self.dose.dc_ma(),
            bad_frames: self.session.bad_frames,
        }
    }
}

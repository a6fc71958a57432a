//! What stands between a decision and the DAC: everything that can be found broken, the last checks of a
//! value before it leaves, and what a fault does.

use tras_wire::{Fault, FaultCode, State};

use crate::device::{Device, Output, Reading, Sense};
use crate::hard::{SLEW_STEP_US, STALL_US};
use crate::ramp::Ramp;

impl Device {
    /// What is watched in every state, with the button pressed or a fault latched too: a relay that does not open
    /// does harm then as well.
    pub(crate) fn broken_at_rest(&mut self, step_us: u32, sense: &Sense) -> Option<(FaultCode, f32)> {
        let reading = sense.reading.as_ref();
        let settled = self.open_relay.is_settled();
        let proof = if self.is_proving() { self.proof.advance(reading, step_us, settled) } else { None };
        let open = self.open_relay.check(self.output.relay_closed, reading, step_us);
        proof.or(open).or(self.supply.check(self.now_us))
    }

    /// Armed, and the test before it is not over.
    fn is_proving(&self) -> bool {
        self.state == State::Armed && !self.proof.is_done()
    }

    /// Everything else that this tick can find broken, the gravest first.
    pub(crate) fn broken(&mut self, dt_us: u64, step_us: u32, sense: &Sense) -> Option<(FaultCode, f32)> {
        if sense.e_stop {
            return Some((FaultCode::EStop, 1.0));
        }
        if !sense.dac_ok {
            return Some((FaultCode::Dac, 1.0));
        }
        let proving = self.is_proving();
        if !self.output.relay_closed {
            self.dose.differs(0.0);
            // A host that has gone during the proof must not find the relay closed after it.
            return self.silence().filter(|_| proving);
        }
        if dt_us > u64::from(STALL_US) {
            return Some((FaultCode::Stalled, dt_us as f32 * 1e-3));
        }
        let silence = self.silence();
        if proving {
            // What flows goes into the shunt, and steps: the proof judges it.
            return silence;
        }
        let zero_ma = self.proof.zero_ma();
        let reading = sense.reading.map(|r| Reading { current_ma: r.current_ma - zero_ma, ..r });
        if let Some(r) = &reading {
            self.dose.differs(r.current_ma - r.commanded_ma);
        }
        let measured = self.readback.check(reading.as_ref(), self.limits().peak_ma, step_us);
        let impedance = self.impedance.check(reading.as_ref(), step_us);
        measured.or(silence).or(impedance)
    }

    fn silence(&self) -> Option<(FaultCode, f32)> {
        let silent_us = self.now_us.saturating_sub(self.session.heartbeat_us);
        let silent = silent_us > u64::from(self.limits().heartbeat_ms) * 1_000;
        silent.then_some((FaultCode::Heartbeat, silent_us as f32 * 1e-3))
    }

    /// The last checks: nothing leaves that is above the limits, however it came about.
    pub(crate) fn set(&mut self, current_ma: f32, dt_us: u32) {
        let limits = self.limits();
        let was_ma = self.output.current_ma;
        let playing = matches!(self.state, State::RampUp | State::Stimulating)
            || (self.state == State::RampDown && self.held_ma.is_none());
        let change_ma = (current_ma - was_ma).abs();
        // A waveform that keeps exactly to the limit may exceed it by a step of the wire, and by rounding.
        // A late tick plays slower, so it has no larger step to make.
        let slew_us = dt_us.clamp(1, SLEW_STEP_US);
        let allowed_ma = 1.001 * limits.slew_ma_per_ms * slew_us as f32 * 1e-3 + 1.1e-4;
        let broken = if change_ma > allowed_ma {
            Some((FaultCode::Slew, change_ma * 1e3 / slew_us as f32))
        } else {
            self.dose.broken(current_ma, dt_us)
        };
        let mut next_ma = current_ma;
        if let Some((code, value)) = broken.filter(|_| playing) {
            self.latch(code, value);
            next_ma = was_ma;
        }
        let relay_closed = match self.state {
            State::Disarmed => false,
            State::Armed => self.proof.relay_closed(),
            State::Fault => self.output.relay_closed && !self.ramp.is_zero() && self.held_ma.is_some(),
            _ => true,
        };
        let next_ma = if relay_closed { next_ma.clamp(-limits.peak_ma, limits.peak_ma) } else { 0.0 };
        let proving = self.is_proving();
        self.output = Output {
            current_ma: next_ma,
            relay_closed,
            shunt_open: relay_closed && !proving,
            probe_ma: if proving { self.proof.probe_ma() } else { 0.0 },
        };
    }

    /// Keeps the first fault, and behind it the gravest that is graver; one that cuts does so whenever it comes.
    pub(crate) fn latch(&mut self, code: FaultCode, value: f32) {
        let value = if value.is_finite() { value } else { f32::MAX };
        let fault = Fault { code, value, at_us: self.now_us };
        let graver_than =
            |known: Option<Fault>| known.is_none_or(|known| code.gravity() > known.code.gravity());
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.untold = [Some(fault), None];
            self.end_burst();
            // A fast ramp that has begun goes on: begun anew, it would carry the charge of both.
            if self.state != State::RampDown || self.held_ma.is_none() {
                (self.ramp, self.held_ma) = (Ramp::FULL, Some(self.output.current_ma));
            }
            self.state = State::Fault;
        } else if graver_than(self.fault) && graver_than(self.graver) {
            self.graver = Some(fault);
            self.untold[1] = Some(fault);
        }
        if code.cuts() {
            self.cut();
        }
    }

    /// Zero and relay open, now.
    pub(crate) fn cut(&mut self) {
        self.output = Output::default();
        (self.ramp, self.held_ma) = (Ramp::ZERO, None);
    }
}

//! What stands between a decision and the DAC: everything that can be found broken, the last checks of a
//! value before it leaves, and what a fault does.

use tras_wire::{Fault, FaultCode, State};

use crate::device::{Device, Output, Sense};
use crate::hard::STALL_US;
use crate::ramp::Ramp;

impl Device {
    /// Everything that this tick can find broken, the gravest first.
    pub(crate) fn broken(&mut self, dt_us: u64, step_us: u32, sense: &Sense) -> Option<(FaultCode, f32)> {
        if sense.e_stop {
            return Some((FaultCode::EStop, 1.0));
        }
        if !sense.dac_ok {
            return Some((FaultCode::Dac, 1.0));
        }
        if !self.output.relay_closed {
            return None;
        }
        if dt_us > u64::from(STALL_US) {
            return Some((FaultCode::Stalled, dt_us as f32 * 1e-3));
        }
        let limits = self.limits();
        let reading = sense.reading.as_ref();
        let measured = self.readback.check(reading, limits.peak_ma, step_us);
        let impedance = self.impedance.check(reading, step_us);
        let silent_us = self.now_us.saturating_sub(self.session.heartbeat_us);
        let silent = silent_us > u64::from(limits.heartbeat_ms) * 1_000;
        let silence = silent.then_some((FaultCode::Heartbeat, silent_us as f32 * 1e-3));
        measured.or(silence).or(impedance)
    }

    /// The last checks: nothing leaves that is above the limits, however it came about.
    pub(crate) fn set(&mut self, current_ma: f32, dt_us: u32) {
        let limits = self.limits();
        let was_ma = self.output.current_ma;
        let playing = matches!(self.state, State::RampUp | State::Stimulating)
            || (self.state == State::RampDown && self.held_ma.is_none());
        let change_ma = (current_ma - was_ma).abs();
        // A waveform that keeps exactly to the limit may exceed it by a step of the wire, and by rounding.
        let allowed_ma = 1.001 * limits.slew_ma_per_ms * dt_us as f32 * 1e-3 + 1.1e-4;
        let broken = if change_ma > allowed_ma {
            Some((FaultCode::Slew, change_ma * 1e3 / dt_us.max(1) as f32))
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
            State::Fault => self.output.relay_closed && !self.ramp.is_zero() && self.held_ma.is_some(),
            _ => true,
        };
        let next_ma = if relay_closed { next_ma.clamp(-limits.peak_ma, limits.peak_ma) } else { 0.0 };
        self.output = Output { current_ma: next_ma, relay_closed };
    }

    /// Keeps the first fault; one that cuts does so whenever it comes.
    pub(crate) fn latch(&mut self, code: FaultCode, value: f32) {
        if self.fault.is_none() {
            self.fault = Some(Fault { code, value, at_us: self.now_us });
            self.fault_told = false;
            self.end_burst();
            (self.state, self.ramp, self.held_ma) = (State::Fault, Ramp::FULL, Some(self.output.current_ma));
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

//! What the host says, and what the device answers: whom to listen to, what may be asked in which state, and
//! which samples come next.
//!
//! Samples are taken in order only. A frame from beyond the next sample is not taken and the answer names
//! the sample that is missing, so a host that sends again from there mends a lost frame for as long as the
//! queue lasts. Stopping is heard in any order, everything else once.

use tras_wire::{DeviceMessage, FaultCode, Header, HostMessage, Limits, Refusal, Samples, State, Stop};

use crate::device::Device;
use crate::hard::{self, ARM_VALID_MS};
use crate::ramp::Ramp;

/// The conversation so far.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    entropy: u32,
    pub nonce: u32,
    host_nonce: u32,
    open: bool,
    newest: u32,
    limits_echoed: bool,
    pub burst: u32,
    pub burst_over: bool,
    pub next_index: u64,
    /// Samples known to be missing.
    pub missing: u64,
    pub heartbeat_us: u64,
    pub echo: u32,
    arm_valid_us: u64,
    pub armed_until_us: u64,
    pub bad_frames: u32,
}

impl Session {
    pub(crate) fn new(entropy: u32) -> Self {
        Self {
            entropy,
            nonce: 0,
            host_nonce: 0,
            open: false,
            newest: 0,
            limits_echoed: false,
            burst: 0,
            burst_over: true,
            next_index: 0,
            missing: 0,
            heartbeat_us: 0,
            echo: 0,
            arm_valid_us: 0,
            armed_until_us: 0,
            bad_frames: 0,
        }
    }

    /// A number that an older session cannot have had: a recording of one, played again, is not listened to.
    fn begin(&mut self, header: Header, now_us: u64) {
        for word in [header.nonce, now_us as u32, (now_us >> 32) as u32, self.nonce] {
            // The finaliser of MurmurHash3: every bit of the input reaches every bit of the number.
            let mut x = self.entropy ^ word.wrapping_mul(0x9E37_79B9);
            x = (x ^ (x >> 16)).wrapping_mul(0x85EB_CA6B);
            x = (x ^ (x >> 13)).wrapping_mul(0xC2B2_AE35);
            self.entropy = x ^ (x >> 16);
        }
        (self.open, self.host_nonce, self.nonce) = (true, header.nonce, self.entropy);
        (self.newest, self.limits_echoed) = (header.sequence, false);
    }

    pub(crate) fn renew_arming(&mut self, now_us: u64) {
        self.armed_until_us = now_us.saturating_add(self.arm_valid_us);
    }
}

impl Device {
    /// Takes one message and gives back the answer to send.
    pub fn on_message(&mut self, header: Header, message: &HostMessage, now_us: u64) -> DeviceMessage {
        self.now_us = self.now_us.max(now_us);
        if let HostMessage::Hello = message {
            return self.hello(header);
        }
        if !self.session.open || header.nonce != self.session.nonce {
            return self.refused(header, Refusal::Session);
        }
        let is_new = (header.sequence.wrapping_sub(self.session.newest) as i32) > 0;
        if is_new {
            self.session.newest = header.sequence;
        }
        let answer = match message {
            HostMessage::Stop(how) => self.stop(*how),
            HostMessage::Disarm => self.stop(Stop::Fast),
            _ if !is_new => Ok(()),
            HostMessage::Limits(limits) => return self.take_limits(header, limits),
            HostMessage::Arm { limits, valid_ms } => self.arm(limits, *valid_ms),
            HostMessage::Samples(samples) => self.take(samples),
            HostMessage::Heartbeat { echo } => {
                (self.session.heartbeat_us, self.session.echo) = (self.now_us, *echo);
                return DeviceMessage::Telemetry(self.telemetry(self.now_us));
            }
            HostMessage::ClearFault(code) => self.clear_fault(*code),
            HostMessage::Hello => Ok(()),
        };
        match answer {
            Ok(()) => DeviceMessage::Acknowledge {
                sequence: header.sequence,
                next_index: self.session.next_index,
                room: self.player.queue.room() as u16,
            },
            Err(why) => self.refused(header, why),
        }
    }

    /// The session's number, for the header of everything that the device sends.
    pub fn nonce(&self) -> u32 {
        self.session.nonce
    }

    pub(crate) fn refused(&self, header: Header, why: Refusal) -> DeviceMessage {
        DeviceMessage::Refused { sequence: header.sequence, why, state: self.state }
    }

    fn hello(&mut self, header: Header) -> DeviceMessage {
        // The same hello once more is a host that has not heard the answer.
        if !self.session.open || header.nonce != self.session.host_nonce {
            let _ = self.stop(Stop::Fast);
            self.session.begin(header, self.now_us);
        }
        DeviceMessage::Hello(self.config.identity)
    }

    fn take_limits(&mut self, header: Header, limits: &Limits) -> DeviceMessage {
        if self.output.relay_closed || !matches!(self.state, State::Disarmed | State::Fault) {
            return self.refused(header, Refusal::State);
        }
        let bounded = hard::bounded(limits);
        self.limits = Some(bounded);
        self.session.limits_echoed = true;
        DeviceMessage::Limits(bounded)
    }

    fn arm(&mut self, limits: &Limits, valid_ms: u32) -> Result<(), Refusal> {
        if self.state != State::Disarmed || self.output.relay_closed {
            return Err(Refusal::State);
        }
        if self.e_stop {
            return Err(Refusal::EStop);
        }
        let echoed = self.limits.filter(|_| self.session.limits_echoed);
        let mine = echoed.filter(|mine| mine == limits).ok_or(Refusal::Limits)?;
        if self.dose.is_spent(&mine) {
            return Err(Refusal::Dose);
        }
        self.dose.limit(&mine);
        self.begin_proof();
        (self.readback, self.impedance) = Default::default();
        self.player.rewind(0);
        let s = &mut self.session;
        (s.burst, s.burst_over, s.next_index, s.missing) = (0, true, 0, 0);
        s.heartbeat_us = self.now_us;
        s.arm_valid_us = u64::from(valid_ms.min(ARM_VALID_MS)) * 1_000;
        s.renew_arming(self.now_us);
        self.state = State::Armed;
        Ok(())
    }

    fn take(&mut self, samples: &Samples) -> Result<(), Refusal> {
        if matches!(self.state, State::Disarmed | State::Fault) {
            return Err(Refusal::State);
        }
        if samples.burst < self.session.burst
            || (samples.burst == self.session.burst && self.session.burst_over)
        {
            return Err(Refusal::BurstOver);
        }
        if samples.burst > self.session.burst {
            if self.state != State::Armed || samples.index < self.session.next_index {
                return Err(Refusal::State);
            }
            (self.session.burst, self.session.burst_over) = (samples.burst, false);
            self.session.next_index = samples.index;
            self.player.rewind(samples.index);
        }
        self.take_in_order(samples);
        Ok(())
    }

    fn take_in_order(&mut self, samples: &Samples) {
        let gap = samples.index.saturating_sub(self.session.next_index);
        if gap > 0 {
            self.session.missing = gap;
            // No host with credits is further ahead than the queue is long: it has lost count.
            if gap > self.player.queue.capacity() as u64 {
                self.latch(FaultCode::SequenceGap, gap as f32);
            }
            return;
        }
        let known = usize::try_from(self.session.next_index - samples.index).unwrap_or(usize::MAX);
        let peak_ma = self.limits.map_or(0.0, |l| l.peak_ma);
        for &sample_ma in samples.current_ma.iter().skip(known) {
            if !sample_ma.is_finite() {
                return self.latch(FaultCode::NotFinite, self.session.next_index as f32);
            }
            if sample_ma.abs() > peak_ma {
                return self.latch(FaultCode::Peak, sample_ma);
            }
            if !self.player.queue.push(sample_ma) {
                return; // Beyond its credit; the answer says where to go on.
            }
            self.session.next_index = self.session.next_index.saturating_add(1);
            self.session.missing = 0;
        }
    }

    fn stop(&mut self, how: Stop) -> Result<(), Refusal> {
        match (how, self.state) {
            (Stop::Cut, State::Fault) => self.cut(),
            (Stop::Cut, _) => {
                self.cut();
                self.finish(State::Disarmed);
            }
            (_, State::Disarmed | State::Fault) => {}
            (Stop::Soft, State::Armed) => self.end_burst(),
            (Stop::Fast, State::Armed) => self.finish(State::Disarmed),
            (Stop::Soft, State::RampUp | State::Stimulating) => {
                (self.state, self.after) = (State::RampDown, State::Armed);
            }
            (Stop::Soft, State::RampDown) => {}
            (Stop::Fast, State::RampDown) if self.held_ma.is_some() => self.after = State::Disarmed,
            (Stop::Fast, _) => {
                self.end_burst();
                (self.state, self.after) = (State::RampDown, State::Disarmed);
                (self.ramp, self.held_ma) = (Ramp::FULL, Some(self.output.current_ma));
            }
        }
        Ok(())
    }

    fn clear_fault(&mut self, code: FaultCode) -> Result<(), Refusal> {
        match self.fault {
            _ if self.e_stop => Err(Refusal::EStop),
            None => Err(Refusal::State),
            Some(_) if self.output.relay_closed => Err(Refusal::State),
            Some(fault) if fault.code != code => Err(Refusal::WrongFault),
            Some(_) if !self.clears.are_left(code) => Err(Refusal::PowerCycle),
            Some(_) => {
                self.clears.note(code, self.now_us);
                self.fault = self.graver.take();
                self.finish(if self.fault.is_some() { State::Fault } else { State::Disarmed });
                Ok(())
            }
        }
    }
}

//! A stimulator without a wire: the device's own code, behind its own messages, on a clock of its own.
//!
//! In: the calls of [`Stimulator`], with the time. Out: the same bytes as over a serial line, into a
//! [`tras_device::Device`] that ticks at its DAC rate up to the time of each call, and its answers decoded
//! again. Time comes only from the callers, so a live and a virtual run drive it alike, and the same calls
//! give the same currents, bit for bit. No current leaves this machine.

mod device;
mod settings;

use tras_wire::{
    Decoder, DeviceMessage, Header, HostMessage, Limits, MAX_FRAME, MAX_SAMPLES, Refusal, Samples, Telemetry,
    encode,
};

use self::device::SimulatedDevice;
pub use self::settings::{Injected, Settings};
use super::{Delivered, DeviceFault, State, Status, Stimulator, StimulatorError, Stop, difference};

/// Samples a second: what the device's queue is played at.
const RATE_HZ: u32 = 1_000_000 / tras_device::hard::SAMPLE_US;
/// How long an arming lasts without a burst, in ms: the longest gap between blocks and some slack.
const ARM_VALID_MS: u32 = 300_000;
/// The host's heartbeat, in s.
const HEARTBEAT_S: f64 = 0.050;
/// See the module.
pub struct SimulatedStimulator {
    device: SimulatedDevice,
    decoder: Decoder,
    header: Header,
    telemetry: Option<Telemetry>,
    /// As the device says at hello.
    capacity: u16,
    /// What of it is free, as the device last said.
    room: u16,
    next_index: u64,
    heartbeat_s: f64,
    burst: u32,
    burst_open: bool,
    limits: Option<Limits>,
}

impl SimulatedStimulator {
    /// A device that has just been switched on. A DAC rate or a capacity that does not fit becomes one that does.
    pub fn new(settings: Settings) -> Self {
        Self {
            device: SimulatedDevice::new(&settings),
            decoder: Decoder::default(),
            header: Header::default(),
            telemetry: None,
            capacity: 0,
            room: 0,
            next_index: 0,
            heartbeat_s: f64::NEG_INFINITY,
            burst: 0,
            burst_open: false,
            limits: None,
        }
    }

    /// What goes wrong from now on.
    pub fn injected(&mut self) -> &mut Injected {
        &mut self.device.injected
    }

    fn state(&self) -> State {
        self.telemetry.map_or(State::Disarmed, |t| t.state)
    }

    /// One message over the line and its answer back. `None` where the line is dead.
    fn say(&mut self, message: &HostMessage, now_s: f64) -> Option<DeviceMessage> {
        self.device.advance(now_s);
        let (mut wire, mut answer) = ([0_u8; MAX_FRAME], [0_u8; MAX_FRAME]);
        let length = encode(self.header, message, &mut wire).ok()?;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        if self.device.injected.link_lost {
            return None;
        }
        let n = self.device.receive(wire.get(..length)?, &mut answer);
        self.hear(answer.get(..n)?)
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<DeviceMessage> {
        let frame = bytes.iter().find_map(|&byte| self.decoder.push::<DeviceMessage>(byte))?.ok()?;
        match frame.message {
            DeviceMessage::Hello(identity) => {
                self.header.nonce = frame.header.nonce;
                self.capacity = identity.queue_capacity;
            }
            DeviceMessage::Telemetry(t) => {
                self.next_index = t.next_index;
                self.room = self.capacity.saturating_sub(t.queue_fill);
                self.telemetry = Some(t);
            }
            DeviceMessage::Acknowledge { next_index, room, .. } => {
                (self.next_index, self.room) = (next_index, room);
            }
            _ => {}
        }
        Some(frame.message)
    }

    /// The device's unasked telemetry.
    fn listen(&mut self) {
        let mut bytes = [0_u8; MAX_FRAME];
        let n = self.device.telemetry(&mut bytes);
        if !self.device.injected.link_lost
            && let Some(bytes) = bytes.get(..n)
        {
            self.hear(bytes);
        }
    }

    fn expect(&mut self, what: &'static str, answer: Option<DeviceMessage>) -> Result<(), StimulatorError> {
        match answer {
            Some(DeviceMessage::Refused { state, .. }) => {
                Err(StimulatorError::Refused { device: self.name().into(), what, state })
            }
            Some(_) => Ok(()),
            None => Err(StimulatorError::Lost {
                device: self.name().into(),
                detail: format!("no answer to {what}"),
            }),
        }
    }

    fn queue_frame(&mut self, chunk: &[f32], now_s: f64) -> Result<(), StimulatorError> {
        let current_ma = chunk.iter().take(MAX_SAMPLES).copied().collect();
        let samples = Samples { burst: self.burst, index: self.next_index, current_ma };
        let mut message = HostMessage::Samples(samples);
        let mut answer = self.say(&message, now_s);
        if let (Some(DeviceMessage::Refused { why: Refusal::BurstOver, .. }), HostMessage::Samples(samples)) =
            (&answer, &mut message)
        {
            // The burst rested at zero and the device has ended it; a stop of ours would have told us so.
            self.burst += 1;
            samples.burst = self.burst;
            answer = self.say(&message, now_s);
        }
        self.expect("samples", answer)
    }
}

impl Stimulator for SimulatedStimulator {
    fn name(&self) -> &str {
        "simulated"
    }

    fn rate_hz(&self) -> f64 {
        f64::from(RATE_HZ)
    }

    fn connect(&mut self, wanted: &Limits, now_s: f64) -> Result<Limits, StimulatorError> {
        let device = || "simulated".to_owned();
        self.device.advance(now_s);
        self.header = Header { nonce: self.header.nonce.wrapping_add(1), sequence: 0 };
        match self.say(&HostMessage::Hello, now_s) {
            Some(DeviceMessage::Hello(_)) => {}
            Some(other) => {
                let detail = format!("answers hello with {other:?}");
                return Err(StimulatorError::NotFound { device: device(), detail });
            }
            None => {
                let detail = "no answer to hello".to_owned();
                return Err(StimulatorError::NotFound { device: device(), detail });
            }
        }
        self.listen();
        if let Some(fault) = self.telemetry.and_then(|t| t.fault) {
            let answer = self.say(&HostMessage::ClearFault(fault.code), now_s);
            self.expect("clearing the fault", answer)?;
        }
        let answer = self.say(&HostMessage::Limits(*wanted), now_s);
        let Some(DeviceMessage::Limits(echo)) = answer else {
            self.expect("limits", answer)?;
            let detail = "no echo of the limits".to_owned();
            return Err(StimulatorError::Lost { device: device(), detail });
        };
        if let Some((key, wanted, got)) = difference(wanted, &echo) {
            return Err(StimulatorError::LimitsDiffer { device: device(), key, wanted, got });
        }
        self.limits = Some(echo);
        self.listen();
        Ok(echo)
    }

    fn arm(&mut self, now_s: f64) -> Result<(), StimulatorError> {
        let Some(limits) = self.limits else {
            let detail = "arm before connect".to_owned();
            return Err(StimulatorError::Lost { device: "simulated".to_owned(), detail });
        };
        let answer = self.say(&HostMessage::Arm { limits, valid_ms: ARM_VALID_MS }, now_s);
        self.expect("arm", answer)?;
        (self.burst, self.burst_open) = (0, false);
        self.listen();
        Ok(())
    }

    fn room(&self) -> usize {
        usize::from(self.room)
    }

    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> Result<(), StimulatorError> {
        self.device.advance(now_s);
        if samples_ma.len() > self.room() {
            let what = "more samples than its queue has room for";
            let state = self.state();
            return Err(StimulatorError::Refused { device: "simulated".to_owned(), what, state });
        }
        if self.device.injected.samples_lost {
            return Ok(());
        }
        if !self.burst_open {
            (self.burst, self.burst_open) = (self.burst + 1, true);
        }
        samples_ma.chunks(MAX_SAMPLES).try_for_each(|chunk| self.queue_frame(chunk, now_s))
    }

    fn stop(&mut self, how: Stop, now_s: f64) {
        self.say(&HostMessage::Stop(how), now_s);
        self.burst_open = false;
    }

    fn poll(&mut self, now_s: f64, delivered: &mut dyn FnMut(Delivered)) -> Status {
        self.device.advance(now_s);
        if now_s.is_finite() && !(0.0..HEARTBEAT_S).contains(&(now_s - self.heartbeat_s)) {
            self.heartbeat_s = now_s;
            let echo = self.header.sequence;
            self.say(&HostMessage::Heartbeat { echo }, now_s);
        }
        self.listen();
        self.device.pending.drain(..).for_each(delivered);
        let fault = |f: tras_wire::Fault| DeviceFault {
            code: f.code,
            value: f.value,
            at_s: self.device.caller_s(f.at_us),
        };
        let t = self.telemetry.as_ref();
        Status {
            state: self.state(),
            queue_fill: u32::from(self.capacity.saturating_sub(self.room)),
            queue_capacity: u32::from(self.capacity),
            underruns: t.map_or(0, |t| u64::from(t.underruns)),
            delivered: t.map_or(0, |t| t.delivered),
            current_ma: t.map_or(0.0, |t| t.current_ma),
            impedance_kohm: t.and_then(|t| t.impedance_kohm),
            fault: t.and_then(|t| t.fault).map(fault),
        }
    }

    fn disarm(&mut self, now_s: f64) {
        self.say(&HostMessage::Disarm, now_s);
        self.burst_open = false;
    }
}

#[cfg(test)]
mod tests;

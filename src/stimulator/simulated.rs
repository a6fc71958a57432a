//! A stimulator without a wire: the device's own code, behind its own messages, on a clock of its own.
//!
//! In: the calls of [`Stimulator`], with the time. Out: the same bytes as over a serial line, into a
//! [`tras_device::Device`] that ticks at its DAC rate up to the time of each call, and its answers decoded
//! again. Time comes only from the callers, so a live and a virtual run drive it alike, and the same calls
//! give the same currents, bit for bit. No current leaves this machine.

use std::collections::VecDeque;

use tras_device::{Config, Device, Link, Reading, Sense};
use tras_wire::{
    Decoder, DeviceMessage, Header, HostMessage, Identity, Limits, MAX_FRAME, MAX_SAMPLES, Refusal, Samples,
    Telemetry, encode,
};

use super::{Delivered, DeviceFault, State, Status, Stimulator, StimulatorError, Stop, difference};

/// Samples a second: what the device's queue is played at.
const RATE_HZ: u32 = 1_000_000 / tras_device::hard::SAMPLE_US;
/// How long an arming lasts without a burst, in ms: the longest gap between blocks and some slack.
const ARM_VALID_MS: u32 = 300_000;
/// The host's heartbeat, in s.
const HEARTBEAT_S: f64 = 0.050;
/// Deliveries kept between two polls: the device stops by itself 350 ms after the last, which is 700.
const PENDING: usize = 4_096;

/// What the simulated device is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How much faster its clock runs than the caller's, in parts per million.
    pub rate_error_ppm: f64,
    /// Samples that its queue holds.
    pub queue_capacity: u16,
    /// Updates of its DAC a second, a multiple of 2,000 that divides 1,000,000.
    pub dac_rate_hz: u32,
    /// Makes session numbers differ between devices.
    pub entropy: u32,
}

impl Default for Settings {
    /// 100 ms of queue, 4,000 updates a second, a perfect clock.
    fn default() -> Self {
        Self { rate_error_ppm: 0.0, queue_capacity: 200, dac_rate_hz: 4_000, entropy: 1 }
    }
}

/// What goes wrong, as long as it is set. For tests and for showing what a fault looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Injected {
    /// Nothing passes the line, either way.
    pub link_lost: bool,
    /// Samples are lost on the way, so that the queue runs dry.
    pub samples_lost: bool,
    /// The emergency stop is pressed.
    pub e_stop: bool,
    /// The DAC does not answer.
    pub dac_failed: bool,
    /// The DAC puts out this current whatever is commanded, in mA.
    pub dac_stuck_ma: Option<f32>,
    /// The measured current over the real one.
    pub readback_gain: f32,
    /// Of the electrodes, in kOhm.
    pub impedance_kohm: f32,
}

impl Default for Injected {
    /// Nothing wrong, and 5 kOhm.
    fn default() -> Self {
        Self {
            link_lost: false,
            samples_lost: false,
            e_stop: false,
            dac_failed: false,
            dac_stuck_ma: None,
            readback_gain: 1.0,
            impedance_kohm: 5.0,
        }
    }
}

/// See the module.
pub struct SimulatedStimulator {
    settings: Settings,
    device: Device,
    device_link: Link,
    injected: Injected,
    tick_us: u64,
    ticks: u64,
    epoch_s: Option<f64>,
    decoder: Decoder,
    header: Header,
    telemetry: Telemetry,
    heartbeat_s: f64,
    burst: u32,
    burst_open: bool,
    limits: Option<Limits>,
    pending: VecDeque<Delivered>,
}

impl SimulatedStimulator {
    /// A device that has just been switched on. A DAC rate that does not fit is rounded to one that does.
    pub fn new(settings: Settings) -> Self {
        let updates = (settings.dac_rate_hz / RATE_HZ).clamp(1, 25);
        let tick_us = u64::from(tras_device::hard::SAMPLE_US / updates);
        let identity = Identity {
            serial: settings.entropy,
            rate_hz: RATE_HZ,
            dac_rate_hz: (1_000_000 / tick_us) as u32,
            queue_capacity: settings.queue_capacity,
            emulated: true,
            crystal_failed: false,
            watchdog_reset: false,
        };
        let device = Device::new(Config { identity, entropy: settings.entropy });
        Self {
            telemetry: device.telemetry(0),
            device,
            device_link: Link::default(),
            injected: Injected::default(),
            tick_us,
            ticks: 0,
            epoch_s: None,
            decoder: Decoder::default(),
            header: Header::default(),
            heartbeat_s: f64::NEG_INFINITY,
            burst: 0,
            burst_open: false,
            limits: None,
            pending: VecDeque::with_capacity(PENDING),
            settings,
        }
    }

    /// What goes wrong from now on.
    pub fn injected(&mut self) -> &mut Injected {
        &mut self.injected
    }

    /// Callers' seconds of a time of the device's clock.
    fn caller_s(&self, device_us: u64) -> f64 {
        let rate = 1.0 + self.settings.rate_error_ppm * 1e-6;
        self.epoch_s.unwrap_or(0.0) + device_us as f64 * 1e-6 / rate
    }

    /// Lets the device live until `now_s`.
    fn advance(&mut self, now_s: f64) {
        if !now_s.is_finite() {
            return;
        }
        let epoch_s = *self.epoch_s.get_or_insert(now_s);
        let rate = 1.0 + self.settings.rate_error_ppm * 1e-6;
        // A nanosecond of slack: rounding must not put a tick that is due now into the next call.
        let until = ((now_s - epoch_s) * rate * 1e6 + 1e-3) as u64 / self.tick_us;
        while self.ticks < until {
            let resting = matches!(self.device.state(), State::Disarmed | State::Fault)
                && !self.device.output().relay_closed;
            // With the relay open nothing happens between two calls; with it closed, the device's own
            // heartbeat limit ends this within 350 ms of its time, however long ago the last call was.
            self.ticks = if resting { until } else { self.ticks + 1 };
            self.tick();
        }
    }

    fn tick(&mut self) {
        let at_us = self.ticks * self.tick_us;
        let before = self.device.delivered();
        let commanded_ma = self.device.output().current_ma;
        let flows_ma = self.injected.dac_stuck_ma.unwrap_or(commanded_ma);
        let output = self.device.tick(
            at_us,
            &Sense {
                e_stop: self.injected.e_stop,
                dac_ok: !self.injected.dac_failed,
                reading: Some(Reading {
                    commanded_ma,
                    current_ma: flows_ma * self.injected.readback_gain,
                    voltage_v: flows_ma * self.injected.impedance_kohm,
                }),
            },
        );
        let index = self.device.delivered();
        if index > before && self.pending.len() < PENDING {
            let stamp_s = self.caller_s(at_us);
            self.pending.push_back(Delivered { index: index - 1, stamp_s, current_ma: output.current_ma });
        }
    }

    /// One message over the line and its answer back. `None` where the line is dead.
    fn say(&mut self, message: &HostMessage, now_s: f64) -> Option<DeviceMessage> {
        self.advance(now_s);
        let mut wire = [0_u8; MAX_FRAME];
        let mut answer = [0_u8; MAX_FRAME];
        let length = encode(self.header, message, &mut wire).ok()?;
        self.header.sequence = self.header.sequence.wrapping_add(1);
        if self.injected.link_lost {
            return None;
        }
        let now_us = self.ticks * self.tick_us;
        for &byte in wire.get(..length)? {
            let n = self.device_link.receive(byte, &mut self.device, now_us, &mut answer);
            if n > 0 {
                return self.hear(answer.get(..n)?);
            }
        }
        None
    }

    fn hear(&mut self, bytes: &[u8]) -> Option<DeviceMessage> {
        for &byte in bytes {
            if let Some(Ok(frame)) = self.decoder.push::<DeviceMessage>(byte) {
                match frame.message {
                    DeviceMessage::Hello(_) => self.header.nonce = frame.header.nonce,
                    DeviceMessage::Telemetry(telemetry) => self.telemetry = telemetry,
                    DeviceMessage::Acknowledge { next_index, room, .. } => {
                        self.telemetry.next_index = next_index;
                        self.telemetry.queue_fill = self.settings.queue_capacity.saturating_sub(room);
                    }
                    DeviceMessage::Refused { state, .. } => self.telemetry.state = state,
                    _ => {}
                }
                return Some(frame.message);
            }
        }
        None
    }

    /// The device's unasked telemetry.
    fn listen(&mut self) {
        let mut bytes = [0_u8; MAX_FRAME];
        let telemetry = DeviceMessage::Telemetry(self.device.telemetry(self.ticks * self.tick_us));
        let length = self.device_link.send(&self.device, &telemetry, &mut bytes);
        if !self.injected.link_lost
            && let Some(bytes) = bytes.get(..length)
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
        let samples = Samples { burst: self.burst, index: self.telemetry.next_index, current_ma };
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
        self.advance(now_s);
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
        if let Some(fault) = self.telemetry.fault {
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
        usize::from(self.settings.queue_capacity.saturating_sub(self.telemetry.queue_fill))
    }

    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> Result<(), StimulatorError> {
        self.advance(now_s);
        if samples_ma.len() > self.room() {
            let what = "more samples than its queue has room for";
            let state = self.telemetry.state;
            return Err(StimulatorError::Refused { device: "simulated".to_owned(), what, state });
        }
        if self.injected.samples_lost {
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
        self.advance(now_s);
        if now_s.is_finite() && !(0.0..HEARTBEAT_S).contains(&(now_s - self.heartbeat_s)) {
            self.heartbeat_s = now_s;
            let echo = self.header.sequence;
            self.say(&HostMessage::Heartbeat { echo }, now_s);
        }
        self.listen();
        self.pending.drain(..).for_each(delivered);
        let t = &self.telemetry;
        let fault =
            |f: tras_wire::Fault| DeviceFault { code: f.code, value: f.value, at_s: self.caller_s(f.at_us) };
        Status {
            state: t.state,
            queue_fill: u32::from(t.queue_fill),
            queue_capacity: u32::from(self.settings.queue_capacity),
            underruns: u64::from(t.underruns),
            delivered: t.delivered,
            current_ma: t.current_ma,
            impedance_kohm: t.impedance_kohm,
            fault: t.fault.map(fault),
        }
    }

    fn disarm(&mut self, now_s: f64) {
        self.say(&HostMessage::Disarm, now_s);
        self.burst_open = false;
    }
}

#[cfg(test)]
mod tests;

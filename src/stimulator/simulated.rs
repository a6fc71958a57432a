//! A stimulator without a wire: the device's own code, behind its own messages, on a clock of its own.
//!
//! In: the calls of [`Stimulator`], with the time. Out: the same bytes as over a serial line, into a
//! [`tras_device::Device`] that ticks at its DAC rate up to the time of each call, and its answers decoded
//! again. Time comes only from the callers, so a live and a virtual run drive it alike, and the same calls
//! give the same currents, bit for bit. No current leaves this machine.

use std::{collections::VecDeque, sync::Arc};

use tras_device::{Config, Device, Link, Reading, Sense, State};
use tras_wire::{Decoder, DeviceMessage, HostMessage, Identity, MAX_FRAME};

use super::{
    Delivered, StimulatorError,
    linked::{Line, LinkSettings, Linked},
};

/// Samples a second: what the device's queue is played at.
const RATE_HZ: u32 = 1_000_000 / tras_device::hard::SAMPLE_US;
/// Deliveries kept between two polls: the device stops by itself 350 ms after the last, which is 700.
const PENDING: usize = 4_096;
/// Of the shunt, in kOhm.
const SHUNT_KOHM: f32 = 0.025;
/// Bytes of answers kept between two reads: more than a full queue's frames are answered with.
const ANSWERS: usize = 64 * MAX_FRAME;

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
    /// The stage adds so much while the relay is closed, in mA.
    pub offset_ma: f32,
    /// The relay does not open.
    pub relay_welded: bool,
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
            offset_ma: 0.0,
            relay_welded: false,
            readback_gain: 1.0,
            impedance_kohm: 5.0,
        }
    }
}

/// A stimulator on a line without a wire.
pub type SimulatedStimulator = Linked<DirectLine>;

/// The device itself, in the place of the line to it.
pub struct DirectLine {
    name: Arc<str>,
    settings: Settings,
    device: Device,
    device_link: Link,
    injected: Injected,
    tick_us: u64,
    ticks: u64,
    epoch_s: Option<f64>,
    answers: VecDeque<u8>,
    /// Time has moved on since the last unasked telemetry.
    news: bool,
    pending: VecDeque<Delivered>,
}

impl SimulatedStimulator {
    /// A device that has just been switched on. A DAC rate that does not fit is rounded to one that does.
    #[must_use]
    pub fn simulated(settings: Settings) -> Self {
        let queue_s = f64::from(settings.queue_capacity) / f64::from(RATE_HZ);
        Self::new(DirectLine::new(settings), LinkSettings { queue_s, batch: 1, silent_after_s: 0.3 })
    }

    /// What goes wrong from now on.
    pub fn injected(&mut self) -> &mut Injected {
        &mut self.line_mut().injected
    }
}

impl DirectLine {
    /// A device that has just been switched on.
    pub(super) fn new(settings: Settings) -> Self {
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
            build: tras_device::BUILD,
            hard: tras_device::hard::LIMITS,
        };
        Self {
            name: "simulated".into(),
            device: Device::new(Config { identity, entropy: settings.entropy }).with_shunt(),
            device_link: Link::default(),
            injected: Injected::default(),
            tick_us,
            ticks: 0,
            epoch_s: None,
            answers: VecDeque::with_capacity(ANSWERS),
            news: false,
            pending: VecDeque::with_capacity(PENDING),
            settings,
        }
    }

    /// Callers' seconds of a time of the device's clock.
    fn caller_s(&self, device_us: u64) -> f64 {
        let rate = 1.0 + self.settings.rate_error_ppm * 1e-6;
        self.epoch_s.unwrap_or(0.0) + device_us as f64 * 1e-6 / rate
    }

    fn tick(&mut self) {
        let at_us = self.ticks * self.tick_us;
        let before = self.device.delivered();
        let before_tick = self.device.output();
        let commanded_ma = before_tick.current_ma + before_tick.probe_ma;
        let closed = before_tick.relay_closed || self.injected.relay_welded;
        let flows_ma = if closed {
            self.injected.dac_stuck_ma.unwrap_or(commanded_ma) + self.injected.offset_ma
        } else {
            0.0
        };
        let kohm = if before_tick.shunt_open { self.injected.impedance_kohm } else { SHUNT_KOHM };
        let output = self.device.tick(
            at_us,
            &Sense {
                e_stop: self.injected.e_stop,
                dac_ok: !self.injected.dac_failed,
                reading: Some(Reading {
                    commanded_ma,
                    current_ma: flows_ma * self.injected.readback_gain,
                    voltage_v: flows_ma * kohm,
                }),
            },
        );
        let index = self.device.delivered();
        if index > before && self.pending.len() < PENDING {
            let stamp_s = self.caller_s(at_us);
            self.pending.push_back(Delivered { index: index - 1, stamp_s, current_ma: output.current_ma });
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        if !self.injected.link_lost && self.answers.len() + bytes.len() <= ANSWERS {
            self.answers.extend(bytes);
        }
    }

    /// Bytes that nobody has sent arrive at the host.
    #[cfg(test)]
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        self.answer(bytes);
    }

    /// Whether a fault that is injected takes this frame away.
    fn is_taken(&self, frame: &[u8]) -> bool {
        let is_samples = || {
            let mut decoder = Decoder::default();
            let samples = |byte: &u8| {
                let heard = decoder.push::<HostMessage>(*byte);
                heard.is_some_and(|f| f.is_ok_and(|f| matches!(f.message, HostMessage::Samples(_))))
            };
            frame.iter().any(samples)
        };
        self.injected.link_lost || (self.injected.samples_lost && is_samples())
    }
}

impl Line for DirectLine {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        self.answers.clear();
        Ok(())
    }

    fn wait(&mut self) -> f64 {
        f64::INFINITY
    }

    /// Lets the device live until `now_s`.
    fn advance(&mut self, now_s: f64) {
        if !now_s.is_finite() {
            return;
        }
        self.news = true;
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

    fn send(&mut self, frame: &[u8]) -> bool {
        if self.is_taken(frame) {
            return true;
        }
        let now_us = self.ticks * self.tick_us;
        let mut answer = [0_u8; MAX_FRAME];
        for &byte in frame {
            let n = self.device_link.receive(byte, &mut self.device, now_us, &mut answer);
            if let Some(bytes) = answer.get(..n) {
                self.answer(bytes);
            }
        }
        true
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        if self.answers.is_empty() && std::mem::take(&mut self.news) {
            // The device's unasked telemetry.
            let mut bytes = [0_u8; MAX_FRAME];
            let telemetry = DeviceMessage::Telemetry(self.device.telemetry(self.ticks * self.tick_us));
            let length = self.device_link.send(&self.device, &telemetry, &mut bytes);
            if let Some(bytes) = bytes.get(..length) {
                self.answer(bytes);
            }
        }
        let count = into.len().min(self.answers.len());
        for (slot, byte) in into.iter_mut().zip(self.answers.drain(..count)) {
            *slot = byte;
        }
        count
    }

    fn lost(&self) -> Option<&'static str> {
        self.injected.link_lost.then_some("no answer")
    }

    fn delivered(&mut self, each: &mut dyn FnMut(Delivered)) -> bool {
        self.pending.drain(..).for_each(each);
        true
    }

    fn host_s(&self, device_us: u64) -> Option<f64> {
        Some(self.caller_s(device_us))
    }
}

#[cfg(test)]
mod tests;

//! The other end of the simulated line: a [`Device`] that ticks on a clock of its own, with a resistor for a
//! head.
//!
//! In: the caller's time, and bytes. Out: bytes, and the samples that have left. Between two calls the device
//! lives through every tick of its DAC.

use std::collections::VecDeque;

use tras_device::{Config, Device, Link, Reading, Sense};
use tras_wire::{DeviceMessage, Identity, State};

use super::settings::{Injected, Settings};
use super::{Delivered, RATE_HZ};

/// Deliveries kept between two polls: the device stops by itself 350 ms after the last, which is 700.
const PENDING: usize = 4_096;

/// A device, its line, its clock.
pub(super) struct SimulatedDevice {
    device: Device,
    link: Link,
    rate_error_ppm: f64,
    tick_us: u64,
    ticks: u64,
    epoch_s: Option<f64>,
    /// What goes wrong.
    pub injected: Injected,
    /// What has left since the caller last took it.
    pub pending: VecDeque<Delivered>,
}

impl SimulatedDevice {
    pub fn new(settings: &Settings) -> Self {
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
        Self {
            device: Device::new(Config { identity, entropy: settings.entropy }),
            link: Link::default(),
            rate_error_ppm: settings.rate_error_ppm,
            tick_us,
            ticks: 0,
            epoch_s: None,
            injected: Injected::default(),
            pending: VecDeque::with_capacity(PENDING),
        }
    }

    fn now_us(&self) -> u64 {
        self.ticks * self.tick_us
    }

    /// Callers' seconds of a time of the device's clock.
    pub fn caller_s(&self, device_us: u64) -> f64 {
        let rate = 1.0 + self.rate_error_ppm * 1e-6;
        self.epoch_s.unwrap_or(0.0) + device_us as f64 * 1e-6 / rate
    }

    /// Lets the device live until `now_s`.
    pub fn advance(&mut self, now_s: f64) {
        if !now_s.is_finite() {
            return;
        }
        let epoch_s = *self.epoch_s.get_or_insert(now_s);
        let rate = 1.0 + self.rate_error_ppm * 1e-6;
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

    /// Takes the bytes of one message of the host; gives back the length of the answer in `answer`.
    pub fn receive(&mut self, bytes: &[u8], answer: &mut [u8]) -> usize {
        let now_us = self.now_us();
        for &byte in bytes {
            let n = self.link.receive(byte, &mut self.device, now_us, answer);
            if n > 0 {
                return n;
            }
        }
        0
    }

    /// Its unasked telemetry; gives back the length.
    pub fn telemetry(&mut self, out: &mut [u8]) -> usize {
        let telemetry = DeviceMessage::Telemetry(self.device.telemetry(self.now_us()));
        self.link.send(&self.device, &telemetry, out)
    }
}

//! A device on a bench: a host that keeps to the rules unless told otherwise, and a head behind the output.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, reason = "tests")]

use tras_device::*;
use tras_wire::{DeviceMessage, Header, HostMessage, Identity, Limits, Samples};

/// One update of the DAC, in us.
pub(crate) const TICK_US: u64 = 250;

pub(crate) const LIMITS: Limits = Limits {
    peak_ma: 1.0,
    dc_ma: 0.020,
    slew_ma_per_ms: 0.5,
    net_charge_mc: 0.6,
    total_charge_mc: 2_400.0,
    active_s: 2_400.0,
    heartbeat_ms: 250,
};

pub(crate) struct Bench {
    pub device: Device,
    pub now_us: u64,
    pub nonce: u32,
    pub sequence: u32,
    pub burst: u32,
    pub index: u64,
    pub limits: Limits,
    /// What the head and the measurement are.
    pub kohm: f32,
    pub gain: f32,
    pub stuck_ma: Option<f32>,
    pub blind: bool,
    /// Flows with the relay open.
    pub leak_ma: f32,
    /// What the stage adds with the relay closed.
    pub offset_ma: f32,
    /// What the measurement adds.
    pub zero_ma: f32,
    pub welded: bool,
    pub shunt_missing: bool,
    pub e_stop: bool,
    pub dac_ok: bool,
    pub heartbeats: bool,
}

pub(crate) fn device(capacity: u16) -> Device {
    Device::new(config(capacity))
}

pub(crate) fn config(capacity: u16) -> Config {
    let identity = Identity {
        serial: 1,
        rate_hz: 2_000,
        dac_rate_hz: 4_000,
        queue_capacity: capacity,
        emulated: true,
        crystal_failed: false,
        watchdog_reset: false,
        build: BUILD,
        hard: hard::LIMITS,
    };
    Config { identity, entropy: 42 }
}

pub(crate) fn sine(f_hz: f64, peak_ma: f64) -> impl Fn(u64) -> f32 {
    move |k| (peak_ma * (std::f64::consts::TAU * f_hz * k as f64 / 2_000.0).sin()) as f32
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            device: device(200),
            now_us: 0,
            nonce: 7,
            sequence: 0,
            burst: 1,
            index: 0,
            limits: LIMITS,
            kohm: 5.0,
            gain: 1.0,
            stuck_ma: None,
            blind: false,
            leak_ma: 0.0,
            offset_ma: 0.0,
            zero_ma: 0.0,
            welded: false,
            shunt_missing: false,
            e_stop: false,
            dac_ok: true,
            heartbeats: true,
        }
    }

    pub(crate) fn connected(limits: Limits) -> Self {
        let mut b = Self { limits, ..Self::new() };
        b.hello();
        assert_eq!(b.say(HostMessage::Limits(limits)), DeviceMessage::Limits(limits));
        b
    }

    pub(crate) fn armed(limits: Limits) -> Self {
        let mut b = Self::connected(limits);
        let answer = b.arm();
        assert!(matches!(answer, DeviceMessage::Acknowledge { .. }), "{answer:?}");
        b
    }

    /// In full stimulation with a sine of 20 Hz.
    pub(crate) fn stimulating(limits: Limits) -> Self {
        let mut b = Self::armed(limits);
        b.play(6.0, sine(20.0, 0.8 * f64::from(limits.peak_ma)));
        assert_eq!(b.device.state(), State::Stimulating, "{:?}", b.fault());
        b
    }

    pub(crate) fn hello(&mut self) {
        self.nonce = self.nonce.wrapping_add(0x1234_5677);
        let header = Header { nonce: self.nonce, sequence: 0 };
        let answer = self.device.on_message(header, &HostMessage::Hello, self.now_us);
        assert!(matches!(answer, DeviceMessage::Hello(_)));
        (self.nonce, self.sequence) = (self.device.nonce(), 1);
    }

    pub(crate) fn arm(&mut self) -> DeviceMessage {
        self.say(HostMessage::Arm { limits: self.limits, valid_ms: 60_000 })
    }

    pub(crate) fn say(&mut self, message: HostMessage) -> DeviceMessage {
        let header = Header { nonce: self.nonce, sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        self.device.on_message(header, &message, self.now_us)
    }

    pub(crate) fn samples(&self, index: u64, current_ma: &[f32]) -> HostMessage {
        let current_ma = current_ma.iter().copied().collect();
        HostMessage::Samples(Samples { burst: self.burst, index, current_ma })
    }

    /// What flows through the stage, in mA.
    pub(crate) fn flows_ma(&self) -> f32 {
        let output = self.device.output();
        if output.relay_closed || self.welded {
            self.stuck_ma.unwrap_or(output.current_ma + output.probe_ma) + self.offset_ma
        } else {
            self.leak_ma
        }
    }

    pub(crate) fn sense(&self) -> Sense {
        let (output, flows_ma) = (self.device.output(), self.flows_ma());
        // A PhotoMOS of 25 Ohm, and what it leaves for the head.
        let kohm = if output.shunt_open || self.shunt_missing { self.kohm } else { 0.025 };
        Sense {
            e_stop: self.e_stop,
            dac_ok: self.dac_ok,
            reading: (!self.blind).then_some(Reading {
                commanded_ma: output.current_ma + output.probe_ma,
                current_ma: flows_ma * self.gain + self.zero_ma,
                voltage_v: flows_ma * kohm,
            }),
        }
    }

    /// The device is reset: it starts anew, with what it has kept.
    pub(crate) fn reset(&mut self) {
        let kept = Found::Kept(self.device.kept());
        self.device = Device::resumed(config(200), &kept);
    }

    pub(crate) fn tick(&mut self, dt_us: u64) -> Output {
        self.now_us += dt_us;
        let sense = self.sense();
        self.device.tick(self.now_us, &sense)
    }

    /// Ticks with heartbeats and nothing else.
    pub(crate) fn wait(&mut self, seconds: f64) {
        for k in 0..(seconds * 1e6) as u64 / TICK_US {
            if self.heartbeats && k % 200 == 0 {
                self.say(HostMessage::Heartbeat { echo: k as u32 });
            }
            self.tick(TICK_US);
        }
    }

    /// Keeps the queue full of `wave`, which counts the device's samples.
    pub(crate) fn play(&mut self, seconds: f64, wave: impl Fn(u64) -> f32) {
        let until_us = self.now_us + (seconds * 1e6) as u64;
        while self.now_us < until_us {
            let chunk: Vec<f32> = (self.index..self.index + 20).map(&wave).collect();
            if let DeviceMessage::Acknowledge { next_index, .. } = self.say(self.samples(self.index, &chunk))
            {
                self.index = next_index;
            }
            self.wait(0.005);
        }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.device.telemetry(self.now_us).fault
    }
}

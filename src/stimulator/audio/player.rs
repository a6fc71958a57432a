//! What the audio callback runs: the firmware's own device, on the clock of the output.
//!
//! In: frames of the host, from a ring. Out: one value for each frame of the output, between -1 and 1; answers
//! and the samples that left, into rings. Samples come at 2,000/s and are joined by straight lines at the
//! output's rate, as the firmware does: 0.07 dB too little at 100 Hz, 1.5 dB at 450 Hz (sinc^2 of 2 kHz).
//!
//! **Deadline**: one buffer of the output. When it is missed the output itself falls to zero; that is an
//! underrun: it is counted, and the current comes back by a ramp of [`RETURN_S`] from zero; the third within a minute is a latched fault
//! of the device's, and nothing comes back. Where no buffer is asked
//! for during longer than the heartbeat limit, the device gives the host up instead, and nothing comes back. Neither
//! allocates nor locks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::time::Instant;

use ringbuf::{
    HeapCons, HeapProd,
    traits::{Consumer, Observer, Producer},
};
use tras_device::{Config, Device, Link, MAX_QUEUE, Output, Reading, Sense, hard::FAST_STOP_US};
use tras_wire::{DeviceMessage, Identity, MAX_FRAME};

use super::{
    drive::{Drive, Driver},
    stream::Values,
};

/// After an underrun the current comes back over this time, in s: as long as a soft stop takes to end it.
pub const RETURN_S: f64 = 1.0;
/// Before that it stays at zero for so long, because a server that recovers may swallow the first buffers.
const WAIT_S: f64 = 0.05;
/// An output that asks for nothing for as long as so many of its largest buffers has run dry: two of them wait there.
const DRY_BUFFERS: u64 = 4;
/// One tick of the device while it sits out a gap, in us: less than what it takes for a stall of its own.
const SIT_OUT_US: u64 = 5_000;
/// Unasked telemetry, in s.
const TELEMETRY_S: f64 = 0.02;
/// The impedance that the device is told where none is measured, in kOhm: anything that it takes for sound.
const SUPPOSED_KOHM: f32 = 5.0;

/// A sample that left, on the output's side of the ring.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Counts samples since arming.
    pub index: u64,
    /// Seconds since the stream's epoch.
    pub at_s: f64,
    /// In mA.
    pub current_ma: f32,
}

/// What callback, error callback and host share.
#[derive(Debug)]
pub struct Shared {
    /// When the stream was made: zero of [`Left::at_s`].
    pub epoch: Instant,
    /// The output said that it ran dry so many times.
    pub dry: AtomicU64,
    /// Underruns that were heard: those while current flowed.
    pub underruns: AtomicU64,
    /// Callbacks so far.
    pub callbacks: AtomicU64,
    /// Frames of the largest callback so far.
    pub largest: AtomicU64,
    /// The callback has asked for real-time priority and was refused.
    pub ordinary: AtomicBool,
    /// The output is gone: nothing but zeros from here, even if it comes back.
    pub gone: AtomicBool,
}

impl Shared {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
            dry: AtomicU64::new(0),
            underruns: AtomicU64::new(0),
            callbacks: AtomicU64::new(0),
            largest: AtomicU64::new(0),
            ordinary: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

/// The far ends of the rings.
pub struct Rings {
    /// Bytes of the host.
    pub heard: HeapCons<u8>,
    /// Bytes to the host.
    pub answers: HeapProd<u8>,
    /// Samples that left.
    pub left: HeapProd<Left>,
}

/// See the module.
pub struct Player {
    device: Device,
    link: Link,
    rings: Rings,
    shared: Arc<Shared>,
    rate_hz: u64,
    frames: u64,
    block_s: f64,
    block_began: u64,
    told: u64,
    dry_seen: u64,
    driver: Driver,
    /// When the last buffer was asked for, in s.
    asked_s: Option<f64>,
    /// What the device's clock is ahead of its frames, in us.
    sat_out_us: u64,
    /// Of the ramp after an underrun, up to 1; below 0 the wait before it.
    back: f64,
}

impl Player {
    /// A device that has just been switched on. `entropy` makes session numbers differ from one to the next.
    #[must_use]
    pub fn new(rate_hz: u32, drive: &Drive, entropy: u32, rings: Rings, shared: Arc<Shared>) -> Self {
        let identity = Identity {
            serial: 0,
            rate_hz: 1_000_000 / tras_device::hard::SAMPLE_US,
            dac_rate_hz: rate_hz,
            queue_capacity: MAX_QUEUE as u16,
            emulated: false,
            crystal_failed: false,
            watchdog_reset: false,
            build: tras_device::BUILD,
            hard: tras_device::hard::LIMITS,
        };
        Self {
            device: Device::new(Config { identity, entropy }),
            link: Link::default(),
            rings,
            shared,
            rate_hz: u64::from(rate_hz.max(1)),
            frames: 0,
            block_s: 0.0,
            block_began: 0,
            told: 0,
            dry_seen: 0,
            driver: Driver::new(drive, f64::from(rate_hz)),
            asked_s: None,
            sat_out_us: 0,
            back: 1.0,
        }
    }

    fn hear(&mut self) {
        let mut bytes = [0_u8; 512];
        let mut answer = [0_u8; MAX_FRAME];
        // No host sends more than this at a time; what a broken one sends has to wait for the next buffer.
        for _ in 0..32 {
            let count = self.rings.heard.pop_slice(&mut bytes);
            let now_us = self.now_us();
            for &byte in bytes.get(..count).unwrap_or_default() {
                let n = self.link.receive(byte, &mut self.device, now_us, &mut answer);
                self.answer(answer.get(..n).unwrap_or_default());
            }
            if count < bytes.len() {
                break;
            }
        }
    }

    fn answer(&mut self, frame: &[u8]) {
        if self.rings.answers.vacant_len() >= frame.len() {
            self.rings.answers.push_slice(frame);
        }
    }

    fn now_us(&self) -> u64 {
        self.frames * 1_000_000 / self.rate_hz + self.sat_out_us
    }

    fn tick(&mut self) -> Output {
        let commanded_ma = self.device.output().current_ma;
        // Nothing is measured here: the device is told what it set. That check is the source's own to make.
        let voltage_v = commanded_ma * SUPPOSED_KOHM;
        let reading = Some(Reading { commanded_ma, current_ma: commanded_ma, voltage_v });
        self.device.tick(self.now_us(), &Sense { e_stop: false, dac_ok: true, reading })
    }

    /// Nobody has asked for a buffer for so long that the device, were it awake, would have given up the host:
    /// process, server or machine stood still. It is made to live through that time, deaf, and so latches what it
    /// latches when it hears nothing; its ramp is over before the next value leaves.
    fn sit_out(&mut self, gap_us: u64) {
        let until_us = self.now_us() + gap_us;
        let last_us = until_us + u64::from(FAST_STOP_US) * 2;
        while self.device.output().relay_closed && self.now_us() < last_us {
            self.sat_out_us += SIT_OUT_US;
            self.tick();
        }
        self.sat_out_us += until_us.saturating_sub(self.now_us());
    }

    fn return_gain(&mut self) -> f64 {
        if self.back >= 1.0 {
            return 1.0;
        }
        self.back = (self.back + 1.0 / (RETURN_S * self.rate_hz as f64)).min(1.0);
        0.5 - 0.5 * (std::f64::consts::PI * self.back.max(0.0)).cos()
    }
}

impl Values for Player {
    fn begin(&mut self, frames: usize, latency_s: f64, now_s: f64) {
        self.shared.callbacks.fetch_add(1, Ordering::Relaxed);
        self.shared.largest.fetch_max(frames as u64, Ordering::Relaxed);
        self.block_s = self.shared.epoch.elapsed().as_secs_f64() + latency_s;
        self.block_began = self.frames;
        let gap_us = (1e6 * (now_s - self.asked_s.replace(now_s).unwrap_or(now_s))) as u64;
        let largest = self.shared.largest.load(Ordering::Relaxed);
        // Not every server says so: PulseAudio's plugin for ALSA keeps most of its own underruns to itself.
        let starved = gap_us.saturating_mul(self.rate_hz) > 1_000_000 * DRY_BUFFERS * largest;
        let dry = self.shared.dry.load(Ordering::Relaxed);
        let said = std::mem::replace(&mut self.dry_seen, dry) != dry;
        let closed = self.device.output().relay_closed;
        if closed && (said || starved) {
            // The output has fallen to zero by itself; from there the current comes back without a step.
            self.back = -WAIT_S / RETURN_S;
            self.shared.underruns.fetch_add(1, Ordering::Relaxed);
            // Three in a minute are a fault: an output that stumbles so often does not get better by itself.
            self.device.stumbled();
        }
        if closed && gap_us > u64::from(self.device.limits().heartbeat_ms) * 1_000 {
            // Before anything is heard: what the host said in the meantime does not make up for it.
            self.sit_out(gap_us);
        }
        self.hear();
    }

    fn next_value(&mut self) -> f32 {
        self.frames += 1;
        let before = self.device.delivered();
        let output = self.tick();
        let current_ma = f64::from(output.current_ma) * self.return_gain();
        let index = self.device.delivered();
        if index > before {
            let at_s = self.block_s + (self.frames - self.block_began) as f64 / self.rate_hz as f64;
            // A host that does not take them has been dead for seconds: the device stops by its heartbeat.
            let _ = self.rings.left.try_push(Left { index: index - 1, at_s, current_ma: current_ma as f32 });
        }
        if !output.relay_closed || self.shared.gone.load(Ordering::Relaxed) {
            self.driver.reset();
            return 0.0;
        }
        self.driver.value(current_ma)
    }

    fn end(&mut self) {
        let mut frame = [0_u8; MAX_FRAME];
        if let Some(fault) = self.device.take_new_fault() {
            let n = self.link.send(&self.device, &DeviceMessage::Fault(fault), &mut frame);
            self.answer(frame.get(..n).unwrap_or_default());
        }
        if self.frames - self.told >= (TELEMETRY_S * self.rate_hz as f64) as u64 {
            self.told = self.frames;
            let telemetry = DeviceMessage::Telemetry(self.device.telemetry(self.now_us()));
            let n = self.link.send(&self.device, &telemetry, &mut frame);
            self.answer(frame.get(..n).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests;

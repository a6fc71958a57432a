//! A device at the far end of a real pseudo terminal: the firmware's own code in real time, and whatever is to
//! go wrong on the line. The adapter opens the near end by its path, as it opens a board.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code, reason = "tests")]

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::FromRawFd,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tras_device::{Config, Device, Found, Link, Reading, Sense, State};
use tras_wire::{Decoder, DeviceMessage, Header, HostMessage, Identity, Limits, MAX_FRAME, encode};

/// Between two updates of the DAC, in us.
const TICK_US: u64 = 250;
/// Unasked telemetry, as the board sends it, in us.
const TELEMETRY_US: u64 = 50_000;

pub const LIMITS: Limits = Limits {
    peak_ma: 0.5,
    dc_ma: 0.020,
    slew_ma_per_ms: 0.5,
    net_charge_mc: 0.6,
    total_charge_mc: 2_400.0,
    active_s: 2_400.0,
    heartbeat_ms: 250,
};

/// What goes wrong on the line or in the device, as long as it is set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wrong {
    /// One byte in so many is flipped, both ways; 0 for none.
    pub flip: u32,
    /// One read of bytes in so many is lost, both ways.
    pub lose: u32,
    /// One read of bytes in so many comes twice, both ways.
    pub repeat: u32,
    /// The device says nothing.
    pub mute: bool,
    /// Bytes are held back for so long, both ways, in ms: a USB bridge's latency timer.
    pub hold_ms: u64,
    /// Limits are altered on the way, with a right CRC.
    pub alter_limits: bool,
    /// The device starts anew.
    pub reset: bool,
    /// The cable is pulled.
    pub unplug: bool,
    /// Deaf for so long after being opened, in ms, talking nonsense: a board that is reset by it.
    pub boot_ms: u64,
}

/// What left the device.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub at_s: f64,
    pub current_ma: f32,
    pub state: State,
    pub underruns: u32,
    pub fill: u16,
}

pub struct Bench {
    pub path: String,
    pub wrong: Arc<Mutex<Wrong>>,
    pub flow: Arc<Mutex<Vec<Flow>>>,
    pub bad_frames: Arc<Mutex<u32>>,
    quit: Arc<Mutex<bool>>,
    thread: Option<JoinHandle<()>>,
    pub began: Instant,
}

/// A pseudo terminal: the far end, and the path of the near one.
pub fn terminal() -> (File, String) {
    // SAFETY: plain system calls; the file takes the descriptor over, the name is copied before it is freed.
    unsafe {
        let fd = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        assert!(fd >= 0 && libc::grantpt(fd) == 0 && libc::unlockpt(fd) == 0);
        let mut name = [0_i8; 128];
        assert_eq!(libc::ptsname_r(fd, name.as_mut_ptr().cast(), name.len()), 0);
        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
        let path = std::ffi::CStr::from_ptr(name.as_ptr().cast()).to_str().unwrap().to_owned();
        (File::from_raw_fd(fd), path)
    }
}

fn new_device(entropy: u32, found: &Found) -> Device {
    let identity = Identity {
        serial: 0x00C0_FFEE,
        rate_hz: 2_000,
        dac_rate_hz: 4_000,
        queue_capacity: 400,
        emulated: true,
        crystal_failed: false,
        watchdog_reset: false,
        build: tras_device::BUILD,
        hard: tras_device::hard::LIMITS,
    };
    Device::resumed(Config { identity, entropy }, found)
}

impl Bench {
    pub fn start(wrong: Wrong) -> Self {
        let (far, path) = terminal();
        Self::start_on(far, path, wrong)
    }

    /// On any line that does not block; `path` is where its near end is found.
    pub fn start_on(far: File, path: String, wrong: Wrong) -> Self {
        let wrong = Arc::new(Mutex::new(wrong));
        let (flow, quit, bad_frames) =
            <(Arc<Mutex<Vec<Flow>>>, Arc<Mutex<bool>>, Arc<Mutex<u32>>)>::default();
        let began = Instant::now();
        let mut bench = Board {
            far,
            wrong: wrong.clone(),
            flow: flow.clone(),
            bad_frames: bad_frames.clone(),
            device: new_device(1, &Found::Blank),
            link: Link::default(),
            middle: Decoder::default(),
            began,
            ticks: 0,
            telemetry_us: 0,
            dice: 0x1234_5678,
            resets: 1,
            held_in: Vec::new(),
            held_out: Vec::new(),
        };
        let quits = quit.clone();
        let thread = std::thread::spawn(move || {
            // A device has a processor of its own; without rights it shares this one.
            let _ = tras::realtime::promote(60);
            while !*quits.lock().unwrap() && bench.step() {
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        Self { path, wrong, flow, bad_frames, quit, thread: Some(thread), began }
    }

    pub fn set(&self, change: impl FnOnce(&mut Wrong)) {
        change(&mut self.wrong.lock().unwrap());
    }

    pub fn now_s(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// After `from_s`: the largest |current|, and when the current became zero for good.
    pub fn after(&self, from_s: f64) -> (f32, f64) {
        let flow = self.flow.lock().unwrap();
        let late = || flow.iter().filter(|f| f.at_s >= from_s);
        let largest = late().map(|f| f.current_ma.abs()).fold(0.0, f32::max);
        let last = late().rfind(|f| f.current_ma != 0.0).map_or(from_s, |f| f.at_s);
        (largest, last)
    }

    pub fn newest(&self) -> Flow {
        *self.flow.lock().unwrap().last().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        *self.quit.lock().unwrap() = true;
        let _ = self.thread.take().unwrap().join();
    }
}

struct Board {
    far: File,
    wrong: Arc<Mutex<Wrong>>,
    flow: Arc<Mutex<Vec<Flow>>>,
    bad_frames: Arc<Mutex<u32>>,
    device: Device,
    link: Link,
    /// Of whoever sits in the middle of the line.
    middle: Decoder,
    began: Instant,
    ticks: u64,
    telemetry_us: u64,
    dice: u32,
    resets: u32,
    held_in: Vec<(Instant, Vec<u8>)>,
    held_out: Vec<(Instant, Vec<u8>)>,
}

impl Board {
    fn chance(&mut self, one_in: u32) -> bool {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        one_in > 0 && self.dice.is_multiple_of(one_in)
    }

    fn spoil(&mut self, bytes: &[u8], wrong: &Wrong) -> Vec<u8> {
        if self.chance(wrong.lose) {
            return Vec::new();
        }
        let mut spoiled = bytes.to_vec();
        if self.chance(wrong.repeat) {
            spoiled.extend_from_slice(bytes);
        }
        for byte in &mut spoiled {
            if self.chance(wrong.flip) {
                *byte ^= 1 << (self.dice >> 8 & 7);
            }
        }
        spoiled
    }

    /// Limits that pass are raised, everything else goes on as it is.
    fn alter(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut passed = Vec::new();
        for &byte in bytes {
            let Some(Ok(frame)) = self.middle.push::<HostMessage>(byte) else { continue };
            let message = match frame.message {
                HostMessage::Limits(limits) => HostMessage::Limits(Limits { peak_ma: 2.0, ..limits }),
                other => other,
            };
            let mut out = [0; MAX_FRAME];
            let length = encode(frame.header, &message, &mut out).unwrap();
            passed.extend_from_slice(&out[..length]);
        }
        passed
    }

    fn step(&mut self) -> bool {
        let wrong = *self.wrong.lock().unwrap();
        if wrong.unplug {
            self.live();
            // The near end sees the far one close; the device lives on, alone.
            self.far = File::open("/dev/null").unwrap();
            return true;
        }
        if wrong.reset {
            self.wrong.lock().unwrap().reset = false;
            self.resets += 1;
            let kept = Found::Kept(self.device.kept());
            self.device = new_device(self.resets, &kept);
            self.link = Link::default();
        }
        self.live();
        let booting = self.began.elapsed() < Duration::from_millis(wrong.boot_ms);
        let mut bytes = [0_u8; 4_096];
        // Before the near end is opened a read fails; that is no reason to give up.
        let count = self.far.read(&mut bytes).unwrap_or(0);
        if booting {
            let _ = self.far.write_all(b"boot \x00\xff");
            return true;
        }
        if count > 0 {
            let bytes =
                if wrong.alter_limits { self.alter(&bytes[..count]) } else { bytes[..count].to_vec() };
            let spoiled = self.spoil(&bytes, &wrong);
            self.held_in.push((Instant::now(), spoiled));
        }
        let hold = Duration::from_millis(wrong.hold_ms);
        while self.held_in.first().is_some_and(|(since, _)| since.elapsed() >= hold) {
            let (_, bytes) = self.held_in.remove(0);
            self.hear(&bytes, &wrong);
        }
        let now_us = self.ticks * TICK_US;
        if now_us >= self.telemetry_us {
            self.telemetry_us = now_us + TELEMETRY_US;
            let telemetry = DeviceMessage::Telemetry(self.device.telemetry(now_us));
            self.say(&telemetry, &wrong);
        }
        if let Some(fault) = self.device.take_new_fault() {
            self.say(&DeviceMessage::Fault(fault), &wrong);
        }
        while self.held_out.first().is_some_and(|(since, _)| since.elapsed() >= hold) {
            let (_, bytes) = self.held_out.remove(0);
            let _ = self.far.write_all(&bytes);
        }
        true
    }

    fn hear(&mut self, bytes: &[u8], wrong: &Wrong) {
        let mut out = [0_u8; MAX_FRAME];
        for &byte in bytes {
            let n = self.link.receive(byte, &mut self.device, self.ticks * TICK_US, &mut out);
            if n > 0 && !wrong.mute {
                let spoiled = self.spoil(&out[..n], wrong);
                self.held_out.push((Instant::now(), spoiled));
            }
        }
    }

    fn say(&mut self, message: &DeviceMessage, wrong: &Wrong) {
        let mut out = [0_u8; MAX_FRAME];
        let n = self.link.send(&self.device, message, &mut out);
        if !wrong.mute {
            let spoiled = self.spoil(&out[..n], wrong);
            self.held_out.push((Instant::now(), spoiled));
        }
    }

    fn live(&mut self) {
        let until = self.began.elapsed().as_micros() as u64 / TICK_US;
        let mut flow = self.flow.lock().unwrap();
        while self.ticks < until {
            self.ticks += 1;
            let commanded_ma = self.device.output().current_ma;
            let reading = Reading { commanded_ma, current_ma: commanded_ma, voltage_v: commanded_ma * 5.0 };
            let sense = Sense { e_stop: false, dac_ok: true, reading: Some(reading) };
            let output = self.device.tick(self.ticks * TICK_US, &sense);
            let telemetry = self.device.telemetry(0);
            *self.bad_frames.lock().unwrap() = telemetry.bad_frames;
            flow.push(Flow {
                at_s: (self.ticks * TICK_US) as f64 * 1e-6,
                current_ma: output.current_ma,
                state: self.device.state(),
                underruns: telemetry.underruns,
                fill: telemetry.queue_fill,
            });
        }
    }
}

/// A device that is none of ours: `talk` gets what was sent to it and answers.
pub fn stranger(mut talk: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> (String, impl Drop) {
    struct Stop(Arc<Mutex<bool>>, Option<JoinHandle<()>>);
    impl Drop for Stop {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
            let _ = self.1.take().unwrap().join();
        }
    }
    let (mut far, path) = terminal();
    let quit = Arc::new(Mutex::new(false));
    let quits = quit.clone();
    let thread = std::thread::spawn(move || {
        let mut bytes = [0_u8; 4_096];
        while !*quits.lock().unwrap() {
            let count = far.read(&mut bytes).unwrap_or(0);
            let _ = far.write(&talk(&bytes[..count]));
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    (path, Stop(quit, Some(thread)))
}

/// A header for hand-made frames.
pub fn header(nonce: u32, sequence: u32) -> Header {
    Header { nonce, sequence }
}

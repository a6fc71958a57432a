//! The smallest host that keeps the device's rules: for proving the firmware without the rest of the program,
//! and for breaking one rule at a time.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tras_wire::{
    Decoder, DeviceMessage, Header, HostMessage, Identity, Limits, MAX_FRAME, Samples, Telemetry, encode,
};

/// Samples in a frame: 16 ms. Few samples a frame are many frames, and 20 bytes each beside the samples.
const CHUNK: u64 = 32;

/// The current of every scene, sample by sample: 10 Hz, 0.4 mA.
pub fn wave(k: u64) -> f32 {
    0.4 * (std::f64::consts::TAU * 10.0 * k as f64 / 2_000.0).sin() as f32
}

/// A host on one line.
pub struct Host {
    line: UnixStream,
    decoder: Decoder,
    /// The session.
    pub header: Header,
    /// Who answered.
    pub identity: Option<Identity>,
    /// The newest.
    pub telemetry: Option<Telemetry>,
    /// The index of the next sample, and the burst.
    pub index: u64,
    /// See `index`.
    pub burst: u32,
    next_index: u64,
    capacity: u64,
    played: u64,
    heartbeat: Instant,
    acknowledged: Instant,
    /// Frames of samples that are not answered yet: their numbers and the index after their last sample.
    sent: VecDeque<(u32, u64)>,
    /// Times that something had to be sent again.
    pub resent: u32,
    /// Sends no heartbeat.
    pub silent: bool,
    /// Round trips of heartbeats.
    pub round_trips: Vec<Duration>,
    beats: Vec<Instant>,
    /// The smallest fill of the device's queue that telemetry has shown while current flowed.
    pub lowest_fill: u16,
}

impl Host {
    /// On this line; nothing is said yet.
    ///
    /// # Errors
    /// The line cannot be set up.
    pub fn new(line: UnixStream) -> Result<Self> {
        line.set_read_timeout(Some(Duration::from_millis(1)))?;
        Ok(Self {
            line,
            decoder: Decoder::default(),
            header: Header { nonce: std::process::id() | 1, sequence: 0 },
            identity: None,
            telemetry: None,
            index: 0,
            burst: 1,
            next_index: 0,
            capacity: 0,
            played: 0,
            heartbeat: Instant::now(),
            acknowledged: Instant::now(),
            sent: VecDeque::new(),
            resent: 0,
            silent: false,
            round_trips: Vec::new(),
            beats: Vec::new(),
            lowest_fill: u16::MAX,
        })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// The line is gone.
    pub fn send(&mut self, message: &HostMessage) -> Result<()> {
        let mut bytes = [0; MAX_FRAME];
        let n = encode(self.header, message, &mut bytes).unwrap_or(0);
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.line.write_all(bytes.get(..n).unwrap_or_default())
    }

    /// Takes what has come, waiting 1 ms at most for the first byte.
    ///
    /// # Errors
    /// The line is gone.
    pub fn receive(&mut self) -> Result<Vec<DeviceMessage>> {
        let mut chunk = [0; 1_024];
        let n = match self.line.read(&mut chunk) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => 0,
            Err(e) => return Err(e),
        };
        let mut messages = Vec::new();
        for &byte in chunk.get(..n).unwrap_or_default() {
            let Some(Ok(frame)) = self.decoder.push::<DeviceMessage>(byte) else { continue };
            match frame.message {
                DeviceMessage::Hello(identity) => {
                    self.header.nonce = frame.header.nonce;
                    self.capacity = u64::from(identity.queue_capacity);
                    self.identity = Some(identity);
                }
                DeviceMessage::Acknowledge { sequence, next_index, room } => {
                    self.next_index = next_index;
                    self.played = next_index - (self.capacity - u64::from(room)).min(next_index);
                    self.acknowledged = Instant::now();
                    self.go_back_if_missing(sequence);
                }
                DeviceMessage::Telemetry(t) => {
                    (self.next_index, self.played) = (t.next_index, t.next_index - u64::from(t.queue_fill));
                    if t.current_ma != 0.0 {
                        self.lowest_fill = self.lowest_fill.min(t.queue_fill);
                    }
                    if let Some(beat) = self.beats.get(t.echo as usize)
                        && self.telemetry.is_none_or(|old| old.echo != t.echo)
                    {
                        self.round_trips.push(beat.elapsed());
                    }
                    self.telemetry = Some(t);
                }
                _ => {}
            }
            messages.push(frame.message);
        }
        Ok(messages)
    }

    /// Only listens, for so long.
    ///
    /// # Errors
    /// The line is gone.
    pub fn listen(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.receive()?;
        }
        Ok(())
    }

    /// Sends and waits for an answer that is not telemetry, for 2 s at most.
    ///
    /// # Errors
    /// The line is gone or nothing answers.
    pub fn ask(&mut self, message: &HostMessage) -> Result<DeviceMessage> {
        for _ in 0..4 {
            self.send(message)?;
            let until = Instant::now() + Duration::from_millis(500);
            while Instant::now() < until {
                let answers = self.receive()?;
                if let Some(a) = answers.into_iter().find(|a| !matches!(a, DeviceMessage::Telemetry(_))) {
                    return Ok(a);
                }
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// Hello, limits, arm. Gives back the answer to the arming.
    ///
    /// # Errors
    /// The line is gone or nothing answers.
    pub fn arm(&mut self, limits: &Limits) -> Result<DeviceMessage> {
        self.ask(&HostMessage::Hello)?;
        self.ask(&HostMessage::Limits(*limits))?;
        self.ask(&HostMessage::Arm { limits: *limits, valid_ms: 60_000 })
    }

    /// Keeps `lead` samples of [`wave`] in the device's queue, and the heartbeat going, for so long. Sends again
    /// from where the device says that something is missing.
    ///
    /// # Errors
    /// The line is gone.
    pub fn play(&mut self, time: Duration, lead: u64) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.beat(Duration::from_millis(50))?;
            while self.index + CHUNK <= self.played + lead {
                let n = CHUNK;
                let current_ma = (self.index..self.index + n).map(wave).collect();
                self.sent.push_back((self.header.sequence, self.index + n));
                self.send(&HostMessage::Samples(Samples {
                    burst: self.burst,
                    index: self.index,
                    current_ma,
                }))?;
                self.index += n;
            }
            self.receive()?;
            if self.acknowledged.elapsed() > Duration::from_millis(100) && !self.sent.is_empty() {
                // The last frame of all was lost, or its answer.
                self.acknowledged = Instant::now();
                self.go_back();
            }
        }
        Ok(())
    }

    /// An answer to a frame of samples that the device has not taken to its end: one before it was lost. What
    /// was sent before going back is answered too and says nothing new, so it is forgotten.
    fn go_back_if_missing(&mut self, sequence: u32) {
        while let Some(&(oldest, end)) = self.sent.front() {
            if oldest > sequence {
                return;
            }
            self.sent.pop_front();
            if oldest == sequence && self.next_index < end {
                self.resent += 1;
                self.go_back();
            }
        }
    }

    fn go_back(&mut self) {
        self.index = self.next_index;
        self.sent.clear();
    }

    /// A heartbeat, if the last is so long ago.
    ///
    /// # Errors
    /// The line is gone.
    pub fn beat(&mut self, every: Duration) -> Result<()> {
        if !self.silent && self.heartbeat.elapsed() >= every {
            self.heartbeat = Instant::now();
            self.beats.push(self.heartbeat);
            let echo = self.beats.len() as u32 - 1;
            self.send(&HostMessage::Heartbeat { echo })?;
        }
        Ok(())
    }
}

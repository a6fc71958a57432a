//! An audio output into the analogue input of a current source that limits by itself.
//!
//! In: the calls of [`super::Stimulator`]. Out: volts, on one channel of one output. The firmware's own device
//! runs in the audio callback, behind its own messages, so that this way out has the same states, ramps, limits
//! and heartbeat as the serial one; only the line is a pair of rings.
//!
//! **This path has no independent watchdog.** Whatever stops this process or the audio server stops the device
//! too: the output then falls to zero at once or, on some hardware, repeats its last buffer. Nothing measures
//! the current. So the configuration must state that the source behind it has limits of its own. A cut reaches
//! the output after the buffers that wait there, 20 ms and more, not within 5 ms.

pub mod calibration;
pub mod certificate;
pub mod drive;
pub mod find;
pub mod player;
pub mod rolloff;
pub mod stream;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

use self::{
    drive::Drive,
    player::{Left, Player, Rings, Shared},
    rolloff::{Rolloff, WANTED_HZ},
};
use super::{
    Delivered, StimulatorError,
    linked::{Line, LinkSettings, Linked},
};

/// Bytes under way in each direction at most.
const RING: usize = 65_536;
/// Samples that left, kept until the host takes them: 2 s.
const LEFT: usize = 4_096;
/// An output that asks for nothing for so long is lost rather than late, in s. PulseAudio may take 2 s to wake a
/// sink that ran dry: with the relay open that is no loss, and with it closed the device has given up long before.
const SILENT_AFTER_S: f64 = 2.5;
/// Buffers that are looked at before it is believed what they are.
const BUFFERS: u64 = 8;
/// How long the first may take, and all the others after it: a sink that has been idle may take 2 s.
const WITHIN: Duration = Duration::from_millis(2_500);
/// While connecting.
const NAP: Duration = Duration::from_millis(1);

/// An output and the current source behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSettings {
    /// The output's name or identifier.
    pub device: String,
    /// Its channel that carries the current, from 1.
    pub channel: u32,
    /// The rate to open it at; `None`: its own.
    pub rate_hz: Option<u32>,
    /// mA that the source delivers for each volt at its input.
    pub scale_ma_per_v: f64,
    /// Volts at the output at digital full scale.
    pub full_scale_v: f64,
    /// Corner of the output's roll-off at low frequencies, in Hz, where one was measured.
    pub rolloff_hz: Option<f64>,
    /// The participant's limit: nothing beyond it is driven, whatever the roll-off would need, in mA.
    pub peak_ma: f64,
    /// How much the queue is kept filled, in s.
    pub queue_s: f64,
}

/// What the output does, as measured while it was opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opened {
    /// Frames a second.
    pub rate_hz: u32,
    /// Frames in the largest buffer so far.
    pub buffer_frames: u64,
    /// The longest time between two buffers, in s.
    pub longest_gap_s: f64,
}

/// A stimulator at an audio output.
pub type AudioStimulator = Linked<AudioLine>;

/// An audio output, and the rings to the device in its callback.
pub struct AudioLine {
    name: Arc<str>,
    settings: AudioSettings,
    open: Option<Open>,
    opened: Option<Opened>,
    /// The caller's time at the stream's epoch.
    epoch_s: f64,
}

struct Open {
    out: HeapProd<u8>,
    back: HeapCons<u8>,
    left: HeapCons<Left>,
    shared: Arc<Shared>,
    /// Plays as long as it lives.
    _stream: cpal::Stream,
}

impl AudioStimulator {
    /// The source behind an output. Nothing is opened yet.
    #[must_use]
    pub fn at(settings: AudioSettings) -> Self {
        let link = LinkSettings { queue_s: settings.queue_s, batch: 8, silent_after_s: SILENT_AFTER_S };
        let name = format!("audio {:?} channel {}", settings.device, settings.channel).into();
        Self::new(AudioLine { name, settings, open: None, opened: None, epoch_s: 0.0 }, link)
    }

    /// What the output does, once connected.
    #[must_use]
    pub fn opened(&self) -> Option<Opened> {
        self.line().opened
    }
}

impl AudioLine {
    /// Waits until the output runs, and measures its buffers.
    fn measure(&self, open: &Open, rate_hz: u32) -> Result<Opened, String> {
        let (mut began, mut seen, mut last) = (Instant::now(), 0, Instant::now());
        let mut longest_gap_s = 0.0_f64;
        while seen < BUFFERS {
            if open.shared.gone.load(Ordering::Acquire) {
                return Err("it was lost as soon as it was opened".into());
            }
            if began.elapsed() > WITHIN {
                let what =
                    if seen == 0 { "it asks for no samples" } else { "it asks for samples too rarely" };
                return Err(format!(
                    "{what} ({seen} buffers in {:.1} s); choose another output",
                    WITHIN.as_secs_f64()
                ));
            }
            let count = open.shared.callbacks.load(Ordering::Relaxed);
            if count > seen {
                // The first few fill what is empty and say nothing.
                if seen > 3 {
                    longest_gap_s = longest_gap_s.max(last.elapsed().as_secs_f64());
                }
                if seen == 0 {
                    began = Instant::now();
                }
                (seen, last) = (count, Instant::now());
            }
            std::thread::sleep(NAP);
        }
        Ok(Opened { rate_hz, buffer_frames: open.shared.largest.load(Ordering::Relaxed), longest_gap_s })
    }

    fn start(&self) -> Result<(Open, u32), String> {
        let s = &self.settings;
        let output = find::output(&s.device, s.channel, s.rate_hz)?;
        let rate_hz = output.config.sample_rate;
        let (out, heard) = HeapRb::new(RING).split();
        let (answers, back) = HeapRb::new(RING).split();
        let (left_in, left) = HeapRb::new(LEFT).split();
        let shared = Arc::new(Shared::new());
        let drive = Drive {
            full_scale_ma: s.scale_ma_per_v * s.full_scale_v,
            peak_ma: s.peak_ma,
            rolloff_hz: s.rolloff_hz,
        };
        let rings = Rings { heard, answers, left: left_in };
        let player = Player::new(rate_hz, &drive, rand::random(), rings, Arc::clone(&shared));
        let stream = stream::start(&output, s.channel, player, &shared)?;
        Ok((Open { out, back, left, shared, _stream: stream }, rate_hz))
    }
}

impl Line for AudioLine {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn open(&mut self) -> Result<(), StimulatorError> {
        self.open = None;
        let opened = self.start().and_then(|(open, rate_hz)| Ok((self.measure(&open, rate_hz)?, open)));
        let (opened, open) = opened.map_err(|detail| StimulatorError::NotFound {
            device: self.name.clone(),
            detail: detail.into(),
        })?;
        (self.opened, self.open) = (Some(opened), Some(open));
        Ok(())
    }

    fn wait(&mut self) -> f64 {
        let began = Instant::now();
        std::thread::sleep(NAP);
        began.elapsed().as_secs_f64()
    }

    fn advance(&mut self, now_s: f64) {
        if let Some(open) = &self.open
            && now_s.is_finite()
        {
            self.epoch_s = now_s - open.shared.epoch.elapsed().as_secs_f64();
        }
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        self.open.as_mut().is_some_and(|open| {
            open.out.vacant_len() >= frame.len() && open.out.push_slice(frame) == frame.len()
        })
    }

    fn receive(&mut self, into: &mut [u8]) -> usize {
        self.open.as_mut().map_or(0, |open| open.back.pop_slice(into))
    }

    fn lost(&self) -> Option<&'static str> {
        let gone = self.open.as_ref().is_some_and(|open| open.shared.gone.load(Ordering::Acquire));
        gone.then_some("the audio output is gone")
    }

    fn give_up(&mut self) {
        if let Some(open) = &self.open {
            open.shared.gone.store(true, Ordering::Release);
        }
    }

    fn delivered(&mut self, each: &mut dyn FnMut(Delivered)) -> bool {
        let epoch_s = self.epoch_s;
        if let Some(open) = &mut self.open {
            while let Some(Left { index, at_s, current_ma }) = open.left.try_pop() {
                each(Delivered { index, stamp_s: epoch_s + at_s, current_ma });
            }
        }
        true
    }

    fn measures(&self) -> bool {
        false
    }

    fn stumbles(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.shared.underruns.load(Ordering::Relaxed))
    }

    fn cautions(&self) -> Vec<String> {
        let s = &self.settings;
        let mut cautions = vec![format!(
            "{} has no independent watchdog: the current source behind it must limit the current by itself",
            self.name
        )];
        if self.open.as_ref().is_some_and(|open| open.shared.ordinary.load(Ordering::Relaxed)) {
            let what = "its callback was refused real-time priority: on a busy machine it underruns";
            cautions.push(format!("{}: {what}", self.name));
        }
        if let Some(opened) = self.opened {
            cautions.push(format!(
                "{} runs at {} Hz in buffers of {} frames ({:.0} ms), the longest wait for one was {:.0} ms",
                self.name,
                opened.rate_hz,
                opened.buffer_frames,
                opened.buffer_frames as f64 * 1e3 / f64::from(opened.rate_hz),
                opened.longest_gap_s * 1e3
            ));
            if opened.longest_gap_s > s.queue_s / 2.0 {
                cautions.push(format!(
                    "buffers come {:.0} ms apart: set stimulator.queue_ms to {:.0} or more",
                    opened.longest_gap_s * 1e3,
                    3e3 * opened.longest_gap_s
                ));
            }
        }
        if let Some(corner_hz) = s.rolloff_hz {
            let rolloff = Rolloff::new(corner_hz, 48_000.0);
            if rolloff.reach_hz() > WANTED_HZ {
                cautions.push(format!(
                    "a roll-off at {corner_hz} Hz can be compensated down to {:.2} Hz only, not to {WANTED_HZ} Hz: below that the current is too weak; use a DC-coupled output",
                    rolloff.reach_hz()
                ));
            }
        }
        cautions
    }
}

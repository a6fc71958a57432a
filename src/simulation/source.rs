//! The virtual participant as a [`Source`], for the virtual runtime: no stream, no waiting, its own time.
//!
//! The runtime moves the time on and hands over the current that was delivered; the source yields the samples
//! that are due. Current is kept by the EEG sample in whose time it flowed, so any device rate will do.

use super::participant::{Participant, ParticipantSettings, SettingsError};
use crate::acquisition::{Channel, Poll, Source, StreamDescription};

/// Delivered current, gathered by the EEG sample in whose time it flows.
#[derive(Clone, Debug)]
pub struct CurrentBuffer {
    start_s: f64,
    rate_hz: f64,
    /// Sum and count of the current's samples for EEG sample k at k modulo the length.
    slots: Vec<(f64, u32)>,
    next: u64,
    last_ma: f64,
    late: u64,
}

impl CurrentBuffer {
    /// For an EEG whose sample k is taken at `start_s + k / rate_hz`; holds up to `ahead_s` of current.
    #[must_use]
    pub fn new(start_s: f64, rate_hz: f64, ahead_s: f64) -> Self {
        let slots = vec![(0.0, 0); ((ahead_s * rate_hz).ceil() as usize).max(2)];
        Self { start_s, rate_hz, slots, next: 0, last_ma: 0.0, late: 0 }
    }

    /// Takes in one sample of current that flowed at `stamp_s`. One that comes too late for its EEG sample, or
    /// further ahead than the buffer reaches, is counted and left out.
    pub fn put(&mut self, stamp_s: f64, current_ma: f32) {
        // Sample k is the mean over the time up to it: (k - 1, k]. A little slack absorbs rounding of stamps.
        let place = ((stamp_s - self.start_s) * self.rate_hz - 1e-6).ceil();
        let last = self.next + self.slots.len() as u64 - 1;
        if !current_ma.is_finite() || place < self.next as f64 || place > last as f64 {
            self.late += 1;
            return;
        }
        let len = self.slots.len() as u64;
        if let Some((sum, count)) = self.slots.get_mut((place as u64 % len) as usize) {
            *sum += f64::from(current_ma);
            *count += 1;
        }
    }

    /// Mean current over the next EEG sample's time, in mA; where a device slower than the EEG gave none, the
    /// last is held for one sample in which another still follows, and is 0 after.
    pub fn take(&mut self) -> f64 {
        let len = self.slots.len() as u64;
        let slot = self.slots.get_mut((self.next % len) as usize).map(std::mem::take).unwrap_or_default();
        let (mut following, ahead) = (false, self.slots.get(((self.next + 1) % len) as usize));
        if let Some((_, count)) = ahead {
            following = *count > 0;
        }
        self.next += 1;
        let mean_ma = match slot {
            (_, 0) if following => self.last_ma,
            (_, 0) => 0.0,
            (sum, count) => sum / f64::from(count),
        };
        self.last_ma = mean_ma;
        mean_ma
    }

    /// Samples of current that were left out.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late
    }
}

/// A virtual participant under a virtual clock.
#[derive(Clone, Debug)]
pub struct SimulatedSource {
    participant: Participant,
    description: StreamDescription,
    current: CurrentBuffer,
    drive: Option<(f64, f64)>,
    frame: Vec<f32>,
    start_s: f64,
    now_s: f64,
    made: u64,
    end: Option<u64>,
}

/// Current is held this far ahead of the EEG.
const AHEAD_S: f64 = 2.0;

impl SimulatedSource {
    /// A participant whose sample k is due at `start_s + k / rate`; ends after `seconds`, where given.
    ///
    /// # Errors
    /// [`SettingsError`] where the settings make no sense.
    pub fn new(
        settings: &ParticipantSettings,
        seed: u64,
        start_s: f64,
        seconds: Option<f64>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            participant: Participant::new(settings, seed)?,
            description: describe(settings, "tras-sim", seed),
            current: CurrentBuffer::new(start_s, settings.rate_hz, AHEAD_S),
            drive: None,
            frame: vec![0.0; settings.labels.len()],
            start_s,
            now_s: f64::NEG_INFINITY,
            made: 0,
            end: seconds.map(|s| (s * settings.rate_hz).round().max(0.0) as u64),
        })
    }

    /// Moves the time on: samples up to and with `now_s` are due. Time that goes back is ignored.
    pub fn advance_to(&mut self, now_s: f64) {
        if now_s > self.now_s {
            self.now_s = now_s;
        }
    }

    /// Hands over current as delivered: sample i flowed at `stamp0_s + i / rate_hz`. Give it before the EEG of
    /// that time is polled.
    pub fn deliver(&mut self, stamp0_s: f64, rate_hz: f64, current_ma: &[f32]) {
        for (i, value) in current_ma.iter().enumerate() {
            self.current.put(stamp0_s + i as f64 / rate_hz, *value);
        }
    }

    /// What the stimulator plays from now on: exponent and root mean square (mA) of its profile; `None`: nothing.
    pub fn set_drive(&mut self, drive: Option<(f64, f64)>) {
        self.drive = drive;
    }

    /// The participant: its true exponent, for a report.
    #[must_use]
    pub fn participant(&self) -> &Participant {
        &self.participant
    }

    /// Samples of current that came too late, or too early, to be felt.
    #[must_use]
    pub fn current_left_out(&self) -> u64 {
        self.current.late()
    }
}

impl Source for SimulatedSource {
    fn description(&self) -> &StreamDescription {
        &self.description
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        let channels = self.frame.len();
        let rate_hz = self.participant.settings().rate_hz;
        let mut count = 0;
        for (row, stamp) in values.chunks_exact_mut(channels).zip(stamps_s) {
            if self.end.is_some_and(|end| self.made >= end) {
                return if count > 0 { Poll::Samples(count) } else { Poll::End };
            }
            let due_s = self.start_s + self.made as f64 / rate_hz;
            if due_s > self.now_s {
                break;
            }
            let current_ma = self.current.take();
            self.participant.next_sample(self.drive, current_ma, &mut self.frame);
            for (value, uv) in row.iter_mut().zip(&self.frame) {
                *value = f64::from(*uv);
            }
            *stamp = due_s;
            self.made += 1;
            count += 1;
        }
        if count > 0 { Poll::Samples(count) } else { Poll::Empty }
    }
}

/// A participant's description as a stream.
#[must_use]
pub fn describe(settings: &ParticipantSettings, name: &str, seed: u64) -> StreamDescription {
    StreamDescription {
        name: name.into(),
        kind: "EEG".into(),
        source_id: format!("{name}-{seed}"),
        hostname: String::new(),
        rate_hz: settings.rate_hz,
        channels: settings
            .labels
            .iter()
            .map(|label| Channel { label: label.clone(), unit: "microvolts".into(), kind: "EEG".into() })
            .collect(),
    }
}

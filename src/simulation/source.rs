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
    late: u64,
}

impl CurrentBuffer {
    /// For an EEG whose sample k is taken at `start_s + k / rate_hz`; holds up to `ahead_s` of current.
    #[must_use]
    pub fn new(start_s: f64, rate_hz: f64, ahead_s: f64) -> Self {
        let slots = vec![(0.0, 0); ((ahead_s * rate_hz).ceil() as usize).max(2)];
        Self { start_s, rate_hz, slots, next: 0, late: 0 }
    }

    /// Takes in one sample of current that flows from `stamp_s` for `period_s`. One that comes too late for its
    /// EEG sample, or further ahead than the buffer reaches, is counted and left out.
    pub fn put(&mut self, stamp_s: f64, period_s: f64, current_ma: f32) {
        // EEG sample k is the mean over the time up to it: (k - 1, k]. A little slack absorbs rounding of stamps.
        let place = |time_s: f64| ((time_s - self.start_s) * self.rate_hz - 1e-6).ceil();
        // A device slower than the EEG holds its value until its next sample.
        let (from, until) = (place(stamp_s), place(stamp_s + period_s));
        let end = (self.next + self.slots.len() as u64) as f64;
        if !current_ma.is_finite() || !(self.next as f64..end).contains(&from) {
            self.late += 1;
            return;
        }
        let len = self.slots.len() as u64;
        for k in from as u64..(from + 1.0).max(until.min(end)) as u64 {
            if let Some((sum, count)) = self.slots.get_mut((k % len) as usize) {
                *sum += f64::from(current_ma);
                *count += 1;
            }
        }
    }

    /// Mean current over the next EEG sample's time, in mA; 0 where none is known.
    pub fn take(&mut self) -> f64 {
        let len = self.slots.len() as u64;
        let slot = self.slots.get_mut((self.next % len) as usize).map(std::mem::take).unwrap_or_default();
        self.next += 1;
        if slot.1 == 0 { 0.0 } else { slot.0 / f64::from(slot.1) }
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
/// The artefact follows the current by so much. A runtime acquires before it stimulates, so the current of one
/// turn can only be felt in the next; turns up to this length lose none of it.
pub const DELAY_S: f64 = 0.01;

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

    /// Hands over current as delivered: sample i flowed at `stamp0_s + i / rate_hz`, and is felt [`DELAY_S`] later.
    /// Give it before the EEG of that time is polled.
    pub fn deliver(&mut self, stamp0_s: f64, rate_hz: f64, current_ma: &[f32]) {
        for (i, value) in current_ma.iter().enumerate() {
            self.current.put(stamp0_s + DELAY_S + i as f64 / rate_hz, 1.0 / rate_hz, *value);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain(source: &mut SimulatedSource, values: &mut Vec<f64>, stamps: &mut Vec<f64>) {
        let channels = source.description().channels.len();
        let (mut block, mut times) = (vec![0.0; channels * 7], [0.0; 7]);
        while let Poll::Samples(count) = source.poll(&mut block, &mut times) {
            values.extend(&block[..count * channels]);
            stamps.extend(&times[..count]);
        }
    }

    proptest! {
        #[test]
        fn what_is_due_comes_once_and_does_not_depend_on_the_ticks(ticks in prop::collection::vec(1u32..400, 1..20)) {
            let settings = ParticipantSettings::default();
            let end_s = 100.0 + f64::from(ticks.iter().sum::<u32>()) * 1e-3;
            let mut whole = SimulatedSource::new(&settings, 7, 100.0, None).unwrap();
            whole.advance_to(end_s);
            let (mut values, mut stamps) = (Vec::new(), Vec::new());
            drain(&mut whole, &mut values, &mut stamps);
            prop_assert_eq!(stamps.len(), ((end_s - 100.0) * 250.0 + 1e-9).floor() as usize + 1);
            let mut ticked = SimulatedSource::new(&settings, 7, 100.0, None).unwrap();
            let (mut parts, mut times, mut elapsed) = (Vec::new(), Vec::new(), 0);
            for tick in ticks {
                elapsed += tick;
                ticked.advance_to(100.0 + f64::from(elapsed) * 1e-3);
                drain(&mut ticked, &mut parts, &mut times);
                ticked.advance_to(0.0);
            }
            prop_assert_eq!(values, parts);
            prop_assert_eq!(stamps, times);
        }
    }

    #[test]
    fn the_artefact_is_the_current_of_the_samples_own_time() {
        let mut settings = ParticipantSettings::bare(250.0, 2, 1.0);
        settings.background_uv = 0.0;
        settings.response.gain = 0.0;
        for rate_hz in [250.0, 2000.0, 48_000.0, 125.0] {
            let mut source = SimulatedSource::new(&settings, 1, 0.0, None).unwrap();
            let factor = source.participant().artefact_uv_per_ma(0);
            // 0.2 mA from 0.4 s to 0.8 s.
            let count = (0.4 * rate_hz) as usize;
            source.deliver(0.4 - DELAY_S + 1.0 / rate_hz, rate_hz, &vec![0.2; count]);
            source.advance_to(2.0);
            let (mut values, mut stamps) = (Vec::new(), Vec::new());
            drain(&mut source, &mut values, &mut stamps);
            for (row, stamp) in values.chunks(2).zip(&stamps) {
                let longest_s = f64::max(1.0 / rate_hz, 1.0 / 250.0) - 1e-6;
                let inside = (0.4 + longest_s..0.8 + longest_s).contains(stamp);
                let expected = if inside { 0.2 * factor } else { 0.0 };
                assert!(
                    (row[0] - expected).abs() < 1e-3,
                    "{rate_hz} Hz, at {stamp}: {} not {expected}",
                    row[0]
                );
            }
            assert_eq!(source.current_left_out(), 0);
            source.deliver(0.1, rate_hz, &[1.0, f32::NAN]);
            source.deliver(90.0, rate_hz, &[1.0]);
            assert_eq!(source.current_left_out(), 3);
        }
    }

    #[test]
    fn no_current_is_lost_when_a_turn_acquires_before_it_stimulates() {
        let mut settings = ParticipantSettings::bare(250.0, 1, 1.0);
        settings.background_uv = 0.0;
        let mut source = SimulatedSource::new(&settings, 1, 0.0, None).unwrap();
        let (mut values, mut stamps) = (Vec::new(), Vec::new());
        for turn in 1..=200_u32 {
            let now_s = f64::from(turn) * 0.01;
            source.advance_to(now_s);
            drain(&mut source, &mut values, &mut stamps);
            source.deliver(now_s - 0.0095, 2000.0, &[0.1; 20]);
        }
        assert_eq!(source.current_left_out(), 0);
        let factor = source.participant().artefact_uv_per_ma(0);
        let felt = values.iter().filter(|v| (**v - 0.1 * factor).abs() < 1e-3).count();
        assert!(felt > 490, "{felt} of {} samples", values.len());
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let refuse = |change: fn(&mut ParticipantSettings)| {
            let mut settings = ParticipantSettings::default();
            change(&mut settings);
            SimulatedSource::new(&settings, 1, 0.0, None).map(|_| ()).unwrap_err().to_string()
        };
        assert!(refuse(|s| s.exponent = 3.5).contains("exponent 3.5"));
        assert!(refuse(|s| s.rate_hz = f64::NAN).contains("rate"));
        assert!(refuse(|s| s.labels.clear()).contains("0 channels"));
        assert!(refuse(|s| s.shared = -0.1).contains("shared"));
        assert!(refuse(|s| s.background_uv = f64::INFINITY).contains("inf"));
    }
}

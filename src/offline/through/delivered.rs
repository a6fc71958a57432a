//! The current as delivered, read as the EEG comes, and told to the removal.
//!
//! In: one channel of a stream of the recording, with even stamps between its gaps. Out: its samples in mA to
//! [`Remover::current`], what is missing as lost, and silence where the stream rests between bursts.

use std::path::Path;

use super::find::Candidate;
use super::flow::{AT_REST_MA, AT_REST_S};
use crate::acquisition::recording::{OpenOptions, Recording, RecordingError};
use crate::estimator::through_current::Remover;

/// Samples that are read at once.
const AT_ONCE: usize = 1 << 10;
/// The current is told so far ahead of the EEG, in s: the latest that it is looked for, and the longest kernel.
const AHEAD_S: f64 = 1.5;

/// A current being read.
#[derive(Debug)]
pub(super) struct Delivered {
    recording: Recording,
    channel: usize,
    width: usize,
    ma_per_unit: f64,
    rate_hz: f64,
    values: Vec<f64>,
    stamps_s: Vec<f64>,
    at: usize,
    count: usize,
    /// Stamp of the newest sample that was told.
    newest_s: Option<f64>,
    /// Stamp of the newest that was no rest.
    flowed_s: f64,
}

impl Delivered {
    /// Of `candidate`, which runs at about `rate_hz` where its stream does not say.
    pub(super) fn open(path: &Path, candidate: &Candidate<'_>, rate_hz: f64) -> Result<Self, RecordingError> {
        let description = &candidate.stream.description;
        let options = OpenOptions {
            stream: Some(format!("#{}", candidate.index + 1)),
            rate_hz: (description.rate_hz <= 0.0).then_some(rate_hz),
            ..OpenOptions::default()
        };
        let recording = Recording::open(path, &options)?;
        let width = description.channels.len().max(1);
        Ok(Self {
            channel: candidate.channel,
            width,
            ma_per_unit: candidate.ma_per_unit.unwrap_or(1.0),
            // What the stamps show: the two clocks' difference is what is left.
            rate_hz: recording.measured_rate_hz().unwrap_or(recording.description().rate_hz),
            values: vec![0.0; width * AT_ONCE],
            stamps_s: vec![0.0; AT_ONCE],
            at: 0,
            count: 0,
            newest_s: None,
            flowed_s: f64::NEG_INFINITY,
            recording,
        })
    }

    /// Samples a second.
    pub(super) fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Tells everything that the EEG up to `stamp_s` asks for.
    pub(super) fn tell(&mut self, stamp_s: f64, remover: &mut Remover) -> Result<(), RecordingError> {
        let until_s = stamp_s + AHEAD_S;
        let period_s = 1.0 / self.rate_hz;
        while let Some((next_s, current_ma)) = self.next()? {
            let silent = self.at_rest(current_ma);
            if next_s > until_s {
                // Between bursts, and before the first, a stream that rests has nothing to say.
                if silent && self.newest_s.is_none_or(|newest_s| next_s - newest_s > AT_REST_S) {
                    remover.quiet(until_s);
                }
                return Ok(());
            }
            self.at += 1;
            let missing =
                self.newest_s.map_or(0.0, |newest_s| ((next_s - newest_s) / period_s).round() - 1.0);
            let mut lost = 0;
            if self.newest_s.is_none() || missing >= 1.0 {
                if silent {
                    remover.quiet(next_s - period_s);
                } else {
                    lost = missing.clamp(0.0, 1e12) as u64;
                }
            }
            remover.current(next_s, current_ma as f32, lost);
            self.newest_s = Some(next_s);
            if current_ma.is_nan() || current_ma.abs() > AT_REST_MA {
                self.flowed_s = next_s;
            }
        }
        // Its last word was that nothing flows.
        if self.newest_s.is_some_and(|newest_s| newest_s - self.flowed_s > AT_REST_S) {
            remover.quiet(until_s);
        }
        Ok(())
    }

    /// Whether nothing flowed when the stream was last heard of, nor flows in its next sample.
    fn at_rest(&self, next_ma: f64) -> bool {
        let rested = self.newest_s.is_none_or(|newest_s| newest_s - self.flowed_s > AT_REST_S);
        rested && next_ma.abs() <= AT_REST_MA
    }

    /// The next sample, which stays the next until [`Self::at`] moves on.
    fn next(&mut self) -> Result<Option<(f64, f64)>, RecordingError> {
        if self.at >= self.count {
            self.count = self.recording.read_block(&mut self.values, &mut self.stamps_s)?;
            self.at = 0;
            if self.count == 0 {
                return Ok(None);
            }
        }
        let value = self.values.get(self.at * self.width + self.channel).copied().unwrap_or(f64::NAN);
        Ok(self.stamps_s.get(self.at).map(|stamp_s| (*stamp_s, value * self.ma_per_unit)))
    }
}

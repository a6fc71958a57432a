//! Frames of several files, in the order of their index.

use std::collections::HashMap;

use super::{AT_ONCE, Part, RecordedError};
use crate::acquisition::frame::{ChannelSet, Facts, FrameHeader};
use crate::acquisition::recording::xdf::Samples;

/// Reads frames one by one.
#[derive(Debug)]
pub struct Frames {
    parts: Vec<Reader>,
    width: usize,
}

/// What was wrong with a frame.
type Wrong = (u32, Facts, ChannelSet);

/// The frames of one file, a block of them at a time.
#[derive(Debug)]
struct Reader {
    eeg: Samples,
    /// Index, raw stamp and arrival of each sample; older recordings have none.
    raw: Option<Samples>,
    wrong: HashMap<u64, Wrong>,
    width: usize,
    read: u64,
    values: Vec<f64>,
    stamps_s: Vec<f64>,
    rows: Vec<f64>,
    row_stamps_s: Vec<f64>,
    at: usize,
    filled: usize,
}

impl Frames {
    pub(super) fn open(parts: &[Part]) -> Result<Self, RecordedError> {
        let mut readers = Vec::with_capacity(parts.len());
        for part in parts {
            readers.push(Reader::open(part)?);
        }
        let width = readers.first().map_or(0, |reader| reader.width);
        Ok(Self { parts: readers, width })
    }

    /// Channels of a frame.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The next frame: its header, and its values in uV into `values`, as many as channels. `false` at the end.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next(&mut self, header: &mut FrameHeader, values: &mut [f32]) -> Result<bool, RecordedError> {
        let mut chosen: Option<(u64, usize)> = None;
        for (number, part) in self.parts.iter_mut().enumerate() {
            if let Some(index) = part.index()?
                && chosen.is_none_or(|(least, _)| index < least)
            {
                chosen = Some((index, number));
            }
        }
        let Some(part) = chosen.and_then(|(_, number)| self.parts.get_mut(number)) else { return Ok(false) };
        part.take(header, values);
        Ok(true)
    }
}

impl Reader {
    fn open(part: &Part) -> Result<Self, RecordedError> {
        let stream = part.eeg().ok_or_else(|| part.lacks("has no EEG"))?;
        let width = stream.description.channels.len().max(1);
        let raw = part.stream("raw_stamps").map(|raw| Samples::open(&part.path, raw)).transpose()?;
        Ok(Self {
            eeg: Samples::open(&part.path, stream)?,
            raw,
            wrong: wrong(part, width)?,
            width,
            read: 0,
            values: vec![0.0; width * AT_ONCE],
            stamps_s: vec![0.0; AT_ONCE],
            rows: vec![0.0; 3 * AT_ONCE],
            row_stamps_s: vec![0.0; AT_ONCE],
            at: 0,
            filled: 0,
        })
    }

    /// Index of the frame that is next; `None` at the end.
    fn index(&mut self) -> Result<Option<u64>, RecordedError> {
        if self.at == self.filled {
            self.read += self.filled as u64;
            self.at = 0;
            self.filled = self.eeg.read(&mut self.values, &mut self.stamps_s)?;
            if let Some(raw) = &mut self.raw {
                let count = self.filled;
                let (rows, stamps_s) = (self.rows.get_mut(..3 * count), self.row_stamps_s.get_mut(..count));
                let found = raw.read(rows.unwrap_or_default(), stamps_s.unwrap_or_default())?;
                // A process that died between the two: what has no index is left out.
                self.filled = found;
            }
        }
        if self.at == self.filled {
            return Ok(None);
        }
        Ok(Some(match &self.raw {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, written as a number"
            )]
            Some(_) => self.rows.get(3 * self.at).map_or(0, |index| *index as u64),
            None => self.read + self.at as u64,
        }))
    }

    /// Gives the frame that [`Self::index`] saw.
    fn take(&mut self, header: &mut FrameHeader, values: &mut [f32]) {
        let at = self.at;
        let row = |place: usize| self.rows.get(3 * at + place).copied().filter(|_| self.raw.is_some());
        let stamp_s = self.stamps_s.get(at).copied().unwrap_or(f64::NAN);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, written as a number"
        )]
        let index = row(0).map_or(self.read + at as u64, |index| index as u64);
        let (lost_before, facts, spoilt) = self.wrong.get(&index).copied().unwrap_or_default();
        *header = FrameHeader {
            index,
            stamp_s,
            raw_stamp_s: row(1).unwrap_or(stamp_s),
            arrived_s: row(2).unwrap_or(stamp_s),
            lost_before,
            facts,
            spoilt,
        };
        let read = self.values.get(at * self.width..(at + 1) * self.width).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "recorded as f32")]
        values.iter_mut().zip(read).for_each(|(value, read)| *value = *read as f32);
        self.at += 1;
    }
}

/// The rows of `frame_facts`, by index.
fn wrong(part: &Part, channels: usize) -> Result<HashMap<u64, Wrong>, RecordedError> {
    let mut all = HashMap::new();
    let Some(stream) = part.stream("frame_facts") else { return Ok(all) };
    let width = stream.description.channels.len();
    if width < 3 {
        return Err(part.lacks("has a stream frame_facts that is not ours"));
    }
    let mut samples = Samples::open(&part.path, stream)?;
    let (mut values, mut stamps_s) = (vec![0.0; width * AT_ONCE], vec![0.0; AT_ONCE]);
    loop {
        let count = samples.read(&mut values, &mut stamps_s)?;
        if count == 0 {
            return Ok(all);
        }
        for row in values.chunks_exact(width).take(count) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "bits, written as numbers"
            )]
            let word = |place: usize| row.get(place).map_or(0, |word| *word as u64);
            let mut spoilt = ChannelSet::EMPTY;
            for channel in 0..channels {
                if word(3 + channel / 32) >> (channel % 32) & 1 == 1 {
                    spoilt.insert(channel);
                }
            }
            let facts = Facts::from_bits(u16::try_from(word(2)).unwrap_or_default());
            all.insert(word(0), (u32::try_from(word(1)).unwrap_or(u32::MAX), facts, spoilt));
        }
    }
}

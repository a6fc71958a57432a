//! The samples of one stream, out of the chunks that hold them.

use super::super::{MAX_TEXT, RecordingError};
use super::chunks::{Chunk, Chunks};
use super::format::Format;

/// Decodes one stream's samples; remembers the last stamp, from which samples without one follow.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    format: Format,
    channels: usize,
    interval_s: f64,
    last_stamp_s: f64,
    samples_left: u64,
    /// Where the chunk ends.
    end: u64,
    row: Vec<u8>,
    broke: bool,
}

impl Decoder {
    pub(super) fn new(format: Format, channels: usize, rate_hz: f64) -> Self {
        let interval_s = if rate_hz > 0.0 { 1.0 / rate_hz } else { 0.0 };
        let row = vec![0; format.bytes().unwrap_or(0) * channels];
        Self { format, channels, interval_s, last_stamp_s: 0.0, samples_left: 0, end: 0, row, broke: false }
    }

    /// Enters a chunk. Returns how many samples it promises, and whether it has room for them.
    pub(super) fn enter(
        &mut self,
        chunks: &mut Chunks,
        chunk: &Chunk,
    ) -> Result<(u64, bool), RecordingError> {
        chunks.seek(chunk.at)?;
        self.end = chunk.at + chunk.bytes;
        self.broke = false;
        let promised = chunks.read_length(chunk.bytes)?;
        self.samples_left = promised.unwrap_or(0);
        // A stamp takes a byte at least; a text two.
        let least = 1 + (self.channels * self.format.bytes().unwrap_or(2)) as u64;
        let room = self.end.saturating_sub(chunks.position());
        let fits =
            promised.is_some() && self.samples_left.checked_mul(least).is_some_and(|bytes| bytes <= room);
        Ok((self.samples_left, fits))
    }

    /// The stamp of the next sample; `None` at the end of the chunk, or where it breaks.
    fn stamp(&mut self, chunks: &mut Chunks) -> Result<Option<f64>, RecordingError> {
        if self.samples_left == 0 {
            return Ok(None);
        }
        let room = self.end.saturating_sub(chunks.position());
        if room < 1 {
            self.give_up();
            return Ok(None);
        }
        let mut width = [0];
        chunks.read_exact(&mut width)?;
        let stamp_s = match width {
            [0] => self.last_stamp_s + self.interval_s,
            [8] if room >= 9 => {
                let mut raw = [0; 8];
                chunks.read_exact(&mut raw)?;
                f64::from_le_bytes(raw)
            }
            _ => f64::NAN,
        };
        if !stamp_s.is_finite() {
            self.give_up();
            return Ok(None);
        }
        self.samples_left -= 1;
        self.last_stamp_s = stamp_s;
        Ok(Some(stamp_s))
    }

    /// The next sample's values into `row`, and its stamp.
    pub(super) fn numbers(
        &mut self,
        chunks: &mut Chunks,
        row: &mut [f64],
    ) -> Result<Option<f64>, RecordingError> {
        let Some(bytes) = self.format.bytes() else { return Ok(None) };
        let Some(stamp_s) = self.stamp(chunks)? else { return Ok(None) };
        if self.end.saturating_sub(chunks.position()) < self.row.len() as u64 {
            self.give_up();
            return Ok(None);
        }
        chunks.read_exact(&mut self.row)?;
        for (slot, raw) in row.iter_mut().zip(self.row.chunks_exact(bytes)) {
            *slot = self.format.decode(raw);
        }
        Ok(Some(stamp_s))
    }

    /// The next sample's texts, joined by `; `, and its stamp.
    pub(super) fn text(&mut self, chunks: &mut Chunks) -> Result<Option<(f64, String)>, RecordingError> {
        let Some(stamp_s) = self.stamp(chunks)? else { return Ok(None) };
        let mut joined = String::new();
        for channel in 0..self.channels {
            let room = self.end.saturating_sub(chunks.position());
            let length = chunks.read_length(room)?;
            let begin = chunks.position();
            let Some(length) = length.filter(|length| *length <= self.end.saturating_sub(begin)) else {
                self.give_up();
                return Ok(None);
            };
            let mut raw = vec![0; usize::try_from(length).unwrap_or(MAX_TEXT).min(MAX_TEXT)];
            chunks.read_exact(&mut raw)?;
            chunks.seek(begin + length)?;
            if channel > 0 {
                joined.push_str("; ");
            }
            if joined.len() < MAX_TEXT {
                joined.push_str(&String::from_utf8_lossy(&raw));
            }
        }
        Ok(Some((stamp_s, joined)))
    }

    /// Whether the chunk did not give the samples that it promised.
    pub(super) fn broke(&self) -> bool {
        self.broke
    }

    /// Leaves the rest of the chunk alone: what follows a broken sample cannot be found.
    fn give_up(&mut self) {
        self.samples_left = 0;
        self.broke = true;
    }
}

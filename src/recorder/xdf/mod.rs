//! Writes XDF 1.0 to anything that takes bytes.
//!
//! Each chunk is encoded whole and handed over by one `write_all`, so an output that refuses it (a full
//! disk) refuses all of it, and what was written before stays a readable file. The bytes follow from the
//! calls alone: no clock, no random identifiers.

mod header;
mod values;

pub use header::StreamInfo;
pub use values::Values;

use crate::acquisition::recording::xdf::format::{BOUNDARY, Format, MAGIC, tag};
use crate::acquisition::recording::xdf::xml::Node;
use header::{Written, footer, header};
use std::io::{self, Write};
use values::encode_length;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum XdfWriteError {
    /// The output refused bytes; everything written before stays readable.
    #[error("cannot write the recording: {0}")]
    Io(#[from] io::Error),
    /// The call contradicts the stream's header; nothing was written.
    #[error("stream {stream}: {what}")]
    Misuse {
        /// The stream's name.
        stream: String,
        /// What contradicts.
        what: String,
    },
}

/// A stream of the file, as [`XdfWriter::add_stream`] gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(u32);

/// The stamps of a chunk.
#[derive(Clone, Copy)]
enum Stamps<'a> {
    Each(&'a [f64]),
    /// The first; the others follow at the stream's nominal rate.
    Regular(f64, usize),
}

/// An XDF file being written.
#[derive(Debug)]
pub struct XdfWriter<W: Write> {
    out: W,
    streams: Vec<Written>,
    chunk: Vec<u8>,
    content: Vec<u8>,
}

impl<W: Write> XdfWriter<W> {
    /// Begins a file: magic and file header. `created` is put into the header as it is (ISO 8601).
    pub fn new(out: W, created: Option<&str>) -> Result<Self, XdfWriteError> {
        Self::with_header(out, created, Vec::new())
    }

    /// As [`Self::new`], with more elements in the file's header.
    pub fn with_header(out: W, created: Option<&str>, more: Vec<Node>) -> Result<Self, XdfWriteError> {
        let mut writer = Self { out, streams: Vec::new(), chunk: Vec::new(), content: Vec::new() };
        let mut info = vec![Node::leaf("version", "1.0")];
        info.extend(created.map(|moment| Node::leaf("datetime", moment)));
        info.extend(more);
        writer.content.extend(Node::branch("info", info).to_document().as_bytes());
        writer.chunk.extend(MAGIC);
        writer.put(tag::FILE_HEADER)?;
        Ok(writer)
    }

    /// Adds a stream; allowed at any time.
    pub fn add_stream(&mut self, info: &StreamInfo) -> Result<StreamId, XdfWriteError> {
        let misuse = |what: &str| XdfWriteError::Misuse { stream: info.name.clone(), what: what.to_owned() };
        if info.channels.is_empty() {
            return Err(misuse("a stream needs at least one channel"));
        }
        if !info.rate_hz.is_finite() || info.rate_hz < 0.0 {
            return Err(misuse("the nominal rate must be finite and not negative (0 for irregular)"));
        }
        if matches!(info.format, Format::Int8 | Format::Int16) {
            return Err(misuse("int8 and int16 are read but not written; choose int32"));
        }
        let id = u32::try_from(self.streams.len() + 1).map_err(|_| misuse("too many streams"))?;
        self.content.clear();
        self.content.extend(id.to_le_bytes());
        self.content.extend(header(info, id).to_document().as_bytes());
        self.put(tag::STREAM_HEADER)?;
        self.streams.push(Written {
            name: info.name.clone(),
            format: info.format,
            channels: info.channels.len(),
            rate_hz: info.rate_hz,
            samples: 0,
            first_stamp_s: 0.0,
            last_stamp_s: 0.0,
            offsets: Vec::new(),
        });
        Ok(StreamId(id))
    }

    /// Writes samples, each with its own stamp in seconds.
    pub fn samples(
        &mut self,
        id: StreamId,
        stamps_s: &[f64],
        values: Values<'_>,
    ) -> Result<(), XdfWriteError> {
        self.write_samples(id, Stamps::Each(stamps_s), values)
    }

    /// Writes samples that follow each other at the stream's nominal rate from `first_stamp_s` on: 8 bytes a
    /// sample less than [`Self::samples`].
    pub fn regular_samples(
        &mut self,
        id: StreamId,
        first_stamp_s: f64,
        values: Values<'_>,
    ) -> Result<(), XdfWriteError> {
        let channels = self.stream(id)?.channels;
        self.write_samples(id, Stamps::Regular(first_stamp_s, values.len() / channels), values)
    }

    /// Writes a measured clock offset: what must be added to the stream's stamps at `collected_s`.
    pub fn clock_offset(
        &mut self,
        id: StreamId,
        collected_s: f64,
        offset_s: f64,
    ) -> Result<(), XdfWriteError> {
        if !(collected_s.is_finite() && offset_s.is_finite()) {
            return Err(
                self.misuse(id, format!("clock offset {offset_s} s at {collected_s} s is not finite"))
            );
        }
        self.stream(id)?;
        self.content.clear();
        self.content.extend(id.0.to_le_bytes());
        self.content.extend(collected_s.to_le_bytes());
        self.content.extend(offset_s.to_le_bytes());
        self.put(tag::CLOCK_OFFSET)?;
        if let Some(stream) = self.streams.get_mut(id.0 as usize - 1) {
            stream.offsets.push((collected_s, offset_s));
        }
        Ok(())
    }

    /// Writes a boundary, so that a reader finds its place after damage; every 10 s or so.
    pub fn boundary(&mut self) -> Result<(), XdfWriteError> {
        self.content.clear();
        self.content.extend(BOUNDARY);
        self.put(tag::BOUNDARY)
    }

    /// Flushes the output.
    pub fn flush(&mut self) -> Result<(), XdfWriteError> {
        Ok(self.out.flush()?)
    }

    /// The streams' names, samples and clock offsets so far, in the order in which they were added.
    pub fn written(&self) -> impl Iterator<Item = (&str, u64, usize)> {
        self.streams.iter().map(|s| (s.name.as_str(), s.samples, s.offsets.len()))
    }

    /// The output, for instance to synchronise it with the disk.
    pub fn output_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes the footers and flushes.
    pub fn close(mut self) -> Result<W, XdfWriteError> {
        for index in 0..self.streams.len() {
            let Some(stream) = self.streams.get(index) else { break };
            let document = footer(stream).to_document();
            self.content.clear();
            self.content.extend((index as u32 + 1).to_le_bytes());
            self.content.extend(document.as_bytes());
            self.put(tag::STREAM_FOOTER)?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn stream(&self, id: StreamId) -> Result<&Written, XdfWriteError> {
        self.streams.get((id.0 as usize).wrapping_sub(1)).ok_or_else(|| XdfWriteError::Misuse {
            stream: format!("number {}", id.0),
            what: "is not a stream of this file".to_owned(),
        })
    }

    fn misuse(&self, id: StreamId, what: String) -> XdfWriteError {
        match self.stream(id) {
            Ok(stream) => XdfWriteError::Misuse { stream: stream.name.clone(), what },
            Err(error) => error,
        }
    }

    fn write_samples(
        &mut self,
        id: StreamId,
        stamps: Stamps<'_>,
        values: Values<'_>,
    ) -> Result<(), XdfWriteError> {
        let &Written { format, channels, rate_hz, .. } = self.stream(id)?;
        let count = match stamps {
            Stamps::Each(stamps_s) => stamps_s.len(),
            Stamps::Regular(_, count) => count,
        };
        if values.format() != format {
            let given = values.format().name();
            return Err(self.misuse(id, format!("holds {}, {given} given", format.name())));
        }
        if values.len() != count * channels {
            let given = values.len();
            return Err(self.misuse(id, format!("{given} values for {count} stamps of {channels} channels")));
        }
        if count == 0 {
            return Ok(());
        }
        let (first_s, last_s) = match stamps {
            Stamps::Each(stamps_s) => {
                if let Some(bad) = stamps_s.iter().find(|stamp| !stamp.is_finite()) {
                    return Err(self.misuse(id, format!("stamp {bad} is not finite")));
                }
                (stamps_s.first().copied().unwrap_or(0.0), stamps_s.last().copied().unwrap_or(0.0))
            }
            Stamps::Regular(first_s, count) => {
                if !first_s.is_finite() || rate_hz <= 0.0 {
                    let what =
                        format!("regular samples need a nominal rate and a finite stamp, not {first_s}");
                    return Err(self.misuse(id, what));
                }
                (first_s, first_s + (count - 1) as f64 / rate_hz)
            }
        };
        self.content.clear();
        self.content.extend(id.0.to_le_bytes());
        encode_length(count as u64, &mut self.content);
        for sample in 0..count {
            let stamp = match stamps {
                Stamps::Each(stamps_s) => stamps_s.get(sample).copied(),
                Stamps::Regular(first_s, _) => (sample == 0).then_some(first_s),
            };
            match stamp {
                Some(stamp_s) => {
                    self.content.push(8);
                    self.content.extend(stamp_s.to_le_bytes());
                }
                None => self.content.push(0),
            }
            values.encode(sample * channels..(sample + 1) * channels, &mut self.content);
        }
        self.put(tag::SAMPLES)?;
        if let Some(stream) = self.streams.get_mut(id.0 as usize - 1) {
            if stream.samples == 0 {
                stream.first_stamp_s = first_s;
            }
            stream.last_stamp_s = last_s;
            stream.samples += count as u64;
        }
        Ok(())
    }

    /// Wraps `content` and hands it over in one piece. Whatever `chunk` holds already goes before it.
    fn put(&mut self, tag: u16) -> Result<(), XdfWriteError> {
        encode_length(self.content.len() as u64 + 2, &mut self.chunk);
        self.chunk.extend(tag.to_le_bytes());
        self.chunk.extend(&self.content);
        let result = self.out.write_all(&self.chunk);
        self.chunk.clear();
        self.content.clear();
        Ok(result?)
    }
}

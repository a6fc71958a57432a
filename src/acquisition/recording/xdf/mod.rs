//! XDF 1.0, what LabRecorder and our own recorder write.
//!
//! [`survey`] passes once over the file for headers, counts, clock offsets and texts; [`Samples`] then reads
//! the numbers of one stream, however long, with a buffer of fixed size.

mod chunks;
mod clock;
pub mod format;
mod samples;
mod survey;
pub mod xml;

pub use clock::Correction;
pub use survey::{Stream, Survey, survey};

use super::{Blocks, OpenOptions, Opened, Place, RecordingError, settle};
use chunks::Chunks;
use format::{Format, tag};
use samples::Decoder;
use std::path::Path;

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Opened, RecordingError> {
    let mut survey = survey(path)?;
    let chosen = choose(path, &survey, options)?;
    let stream = survey.streams.swap_remove(chosen);
    let mut notes = survey.damage;
    let samples = notes.is_empty().then_some(stream.samples);
    notes.extend(survey.notes);
    if stream.clock_offsets.is_empty() {
        notes.push(format!(
            "stream {:?} has no clock offsets: its stamps are on its sender's clock",
            stream.description.name
        ));
    }
    let mut annotations: Vec<_> = survey.annotations.into_iter().map(|(_, annotation)| annotation).collect();
    settle(&mut annotations, survey.left_out, &mut notes);
    let blocks = Box::new(Samples::open(path, &stream)?);
    Ok(Opened { description: stream.description, annotations, notes, samples, measured_hz: None, blocks })
}

/// The file's own header, before any stream's; `None` where it has none that can be read.
///
/// # Errors
/// Where the file cannot be read, or is not XDF.
pub fn file_header(path: &Path) -> Result<Option<xml::Node>, RecordingError> {
    let mut chunks = Chunks::open(path)?;
    while let Some(chunk) = chunks.next()? {
        match chunk.tag {
            tag::FILE_HEADER => {
                return Ok(chunks.text(&chunk)?.and_then(|text| xml::Node::parse(&text).ok()));
            }
            tag::STREAM_HEADER | tag::SAMPLES => break,
            _ => {}
        }
    }
    Ok(None)
}

/// The index of the stream that is meant.
fn choose(path: &Path, survey: &Survey, options: &OpenOptions) -> Result<usize, RecordingError> {
    let refuse = |what: String| {
        let names: Vec<String> = survey.streams.iter().map(list).collect();
        let what = format!(
            "{what}; it holds: {}",
            if names.is_empty() { "nothing".into() } else { names.join(", ") }
        );
        Err(RecordingError::new(path, Place::File, what))
    };
    let signals = || {
        let streams = survey.streams.iter().enumerate();
        streams.filter(|(_, stream)| stream.format != Format::Text && stream.description.rate_hz > 0.0)
    };
    let meant: Vec<usize> = if let Some(name) = &options.stream {
        signals().filter(|(_, stream)| stream.description.name == *name).map(|(index, _)| index).collect()
    } else {
        let is_eeg = |stream: &Stream| stream.description.kind.eq_ignore_ascii_case("EEG");
        let eeg: Vec<usize> = signals().filter(|(_, s)| is_eeg(s)).map(|(index, _)| index).collect();
        if eeg.is_empty() { signals().map(|(index, _)| index).collect() } else { eeg }
    };
    match (meant.as_slice(), &options.stream) {
        ([one], _) => Ok(*one),
        ([], Some(name)) => refuse(format!("has no stream {name:?} of numbers at a nominal rate")),
        ([], None) => refuse("has no stream of numbers at a nominal rate".to_owned()),
        (_, Some(name)) => refuse(format!("has several streams {name:?}; they cannot be told apart")),
        (_, None) => refuse("has several streams that could be meant; name one".to_owned()),
    }
}

fn list(stream: &Stream) -> String {
    let description = &stream.description;
    format!(
        "{:?} ({}, {} x {} at {} Hz)",
        description.name,
        description.kind,
        description.channels.len(),
        stream.format.name(),
        description.rate_hz
    )
}

/// The samples of one stream of numbers.
#[derive(Debug)]
pub struct Samples {
    chunks: Chunks,
    id: u32,
    channels: usize,
    correction: Correction,
    decoder: Decoder,
}

impl Samples {
    /// Of `stream`, which [`survey`] found in the file.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn open(path: &Path, stream: &Stream) -> Result<Self, RecordingError> {
        let channels = stream.description.channels.len();
        Ok(Self {
            chunks: Chunks::open(path)?,
            id: stream.id,
            channels,
            correction: stream.correction,
            decoder: Decoder::new(stream.format, channels, stream.description.rate_hz),
        })
    }

    /// Whole samples into the front of `values` (sample-major) and `stamps_s` (the recorder's clock); returns
    /// how many, 0 at the end.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        let mut count = 0;
        'samples: for (row, slot_s) in values.chunks_exact_mut(self.channels.max(1)).zip(stamps_s) {
            *slot_s = loop {
                if let Some(stamp_s) = self.decoder.numbers(&mut self.chunks, row)? {
                    break self.correction.apply(stamp_s);
                }
                let Some(chunk) = self.chunks.next()? else { break 'samples };
                if chunk.tag == tag::SAMPLES && chunk.stream == self.id {
                    self.decoder.enter(&mut self.chunks, &chunk)?;
                }
            };
            count += 1;
        }
        Ok(count)
    }
}

impl Blocks for Samples {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        self.read(values, stamps_s)
    }
}

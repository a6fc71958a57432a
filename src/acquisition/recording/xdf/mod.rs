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

use super::timeline::{Stated, Timeline};
use super::{Blocks, OpenOptions, Opened, Place, RecordingError, settle};
use crate::acquisition::kinds::distinct_labels;
use chunks::Chunks;
use format::{Format, tag};
use samples::Decoder;
use std::path::Path;

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Opened, RecordingError> {
    let mut survey = survey(path)?;
    let (chosen, note) = choose(path, &survey, options)?;
    let mut stream = survey.streams.swap_remove(chosen);
    let mut notes = survey.damage;
    let samples = notes.is_empty().then_some(stream.samples);
    notes.extend(survey.notes);
    notes.extend(note);
    notes.extend(distinct_labels(&mut stream.description.channels));
    if stream.clock_offsets.is_empty() {
        notes.push(format!(
            "stream {:?} has no clock offsets: its stamps are on its sender's clock",
            stream.description.name
        ));
    }
    let stated = Stated {
        nominal_hz: Some(stream.description.rate_hz).filter(|rate_hz| *rate_hz > 0.0),
        asked_hz: options.rate_hz,
        guess_hz: None,
    };
    let timeline = Timeline::of(path, stated, |each| {
        let mut stamps = Samples::open(path, &stream)?;
        let (mut values, mut stamps_s) = (vec![0.0; stamps.channels.max(1) * STAMPS], [0.0; STAMPS]);
        while let count @ 1.. = stamps.read(&mut values, &mut stamps_s)? {
            stamps_s.iter().take(count).for_each(|stamp_s| each(*stamp_s));
        }
        Ok(())
    })?;
    notes.extend(timeline.notes.iter().cloned());
    let mut annotations: Vec<_> = survey.annotations.into_iter().map(|(_, annotation)| annotation).collect();
    settle(&mut annotations, survey.left_out, &mut notes);
    let samples_of = Samples::open(path, &stream)?;
    let measured_hz = timeline.measured_hz;
    stream.description.rate_hz = timeline.rate_hz;
    let blocks = Box::new(XdfBlocks { samples: samples_of, timeline });
    Ok(Opened { description: stream.description, annotations, notes, samples, measured_hz, blocks })
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

/// Stamps that are looked at together.
const STAMPS: usize = 64;

/// The index of the stream that is meant, and what to say of the choice.
fn choose(
    path: &Path,
    survey: &Survey,
    options: &OpenOptions,
) -> Result<(usize, Option<String>), RecordingError> {
    let refuse = |what: String| {
        let names: Vec<String> = survey.streams.iter().enumerate().map(list).collect();
        let holds = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        // Why a stream that is in the file is not in the list.
        let damage: String = survey.damage.iter().map(|sentence| format!("; {sentence}")).collect();
        Err(RecordingError::new(path, Place::File, format!("{what}; it holds: {holds}{damage}")))
    };
    let is_eeg = |stream: &Stream| stream.description.kind.eq_ignore_ascii_case("EEG");
    let signals = || {
        let streams = survey.streams.iter().enumerate();
        // One without a nominal rate may have regular stamps all the same.
        streams.filter(|(_, stream)| {
            stream.format != Format::Text
                && (stream.description.rate_hz > 0.0 || is_eeg(stream) || options.rate_hz.is_some())
                && !stream.is_annotations()
        })
    };
    let places = |streams: &mut dyn Iterator<Item = (usize, &Stream)>| {
        streams.map(|(index, _)| index).collect::<Vec<_>>()
    };
    let meant: Vec<usize> = if let Some(name) = &options.stream {
        let named = places(&mut signals().filter(|(_, stream)| stream.description.name == *name));
        let number =
            name.trim_start_matches('#').parse().ok().and_then(|number: usize| number.checked_sub(1));
        let numbered = || places(&mut signals().filter(|(index, _)| Some(*index) == number));
        if named.is_empty() { numbered() } else { named }
    } else {
        let eeg = places(&mut signals().filter(|(_, stream)| is_eeg(stream)));
        if eeg.is_empty() { places(&mut signals()) } else { eeg }
    };
    let full: Vec<usize> = meant
        .iter()
        .copied()
        .filter(|index| survey.streams.get(*index).is_some_and(|stream| stream.samples > 0))
        .collect();
    match (meant.as_slice(), full.as_slice(), &options.stream) {
        ([one], _, _) => Ok((*one, None)),
        (_, [one], _) => {
            let chosen = survey.streams.get(*one).map(|stream| list((*one, stream))).unwrap_or_default();
            Ok((
                *one,
                Some(format!("of {} streams that could be meant one has samples: {chosen}", meant.len())),
            ))
        }
        ([], _, Some(name)) => refuse(format!("has no stream {name:?} of numbers at a nominal rate")),
        ([], _, None) => refuse("has no stream of numbers at a nominal rate".to_owned()),
        (_, _, Some(name)) => refuse(format!(
            "has several streams {name:?}; choose one by its number, as in --stream {}",
            number(&meant)
        )),
        (_, _, None) => refuse(format!(
            "has several streams that could be meant; choose one by its name or number, as in --stream {}",
            number(&meant)
        )),
    }
}

fn number(meant: &[usize]) -> usize {
    meant.first().map_or(1, |index| index + 1)
}

fn list((index, stream): (usize, &Stream)) -> String {
    let description = &stream.description;
    format!(
        "{}: {:?} ({}, {} x {} at {} Hz, {} samples)",
        index + 1,
        description.name,
        description.kind,
        description.channels.len(),
        stream.format.name(),
        description.rate_hz,
        stream.samples
    )
}

/// The samples, at the stamps that count.
struct XdfBlocks {
    samples: Samples,
    timeline: Timeline,
}

impl Blocks for XdfBlocks {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        let count = self.samples.read(values, stamps_s)?;
        for stamp_s in stamps_s.iter_mut().take(count) {
            *stamp_s = self.timeline.next_s(*stamp_s);
        }
        Ok(count)
    }
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

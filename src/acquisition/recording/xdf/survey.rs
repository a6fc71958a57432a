//! What a file holds, found by one pass over its chunks without reading the numbers.

use super::super::{Annotation, MAX_ANNOTATIONS, MAX_CHANNELS, RecordingError};
use super::chunks::{Chunk, Chunks, Damage};
use super::clock::Correction;
use super::format::{Format, tag};
use super::samples::Decoder;
use super::xml::Node;
use crate::acquisition::{Channel, StreamDescription};
use std::path::Path;

/// Measured offsets beyond this are left out: at one every 5 s, two months.
const MAX_OFFSETS: usize = 1_000_000;

/// One stream of a file.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its number in the file.
    pub id: u32,
    /// What its header says.
    pub description: StreamDescription,
    /// Type of its values.
    pub format: Format,
    /// Samples that its chunks promise.
    pub samples: u64,
    /// `(collected_s, offset_s)`.
    pub clock_offsets: Vec<(f64, f64)>,
    /// Of its footer, where the file was closed.
    pub footer: Option<Node>,
    /// Of its header: everything.
    pub header: Node,
    /// From its clock to the recorder's; the identity where the clock was set during the recording.
    pub correction: Correction,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Survey {
    /// In the order of their headers.
    pub streams: Vec<Stream>,
    /// Texts and markers, on the recorder's clock, by stream.
    pub annotations: Vec<(u32, Annotation)>,
    /// Annotations beyond the first million.
    pub left_out: u64,
    /// What is broken, in sentences; empty for a whole file.
    pub damage: Vec<String>,
    /// What is odd but not broken, in sentences.
    pub notes: Vec<String>,
}

/// Reads headers, counts, clock offsets, texts and footers.
///
/// # Errors
/// Where the file cannot be read, or is not XDF.
pub fn survey(path: &Path) -> Result<Survey, RecordingError> {
    let mut chunks = Chunks::open(path)?;
    let mut found = Survey {
        streams: Vec::new(),
        annotations: Vec::new(),
        left_out: 0,
        damage: Vec::new(),
        notes: Vec::new(),
    };
    let mut decoders: Vec<Decoder> = Vec::new();
    let mut damage = Damage::default();
    while let Some(chunk) = chunks.next()? {
        match chunk.tag {
            tag::STREAM_HEADER => match header(&mut chunks, &chunk)? {
                Ok(stream) if found.streams.iter().all(|known| known.id != stream.id) => {
                    let description = &stream.description;
                    decoders.push(Decoder::new(
                        stream.format,
                        description.channels.len(),
                        description.rate_hz,
                    ));
                    found.streams.push(stream);
                }
                Ok(_) => damage.tell(format!("stream {} has two headers; the first counts", chunk.stream)),
                Err(what) => {
                    damage.tell(format!("the header of stream {} at byte {}: {what}", chunk.stream, chunk.at))
                }
            },
            tag::SAMPLES => found.samples(&mut chunks, &chunk, &mut decoders, &mut damage)?,
            tag::CLOCK_OFFSET if chunk.bytes == 16 => {
                let mut raw = [[0; 8]; 2];
                chunks.seek(chunk.at)?;
                chunks.read_exact(raw.as_flattened_mut())?;
                let [collected_s, offset_s] = raw.map(f64::from_le_bytes);
                let stream = found.streams.iter_mut().find(|stream| stream.id == chunk.stream);
                if let Some(stream) = stream.filter(|stream| stream.clock_offsets.len() < MAX_OFFSETS)
                    && collected_s.is_finite()
                    && offset_s.is_finite()
                {
                    stream.clock_offsets.push((collected_s, offset_s));
                }
            }
            tag::STREAM_FOOTER => {
                let footer = chunks.text(&chunk)?.and_then(|text| Node::parse(&text).ok());
                if footer.is_none() {
                    damage.tell(format!(
                        "the footer of stream {} at byte {} is broken",
                        chunk.stream, chunk.at
                    ));
                }
                if let Some(stream) = found.streams.iter_mut().find(|stream| stream.id == chunk.stream) {
                    stream.footer = footer;
                }
            }
            _ => {}
        }
    }
    found.correct();
    found.damage = std::mem::take(&mut chunks.damage.sentences);
    found.damage.extend(damage.sentences);
    let more = chunks.damage.more + damage.more;
    if more > 0 {
        found.damage.push(format!("{more} more places are broken"));
    }
    Ok(found)
}

impl Survey {
    /// Counts a chunk's samples; reads them where they are texts or markers.
    fn samples(
        &mut self,
        chunks: &mut Chunks,
        chunk: &Chunk,
        decoders: &mut [Decoder],
        damage: &mut Damage,
    ) -> Result<(), RecordingError> {
        let streams = self.streams.iter_mut().zip(decoders);
        let Some((stream, decoder)) = streams.into_iter().find(|(stream, _)| stream.id == chunk.stream)
        else {
            return Ok(());
        };
        let (promised, fits) = decoder.enter(chunks, chunk)?;
        if fits {
            stream.samples = stream.samples.saturating_add(promised);
        } else {
            damage.tell(format!("the samples of stream {} at byte {} do not fit", chunk.stream, chunk.at));
        }
        if !stream.is_annotations() {
            return Ok(());
        }
        let mut number = [0.0];
        loop {
            let next = match stream.format {
                Format::Text => decoder.text(chunks)?,
                _ => decoder.numbers(chunks, &mut number)?.map(|stamp_s| (stamp_s, number[0].to_string())),
            };
            let Some((onset_s, text)) = next else { break };
            if self.annotations.len() < MAX_ANNOTATIONS {
                self.annotations.push((stream.id, Annotation { onset_s, duration_s: 0.0, text }));
            } else {
                self.left_out += 1;
            }
        }
        if fits && decoder.broke() {
            damage.tell(format!("the texts of stream {} at byte {} are broken", chunk.stream, chunk.at));
        }
        Ok(())
    }

    /// Fits the clocks, and brings the annotations to the recorder's.
    fn correct(&mut self) {
        for stream in &mut self.streams {
            let correction = Correction::fit(&stream.clock_offsets);
            if correction.is_none() {
                self.notes.push(format!(
                    "the clock of stream {:?} was set during the recording: its clock offsets were not applied",
                    stream.description.name
                ));
            }
            stream.correction = correction.unwrap_or_default();
            for (_, annotation) in self.annotations.iter_mut().filter(|(id, _)| *id == stream.id) {
                annotation.onset_s = stream.correction.apply(annotation.onset_s);
            }
        }
    }
}

impl Stream {
    /// Whether its samples are events, not a signal: texts, or single numbers of a marker stream.
    #[must_use]
    pub fn is_annotations(&self) -> bool {
        let kind = self.description.kind.to_ascii_lowercase();
        self.format == Format::Text
            || (self.description.rate_hz == 0.0
                && self.description.channels.len() == 1
                && (kind.contains("marker") || kind.contains("event")))
    }
}

/// A stream by its header; what is wrong with it otherwise.
fn header(chunks: &mut Chunks, chunk: &Chunk) -> Result<Result<Stream, String>, RecordingError> {
    let Some(text) = chunks.text(chunk)? else { return Ok(Err("is too large".to_owned())) };
    Ok(Node::parse(&text).and_then(|node| describe(chunk.stream, node)))
}

fn describe(id: u32, header: Node) -> Result<Stream, String> {
    let format = header.text_of("channel_format");
    let format = Format::from_name(format).ok_or_else(|| format!("the format {format:?} is unknown"))?;
    let count = header.text_of("channel_count");
    let count = count.parse().ok().filter(|count| (1..=MAX_CHANNELS).contains(count));
    let count: usize = count.ok_or_else(|| {
        format!("{:?} channels; 1 to {MAX_CHANNELS} can be read", header.text_of("channel_count"))
    })?;
    let rate = header.text_of("nominal_srate");
    let rate_hz = rate.parse().ok().filter(|rate: &f64| rate.is_finite() && (0.0..=1e6).contains(rate));
    let rate_hz = rate_hz.ok_or_else(|| format!("{rate:?} is no sampling rate"))?;
    let channels = header.child("desc").and_then(|desc| desc.child("channels"));
    let mut described =
        channels.iter().flat_map(|channels| &channels.children).filter(|c| c.name == "channel");
    let channels = (1..=count).map(|number| {
        let node = described.next();
        let text = |name| node.map_or("", |node| node.text_of(name)).to_owned();
        let label =
            Some(text("label")).filter(|label| !label.is_empty()).unwrap_or_else(|| number.to_string());
        Channel { label, unit: text("unit"), kind: text("type") }
    });
    let description = StreamDescription {
        name: header.text_of("name").to_owned(),
        kind: header.text_of("type").to_owned(),
        source_id: header.text_of("source_id").to_owned(),
        hostname: header.text_of("hostname").to_owned(),
        rate_hz,
        channels: channels.collect(),
    };
    Ok(Stream {
        id,
        description,
        format,
        samples: 0,
        clock_offsets: Vec::new(),
        footer: None,
        header,
        correction: Correction::default(),
    })
}

//! BrainVision (`.vhdr`, `.vmrk`, `.eeg`): the commonest format of research EEG.
//!
//! Stamps are seconds since the first sample; where a new segment begins they jump to its own date, so that what comes
//! after sees the pause. A segment without a date begins one sample later than it would: how long the pause was is not
//! known, but no window spans it. Markers become annotations `Type/Description`, as MNE writes them.

mod header;

use super::{Annotation, Blocks, MAX_ANNOTATIONS, OpenOptions, Opened, Place, RecordingError, settle};
use crate::acquisition::StreamDescription;
use crate::acquisition::kinds::distinct_labels;
use header::{Header, Marker, markers};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Samples that are read from the disk together.
const BLOCK: u64 = 512;

pub(super) fn open(path: &Path, _options: &OpenOptions) -> Result<Opened, RecordingError> {
    let mut header = Header::read(path)?;
    let mut notes = std::mem::take(&mut header.notes);
    notes.extend(distinct_labels(&mut header.channels));
    let file =
        File::open(&header.data).map_err(|error| RecordingError::io(&header.data, Place::File, &error))?;
    let bytes = file.metadata().map_err(|error| RecordingError::io(&header.data, Place::File, &error))?.len();
    let samples = measure(&mut header, bytes, &mut notes)?;
    let (found, broken) = match &header.markers {
        Some(file) => markers(file)?,
        None => (Vec::new(), 0),
    };
    if broken > 0 {
        notes.push(format!("{broken} markers are malformed and were left out"));
    }
    let beyond = found.iter().filter(|marker| marker.at >= samples).count();
    if beyond > 0 {
        let last = found.last().map_or(0, |marker| marker.at + 1);
        notes.push(format!(
            "{beyond} markers lie beyond the end of the data (the last at sample {last} of {samples}): the data file is \
             shorter than it was"
        ));
    }
    let (segments, unknown) = segments(&header, &found, samples);
    if unknown > 0 {
        notes.push(format!(
            "{unknown} segments begin without a date: how long the pauses before them were is not known"
        ));
    }
    let stamp = |sample: u64| stamp_s(&segments, sample, header.rate_hz);
    let mut annotations = Vec::new();
    let mut left_out = 0;
    for marker in &found {
        let text = format!("{}/{}", marker.kind, marker.text);
        let new_segment = marker.kind.eq_ignore_ascii_case("New Segment");
        // That the recording begins is not worth a mark.
        if new_segment && marker.at == 0 {
            continue;
        }
        if annotations.len() >= MAX_ANNOTATIONS {
            left_out += 1;
            continue;
        }
        let duration_s = if marker.length > 1 { marker.length as f64 / header.rate_hz } else { 0.0 };
        annotations.push(Annotation { onset_s: stamp(marker.at), duration_s, text });
    }
    settle(&mut annotations, left_out, &mut notes);
    Ok(Opened {
        description: StreamDescription::of_file(path, header.rate_hz, header.channels.clone()),
        annotations,
        notes,
        samples: Some(samples),
        measured_hz: None,
        blocks: Box::new(BrainVisionBlocks {
            path: header.data.clone(),
            file,
            header,
            segments,
            samples,
            next: 0,
            bytes: Vec::new(),
            first: 0,
            held: 0,
        }),
    })
}

/// How many samples the data file holds of every channel; what is missing is told.
fn measure(header: &mut Header, bytes: u64, notes: &mut Vec<String>) -> Result<u64, RecordingError> {
    let refuse = |what: String| Err(RecordingError::new(&header.data, Place::File, what));
    let width = header.binary.bytes() as u64;
    let count = header.channels.len() as u64;
    let held = bytes / (width * count);
    if let Some(points) = header.points.filter(|points| *points > held) {
        if header.vectorized {
            // One channel after the other: what is missing is missing of the last ones.
            let whole =
                usize::try_from(bytes / (width * points)).unwrap_or(usize::MAX).min(header.channels.len());
            let missing: Vec<String> = header.channels.drain(whole..).map(|channel| channel.label).collect();
            header.resolutions.truncate(whole);
            if whole == 0 {
                return refuse(format!(
                    "holds {bytes} bytes, not even one of {count} channels of {points} samples"
                ));
            }
            notes.push(format!(
                "the header promises {count} channels of {points} samples, the data file holds {whole} of them; left out: {}",
                missing.join(", ")
            ));
            return Ok(points);
        }
        notes.push(format!(
            "the header promises {points} samples, the data file holds {held}: the rest is missing"
        ));
    }
    if held == 0 {
        return refuse(format!("holds {bytes} bytes, not even one sample of {count} channels"));
    }
    if let Some(points) = header.points.filter(|points| *points < held) {
        notes.push(format!("{} samples beyond the promised {points} were left out", held - points));
        return Ok(points);
    }
    if !bytes.is_multiple_of(width * count) {
        notes.push(format!("{} bytes after the last whole sample were left out", bytes % (width * count)));
    }
    Ok(held)
}

/// Where each run of samples begins: sample and stamp; and how many of them begin at a time that nobody knows.
fn segments(header: &Header, found: &[Marker], samples: u64) -> (Vec<(u64, f64)>, usize) {
    let is_new = |marker: &&Marker| marker.kind.eq_ignore_ascii_case("New Segment");
    let mut begins: Vec<(u64, Option<f64>)> =
        found.iter().filter(is_new).filter(|m| m.at < samples).map(|m| (m.at, m.date_s)).collect();
    if begins.iter().filter(|(at, _)| *at > 0).count() == 0
        && let Some(points) = header.segment_points.filter(|points| *points < samples)
    {
        begins.extend((1..samples.div_ceil(points)).map(|nth| (nth * points, None)));
    }
    let zero_s = begins.iter().find(|(at, _)| *at == 0).and_then(|(_, date_s)| *date_s);
    let mut runs: Vec<(u64, f64)> = vec![(0, 0.0)];
    let mut unknown = 0;
    for (at, date_s) in begins.into_iter().filter(|(at, _)| *at > 0) {
        let expected_s = stamp_s(&runs, at, header.rate_hz);
        let told_s = date_s.zip(zero_s).map(|(date_s, zero_s)| date_s - zero_s);
        match told_s.filter(|told_s| *told_s > expected_s - 0.5 / header.rate_hz) {
            Some(told_s) if told_s < expected_s + 0.5 / header.rate_hz => {}
            Some(told_s) => runs.push((at, told_s)),
            None => {
                unknown += 1;
                runs.push((at, expected_s + 1.0 / header.rate_hz));
            }
        }
    }
    (runs, unknown)
}

fn stamp_s(runs: &[(u64, f64)], sample: u64, rate_hz: f64) -> f64 {
    let at = runs.partition_point(|(first, _)| *first <= sample).saturating_sub(1);
    let (first, start_s) = runs.get(at).copied().unwrap_or_default();
    start_s + (sample - first.min(sample)) as f64 / rate_hz
}

struct BrainVisionBlocks {
    path: PathBuf,
    file: File,
    header: Header,
    segments: Vec<(u64, f64)>,
    samples: u64,
    next: u64,
    /// Of `held` samples from `first` on, as they lie in the file.
    bytes: Vec<u8>,
    first: u64,
    held: u64,
}

impl BrainVisionBlocks {
    /// Reads the samples from `next` on.
    fn fill(&mut self) -> Result<(), RecordingError> {
        let width = self.header.binary.bytes() as u64;
        let count = self.header.channels.len() as u64;
        let held = BLOCK.min(self.samples - self.next);
        self.bytes.resize(usize::try_from(held * count * width).unwrap_or(0), 0);
        // Multiplexed: one stretch. Vectorized: one of each channel.
        let (stretches, stride) = if self.header.vectorized { (count, self.samples * width) } else { (1, 0) };
        let each =
            usize::try_from(held * width * if self.header.vectorized { 1 } else { count }).unwrap_or(1);
        for (nth, part) in (0..stretches).zip(self.bytes.chunks_exact_mut(each.max(1))) {
            let begin = if self.header.vectorized { self.next * width } else { self.next * width * count };
            let at = nth * stride + begin;
            self.file
                .seek(SeekFrom::Start(at))
                .and_then(|_| self.file.read_exact(part))
                .map_err(|error| RecordingError::io(&self.path, Place::Byte(at), &error))?;
        }
        (self.first, self.held) = (self.next, held);
        Ok(())
    }
}

impl Blocks for BrainVisionBlocks {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        let width = self.header.binary.bytes();
        let count = self.header.channels.len();
        let mut read = 0;
        for (row, stamp) in values.chunks_exact_mut(count.max(1)).zip(stamps_s) {
            if self.next >= self.samples {
                break;
            }
            if self.next >= self.first + self.held {
                match self.fill() {
                    Ok(()) => {}
                    // What was read goes out first; the next call fails again.
                    Err(_) if read > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            let within = usize::try_from(self.next - self.first).unwrap_or(0);
            let held = usize::try_from(self.held).unwrap_or(0);
            for (channel, (slot, resolution)) in row.iter_mut().zip(&self.header.resolutions).enumerate() {
                let place =
                    if self.header.vectorized { channel * held + within } else { within * count + channel };
                let raw = self.bytes.get(place * width..(place + 1) * width).unwrap_or_default();
                *slot = self.header.binary.decode(raw, self.header.big_endian) * resolution;
            }
            *stamp = stamp_s(&self.segments, self.next, self.header.rate_hz);
            self.next += 1;
            read += 1;
        }
        Ok(read)
    }
}

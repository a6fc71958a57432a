//! EDF and EDF+ (16 bit), BDF and BDF+ (24 bit). Continuous files are one run of samples; in discontinuous
//! ones the stamps jump to each data record's own onset, so that what comes after sees the gap.

mod annotations;
mod header;

use super::{Blocks, Opened, Place, RecordingError, settle, stem};
use crate::acquisition::{Channel, StreamDescription};
use header::{Header, Signal};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Types of signal that EDF+ writes before the label ("EEG Fpz-Cz").
const TYPES: [&str; 9] = ["EEG", "ECG", "EOG", "EMG", "ERG", "MEG", "MCG", "EP", "Resp"];

pub(super) fn open(path: &Path) -> Result<Opened, RecordingError> {
    let mut file = File::open(path).map_err(|error| RecordingError::io(path, Place::File, &error))?;
    let header = Header::read(&mut file, path)?;
    let is_data = |signal: &&Signal| !signal.is_annotations() && !header.is_status(signal);
    let samples = usual(header.signals.iter().filter(is_data).map(|signal| signal.samples));
    let chosen: Vec<Signal> =
        header.signals.iter().filter(is_data).filter(|s| s.samples == samples).cloned().collect();
    if chosen.is_empty() || samples == 0 {
        return Err(RecordingError::new(path, Place::File, "has no signals but annotations"));
    }
    if header.record_s <= 0.0 {
        return Err(RecordingError::new(path, Place::Byte(244), "a data record with signals lasts 0 s"));
    }
    let rate_hz = samples as f64 / header.record_s;
    if !rate_hz.is_finite() || rate_hz > 1e6 {
        let what = format!("{samples} samples in {} s is no sampling rate", header.record_s);
        return Err(RecordingError::new(path, Place::Byte(244), what));
    }
    let mut notes = header.notes.clone();
    let slower = header.signals.iter().filter(is_data).filter(|s| s.samples != samples);
    let left_out: Vec<String> =
        slower.map(|s| format!("{} ({} Hz)", s.label, s.samples as f64 / header.record_s)).collect();
    if !left_out.is_empty() {
        notes.push(format!("left out, because most signals run at {rate_hz} Hz: {}", left_out.join(", ")));
    }
    let mut found = annotations::scan(&mut file, path, &header, rate_hz)?;
    settle(&mut found.annotations, found.left_out, &mut notes);
    if let Some((count, first)) = found.broken {
        notes.push(format!("{count} annotation lists are malformed, the first at byte {first}"));
    }
    if header.discontinuous {
        notes.push("the recording is discontinuous (EDF+D): its stamps jump where it paused".to_owned());
    }
    Ok(Opened {
        description: StreamDescription {
            name: stem(path),
            kind: "EEG".to_owned(),
            source_id: format!("file:{}", stem(path)),
            hostname: String::new(),
            rate_hz,
            channels: chosen.iter().map(channel).collect(),
        },
        annotations: found.annotations,
        notes,
        samples: Some(header.records * samples as u64),
        blocks: Box::new(EdfBlocks {
            file,
            path: path.to_owned(),
            bytes: Vec::new(),
            chosen,
            samples,
            rate_hz,
            first_s: None,
            start_s: 0.0,
            next_record: 0,
            sample: samples,
            header,
        }),
    })
}

/// The number that occurs most often; of several the largest.
fn usual(samples: impl Iterator<Item = usize>) -> usize {
    let mut sorted: Vec<usize> = samples.collect();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).and_then(|run| run.first()).copied().unwrap_or(0)
}

fn channel(signal: &Signal) -> Channel {
    let typed = signal.label.split_once(' ').filter(|(kind, _)| TYPES.contains(kind));
    let (kind, label) = typed.unwrap_or(("", &signal.label));
    Channel { label: label.trim().to_owned(), unit: signal.unit.clone(), kind: kind.to_owned() }
}

/// The data records, as they are read.
struct EdfBlocks {
    file: File,
    path: PathBuf,
    header: Header,
    chosen: Vec<Signal>,
    samples: usize,
    rate_hz: f64,
    /// Onset of the first data record: a fraction of a second as a rule.
    first_s: Option<f64>,
    start_s: f64,
    next_record: u64,
    /// The next sample of the record in `bytes`.
    sample: usize,
    bytes: Vec<u8>,
}

impl EdfBlocks {
    /// Reads the next data record; `false` after the last.
    fn advance(&mut self) -> Result<bool, RecordingError> {
        if self.next_record >= self.header.records {
            return Ok(false);
        }
        let at = self.header.record_at(self.next_record);
        self.bytes.resize(self.header.record_bytes, 0);
        self.file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.read_exact(&mut self.bytes))
            .map_err(|error| RecordingError::io(&self.path, Place::Byte(at), &error))?;
        let onset_s = self.onset(at)?;
        let first_s = *self.first_s.get_or_insert(onset_s.unwrap_or(0.0));
        self.start_s = match onset_s {
            Some(onset_s) if self.header.discontinuous => onset_s,
            _ => first_s + self.next_record as f64 * self.header.record_s,
        };
        self.next_record += 1;
        self.sample = 0;
        Ok(true)
    }

    /// What the record says of its own begin. A discontinuous file needs it.
    fn onset(&self, at: u64) -> Result<Option<f64>, RecordingError> {
        let signal = self.header.signals.iter().find(|signal| self.header.plus && signal.is_annotations());
        let onset_s = signal.and_then(|signal| {
            let end = signal.offset + signal.samples * self.header.width;
            annotations::record_onset(self.bytes.get(signal.offset..end)?)
        });
        if onset_s.is_none() && self.header.discontinuous {
            let what = "this data record of a discontinuous file does not say when it begins";
            return Err(RecordingError::new(&self.path, Place::Byte(at), what));
        }
        Ok(onset_s)
    }
}

impl Blocks for EdfBlocks {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        let mut count = 0;
        for (row, stamp_s) in values.chunks_exact_mut(self.chosen.len().max(1)).zip(stamps_s) {
            if self.sample >= self.samples {
                match self.advance() {
                    Ok(true) => {}
                    Ok(false) => break,
                    // What was read goes out first; the next call fails again.
                    Err(_) if count > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            for (slot, signal) in row.iter_mut().zip(&self.chosen) {
                let at = signal.offset + self.sample * self.header.width;
                let raw = self.bytes.get(at..).unwrap_or_default();
                let digital = match (self.header.width, raw) {
                    (2, [low, high, ..]) => i32::from(i16::from_le_bytes([*low, *high])),
                    // Shifted up and down again to carry the sign of 24 bits.
                    (3, [low, middle, high, ..]) => i32::from_le_bytes([0, *low, *middle, *high]) >> 8,
                    _ => 0,
                };
                *slot = f64::from(digital) * signal.gain + signal.zero;
            }
            *stamp_s = self.start_s + self.sample as f64 / self.rate_hz;
            self.sample += 1;
            count += 1;
        }
        Ok(count)
    }
}

//! EDF and EDF+ (16 bit), BDF and BDF+ (24 bit). Continuous files are one run of samples; in discontinuous
//! ones the stamps jump to each data record's own onset, so that what comes after sees the gap.

mod annotations;
mod header;

use super::{Blocks, OpenOptions, Opened, Place, RecordingError, settle};
use crate::acquisition::kinds::{Guess, distinct_labels, guess};
use crate::acquisition::{Channel, StreamDescription};
use crate::units::hz;
use header::{Header, Signal};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Types of signal that EDF+ writes before the label ("EEG Fpz-Cz").
const TYPES: [&str; 9] = ["EEG", "ECG", "EOG", "EMG", "ERG", "MEG", "MCG", "EP", "Resp"];

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Opened, RecordingError> {
    let mut file = File::open(path).map_err(|error| RecordingError::io(path, Place::File, &error))?;
    let header = Header::read(&mut file, path)?;
    let mut notes = header.notes.clone();
    let is_data = |signal: &&Signal| !signal.is_annotations() && !header.is_status(signal);
    let data: Vec<&Signal> = header.signals.iter().filter(is_data).collect();
    let mut channels: Vec<Channel> = data.iter().map(|signal| channel(signal)).collect();
    notes.extend(distinct_labels(&mut channels));
    let signals: Vec<(Channel, Signal)> = channels.into_iter().zip(data.into_iter().cloned()).collect();
    if header.record_s <= 0.0 && !signals.is_empty() {
        return Err(RecordingError::new(path, Place::Byte(244), "a data record with signals lasts 0 s"));
    }
    let chosen = choose(path, &header, signals, options.channels.as_deref(), &mut notes)?;
    let samples = chosen.first().map_or(0, |(_, signal)| signal.samples);
    let rate_hz = samples as f64 / header.record_s;
    if !rate_hz.is_finite() || rate_hz > 1e6 {
        let what = format!("{samples} samples in {} s is no sampling rate", header.record_s);
        return Err(RecordingError::new(path, Place::Byte(244), what));
    }
    let mut found = annotations::scan(&mut file, path, &header)?;
    settle(&mut found.annotations, found.left_out, &mut notes);
    if let Some((count, first)) = found.broken {
        notes.push(format!("{count} annotation lists are malformed, the first at byte {first}"));
    }
    if header.discontinuous {
        notes.push("the recording is discontinuous (EDF+D): its stamps jump where it paused".to_owned());
    } else if found.jumps > 0 {
        notes.push(format!(
            "{} data records say that they do not follow the one before, but the file says that it is continuous: it \
             was read as continuous",
            found.jumps
        ));
    }
    let (channels, chosen): (Vec<Channel>, Vec<Signal>) = chosen.into_iter().unzip();
    Ok(Opened {
        description: StreamDescription::of_file(path, rate_hz, channels),
        annotations: found.annotations,
        notes,
        samples: Some(header.records * samples as u64),
        measured_hz: None,
        blocks: Box::new(EdfBlocks {
            file,
            path: path.to_owned(),
            bytes: Vec::new(),
            chosen,
            samples,
            rate_hz,
            // An onset that is written to 10 ms says nothing about 5 ms.
            tolerance_s: (0.5 / rate_hz).max(0.51 * if found.step_s < 1.0 { found.step_s } else { 0.0 }),
            run: None,
            start_s: 0.0,
            next_record: 0,
            sample: samples,
            header,
        }),
    })
}

/// The signals that are read: all of one rate, that of the channels asked for, or else of the EEG. Says what is left
/// out and why.
fn choose(
    path: &Path,
    header: &Header,
    signals: Vec<(Channel, Signal)>,
    wanted: Option<&[String]>,
    notes: &mut Vec<String>,
) -> Result<Vec<(Channel, Signal)>, RecordingError> {
    let rate = |signal: &Signal| signal.samples as f64 / header.record_s;
    let named = |channel: &Channel| {
        wanted.unwrap_or_default().iter().any(|label| label.trim().eq_ignore_ascii_case(channel.label.trim()))
    };
    let mut whole = Vec::with_capacity(signals.len());
    for (channel, signal) in signals {
        let broken =
            signal.broken.clone().or_else(|| (signal.samples == 0).then(|| "it has no samples".to_owned()));
        match broken {
            None => whole.push((channel, signal)),
            Some(why) if named(&channel) => {
                let what = format!("channel {:?} cannot be read: {why}", channel.label);
                return Err(RecordingError::new(path, Place::File, what));
            }
            Some(why) => notes.push(format!("channel {:?} was left out: {why}", channel.label)),
        }
    }
    let asked: Vec<&(Channel, Signal)> = whole.iter().filter(|(channel, _)| named(channel)).collect();
    let of = |kind: Guess| {
        whole.iter().filter(|(c, _)| guess(c) == kind).map(|(_, s)| s.samples).collect::<Vec<_>>()
    };
    let (samples, whose) = if let Some((_, first)) = asked.first() {
        if let Some((other, signal)) = asked.iter().find(|(_, signal)| signal.samples != first.samples) {
            let what = format!(
                "the channels asked for have several rates ({}, {:?} {}); ask for those of one rate at a time",
                hz(rate(first)),
                other.label,
                hz(rate(signal))
            );
            return Err(RecordingError::new(path, Place::File, what));
        }
        (first.samples, "the channels asked for run")
    } else {
        let kinds = [
            (Guess::Eeg, "the EEG runs"),
            (Guess::Unknown, "most signals run"),
            (Guess::Other, "most signals run"),
        ];
        let found =
            kinds.into_iter().map(|(kind, whose)| (usual(of(kind)), whose)).find(|(samples, _)| *samples > 0);
        found.ok_or_else(|| RecordingError::new(path, Place::File, "has no signals but annotations"))?
    };
    let (chosen, others): (Vec<_>, Vec<_>) =
        whole.into_iter().partition(|(_, signal)| signal.samples == samples);
    let others: Vec<String> = others.iter().map(|(c, s)| format!("{} ({})", full(c), hz(rate(s)))).collect();
    if !others.is_empty() {
        let rate_hz = samples as f64 / header.record_s;
        notes.push(format!("left out, because {whose} at {}: {}", hz(rate_hz), others.join(", ")));
    }
    Ok(chosen)
}

/// The number that occurs most often; of several the largest.
fn usual(mut samples: Vec<usize>) -> usize {
    samples.sort_unstable();
    let runs = samples.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).and_then(|run| run.first()).copied().unwrap_or(0)
}

/// Label and type as the file writes them.
fn full(channel: &Channel) -> String {
    format!("{} {}", channel.kind, channel.label).trim().to_owned()
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
    /// A data record that begins within this of the end of the one before follows it.
    tolerance_s: f64,
    /// The data record from which on the records follow each other, and its onset.
    run: Option<(u64, f64)>,
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
        let (run, run_s) = *self.run.get_or_insert((self.next_record, onset_s.unwrap_or(0.0)));
        let expected_s = run_s + (self.next_record - run) as f64 * self.header.record_s;
        self.start_s = match onset_s.filter(|_| self.header.discontinuous) {
            Some(onset_s) if (onset_s - expected_s).abs() > self.tolerance_s => {
                self.run = Some((self.next_record, onset_s));
                onset_s
            }
            _ => expected_s,
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
            annotations::record_onset(self.bytes.get(signal.offset..end)?).map(|(onset_s, _)| onset_s)
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

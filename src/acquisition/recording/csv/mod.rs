//! CSV with a header of channel names.

mod columns;
mod lines;
mod states;

use super::{Blocks, MAX_CHANNELS, OpenOptions, Opened, Place, RecordingError, settle, stem};
use crate::acquisition::{Channel, StreamDescription};
use columns::{Columns, PROBE_ROWS, Role};
use lines::{Reader, reader};
use std::path::{Path, PathBuf};

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Opened, RecordingError> {
    if let Some(rate_hz) = options.rate_hz.filter(|rate| !rate.is_finite() || *rate <= 0.0) {
        let what = format!("a rate of {rate_hz} Hz was asked for; it must be above 0");
        return Err(RecordingError::new(path, Place::File, what));
    }
    let mut columns = Columns::probe(path, options)?;
    let rate_hz = rate(path, &columns, options)?;
    let mut notes = Vec::new();
    let (mut annotations, left_out, samples) = if columns.roles.contains(&Role::State) {
        states::scan(path, &mut columns, rate_hz)?
    } else {
        (Vec::new(), 0, None)
    };
    settle(&mut annotations, left_out, &mut notes);
    for (name, role) in columns.names.iter().zip(&columns.roles) {
        if *role == Role::LeftOut {
            notes.push(format!("column {name:?} is not among the channels asked for and was left out"));
        } else if *role == Role::State {
            notes.push(format!("column {name:?} holds whole numbers and was read as annotations"));
        }
    }
    let unit = options.unit.clone().unwrap_or_else(|| "uV".to_owned());
    let channels: Vec<Channel> = columns
        .channels()
        .map(|name| Channel { label: name.to_owned(), unit: unit.clone(), kind: "EEG".to_owned() })
        .collect();
    if channels.is_empty() || channels.len() > MAX_CHANNELS {
        let what = format!("has {} channels; 1 to {MAX_CHANNELS} can be read", channels.len());
        return Err(RecordingError::new(path, Place::Line(1), what));
    }
    Ok(Opened {
        description: StreamDescription {
            name: stem(path),
            kind: "EEG".to_owned(),
            source_id: format!("file:{}", stem(path)),
            hostname: String::new(),
            rate_hz,
            channels,
        },
        annotations,
        notes,
        samples,
        measured_hz: None,
        blocks: Box::new(CsvBlocks {
            reader: reader(path, columns.delimiter)?,
            path: path.to_owned(),
            record: ::csv::ByteRecord::new(),
            columns,
            rate_hz,
            row: 0,
            broken: None,
        }),
    })
}

/// The rate that was asked for, or the one that the time column of the probed rows shows.
fn rate(path: &Path, columns: &Columns, options: &OpenOptions) -> Result<f64, RecordingError> {
    let seen_hz = columns.seen_rate_hz();
    match (options.rate_hz, seen_hz) {
        (Some(asked_hz), Some(seen_hz)) if (asked_hz / seen_hz - 1.0).abs() > 0.01 => {
            let what = format!(
                "a rate of {asked_hz} Hz was asked for, but the time column runs at {seen_hz:.3} Hz: leave the \
                 rate out, or correct it"
            );
            Err(RecordingError::new(path, Place::Line(2), what))
        }
        (Some(asked_hz), _) => Ok(asked_hz),
        (None, Some(seen_hz)) => Ok(seen_hz),
        (None, None) => {
            let what = format!(
                "has no column `time` that ascends over its first {PROBE_ROWS} rows: state the sampling rate"
            );
            Err(RecordingError::new(path, Place::Line(1), what))
        }
    }
}

/// The rows, as they are read.
struct CsvBlocks {
    reader: Reader,
    path: PathBuf,
    record: ::csv::ByteRecord,
    columns: Columns,
    rate_hz: f64,
    row: u64,
    /// Why no row follows.
    broken: Option<RecordingError>,
}

impl CsvBlocks {
    /// The next row; `false` at the end.
    fn row(&mut self, sample: &mut [f64], stamp_s: &mut f64) -> Result<bool, RecordingError> {
        if !lines::next(&mut self.reader, &mut self.record, &self.path)? {
            return Ok(false);
        }
        let line = lines::line(&self.record);
        *stamp_s = self.row as f64 / self.rate_hz;
        let mut slots = sample.iter_mut();
        for (index, role) in self.columns.roles.iter().enumerate() {
            let cell = self.record.get(index).unwrap_or_default();
            match role {
                Role::Time => *stamp_s = self.columns.time(cell, line, &self.path)?,
                Role::Channel => {
                    if let Some(slot) = slots.next() {
                        *slot = self.columns.value(cell, index, line, &self.path)?;
                    }
                }
                Role::State | Role::LeftOut => {}
            }
        }
        self.row += 1;
        Ok(true)
    }
}

impl Blocks for CsvBlocks {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let width = self.columns.channels().count().max(1);
        let mut count = 0;
        for (sample, stamp_s) in values.chunks_exact_mut(width).zip(stamps_s) {
            match self.row(sample, stamp_s) {
                Ok(true) => count += 1,
                Ok(false) => break,
                Err(error) => {
                    // The rows before it are good: they go out first.
                    self.broken = Some(error.clone());
                    return if count > 0 { Ok(count) } else { Err(error) };
                }
            }
        }
        Ok(count)
    }
}

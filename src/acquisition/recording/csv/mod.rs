//! CSV: a header of channel names, then a row a sample; what amplifiers' own programs (OpenBCI, Muse, Emotiv, OpenViBE)
//! and spreadsheets make of it.
//!
//! One pass tells which column is what, two look at the times as a whole ([`Timeline`]) and gather annotations; then the
//! rows are handed out. Nothing of them is kept.

mod columns;
mod lines;
mod states;
pub(super) mod times;

use super::timeline::{Stated, Timeline};
use super::{Blocks, MAX_CHANNELS, OpenOptions, Opened, Place, RecordingError, settle};
use crate::acquisition::{Channel, StreamDescription};
use columns::{Columns, Role};
use lines::{Lines, cells};
use states::States;
use std::path::{Path, PathBuf};

pub(super) fn open(path: &Path, options: &OpenOptions) -> Result<Opened, RecordingError> {
    if let Some(rate_hz) = options.rate_hz.filter(|rate| !rate.is_finite() || *rate <= 0.0) {
        let what = format!("a rate of {rate_hz} Hz was asked for; it must be above 0");
        return Err(RecordingError::new(path, Place::File, what));
    }
    let columns = Columns::probe(path, options)?;
    let unit = options.unit.clone().unwrap_or_else(|| "uV".to_owned());
    let channels: Vec<Channel> = columns
        .channels()
        .map(|name| Channel { label: name.to_owned(), unit: unit.clone(), kind: "EEG".to_owned() })
        .collect();
    if channels.is_empty() || channels.len() > MAX_CHANNELS {
        let what = format!(
            "has {} channels; 1 to {MAX_CHANNELS} can be read{}",
            channels.len(),
            columns.notes.iter().map(|note| format!("; {note}")).collect::<String>()
        );
        return Err(RecordingError::new(path, Place::Line(columns.header.max(1)), what));
    }
    let mut rows = Rows::open(path, columns)?;
    let mut notes = rows.columns.notes.clone();
    let stated = Stated {
        nominal_hz: rows.columns.nominal_hz,
        asked_hz: options.rate_hz,
        guess_hz: rows.columns.guess_hz,
    };
    let timed = rows.columns.roles.contains(&Role::Time);
    let timeline = if timed {
        Timeline::of(path, stated, |each| {
            rows.rewind()?;
            // A broken cell is told where it is read, behind the good rows before it.
            while let Ok(Some(stamp_s)) = rows.next(&mut []) {
                each(stamp_s);
            }
            Ok(())
        })?
    } else {
        let rate_hz = options.rate_hz.or(rows.columns.nominal_hz).ok_or_else(|| {
            let what = "has no column `time` that ascends: state the sampling rate (--rate)";
            RecordingError::new(path, Place::Line(1), what)
        })?;
        Timeline::even(rate_hz)
    };
    notes.extend(timeline.notes.iter().cloned());
    let rate_hz = timeline.rate_hz;
    rows.timeline = timeline.clone();
    let mut annotations = rows.annotations()?;
    settle(&mut annotations.found, annotations.left_out, &mut notes);
    for (name, role) in rows.columns.names.iter().zip(&rows.columns.roles) {
        if *role == Role::State {
            notes.push(format!("column {name:?} was read as annotations"));
        }
    }
    if rows.empty > 0 {
        notes.push(format!("{} rows without any value are no samples", rows.empty));
    }
    rows.rewind()?;
    Ok(Opened {
        description: StreamDescription::of_file(path, rate_hz, channels),
        annotations: annotations.found,
        notes,
        samples: Some(rows.samples),
        measured_hz: timeline.measured_hz,
        blocks: Box::new(CsvBlocks { rows, broken: None }),
    })
}

/// The rows, as they are read.
struct Rows {
    path: PathBuf,
    lines: Lines,
    columns: Columns,
    timeline: Timeline,
    row: u64,
    /// Rows that a whole pass has found to be samples, and those without a value.
    samples: u64,
    empty: u64,
}

impl Rows {
    fn open(path: &Path, columns: Columns) -> Result<Self, RecordingError> {
        let lines = Lines::behind(path, columns.header)?;
        let timeline = Timeline::even(1.0);
        let samples = columns.rows;
        Ok(Self { path: path.to_owned(), lines, columns, timeline, row: 0, samples, empty: 0 })
    }

    fn rewind(&mut self) -> Result<(), RecordingError> {
        self.lines = Lines::behind(&self.path, self.columns.header)?;
        self.row = 0;
        self.timeline.rewind();
        Ok(())
    }

    /// The next sample into `sample` (one value a channel, or none), and its stamp as it is written; a row of
    /// a file with times that holds no value is none. `None` at the end.
    fn next(&mut self, sample: &mut [f64]) -> Result<Option<f64>, RecordingError> {
        loop {
            if self.lines.next()?.is_none() || self.columns.cut == Some(self.lines.line()) {
                return Ok(None);
            }
            let line = self.lines.line();
            let mut stamp_s = None;
            let (mut failed, mut any) = (None, false);
            let mut slots = sample.iter_mut();
            let columns = &self.columns;
            let path = &self.path;
            cells(self.lines.text(), columns.delimiter, |at, cell| match columns.roles.get(at) {
                Some(Role::Time) => match columns.time(cell, line, path) {
                    Ok(time_s) => stamp_s = Some(time_s),
                    Err(error) => failed = failed.take().or(Some(error)),
                },
                Some(Role::Channel) => {
                    any |= !cell.is_empty();
                    if let Some(slot) = slots.next() {
                        match columns.value(cell, at, line, path) {
                            Ok(value) => *slot = value,
                            Err(error) => failed = failed.take().or(Some(error)),
                        }
                    }
                }
                _ => {}
            });
            let timed = self.columns.roles.contains(&Role::Time);
            if timed && !any && failed.is_none() {
                continue;
            }
            if let Some(error) = failed {
                // What the end of the file cuts off is no fault of the rest.
                if self.lines.is_last() && !self.lines.whole() {
                    return Ok(None);
                }
                return Err(error);
            }
            let row = self.row;
            self.row += 1;
            return Ok(Some(stamp_s.unwrap_or(row as f64 / self.timeline.rate_hz)));
        }
    }

    /// A pass over the columns of states; counts samples on its way.
    fn annotations(&mut self) -> Result<States, RecordingError> {
        let mut states = States::new(&self.columns);
        self.rewind()?;
        let timed = self.columns.roles.contains(&Role::Time);
        if !timed && !self.columns.roles.contains(&Role::State) {
            return Ok(states);
        }
        let (mut samples, mut empty, mut now_s) = (0_u64, 0_u64, 0.0);
        while self.lines.next()?.is_some() && self.columns.cut != Some(self.lines.line()) {
            let (mut any, mut written_s) = (false, None);
            let columns = &self.columns;
            cells(self.lines.text(), columns.delimiter, |at, cell| match columns.roles.get(at) {
                Some(Role::Time) => {
                    written_s = times::time(cell, columns.delimiter).map(|time| time * columns.unit.scale_s);
                }
                Some(Role::Channel) => any |= !cell.is_empty(),
                _ => {}
            });
            now_s = match written_s {
                Some(written_s) if any => self.timeline.next_s(written_s),
                // Between two samples: as it is written, but not before what is there already.
                Some(written_s) => written_s.max(now_s),
                None => samples as f64 / self.timeline.rate_hz,
            };
            samples += u64::from(any || !timed);
            empty += u64::from(timed && !any);
            cells(self.lines.text(), self.columns.delimiter, |at, cell| states.cell(at, cell, now_s));
        }
        states.finish(now_s + 1.0 / self.timeline.rate_hz);
        (self.samples, self.empty) = (samples, empty);
        Ok(states)
    }
}

struct CsvBlocks {
    rows: Rows,
    /// Why no row follows.
    broken: Option<RecordingError>,
}

impl Blocks for CsvBlocks {
    fn read_block(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, RecordingError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let width = self.rows.columns.channels().count().max(1);
        let mut count = 0;
        for (sample, slot_s) in values.chunks_exact_mut(width).zip(stamps_s) {
            match self.rows.next(sample) {
                Ok(Some(written_s)) => {
                    *slot_s = self.rows.timeline.next_s(written_s);
                    count += 1;
                }
                Ok(None) => break,
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

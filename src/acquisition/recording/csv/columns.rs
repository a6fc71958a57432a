//! Which column is what, judged by the header and the first rows.

use super::super::{OpenOptions, Place, RecordingError};
use super::lines;
use std::path::Path;

/// Rows that are looked at before the columns' roles are given out.
pub(super) const PROBE_ROWS: usize = 1000;

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Seconds.
    Time,
    /// A channel.
    Channel,
    /// Whole numbers that become annotations.
    State,
    /// Not asked for.
    LeftOut,
}

/// The header, understood.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub delimiter: u8,
    pub names: Vec<String>,
    pub roles: Vec<Role>,
    times_s: Vec<f64>,
}

impl Columns {
    pub(super) fn probe(path: &Path, options: &OpenOptions) -> Result<Self, RecordingError> {
        let (delimiter, names) = header(path)?;
        let mut reader = lines::open(path, delimiter)?;
        let mut record = csv::ByteRecord::new();
        lines::next(&mut reader, &mut record, path)?;
        let time = names.iter().position(|name| is_time(name));
        let mut whole = vec![true; names.len()];
        let mut times_s = Vec::new();
        let mut columns =
            Self { delimiter, roles: vec![Role::Channel; names.len()], names, times_s: Vec::new() };
        let mut rows = 0;
        while rows < PROBE_ROWS && lines::next(&mut reader, &mut record, path)? {
            rows += 1;
            for (cell, whole) in record.iter().zip(&mut whole) {
                *whole &= is_state(cell);
            }
            if let Some(cell) = time.and_then(|index| record.get(index)) {
                times_s.push(columns.time(cell, lines::line(&record), path)?);
            }
        }
        if rows == 0 {
            return Err(RecordingError::new(path, Place::Line(2), "has a header and no rows"));
        }
        columns.times_s = times_s;
        columns.assign(path, time, &whole, options)?;
        Ok(columns)
    }

    fn assign(
        &mut self,
        path: &Path,
        time: Option<usize>,
        whole: &[bool],
        options: &OpenOptions,
    ) -> Result<(), RecordingError> {
        for wanted in options.channels.iter().flatten() {
            if !self.names.contains(wanted) {
                let what = format!("has no column {wanted:?}; it has {}", self.names.join(", "));
                return Err(RecordingError::new(path, Place::Line(1), what));
            }
        }
        // States stand out only beside channels with decimals.
        let mut others = whole.iter().enumerate().filter(|(index, _)| Some(*index) != time);
        let any_decimals = others.any(|(_, whole)| !whole);
        let columns = self.roles.iter_mut().zip(&self.names).zip(whole).enumerate();
        for (index, ((role, name), whole)) in columns {
            let asked = options.channels.as_ref().map(|wanted| wanted.contains(name));
            *role = match asked {
                _ if Some(index) == time => Role::Time,
                Some(true) => Role::Channel,
                _ if *whole && any_decimals => Role::State,
                Some(false) => Role::LeftOut,
                None => Role::Channel,
            };
        }
        Ok(())
    }

    /// The channels' names, in the file's order.
    pub(super) fn channels(&self) -> impl Iterator<Item = &str> {
        let columns = self.names.iter().zip(&self.roles);
        columns.filter(|(_, role)| **role == Role::Channel).map(|(name, _)| name.as_str())
    }

    /// The rate of the probed rows: the mean step, steps of gaps and jumps left out, rounded to a whole number
    /// of hertz where it is within 100 ppm of one (times are printed with few digits).
    pub(super) fn seen_rate_hz(&self) -> Option<f64> {
        let mut steps: Vec<f64> =
            self.times_s.iter().zip(self.times_s.iter().skip(1)).map(|(a, b)| b - a).collect();
        steps.retain(|step| *step > 0.0);
        steps.sort_by(f64::total_cmp);
        let median = *steps.get(steps.len() / 2)?;
        // Bursts share a stamp or nearly so; only where steps agree does their mean say the rate.
        let usual: Vec<f64> = steps.into_iter().filter(|s| *s > 0.5 * median && *s < 1.5 * median).collect();
        let rate_hz = usual.len() as f64 / usual.iter().sum::<f64>();
        let whole_hz = rate_hz.round();
        let near = whole_hz > 0.0 && (rate_hz / whole_hz - 1.0).abs() < 1e-4;
        (rate_hz.is_finite() && rate_hz > 0.0).then_some(if near { whole_hz } else { rate_hz })
    }

    /// A cell of the time column, in seconds.
    pub(super) fn time(&self, cell: &[u8], line: u64, path: &Path) -> Result<f64, RecordingError> {
        number(cell).filter(|time_s| time_s.is_finite()).ok_or_else(|| {
            let what = format!("the time {:?} is not a number of seconds", String::from_utf8_lossy(cell));
            RecordingError::new(path, Place::Line(line), what)
        })
    }

    /// A cell of a channel; an empty one is NaN.
    pub(super) fn value(
        &self,
        cell: &[u8],
        column: usize,
        line: u64,
        path: &Path,
    ) -> Result<f64, RecordingError> {
        if cell.is_empty() {
            return Ok(f64::NAN);
        }
        number(cell).ok_or_else(|| {
            let name = self.names.get(column).map_or("", String::as_str);
            let what = format!(
                "column {name:?} holds {:?}, which is not a number (decimals need a point); leave the column out \
                 by naming the channels",
                String::from_utf8_lossy(cell)
            );
            RecordingError::new(path, Place::Line(line), what)
        })
    }
}

/// Whether a cell could be a state: a whole number 0..=255 without a decimal point.
pub(super) fn is_state(cell: &[u8]) -> bool {
    (1..=3).contains(&cell.len())
        && cell.iter().all(u8::is_ascii_digit)
        && number(cell).is_some_and(|n| n < 256.0)
}

fn number(cell: &[u8]) -> Option<f64> {
    std::str::from_utf8(cell).ok()?.parse().ok()
}

fn is_time(name: &str) -> bool {
    ["time", "t", "time_s", "timestamp", "seconds"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The delimiter (the one of comma, semicolon and tab that the first line has most of) and the names.
fn header(path: &Path) -> Result<(u8, Vec<String>), RecordingError> {
    // A record of a delimiter that does not occur is the whole line.
    let mut reader = lines::open(path, b'\x1f')?;
    let mut record = csv::ByteRecord::new();
    if !lines::next(&mut reader, &mut record, path)? {
        return Err(RecordingError::new(
            path,
            Place::Line(1),
            "is empty; a header of channel names is needed",
        ));
    }
    let line = String::from_utf8_lossy(record.get(0).unwrap_or_default()).into_owned();
    let line = line.trim_start_matches('\u{FEFF}');
    let count = |delimiter: &u8| line.bytes().filter(|byte| byte == delimiter).count();
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',');
    let names: Vec<String> = line
        .split(char::from(delimiter))
        .map(|name| name.trim().trim_matches('"').trim().to_owned())
        .collect();
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() || names.iter().take(index).any(|earlier| earlier == name) {
            let what =
                format!("column {} is named {name:?}: every column needs a name of its own", index + 1);
            return Err(RecordingError::new(path, Place::Line(1), what));
        }
        if name.parse::<f64>().is_ok_and(f64::is_finite) && names.iter().all(|n| n.parse::<f64>().is_ok()) {
            let what = "holds only numbers: put a header of channel names before the data";
            return Err(RecordingError::new(path, Place::Line(1), what));
        }
    }
    Ok((delimiter, names))
}

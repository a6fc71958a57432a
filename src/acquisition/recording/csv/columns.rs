//! Which column is what, judged by the header and all rows.

use super::super::{OpenOptions, Place, RecordingError};
use super::lines::{Lines, cells};
use super::times::{self, TimeUnit, is_time, number, rate_in};
use crate::acquisition::Channel;
use crate::acquisition::kinds::{Guess, distinct_labels, guess};
use std::path::Path;

/// Rows whose times tell the unit.
const PROBE_ROWS: usize = 1000;
/// Lines before the header that may say something else.
const PREAMBLE: usize = 40;

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// When.
    Time,
    /// A channel.
    Channel,
    /// Whole numbers or texts that become annotations.
    State,
    /// Not asked for, or no EEG.
    LeftOut,
}

/// The header, understood.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub delimiter: u8,
    /// Line of the header; 0 where there is none.
    pub header: u64,
    pub names: Vec<String>,
    pub roles: Vec<Role>,
    pub unit: TimeUnit,
    /// By a comment or a column's name.
    pub nominal_hz: Option<f64>,
    /// By the median step of the first times.
    pub guess_hz: Option<f64>,
    /// Rows that are samples.
    pub rows: u64,
    /// The last line is a piece of a row.
    pub cut: Option<u64>,
    pub notes: Vec<String>,
}

/// What the cells of a column have been.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    states: u64,
    numbers: u64,
    texts: u64,
    clocks: u64,
}

impl Columns {
    pub(super) fn probe(path: &Path, options: &OpenOptions) -> Result<Self, RecordingError> {
        let mut columns = header(path)?;
        let width = columns.names.len();
        let mut seen = vec![Seen::default(); width];
        let times: Vec<usize> =
            (0..width).filter(|at| columns.names.get(*at).is_some_and(|n| is_time(n))).collect();
        let mut first: Vec<Vec<f64>> = vec![Vec::new(); times.len()];
        let mut lines = Lines::behind(path, columns.header)?;
        let mut rows = 0_u64;
        while let Some(line) = lines.next()? {
            let delimiter = columns.delimiter;
            let count = cells(line, delimiter, |at, cell| {
                let Some(seen) = seen.get_mut(at).filter(|_| !cell.is_empty()) else { return };
                match number(cell, delimiter) {
                    Some(_) if is_state(cell) => seen.states += 1,
                    Some(_) => seen.numbers += 1,
                    None if is_missing(cell) => {}
                    None => {
                        seen.texts += 1;
                        seen.clocks +=
                            u64::from(times.contains(&at) && times::time(cell, delimiter).is_some());
                    }
                }
                if let Some(nth) = times.iter().position(|time| *time == at)
                    && let Some(values) = first.get_mut(nth).filter(|values| values.len() < PROBE_ROWS)
                    && let Some(value) = times::time(cell, delimiter)
                {
                    values.push(value);
                }
            });
            if !columns.fits(count, &lines) {
                if lines.is_last() {
                    columns.cut = Some(lines.line());
                    columns
                        .notes
                        .push(format!("line {}, the last, is cut off and was left out", lines.line()));
                    break;
                }
                return Err(columns.misfit(path, lines.line(), count));
            }
            rows += 1;
        }
        if rows == 0 {
            return Err(RecordingError::new(
                path,
                Place::Line(columns.header + 1),
                "has a header and no rows",
            ));
        }
        columns.rows = rows;
        let time = columns.choose_time(path, options, &times, &first, &seen)?;
        columns.assign(path, options, time, &seen)?;
        Ok(columns)
    }

    /// Whether a row of `count` cells has the header's, but for empty ones behind.
    fn fits(&self, count: usize, lines: &Lines) -> bool {
        count == self.names.len()
            || (count > self.names.len() && {
                let mut spare = true;
                cells(lines.text(), self.delimiter, |at, cell| {
                    spare &= at < self.names.len() || cell.is_empty();
                });
                spare
            })
    }

    fn misfit(&self, path: &Path, line: u64, count: usize) -> RecordingError {
        let what = format!("has {count} cells where the header has {}", self.names.len());
        RecordingError::new(path, Place::Line(line), what)
    }

    /// The first column of times that go on, and their unit.
    fn choose_time(
        &mut self,
        path: &Path,
        options: &OpenOptions,
        times: &[usize],
        first: &[Vec<f64>],
        seen: &[Seen],
    ) -> Result<Option<usize>, RecordingError> {
        let mut counter = None;
        // Numbers before clock times.
        let plain = |at: &usize| seen.get(*at).is_some_and(|seen| seen.clocks == 0);
        let (numbers, clocks): (Vec<usize>, Vec<usize>) = times.iter().partition(|at| plain(at));
        for at in numbers.into_iter().chain(clocks) {
            let Some(nth) = times.iter().position(|time| *time == at) else { continue };
            let Some((values, seen)) = first.get(nth).zip(seen.get(at)) else { continue };
            if values.is_empty() && seen.texts > 0 {
                // A name of times, and nothing that is one.
                continue;
            }
            let mut steps: Vec<f64> = values
                .iter()
                .zip(values.iter().skip(1))
                .map(|(a, b)| b - a)
                .filter(|step| *step > 0.0)
                .collect();
            steps.sort_by(f64::total_cmp);
            let (Some(step), Some(value)) = (steps.get(steps.len() / 2).copied(), values.first().copied())
            else {
                // One that breaks off is told where it does.
                if values.len() == 1 && seen.texts > 0 {
                    return Ok(Some(at));
                }
                continue;
            };
            let name = self.names.get(at).cloned().unwrap_or_default();
            self.nominal_hz = self.nominal_hz.or_else(|| rate_in(&name));
            let whole = values.iter().all(|value| value.fract() == 0.0);
            let Some(unit) = times::unit(&name, value, step, whole, options.rate_hz.or(self.nominal_hz))
            else {
                counter = Some(name);
                continue;
            };
            self.unit = unit;
            if unit.guessed {
                self.notes.push(match unit.scale_s {
                    1e-3 => format!("column {name:?} is taken for milliseconds"),
                    1e-6 => format!("column {name:?} is taken for microseconds"),
                    1e-9 => format!("column {name:?} is taken for nanoseconds"),
                    _ => format!("column {name:?} counts samples"),
                });
            }
            let span = values.last().map_or(0.0, |last| (last - value) * unit.scale_s);
            self.guess_hz =
                Some((values.len().saturating_sub(1)) as f64 / span).filter(|hz| hz.is_finite() && *hz > 0.0);
            return Ok(Some(at));
        }
        if let (Some(name), None, None) = (counter, options.rate_hz, self.nominal_hz) {
            let what = format!(
                "column {name:?} goes up by 1 a row: samples, or milliseconds at 1000 Hz? State the sampling rate (--rate)"
            );
            return Err(RecordingError::new(path, Place::Line(self.header), what));
        }
        Ok(None)
    }

    fn assign(
        &mut self,
        path: &Path,
        options: &OpenOptions,
        time: Option<usize>,
        seen: &[Seen],
    ) -> Result<(), RecordingError> {
        let alike = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
        for wanted in options.channels.iter().flatten() {
            if !self.names.iter().any(|name| alike(name, wanted)) {
                let what = format!("has no column {wanted:?}; it has {}", self.names.join(", "));
                return Err(RecordingError::new(path, Place::Line(self.header), what));
            }
        }
        // States stand out only beside channels with decimals.
        let any_decimals = seen.iter().enumerate().any(|(at, seen)| Some(at) != time && seen.numbers > 0);
        let mut no_eeg = Vec::new();
        self.roles = vec![Role::LeftOut; self.names.len()];
        for (at, ((role, name), seen)) in self.roles.iter_mut().zip(&self.names).zip(seen).enumerate() {
            let asked =
                options.channels.as_ref().map(|wanted| wanted.iter().any(|wanted| alike(wanted, name)));
            let state = (seen.texts == 0 && seen.states > 0 && seen.numbers == 0 && any_decimals)
                || (seen.texts > 0 && seen.numbers == 0);
            let label = Channel { label: name.clone(), unit: String::new(), kind: String::new() };
            let other = guess(&label) == Guess::Other;
            *role = match asked {
                _ if Some(at) == time => Role::Time,
                Some(true) => Role::Channel,
                // Other columns of times are neither.
                _ if is_time(name) => Role::LeftOut,
                _ if state && !(other && seen.texts == 0 && counts(name)) => Role::State,
                Some(false) => Role::LeftOut,
                None if other || (seen.numbers == 0 && seen.states == 0) => {
                    no_eeg.push(name.clone());
                    Role::LeftOut
                }
                None => Role::Channel,
            };
        }
        for (name, role) in self.names.iter().zip(&self.roles) {
            if *role == Role::LeftOut && !no_eeg.contains(name) {
                let why = if is_time(name) {
                    "is another column of times"
                } else {
                    "is not among the channels asked for"
                };
                self.notes.push(format!("column {name:?} {why} and was left out"));
            }
        }
        if !no_eeg.is_empty() {
            self.notes.push(format!(
                "left out as no EEG: {} (--channels takes them all the same)",
                no_eeg.join(", ")
            ));
        }
        Ok(())
    }

    /// The channels' names, in the file's order.
    pub(super) fn channels(&self) -> impl Iterator<Item = &str> {
        let columns = self.names.iter().zip(&self.roles);
        columns.filter(|(_, role)| **role == Role::Channel).map(|(name, _)| name.as_str())
    }

    /// A cell of the time column, in seconds.
    pub(super) fn time(&self, cell: &[u8], line: u64, path: &Path) -> Result<f64, RecordingError> {
        times::time(cell, self.delimiter).map(|time| time * self.unit.scale_s).ok_or_else(|| {
            let what = format!("the time {:?} is not a number of seconds", String::from_utf8_lossy(cell));
            RecordingError::new(path, Place::Line(line), what)
        })
    }

    /// A cell of a channel; a missing one is NaN.
    pub(super) fn value(
        &self,
        cell: &[u8],
        column: usize,
        line: u64,
        path: &Path,
    ) -> Result<f64, RecordingError> {
        if cell.is_empty() || is_missing(cell) {
            return Ok(f64::NAN);
        }
        number(cell, self.delimiter).ok_or_else(|| {
            let name = self.names.get(column).map_or("", String::as_str);
            let what = format!(
                "column {name:?} holds {:?}, which is not a number; leave the column out by naming the others \
                 (--channels)",
                String::from_utf8_lossy(cell)
            );
            RecordingError::new(path, Place::Line(line), what)
        })
    }
}

/// Whether a name is that of a counter, whose every value would be an annotation.
fn counts(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["index", "counter", "count", "sample", "battery", "package", "packet", "interpolated"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether a cell could be a state: a whole number 0..=255 without a decimal point.
pub(super) fn is_state(cell: &[u8]) -> bool {
    (1..=3).contains(&cell.len())
        && cell.iter().all(u8::is_ascii_digit)
        && number(cell, b',').is_some_and(|n| n < 256.0)
}

/// How programs write that there is no value.
fn is_missing(cell: &[u8]) -> bool {
    ["na", "n/a", "null", "none", "nan", "#n/a", "-", "?"]
        .iter()
        .any(|word| cell.eq_ignore_ascii_case(word.as_bytes()))
}

/// Finds the header: the first line of names above a line of as many cells with a number among them. What stands before
/// it (a title, comments) is no row; a comment above numbers may be the header itself.
fn header(path: &Path) -> Result<Columns, RecordingError> {
    let mut lines = Lines::open(path)?;
    let mut found: Vec<(u64, String)> = Vec::new();
    let mut comments: Vec<String> = Vec::new();
    while found.len() < PREAMBLE && comments.len() < 1000 {
        let Some(text) = lines.next_raw()? else { break };
        let text = String::from_utf8_lossy(text).into_owned();
        if text.is_empty() {
            continue;
        }
        if lines.is_comment() {
            comments.push(text.trim_start_matches(['%', '#', ' ']).to_owned());
        } else {
            found.push((lines.line(), text));
        }
    }
    if found.is_empty() {
        return Err(RecordingError::new(
            path,
            Place::Line(1),
            "is empty; a header of channel names is needed",
        ));
    }
    let delimiter_of = |line: &str| {
        let count = |delimiter: &u8| line.bytes().filter(|byte| byte == delimiter).count();
        [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
    };
    let split = |line: &str, delimiter: u8| {
        let mut parts = Vec::new();
        cells(line.as_bytes(), delimiter, |_, cell| parts.push(String::from_utf8_lossy(cell).into_owned()));
        parts
    };
    let numeric = |part: &String, delimiter: u8| number(part.as_bytes(), delimiter).is_some();
    let heads = |(above, below): &(&(u64, String), &(u64, String))| {
        let delimiter = delimiter_of(&above.1);
        let (above, below) = (split(&above.1, delimiter), split(&below.1, delimiter));
        let row = below.len() == above.len()
            || (below.len() == above.len() + 1 && below.last().is_some_and(String::is_empty));
        row && !above.iter().all(|part| numeric(part, delimiter))
            && below.iter().any(|part| numeric(part, delimiter))
    };
    let place = found.iter().zip(found.iter().skip(1)).position(|pair| heads(&pair)).unwrap_or(0);
    let (line, text) = found.get(place).cloned().unwrap_or_default();
    let mut notes = Vec::new();
    if place > 0 {
        notes.push(format!("{place} lines before the header were left out"));
    }
    let nominal_hz = comments.iter().find_map(|comment| {
        let (key, value) = comment.split_once('=').or_else(|| comment.split_once(':'))?;
        let rate = key.to_lowercase().contains("sample rate") || key.to_lowercase().contains("sampling rate");
        value
            .trim()
            .trim_end_matches("Hz")
            .trim()
            .parse()
            .ok()
            .filter(|hz: &f64| rate && *hz > 0.0 && hz.is_finite())
    });
    let delimiter = delimiter_of(&text);
    let mut names = split(&text, delimiter);
    let mut header = line;
    if names.iter().all(|name| name.parse::<f64>().is_ok_and(f64::is_finite)) {
        let above = comments
            .last()
            .map(|comment| split(comment, delimiter))
            .filter(|parts| parts.len() == names.len());
        names = match above.or_else(|| open_bci(&comments, names.len())) {
            Some(names) => names,
            None => {
                let what = "holds only numbers: put a header of channel names before the data";
                return Err(RecordingError::new(path, Place::Line(line), what));
            }
        };
        header = line - 1;
    }
    let channel = |name: &String| Channel { label: name.clone(), unit: String::new(), kind: String::new() };
    let mut channels: Vec<Channel> = names.iter().map(channel).collect();
    if let Some(note) = distinct_labels(&mut channels)
        && channels
            .iter()
            .zip(&names)
            .any(|(channel, name)| channel.label != *name && guess(&self::channel(name)) != Guess::Other)
    {
        notes.push(note);
    }
    Ok(Columns {
        delimiter,
        header,
        names: channels.into_iter().map(|channel| channel.label).collect(),
        roles: Vec::new(),
        unit: TimeUnit { scale_s: 1.0, guessed: false },
        nominal_hz,
        guess_hz: None,
        rows: 0,
        cut: None,
        notes,
    })
}

fn channel(name: &str) -> Channel {
    Channel { label: name.to_owned(), unit: String::new(), kind: String::new() }
}

/// The columns of OpenBCI's older files, which have comments and no header.
fn open_bci(comments: &[String], width: usize) -> Option<Vec<String>> {
    comments.iter().find(|comment| comment.contains("OpenBCI"))?;
    let value = |key: &str| {
        comments
            .iter()
            .find_map(|c| c.split_once('=').filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim()))
    };
    let channels: usize = value("Number of channels")?.parse().ok()?;
    let name = |at: usize| match at {
        0 => "Sample Index".to_owned(),
        at if at <= channels => format!("EXG Channel {}", at - 1),
        at if at + 1 == width => "Timestamp".to_owned(),
        at => format!("Other {at}"),
    };
    (width > channels).then(|| (0..width).map(name).collect())
}

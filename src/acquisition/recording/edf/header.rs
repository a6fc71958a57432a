//! The header of an EDF or BDF file: 256 bytes, then 256 for each signal, all of it text in fixed fields.
//!
//! Sources: Kemp et al. 1992 (EDF), Kemp & Olivan 2003 (EDF+), BioSemi's file format page (BDF).

use super::super::{MAX_CHANNELS, Place, RecordingError};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest data record that is read. EDF asks for 61,440 bytes at most; BDF files go to a few MB.
const MAX_RECORD: u64 = 64 << 20;

/// One signal of a data record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signal {
    pub label: String,
    pub unit: String,
    pub samples: usize,
    /// Bytes of the data record before this signal's.
    pub offset: usize,
    /// Physical = digital x `gain` + `zero`.
    pub gain: f64,
    pub zero: f64,
    /// Why there is no scale: nothing can be made of its numbers.
    pub broken: Option<String>,
}

/// The header, checked.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Bytes of a sample: 2 (EDF) or 3 (BDF).
    pub width: usize,
    /// Whether it says that it is EDF+ or BDF+.
    pub plus: bool,
    /// Whether data records may lie apart in time (EDF+D).
    pub discontinuous: bool,
    pub header_bytes: u64,
    pub record_s: f64,
    pub record_bytes: usize,
    /// Whole data records that the file holds.
    pub records: u64,
    pub signals: Vec<Signal>,
    pub notes: Vec<String>,
}

impl Signal {
    /// Whether this is a signal of annotations.
    pub(super) fn is_annotations(&self) -> bool {
        self.label == "EDF Annotations" || self.label == "BDF Annotations"
    }
}

/// Reads fields one after the other.
struct Fields<'a> {
    file: &'a mut File,
    path: &'a Path,
    at: u64,
}

impl Fields<'_> {
    fn error(&self, at: u64, what: impl Into<String>) -> RecordingError {
        RecordingError::new(self.path, Place::Byte(at), what)
    }

    fn raw<const N: usize>(&mut self) -> Result<[u8; N], RecordingError> {
        let mut raw = [0; N];
        self.file
            .read_exact(&mut raw)
            .map_err(|_| self.error(self.at, "ends inside its header: this is no whole EDF or BDF file"))?;
        self.at += N as u64;
        Ok(raw)
    }

    /// Latin-1, because amplifiers write the micro sign as one byte.
    fn text<const N: usize>(&mut self) -> Result<String, RecordingError> {
        let raw: [u8; N] = self.raw()?;
        let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
        Ok(text.trim_matches([' ', '\0']).to_owned())
    }

    fn number<const N: usize>(&mut self, name: &str) -> Result<f64, RecordingError> {
        let at = self.at;
        let text = self.text::<N>()?;
        number(&text).ok_or_else(|| self.error(at, format!("the {name} {text:?} is not a number")))
    }

    /// A bound of a signal's scale; NaN where it is none: that costs the signal, not the file.
    fn bound(&mut self) -> Result<f64, RecordingError> {
        Ok(number(&self.text::<8>()?).unwrap_or(f64::NAN))
    }

    fn integer<const N: usize>(&mut self, name: &str) -> Result<i64, RecordingError> {
        let at = self.at;
        let text = self.text::<N>()?;
        text.parse().map_err(|_| self.error(at, format!("the {name} {text:?} is not a whole number")))
    }

    fn each<T>(
        &mut self,
        count: usize,
        mut read: impl FnMut(&mut Self, usize) -> Result<T, RecordingError>,
    ) -> Result<Vec<T>, RecordingError> {
        (0..count).map(|index| read(self, index)).collect()
    }
}

/// Some programs write the decimal comma of their country.
fn number(text: &str) -> Option<f64> {
    text.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite())
}

impl Header {
    pub(super) fn read(file: &mut File, path: &Path) -> Result<Self, RecordingError> {
        let file_bytes =
            file.metadata().map_err(|error| RecordingError::io(path, Place::File, &error))?.len();
        let mut fields = Fields { file, path, at: 0 };
        let version: [u8; 8] = fields.raw()?;
        let width = match &version {
            b"\xFFBIOSEMI" => 3,
            b"0       " => 2,
            _ => return Err(fields.error(0, "is neither EDF (\"0\") nor BDF (255, \"BIOSEMI\")")),
        };
        // Patient, recording, date, time: who and when is nobody's business here.
        fields.raw::<80>()?;
        fields.raw::<80>()?;
        fields.raw::<16>()?;
        let header_bytes = fields.integer::<8>("length of the header")?;
        let reserved = fields.text::<44>()?;
        let promised = fields.integer::<8>("number of data records")?;
        let duration_at = fields.at;
        let record_s = fields.number::<8>("duration of a data record")?;
        if record_s < 0.0 {
            return Err(fields.error(duration_at, format!("a data record lasts {record_s} s")));
        }
        let count_at = fields.at;
        let count = fields.integer::<4>("number of signals")?;
        let signals = usize::try_from(count).ok().filter(|count| (1..=MAX_CHANNELS).contains(count));
        let signals = signals.ok_or_else(|| {
            fields.error(count_at, format!("has {count} signals; 1 to {MAX_CHANNELS} can be read"))
        })?;
        if header_bytes != 256 * (count + 1) {
            let what = format!(
                "the header is said to be {header_bytes} bytes, but {count} signals need {}",
                256 * (count + 1)
            );
            return Err(fields.error(184, what));
        }
        let signals = read_signals(&mut fields, signals, width)?;
        let record_bytes: u64 = signals.iter().map(|signal| (signal.samples * width) as u64).sum();
        let data_bytes = file_bytes.saturating_sub(256 * (signals.len() as u64 + 1));
        if record_bytes == 0 || record_bytes > MAX_RECORD {
            let what = format!("a data record is {record_bytes} bytes; 1 to {MAX_RECORD} can be read");
            return Err(RecordingError::new(path, Place::File, what));
        }
        let whole = data_bytes / record_bytes;
        let mut notes = Vec::new();
        let records = match u64::try_from(promised) {
            Ok(promised) if promised <= whole => promised,
            Ok(promised) => {
                notes.push(format!(
                    "the header promises {promised} data records of {record_s} s, the file holds {whole} whole ones: \
                     the rest is missing"
                ));
                whole
            }
            Err(_) => {
                notes.push(format!("the number of data records was never written; the file holds {whole}"));
                whole
            }
        };
        if records < whole {
            notes.push(format!(
                "{} data records beyond the promised {records} were left out",
                whole - records
            ));
        } else if data_bytes % record_bytes != 0 {
            notes.push(format!(
                "{} bytes after the last whole data record were left out",
                data_bytes % record_bytes
            ));
        }
        let plus = reserved.starts_with("EDF+") || reserved.starts_with("BDF+");
        Ok(Self {
            width,
            plus,
            discontinuous: plus && reserved.get(4..5) == Some("D"),
            header_bytes: 256 * (signals.len() as u64 + 1),
            record_s,
            record_bytes: usize::try_from(record_bytes).unwrap_or(usize::MAX),
            records,
            signals,
            notes,
        })
    }

    /// Whether this is BioSemi's channel of triggers.
    pub(super) fn is_status(&self, signal: &Signal) -> bool {
        self.width == 3 && signal.label == "Status"
    }

    /// Where data record `index` begins in the file.
    pub(super) fn record_at(&self, index: u64) -> u64 {
        self.header_bytes + index * self.record_bytes as u64
    }
}

fn read_signals(fields: &mut Fields<'_>, count: usize, width: usize) -> Result<Vec<Signal>, RecordingError> {
    let labels = fields.each(count, |f, _| f.text::<16>())?;
    fields.each(count, |f, _| f.raw::<80>())?;
    let units = fields.each(count, |f, _| f.text::<8>())?;
    let physical_low = fields.each(count, |f, _| f.bound())?;
    let physical_high = fields.each(count, |f, _| f.bound())?;
    let digital_low = fields.each(count, |f, _| f.bound())?;
    let digital_high = fields.each(count, |f, _| f.bound())?;
    fields.each(count, |f, _| f.raw::<80>())?;
    let samples_at = fields.at;
    let samples = fields.each(count, |f, i| {
        f.integer::<8>(&format!("number of samples of {:?}", labels.get(i).map_or("", String::as_str)))
    })?;
    fields.each(count, |f, _| f.raw::<32>())?;
    let mut offset = 0;
    let mut signals = Vec::with_capacity(count);
    let bounds = physical_low.iter().zip(&physical_high).zip(digital_low.iter().zip(&digital_high));
    for (index, (((label, unit), samples), ((p_low, p_high), (d_low, d_high)))) in
        labels.iter().zip(&units).zip(&samples).zip(bounds).enumerate()
    {
        let samples = usize::try_from(*samples)
            .ok()
            .filter(|samples| *samples as u64 <= MAX_RECORD)
            .ok_or_else(|| {
                let at = samples_at + 8 * index as u64;
                fields.error(at, format!("signal {label:?} has {samples} samples in a data record; 0 to {MAX_RECORD} can be read"))
            })?;
        let scaled = d_high > d_low && p_high != p_low && p_high.is_finite() && p_low.is_finite();
        let gain = if scaled { (p_high - p_low) / (d_high - d_low) } else { 0.0 };
        let signal = Signal {
            label: label.clone(),
            unit: unit.clone(),
            samples,
            offset,
            gain,
            zero: if scaled { p_low - d_low * gain } else { 0.0 },
            broken: (!scaled).then(|| {
                format!("it has no scale: digital {d_low} to {d_high} is physical {p_low} to {p_high}")
            }),
        };
        offset += samples * width;
        signals.push(signal);
    }
    Ok(signals)
}

//! The header (`.vhdr`) and the markers (`.vmrk`) of a BrainVision recording: texts of sections and `key=value`.
//!
//! Source: "BrainVision Core Data Format 1.0", Brain Products, 2019. Names in these files are only ever taken as names
//! within the header's own folder.

use super::super::csv::times::days_since_1970;
use super::super::{MAX_CHANNELS, MAX_TEXT, Place, RecordingError};
use crate::acquisition::Channel;
use std::path::{Path, PathBuf};

/// Headers and marker files beyond this are taken for damage.
const MAX_BYTES: u64 = 256 << 20;

/// Type of the values in the data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Int16,
    Int32,
    Float32,
}

impl Binary {
    pub(super) fn bytes(self) -> usize {
        if self == Self::Int16 { 2 } else { 4 }
    }

    /// One value; 0 where `raw` is too short.
    pub(super) fn decode(self, raw: &[u8], big_endian: bool) -> f64 {
        let mut bytes = [0; 4];
        for (slot, byte) in bytes.iter_mut().zip(raw) {
            *slot = *byte;
        }
        if big_endian {
            bytes.get_mut(..self.bytes()).unwrap_or_default().reverse();
        }
        match self {
            Self::Int16 => f64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
            Self::Int32 => f64::from(i32::from_le_bytes(bytes)),
            Self::Float32 => f64::from(f32::from_le_bytes(bytes)),
        }
    }
}

/// What the header says.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub data: PathBuf,
    pub markers: Option<PathBuf>,
    pub binary: Binary,
    pub big_endian: bool,
    pub vectorized: bool,
    pub rate_hz: f64,
    /// Samples of each channel, where the header says.
    pub points: Option<u64>,
    /// Samples of each segment, where it is cut into equal ones.
    pub segment_points: Option<u64>,
    pub channels: Vec<Channel>,
    /// Unit of one step of a value.
    pub resolutions: Vec<f64>,
    pub notes: Vec<String>,
}

/// A marker: what, at which sample (from 0), for how many, and when by the clock (seconds since 1970).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Marker {
    pub kind: String,
    pub text: String,
    pub at: u64,
    pub length: u64,
    pub date_s: Option<f64>,
}

/// Lines of a text file with their section, as UTF-8 or, where it is none, Latin-1.
fn sections(path: &Path) -> Result<Vec<(u64, String, String)>, RecordingError> {
    let told = |error| RecordingError::io(path, Place::File, &error);
    if std::fs::metadata(path).map_err(told)?.len() > MAX_BYTES {
        return Err(RecordingError::new(path, Place::File, "is too large to be a BrainVision header"));
    }
    let raw = std::fs::read(path).map_err(told)?;
    let text = String::from_utf8(raw)
        .unwrap_or_else(|error| error.as_bytes().iter().map(|b| char::from(*b)).collect());
    let mut section = String::new();
    let mut found = Vec::new();
    for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim_end_matches(['\r', ' ', '\0']);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_lowercase();
        } else if !line.is_empty() && !line.starts_with(';') {
            found.push((at as u64 + 1, section.clone(), line.to_owned()));
        }
    }
    Ok(found)
}

/// `\1` stands for a comma.
fn parts(value: &str) -> Vec<String> {
    value.split(',').map(|part| part.replace("\\1", ",")).collect()
}

impl Header {
    pub(super) fn read(path: &Path) -> Result<Self, RecordingError> {
        let lines = sections(path)?;
        let wrong = |line: u64, what: String| RecordingError::new(path, Place::Line(line), what);
        let first = lines.first().map_or("", |(_, _, line)| line.as_str()).to_lowercase();
        if !["brain", "vision", "header"].iter().all(|word| first.contains(word)) {
            return Err(wrong(
                1,
                "is no BrainVision header: it does not begin with \"Brain Vision Data Exchange Header File\""
                    .to_owned(),
            ));
        }
        let value = |section: &str, key: &str| {
            lines.iter().find_map(|(at, of, line)| {
                let (name, value) = line.split_once('=')?;
                (of == section && name.trim().eq_ignore_ascii_case(key))
                    .then(|| (*at, value.trim().to_owned()))
            })
        };
        let common = |key: &str| value("common infos", key);
        let needed =
            |key: &str| common(key).ok_or_else(|| wrong(1, format!("has no {key} in [Common Infos]")));
        let mut notes = Vec::new();
        let named = |text: &str| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let name = text.replace("$b", &stem);
            // Some programs write a whole path, of another machine: the name is what counts.
            let name = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            path.with_file_name(name)
        };
        let (_, data) = needed("DataFile")?;
        let mut data = named(&data);
        if !data.is_file() {
            let renamed =
                ["eeg", "dat", "EEG"].iter().map(|end| path.with_extension(end)).find(|file| file.is_file());
            let Some(renamed) = renamed else {
                return Err(wrong(1, format!("its data file {} is not there", data.display())));
            };
            notes.push(format!(
                "its data file {} is not there; {} was read",
                data.display(),
                renamed.display()
            ));
            data = renamed;
        }
        let mut markers = common("MarkerFile").map(|(_, name)| named(&name));
        if let Some(missing) = markers.take_if(|file| !file.is_file()) {
            markers = Some(path.with_extension("vmrk")).filter(|file| file.is_file());
            let instead = markers
                .as_ref()
                .map_or("there are no markers".to_owned(), |file| format!("{} was read", file.display()));
            notes.push(format!("its marker file {} is not there; {instead}", missing.display()));
        }
        let (at, format) = common("DataFormat").unwrap_or((1, "BINARY".into()));
        if !format.eq_ignore_ascii_case("BINARY") {
            return Err(wrong(at, format!("DataFormat {format}: only BINARY can be read; export it so")));
        }
        if let Some((at, domain)) =
            common("DataType").filter(|(_, domain)| !domain.eq_ignore_ascii_case("TIMEDOMAIN"))
        {
            return Err(wrong(at, format!("DataType {domain}: only TIMEDOMAIN is a recording")));
        }
        let (at, orientation) = common("DataOrientation").unwrap_or((1, "MULTIPLEXED".into()));
        let vectorized = match orientation.to_uppercase().as_str() {
            "MULTIPLEXED" => false,
            "VECTORIZED" => true,
            _ => {
                return Err(wrong(
                    at,
                    format!("DataOrientation {orientation} is neither MULTIPLEXED nor VECTORIZED"),
                ));
            }
        };
        let (at, binary) = value("binary infos", "BinaryFormat").unwrap_or((1, "INT_16".into()));
        let binary = match binary.to_uppercase().as_str() {
            "INT_16" => Binary::Int16,
            "INT_32" => Binary::Int32,
            "IEEE_FLOAT_32" => Binary::Float32,
            _ => {
                return Err(wrong(
                    at,
                    format!("BinaryFormat {binary} is none of INT_16, INT_32, IEEE_FLOAT_32"),
                ));
            }
        };
        let big_endian = value("binary infos", "UseBigEndianOrder")
            .is_some_and(|(_, value)| value.eq_ignore_ascii_case("YES"));
        let (at, interval) = needed("SamplingInterval")?;
        let interval_us =
            interval.replace(',', ".").parse::<f64>().ok().filter(|us| us.is_finite() && *us >= 1.0);
        let rate_hz = 1e6
            / interval_us.ok_or_else(|| {
                wrong(at, format!("SamplingInterval {interval:?} is no number of microseconds"))
            })?;
        let (at, count) = needed("NumberOfChannels")?;
        let count = count.parse::<usize>().ok().filter(|count| (1..=MAX_CHANNELS).contains(count));
        let count =
            count.ok_or_else(|| wrong(at, format!("NumberOfChannels: 1 to {MAX_CHANNELS} can be read")))?;
        let whole = |key: &str| {
            common(key).and_then(|(_, value)| value.parse::<u64>().ok()).filter(|points| *points > 0)
        };
        let mut channels = Vec::with_capacity(count);
        let mut resolutions = Vec::with_capacity(count);
        for number in 1..=count {
            let (at, text) = value("channel infos", &format!("Ch{number}")).unwrap_or((1, String::new()));
            let mut parts = parts(&text).into_iter();
            let label = parts.next().unwrap_or_default();
            let resolution = parts.nth(1).unwrap_or_default().trim().to_owned();
            // By the format's definition: 1 where it is empty, and microvolts where no unit follows.
            let resolution =
                if resolution.is_empty() { Some(1.0) } else { resolution.replace(',', ".").parse().ok() };
            let resolution = resolution.filter(|step: &f64| step.is_finite() && *step != 0.0);
            resolutions.push(
                resolution.ok_or_else(|| {
                    wrong(at, format!("channel {label:?} has no resolution that is a number"))
                })?,
            );
            let unit = parts.next().map(|unit| unit.trim().to_owned()).filter(|unit| !unit.is_empty());
            channels.push(Channel {
                label: label.trim().to_owned(),
                unit: unit.unwrap_or_else(|| "µV".to_owned()),
                kind: String::new(),
            });
        }
        Ok(Self {
            data,
            markers,
            binary,
            big_endian,
            vectorized,
            rate_hz,
            points: whole("DataPoints"),
            segment_points: whole("SegmentDataPoints"),
            channels,
            resolutions,
            notes,
        })
    }
}

/// The markers of a file, by position; how many lines were no marker.
pub(super) fn markers(path: &Path) -> Result<(Vec<Marker>, u64), RecordingError> {
    let (mut found, mut broken) = (Vec::new(), 0);
    for (_, section, line) in sections(path)? {
        let Some((key, value)) = line.split_once('=').filter(|_| section == "marker infos") else { continue };
        if !key.trim().to_lowercase().starts_with("mk") {
            continue;
        }
        let parts = parts(value);
        let number = |at: usize| parts.get(at).and_then(|part| part.trim().parse::<u64>().ok());
        let Some(position) = number(2).filter(|position| *position > 0) else {
            broken += 1;
            continue;
        };
        let text =
            |at: usize| parts.get(at).map_or("", |part| part.get(..MAX_TEXT).unwrap_or(part)).to_owned();
        found.push(Marker {
            kind: text(0),
            text: text(1),
            at: position - 1,
            length: number(3).unwrap_or(1),
            date_s: parts.get(5).and_then(|part| date(part.trim())),
        });
    }
    found.sort_by_key(|marker| marker.at);
    Ok((found, broken))
}

/// Seconds since 1970 of `YYYYMMDDhhmmssµµµµµµ`; a date of zeros is none.
fn date(text: &str) -> Option<f64> {
    if text.len() < 14 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days_since_1970((number(0, 4)?, number(4, 6)?, number(6, 8)?))?;
    let seconds = number(8, 10)? * 3600 + number(10, 12)? * 60 + number(12, 14)?;
    let micros =
        text.get(14..).filter(|rest| !rest.is_empty()).map_or(Some(0), |rest| rest.parse::<u32>().ok())?;
    Some((days * 86_400 + seconds) as f64 + f64::from(micros) * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind() {
        assert_eq!(Binary::Int16.decode(&[0xFE, 0xFF], false), -2.0);
        assert_eq!(Binary::Int16.decode(&[0xFF, 0xFE], true), -2.0);
        assert_eq!(Binary::Int32.decode(&[0, 0, 1, 0], false), 65_536.0);
        assert_eq!(Binary::Float32.decode(&1.5f32.to_be_bytes(), true), 1.5);
    }

    #[test]
    fn dates_to_the_microsecond() {
        let (a, b) = (date("20131113161403794232"), date("20131113161404794233"));
        assert!(a.zip(b).is_some_and(|(a, b)| (b - a - 1.000_001).abs() < 1e-6));
        assert_eq!(date("00000000000000000000"), None);
        assert_eq!(date("soon"), None);
    }
}

//! Time-stamped annotation lists (EDF+, section 2.2.2) and BioSemi's status channel.

use super::super::{Annotation, MAX_ANNOTATIONS, MAX_TEXT, Place, RecordingError};
use super::header::{Header, Signal};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// What the annotation signals and the status channel of a file say.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub annotations: Vec<Annotation>,
    pub left_out: u64,
    /// Lists that could not be read, and the byte of the first.
    pub broken: Option<(u64, u64)>,
    /// The finest step in which the data records' onsets are written, in seconds.
    pub step_s: f64,
    /// Data records that do not begin where the one before ended, by half a record and more.
    pub jumps: u64,
}

impl Found {
    fn push(&mut self, annotation: Annotation) {
        if self.annotations.len() < MAX_ANNOTATIONS {
            self.annotations.push(annotation);
        } else {
            self.left_out += 1;
        }
    }
}

/// Reads all annotations, one data record at a time, and nothing else of the records.
pub(super) fn scan(file: &mut File, path: &Path, header: &Header) -> Result<Found, RecordingError> {
    let mut found = Found { step_s: 1.0, ..Found::default() };
    let mut bytes = Vec::new();
    let mut status = 0;
    let mut last_s = None;
    let lists: Vec<&Signal> = header.signals.iter().filter(|s| s.is_annotations()).collect();
    let trigger = header.signals.iter().find(|signal| header.is_status(signal));
    if lists.is_empty() && trigger.is_none() {
        return Ok(found);
    }
    for record in 0..header.records {
        let mut start_s = record as f64 * header.record_s;
        for (index, signal) in lists.iter().enumerate() {
            let at = read_signal(file, path, header, record, signal, &mut bytes)?;
            if !bytes.is_empty() && !parse(&bytes, |annotation| found.push(annotation)) {
                let (count, first) = found.broken.unwrap_or((0, at));
                found.broken = Some((count + 1, first));
            }
            if index == 0
                && let Some((onset_s, step_s)) = record_onset(&bytes)
            {
                start_s = onset_s;
                found.step_s = found.step_s.min(step_s);
                let expected_s = last_s.map_or(onset_s, |last_s: f64| last_s + header.record_s);
                found.jumps += u64::from((onset_s - expected_s).abs() > 0.5 * header.record_s);
                last_s = Some(onset_s);
            }
        }
        if let Some(signal) = trigger {
            read_signal(file, path, header, record, signal, &mut bytes)?;
            for (sample, raw) in bytes.as_chunks::<3>().0.iter().enumerate() {
                // The upper 8 of the 24 bits are the amplifier's own state.
                let code = u16::from_le_bytes([raw[0], raw[1]]);
                if code != status && code != 0 {
                    let onset_s = start_s + sample as f64 * header.record_s / signal.samples.max(1) as f64;
                    found.push(Annotation { onset_s, duration_s: 0.0, text: format!("Status={code}") });
                }
                status = code;
            }
        }
    }
    Ok(found)
}

/// Reads one signal of one data record; returns where it begins.
fn read_signal(
    file: &mut File,
    path: &Path,
    header: &Header,
    record: u64,
    signal: &Signal,
    bytes: &mut Vec<u8>,
) -> Result<u64, RecordingError> {
    let at = header.record_at(record) + signal.offset as u64;
    bytes.resize(signal.samples * header.width, 0);
    file.seek(SeekFrom::Start(at))
        .and_then(|_| file.read_exact(bytes))
        .map_err(|error| RecordingError::io(path, Place::Byte(at), &error))?;
    Ok(at)
}

/// When a data record begins, by the list that opens its first annotation signal, and the step of its last decimal.
pub(super) fn record_onset(bytes: &[u8]) -> Option<(f64, f64)> {
    let list = bytes.split(|byte| *byte == 0).next()?;
    let (onset, _) = split_at(list, 0x14)?;
    let onset = onset.split(|byte| *byte == 0x15).next()?;
    let decimals = onset.iter().rposition(|byte| *byte == b'.').map_or(0, |point| onset.len() - point - 1);
    Some((seconds(onset)?, 0.1_f64.powi(i32::try_from(decimals).unwrap_or(9))))
}

/// Calls `each` for every annotation; `false` where a list is malformed (the rest is read all the same).
fn parse(bytes: &[u8], mut each: impl FnMut(Annotation)) -> bool {
    let mut whole = true;
    for list in bytes.split(|byte| *byte == 0).filter(|list| !list.is_empty()) {
        let Some((time, texts)) = split_at(list, 0x14) else {
            whole = false;
            continue;
        };
        let (onset, duration) = match split_at(time, 0x15) {
            Some((onset, duration)) => (seconds(onset), seconds(duration)),
            None => (seconds(time), Some(0.0)),
        };
        let (Some(onset_s), Some(duration_s)) = (onset, duration) else {
            whole = false;
            continue;
        };
        // An empty text keeps a data record's time and annotates nothing.
        for text in texts.split(|byte| *byte == 0x14).filter(|text| !text.is_empty()) {
            let text = String::from_utf8_lossy(text.get(..MAX_TEXT).unwrap_or(text)).into_owned();
            each(Annotation { onset_s, duration_s, text });
        }
    }
    whole
}

fn split_at(bytes: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}

fn seconds(bytes: &[u8]) -> Option<f64> {
    std::str::from_utf8(bytes).ok()?.parse().ok().filter(|seconds: &f64| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> (Vec<Annotation>, bool) {
        let mut found = Vec::new();
        let whole = parse(bytes, |annotation| found.push(annotation));
        (found, whole)
    }

    #[test]
    fn a_list_with_and_without_duration() {
        let bytes = b"+180\x14\x14\0+180.5\x150.25\x14lights off\x14eyes closed\x14\0\0\0";
        let (found, whole) = all(bytes);
        assert!(whole);
        assert_eq!(record_onset(bytes), Some((180.0, 1.0)));
        assert!(record_onset(b"+2.25\x14\x14\0").is_some_and(|(_, step_s)| (step_s - 0.01).abs() < 1e-12));
        let wanted = |text: &str| Annotation { onset_s: 180.5, duration_s: 0.25, text: text.to_owned() };
        assert_eq!(found, [wanted("lights off"), wanted("eyes closed")]);
    }

    #[test]
    fn a_malformed_list_is_told_and_the_next_one_read() {
        let (found, whole) = all(b"+x\x14one\x14\0-2\x14two\x14\0");
        assert!(!whole);
        assert_eq!(found, [Annotation { onset_s: -2.0, duration_s: 0.0, text: "two".to_owned() }]);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_to_finite_times(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let (found, _) = all(&bytes);
            prop_assert!(found.iter().all(|a| a.onset_s.is_finite() && a.duration_s.is_finite()));
            let _ = record_onset(&bytes);
        }
    }
}

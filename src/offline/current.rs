//! What the samples of our own recordings saw of the current, by their stamps.

use std::path::Path;

use serde_json::Value;

use crate::acquisition::recording::RecordingError;
use crate::acquisition::recording::xdf::{Samples, Stream, Survey, file_header, survey};
use crate::estimator::Contamination;

/// Current that pauses for longer than this ends, in s.
pub(super) const PAUSE_S: f64 = 0.05;
/// Numbers that are read at once.
const AT_ONCE: usize = 1 << 12;
/// The blind gap where a recording does not say its own, in s: the configuration's default.
pub(super) const BLIND_GAP_S: f64 = 2.0;

/// From which stamp on samples had seen what, in order; before the first they are clean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline(Vec<(f64, Contamination)>);

impl Timeline {
    /// What a sample saw.
    #[must_use]
    pub fn at(&self, stamp_s: f64) -> Contamination {
        let after = self.0.partition_point(|(from_s, _)| *from_s <= stamp_s);
        after.checked_sub(1).and_then(|last| self.0.get(last)).map_or(Contamination::Clean, |(_, c)| *c)
    }

    /// Stimulating in each of `runs` (from, to), settling for `gap_s` after it.
    #[must_use]
    pub(super) fn of_runs(runs: &[(f64, f64)], gap_s: f64) -> Self {
        let mut timeline: Vec<(f64, Contamination)> = Vec::new();
        for (at, (first_s, last_s)) in runs.iter().enumerate() {
            timeline.push((*first_s, Contamination::Stimulating));
            let next_s = runs.get(at + 1).map_or(f64::INFINITY, |(next_s, _)| *next_s);
            for (from_s, contamination) in
                [(last_s.next_up(), Contamination::Settling), (last_s + gap_s, Contamination::Clean)]
            {
                if from_s < next_s {
                    timeline.push((from_s, contamination));
                }
            }
        }
        Self(timeline)
    }

    /// Of a recording; `None` where it is not one of ours, or no XDF at all.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>, RecordingError> {
        if !is_own(path)? {
            return Ok(None);
        }
        let found = survey(path)?;
        let frames = told(&found);
        if frames.is_empty() {
            return from_current(path, &found).map(Some);
        }
        from_frames(path, &found, &frames).map(Some)
    }
}

/// Whether `path` is a recording of ours: its header says what made it.
///
/// # Errors
/// The file cannot be read.
pub fn is_own(path: &Path) -> Result<bool, RecordingError> {
    let xdf = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xdf"));
    Ok(xdf && file_header(path)?.is_some_and(|header| header.child("tras").is_some()))
}

/// Changes as the loop told them: index of the first frame, and what it saw.
fn told(found: &Survey) -> Vec<(u64, Contamination)> {
    let texts = found.annotations.iter().filter_map(|(_, annotation)| {
        let event: Value = serde_json::from_str(&annotation.text).ok()?;
        if event.get("event")?.as_str()? != "flow" {
            return None;
        }
        let contamination = match event.get("contamination")?.as_str()? {
            "clean" => Contamination::Clean,
            "settling" => Contamination::Settling,
            _ => Contamination::Stimulating,
        };
        Some((event.get("frame")?.as_u64()?, contamination))
    });
    let mut changes: Vec<_> = texts.collect();
    changes.sort_by_key(|(frame, _)| *frame);
    changes
}

/// The stamps of those frames.
fn from_frames(
    path: &Path,
    found: &Survey,
    changes: &[(u64, Contamination)],
) -> Result<Timeline, RecordingError> {
    let Some(stream) = stream(found, "raw_stamps") else { return from_current(path, found) };
    let mut timeline = Vec::with_capacity(changes.len());
    let mut left = changes.iter().peekable();
    each(path, stream, 3, &mut |stamp_s, row| {
        let index = row.first().copied().unwrap_or(0.0);
        while let Some((_, contamination)) = left.next_if(|(frame, _)| *frame as f64 <= index) {
            timeline.push((stamp_s, *contamination));
        }
    })?;
    Ok(Timeline(timeline))
}

/// From the current itself: stimulating while it flows, settling for the blind gap after it.
fn from_current(path: &Path, found: &Survey) -> Result<Timeline, RecordingError> {
    let Some(stream) = stream(found, "current") else { return Ok(Timeline::default()) };
    let gap_s = file_header(path)?
        .and_then(|header| {
            let text = header.child("tras")?.text_of("configuration").to_owned();
            let table: toml::Table = text.parse().ok()?;
            table.get("stimulation")?.get("blind_gap_s")?.as_float()
        })
        .unwrap_or(BLIND_GAP_S);
    let mut runs: Vec<(f64, f64)> = Vec::new();
    each(path, stream, 1, &mut |stamp_s, _| match runs.last_mut() {
        Some((_, last_s)) if stamp_s - *last_s <= PAUSE_S => *last_s = stamp_s,
        _ => runs.push((stamp_s, stamp_s)),
    })?;
    Ok(Timeline::of_runs(&runs, gap_s))
}

fn stream<'a>(found: &'a Survey, name: &str) -> Option<&'a Stream> {
    found.streams.iter().find(|stream| stream.description.name == name)
}

/// Each sample of a stream of `width` numbers.
fn each(
    path: &Path,
    stream: &Stream,
    width: usize,
    take: &mut dyn FnMut(f64, &[f64]),
) -> Result<(), RecordingError> {
    if stream.description.channels.len() != width {
        return Ok(());
    }
    let mut samples = Samples::open(path, stream)?;
    let (mut values, mut stamps_s) = (vec![0.0; width * AT_ONCE], vec![0.0; AT_ONCE]);
    loop {
        let count = samples.read(&mut values, &mut stamps_s)?;
        if count == 0 {
            return Ok(());
        }
        for (row, stamp_s) in values.chunks_exact(width).zip(&stamps_s).take(count) {
            take(*stamp_s, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_seen_what_the_last_change_says() {
        use Contamination::{Clean, Settling, Stimulating};
        let timeline = Timeline(vec![(10.0, Stimulating), (50.0, Settling), (52.0, Clean)]);
        let seen = [9.9, 10.0, 49.9, 50.0, 51.9, 52.0].map(|stamp_s| timeline.at(stamp_s));
        assert_eq!(seen, [Clean, Stimulating, Stimulating, Settling, Settling, Clean]);
        assert_eq!(Timeline::default().at(1.0), Clean);
    }
}

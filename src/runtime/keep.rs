//! What is kept of a run: entries on their way to the recorder, and the recorder's answer to a full disk.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    acquisition::frame::FrameHeader,
    estimator::Contamination,
    recorder::{Output, Recorder, RecorderError, disk::Disk, health::Pulse},
    runtime::{
        audited::Audited,
        conduct::keeping::Keeping,
        events,
        observation::{Note, Stamped},
    },
    session::questionnaires::Filled,
    stimulator::Delivered,
};

/// One thing to record.
#[derive(Debug)]
pub enum Entry {
    /// Frames: headers, and their values sample by sample in uV.
    Frames(Vec<FrameHeader>, Vec<f32>),
    /// Current that followed on without a break: stamp of the first sample, and values in mA.
    Current(f64, Vec<f32>),
    /// An estimate or an event.
    Note(Box<Stamped>),
    /// A marker of another program.
    Marker(f64, String),
    /// A short marker of our own.
    OwnMarker(f64, String),
    /// What is there in place of a lost stream is not taken, and why.
    Refused(f64, String),
    /// For the audit log: kind and data.
    Log(&'static str, Value),
    /// A questionnaire.
    Filled(Box<Filled>),
}

/// A recorder that tells of its failures by its pulse and goes on trying.
pub struct Keeper {
    recorder: Recorder,
    pulse: Arc<Pulse>,
    disk: Disk,
    /// What the disk has done, and since when it has been at the same.
    at_disk: (u64, f64),
    audit: Option<Audited>,
    rate_hz: f64,
    /// Whether the EEG itself is kept, or only what was wrong with its frames.
    eeg: bool,
    stamps_s: Vec<f64>,
    failed: Option<String>,
    /// The audit log and the sealed streams, in a session by a protocol.
    keeping: Option<Keeping>,
}

impl Keeper {
    /// `rate_hz`: of the current; without `eeg` the samples themselves are left out.
    #[must_use]
    pub fn new(recorder: Recorder, rate_hz: f64, eeg: bool, now_s: f64) -> Self {
        let folder = recorder.path().parent().unwrap_or_else(|| recorder.path());
        let pulse = Arc::new(Pulse::new(folder, now_s));
        let stamps_s = Vec::new();
        let (disk, at_disk) = (Disk::in_line(), (0, now_s));
        Self {
            recorder,
            pulse,
            disk,
            at_disk,
            audit: None,
            rate_hz,
            eeg,
            stamps_s,
            failed: None,
            keeping: None,
        }
    }

    /// With a thread that waits for the disk, in place of this one.
    #[must_use]
    pub fn with_disk(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// With an audit log beside the recording.
    #[must_use]
    pub fn with_audit(self, audit: Option<Audited>) -> Self {
        Self { audit, ..self }
    }

    /// With the audit log of a session by a protocol, and what would tell a condition sealed.
    #[must_use]
    pub fn with(self, keeping: Keeping) -> Self {
        Self { keeping: Some(keeping), ..self }
    }

    /// How the recording is, for those who look.
    #[must_use]
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Records an entry.
    pub fn keep(&mut self, entry: &Entry, now_s: f64) {
        if let (Entry::Note(stamped), Some(audit)) = (entry, &mut self.audit)
            && let Err(error) = audit.note(stamped)
        {
            self.tell(&error.to_string(), now_s);
        }
        self.pulse.beat(now_s);
        let result = match entry {
            Entry::Frames(headers, values_uv) => self.frames(headers, values_uv),
            Entry::Current(stamp_s, values_ma) => self.current(*stamp_s, values_ma),
            Entry::OwnMarker(stamp_s, text) => self.recorder.own_marker(*stamp_s, text),
            Entry::Refused(at_s, why) => {
                let logged = self.audit.as_mut().map(|audit| audit.refused(*at_s, why));
                if let Some(Err(error)) = logged {
                    self.tell(&error.to_string(), now_s);
                }
                let data = json!({"state": "LOST", "refused": why});
                self.keeping.iter_mut().for_each(|keeping| keeping.log("stream", data.clone(), now_s));
                self.recorder.event(*at_s, &events::refused_json(why))
            }
            Entry::Log(kind, data) => {
                self.keeping.iter_mut().for_each(|keeping| keeping.log(kind, data.clone(), now_s));
                Ok(())
            }
            Entry::Filled(filled) => {
                self.keeping.iter_mut().for_each(|keeping| keeping.filled(filled, now_s));
                Ok(())
            }
            Entry::Note(stamped) => self.note(stamped),
            Entry::Marker(stamp_s, text) => self.recorder.marker(*stamp_s, text),
        };
        self.heed(result, now_s);
    }

    /// To be called at least every second: what came after it is lost if the process is killed.
    pub fn maintain(&mut self, now_s: f64) {
        let disk = &self.disk;
        let kept = self.keeping.as_mut().map_or(Ok(()), |keeping| keeping.maintain(now_s, disk));
        let result = self.recorder.maintain(now_s).and_then(|()| self.recorder.stands()).and(kept);
        let due = result.and_then(|()| self.recorder.due_on_disk(now_s));
        let result = due.map(|job| {
            if let Some(job) = job {
                self.disk.ask(job);
            }
        });
        if let Some(what) = self.keeping.as_mut().and_then(Keeping::failed) {
            self.pulse.failing(now_s, &what);
            self.failed.get_or_insert(what);
        }
        if result.is_ok() {
            self.pulse.well();
        }
        self.heed(result, now_s);
        if let Some(Err(error)) = self.audit.as_mut().map(|audit| audit.tend(now_s, &self.disk)) {
            self.tell(&error.to_string(), now_s);
        }
        self.look_at_disk(now_s);
        self.pulse.measure_room();
        self.pulse.beat(now_s);
    }

    /// What the disk could not keep, and since when it has not answered.
    fn look_at_disk(&mut self, now_s: f64) {
        let (done, waits) = self.disk.progress();
        if done != self.at_disk.0 || !waits {
            self.at_disk = (done, now_s);
        }
        self.pulse.disk_answered(self.at_disk.1);
        if let Some(what) = self.disk.failed() {
            self.tell(&what, now_s);
        }
    }

    /// Ends the file and checks it; closes the audit log, whose head is printed. Gives what went wrong at any time.
    pub fn close(mut self, now_s: f64) -> Option<String> {
        if let Some(keeping) = &mut self.keeping {
            let result = keeping.finish(now_s, &self.disk);
            self.heed(result, now_s);
        }
        // The last signature must not be overtaken by an earlier one.
        self.disk.wait();
        self.look_at_disk(now_s);
        let dropped = self.recorder.dropped();
        let closing = self.recorder.close(now_s).err().map(|e| e.to_string());
        let dropped = (dropped > 0).then(|| format!("recording: {dropped} writes were refused and are lost"));
        let whole = self.failed.is_none() && closing.is_none() && dropped.is_none();
        let log = self.keeping.map(|keeping| keeping.close(json!({"recording_whole": whole}), now_s));
        let log = log.and_then(Result::err);
        let audit = self.audit.and_then(|audit| audit.end(now_s).err()).map(|error| error.to_string());
        self.failed.or(closing).or(dropped).or(log).or(audit)
    }

    fn frames(&mut self, headers: &[FrameHeader], values_uv: &[f32]) -> Result<(), RecorderError> {
        self.stamps_s.clear();
        self.stamps_s.extend(headers.iter().map(|header| header.stamp_s));
        let values_uv = self.eeg.then_some(values_uv);
        match self.keeping.as_mut().and_then(Keeping::sealed) {
            Some(sealed) => write_frames(sealed.recorder(), headers, &self.stamps_s, values_uv),
            None => write_frames(&mut self.recorder, headers, &self.stamps_s, values_uv),
        }
    }

    fn current(&mut self, stamp_s: f64, values_ma: &[f32]) -> Result<(), RecorderError> {
        match &mut self.keeping {
            Some(keeping) if keeping.blind() => match keeping.sealed() {
                Some(sealed) => sealed.recorder().current(stamp_s, self.rate_hz, values_ma),
                // The zeros that the device reports between blocks.
                None => Ok(()),
            },
            _ => self.recorder.current(stamp_s, self.rate_hz, values_ma),
        }
    }

    fn note(&mut self, stamped: &Stamped) -> Result<(), RecorderError> {
        let mut result = Ok(());
        if let Some(keeping) = &mut self.keeping {
            result = keeping.follow(stamped, &self.disk);
        }
        let written = match &mut self.keeping {
            Some(keeping) if keeping.blind() => match (keeping.sealed(), &stamped.note) {
                (sealed, Note::Estimate(e)) if e.contamination != Contamination::Clean => {
                    sealed.map_or(Ok(()), |sealed| sealed.recorder().estimate(stamped.at_s, e))
                }
                (_, Note::Estimate(estimate)) => self.recorder.estimate(stamped.at_s, estimate),
                (sealed, _) => {
                    let open = events::blind_json(stamped, sealed.is_some());
                    let whole = events::json(stamped).filter(|_| sealed.is_some());
                    let first = match (sealed, whole) {
                        (Some(sealed), Some(json)) => sealed.recorder().event(stamped.at_s, &json),
                        _ => Ok(()),
                    };
                    let second = open.map_or(Ok(()), |json| self.recorder.event(stamped.at_s, &json));
                    first.and(second)
                }
            },
            _ => match &stamped.note {
                Note::Estimate(estimate) => self.recorder.estimate(stamped.at_s, estimate),
                _ => events::json(stamped).map_or(Ok(()), |json| self.recorder.event(stamped.at_s, &json)),
            },
        };
        result.and(written)
    }

    fn heed(&mut self, result: Result<(), RecorderError>, now_s: f64) {
        if let Err(error) = result {
            self.tell(&error.to_string(), now_s);
        }
    }

    fn tell(&mut self, what: &str, now_s: f64) {
        self.pulse.failing(now_s, what);
        self.failed.get_or_insert_with(|| what.to_owned());
    }
}

/// Without values only what was wrong with the frames.
fn write_frames<W: Output>(
    recorder: &mut Recorder<W>,
    headers: &[FrameHeader],
    stamps_s: &[f64],
    values_uv: Option<&[f32]>,
) -> Result<(), RecorderError> {
    for header in headers {
        recorder.frame(header)?;
    }
    let Some(values_uv) = values_uv else { return Ok(()) };
    recorder.eeg(stamps_s, values_uv)?;
    recorder.raw_stamps(headers)
}

/// Joins delivered samples into runs without a break.
pub struct CurrentRuns {
    next_index: u64,
    stamp_s: f64,
    values_ma: Vec<f32>,
}

impl CurrentRuns {
    /// Nothing gathered.
    #[must_use]
    pub fn new() -> Self {
        Self { next_index: 0, stamp_s: 0.0, values_ma: Vec::new() }
    }

    /// Takes a sample; gives the finished run where this one does not follow on.
    pub fn push(&mut self, sample: &Delivered) -> Option<Entry> {
        let follows = !self.values_ma.is_empty() && sample.index == self.next_index;
        let finished = if follows { None } else { self.take() };
        if self.values_ma.is_empty() {
            self.stamp_s = sample.stamp_s;
        }
        self.next_index = sample.index + 1;
        self.values_ma.push(sample.current_ma);
        finished
    }

    /// Takes what is gathered.
    pub fn take(&mut self) -> Option<Entry> {
        if self.values_ma.is_empty() {
            return None;
        }
        Some(Entry::Current(self.stamp_s, std::mem::take(&mut self.values_ma)))
    }
}

impl Default for CurrentRuns {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_break_in_the_count_ends_a_run() {
        let mut runs = CurrentRuns::new();
        let sample = |index, stamp_s| Delivered { index, stamp_s, current_ma: index as f32 };
        assert!(runs.push(&sample(5, 1.0)).is_none());
        assert!(runs.push(&sample(6, 1.1)).is_none());
        let first = runs.push(&sample(9, 2.0));
        assert!(matches!(first, Some(Entry::Current(1.0, values)) if values == [5.0, 6.0]));
        assert!(matches!(runs.take(), Some(Entry::Current(2.0, values)) if values == [9.0]));
        assert!(runs.take().is_none());
    }
}

//! What a session keeps: one XDF file with its EEG, estimates, current, events, markers and clock offsets; and tables of
//! events and estimates beside it.
//!
//! In: what flows, as the runtime hands it over. Out: a file that any XDF reader opens, also when the process
//! was killed: everything up to the last [`Recorder::maintain`] is there, so call it at least every second.
//! Nothing here reads a clock; the same calls give the same bytes. What would tell a condition goes into a
//! [`SealedRecording`] instead, which is the same recorder on a sealed stream.

pub mod bids;
mod check;
mod committed;
pub mod disk;
pub mod health;
mod sealed;
mod session;
mod streams;
mod tables;
pub mod xdf;

pub use check::{CheckError, StreamSummary, check};
pub use committed::CommittedFile;
pub use sealed::SealedRecording;
pub use session::{RecorderError, SessionStreams};
pub use streams::{estimate_columns, estimate_row};

use crate::acquisition::frame::{Facts, FrameHeader};
use crate::acquisition::recording::xdf::xml::Node;
use crate::estimator::Estimate;
use crate::session::moment::xdf_datetime;
use disk::Job;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tables::Tables;
use xdf::{StreamId, Values, XdfWriteError, XdfWriter};

/// Where a recording's bytes go.
pub trait Output: io::Write {
    /// Another handle on the file, by which it is brought to the disk in a thread of its own ([`disk`]).
    ///
    /// # Errors
    /// The system has no more.
    fn handle(&self) -> io::Result<File>;
}

/// Seconds between clock offsets of a stream (LabRecorder's interval).
const CLOCK_EVERY_S: f64 = 5.0;
/// Seconds between boundaries (the specification's advice).
const BOUNDARY_EVERY_S: f64 = 10.0;
/// Seconds between requests to bring the file to the disk: what a loss of power may cost.
const SYNC_EVERY_S: f64 = 5.0;

/// The streams' numbers in the file.
#[derive(Clone, Copy, Debug)]
struct Ids {
    eeg: StreamId,
    raw_stamps: StreamId,
    facts: StreamId,
    estimates: StreamId,
    current: Option<StreamId>,
    events: StreamId,
    markers: StreamId,
    own_markers: StreamId,
}

/// Brings a file to the disk.
fn to_disk(file: File, path: &Path) -> Job {
    let path = path.to_owned();
    Box::new(move || file.sync_data().map_err(|error| format!("{}: {error}", path.display())))
}

/// A session's file.
#[derive(Debug)]
pub struct Recorder<W: Output = CommittedFile> {
    writer: XdfWriter<W>,
    path: PathBuf,
    ids: Ids,
    tables: Option<Tables>,
    channels: usize,
    current_rate_hz: f64,
    eeg_offset_s: f64,
    next_clock_s: f64,
    next_boundary_s: f64,
    next_sync_s: f64,
    dropped: u64,
    facts_row: Vec<i64>,
    stamps_s: Vec<f64>,
    stamps_rows: Vec<f64>,
}

impl Recorder {
    /// Creates `stem.xdf` in `folder` (with a counter where that exists) with its tables beside it, and writes headers
    /// and the first clock offsets, so that a file of any length has them.
    ///
    /// # Errors
    /// Where the folder or a file cannot be written.
    pub fn create(
        folder: &Path,
        stem: &str,
        session: &SessionStreams,
        now_s: f64,
    ) -> Result<Self, RecorderError> {
        let create = |error| RecorderError::Create { folder: folder.display().to_string(), error };
        let (file, path) = CommittedFile::create(folder, stem).map_err(create)?;
        // `session-2.xdf` has `events-2.csv`; a recording of another name has its name in theirs.
        let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let suffix = name.strip_prefix("session").map_or_else(|| format!("-{name}"), str::to_owned);
        let tables = Tables::create(folder, &suffix, session).map_err(create)?;
        Self::on(file, path, session, Some(tables), now_s)
    }

    /// Whether the file still stands where it was made.
    ///
    /// # Errors
    /// It does not.
    pub fn stands(&mut self) -> Result<(), RecorderError> {
        let gone = |error| RecorderError::Gone { path: self.path.display().to_string(), error };
        self.writer.output_mut().stands_at(&self.path).map_err(gone)
    }

    /// Writes the last clock offsets and the footers, brings everything to the disk, reads the file back and
    /// checks it. Returns what it holds.
    ///
    /// # Errors
    /// Where the disk refuses, or the file fails [`check`].
    pub fn close(self, now_s: f64) -> Result<Vec<StreamSummary>, RecorderError> {
        let path = self.path.clone();
        let synced = self.end(now_s)?.handle().and_then(|file| file.sync_data());
        synced.map_err(|error| RecorderError::Write {
            path: path.display().to_string(),
            error: error.into(),
        })?;
        Ok(check(&path)?)
    }
}

impl<W: Output> Recorder<W> {
    /// On an output that is empty.
    fn on(
        file: W,
        path: PathBuf,
        session: &SessionStreams,
        tables: Option<Tables>,
        now_s: f64,
    ) -> Result<Self, RecorderError> {
        let at = |error| RecorderError::Write { path: path.display().to_string(), error };
        let created = session.began.map(|began| xdf_datetime(began.unix_s));
        let about = session.about.iter().map(|(name, text)| Node::leaf(name, text));
        let about = Node::branch("tras", about.collect());
        let mut writer = XdfWriter::with_header(file, created.as_deref(), vec![about]).map_err(at)?;
        let ids = Ids {
            eeg: writer.add_stream(&streams::eeg(&session.eeg)).map_err(at)?,
            raw_stamps: writer.add_stream(&streams::raw_stamps()).map_err(at)?,
            facts: writer.add_stream(&streams::frame_facts(&session.eeg)).map_err(at)?,
            estimates: writer
                .add_stream(&streams::estimates(&session.targets, &session.method))
                .map_err(at)?,
            current: session
                .current_rate_hz
                .map(|rate_hz| writer.add_stream(&streams::current(rate_hz)))
                .transpose()
                .map_err(at)?,
            events: writer.add_stream(&streams::texts("events", "Events", "one JSON object")).map_err(at)?,
            markers: writer.add_stream(&streams::texts("markers", "Markers", "as received")).map_err(at)?,
            own_markers: writer
                .add_stream(&streams::texts(
                    "session_markers",
                    "Markers",
                    "of the session itself: block/3/start",
                ))
                .map_err(at)?,
        };
        let mut recorder = Self {
            writer,
            path,
            ids,
            tables,
            channels: session.eeg.channels.len(),
            current_rate_hz: session.current_rate_hz.unwrap_or(0.0),
            eeg_offset_s: session.eeg_clock_offset_s,
            next_clock_s: now_s,
            next_boundary_s: now_s + BOUNDARY_EVERY_S,
            next_sync_s: now_s + SYNC_EVERY_S,
            dropped: 0,
            facts_row: Vec::new(),
            stamps_s: Vec::new(),
            stamps_rows: Vec::new(),
        };
        recorder.maintain(now_s)?;
        Ok(recorder)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Calls whose data were refused and are lost.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The newest measurement of [`SessionStreams::eeg_clock_offset_s`].
    pub fn set_eeg_clock_offset(&mut self, offset_s: f64) {
        self.eeg_offset_s = offset_s;
    }

    /// EEG in microvolts, sample-major, one stamp a sample.
    ///
    /// # Errors
    /// Where it was refused; it is then counted as dropped. So for all that follow.
    pub fn eeg(&mut self, stamps_s: &[f64], values_uv: &[f32]) -> Result<(), RecorderError> {
        let result = self.writer.samples(self.ids.eeg, stamps_s, Values::Float32(values_uv));
        self.noted(result)
    }

    /// What the samples of [`Self::eeg`] had for stamps before they were smoothed, and which they were.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn raw_stamps(&mut self, frames: &[FrameHeader]) -> Result<(), RecorderError> {
        self.stamps_s.clear();
        self.stamps_s.extend(frames.iter().map(|frame| frame.stamp_s));
        self.stamps_rows.clear();
        let rows = frames.iter().flat_map(|frame| [frame.index as f64, frame.raw_stamp_s, frame.arrived_s]);
        self.stamps_rows.extend(rows);
        let values = Values::Double64(&self.stamps_rows);
        let result = self.writer.samples(self.ids.raw_stamps, &self.stamps_s, values);
        self.noted(result)
    }

    /// What is wrong with a frame; a frame with which nothing is wrong is not written.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn frame(&mut self, frame: &FrameHeader) -> Result<(), RecorderError> {
        if frame.facts == Facts::NONE && frame.spoilt.is_empty() && frame.lost_before == 0 {
            return Ok(());
        }
        self.facts_row.clear();
        self.facts_row.extend([
            frame.index.cast_signed(),
            i64::from(frame.lost_before),
            i64::from(frame.facts.bits()),
        ]);
        for first in (0..self.channels).step_by(32) {
            let bits =
                (0..32).filter(|bit| first + bit < self.channels && frame.spoilt.contains(first + bit));
            self.facts_row.push(bits.fold(0, |word, bit| word | 1_i64 << bit));
        }
        let result = self.writer.samples(self.ids.facts, &[frame.stamp_s], Values::Int64(&self.facts_row));
        self.noted(result)
    }

    /// An estimate, at the time when it was made.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn estimate(&mut self, stamp_s: f64, estimate: &Estimate) -> Result<(), RecorderError> {
        let row = streams::estimate_row(estimate);
        self.tables.iter_mut().for_each(|tables| tables.estimate(stamp_s, estimate));
        let result = self.writer.samples(self.ids.estimates, &[stamp_s], Values::Double64(&row));
        self.noted(result)
    }

    /// Current in mA as given to the stimulator, from `first_stamp_s` on. A rate other than the session's is
    /// recorded with a stamp for each sample.
    ///
    /// # Errors
    /// As [`Self::eeg`]; also in a session that was opened without current.
    pub fn current(
        &mut self,
        first_stamp_s: f64,
        rate_hz: f64,
        values_ma: &[f32],
    ) -> Result<(), RecorderError> {
        let values = Values::Float32(values_ma);
        let result = match self.ids.current {
            None if values_ma.is_empty() => Ok(()),
            None => Err(XdfWriteError::Misuse {
                stream: "current".to_owned(),
                what: "the session was opened without current".to_owned(),
            }),
            Some(id) if rate_hz == self.current_rate_hz => {
                self.writer.regular_samples(id, first_stamp_s, values)
            }
            Some(id) => {
                let stamps_s: Vec<f64> =
                    (0..values_ma.len()).map(|i| first_stamp_s + i as f64 / rate_hz).collect();
                self.writer.samples(id, &stamps_s, values)
            }
        };
        self.noted(result)
    }

    /// An event of ours: one JSON object.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn event(&mut self, stamp_s: f64, json: &str) -> Result<(), RecorderError> {
        self.tables.iter_mut().for_each(|tables| tables.event(stamp_s, json));
        let result = self.writer.samples(self.ids.events, &[stamp_s], Values::Text(&[json]));
        self.noted(result)
    }

    /// A marker, as it came.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn marker(&mut self, stamp_s: f64, text: &str) -> Result<(), RecorderError> {
        self.tables.iter_mut().for_each(|tables| tables.marker(stamp_s, "task", text));
        let result = self.writer.samples(self.ids.markers, &[stamp_s], Values::Text(&[text]));
        self.noted(result)
    }

    /// A short marker of ours, such as `block/3/start`.
    ///
    /// # Errors
    /// As [`Self::eeg`].
    pub fn own_marker(&mut self, stamp_s: f64, text: &str) -> Result<(), RecorderError> {
        self.tables.iter_mut().for_each(|tables| tables.marker(stamp_s, "session", text));
        let result = self.writer.samples(self.ids.own_markers, &[stamp_s], Values::Text(&[text]));
        self.noted(result)
    }

    /// Brings everything into the file, every 5 s with clock offsets, every 10 s with a boundary. Call it at least
    /// every second: what came after it is lost if the process is killed.
    ///
    /// # Errors
    /// Where the disk refuses. The session may go on: everything waits (up to 64 MiB) for the next call.
    pub fn maintain(&mut self, now_s: f64) -> Result<(), RecorderError> {
        if now_s >= self.next_clock_s {
            self.next_clock_s = now_s + CLOCK_EVERY_S;
            self.clock_offsets(now_s)?;
        }
        if now_s >= self.next_boundary_s {
            self.next_boundary_s = now_s + BOUNDARY_EVERY_S;
            let result = self.writer.boundary();
            self.noted(result)?;
        }
        self.writer.flush().map_err(|error| self.at(error))?;
        if let Some(tables) = &mut self.tables {
            let path = self.path.display().to_string();
            tables.flush().map_err(|error| RecorderError::Table { path, error })?;
        }
        Ok(())
    }

    /// What brings the file to the disk, when it is time: every 5 s.
    ///
    /// # Errors
    /// The system has no handle for it.
    pub fn due_on_disk(&mut self, now_s: f64) -> Result<Option<Job>, RecorderError> {
        if now_s < self.next_sync_s {
            return Ok(None);
        }
        self.next_sync_s = now_s + SYNC_EVERY_S;
        let handle = self.writer.output_mut().handle().map_err(|error| self.at(error.into()))?;
        Ok(Some(to_disk(handle, &self.path)))
    }

    /// Writes the last clock offsets and the footers, and gives the output back.
    fn end(mut self, now_s: f64) -> Result<W, RecorderError> {
        // First what waits, so that there is room for the rest.
        self.writer.flush().map_err(|error| self.at(error))?;
        if let Some(tables) = &mut self.tables {
            let path = self.path.display().to_string();
            tables.flush().map_err(|error| RecorderError::Table { path, error })?;
        }
        self.clock_offsets(now_s)?;
        let Self { writer, path, .. } = self;
        let at = |error| RecorderError::Write { path: path.display().to_string(), error };
        writer.close().map_err(at)
    }

    fn clock_offsets(&mut self, now_s: f64) -> Result<(), RecorderError> {
        let Ids { eeg, raw_stamps, facts, estimates, current, events, markers, own_markers } = self.ids;
        // These carry the EEG's stamps.
        for (id, offset_s) in [eeg, raw_stamps, facts].map(|id| (id, self.eeg_offset_s)) {
            let result = self.writer.clock_offset(id, now_s, offset_s);
            self.noted(result)?;
        }
        let ours = [Some(estimates), current, Some(events), Some(markers), Some(own_markers)];
        for id in ours.into_iter().flatten() {
            let result = self.writer.clock_offset(id, now_s, 0.0);
            self.noted(result)?;
        }
        Ok(())
    }

    fn noted(&mut self, result: Result<(), XdfWriteError>) -> Result<(), RecorderError> {
        result.map_err(|error| {
            self.dropped += 1;
            self.at(error)
        })
    }

    fn at(&self, error: XdfWriteError) -> RecorderError {
        RecorderError::Write { path: self.path.display().to_string(), error }
    }
}

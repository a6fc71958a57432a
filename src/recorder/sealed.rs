//! A recording that is sealed: the recorder's own XDF into a sealed stream, a chunk a second by the clock alone.
//!
//! A block has one from its beginning, with whatever would tell its condition; opened later, it is a recording like any
//! other (`unblinded/block-NN.xdf`).

use std::fs::File;
use std::io;
use std::path::Path;

use age::x25519::Recipient;

use super::{Output, Recorder, RecorderError, SessionStreams, disk::Job, to_disk};
use crate::session::folder;
use crate::session::private;
use crate::session::sealed::{Sealed, SealedFile, capacity};

/// From one chunk to the next.
pub(super) const CHUNK_EVERY_S: f64 = 1.0;
/// Chunks at the end, whatever is left: footers are small.
const LAST_CHUNKS: usize = 2;
/// Sealed streams of one block in a folder: one, and one more for each time that it was broken.
const MAX_COUNTER: u32 = 1_000;

impl Output for SealedFile {
    fn handle(&self) -> io::Result<File> {
        Self::handle(self)
    }
}

/// See the module.
#[derive(Debug)]
pub struct SealedRecording {
    recorder: Recorder<SealedFile>,
    next_s: f64,
}

impl SealedRecording {
    /// Begins the sealed recording of a block (0: of what is sealed outside of blocks) in a session's folder. `session`
    /// names the session in the audit log.
    ///
    /// # Errors
    /// It cannot be written, or nobody could open it.
    pub fn begin(
        session_folder: &Path,
        session: &str,
        block: u32,
        streams: &SessionStreams,
        recipients: &[Recipient],
        now_s: f64,
    ) -> Result<Self, RecorderError> {
        let room =
            capacity(streams.eeg.channels.len(), streams.eeg.rate_hz, streams.current_rate_hz.unwrap_or(0.0));
        let sealed = session_folder.join(folder::SEALED);
        let create = |error| RecorderError::Create { folder: sealed.display().to_string(), error };
        private::create_folder(&sealed).map_err(create)?;
        let first = session_folder.join(folder::sealed(block));
        let again = (2..MAX_COUNTER).map(|n| sealed.join(format!("block-{block:02}-{n}.sealed")));
        let path = std::iter::once(first.clone()).chain(again).find(|path| !path.exists()).unwrap_or(first);
        let file = SealedFile::create(&path, session, block, room, recipients)?;
        let recorder = Recorder::on(file, path, streams, None, now_s)?;
        Ok(Self { recorder, next_s: now_s + CHUNK_EVERY_S })
    }

    /// Where to put what is sealed.
    pub fn recorder(&mut self) -> &mut Recorder<SealedFile> {
        &mut self.recorder
    }

    /// Seals the chunks that are due: one a second since the beginning, whatever was recorded. Each goes into the audit
    /// log ([`Sealed::entry`]).
    ///
    /// # Errors
    /// The disk refuses; what waits is tried again.
    pub fn tick(&mut self, now_s: f64) -> Result<Vec<Sealed>, RecorderError> {
        let mut chunks = Vec::new();
        while now_s >= self.next_s {
            self.recorder.maintain(now_s)?;
            chunks.push(self.recorder.writer.output_mut().seal()?);
            self.next_s += CHUNK_EVERY_S;
        }
        Ok(chunks)
    }

    /// Ends the recording with its footers, in a fixed number of chunks. Gives them, and what brings all of it to the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn end(mut self, now_s: f64) -> Result<(Vec<Sealed>, Job), RecorderError> {
        let mut chunks = self.tick(now_s)?;
        let path = self.recorder.path().to_owned();
        let mut file = self.recorder.end(now_s)?;
        for _ in 0..LAST_CHUNKS {
            chunks.push(file.seal()?);
        }
        // Only where the disk had refused for long: better seen than lost.
        while file.waiting() > 0 {
            chunks.push(file.seal()?);
        }
        let at =
            |error: io::Error| RecorderError::Write { path: path.display().to_string(), error: error.into() };
        let handle = file.handle().map_err(at)?;
        Ok((chunks, to_disk(handle, &path)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::acquisition::recording::xdf::survey;
    use crate::acquisition::{Channel, StreamDescription};
    use crate::session::sealed::SealedReader;
    use age::x25519::Identity;

    const SESSION: &str = "0123456789abcdef0123456789abcdef";

    fn streams() -> SessionStreams {
        let channel = Channel { label: "Cz".into(), unit: "microvolts".into(), kind: "EEG".into() };
        SessionStreams {
            eeg: StreamDescription {
                name: "amp".into(),
                kind: "EEG".into(),
                source_id: String::new(),
                hostname: String::new(),
                channels: vec![channel; 4],
                rate_hz: 250.0,
            },
            targets: vec!["all".into()],
            method: "specparam".into(),
            current_rate_hz: Some(2_000.0),
            eeg_clock_offset_s: 0.0,
            began: None,
            about: Vec::new(),
        }
    }

    /// A block of 20 s, with or without current and events. Gives its file and the chunks.
    fn block(folder: &Path, to: &Identity, number: u32, verum: bool) -> (std::path::PathBuf, usize) {
        let mut sealed =
            SealedRecording::begin(folder, SESSION, number, &streams(), &[to.to_public()], 100.0).unwrap();
        let mut chunks = Vec::new();
        for turn in 0..80_u32 {
            let now_s = 100.0 + f64::from(turn) * 0.25;
            let stamps_s: Vec<f64> = (0..62).map(|n| now_s + f64::from(n) / 250.0).collect();
            sealed.recorder().eeg(&stamps_s, &[1.0; 4 * 62]).unwrap();
            if verum {
                sealed.recorder().current(now_s, 2_000.0, &[0.3; 500]).unwrap();
                sealed.recorder().event(now_s, "{\"event\":\"current\",\"exponent\":1.8}").unwrap();
            }
            chunks.extend(sealed.tick(now_s).unwrap());
        }
        chunks.extend(sealed.end(120.0).unwrap().0);
        (folder.join(folder::sealed(number)), chunks.len())
    }

    #[test]
    fn verum_and_sham_have_the_same_size_and_number_of_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let to = Identity::generate();
        let (verum, verum_chunks) = block(dir.path(), &to, 1, true);
        let (sham, sham_chunks) = block(dir.path(), &to, 2, false);
        assert_eq!((verum_chunks, sham_chunks), (22, 22));
        assert_eq!(verum.metadata().unwrap().len(), sham.metadata().unwrap().len());
    }

    #[test]
    fn opened_it_is_a_recording_like_any_other() {
        let dir = tempfile::tempdir().unwrap();
        let to = Identity::generate();
        let (path, _) = block(dir.path(), &to, 1, true);
        let bytes = SealedReader::open(&path).unwrap().read_all(&to).unwrap();
        let opened = dir.path().join("opened.xdf");
        std::fs::write(&opened, bytes).unwrap();
        crate::recorder::check(&opened).unwrap();
        let found = survey(&opened).unwrap();
        let of = |name: &str| found.streams.iter().find(|s| s.description.name == name).unwrap().samples;
        assert_eq!((of("current"), of("events")), (40_000, 80));
    }

    #[test]
    fn a_block_that_is_done_again_has_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let to = [Identity::generate().to_public()];
        for _ in 0..3 {
            SealedRecording::begin(dir.path(), SESSION, 3, &streams(), &to, 0.0).unwrap();
        }
        let names = crate::session::verify::streams_of(dir.path());
        assert_eq!(names, ["block-03-2.sealed", "block-03-3.sealed", "block-03.sealed"]);
    }
}

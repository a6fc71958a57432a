//! What of a session is open, what is sealed, and what goes into the audit log. Lives with the recorder, in its thread.
//!
//! From a block's begin until no window holds any of its current: EEG, current, decisions, estimates and the host's states
//! go to the block's sealed stream. Its end is by the clock alone, whatever the current did; later only where a fault
//! made the current late. Everything else is open, without what would tell a condition.

use std::path::PathBuf;

use age::x25519::Recipient;
use serde_json::{Value, json};

use crate::{
    estimator::Contamination,
    recorder::{RecorderError, SealedRecording, SessionStreams, disk::Disk},
    runtime::observation::{Note, Stamped},
    session::{
        audit::AuditLog,
        folder,
        keys::Keys,
        moment::Moment,
        questionnaires::{self, Filled},
        schedule::Phase,
        sealed::Sealed,
    },
};

/// The log is signed this often, in s.
const SIGN_EVERY_S: f64 = 10.0;
/// The device's queue, and a hop or two, in s.
const MARGIN_S: f64 = 2.0;

/// See the module.
pub struct Keeping {
    parts: KeepingParts,
    sealed: Option<SealedRecording>,
    block: Option<u32>,
    /// For how long after a block its stream goes on, in s.
    tail_s: f64,
    /// When the last block was over.
    over_s: f64,
    /// Since when frames are clean; `None` while they are not.
    clean_since_s: Option<f64>,
    signed_s: f64,
    failed: Option<String>,
}

/// What a keeping is made of.
pub struct KeepingParts {
    /// The log, begun.
    pub log: AuditLog,
    /// For signatures.
    pub keys: Keys,
    /// The session's folder.
    pub folder: PathBuf,
    /// Whether blocks are sealed.
    pub blind: bool,
    /// Who can open them.
    pub recipients: Vec<Recipient>,
    /// What the headers of a sealed recording say.
    pub streams: SessionStreams,
    /// Of a virtual run: what its wall clock shows at time 0 of its own.
    pub virtual_unix_s: Option<f64>,
    /// Frames are not clean for so long after a current, in s.
    pub blind_gap_s: f64,
    /// The estimator's window, in s.
    pub window_s: f64,
}

impl Keeping {
    /// Nothing is sealed yet.
    #[must_use]
    pub fn new(parts: KeepingParts) -> Self {
        Self {
            tail_s: parts.blind_gap_s + parts.window_s + MARGIN_S,
            parts,
            sealed: None,
            block: None,
            over_s: f64::NEG_INFINITY,
            clean_since_s: Some(f64::NEG_INFINITY),
            signed_s: f64::NEG_INFINITY,
            failed: None,
        }
    }

    /// Whether nobody here may learn a condition.
    #[must_use]
    pub fn blind(&self) -> bool {
        self.parts.blind
    }

    /// The sealed stream of the block that runs.
    pub fn sealed(&mut self) -> Option<&mut SealedRecording> {
        self.sealed.as_mut()
    }

    fn moment(&self, now_s: f64) -> Moment {
        match self.parts.virtual_unix_s {
            Some(zero_s) => Moment { unix_s: zero_s + now_s, run_s: now_s },
            None => Moment::now(now_s),
        }
    }

    /// Follows the session: seals from a block's begin to its end.
    ///
    /// # Errors
    /// The sealed stream cannot be made.
    pub fn follow(&mut self, stamped: &Stamped, disk: &Disk) -> Result<(), RecorderError> {
        match stamped.note {
            Note::Phase(Phase::Block(block), _) if self.block != Some(block) => {
                // Where the next block comes before the last one's tail is over, its stream takes over.
                self.end_block(stamped.at_s, disk)?;
                self.block = Some(block);
                if self.parts.blind {
                    let (streams, to) = (&self.parts.streams, &self.parts.recipients);
                    let made = SealedRecording::begin(
                        &self.parts.folder,
                        self.parts.log.session(),
                        block,
                        streams,
                        to,
                        stamped.at_s,
                    );
                    self.sealed = Some(made?);
                }
            }
            Note::Phase(Phase::Block(_) | Phase::Ending(_), _) => {}
            Note::Phase(..) if self.block.take().is_some() => self.over_s = stamped.at_s,
            Note::Flow { contamination: Contamination::Clean, .. } => {
                self.clean_since_s = Some(stamped.at_s);
            }
            Note::Flow { .. } => self.clean_since_s = None,
            _ => {}
        }
        let windows_clean = |since_s: f64| stamped.at_s - since_s > self.parts.window_s + MARGIN_S / 2.0;
        if self.block.is_none()
            && stamped.at_s - self.over_s >= self.tail_s
            && self.clean_since_s.is_some_and(windows_clean)
        {
            self.end_block(stamped.at_s, disk)?;
        }
        Ok(())
    }

    fn end_block(&mut self, now_s: f64, disk: &Disk) -> Result<(), RecorderError> {
        if let Some(sealed) = self.sealed.take() {
            let (chunks, to_disk) = sealed.end(now_s)?;
            disk.ask(to_disk);
            self.enter(&chunks, now_s);
        }
        Ok(())
    }

    fn enter(&mut self, chunks: &[Sealed], now_s: f64) {
        for chunk in chunks {
            self.log("chunk", chunk.entry(), now_s);
        }
    }

    /// Makes an entry of the audit log.
    pub fn log(&mut self, kind: &str, data: Value, now_s: f64) {
        let at = self.moment(now_s);
        if let Err(error) = self.parts.log.append(at, kind, data) {
            self.failed.get_or_insert(error.to_string());
        }
    }

    /// Stores a questionnaire; its hash goes into the log.
    pub fn filled(&mut self, filled: &Filled, now_s: f64) {
        match questionnaires::append(&self.parts.folder, filled) {
            Ok(hash) => self.log("questionnaire", json!({"block": filled.block, "sha256": hash}), now_s),
            Err(error) => {
                let what = format!("{}: {error}", self.parts.folder.join(folder::QUESTIONNAIRES).display());
                self.failed.get_or_insert(what);
            }
        }
    }

    /// To be called every second: seals what is due, looks at the clock, signs.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn maintain(&mut self, now_s: f64, disk: &Disk) -> Result<(), RecorderError> {
        if let Some(sealed) = &mut self.sealed {
            let chunks = sealed.tick(now_s)?;
            let due = sealed.recorder().due_on_disk(now_s);
            // What is sealed is in the log, whatever comes of the rest.
            self.enter(&chunks, now_s);
            if let Some(job) = due? {
                disk.ask(job);
            }
        }
        let at = self.moment(now_s);
        if let Err(error) = self.parts.log.watch_clock(at) {
            self.failed.get_or_insert(error.to_string());
        }
        if now_s - self.signed_s >= SIGN_EVERY_S && self.parts.virtual_unix_s.is_none() {
            self.signed_s = now_s;
            match self.parts.log.signing(&self.parts.keys, at) {
                Ok(signing) => {
                    disk.ask(move || signing.keep());
                }
                Err(error) => {
                    self.failed.get_or_insert(error.to_string());
                }
            }
        }
        Ok(())
    }

    /// The first thing that could not be kept.
    pub fn failed(&mut self) -> Option<String> {
        self.failed.take()
    }

    /// What waits is sealed. To be called before the folder's files are counted.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(&mut self, now_s: f64, disk: &Disk) -> Result<(), RecorderError> {
        self.end_block(now_s, disk)
    }

    /// The recording is closed. The log is not, until everything that belongs to the folder is in it:
    /// [`crate::runtime::audited::close`].
    ///
    /// # Errors
    /// In words.
    pub fn close(mut self, data: Value, now_s: f64) -> Result<(), String> {
        self.log("recorded", data, now_s);
        let at = self.moment(now_s);
        self.parts.log.sign(&self.parts.keys, at).map_err(|error| error.to_string())?;
        self.failed.map_or(Ok(()), Err)
    }
}

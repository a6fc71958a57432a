//! The audit log of a run: its phases, halts and faults as they come, steps of the wall clock, and a signature every 10 s.
//!
//! The record thread has it beside the recording. What would tell a condition (decisions, current) has no entry of its
//! own: the files are in the log by their hashes, once the run is closed ([`close`]).

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::events;
use super::observation::{Note, Stamped};
use crate::recorder::disk::Disk;
use crate::session::audit::check::chain;
use crate::session::audit::head::SignedHead;
use crate::session::audit::{AuditError, AuditLog, LOG};
use crate::session::keys::Keys;
use crate::session::moment::Moment;

/// From one signature to the next: what a killed run leaves unsigned.
const SIGN_EVERY: Duration = Duration::from_secs(10);

/// The log of a run.
#[derive(Debug)]
pub struct Audited {
    log: AuditLog,
    keys: Keys,
    signed: Instant,
    /// The wall clock less the run's, in virtual time, where no clock can be set.
    fixed_s: Option<f64>,
}

impl Audited {
    /// Around a log that has just begun, at `at`; a `live` run watches the wall clock.
    #[must_use]
    pub fn new(log: AuditLog, keys: Keys, live: bool, at: Moment) -> Self {
        let fixed_s = (!live).then_some(at.unix_s - at.run_s);
        Self { log, keys, signed: Instant::now(), fixed_s }
    }

    fn moment(&self, run_s: f64) -> Moment {
        self.fixed_s.map_or_else(|| Moment::now(run_s), |offset_s| Moment { unix_s: run_s + offset_s, run_s })
    }

    /// Enters a note that belongs in the log.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn note(&mut self, stamped: &Stamped) -> Result<(), AuditError> {
        let kind = match stamped.note {
            Note::Phase(..) => "phase",
            Note::Halted(_) => "halted",
            Note::Stream(_) => "stream",
            Note::HostFault(..) | Note::DeviceFault(_) | Note::LinkFault(_) => "fault",
            _ => return Ok(()),
        };
        let value: Value =
            events::json(stamped).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        self.log.append(self.moment(stamped.at_s), kind, value).map(|_| ())
    }

    /// Enters that what is there in place of a lost stream is not taken.
    ///
    /// # Errors
    /// The log cannot be written.
    pub fn refused(&mut self, at_s: f64, why: &str) -> Result<(), AuditError> {
        let value = serde_json::from_str(&events::refused_json(why)).unwrap_or_default();
        self.log.append(self.moment(at_s), "stream", value).map(|_| ())
    }

    /// To be called every second or so: looks at the wall clock, and signs when it is time.
    ///
    /// # Errors
    /// The log cannot be written or signed.
    pub fn tend(&mut self, now_s: f64, disk: &Disk) -> Result<(), AuditError> {
        let at = self.moment(now_s);
        if self.fixed_s.is_none() {
            self.log.watch_clock(at)?;
        }
        if self.signed.elapsed() >= SIGN_EVERY {
            self.signed = Instant::now();
            let signing = self.log.signing(&self.keys, at)?;
            disk.ask(move || signing.keep());
        }
        Ok(())
    }

    /// The recording is closed. The log is not, until everything that belongs to the folder is in it: [`close`].
    ///
    /// # Errors
    /// It cannot be signed.
    pub fn end(mut self, now_s: f64) -> Result<(), AuditError> {
        let at = self.moment(now_s);
        self.log.append(at, "recorded", json!({}))?;
        self.log.sign(&self.keys, at).map(|_| ())
    }
}

/// Closes the log of a folder, where it has one: every file by its hash, and the last signature.
///
/// # Errors
/// It does not hold, or cannot be written.
pub fn close(folder: &Path, keys: &Keys, faults: usize) -> Result<Option<SignedHead>, AuditError> {
    if !folder.join(LOG).exists() {
        return Ok(None);
    }
    // The run's clock has stopped with its last entry.
    let run_s = chain(folder)?.entries.last().map_or(0.0, |entry| entry.run_s);
    let at = Moment::now(run_s);
    let log = AuditLog::resume(folder, "ended", json!({"faults": faults}), at)?;
    log.close(keys, json!({"why": "the run is over"}), at).map(Some)
}

//! A live EEG stream over the Lab Streaming Layer.
//!
//! [`LslSource`] polls its inlet; it never waits, never allocates after it is opened, and never recovers
//! silently. `discover` chooses the stream, `connect` opens it, `pacing` tells silence from loss, `recover`
//! finds it again, `raw` holds all calls of liblsl.
//!
//! Deadline: `poll` every millisecond. Missed, the samples wait in the inlet. After a stall longer than
//! `max_age_s` the waiting data older than that are skipped and counted ([`LslSource::skipped`]): the
//! frames after them show a gap of that many samples, and nobody steers by what the brain did seconds ago.
//! After a stall so long that liblsl's own buffer may have run over, the connection is made anew.
//!
//! Lost is a connection that breaks (noticed at the next poll) or is silent for `lost_after_s`. A sender
//! that is killed breaks; a pulled cable or a hung sender is silent.

mod backlog;
#[cfg(target_os = "linux")]
pub mod child;
mod connect;
pub mod discover;
mod pacing;
mod raw;
mod recover;
#[cfg(target_os = "linux")]
mod sockets;
mod stderr;

pub use discover::{VisibleStream, visible_streams};
pub use pacing::SenderLag;
pub use stderr::StderrDiversion;

use super::settings::{AcquisitionError, AcquisitionSettings};
use super::{Poll, Source, StreamDescription};
use crate::clock;
use backlog::Backlog;
use connect::{Identity, connect};
use pacing::Pacing;
use raw::{INLET_BUFFER_S, Inlet, Pulled};
use recover::{Offered, Recovery};

/// How often the newest clock correction is read, seconds. liblsl measures every 2 s by itself.
const CORRECTION_EVERY_S: f64 = 1.0;
/// How long each step of connecting may take, seconds. The comparison of the clocks takes 0.64 s, and liblsl
/// tries a second time after 2 s.
const CONNECT_STEP_S: f64 = 5.0;
/// A pause between polls beyond this is a stall of ours, seconds.
const STALL_S: f64 = 0.1;

/// A live stream.
pub struct LslSource {
    /// `None` while the connection is broken.
    inlet: Option<Inlet>,
    recovery: Recovery,
    identity: Identity,
    /// Of the outlet that was connected first.
    uid: String,
    width: usize,
    lost: bool,
    /// The sample that showed that a silent stream is back; handed out after `Poll::Resumed`.
    pending: Option<f64>,
    pending_values: Vec<f64>,
    backlog: Backlog,
    skipped: u64,
    max_age_s: f64,
    correction_s: f64,
    corrected_at_s: f64,
    polled_at_s: f64,
    pacing: Pacing,
}

impl LslSource {
    /// Finds the stream of the settings within `timeout_s` and opens it. Blocks: one second to look for
    /// namesakes, one to compare the clocks.
    ///
    /// # Errors
    /// [`AcquisitionError`]: no stream or more than one answers the choice, or it cannot be used.
    pub fn open(settings: &AcquisitionSettings, timeout_s: f64) -> Result<Self, AcquisitionError> {
        Self::look_for(settings, timeout_s, &mut |_| {})
    }

    /// The same, and says what it is looking for, and what is there, whenever that changes.
    ///
    /// # Errors
    /// As [`LslSource::open`].
    pub fn look_for(
        settings: &AcquisitionSettings,
        timeout_s: f64,
        looking: &mut dyn FnMut(&str),
    ) -> Result<Self, AcquisitionError> {
        let info = discover::find(&settings.choice, timeout_s, looking)?;
        let connection = connect(&info, settings.chunk_samples, CONNECT_STEP_S)?;
        let (identity, uid) = (connection.identity, connection.uid);
        Self::with(settings, identity, uid, Some((connection.inlet, connection.correction_s)))
    }

    /// A stream that was known and is lost: it is searched for from the first [`Source::poll`] on.
    ///
    /// # Errors
    /// No thread can be started.
    #[cfg(target_os = "linux")]
    pub fn lost(settings: &AcquisitionSettings, known: &child::Known) -> Result<Self, AcquisitionError> {
        let identity =
            Identity { description: known.description.clone(), format: raw::known_format(&known.format) };
        let mut source = Self::with(settings, identity, known.uid.clone(), None)?;
        source.broken();
        Ok(source)
    }

    fn with(
        settings: &AcquisitionSettings,
        identity: Identity,
        uid: String,
        connection: Option<(Inlet, f64)>,
    ) -> Result<Self, AcquisitionError> {
        // Without a connection the outlet that was read before is the very one to look for.
        let connected_to = if connection.is_some() { uid.clone() } else { String::new() };
        let recovery =
            Recovery::start(identity.clone(), connected_to, settings.chunk_samples).map_err(|error| {
                let what = format!("no thread for its recovery can be started: {error}");
                AcquisitionError::Unusable { stream: identity.description.name.clone(), what }
            })?;
        let (width, rate_hz) = (identity.description.channels.len(), identity.description.rate_hz);
        let keep = (settings.max_age_s * rate_hz).ceil().clamp(1.0, 1e7) as usize;
        let now_s = clock::now_s();
        let correction_s = connection.as_ref().map_or(0.0, |(_, correction_s)| *correction_s);
        Ok(Self {
            inlet: connection.map(|(inlet, _)| inlet),
            recovery,
            width,
            lost: false,
            pending: None,
            pending_values: vec![0.0; width],
            backlog: Backlog::new(keep, width),
            skipped: 0,
            max_age_s: settings.max_age_s,
            correction_s,
            corrected_at_s: now_s,
            polled_at_s: now_s,
            pacing: Pacing::new(settings.lost_after_s, rate_hz, now_s),
            identity,
            uid,
        })
    }

    /// What it was when it was connected first.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn known(&self) -> child::Known {
        child::Known {
            description: self.identity.description.clone(),
            format: self.identity.format.to_owned(),
            uid: self.uid.clone(),
        }
    }

    /// Samples skipped since the start, because they had waited for longer than `max_age_s` when the reader
    /// came back from a stall. The stamps show them as a gap of the same number.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Why a lost stream is not resumed although one of its name is there; `None` while there is none, or
    /// all is well.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        if self.lost { self.recovery.refused() } else { None }
    }

    /// What would be the lost stream, were it not on another host: it waits for a person's word.
    pub(crate) fn offered(&self) -> Option<Offered> {
        if self.lost { self.recovery.offered() } else { None }
    }

    /// A person's word for the offer of this number; 0 is none.
    pub(crate) fn confirm(&self, number: u64) {
        self.recovery.confirm(number);
    }

    /// Set where the sender's chunks are so long that loss is noticed later than the setting asks.
    #[must_use]
    pub fn sender_lag(&self) -> Option<SenderLag> {
        self.pacing.lag()
    }

    /// The stream's number format, as LSL names it.
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.identity.format
    }

    /// Throws away all that waits; how many samples that was. The conditioner must be told
    /// ([`super::conditioner::Conditioner::flushed`]).
    pub fn flush(&mut self) -> u64 {
        let mut count = self.backlog.clear() + u64::from(self.pending.take().is_some());
        let most = self.most_waiting();
        if let Some(inlet) = &mut self.inlet {
            while count < most && matches!(inlet.pull(&mut self.pending_values), Pulled::Sample(_)) {
                count += 1;
            }
        }
        count
    }

    /// No more than this can wait, so no loop over the inlet is longer, even against a flood.
    fn most_waiting(&self) -> u64 {
        (2.0 * f64::from(INLET_BUFFER_S) * self.identity.description.rate_hz) as u64 + 1000
    }

    /// The connection is broken, or of no use: put it away and search.
    fn broken(&mut self) -> Poll {
        let dead = self.inlet.take();
        self.recovery.seek(dead);
        self.lost = true;
        self.pending = None;
        self.backlog.clear();
        Poll::Lost
    }

    /// While lost: is it back, by a new connection or on the old one?
    fn look_for_return(&mut self, now_s: f64) -> Poll {
        if let Some((inlet, correction_s)) = self.recovery.take() {
            if let Some(silent) = self.inlet.replace(inlet) {
                self.recovery.dispose(silent);
            }
            (self.correction_s, self.corrected_at_s) = (correction_s, now_s);
            self.lost = false;
            self.pacing.reconnected(now_s);
            return Poll::Resumed;
        }
        match self.inlet.as_mut().map(|inlet| inlet.pull(&mut self.pending_values)) {
            Some(Pulled::Sample(stamp_s)) => {
                self.pending = Some(stamp_s);
                self.recovery.cancel();
                self.lost = false;
                self.pacing.reconnected(now_s);
                Poll::Resumed
            }
            Some(Pulled::Lost) => self.broken(),
            Some(Pulled::Empty) | None => Poll::Lost,
        }
    }

    /// After a stall: pulls all that waits, keeps the newest, counts the rest as skipped.
    fn skip_to_newest(&mut self) {
        let most = self.most_waiting();
        if let Some(inlet) = &mut self.inlet {
            self.skipped += self.backlog.refill(most, |slot| match inlet.pull(slot) {
                Pulled::Sample(stamp_s) => Some(stamp_s),
                Pulled::Empty | Pulled::Lost => None,
            });
        }
    }

    /// Hands out what is set aside; how many samples.
    fn hand_out(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> usize {
        let mut count = 0;
        for (slot, stamp) in values.chunks_exact_mut(self.width).zip(stamps_s) {
            let stamp_s = match self.pending.take() {
                Some(stamp_s) => {
                    slot.copy_from_slice(&self.pending_values);
                    Some(stamp_s)
                }
                None => self.backlog.pop(slot),
            };
            let Some(stamp_s) = stamp_s else { break };
            (*stamp, count) = (stamp_s, count + 1);
        }
        count
    }
}

impl Source for LslSource {
    fn description(&self) -> &StreamDescription {
        &self.identity.description
    }

    fn correction_s(&self) -> f64 {
        self.correction_s
    }

    fn warnings(&self) -> Vec<String> {
        let lag = self.sender_lag().map(|lag| {
            format!(
                "the sender sends chunks of {:.2} s: every estimate is so much late, and loss is noticed after {:.2} s",
                lag.chunk_s, lag.lost_after_s
            )
        });
        lag.into_iter().chain(self.refused()).collect()
    }

    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        let now_s = crate::clock::now_s();
        let pause_s = now_s - std::mem::replace(&mut self.polled_at_s, now_s);
        let stall_s = if pause_s > STALL_S { pause_s } else { 0.0 };
        if self.lost {
            return self.look_for_return(now_s);
        }
        if stall_s > 0.8 * f64::from(INLET_BUFFER_S) {
            return self.broken();
        }
        if stall_s > 0.0 {
            self.pacing.stalled(stall_s);
        }
        if stall_s > self.max_age_s {
            self.skip_to_newest();
        }
        let mut count = self.hand_out(values, stamps_s);
        let mut connected = true;
        if let Some(inlet) = &mut self.inlet {
            let slots = values.chunks_exact_mut(self.width).zip(stamps_s).skip(count);
            for (slot, stamp) in slots {
                match inlet.pull(slot) {
                    Pulled::Sample(stamp_s) => (*stamp, count) = (stamp_s, count + 1),
                    Pulled::Empty => break,
                    Pulled::Lost => {
                        connected = false;
                        break;
                    }
                }
            }
            if connected && now_s - self.corrected_at_s > CORRECTION_EVERY_S {
                self.corrected_at_s = now_s;
                self.correction_s = inlet.time_correction_s(0.0).unwrap_or(self.correction_s);
            }
        }
        if count > 0 {
            // A broken connection says so again at the next poll.
            self.pacing.arrived(count, now_s, stall_s);
            return Poll::Samples(count);
        }
        if !connected {
            return self.broken();
        }
        if self.pacing.is_silent(now_s) {
            self.lost = true;
            self.recovery.seek(None);
            return Poll::Lost;
        }
        Poll::Empty
    }
}

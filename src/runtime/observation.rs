//! What the three real-time stages tell the rest: fixed-size notes through a bounded channel.
//!
//! A stage never waits for a reader. What does not fit is dropped and counted, and the count is shown.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::ended::EndedBy;
use crate::{
    acquisition::{conditioner::RateOff, quality::Causes, state::StreamState},
    child::role::{News, Role},
    controller::Decision,
    estimator::{
        Contamination, Estimate, Spectrum,
        through_current::{Proof, Unconfirmed},
    },
    session::schedule::Phase,
    stimulator::{DeviceFault, State, Status},
};

/// Why stimulation ends before its block does, or does not begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Halt {
    /// The operator pressed the key that stops stimulation.
    Operator,
    /// The whole run ends.
    Ends(EndedBy),
    /// The EEG stream is lost.
    StreamLost,
    /// The newest data are older than `stream.max_age_s`; how old, in s.
    Stale(f64),
    /// The electrodes' impedance was too high when a burst began: as measured, and `limits.start_kohm`, in kOhm.
    Impedance {
        /// As the device measured it.
        kohm: f64,
        /// `limits.start_kohm`.
        limit_kohm: f64,
    },
    /// A fault is latched.
    Fault,
    /// The loop thread has stopped going round.
    Frozen,
    /// `limits.daily_min` is reached, after so many seconds of this run.
    DailyLimit(f64),
    /// The ledger of the day's dose does not confirm what was given.
    Ledger,
    /// A thread that the protocol needs has stalled or died.
    Stalled(&'static str),
}

/// The most bins of a spectrum that the screen gets.
pub const SPECTRUM_BINS: usize = 256;

/// A spectrum for the screen: log10 power of evenly spaced bins.
#[derive(Clone, Copy, Debug)]
pub struct SpectrumNote {
    /// Frequency of the first bin, in Hz.
    pub first_hz: f32,
    /// Distance of bins, in Hz.
    pub step_hz: f32,
    /// How many of `log10_power` hold a value.
    pub len: usize,
    /// log10 of uV^2/Hz.
    pub log10_power: [f32; SPECTRUM_BINS],
}

impl SpectrumNote {
    /// As many bins of `spectrum` as there is room for.
    #[must_use]
    pub fn of(spectrum: &Spectrum<'_>) -> Self {
        let (first_hz, second_hz) = match spectrum.freqs_hz {
            [first, second, ..] => (*first, *second),
            _ => (0.0, 1.0),
        };
        let mut note = Self {
            first_hz: first_hz as f32,
            step_hz: (second_hz - first_hz) as f32,
            len: spectrum.power.len().min(SPECTRUM_BINS),
            log10_power: [f32::NAN; SPECTRUM_BINS],
        };
        for (slot, power) in note.log10_power.iter_mut().zip(spectrum.power) {
            *slot = power.log10() as f32;
        }
        note
    }
}

/// One thing that a stage tells.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "copied into a slot of a preallocated channel; boxing allocates"
)]
pub enum Note {
    /// The stream's state has changed.
    Stream(StreamState),
    /// An estimate, of any region.
    Estimate(Estimate),
    /// An estimate of a window under current, of what the removal of its artefact has left, and what is proven of it.
    /// It steers where a certificate and the session's first block allow it.
    Through(Estimate, Proof),
    /// Whether the session's first block shows what the certificate promises, so that windows under current may steer.
    Confirmed(Result<(), Unconfirmed>),
    /// The spectrum behind the steering region's newest estimate.
    Spectrum(SpectrumNote),
    /// A decision.
    Decision(Decision),
    /// A hop is done.
    Hop {
        /// From the last sample of its window in the ring to the decision queued, in s.
        took_s: f64,
        /// The same from that sample's own stamp: all of the way from the sender on.
        since_stamp_s: f64,
        /// Hops passed over so far because a newer window was waiting.
        skipped: u64,
    },
    /// The session has entered a phase; the next one follows in so many seconds.
    Phase(Phase, f64),
    /// Current is, or is no longer, being delivered: the first frame that counts as (not) contaminated.
    Flow {
        /// Whether it flows.
        flowing: bool,
        /// What frames have seen of it from here on.
        contamination: Contamination,
        /// [`crate::acquisition::frame::FrameHeader::index`] of the first frame seen so.
        frame: u64,
    },
    /// The host's own state machine has moved, under a decision.
    Host {
        /// The new state.
        state: State,
        /// The decision that it follows, 0 for none.
        decision_id: u64,
        /// Sample of current at which it moved, counted since the start.
        sample: u64,
        /// The exponent that is being synthesised.
        exponent: f64,
        /// RMS of the noise at full amplitude, in mA.
        rms_ma: f64,
    },
    /// The device's word, a few times a second.
    Device(Status),
    /// Stimulation halted.
    Halted(Halt),
    /// A host limit was reached: its name, the number that broke it.
    HostFault(&'static str, f64),
    /// The device latched a fault.
    DeviceFault(DeviceFault),
    /// The link to the device failed.
    LinkFault(&'static str),
    /// Stamps lie ahead of their arrival by so many seconds, and are not believed.
    Ahead(f64),
    /// Which channels are bad, where that has changed.
    Bad(Causes),
    /// The stream does not run at the rate that it says.
    Rate(RateOff),
    /// Windows are cut by another rate from here on.
    Refitted {
        /// The rate, in Hz.
        rate_hz: f64,
        /// The last frame that went into the estimator before.
        frame: u64,
    },
    /// The operator has confirmed a stream that came back from another host.
    TakenUp,
    /// What has become of a child process.
    Child(Role, News),
}

/// A note with its time.
#[derive(Clone, Copy, Debug)]
pub struct Stamped {
    /// On this machine's LSL clock.
    pub at_s: f64,
    /// What.
    pub note: Note,
}

/// The sending end, one for each stage.
#[derive(Clone)]
pub struct Notes {
    sender: Sender<Stamped>,
    dropped: Arc<AtomicU64>,
}

impl Notes {
    /// A channel for `capacity` notes.
    #[must_use]
    pub fn channel(capacity: usize) -> (Self, Receiver<Stamped>) {
        let (sender, receiver) = bounded(capacity);
        (Self { sender, dropped: Arc::default() }, receiver)
    }

    /// Tells `note`, or counts it as dropped. Neither blocks nor allocates, as long as the reader polls: a
    /// reader that sleeps in `recv` would have to be woken.
    pub fn tell(&self, at_s: f64, note: Note) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Stamped { at_s, note }) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many notes found no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_or_slow_costs_nothing_but_a_count() {
        let (notes, receiver) = Notes::channel(2);
        for n in 0..5 {
            notes.tell(f64::from(n), Note::Stream(StreamState::Live));
        }
        assert_eq!(notes.dropped(), 3);
        assert_eq!(receiver.try_iter().count(), 2);
        drop(receiver);
        notes.tell(9.0, Note::Stream(StreamState::Lost));
        assert_eq!(notes.dropped(), 3);
    }
}

//! The host's end of the conversation with a device, whatever it runs over: session, limits, arming, credits,
//! retransmission, heartbeats, stops that are repeated until they are heard.
//!
//! In: the calls of [`Stimulator`] and the bytes of a [`Line`]. Out: frames of [`tras_wire`], and [`Status`].
//! Nothing here has a thread or a clock: heartbeats leave only when the stimulate thread calls, so a frozen
//! thread is a silent host, and the device ends the current by itself.
//!
//! A link that is lost stays lost until a person connects anew. Nothing is armed, played or kept alive over it,
//! even if the device comes back; it is only told to stop.

mod calls;
mod clock;
mod handshake;
mod hear;
mod line;
mod outbox;
mod played;
mod say;

use std::{borrow::Cow, sync::Arc};

use tras_wire::{Decoder, Fault, Header, Identity, Limits, State, Telemetry};

pub use self::line::Line;
use self::{clock::Clock, handshake::Strange, outbox::Outbox, played::Played};
use super::{DeviceFault, Status, StimulatorError};

/// The longest time between two heartbeats, in s.
const HEARTBEAT_S: f64 = 0.050;
/// A pause between two polls counts as silence of the device up to this much, in s: the rest is the host's own.
const POLL_S: f64 = 0.1;

/// How a link is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkSettings {
    /// How much the device's queue is kept filled, in s; at most what it holds.
    pub queue_s: f64,
    /// Fewer samples than this are not worth a frame.
    pub batch: usize,
    /// A device that says nothing for so long is lost, in s.
    pub silent_after_s: f64,
}

/// A word that is repeated until the device has heard it.
#[derive(Clone, Copy, Debug)]
struct Urgent {
    message: StopWord,
    first: u32,
    last: u32,
    sent_s: f64,
    heard: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum StopWord {
    Soft,
    Fast,
    Disarm,
    Cut,
}

#[derive(Clone, Copy, Debug)]
struct Arming {
    first: u32,
    began_s: f64,
    sent_s: f64,
}

/// A device at the other end of a line.
pub struct Linked<L> {
    line: L,
    settings: LinkSettings,
    decoder: Decoder,
    bytes: [u8; 512],
    at: usize,
    filled: usize,
    header: Header,
    connected: bool,
    /// The number of the device's newest frame.
    newest: Option<u32>,
    strange: Strange,
    identity: Option<Identity>,
    limits: Option<Limits>,
    telemetry: Telemetry,
    outbox: Outbox,
    played: Played,
    clock: Clock,
    burst: u32,
    burst_open: bool,
    /// The index of its first sample, as long as the device has not said that it has it.
    opening: Option<u64>,
    /// The last burst ended by a stop.
    stopped: bool,
    urgent: Option<Urgent>,
    arming: Option<Arming>,
    refusal: Option<(&'static str, State)>,
    heartbeat_s: f64,
    /// The echo of the newest heartbeat.
    beaten: u32,
    polled_s: Option<f64>,
    silence_s: f64,
    lost: Option<&'static str>,
    /// A fault of an earlier run that was cleared while connecting.
    cleared: Option<Fault>,
}

impl<L: Line> Linked<L> {
    /// Nothing is opened before [`Stimulator::connect`].
    pub fn new(line: L, settings: LinkSettings) -> Self {
        Self {
            line,
            settings,
            decoder: Decoder::default(),
            bytes: [0; 512],
            at: 0,
            filled: 0,
            header: Header::default(),
            connected: false,
            newest: None,
            strange: Strange::default(),
            identity: None,
            limits: None,
            telemetry: unknown(),
            outbox: Outbox::new(),
            played: Played::default(),
            clock: Clock::default(),
            burst: 0,
            burst_open: false,
            opening: None,
            stopped: false,
            urgent: None,
            arming: None,
            refusal: None,
            heartbeat_s: f64::NEG_INFINITY,
            beaten: 0,
            polled_s: None,
            silence_s: 0.0,
            lost: None,
            cleared: None,
        }
    }

    /// What it runs over.
    pub fn line(&self) -> &L {
        &self.line
    }

    /// What it runs over.
    pub fn line_mut(&mut self) -> &mut L {
        &mut self.line
    }

    /// Which device answered, once connected.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// The newest round trip of a heartbeat, in s, the caller's own pauses included.
    #[must_use]
    pub fn round_trip_s(&self) -> Option<f64> {
        self.clock.round_trip_s()
    }

    /// Samples that were sent again because a frame was lost.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.outbox.repeated()
    }

    /// The device's newest word.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    fn device(&self) -> Arc<str> {
        Arc::clone(self.line.name())
    }

    fn lost_error(&self, detail: &'static str) -> StimulatorError {
        StimulatorError::Lost { device: self.device(), detail: Cow::Borrowed(detail) }
    }

    fn refused(&self, what: &'static str, state: State) -> StimulatorError {
        StimulatorError::Refused { device: self.device(), what, state }
    }

    /// The samples that the device's queue is kept filled with, at most.
    fn target(&self) -> u64 {
        self.identity.map_or(0, |identity| {
            let wanted = self.settings.queue_s * f64::from(identity.rate_hz);
            u64::from(identity.queue_capacity).min(wanted as u64)
        })
    }

    /// Samples that the device can take beyond those under way.
    fn credit(&self) -> usize {
        let used = u64::from(self.telemetry.queue_fill) + self.outbox.in_flight();
        usize::try_from(self.target().saturating_sub(used)).unwrap_or(usize::MAX)
    }

    /// A heartbeat's answer brings credit: with a short queue it must come often, and where it does not come it
    /// is asked for again, long before the queue has run dry.
    fn heartbeat_every_s(&self) -> f64 {
        let share = if self.clock.is_answered(self.beaten) { 4.0 } else { 10.0 };
        HEARTBEAT_S.min(self.settings.queue_s / share)
    }

    fn lose(&mut self, why: &'static str) {
        if self.lost.is_none() {
            self.lost = Some(why);
            self.line.give_up();
            self.outbox.drop_all();
            self.arming = None;
        }
    }

    fn watch_silence(&mut self, now_s: f64) {
        let since_s = self.polled_s.map_or(0.0, |polled_s| now_s - polled_s);
        if since_s.is_finite() {
            self.silence_s += since_s.clamp(0.0, POLL_S);
        }
        if now_s.is_finite() {
            self.polled_s = Some(now_s);
        }
    }

    fn status(&self) -> Status {
        let t = &self.telemetry;
        let at_s = |us| self.line.host_s(us).or_else(|| self.clock.host_s(us)).unwrap_or(f64::NAN);
        let fault = |f: Fault| DeviceFault { code: f.code, value: f.value, at_s: at_s(f.at_us) };
        Status {
            state: t.state,
            queue_fill: u32::from(t.queue_fill),
            queue_capacity: u32::try_from(self.target()).unwrap_or(u32::MAX),
            underruns: u64::from(t.underruns) + self.line.stumbles(),
            delivered: t.delivered,
            current_ma: t.current_ma,
            impedance_kohm: t.impedance_kohm.filter(|_| self.line.measures()),
            fault: t.fault.map(fault),
            lost: self.lost,
        }
    }
}

/// Before a device has spoken.
fn unknown() -> Telemetry {
    Telemetry {
        at_us: 0,
        echo: 0,
        state: State::Disarmed,
        fault: None,
        relay_closed: false,
        queue_fill: 0,
        next_index: 0,
        delivered: 0,
        underruns: 0,
        current_ma: 0.0,
        measured_ma: None,
        impedance_kohm: None,
        total_charge_mc: 0.0,
        net_charge_mc: 0.0,
        dc_ma: 0.0,
        bad_frames: 0,
    }
}

#[cfg(test)]
mod tests;

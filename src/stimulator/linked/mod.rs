//! The host's end of the conversation with a device, whatever it runs over: session, limits, arming, credits,
//! retransmission, heartbeats, stops that are repeated until they are heard.
//!
//! In: the calls of [`Stimulator`] and the bytes of a [`Line`]. Out: frames of [`tras_wire`], and [`Status`].
//! Nothing here has a thread or a clock: heartbeats leave only when the stimulate thread calls, so a frozen
//! thread is a silent host, and the device ends the current by itself.
//!
//! A link that is lost stays lost until a person connects anew. Nothing is armed, played or kept alive over it,
//! even if the device comes back; it is only told to stop.

mod clock;
mod handshake;
mod line;
mod outbox;
mod played;

use std::{borrow::Cow, sync::Arc};

use tras_wire::{
    Decoder, DeviceMessage, Fault, Frame, Header, HostMessage, Identity, Limits, MAX_FRAME, Refusal, Samples,
    State, Stop, Telemetry, encode,
};

pub use self::line::Line;
use self::{clock::Clock, handshake::Strange, outbox::Outbox, played::Played};
use super::{Delivered, DeviceFault, Status, Stimulator, StimulatorError};

/// How long an arming lasts without a burst, in ms: the longest gap between blocks and some slack.
const ARM_VALID_MS: u32 = 300_000;
/// The longest time between two heartbeats, in s.
const HEARTBEAT_S: f64 = 0.050;
/// What must be heard is said again after this, in s.
const REPEAT_S: f64 = 0.040;
/// An arming that is not answered for this long has failed, in s.
const ARM_WITHIN_S: f64 = 1.0;
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
            stopped: false,
            urgent: None,
            arming: None,
            refusal: None,
            heartbeat_s: f64::NEG_INFINITY,
            beaten: 0,
            polled_s: None,
            silence_s: 0.0,
            lost: None,
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

    /// Sends one frame; gives its number if the line took it.
    fn say(&mut self, message: &HostMessage) -> Option<u32> {
        let mut frame = [0_u8; MAX_FRAME];
        let length = encode(self.header, message, &mut frame).ok()?;
        if !self.line.send(frame.get(..length)?) {
            return None;
        }
        let sequence = self.header.sequence;
        self.header.sequence = sequence.wrapping_add(1);
        Some(sequence)
    }

    /// Takes in whatever has come.
    fn listen(&mut self, now_s: f64) {
        // A line that never ends is read for a while and no longer: time must go on.
        for _ in 0..1_024 {
            if self.hear(now_s).is_none() {
                break;
            }
        }
    }

    /// The next message that has come, already heeded.
    fn hear(&mut self, now_s: f64) -> Option<DeviceMessage> {
        for _ in 0..128 {
            while self.at < self.filled {
                let byte = self.bytes.get(self.at).copied().unwrap_or_default();
                self.at += 1;
                if !self.connected {
                    self.strange.byte(byte);
                }
                match self.decoder.push::<DeviceMessage>(byte) {
                    None => {}
                    Some(Err(error)) => self.strange.frame(error),
                    Some(Ok(frame)) if self.admits(&frame) => {
                        self.heed(&frame, now_s);
                        return Some(frame.message);
                    }
                    // Of another session, or older than what is known.
                    Some(Ok(_)) => {}
                }
            }
            self.at = 0;
            self.filled = self.line.receive(&mut self.bytes).min(self.bytes.len());
            if self.filled == 0 {
                return None;
            }
        }
        None
    }

    /// Whether a frame belongs to this session and is newer than all before.
    fn admits(&mut self, frame: &Frame<DeviceMessage>) -> bool {
        if let DeviceMessage::Refused { why: Refusal::Session, .. } = frame.message {
            return true; // A device that was reset has forgotten the session, and says so under another number.
        }
        if matches!(frame.message, DeviceMessage::Hello(_)) {
            return !self.connected;
        }
        let is_new = self.newest.is_none_or(|newest| (frame.header.sequence.wrapping_sub(newest) as i32) > 0);
        if frame.header.nonce != self.header.nonce || !is_new {
            return false;
        }
        self.newest = Some(frame.header.sequence);
        true
    }

    fn heed(&mut self, frame: &Frame<DeviceMessage>, now_s: f64) {
        self.silence_s = 0.0;
        match frame.message {
            DeviceMessage::Hello(identity) => {
                self.header.nonce = frame.header.nonce;
                self.newest = Some(frame.header.sequence);
                self.identity = Some(identity);
            }
            DeviceMessage::Limits(_) => {}
            DeviceMessage::Telemetry(telemetry) => self.heed_telemetry(&telemetry, now_s),
            DeviceMessage::Acknowledge { sequence, next_index, room } => {
                if self.arming.is_some_and(|arming| sequence.wrapping_sub(arming.first) as i32 >= 0) {
                    self.armed();
                }
                self.heed_answer(sequence, next_index);
                let capacity = self.identity.map_or(0, |identity| identity.queue_capacity);
                self.telemetry.queue_fill = capacity.saturating_sub(room);
                if let Some(urgent) = &mut self.urgent
                    && sequence.wrapping_sub(urgent.first) <= urgent.last.wrapping_sub(urgent.first)
                {
                    urgent.heard = true;
                }
            }
            DeviceMessage::Refused { sequence, why, state } => self.heed_refusal(sequence, why, state),
            DeviceMessage::Fault(fault) => {
                (self.telemetry.fault, self.telemetry.state) = (Some(fault), State::Fault);
            }
        }
    }

    fn heed_telemetry(&mut self, telemetry: &Telemetry, now_s: f64) {
        self.telemetry = *telemetry;
        self.clock.answer(telemetry.echo, telemetry.at_us, now_s);
        self.heed_answer(telemetry.echo, telemetry.next_index);
        if let Some(urgent) = self.urgent
            && urgent.heard
            && (telemetry.echo.wrapping_sub(urgent.last) as i32) > 0
            && matches!(telemetry.state, State::Armed | State::Disarmed | State::Fault)
        {
            self.urgent = None;
        }
    }

    fn heed_answer(&mut self, sequence: u32, next_index: u64) {
        // Before arming is heard the device's count is the last arming's.
        if self.arming.is_none() {
            self.outbox.answered(sequence, next_index);
        }
    }

    fn heed_refusal(&mut self, sequence: u32, why: Refusal, state: State) {
        if why == Refusal::Session {
            if self.connected {
                self.lose("it does not know this session any more: it was reset");
            }
            return;
        }
        self.telemetry.state = state;
        if let Some(arming) = self.arming
            && sequence.wrapping_sub(arming.first) as i32 >= 0
        {
            if why == Refusal::State && state == State::Armed && sequence != arming.first {
                return self.armed(); // The first was heard, its answer was not.
            }
            self.arming = None;
            self.outbox.drop_all();
            self.refusal = Some(("arm", state));
            return;
        }
        let Some(start) = self.outbox.start_of(sequence) else { return };
        if why == Refusal::BurstOver && self.burst_open {
            // The burst rested at zero and the device has ended it; a stop of ours would have told us so.
            self.burst += 1;
            self.played.begin(start, false);
            self.outbox.go_back(start);
        } else {
            self.outbox.drop_all();
            self.refusal = Some(("samples", state));
        }
    }

    fn armed(&mut self) {
        self.arming = None;
        self.telemetry.state = State::Armed;
    }

    fn lose(&mut self, why: &'static str) {
        if self.lost.is_none() {
            self.lost = Some(why);
            self.line.give_up();
            self.outbox.drop_all();
            self.arming = None;
        }
    }

    /// Sends what waits, as far as line and device take it.
    fn flush(&mut self) {
        if self.arming.is_some() || self.lost.is_some() {
            return;
        }
        while let Some((index, count)) = self.outbox.next() {
            let current_ma = (index..index + count as u64).filter_map(|k| self.outbox.sample(k)).collect();
            let message = HostMessage::Samples(Samples { burst: self.burst, index, current_ma });
            let Some(sequence) = self.say(&message) else { break };
            self.outbox.went(sequence, count);
        }
    }

    /// Sends and hears until there is nothing more to do; over a line that answers at once, until all is said.
    fn exchange(&mut self, now_s: f64) {
        for _ in 0..8 {
            self.flush();
            self.listen(now_s);
            if self.outbox.next().is_none() {
                break;
            }
        }
    }

    fn urge(&mut self, message: StopWord, now_s: f64) {
        let graver = self.urgent.map_or(message, |urgent| urgent.message.max(message));
        self.outbox.drop_all();
        (self.burst_open, self.stopped, self.arming) = (false, true, None);
        let first = self.header.sequence;
        self.urgent = Some(Urgent { message: graver, first, last: first, sent_s: now_s, heard: false });
        self.say_urgent(now_s);
        self.listen(now_s);
    }

    fn say_urgent(&mut self, now_s: f64) {
        let Some(urgent) = self.urgent else { return };
        let message = match urgent.message {
            StopWord::Soft => HostMessage::Stop(Stop::Soft),
            StopWord::Fast => HostMessage::Stop(Stop::Fast),
            StopWord::Cut => HostMessage::Stop(Stop::Cut),
            StopWord::Disarm => HostMessage::Disarm,
        };
        let sequence = self.say(&message);
        if let Some(urgent) = &mut self.urgent {
            urgent.last = sequence.unwrap_or(urgent.last);
            urgent.sent_s = now_s;
        }
    }

    fn say_arm(&mut self, now_s: f64) {
        let Some(limits) = self.limits else { return };
        let sequence = self.say(&HostMessage::Arm { limits, valid_ms: ARM_VALID_MS });
        if let (Some(arming), Some(_)) = (&mut self.arming, sequence) {
            arming.sent_s = now_s;
        }
    }

    /// Repeats what has not been heard, and says that the host is alive.
    fn keep_up(&mut self, now_s: f64) {
        if let Some(urgent) = self.urgent
            && !urgent.heard
            && due(urgent.sent_s, now_s, REPEAT_S)
        {
            self.say_urgent(now_s);
        }
        if let Some(arming) = self.arming {
            if due(arming.began_s, now_s, ARM_WITHIN_S) {
                self.lose("no answer to arming");
            } else if due(arming.sent_s, now_s, REPEAT_S) {
                self.say_arm(now_s);
            }
        }
        if self.lost.is_none() && due(self.heartbeat_s, now_s, self.heartbeat_every_s()) {
            self.beat(now_s);
        }
    }

    fn beat(&mut self, now_s: f64) {
        let echo = self.header.sequence;
        if self.say(&HostMessage::Heartbeat { echo }).is_some() {
            (self.heartbeat_s, self.beaten) = (now_s, echo);
            self.clock.ask(echo, now_s);
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

/// Whether `every_s` have gone by since `last_s`; a clock that jumps makes things due, one that is no number
/// does not.
fn due(last_s: f64, now_s: f64, every_s: f64) -> bool {
    now_s.is_finite() && !(0.0..every_s).contains(&(now_s - last_s))
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

impl<L: Line> Stimulator for Linked<L> {
    fn name(&self) -> &str {
        self.line.name()
    }

    fn cautions(&self) -> Vec<String> {
        let mut cautions = self.line.cautions();
        if let Some(identity) = &self.identity {
            if identity.crystal_failed {
                let what =
                    "its crystal did not start: its clock is off by up to 1 %, and so are rate and durations";
                cautions.push(format!("{}: {what}", self.name()));
            }
            if identity.watchdog_reset {
                cautions.push(format!("{}: its watchdog has reset it since it was switched on", self.name()));
            }
        }
        cautions
    }

    fn rate_hz(&self) -> f64 {
        let rate_hz = 1_000_000 / tras_device::hard::SAMPLE_US;
        f64::from(self.identity.map_or(rate_hz, |identity| identity.rate_hz))
    }

    fn connect(&mut self, wanted: &Limits, now_s: f64) -> Result<Limits, StimulatorError> {
        self.shake_hands(wanted, now_s)
    }

    fn arm(&mut self, now_s: f64) -> Result<(), StimulatorError> {
        if let Some(why) = self.lost {
            return Err(self.lost_error(why));
        }
        if self.limits.is_none() {
            return Err(self.lost_error("arm before connect"));
        }
        self.line.advance(now_s);
        self.listen(now_s);
        let (state, stopping) = (self.telemetry.state, self.urgent.is_some_and(|urgent| !urgent.heard));
        if state != State::Disarmed || stopping {
            return Err(self.refused("arm", state));
        }
        (self.burst, self.burst_open, self.stopped) = (0, false, true);
        (self.urgent, self.refusal) = (None, None);
        self.outbox.reset();
        self.played = Played::default();
        self.telemetry.queue_fill = 0;
        self.arming = Some(Arming { first: self.header.sequence, began_s: now_s, sent_s: now_s });
        self.say_arm(now_s);
        self.listen(now_s);
        match self.refusal.take() {
            Some((what, state)) => Err(self.refused(what, state)),
            None => Ok(()),
        }
    }

    fn room(&self) -> usize {
        let credit = self.credit();
        if credit < self.settings.batch { 0 } else { credit }
    }

    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> Result<(), StimulatorError> {
        self.line.advance(now_s);
        self.listen(now_s);
        if self.lost.is_none()
            && let Some(why) = self.line.lost()
        {
            self.lose(why);
        }
        if let Some(why) = self.lost {
            return Err(self.lost_error(why));
        }
        if let Some((what, state)) = self.refusal.take() {
            return Err(self.refused(what, state));
        }
        let state = self.telemetry.state;
        if self.urgent.is_some() {
            return Err(self.refused("samples after a stop", state));
        }
        if self.arming.is_none() && matches!(state, State::Disarmed | State::Fault) {
            return Err(self.refused("samples", state));
        }
        if samples_ma.len() > self.credit() {
            return Err(self.refused("more samples than its queue has room for", state));
        }
        if !self.burst_open {
            (self.burst, self.burst_open) = (self.burst + 1, true);
            self.played.begin(self.outbox.made(), std::mem::take(&mut self.stopped));
        }
        self.outbox.push(samples_ma);
        self.exchange(now_s);
        match self.refusal.take() {
            Some((what, state)) => Err(self.refused(what, state)),
            None => Ok(()),
        }
    }

    fn stop(&mut self, how: Stop, now_s: f64) {
        self.line.advance(now_s);
        let message = match how {
            Stop::Soft => StopWord::Soft,
            Stop::Fast => StopWord::Fast,
            Stop::Cut => StopWord::Cut,
        };
        self.urge(message, now_s);
    }

    fn poll(&mut self, now_s: f64, delivered: &mut dyn FnMut(Delivered)) -> Status {
        self.line.advance(now_s);
        self.watch_silence(now_s);
        self.listen(now_s);
        if self.connected && self.lost.is_none() {
            if let Some(why) = self.line.lost() {
                self.lose(why);
            } else if self.silence_s > self.settings.silent_after_s {
                self.lose("it has fallen silent");
            }
            if self.lost.is_some() {
                // Should anything still get through, it is this.
                self.urge(StopWord::Fast, now_s);
            }
        }
        if self.connected {
            self.keep_up(now_s);
            self.exchange(now_s);
        }
        if !self.line.delivered(delivered) {
            self.played.heed(&self.telemetry, &self.outbox, &self.clock, delivered);
        }
        self.status()
    }

    fn disarm(&mut self, now_s: f64) {
        self.line.advance(now_s);
        self.urge(StopWord::Disarm, now_s);
    }
}

#[cfg(test)]
mod tests;

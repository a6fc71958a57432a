//! Who is there? Hello, faults, limits: everything that must be right before a device may be armed.
//!
//! Bounded by [`WITHIN_S`], whatever is at the other end: a board that is reset by being opened answers the
//! third or tenth hello, a USB bridge that collects bytes for 16 ms answers late, and some other device never
//! says anything that bears a right CRC.

use tras_wire::{DeviceMessage, Fault, FrameError, Header, HostMessage, Limits, Refusal, State, VERSION};

use super::{Arming, Line, Linked, unknown};
use crate::stimulator::{Latched, StimulatorError, difference};

/// The whole handshake takes at most this long, in s.
const WITHIN_S: f64 = 1.9;
/// An unanswered word is said again after this, in s: six USB buffers there and back.
const AGAIN_S: f64 = 0.1;
/// Round trips measured before arming, so that the clock is known.
const PINGS: usize = 10;

/// What came that was not a frame of ours, for telling a person what else it may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strange {
    bytes: u64,
    printable: u64,
    own: u64,
    version: Option<u8>,
}

impl Strange {
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes += 1;
        self.printable += u64::from(matches!(byte, b' '..=b'~' | b'\r' | b'\n'));
    }

    pub(super) fn frame(&mut self, error: FrameError) {
        match error {
            FrameError::Version { got, .. } => self.version = Some(got),
            // A right CRC around a host's message: our own words come back.
            FrameError::Body => self.own += 1,
            _ => {}
        }
    }

    fn describe(&self) -> String {
        if let Some(version) = self.version {
            return format!(
                "its firmware speaks version {version} of the protocol, this program version {VERSION}; flash the firmware that belongs to this release"
            );
        }
        if self.bytes == 0 {
            return "it says nothing; is it the right port, has the board power, is its firmware flashed?"
                .into();
        }
        if self.own > 0 {
            return "it sends back what it is sent: a loopback plug or some other device, not a stimulator"
                .into();
        }
        if self.printable * 10 >= self.bytes * 9 {
            return format!(
                "it sends text ({} bytes), as a GPS or a console does: some other device",
                self.bytes
            );
        }
        format!("it sends {} bytes and no frame of ours: some other device, or another baud rate", self.bytes)
    }
}

impl<L: Line> Linked<L> {
    /// See [`crate::stimulator::Stimulator::connect`].
    pub(super) fn shake_hands(
        &mut self,
        wanted: &Limits,
        latched: Latched,
        now_s: f64,
    ) -> Result<Limits, StimulatorError> {
        self.forget();
        self.line.advance(now_s);
        self.line.open()?;
        let mut now_s = now_s;
        let until_s = now_s + WITHIN_S;
        // Not the last session's number: the device takes the same hello for a repeat of it.
        let nonce = self.header.nonce.wrapping_add(0x9E37_79B9) ^ now_s.to_bits() as u32;
        self.header = Header { nonce, sequence: 0 };

        let hello = |m: &DeviceMessage| matches!(m, DeviceMessage::Hello(_)).then_some(());
        if self.ask(&HostMessage::Hello, &mut now_s, until_s, hello)?.is_none() {
            return Err(self.not_found(self.strange.describe()));
        }
        if let Some(identity) = self.identity.filter(|identity| identity.rate_hz == 0) {
            return Err(self.not_found(format!("it says that it takes {} samples/s", identity.rate_hz)));
        }
        self.check_rules()?;
        self.await_state(latched, &mut now_s, until_s)?;
        let echo = |m: &DeviceMessage| if let DeviceMessage::Limits(l) = m { Some(*l) } else { None };
        let Some(echo) = self.ask(&HostMessage::Limits(*wanted), &mut now_s, until_s, echo)? else {
            return Err(self.not_found("it answers hello and does not echo the limits".into()));
        };
        if let Some((key, wanted, got)) = difference(wanted, &echo) {
            return Err(StimulatorError::LimitsDiffer { device: self.device(), key, wanted, got });
        }
        self.limits = Some(echo);
        for _ in 0..PINGS {
            self.ping(&mut now_s, until_s)?;
        }
        self.connected = true;
        self.polled_s = Some(now_s);
        Ok(echo)
    }

    fn forget(&mut self) {
        (self.connected, self.newest, self.identity, self.limits) = (false, None, None, None);
        (self.strange, self.telemetry, self.lost) = (Default::default(), unknown(), None);
        (self.clock, self.played) = Default::default();
        self.cleared = None;
        self.outbox.reset();
        (self.burst, self.burst_open, self.opening, self.stopped) = (0, false, None, true);
        (self.urgent, self.arming, self.refusal) = (None, None::<Arming>, None);
        (self.at, self.filled, self.silence_s, self.polled_s) = (0, 0, 0.0, None);
        self.heartbeat_s = f64::NEG_INFINITY;
    }

    fn not_found(&self, detail: String) -> StimulatorError {
        StimulatorError::NotFound { device: self.device(), detail: detail.into() }
    }

    /// At rest, without a fault: one that was latched in an earlier run is cleared only where a person says so.
    fn await_state(
        &mut self,
        latched: Latched,
        now_s: &mut f64,
        until_s: f64,
    ) -> Result<(), StimulatorError> {
        loop {
            self.ping(now_s, until_s)?;
            if let Some(Fault { code, value, .. }) = self.telemetry.fault
                && latched != Latched::Clear(code)
            {
                return Err(StimulatorError::Faulted { device: self.device(), code, value });
            }
            if let Some(fault) = self.telemetry.fault.filter(|_| !self.telemetry.relay_closed) {
                self.clear(fault, now_s, until_s)?;
                // There may be a second, graver one behind it, which needs a word of its own.
                continue;
            }
            // A session that was running is ended by hello, within 100 ms.
            if self.telemetry.state == State::Disarmed {
                return Ok(());
            }
            *now_s += self.line.wait();
            if *now_s >= until_s {
                return Err(self.refused("limits", self.telemetry.state));
            }
        }
    }

    /// Clears the one fault that a person has named.
    fn clear(&mut self, fault: Fault, now_s: &mut f64, until_s: f64) -> Result<(), StimulatorError> {
        let answer = |m: &DeviceMessage| match m {
            DeviceMessage::Acknowledge { .. } => Some(None),
            DeviceMessage::Refused { why, .. } if *why != Refusal::Session => Some(Some(*why)),
            _ => None,
        };
        let answer = self.ask(&HostMessage::ClearFault(fault.code), now_s, until_s, answer)?;
        self.ping(now_s, until_s)?;
        if self.telemetry.fault.is_none_or(|now| now.code != fault.code) {
            self.cleared = Some(fault);
            return Ok(());
        }
        let why = match answer.flatten() {
            Some(Refusal::PowerCycle) => {
                "it has been cleared three times within an hour; mend its cause, then switch the device off for ten seconds"
            }
            Some(Refusal::EStop) => "the emergency stop is pressed",
            Some(_) => "it refuses",
            None => "it comes again at once, or nothing answers; its cause is still there",
        };
        Err(StimulatorError::NotCleared { device: self.device(), code: fault.code, value: fault.value, why })
    }

    /// The device was built from the rules that this program knows, and its memory still holds the limits that stand
    /// above everything.
    fn check_rules(&self) -> Result<(), StimulatorError> {
        let Some(identity) = &self.identity else { return Ok(()) };
        if let Some((key, wanted, got)) = difference(&tras_device::hard::LIMITS, &identity.hard) {
            return Err(self.not_found(format!(
                "its own hard limit {key} is {got} where this program knows {wanted}: its memory is corrupt, or its firmware another; do not use it before it is flashed anew"
            )));
        }
        if identity.build != tras_device::BUILD {
            return Err(self.not_found(format!(
                "its firmware was built from other rules ({:08x}, this program from {:08x}): flash the firmware that belongs to this release",
                identity.build, tras_device::BUILD
            )));
        }
        Ok(())
    }

    fn ping(&mut self, now_s: &mut f64, until_s: f64) -> Result<(), StimulatorError> {
        let echo = self.header.sequence;
        self.clock.ask(echo, *now_s);
        let message = HostMessage::Heartbeat { echo };
        let answer =
            |m: &DeviceMessage| matches!(m, DeviceMessage::Telemetry(t) if t.echo == echo).then_some(());
        match self.ask(&message, now_s, until_s, answer)? {
            Some(()) => Ok(()),
            None => Err(self.not_found("it answers hello and no heartbeat".into())),
        }
    }

    /// Says something until it is answered; `None` where it is not in time.
    fn ask<T>(
        &mut self,
        message: &HostMessage,
        now_s: &mut f64,
        until_s: f64,
        answer: impl Fn(&DeviceMessage) -> Option<T>,
    ) -> Result<Option<T>, StimulatorError> {
        let mut said_s = f64::NEG_INFINITY;
        loop {
            if *now_s - said_s >= AGAIN_S {
                self.say(message);
                said_s = *now_s;
            }
            while let Some(heard) = self.hear(*now_s) {
                if let Some(got) = answer(&heard) {
                    return Ok(Some(got));
                }
                if let DeviceMessage::Refused { state, why, .. } = heard {
                    // One that is reset by being opened may forget the session once.
                    if why == tras_wire::Refusal::Session && !matches!(message, HostMessage::Hello) {
                        let detail = "it was reset during the handshake; connect once more".to_owned();
                        return Err(self.not_found(detail));
                    }
                    if matches!(message, HostMessage::Limits(_)) {
                        return Err(self.refused("limits", state));
                    }
                }
            }
            if let Some(why) = self.line.lost() {
                return Err(self.lost_error(why));
            }
            *now_s += self.line.wait();
            if *now_s >= until_s {
                return Ok(None);
            }
        }
    }
}

//! What the device says: which frames count, and what each changes.

use tras_wire::{DeviceMessage, Frame, Refusal, State, Telemetry};

use super::{Line, Linked};

impl<L: Line> Linked<L> {
    /// Takes in whatever has come.
    pub(super) fn listen(&mut self, now_s: f64) {
        // A line that never ends is read for a while and no longer: time must go on.
        for _ in 0..1_024 {
            if self.hear(now_s).is_none() {
                break;
            }
        }
    }

    /// The next message that has come, already heeded.
    pub(super) fn hear(&mut self, now_s: f64) -> Option<DeviceMessage> {
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
    pub(super) fn admits(&mut self, frame: &Frame<DeviceMessage>) -> bool {
        if let DeviceMessage::Refused { why: Refusal::Session, .. } = frame.message {
            // A device that was reset has forgotten the session, and says so under another number. Under ours it
            // speaks of a frame that was not ours.
            return frame.header.nonce != self.header.nonce;
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

    pub(super) fn heed(&mut self, frame: &Frame<DeviceMessage>, now_s: f64) {
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

    pub(super) fn heed_telemetry(&mut self, telemetry: &Telemetry, now_s: f64) {
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

    pub(super) fn heed_answer(&mut self, sequence: u32, next_index: u64) {
        // Before arming is heard the device's count is the last arming's.
        if self.arming.is_none() {
            self.outbox.answered(sequence, next_index);
            self.opening = self.opening.filter(|&first| next_index <= first);
        }
    }

    pub(super) fn heed_refusal(&mut self, sequence: u32, why: Refusal, state: State) {
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
            let what = match why {
                Refusal::Dose => {
                    "arm: what has flowed since it was switched on leaves nothing within these limits; for another participant switch it off for ten seconds, else wait for tomorrow"
                }
                Refusal::EStop => "arm: its emergency stop is pressed",
                _ => "arm",
            };
            self.refusal = Some((what, state));
            return;
        }
        let Some(start) = self.outbox.start_of(sequence) else { return };
        if why == Refusal::BurstOver && self.burst_open {
            // The burst rested at zero and the device has ended it; a stop of ours would have told us so.
            self.burst += 1;
            self.opening = Some(start);
            self.played.begin(start, false);
            self.outbox.go_back(start);
        } else {
            self.outbox.drop_all();
            self.refusal = Some(("samples", state));
        }
    }

    pub(super) fn armed(&mut self) {
        self.arming = None;
        self.telemetry.state = State::Armed;
    }
}

//! What the host says: samples as far as there is credit, stops until they are heard, heartbeats while someone
//! calls.

use tras_wire::{HostMessage, MAX_FRAME, Samples, Stop, encode};

use super::{Line, Linked, StopWord, Urgent};

/// How long an arming lasts without a burst, in ms: the longest gap between blocks and some slack.
const ARM_VALID_MS: u32 = 300_000;
/// What must be heard is said again after this, in s.
const REPEAT_S: f64 = 0.040;
/// Samples of the frame that opens a burst: fewer than the device waits for before it begins.
const OPENING: usize = 8;
/// An arming that is not answered for this long has failed, in s.
const ARM_WITHIN_S: f64 = 1.0;

impl<L: Line> Linked<L> {
    /// Sends one frame; gives its number if the line took it.
    pub(super) fn say(&mut self, message: &HostMessage) -> Option<u32> {
        let mut frame = [0_u8; MAX_FRAME];
        let length = encode(self.header, message, &mut frame).ok()?;
        if !self.line.send(frame.get(..length)?) {
            return None;
        }
        let sequence = self.header.sequence;
        self.header.sequence = sequence.wrapping_add(1);
        Some(sequence)
    }

    /// Sends what waits, as far as line and device take it.
    pub(super) fn flush(&mut self) {
        if self.arming.is_some() || self.lost.is_some() {
            return;
        }
        while let Some((index, mut count)) = self.outbox.next() {
            if self.opening.is_some() {
                // A burst begins with whatever frame comes first: until that is known to be its first, and too
                // short to be played, no other may follow.
                if self.outbox.is_awaiting() {
                    break;
                }
                count = count.min(OPENING);
            }
            let current_ma = (index..index + count as u64).filter_map(|k| self.outbox.sample(k)).collect();
            let message = HostMessage::Samples(Samples { burst: self.burst, index, current_ma });
            let Some(sequence) = self.say(&message) else { break };
            self.outbox.went(sequence, count);
        }
    }

    /// Sends and hears until there is nothing more to do; over a line that answers at once, until all is said.
    pub(super) fn exchange(&mut self, now_s: f64) {
        for _ in 0..8 {
            self.flush();
            self.listen(now_s);
            if self.outbox.next().is_none() {
                break;
            }
        }
    }

    pub(super) fn urge(&mut self, message: StopWord, now_s: f64) {
        let graver = self.urgent.map_or(message, |urgent| urgent.message.max(message));
        self.outbox.drop_all();
        (self.burst_open, self.stopped, self.arming) = (false, true, None);
        let first = self.header.sequence;
        self.urgent = Some(Urgent { message: graver, first, last: first, sent_s: now_s, heard: false });
        self.say_urgent(now_s);
        self.listen(now_s);
    }

    pub(super) fn say_urgent(&mut self, now_s: f64) {
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

    pub(super) fn say_arm(&mut self, now_s: f64) {
        let Some(limits) = self.limits else { return };
        let sequence = self.say(&HostMessage::Arm { limits, valid_ms: ARM_VALID_MS });
        if let (Some(arming), Some(_)) = (&mut self.arming, sequence) {
            arming.sent_s = now_s;
        }
    }

    /// Repeats what has not been heard, and says that the host is alive.
    pub(super) fn keep_up(&mut self, now_s: f64) {
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

    pub(super) fn beat(&mut self, now_s: f64) {
        let echo = self.header.sequence;
        if self.say(&HostMessage::Heartbeat { echo }).is_some() {
            (self.heartbeat_s, self.beaten) = (now_s, echo);
            self.clock.ask(echo, now_s);
        }
    }
}

/// Whether `every_s` have gone by since `last_s`; a clock that jumps makes things due, one that is no number
/// does not.
fn due(last_s: f64, now_s: f64, every_s: f64) -> bool {
    now_s.is_finite() && !(0.0..every_s).contains(&(now_s - last_s))
}

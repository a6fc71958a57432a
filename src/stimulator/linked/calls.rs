//! The calls of the loop.

use tras_wire::{Limits, State, Stop};

use super::{Arming, Line, Linked, StopWord, played::Played};
use crate::stimulator::{Delivered, Latched, Status, Stimulator, StimulatorError};

impl<L: Line> Stimulator for Linked<L> {
    fn name(&self) -> &str {
        self.line.name()
    }

    fn cautions(&self) -> Vec<String> {
        let mut cautions = self.line.cautions();
        if let Some(fault) = &self.cleared {
            let (name, code, value) = (self.name(), fault.code, fault.value);
            cautions.push(format!("{name}: its fault {code} ({value}) of an earlier run was cleared"));
        }
        let flowed_mc = self.telemetry.total_charge_mc;
        if flowed_mc > 0.0 {
            let what = "have flowed since it was switched on and count against this run's limits; for another participant switch it off for ten seconds";
            cautions.push(format!("{}: {flowed_mc:.1} mC {what}", self.name()));
        }
        if let Some(identity) = &self.identity {
            if identity.crystal_failed {
                let what =
                    "its crystal did not start: its clock is off by up to 1 %, and so are rate and durations";
                cautions.push(format!("{}: {what}", self.name()));
            }
            if identity.emulated && self.line.is_wire() {
                let what = "its firmware was built for an emulator: no current leaves it";
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

    fn connect(&mut self, wanted: &Limits, latched: Latched, now_s: f64) -> Result<Limits, StimulatorError> {
        self.shake_hands(wanted, latched, now_s)
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
            self.opening = Some(self.outbox.made());
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

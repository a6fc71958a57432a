//! The device's clock against the host's, from heartbeats and the telemetry that answers them.
//!
//! A heartbeat's answer was written between its sending and its arrival. Of the last second's the one with the
//! shortest round trip says it best (Cristian 1989); the error is at most half of that round trip.

/// Round trips looked at: about a second.
const KEPT: usize = 20;
/// Heartbeats under way at most; an older one is given up.
const ASKED: usize = 8;

/// Round trips and what they say of the device's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    asked: [Option<(u32, f64)>; ASKED],
    next_asked: usize,
    /// Round trip, and host minus device time, in s.
    past: [Option<(f64, f64)>; KEPT],
    next: usize,
    newest_s: Option<f64>,
}

impl Clock {
    /// A heartbeat with this echo goes out.
    pub(super) fn ask(&mut self, echo: u32, now_s: f64) {
        if let Some(slot) = self.asked.get_mut(self.next_asked) {
            *slot = Some((echo, now_s));
        }
        self.next_asked = (self.next_asked + 1) % ASKED;
    }

    /// Whether the heartbeat with this echo has been answered, or given up.
    pub(super) fn is_answered(&self, echo: u32) -> bool {
        !self.asked.iter().flatten().any(|(asked, _)| *asked == echo)
    }

    /// Telemetry with this echo has come, written at `device_us`. Only the first answer to a heartbeat counts.
    pub(super) fn answer(&mut self, echo: u32, device_us: u64, now_s: f64) {
        let slot = self.asked.iter_mut().find(|slot| slot.is_some_and(|(asked, _)| asked == echo));
        let Some((_, asked_s)) = slot.and_then(Option::take) else { return };
        let round_trip_s = now_s - asked_s;
        if !(0.0..10.0).contains(&round_trip_s) {
            return; // The caller's clock has jumped.
        }
        self.newest_s = Some(round_trip_s);
        if let Some(slot) = self.past.get_mut(self.next) {
            *slot = Some((round_trip_s, asked_s + round_trip_s / 2.0 - device_us as f64 * 1e-6));
        }
        self.next = (self.next + 1) % KEPT;
    }

    /// The newest round trip, in s.
    pub(super) fn round_trip_s(&self) -> Option<f64> {
        self.newest_s
    }

    /// The host's time of a time of the device's.
    pub(super) fn host_s(&self, device_us: u64) -> Option<f64> {
        let best = self.past.iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(best.1 + device_us as f64 * 1e-6)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_shortest_round_trip_gives_the_time() {
        let mut clock = Clock::default();
        assert_eq!(clock.host_s(0), None);
        for (k, (out_s, back_s)) in [(0.016, 0.001), (0.001, 0.001), (0.002, 0.016)].into_iter().enumerate() {
            let sent_s = 100.0 + k as f64;
            clock.ask(k as u32, sent_s);
            // The device started at 90 s of the host's clock.
            clock.answer(k as u32, ((sent_s + out_s - 90.0) * 1e6) as u64, sent_s + out_s + back_s);
            // Once more, late: no answer of anything.
            clock.answer(k as u32, 0, sent_s + 0.5);
        }
        assert!((clock.host_s(5_000_000).unwrap() - 95.0).abs() < 1e-5);
        assert!((clock.round_trip_s().unwrap() - 0.018).abs() < 1e-9);
    }
}

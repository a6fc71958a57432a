//! When silence means loss: how the sender paces its samples.
//!
//! A stream is silent for too long when nothing has come for `lost_after_s`. A sender that hands out a
//! second of samples at once would then be lost every second. So the length of its chunks is measured: the
//! data time that arrives at once, less the time it took, less what our own stall has piled up. The limit
//! rises above one and a half chunks, and the chunk is told, because it is also the lag of the oldest
//! sample. One long chunk between short ones is a hiccup of the network and raises nothing.

/// Samples with less than this between them have come at once, seconds.
const AT_ONCE_S: f64 = 0.01;
/// How long a stream may take to send its first sample, seconds.
const FIRST_SAMPLE_S: f64 = 2.0;
/// No chunk is longer, seconds: beyond it silence is loss, whatever the sender's habits.
const LONGEST_CHUNK_S: f64 = 10.0;

/// A sender whose chunks are so long that loss is noticed later than asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SenderLag {
    /// Data time in one chunk: the oldest sample is so late, seconds.
    pub chunk_s: f64,
    /// Loss is noticed after this instead of the setting, seconds.
    pub lost_after_s: f64,
}

/// Watches the arrivals of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    setting_s: f64,
    rate_hz: f64,
    /// The chunk that is coming in: its samples, when it began, and our stalls in it.
    samples: u64,
    began_s: f64,
    stalled_s: f64,
    last_arrival_s: f64,
    /// Data time of the chunk before, and what counts as the sender's habit.
    before_s: f64,
    chunk_s: f64,
    first: bool,
}

impl Pacing {
    pub(super) fn new(lost_after_s: f64, rate_hz: f64, now_s: f64) -> Self {
        Self {
            setting_s: lost_after_s,
            rate_hz,
            samples: 0,
            began_s: now_s,
            stalled_s: 0.0,
            last_arrival_s: now_s,
            before_s: f64::INFINITY,
            chunk_s: 0.0,
            first: true,
        }
    }

    /// A new connection: the sender's habit stays, its first sample may take a while again.
    pub(super) fn reconnected(&mut self, now_s: f64) {
        *self = Self {
            before_s: self.before_s,
            chunk_s: self.chunk_s,
            ..Self::new(self.setting_s, self.rate_hz, now_s)
        };
    }

    /// `count` samples came at `now_s`; for `stall_s` before nobody had looked.
    pub(super) fn arrived(&mut self, count: usize, now_s: f64, stall_s: f64) {
        if self.first || now_s - self.last_arrival_s > AT_ONCE_S {
            let ended_s = self.at_once_s();
            if self.samples > 0 {
                self.before_s = ended_s;
            }
            (self.samples, self.began_s, self.stalled_s) = (0, now_s, 0.0);
        }
        self.first = false;
        self.samples += count as u64;
        self.stalled_s += stall_s;
        self.last_arrival_s = now_s;
        // The habit is what two chunks in a row have in common; the very first stands for itself.
        let habit_s = self.at_once_s().min(self.before_s);
        self.chunk_s =
            if habit_s > self.chunk_s { habit_s } else { self.chunk_s + 0.02 * (habit_s - self.chunk_s) };
    }

    /// Time in which nobody looked does not count as silence.
    pub(super) fn stalled(&mut self, stall_s: f64) {
        self.last_arrival_s += stall_s;
    }

    /// Whether nothing has come for too long.
    pub(super) fn is_silent(&self, now_s: f64) -> bool {
        let limit_s = self.lost_after_s();
        now_s - self.last_arrival_s > if self.first { limit_s.max(FIRST_SAMPLE_S) } else { limit_s }
    }

    /// Set where the sender's chunks are too long for the setting.
    pub(super) fn lag(&self) -> Option<SenderLag> {
        let lost_after_s = self.lost_after_s();
        (lost_after_s > self.setting_s).then_some(SenderLag { chunk_s: self.chunk_s, lost_after_s })
    }

    fn lost_after_s(&self) -> f64 {
        self.setting_s.max(1.5 * self.chunk_s + 0.1)
    }

    /// Data time that has come at once, less our own stalls.
    fn at_once_s(&self) -> f64 {
        let took_s = self.last_arrival_s - self.began_s;
        (self.samples as f64 / self.rate_hz - took_s - self.stalled_s).clamp(0.0, LONGEST_CHUNK_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls every ms; `arrivals(ms)` samples have come by then.
    fn run(pacing: &mut Pacing, from_ms: u32, to_ms: u32, arrivals: impl Fn(u32) -> usize) -> u32 {
        let mut silent = 0;
        for ms in from_ms..to_ms {
            let now_s = f64::from(ms) / 1e3;
            match arrivals(ms) {
                0 => silent += u32::from(pacing.is_silent(now_s)),
                count => pacing.arrived(count, now_s, 0.0),
            }
        }
        silent
    }

    #[test]
    fn a_smooth_sender_is_lost_after_the_setting() {
        let mut pacing = Pacing::new(0.4, 250.0, 0.0);
        assert_eq!(run(&mut pacing, 0, 5000, |ms| usize::from(ms % 4 == 0)), 0);
        assert_eq!(pacing.lag(), None);
        assert!(!pacing.is_silent(5.39) && pacing.is_silent(5.41));
    }

    #[test]
    fn chunks_of_a_second_are_told_and_not_lost() {
        let mut pacing = Pacing::new(0.4, 250.0, 0.0);
        assert_eq!(run(&mut pacing, 0, 20_000, |ms| if ms % 1000 == 999 { 250 } else { 0 }), 0);
        let lag = pacing.lag().unwrap_or(SenderLag { chunk_s: 0.0, lost_after_s: 0.0 });
        assert!((lag.chunk_s - 1.0).abs() < 0.01 && (lag.lost_after_s - 1.6).abs() < 0.02, "{lag:?}");
        assert!(pacing.is_silent(22.0));
    }

    #[test]
    fn one_hiccup_raises_nothing() {
        let mut pacing = Pacing::new(0.4, 250.0, 0.0);
        let silent = run(&mut pacing, 0, 20_000, |ms| match ms {
            10_000..=12_999 => 0,
            13_000 => 750,
            ms => usize::from(ms % 4 == 0),
        });
        assert!(silent > 2000);
        assert_eq!(pacing.lag(), None);
    }

    #[test]
    fn our_own_stall_is_not_the_senders_chunk() {
        let mut pacing = Pacing::new(0.4, 250.0, 0.0);
        run(&mut pacing, 0, 1000, |ms| usize::from(ms % 4 == 0));
        for k in 1..4u32 {
            pacing.stalled(2.0);
            assert!(!pacing.is_silent(1.0 + 2.0 * f64::from(k)));
            pacing.arrived(500, 1.0 + 2.0 * f64::from(k), 2.0);
        }
        assert_eq!(pacing.lag(), None);
    }
}

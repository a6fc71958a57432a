//! The queue played at the DAC's rate: straight lines between samples, and a fade where the next is missing.
//!
//! Straight lines never leave the range of the samples, so a limit that the samples keep is kept between
//! them too. Their price is a droop of sinc^2(f / 2,000 Hz): 0.07 dB at 100 Hz, 1.5 dB at 450 Hz, 3 dB at
//! 640 Hz, and images of the band around multiples of 2 kHz, for the analogue filter to take.

use crate::hard::{FAST_STOP_US, PREFILL, REST_SAMPLES, SAMPLE_US};
use crate::queue::Queue;
use crate::ramp::Ramp;

/// What the player has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Samples, or a fade that can still be turned round.
    Playing,
    /// The queue ran dry after zeros: the burst has ended.
    Ended,
    /// The queue ran dry under current and the fade has come to zero.
    Starved,
}

/// Plays one burst after another.
#[derive(Clone, Debug)]
pub(crate) struct Player {
    pub queue: Queue,
    from_ma: f32,
    to_ma: f32,
    phase_us: u32,
    dry_us: u32,
    dry: bool,
    fade: Ramp,
    zeros: u32,
    /// `to_ma` is a sample that has left the queue and is not reached yet.
    under_way: bool,
    delivered: u64,
    underruns: u32,
}

impl Player {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            queue: Queue::new(capacity),
            from_ma: 0.0,
            to_ma: 0.0,
            phase_us: 0,
            dry_us: 0,
            dry: false,
            fade: Ramp::FULL,
            zeros: 0,
            under_way: false,
            delivered: 0,
            underruns: 0,
        }
    }

    /// Ready for a burst whose first sample has this index; the queue is emptied.
    pub(crate) fn rewind(&mut self, index: u64) {
        self.queue.clear();
        (self.from_ma, self.to_ma, self.phase_us) = (0.0, 0.0, SAMPLE_US);
        (self.dry, self.dry_us, self.fade) = (false, 0, Ramp::FULL);
        (self.zeros, self.under_way, self.delivered) = (0, false, index);
    }

    /// Samples that a burst, or the end of a dry spell, waits for.
    pub(crate) fn prefill(&self) -> usize {
        PREFILL.min(self.queue.capacity().div_ceil(2))
    }

    /// The current after `dt_us` more. A tick that comes late plays slower; it never skips a sample.
    pub(crate) fn advance(&mut self, dt_us: u32) -> (f32, Flow) {
        if self.dry {
            return self.advance_dry(dt_us);
        }
        self.fade.rise(dt_us, FAST_STOP_US);
        self.phase_us += dt_us.min(SAMPLE_US);
        if self.phase_us >= SAMPLE_US {
            self.phase_us -= SAMPLE_US;
            self.from_ma = self.to_ma;
            self.delivered = self.delivered.saturating_add(u64::from(self.under_way));
            self.under_way = false;
            match self.queue.pop() {
                Some(next) => {
                    (self.to_ma, self.under_way) = (next, true);
                    self.zeros = if next == 0.0 { self.zeros.saturating_add(1) } else { 0 };
                }
                None => {
                    self.phase_us = 0;
                    (self.dry, self.dry_us) = (true, 0);
                    if !self.rests() {
                        self.underruns = self.underruns.wrapping_add(1);
                    }
                }
            }
        }
        (self.current(), Flow::Playing)
    }

    fn advance_dry(&mut self, dt_us: u32) -> (f32, Flow) {
        self.dry_us = self.dry_us.saturating_add(dt_us);
        if self.queue.len() >= self.prefill() {
            // Back before the fade came to zero: it turns round from where it is.
            (self.dry, self.phase_us) = (false, SAMPLE_US);
            return (self.current_held(), Flow::Playing);
        }
        if self.rests() {
            return (0.0, Flow::Ended);
        }
        self.fade.fall(dt_us, FAST_STOP_US);
        (self.current_held(), if self.fade.is_zero() { Flow::Starved } else { Flow::Playing })
    }

    fn rests(&self) -> bool {
        self.zeros >= REST_SAMPLES
    }

    fn current(&self) -> f32 {
        let share = self.phase_us as f32 / SAMPLE_US as f32;
        (self.from_ma + share * (self.to_ma - self.from_ma)) * self.fade.gain()
    }

    fn current_held(&self) -> f32 {
        self.to_ma * self.fade.gain()
    }

    /// The index after the last sample that the current has reached.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(crate) fn underruns(&self) -> u32 {
        self.underruns
    }

    pub(crate) fn dry_us(&self) -> u32 {
        self.dry_us
    }
}

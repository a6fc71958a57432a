//! Is the current that flows the current that was asked for?
//!
//! The mean error over 50 ms is compared with a fixed limit and with a share of the mean |current|: a gain
//! that is 10 % wrong never makes a large error at any moment of noise, but always a large share.

use tras_wire::FaultCode;

use crate::device::Reading;
use crate::hard::{READBACK_FLOOR_MA, READBACK_MA, READBACK_PART_US, READBACK_SHARE, READBACK_SILENCE_US};

/// Parts of 10 ms in the 50 ms that are looked at.
const PARTS: usize = 5;

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    error_ma: f32,
    commanded_ma: f32,
    readings: u32,
}

/// Compares measured with commanded current.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readback {
    parts: [Part; PARTS],
    next: usize,
    filled: usize,
    part: Part,
    part_us: u32,
    silent_us: u32,
    above: u8,
    measured_ma: Option<f32>,
}

impl Readback {
    /// What was measured last.
    pub(crate) fn measured_ma(&self) -> Option<f32> {
        self.measured_ma
    }

    /// Takes one tick's reading, if there is one; says what is broken. `peak_ma` is the limit in force.
    pub(crate) fn check(
        &mut self,
        reading: Option<&Reading>,
        peak_ma: f32,
        dt_us: u32,
    ) -> Option<(FaultCode, f32)> {
        self.part_us = self.part_us.saturating_add(dt_us);
        self.silent_us = self.silent_us.saturating_add(dt_us);
        if let Some(r) = reading {
            self.silent_us = 0;
            self.measured_ma = Some(r.current_ma);
            // A measurement that is no number is the largest error there is.
            let error = (r.current_ma - r.commanded_ma).abs();
            self.part.error_ma += if error.is_finite() { error } else { 1e3 };
            self.part.commanded_ma += r.commanded_ma.abs();
            self.part.readings += 1;
            // The limit may be reached, and the measurement may err by what the readback check allows.
            let allowed_ma = peak_ma + READBACK_MA.max(READBACK_SHARE * peak_ma);
            self.above = if r.current_ma.abs() > allowed_ma { self.above.saturating_add(1) } else { 0 };
            if self.above >= 2 {
                return Some((FaultCode::OverCurrent, r.current_ma));
            }
        }
        if self.silent_us > READBACK_SILENCE_US {
            // Unseen, the error may be as large as the current is allowed to be.
            return Some((FaultCode::Readback, peak_ma));
        }
        if self.part_us >= READBACK_PART_US {
            self.close_part();
            return self.judge();
        }
        None
    }

    fn close_part(&mut self) {
        if let Some(slot) = self.parts.get_mut(self.next) {
            *slot = self.part;
        }
        self.next = (self.next + 1) % PARTS;
        self.filled = (self.filled + 1).min(PARTS);
        (self.part, self.part_us) = (Part::default(), 0);
    }

    fn judge(&self) -> Option<(FaultCode, f32)> {
        let sum = |pick: fn(&Part) -> f32| self.parts.iter().map(pick).sum::<f32>();
        let readings = sum(|p| p.readings as f32);
        if self.filled < PARTS || readings == 0.0 {
            return None;
        }
        let error_ma = sum(|p| p.error_ma) / readings;
        let share_ma = READBACK_SHARE * sum(|p| p.commanded_ma) / readings;
        let broken = error_ma > READBACK_MA || error_ma > share_ma.max(READBACK_FLOOR_MA);
        broken.then_some((FaultCode::Readback, error_ma))
    }
}

//! Impedance from the current and the voltage that are measured while stimulating: no test current of its
//! own, so nothing is said while none flows.
//!
//! Each 100 ms the real part by least squares, sum(v i) / sum(i^2); V / mA = kOhm.

use tras_wire::FaultCode;

use crate::device::Reading;
use crate::hard::{IMPEDANCE_JUMP, IMPEDANCE_KOHM, IMPEDANCE_PART_US, IMPEDANCE_PARTS, IMPEDANCE_RMS_MA};

/// Estimates in the second over which a jump is looked for.
const PAST: usize = 10;

/// Estimates and judges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Impedance {
    vi: f32,
    ii: f32,
    readings: u32,
    part_us: u32,
    past: [Option<f32>; PAST],
    next: usize,
    high: u8,
    low: u8,
    jumps: u8,
    newest: Option<f32>,
}

impl Impedance {
    pub(crate) fn kohm(&self) -> Option<f32> {
        self.newest
    }

    pub(crate) fn check(&mut self, reading: Option<&Reading>, dt_us: u32) -> Option<(FaultCode, f32)> {
        if let Some(r) = reading {
            self.vi += r.voltage_v * r.current_ma;
            self.ii += r.current_ma * r.current_ma;
            self.readings += 1;
        }
        self.part_us = self.part_us.saturating_add(dt_us);
        if self.part_us < IMPEDANCE_PART_US {
            return None;
        }
        let mean_square = self.ii / self.readings.max(1) as f32;
        let kohm = self.vi / self.ii;
        (self.vi, self.ii, self.readings, self.part_us) = (0.0, 0.0, 0, 0);
        let measured = mean_square >= IMPEDANCE_RMS_MA * IMPEDANCE_RMS_MA && kohm.is_finite();
        self.judge(measured.then_some(kohm))
    }

    fn judge(&mut self, kohm: Option<f32>) -> Option<(FaultCode, f32)> {
        let past = self.past;
        if let Some(slot) = self.past.get_mut(self.next) {
            *slot = kohm;
        }
        self.next = (self.next + 1) % PAST;
        let kohm = kohm?;
        self.newest = Some(kohm);
        let count = |so_far: u8, broken: bool| if broken { so_far.saturating_add(1) } else { 0 };
        self.high = count(self.high, kohm > *IMPEDANCE_KOHM.end());
        self.low = count(self.low, kohm < *IMPEDANCE_KOHM.start());
        let jumped = |before: &f32| (kohm - before).abs() > IMPEDANCE_JUMP * before.abs();
        self.jumps = count(self.jumps, past.iter().flatten().any(jumped));
        if self.high >= IMPEDANCE_PARTS {
            Some((FaultCode::ImpedanceHigh, kohm))
        } else if self.low >= IMPEDANCE_PARTS {
            Some((FaultCode::ImpedanceLow, kohm))
        } else if self.jumps >= 2 {
            // Two in a row: one estimate may straddle a disturbance.
            Some((FaultCode::ImpedanceJump, kohm))
        } else {
            None
        }
    }
}

//! What is watched whether or not a current is asked for: that none flows with the relay open, the supply that DAC
//! and ADC measure by, and dry spells that come again and again.

use tras_wire::FaultCode;

use crate::device::Reading;
use crate::hard::{
    DRY_SPELLS, DRY_WITHIN_US, OPEN_PART_US, OPEN_SETTLE_US, READBACK_FLOOR_MA, VDDA_SILENCE_US, VDDA_V,
};

/// The output with the relay told to be open.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenRelay {
    open_us: u32,
    part_us: u32,
    sum_ma: f32,
    readings: u32,
}

impl OpenRelay {
    /// Whether the relay has had the time to open.
    pub(crate) fn is_settled(&self) -> bool {
        self.open_us >= OPEN_SETTLE_US
    }

    /// One tick. A relay that is welded, and a measurement whose zero is wrong, look the same and are both no
    /// ground to arm on.
    pub(crate) fn check(
        &mut self,
        relay_closed: bool,
        reading: Option<&Reading>,
        dt_us: u32,
    ) -> Option<(FaultCode, f32)> {
        if relay_closed {
            *self = Self::default();
            return None;
        }
        if !self.is_settled() {
            self.open_us = self.open_us.saturating_add(dt_us);
            return None;
        }
        self.part_us = self.part_us.saturating_add(dt_us);
        if let Some(r) = reading {
            self.sum_ma += r.current_ma;
            self.readings += 1;
        }
        if self.part_us < OPEN_PART_US {
            return None;
        }
        let mean_ma = if self.readings > 0 { self.sum_ma / self.readings as f32 } else { 0.0 };
        (self.part_us, self.sum_ma, self.readings) = (0, 0.0, 0);
        let fine = mean_ma.abs() <= READBACK_FLOOR_MA;
        (!fine).then_some((FaultCode::OpenRelay, if mean_ma.is_finite() { mean_ma } else { 1e3 }))
    }
}

/// The supply, where the board measures it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Supply {
    heard_us: Option<u64>,
    volts: f32,
    wrong: u8,
}

impl Supply {
    pub(crate) fn heard(&mut self, volts: f32, now_us: u64) {
        (self.heard_us, self.volts) = (Some(now_us), volts);
        self.wrong = if VDDA_V.contains(&volts) { 0 } else { self.wrong.saturating_add(1) };
    }

    /// Three measurements in a row, or none any more.
    pub(crate) fn check(&self, now_us: u64) -> Option<(FaultCode, f32)> {
        let silent = now_us.saturating_sub(self.heard_us?) > VDDA_SILENCE_US;
        match (silent, self.wrong >= 3) {
            (true, _) => Some((FaultCode::Reference, 0.0)),
            (_, true) => Some((FaultCode::Reference, if self.volts.is_finite() { self.volts } else { -1.0 })),
            _ => None,
        }
    }
}

/// Times that the current has faded or broken off for want of samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrySpells {
    at_us: [Option<u64>; DRY_SPELLS],
}

impl DrySpells {
    /// One more; says whether that is one too many.
    pub(crate) fn note(&mut self, now_us: u64) -> bool {
        self.at_us.rotate_left(1);
        if let Some(last) = self.at_us.last_mut() {
            *last = Some(now_us);
        }
        self.at_us.iter().all(|at| at.is_some_and(|us| now_us.saturating_sub(us) <= DRY_WITHIN_US))
    }
}

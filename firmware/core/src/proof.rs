//! Relay, shunt and zero, tested before each arming: what stands between a person and the stage has to be known to
//! work before it is needed.
//!
//! | step | relay | shunt | into it | it must be so |
//! |---|---|---|---|---|
//! | zero | open | closed | 0 | no more than the readback's floor; it is the zero of all that follows |
//! | weld | open | closed | probe | nothing flows: the relay does open |
//! | plus, minus | closed | closed | probe, both ways | it flows, and next to no voltage comes with it: the shunt shorts |
//! | rest | closed | closed | 0 | the stage itself adds no more than the floor |
//!
//! Then the shunt opens and the device plays. A way out without a shunt of its own tests its zero only.

use tras_wire::FaultCode;

use crate::device::Reading;
use crate::hard::{PROBE_MA, PROOF_STEP_US, PROOF_WITHIN_US, READBACK_FLOOR_MA, READBACK_SHARE, SHUNT_KOHM};

/// Readings that a step is judged by, at least.
const READINGS: u32 = 3;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    Zero,
    Weld,
    Plus,
    Minus,
    Rest,
    #[default]
    Done,
}

/// The test and what it has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proof {
    step: Step,
    has_shunt: bool,
    step_us: u32,
    readings: u32,
    current_ma: f32,
    voltage_v: f32,
    zero_ma: f32,
    plus: (f32, f32),
}

impl Proof {
    pub(crate) fn begin(has_shunt: bool) -> Self {
        Self { step: Step::Zero, has_shunt, ..Self::default() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// What the measurement reads where nothing flows, in mA.
    pub(crate) fn zero_ma(&self) -> f32 {
        self.zero_ma
    }

    pub(crate) fn relay_closed(&self) -> bool {
        !matches!(self.step, Step::Zero | Step::Weld)
    }

    /// Current into the closed shunt, in mA.
    pub(crate) fn probe_ma(&self) -> f32 {
        match self.step {
            Step::Weld | Step::Plus => PROBE_MA,
            Step::Minus => -PROBE_MA,
            _ => 0.0,
        }
    }

    /// One tick more. `settled`: the relay has been told to open long enough ago.
    pub(crate) fn advance(
        &mut self,
        reading: Option<&Reading>,
        dt_us: u32,
        settled: bool,
    ) -> Option<(FaultCode, f32)> {
        if self.is_done() || (self.step == Step::Zero && !settled) {
            return None;
        }
        self.step_us = self.step_us.saturating_add(dt_us);
        // The first part is for relay and filter, and a reading of the step before belongs to that.
        let belongs = |r: &&Reading| (r.commanded_ma - self.probe_ma()).abs() < 1e-3;
        if let Some(r) = reading.filter(belongs).filter(|_| self.step_us >= PROOF_STEP_US / 2) {
            self.current_ma += r.current_ma;
            self.voltage_v += r.voltage_v;
            self.readings += 1;
        }
        if self.step_us < PROOF_STEP_US || self.readings < READINGS {
            let unseen = self.step_us >= PROOF_WITHIN_US;
            return unseen.then_some((FaultCode::Readback, PROBE_MA));
        }
        let n = self.readings as f32;
        let (current_ma, voltage_v) = (self.current_ma / n, self.voltage_v / n);
        (self.step_us, self.readings, self.current_ma, self.voltage_v) = (0, 0, 0.0, 0.0);
        self.judge(current_ma, voltage_v)
    }

    fn judge(&mut self, current_ma: f32, voltage_v: f32) -> Option<(FaultCode, f32)> {
        let flows_ma = current_ma - self.zero_ma;
        // What is not a number lies within nothing.
        let within = |ma: f32, allowed_ma: f32| ma.abs() <= allowed_ma;
        let (next, found) = match self.step {
            Step::Zero => {
                self.zero_ma = current_ma;
                let fine = within(current_ma, READBACK_FLOOR_MA);
                let next = if self.has_shunt { Step::Weld } else { Step::Done };
                (next, (!fine).then_some((FaultCode::OpenRelay, current_ma)))
            }
            Step::Weld => {
                let fine = within(flows_ma, READBACK_FLOOR_MA);
                if fine {
                    // The relay is still open: as good a zero as the first, and twice the readings scatter less.
                    self.zero_ma = (self.zero_ma + current_ma) / 2.0;
                }
                (Step::Plus, (!fine).then_some((FaultCode::OpenRelay, flows_ma)))
            }
            Step::Plus => {
                self.plus = (flows_ma, voltage_v);
                (Step::Minus, None)
            }
            Step::Minus => {
                // Half the difference: neither zero of the two measurements is in it.
                let half_ma = (self.plus.0 - flows_ma) / 2.0;
                let kohm = (self.plus.1 - voltage_v) / 2.0 / half_ma;
                let error_ma = half_ma - PROBE_MA;
                let found = if !within(error_ma, READBACK_FLOOR_MA + READBACK_SHARE * PROBE_MA) {
                    Some((FaultCode::Readback, error_ma))
                } else if !within(kohm, SHUNT_KOHM) {
                    Some((FaultCode::Shunt, kohm))
                } else {
                    None
                };
                (Step::Rest, found)
            }
            Step::Rest => {
                let fine = within(flows_ma, READBACK_FLOOR_MA);
                (Step::Done, (!fine).then_some((FaultCode::Readback, flows_ma)))
            }
            Step::Done => (Step::Done, None),
        };
        self.step = next;
        found
    }
}

//! A current over time, as it left the instrument, and what a fault made of it.

/// Below this a current counts as none, in mA: less than the smallest step of a DAC of 12 bits, and more than what a
/// closed shunt leaves for the head while the relay is tested (0.1 mA x 25 Ohm / 5 kOhm).
const NOTHING_MA: f32 = 1e-3;
/// Zero for so long is zero for good, in s: a noise passes through zero within a sample or two, and fades and
/// gaps of a server that recovers are shorter.
const FOR_GOOD_S: f64 = 0.3;
/// Charge is told up to so long after the fault where the current goes on, in s.
const CHARGE_WITHIN_S: f64 = 1.0;

/// Samples at a fixed rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trace {
    /// Samples a second.
    pub rate_hz: f64,
    /// In mA.
    pub current_ma: Vec<f32>,
}

/// What happened after a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Aftermath {
    /// From the fault until the current was zero for good, in ms; `None`: it went on.
    pub zero_ms: Option<f64>,
    /// Largest |current| after the fault, in mA.
    pub largest_ma: f32,
    /// Integral of |current| from the fault to zero (or over 1 s where it went on), in uC.
    pub charge_uc: f64,
    /// Current flowed again after it had been zero for good.
    pub restarted: bool,
}

impl Trace {
    /// Judges what came from sample `fault` on.
    #[must_use]
    pub(super) fn after(&self, fault: usize) -> Aftermath {
        let after = self.current_ma.get(fault..).unwrap_or_default();
        let flows = |ma: &f32| ma.abs() > NOTHING_MA;
        let enough = (FOR_GOOD_S * self.rate_hz) as usize;
        let (mut zero, mut quiet_from) = (None, 0);
        for (k, ma) in after.iter().enumerate() {
            if flows(ma) {
                quiet_from = k + 1;
            } else if k + 1 - quiet_from >= enough {
                zero = Some(quiet_from);
                break;
            }
        }
        let until = zero.unwrap_or_else(|| after.len().min((CHARGE_WITHIN_S * self.rate_hz) as usize));
        let sum_ma = after.iter().take(until).fold(0.0, |sum, ma| sum + f64::from(ma.abs()));
        Aftermath {
            zero_ms: zero.map(|k| k as f64 / self.rate_hz * 1e3),
            largest_ma: after.iter().map(|ma| ma.abs()).fold(0.0, f32::max),
            charge_uc: sum_ma / self.rate_hz * 1e3,
            restarted: zero.is_some_and(|k| after.iter().skip(k).any(flows)),
        }
    }

    /// Whether any current flowed at all.
    #[must_use]
    pub(super) fn flowed(&self) -> bool {
        self.current_ma.iter().any(|ma| ma.abs() > NOTHING_MA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(parts: &[(f32, usize)]) -> Trace {
        let current_ma = parts.iter().flat_map(|&(ma, n)| std::iter::repeat_n(ma, n)).collect();
        Trace { rate_hz: 1_000.0, current_ma }
    }

    #[test]
    fn a_crossing_of_zero_is_no_end_and_a_return_is_a_restart() {
        let crossing = trace(&[(0.5, 100), (0.0, 50), (-0.4, 50), (0.0, 2_000)]).after(100);
        assert_eq!((crossing.zero_ms, crossing.restarted), (Some(100.0), false));
        assert!((crossing.largest_ma - 0.4).abs() < 1e-6 && (crossing.charge_uc - 20.0).abs() < 1e-3);
        let back = trace(&[(0.5, 100), (0.0, 400), (0.1, 1), (0.0, 400)]).after(0);
        assert_eq!((back.zero_ms, back.restarted), (Some(100.0), true));
        let on = trace(&[(0.5, 3_000)]).after(500);
        assert_eq!((on.zero_ms, on.restarted), (None, false));
        assert!((on.charge_uc - 500.0).abs() < 1e-3);
    }
}

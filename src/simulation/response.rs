//! How the virtual participant answers to current: a stated convenience, not physiology.
//!
//! Current with exponent s and root mean square r moves the participant's exponent x, whose resting value is
//! x0, by a shift d that follows `dd/dt = (goal - d) / tau`, where `goal = gain (s - x0) min(r / r_full, 1)`
//! while current flows and 0 after. So stimulation draws the exponent toward its own, a `gain` of the way, and
//! the effect outlasts it by `fade_s`. Nothing of this is known to be true of people: it gives a closed loop
//! something that answers, with a gain and a lag that a test can state.
//!
//! The current also appears on the EEG as it does on a real one: thousands of times larger than the brain's
//! own voltage and with the very spectrum that is to be estimated. Whoever fits a window taken during
//! stimulation reads its own output.

use serde::{Deserialize, Serialize};

/// The response's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResponseSettings {
    /// Share of the way from the resting exponent to the stimulation's that full current reaches. 0: none.
    pub gain: f64,
    /// Time constant while current flows, in seconds.
    pub rise_s: f64,
    /// Time constant after current has ended, in seconds.
    pub fade_s: f64,
    /// Root mean square that has the full effect, in mA.
    pub full_rms_ma: f64,
    /// Voltage at an electrode that sees all of the current's field, in microvolts for each mA. Skin and skull
    /// give some millivolts for 1 mA.
    pub artefact_uv_per_ma: f64,
}

impl Default for ResponseSettings {
    fn default() -> Self {
        Self { gain: 0.3, rise_s: 20.0, fade_s: 60.0, full_rms_ma: 0.1, artefact_uv_per_ma: 5000.0 }
    }
}

/// What flows through the participant during one block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stimulus<'a> {
    /// Current in mA as delivered: spread evenly over the block, as many values as there are.
    pub current_ma: &'a [f32],
    /// Exponent of the running profile; `None` where it is not known: then the shift only fades.
    pub exponent: Option<f64>,
    /// Root mean square of the running profile in mA; 0 when nothing flows.
    pub rms_ma: f64,
}

/// The running response.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    settings: ResponseSettings,
    shift: f64,
}

impl Response {
    /// A response at rest.
    #[must_use]
    pub fn new(settings: ResponseSettings) -> Self {
        Self { settings, shift: 0.0 }
    }

    /// Lets `seconds` pass with the given drive, at resting exponent `rest`.
    pub fn pass(&mut self, seconds: f64, drive: Option<(f64, f64)>, rest: f64) {
        let flowing = drive.filter(|(exponent, rms_ma)| exponent.is_finite() && *rms_ma > 0.0);
        let (goal, tau_s) = match flowing {
            Some((exponent, rms_ma)) => {
                let dose = (rms_ma / self.settings.full_rms_ma.max(1e-9)).min(1.0);
                (self.settings.gain * (exponent - rest) * dose, self.settings.rise_s)
            }
            None => (0.0, self.settings.fade_s),
        };
        // The exact solution over the step, so that the step's length does not matter.
        self.shift = goal + (self.shift - goal) * (-seconds / tau_s.max(1e-3)).exp();
    }

    /// By how much the exponent is moved at the moment.
    #[must_use]
    pub fn shift(&self) -> f64 {
        self.shift
    }
}

/// Mean of the share of `current_ma` that belongs to sample `i` of `n`: the current's rate may be any multiple
/// or fraction of the EEG's. 0 where there is none.
#[must_use]
pub fn current_at(current_ma: &[f32], i: usize, n: usize) -> f64 {
    let m = current_ma.len();
    if m == 0 || n == 0 || i >= n {
        return 0.0;
    }
    let (from, to) = (i * m / n, ((i + 1) * m / n).max(i * m / n + 1));
    let part = current_ma.get(from..to.min(m)).unwrap_or_default();
    part.iter().map(|x| f64::from(*x)).sum::<f64>() / part.len().max(1) as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn shift_approaches_its_goal_and_fades() {
        let settings = ResponseSettings { gain: 0.5, rise_s: 10.0, fade_s: 30.0, ..Default::default() };
        let mut response = Response::new(settings);
        for _ in 0..1000 {
            response.pass(0.01, Some((2.5, 0.2)), 1.5);
        }
        // One time constant: 0.5 x (2.5 - 1.5) x (1 - 1/e).
        assert!((response.shift() - 0.5 * (1.0 - (-1.0_f64).exp())).abs() < 1e-9);
        let reached = response.shift();
        response.pass(30.0, None, 1.5);
        assert!((response.shift() - reached * (-1.0_f64).exp()).abs() < 1e-12);
        // Sham: current that does not flow moves nothing; an unknown exponent neither.
        let mut rest = Response::new(settings);
        rest.pass(60.0, Some((2.5, 0.0)), 1.5);
        rest.pass(60.0, Some((f64::NAN, 0.2)), 1.5);
        assert_eq!(rest.shift(), 0.0);
    }

    #[test]
    fn current_of_another_rate_is_averaged_or_held() {
        let fast = [1.0, 3.0, 5.0, 7.0];
        assert_eq!((current_at(&fast, 0, 2), current_at(&fast, 1, 2)), (2.0, 6.0));
        let slow = [1.0, 2.0];
        let held: Vec<f64> = (0..4).map(|i| current_at(&slow, i, 4)).collect();
        assert_eq!(held, [1.0, 1.0, 2.0, 2.0]);
        assert_eq!(current_at(&[], 0, 4), 0.0);
        assert_eq!(current_at(&fast, 9, 2), 0.0);
    }
}

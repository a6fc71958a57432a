//! A brain rhythm that comes and goes: a narrow band of Gaussian noise, switched on and off in bursts.

use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Time that a burst takes to rise and to fall, in seconds.
const EDGE_S: f64 = 0.25;

/// One rhythm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RhythmSettings {
    /// Centre frequency in Hz.
    pub centre_hz: f64,
    /// Root mean square at its strongest electrode while a burst lasts, in microvolts. 0: none.
    pub rms_uv: f64,
    /// Full width at half power in Hz.
    pub width_hz: f64,
    /// Share of the time that bursts take, 0..=1. 1: never goes away.
    pub on_share: f64,
    /// Mean length of a burst in seconds.
    pub burst_s: f64,
    /// Electrode over which it is strongest.
    pub focus: String,
}

impl RhythmSettings {
    /// Occipital alpha: 10 Hz.
    #[must_use]
    pub fn alpha(rms_uv: f64) -> Self {
        Self { centre_hz: 10.0, rms_uv, width_hz: 1.5, on_share: 0.5, burst_s: 3.0, focus: "Oz".into() }
    }

    /// Frontal-midline theta: 6 Hz.
    #[must_use]
    pub fn theta(rms_uv: f64) -> Self {
        Self { centre_hz: 6.0, rms_uv, width_hz: 1.2, on_share: 0.35, burst_s: 2.0, focus: "Fz".into() }
    }

    /// Central beta: 20 Hz.
    #[must_use]
    pub fn beta(rms_uv: f64) -> Self {
        Self { centre_hz: 20.0, rms_uv, width_hz: 3.0, on_share: 0.3, burst_s: 0.5, focus: "Cz".into() }
    }
}

/// A running rhythm: a phasor at the centre frequency, driven by complex white noise through two equal one-pole
/// low-passes, so that its skirts fall as f^-4 and leave the background's slope alone.
#[derive(Clone, Debug)]
pub struct Rhythm {
    pole: (f64, f64),
    first: (f64, f64),
    second: (f64, f64),
    gain: f64,
    on: bool,
    steady: bool,
    remaining: f64,
    level: f64,
    edge_per_sample: f64,
    mean_on: f64,
    mean_off: f64,
}

impl Rhythm {
    /// A rhythm at `rate_hz`, silent where its settings make none (zero amplitude, no time, centre not below the
    /// Nyquist frequency).
    #[must_use]
    pub fn new(settings: &RhythmSettings, rate_hz: f64) -> Self {
        // Two equal poles of half-width b have their joint half-power half-width at b sqrt(sqrt 2 - 1).
        let half_width_hz = 0.5 * settings.width_hz.max(0.05) / (2.0_f64.sqrt() - 1.0).sqrt();
        let radius = (-2.0 * PI * half_width_hz / rate_hz).exp();
        let omega = 2.0 * PI * settings.centre_hz / rate_hz;
        let r2 = radius * radius;
        // Variance of two equal poles driven by white noise of variance 1: (1 + r^2) / (1 - r^2)^3.
        let power = (1.0 + r2) / (1.0 - r2).powi(3);
        let share = settings.on_share.clamp(0.0, 1.0);
        let audible = settings.rms_uv > 0.0 && share > 0.0 && settings.centre_hz < 0.5 * rate_hz;
        let mean_on = settings.burst_s.max(2.0 * EDGE_S) * rate_hz;
        Self {
            pole: (radius * omega.cos(), radius * omega.sin()),
            first: (0.0, 0.0),
            second: (0.0, 0.0),
            gain: if audible { settings.rms_uv / power.sqrt() } else { 0.0 },
            on: false,
            steady: share >= 1.0,
            remaining: 0.0,
            level: 0.0,
            edge_per_sample: 1.0 / (EDGE_S * rate_hz),
            mean_on,
            mean_off: mean_on * (1.0 - share) / share.max(1e-6),
        }
    }

    /// The next sample in microvolts at the focus.
    pub fn step(&mut self, rng: &mut impl Rng) -> f64 {
        if self.gain == 0.0 {
            return 0.0;
        }
        if self.steady {
            self.on = true;
        } else if self.remaining <= 0.0 {
            self.on = !self.on;
            let length: f64 = rng.sample(Exp1);
            self.remaining += 1.0 + length * if self.on { self.mean_on } else { self.mean_off };
        }
        self.remaining -= 1.0;
        let towards = if self.on { self.edge_per_sample } else { -self.edge_per_sample };
        self.level = (self.level + towards).clamp(0.0, 1.0);
        let (re, im): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
        self.first = turn(self.first, self.pole, (re, im));
        self.second = turn(self.second, self.pole, self.first);
        let envelope = 0.5 - 0.5 * (PI * self.level).cos();
        self.gain * envelope * self.second.0
    }
}

/// `state` times `pole` plus `input`, complex.
fn turn(state: (f64, f64), pole: (f64, f64), input: (f64, f64)) -> (f64, f64) {
    (state.0 * pole.0 - state.1 * pole.1 + input.0, state.0 * pole.1 + state.1 * pole.0 + input.1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_steady_rhythm_has_its_amplitude_and_frequency() {
        let mut settings = RhythmSettings::alpha(10.0);
        settings.on_share = 1.0;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rhythm = Rhythm::new(&settings, 250.0);
        let samples: Vec<f64> = (0..250 * 1200).map(|_| rhythm.step(&mut rng)).collect();
        let rms = (samples.iter().map(|x| x * x).sum::<f64>() / samples.len() as f64).sqrt();
        // About 1.5 Hz x 1200 s = 1800 independent amplitudes: 1.2 % standard error of the rms.
        assert!((rms / 10.0 - 1.0).abs() < 0.05, "rms {rms}");
        let crossings = samples.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        assert!((crossings as f64 / 1200.0 - 10.0).abs() < 0.2, "{crossings} crossings");
    }

    #[test]
    fn bursts_take_their_share_of_the_time() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut rhythm = Rhythm::new(&RhythmSettings::alpha(10.0), 250.0);
        let (mut on, mut changes, mut was) = (0, 0, false);
        let n = 250 * 3000;
        for _ in 0..n {
            rhythm.step(&mut rng);
            on += usize::from(rhythm.on);
            changes += usize::from(rhythm.on != was);
            was = rhythm.on;
        }
        let share = f64::from(on as u32) / f64::from(n);
        assert!((0.4..0.6).contains(&share), "{share}");
        assert!(changes > 200, "{changes}");
    }
}

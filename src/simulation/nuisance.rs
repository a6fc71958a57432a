//! What an EEG contains that is not brain: blinks, mains hum, slow drift.

use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};
use std::f64::consts::PI;

/// Blinks: one pulse under the forehead, at random times.
#[derive(Clone, Debug)]
pub struct Blinks {
    per_sample: f64,
    step_per_sample: f64,
    amplitude_uv: f64,
    wait: f64,
    /// Progress of the blink in hand, 0..1, and its own amplitude.
    phase: Option<(f64, f64)>,
}

/// Length of a blink in seconds: 0.2 to 0.4 in people.
const BLINK_S: f64 = 0.3;

impl Blinks {
    /// `per_minute` blinks of about `amplitude_uv` at the forehead.
    #[must_use]
    pub fn new(per_minute: f64, amplitude_uv: f64, rate_hz: f64) -> Self {
        Self {
            per_sample: per_minute.max(0.0) / 60.0 / rate_hz,
            step_per_sample: 1.0 / (BLINK_S * rate_hz),
            amplitude_uv,
            wait: -1.0,
            phase: None,
        }
    }

    /// The next sample in microvolts at the forehead.
    pub fn step(&mut self, rng: &mut impl Rng) -> f64 {
        if self.per_sample == 0.0 || self.amplitude_uv == 0.0 {
            return 0.0;
        }
        if let Some((phase, amplitude)) = &mut self.phase {
            // Faster down than up: the raised cosine runs over a bent time axis.
            let bent = phase.powf(0.7);
            let value = *amplitude * (0.5 - 0.5 * (2.0 * PI * bent).cos());
            *phase += self.step_per_sample;
            if *phase >= 1.0 {
                self.phase = None;
            }
            return value;
        }
        if self.wait < 0.0 {
            let wait: f64 = rng.sample(Exp1);
            self.wait = wait / self.per_sample;
        }
        self.wait -= 1.0;
        if self.wait < 0.0 {
            let spread: f64 = rng.sample(StandardNormal);
            self.phase = Some((0.0, self.amplitude_uv * (1.0 + 0.15 * spread).clamp(0.5, 1.5)));
        }
        0.0
    }
}

/// Mains hum with its second and third harmonics; its frequency wanders as the grid's does.
#[derive(Clone, Debug)]
pub struct Mains {
    nominal_hz: f64,
    rate_hz: f64,
    amplitude_uv: f64,
    phase: f64,
    wander_hz: f64,
    wander_pole: f64,
}

impl Mains {
    /// Hum of `amplitude_uv` (peak, fundamental) at `nominal_hz`; 0 Hz or 0 uV: none.
    #[must_use]
    pub fn new(nominal_hz: f64, amplitude_uv: f64, rate_hz: f64) -> Self {
        let wander_pole = (-1.0 / (20.0 * rate_hz)).exp();
        Self { nominal_hz, rate_hz, amplitude_uv, phase: 0.0, wander_hz: 0.0, wander_pole }
    }

    /// The next sample in microvolts. Harmonics at or above the Nyquist frequency are left out.
    pub fn step(&mut self, rng: &mut impl Rng) -> f64 {
        if self.nominal_hz <= 0.0 || self.amplitude_uv == 0.0 {
            return 0.0;
        }
        let push: f64 = rng.sample(StandardNormal);
        // Standard deviation 10 mHz, what the European grid shows over minutes.
        self.wander_hz = self.wander_pole * self.wander_hz
            + 0.01 * (1.0 - self.wander_pole * self.wander_pole).sqrt() * push;
        let freq_hz = self.nominal_hz + self.wander_hz;
        self.phase = (self.phase + freq_hz / self.rate_hz).fract();
        [(1.0, 1.0), (2.0, 0.15), (3.0, 0.3)]
            .iter()
            .filter(|(harmonic, _)| harmonic * self.nominal_hz < 0.49 * self.rate_hz)
            .map(|(harmonic, share)| share * self.amplitude_uv * (2.0 * PI * harmonic * self.phase).sin())
            .sum()
    }
}

/// Electrode drift: a random walk held near zero, smoothed once more so that nothing of it reaches 1 Hz.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drift {
    walk: f64,
    value: f64,
}

/// What all drifts of one participant share.
#[derive(Clone, Copy, Debug)]
pub struct DriftLaw {
    pole: f64,
    push: f64,
}

impl DriftLaw {
    /// Drift of `rms_uv` with a time constant of 20 s.
    #[must_use]
    pub fn new(rms_uv: f64, rate_hz: f64) -> Self {
        let pole = (-1.0 / (20.0 * rate_hz)).exp();
        let p2 = pole * pole;
        // Two equal poles driven by white noise, see `Rhythm::new`.
        Self { pole, push: rms_uv / ((1.0 + p2) / (1.0 - p2).powi(3)).sqrt() }
    }
}

impl Drift {
    /// The next sample in microvolts.
    pub fn step(&mut self, law: DriftLaw, rng: &mut impl Rng) -> f64 {
        if law.push == 0.0 {
            return 0.0;
        }
        let push: f64 = rng.sample(StandardNormal);
        self.walk = law.pole * self.walk + law.push * push;
        self.value = law.pole * self.value + self.walk;
        self.value
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn blinks_come_at_their_rate_and_size() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut blinks = Blinks::new(15.0, 120.0, 250.0);
        let samples: Vec<f64> = (0..250 * 1200).map(|_| blinks.step(&mut rng)).collect();
        let count = samples.windows(2).filter(|w| w[0] < 30.0 && w[1] >= 30.0).count();
        // 15 a minute less the time that each takes: 279 +- 17 in 20 min.
        assert!((220..340).contains(&count), "{count}");
        let highest = samples.iter().copied().fold(0.0, f64::max);
        assert!((120.0..=180.0).contains(&highest), "{highest}");
    }

    #[test]
    fn hum_stays_at_its_frequency_below_nyquist() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut line = Mains::new(50.0, 5.0, 250.0);
        let samples: Vec<f64> = (0..250 * 100).map(|_| line.step(&mut rng)).collect();
        let crossings = samples.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count();
        assert!((crossings as f64 / 100.0 - 50.0).abs() < 0.5, "{crossings}");
        let mut silent = Mains::new(60.0, 5.0, 100.0);
        assert!((0..1000).all(|_| silent.step(&mut rng) == 0.0));
    }
}

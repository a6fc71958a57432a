//! The low-frequency roll-off of an AC-coupled output, measured as a first-order corner, and its compensation.
//!
//! The output is a high-pass s / (s + wc). What is sent is passed through (s + wc) / (s + wl) first, so that the
//! whole becomes s / (s + wl) with a corner that lies [`STRETCH`] times lower. A complete compensation would be
//! an integrator, which no output can follow.
//!
//! The price is drive: near the lowest frequency the output must swing further than the current asks for. How
//! far it ever may is bounded, so that a corner that is wrong, or an output that is DC coupled after all, cannot
//! turn the compensation into a current without limit.

use std::f64::consts::TAU;

/// How much lower the corner becomes.
pub const STRETCH: f64 = 8.0;
/// Lowest frequency of the default noise band, in Hz: what the compensation is to reach.
pub const WANTED_HZ: f64 = 0.5;
/// Above this many times the remaining corner the current is right within 3 % (1 / sqrt(1 + 1/16)).
const RIGHT_ABOVE: f64 = 4.0;

/// The first-order section, and how far it may drive.
#[derive(Clone, Copy, Debug)]
pub struct Rolloff {
    corner_hz: f64,
    b0: f64,
    b1: f64,
    a1: f64,
    state: f64,
}

impl Rolloff {
    /// Compensates a corner at `corner_hz` for samples at `rate_hz`, by the bilinear transform.
    #[must_use]
    pub fn new(corner_hz: f64, rate_hz: f64) -> Self {
        let k = 2.0 * rate_hz;
        let (zero, pole) = (TAU * corner_hz, TAU * corner_hz / STRETCH);
        let scale = k + pole;
        Self { corner_hz, b0: (k + zero) / scale, b1: (zero - k) / scale, a1: (pole - k) / scale, state: 0.0 }
    }

    /// The lowest frequency at which the current is right within 3 %, in Hz.
    #[must_use]
    pub fn reach_hz(&self) -> f64 {
        RIGHT_ABOVE * self.corner_hz / STRETCH
    }

    /// How many times further the output swings than the current asks for, at `f_hz`.
    #[must_use]
    pub fn boost(&self, f_hz: f64) -> f64 {
        let (zero, pole) = (self.corner_hz, self.corner_hz / STRETCH);
        ((f_hz * f_hz + zero * zero) / (f_hz * f_hz + pole * pole)).sqrt()
    }

    /// How many times further noise of spectrum f^-`exponent` in `band_hz` swings, by its RMS.
    #[must_use]
    pub fn rms_gain(&self, exponent: f64, band_hz: [f64; 2]) -> f64 {
        const STEPS: u32 = 2_000;
        let [low, high] = band_hz;
        let (mut boosted, mut plain) = (0.0, 0.0);
        for k in 0..STEPS {
            let f_hz = low * (high / low).powf((f64::from(k) + 0.5) / f64::from(STEPS));
            // Steps of equal ratio: each is as wide as its frequency is high.
            let power = f_hz.powf(1.0 - exponent);
            boosted += power * self.boost(f_hz).powi(2);
            plain += power;
        }
        (boosted / plain).sqrt()
    }

    /// The next sample (transposed direct form II).
    pub fn step(&mut self, x: f64) -> f64 {
        let y = self.b0 * x + self.state;
        self.state = self.b1 * x - self.a1 * y;
        y
    }

    /// Forgets all that came before.
    pub fn reset(&mut self) {
        self.state = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RMS of a sine through the compensation and then through the output that it compensates.
    fn through(f_hz: f64, corner_hz: f64) -> f64 {
        let rate_hz = 2_000.0;
        let mut filter = Rolloff::new(corner_hz, rate_hz);
        let a = 1.0 / (1.0 + TAU * corner_hz / rate_hz);
        let (mut last, mut out, mut sum, mut n) = (0.0, 0.0, 0.0, 0);
        let seconds = 20.0 + (20.0 / f_hz).ceil();
        for k in 0..(seconds * rate_hz) as u64 {
            let t = k as f64 / rate_hz;
            let y = filter.step((TAU * f_hz * t).sin());
            out = a * (out + y - last);
            last = y;
            if t >= seconds - (20.0 / f_hz).ceil().min(20.0) {
                sum += out * out;
                n += 1;
            }
        }
        (2.0 * sum / f64::from(n)).sqrt()
    }

    #[test]
    fn the_current_is_right_down_to_the_reach() {
        for corner_hz in [0.3, 1.0, 3.0] {
            let reach_hz = Rolloff::new(corner_hz, 2_000.0).reach_hz();
            for f_hz in [reach_hz, 2.0 * reach_hz, 20.0] {
                let gain = through(f_hz, corner_hz);
                assert!((0.965..1.01).contains(&gain), "corner {corner_hz}, {f_hz} Hz: {gain}");
            }
        }
    }

    #[test]
    fn the_boost_is_bounded_whatever_comes_in() {
        let mut filter = Rolloff::new(1.0, 48_000.0);
        let last = (0..48_000 * 20).map(|_| filter.step(1.0)).fold(0.0, f64::max);
        assert!((last - STRETCH).abs() < 1e-3, "{last}");
        assert!((filter.boost(0.5) - 2.17).abs() < 0.01);
        filter.reset();
        assert!(filter.step(0.0).abs() < 1e-12);
    }
}

//! Which current belongs to which EEG sample.
//!
//! Two clocks count: the device its current samples, the amplifier its EEG samples. Stamps say to some milliseconds
//! how the two go together, and so where to begin; from there the regression itself is the better clock. The delay is
//! found where a burst ramps up, by the largest correlation of the differenced signals; then each block says by how
//! much the predicted artefact came early or late, and a Kalman filter (offset and drift, the second-order phase-locked
//! loop) follows. Positions are counted in current samples, offsets here in EEG samples.

/// Largest clock difference to begin with, as a standard deviation.
const DRIFT_SD: f64 = 1e-4;
/// How the clocks' difference wanders: 0.3 ppm over a second.
const DRIFT_WALK: f64 = 2e-7;
/// What the delay itself wanders over a second, in EEG samples.
const OFFSET_WALK: f64 = 3e-5;
/// A correction of so many standard deviations, and of a twentieth of a sample, is no drift: a clock has jumped.
const JUMP_SDS: f64 = 8.0;
const JUMP_SAMPLES: f64 = 0.5;

/// Where the EEG stands in the current.
#[derive(Clone, Copy, Debug)]
pub(super) struct Align {
    /// Current samples to one EEG sample, nominal.
    ratio: f64,
    eeg_hz: f64,
    /// Position of the next frame; NaN before the first.
    position: f64,
    /// Clocks' difference: EEG samples that last longer than they should are above 0.
    drift: f64,
    /// Position minus where the stamp alone would have put it: the path's delay.
    delay: f64,
    /// Covariance of offset (EEG samples) and drift.
    covariance: [f64; 3],
    locked: bool,
}

/// What a correction has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Within what was expected.
    Followed,
    /// One of the clocks has jumped.
    Jumped,
}

impl Align {
    pub(super) fn new(eeg_hz: f64, current_hz: f64) -> Self {
        Self {
            ratio: current_hz / eeg_hz,
            eeg_hz,
            position: f64::NAN,
            drift: 0.0,
            delay: 0.0,
            covariance: [1.0, 0.0, DRIFT_SD * DRIFT_SD],
            locked: false,
        }
    }

    pub(super) fn locked(&self) -> bool {
        self.locked
    }

    pub(super) fn position(&self) -> f64 {
        self.position
    }

    /// Current samples to one EEG sample, as it is believed to be.
    pub(super) fn step(&self) -> f64 {
        self.ratio * (1.0 + self.drift)
    }

    /// Takes the stamps' word for where the next frame is: at the start, after a gap, and while nothing is locked.
    pub(super) fn place(&mut self, by_stamp: f64) {
        self.position = by_stamp + self.delay;
    }

    /// Whether the stamps put the next frame further than `samples` EEG samples from here.
    pub(super) fn far_from(&self, by_stamp: f64, samples: f64) -> bool {
        let apart = (by_stamp + self.delay - self.position).abs();
        apart.is_nan() || apart > samples * self.ratio
    }

    /// Goes on by `frames`.
    pub(super) fn advance(&mut self, frames: f64) {
        self.position += frames * self.step();
    }

    /// Goes back by `frames`.
    pub(super) fn retreat(&mut self, frames: f64) {
        self.position -= frames * self.step();
    }

    /// The stamps' word and the position drift apart with the clocks: the delay is what lies between.
    pub(super) fn note_delay(&mut self, by_stamp: f64) {
        if self.locked && by_stamp.is_finite() {
            // Stamps jitter: a time constant of 20 blocks.
            self.delay += 0.05 * (self.position - by_stamp - self.delay);
        }
    }

    /// A search has found the artefact `lag` EEG samples later than here.
    pub(super) fn found(&mut self, lag: f64) {
        self.position -= lag * self.ratio;
        self.delay -= lag * self.ratio;
        self.covariance = [1.0, 0.0, DRIFT_SD * DRIFT_SD];
        self.locked = true;
    }

    /// A new burst, or a gap: the delay is what it was to within some milliseconds.
    pub(super) fn loosen(&mut self, seconds: f64) {
        self.covariance[0] += (seconds * self.eeg_hz).powi(2);
    }

    /// Nothing is known any more but the delay.
    pub(super) fn unlock(&mut self) {
        self.locked = false;
        self.drift = 0.0;
    }

    /// A block of `frames` frames came `late` EEG samples later than predicted, with this variance.
    pub(super) fn correct(&mut self, late: f64, variance: f64, frames: f64) -> Step {
        let seconds = frames / self.eeg_hz;
        let [oo, od, dd] = &mut self.covariance;
        // Over the block: the offset grows by drift x frames.
        *oo += 2.0 * frames * *od + frames * frames * *dd + OFFSET_WALK * OFFSET_WALK * seconds;
        *od += frames * *dd;
        *dd += DRIFT_WALK * DRIFT_WALK * seconds;
        if !(late.is_finite() && variance > 0.0 && variance.is_finite()) {
            return Step::Followed;
        }
        let total = *oo + variance;
        if late.abs() > JUMP_SAMPLES && late * late > JUMP_SDS * JUMP_SDS * total {
            return Step::Jumped;
        }
        let (offset_gain, drift_gain) = (*oo / total, *od / total);
        self.position -= offset_gain * late * self.ratio;
        self.drift -= drift_gain * late;
        let keep = 1.0 - offset_gain;
        *dd -= drift_gain * *od;
        *od *= keep;
        *oo *= keep;
        Step::Followed
    }

    /// The clocks' difference, and its standard deviation, in parts per million.
    pub(super) fn drift_ppm(&self) -> (f64, f64) {
        (self.drift * 1e6, self.covariance[2].max(0.0).sqrt() * 1e6)
    }

    /// The path's delay against the stamps, and the standard deviation with which it is followed, in s.
    pub(super) fn delay_s(&self) -> (f64, f64) {
        (-self.delay / self.ratio / self.eeg_hz, self.covariance[0].max(0.0).sqrt() / self.eeg_hz)
    }
}

/// The lag, in samples, at which `eeg` follows `current`, where one stands out: `current` begins `before` samples
/// earlier than `eeg` and is longer by `lags`. `None` where chance may have made the largest correlation.
pub(super) fn find_lag(eeg: &[f64], current: &[f64], lags: usize) -> Option<(usize, f64)> {
    let n = eeg.len();
    if n < 64 || current.len() < n + lags {
        return None;
    }
    let power: f64 = eeg.iter().map(|y| y * y).sum();
    let mut best = (0, 0.0_f64);
    let mut sum = 0.0;
    for lag in 0..=lags {
        let part = current.get(lag..lag + n)?;
        let (mut dot, mut square) = (0.0, 0.0);
        for (x, y) in part.iter().zip(eeg) {
            dot += x * y;
            square += x * x;
        }
        let r2 = if square > 0.0 && power > 0.0 { dot * dot / (square * power) } else { 0.0 };
        sum += r2;
        if r2 > best.1 {
            best = (lag, r2);
        }
    }
    // By chance each lag has 1/n; the largest of a few hundred about 15/n.
    let usual = sum / (lags + 1) as f64;
    (best.1 > 40.0 / n as f64 && best.1 > 4.0 * usual).then_some(best)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn drift_and_delay_are_followed() {
        let mut align = Align::new(250.0, 2000.0);
        align.place(1000.0);
        align.found(0.0);
        // The EEG's samples last 50 ppm longer than they say; its true position in current samples:
        let mut truth = 1000.0;
        for block in 0..480 {
            align.advance(62.0);
            truth += 62.0 * 8.0 * (1.0 + 50e-6);
            let noise = 0.02 * (f64::from(block) * 1.7).sin();
            // A block that is placed too early in the current finds its artefact late.
            let late = (align.position() - truth) / 8.0 + noise;
            assert_eq!(align.correct(late, 4e-4, 62.0), Step::Followed);
        }
        assert!((align.position() - truth).abs() < 0.1, "{}", align.position() - truth);
        let (ppm, sd) = align.drift_ppm();
        assert!((ppm - 50.0).abs() < 5.0 && sd < 10.0, "{ppm} {sd}");
        assert_eq!(align.correct(3.0, 4e-4, 62.0), Step::Jumped);
    }

    #[test]
    fn the_lag_is_found_only_where_there_is_one() {
        let noise = |seed: u64| {
            let mut state = seed;
            move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            }
        };
        let (mut a, mut b) = (noise(3), noise(8));
        let current: Vec<f64> = (0..900).map(|_| a()).collect();
        let other: Vec<f64> = (0..700).map(|_| b()).collect();
        assert_eq!(find_lag(&other, &current, 200), None);
        let eeg: Vec<f64> = other.iter().zip(current.iter().skip(77)).map(|(n, x)| n + 0.7 * x).collect();
        assert_eq!(find_lag(&eeg, &current, 200).unwrap().0, 77);
        assert_eq!(find_lag(&[0.0; 700], &current, 200), None);
    }
}

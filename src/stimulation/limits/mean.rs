//! Sliding means: the slow current (DC) and the mean square.
//!
//! In: current samples in mA. Out: the mean over the last 10 s, exactly, however long it runs: sums are kept in
//! whole nanoamperes, so that nothing drifts.
//!
//! Why a triangle and not a plain mean over 10 s: a plain mean weighs frequency f by |sinc(10 f)|, which falls as
//! 1/f only. Steep noise (χ = 2 from 0.5 Hz) has most of its power at 0.5..1 Hz, and the side lobes there let
//! 0.026 of its RMS through: at a peak of 0.5 mA (RMS 0.167 mA) a standard deviation of 4.3 uA, so that noise
//! without any DC passes 5 uA a quarter of the time and, at 1 mA, 20 uA within minutes. Two means over 5 s, one
//! after the other, are a mean over the same 10 s with triangular weights; sinc²(5 f) lets 0.0040 through, 0.66 uA,
//! thirty times below the limit, while a true offset reads the same in both.

use std::f64::consts::PI;

/// Length of each of the two means in s.
pub(super) const BOX_S: f64 = 5.0;
/// Nanoamperes in a milliampere.
const NA_PER_MA: f64 = 1e6;

/// Gain at `f_hz` of the triangular 10 s mean: sinc²(5 f).
#[must_use]
pub fn dc_gain(f_hz: f64) -> f64 {
    let x = PI * f_hz * BOX_S;
    if x == 0.0 { 1.0 } else { (x.sin() / x).powi(2) }
}

/// The sum of the last n numbers.
struct Box {
    ring: Vec<i64>,
    at: usize,
    sum: i64,
}

impl Box {
    fn new(len: usize) -> Self {
        Self { ring: vec![0; len.max(1)], at: 0, sum: 0 }
    }

    fn push(&mut self, value: i64) -> i64 {
        if let Some(slot) = self.ring.get_mut(self.at) {
            self.sum += value - std::mem::replace(slot, value);
        }
        self.at = if self.at + 1 >= self.ring.len() { 0 } else { self.at + 1 };
        self.sum
    }
}

/// The triangular 10 s mean. What lies before the first sample counts as zero current, which it was.
pub struct SlowMean {
    first: Box,
    second: Box,
    per_ma: f64,
}

impl SlowMean {
    /// For `rate_hz` samples a second.
    #[must_use]
    pub fn new(rate_hz: f64) -> Self {
        let len = (BOX_S * rate_hz).round().max(1.0) as usize;
        // Largest second sum: 2 mA at 200,000/s is 2e6 nA x 1e6 x 1e6 = 2e18, inside i64.
        Self { first: Box::new(len), second: Box::new(len), per_ma: NA_PER_MA * (len as f64).powi(2) }
    }

    /// Takes a sample in mA (finite, within +-4 mA) and gives the mean in mA.
    pub fn push(&mut self, current_ma: f64) -> f64 {
        let first = self.first.push((current_ma * NA_PER_MA).round() as i64);
        self.second.push(first) as f64 / self.per_ma
    }
}

/// The mean square over the last 60 s, in steps of a second; before the first sample it was zero.
pub(super) struct MeanSquare {
    seconds: [f64; 60],
    at: usize,
    sum: f64,
    second: f64,
    in_second: u32,
    per_second: u32,
}

impl MeanSquare {
    /// For `rate_hz` samples a second.
    #[must_use]
    pub(super) fn new(rate_hz: f64) -> Self {
        let per_second = rate_hz.round().max(1.0) as u32;
        Self { seconds: [0.0; 60], at: 0, sum: 0.0, second: 0.0, in_second: 0, per_second }
    }

    /// Takes a sample in mA and gives the mean square in mA².
    pub(super) fn push(&mut self, current_ma: f64) -> f64 {
        self.second += current_ma * current_ma;
        self.in_second += 1;
        if self.in_second >= self.per_second {
            if let Some(slot) = self.seconds.get_mut(self.at) {
                *slot = self.second;
            }
            self.at = (self.at + 1) % self.seconds.len();
            self.sum = self.seconds.iter().sum();
            self.second = 0.0;
            self.in_second = 0;
        }
        let oldest = self.seconds.get(self.at).copied().unwrap_or(0.0);
        // The running second stands in for the oldest one.
        (self.sum - oldest + self.second.max(oldest)) / (60.0 * f64::from(self.per_second))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn an_offset_reads_as_itself_and_a_sine_by_the_gain() {
        let mut mean = SlowMean::new(200.0);
        let dc = (0..4000).map(|_| mean.push(0.0123)).last().unwrap();
        assert!((dc - 0.0123).abs() < 1e-9, "{dc}");
        for f_hz in [0.05, 0.13, 0.37, 0.5] {
            let mut mean = SlowMean::new(200.0);
            let peak = (0..40_000)
                .map(|i| (i, mean.push((2.0 * PI * f_hz * f64::from(i) / 200.0).sin())))
                .filter(|(i, _)| *i > 20_000)
                .map(|(_, m)| m.abs())
                .fold(0.0, f64::max);
            assert!((peak - dc_gain(f_hz)).abs() < 2e-4, "{f_hz}: {peak} {}", dc_gain(f_hz));
        }
    }

    #[test]
    fn the_mean_square_of_a_constant_is_its_square_after_a_minute() {
        let mut mean = MeanSquare::new(100.0);
        let values: Vec<f64> = (0..7000).map(|_| mean.push(0.5)).collect();
        assert!(values[2999] < 0.13 && (values[6999] - 0.25).abs() < 1e-12);
    }
}

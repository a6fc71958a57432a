//! What a calibration plays, and what the meter's readings amount to.
//!
//! In: an operator's readings. Out: the scale, how straight it is, and the corner of the output's roll-off. The
//! tone goes to the output directly, with no device between: it is for a resistor and never for a person.

use std::{
    f64::consts::TAU,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{player::Shared, stream::Values};

/// The tone comes and goes over this time, in s.
pub const FADE_S: f64 = 0.25;

/// What a tone is told while it plays.
#[derive(Debug, Default)]
pub struct Knobs {
    level: AtomicU64,
    hz: AtomicU64,
}

impl Knobs {
    /// Amplitude, as a share of full scale, and frequency in Hz from now on.
    pub fn set(&self, level: f64, hz: f64) {
        self.hz.store(hz.to_bits(), Ordering::Relaxed);
        self.level.store(level.to_bits(), Ordering::Release);
    }
}

/// A sine whose amplitude moves without a step.
pub struct Tone {
    knobs: Arc<Knobs>,
    shared: Arc<Shared>,
    rate_hz: f64,
    level: f64,
    phase: f64,
}

impl Tone {
    /// Silent until its knobs say otherwise.
    #[must_use]
    pub fn new(rate_hz: u32, knobs: Arc<Knobs>, shared: Arc<Shared>) -> Self {
        Self { knobs, shared, rate_hz: f64::from(rate_hz), level: 0.0, phase: 0.0 }
    }
}

impl Values for Tone {
    fn begin(&mut self, frames: usize, _latency_s: f64, _now_s: f64) {
        self.shared.callbacks.fetch_add(1, Ordering::Relaxed);
        self.shared.largest.fetch_max(frames as u64, Ordering::Relaxed);
    }

    fn next_value(&mut self) -> f32 {
        let wanted = f64::from_bits(self.knobs.level.load(Ordering::Acquire)).clamp(0.0, 1.0);
        let step = 1.0 / (FADE_S * self.rate_hz);
        self.level += (wanted - self.level).clamp(-step, step);
        self.phase =
            (self.phase + f64::from_bits(self.knobs.hz.load(Ordering::Relaxed)) / self.rate_hz).fract();
        (self.level * (TAU * self.phase).sin()) as f32
    }
}

/// A straight line through zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Read for each unit that was asked for.
    pub slope: f64,
    /// The largest distance of a reading from the line, as a share of the largest reading.
    pub worst: f64,
}

/// Least squares through zero over pairs of what was asked for and what was read.
#[must_use]
pub fn line(pairs: &[(f64, f64)]) -> Option<Scale> {
    let (xy, xx) = pairs.iter().fold((0.0, 0.0), |(xy, xx), (x, y)| (xy + x * y, xx + x * x));
    let slope = xy / xx;
    let largest = pairs.iter().map(|(_, y)| y.abs()).fold(0.0, f64::max);
    let worst = pairs.iter().map(|(x, y)| (y - slope * x).abs()).fold(0.0, f64::max) / largest;
    (slope.is_finite() && slope > 0.0 && worst.is_finite()).then_some(Scale { slope, worst })
}

/// The corner of a first-order high-pass, in Hz, from pairs of frequency and reading at one amplitude; `None`
/// where none can be seen, because the lowest reading is within 1 % of the highest.
///
/// Least squares of `gain / sqrt(1 + (corner / f)^2)` over the corner, on a grid of 1 %.
#[must_use]
pub fn corner(pairs: &[(f64, f64)]) -> Option<f64> {
    let (least, most) =
        pairs.iter().fold((f64::INFINITY, 0.0), |(l, m): (f64, f64), (_, y)| (l.min(*y), m.max(*y)));
    if least.is_nan() || least >= 0.99 * most {
        return None;
    }
    let error = |corner_hz: f64| {
        let shape = |f_hz: f64| 1.0 / (1.0 + (corner_hz / f_hz).powi(2)).sqrt();
        let (xy, xx) =
            pairs.iter().fold((0.0, 0.0), |(xy, xx), (f, y)| (xy + shape(*f) * y, xx + shape(*f).powi(2)));
        let gain = xy / xx;
        pairs.iter().map(|(f, y)| (y - gain * shape(*f)).powi(2)).sum::<f64>()
    };
    let grid = (0..700).map(|k| 0.01 * 1.01_f64.powi(k));
    grid.map(|corner_hz| (corner_hz, error(corner_hz))).min_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_scale_and_its_straightness_are_found() {
        let exact: Vec<(f64, f64)> = [0.1, 0.2, 0.4].map(|x| (x, 2.1 * x)).to_vec();
        let fit = line(&exact).unwrap();
        assert!((fit.slope - 2.1).abs() < 1e-12 && fit.worst < 1e-12);
        let bent = line(&[(0.1, 0.2), (0.2, 0.4), (0.4, 0.7)]).unwrap();
        assert!(bent.worst > 0.03, "{bent:?}");
        assert_eq!((line(&[]), line(&[(0.1, 0.0)]), line(&[(0.1, f64::NAN)])), (None, None, None));
    }

    #[test]
    fn a_corner_is_found_and_none_where_there_is_none() {
        for wanted in [0.2, 1.0, 5.0] {
            let read = |f: f64| (f, 0.31 / (1.0 + (wanted / f).powi(2)).sqrt());
            let found = corner(&[0.5, 1.0, 2.0, 5.0, 10.0].map(read)).unwrap();
            assert!((found / wanted - 1.0).abs() < 0.02, "{found} for {wanted}");
        }
        assert_eq!(corner(&[(0.5, 0.300), (1.0, 0.301), (10.0, 0.302)]), None);
        assert_eq!(corner(&[]), None);
    }

    #[test]
    fn the_tone_moves_without_a_step() {
        let knobs = Arc::new(Knobs::default());
        let mut tone = Tone::new(48_000, Arc::clone(&knobs), Arc::new(Shared::new()));
        knobs.set(0.5, 10.0);
        let (mut last, mut largest) = (0.0_f32, 0.0_f32);
        for k in 0..48_000 {
            let value = tone.next_value();
            assert!((value - last).abs() < 0.000_8, "frame {k}");
            (last, largest) = (value, largest.max(value));
        }
        assert!((largest - 0.5).abs() < 1e-3);
    }
}

//! The delivered current, brought to the EEG's samples.
//!
//! In: the current's samples in mA, in the order of the device's own count, with holes where telemetry is missing.
//! Out: [`Reference::at`], at any (fractional) position of that count: the current through the low-pass that the EEG
//! went through, and its second- and third-order Hermite terms through the same, for they are made before any
//! amplifier's filter. One table serves every position: linear interpolation between 64 phases errs by
//! (2 pi f / (64 rate))^2 / 8, 6e-7 at 45 Hz of 2,000 samples/s.

use super::algebra::dot;
use super::decimate::LowPass;

/// Phases of the table between two current samples.
const PHASES: usize = 64;
/// Weights that are made at once.
const PIECE: usize = 128;
/// Seconds of current that are kept: what the EEG may lag behind.
const KEPT_S: f64 = 10.0;

/// The current (mA) and its curved terms (no unit), low-passed.
pub(super) type Terms = [f64; 3];

/// The current, kept in a circle, and the low-pass.
#[derive(Debug)]
pub(super) struct Reference {
    /// Of each term, in a circle.
    ring: [Vec<f64>; 3],
    /// Samples ever taken: the position of the newest is one less.
    count: u64,
    /// The newest hole, as positions from..to; its samples are zeros that nobody measured.
    hole: (u64, u64),
    /// [phase][tap], one phase more than [`PHASES`].
    table: Vec<f64>,
    half: usize,
    /// Mean square of the current while it flows, in mA²: the unit of the curved terms.
    mean_square: f64,
    flowing: u64,
}

impl Reference {
    /// For a current of `current_hz` samples/s.
    pub(super) fn new(current_hz: f64, low_pass: LowPass) -> Self {
        let half = (low_pass.half_s * current_hz).ceil().max(2.0) as usize;
        let taps = 2 * half;
        let mut table = vec![0.0; (PHASES + 1) * taps];
        for (phase, row) in table.chunks_exact_mut(taps).enumerate() {
            let offset = phase as f64 / PHASES as f64;
            for (tap, weight) in row.iter_mut().enumerate() {
                // From the position that is asked for to this tap's sample.
                *weight = low_pass.at((tap as f64 + 1.0 - half as f64 - offset) / current_hz);
            }
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
        let kept = (KEPT_S * current_hz).ceil() as usize + 2 * taps;
        Self {
            ring: [(); 3].map(|()| vec![0.0; kept.next_power_of_two()]),
            count: 0,
            hole: (0, 0),
            table,
            half,
            mean_square: 0.0,
            flowing: 0,
        }
    }

    /// Takes the next sample.
    pub(super) fn push(&mut self, current_ma: f64) {
        let known = current_ma.is_finite();
        let ma = if known { current_ma } else { 0.0 };
        let mut terms = [ma, 0.0, 0.0];
        if ma != 0.0 {
            self.flowing += 1;
            // A constant unit once a burst has been seen: 2e-5 is 25 s at 2,000 samples/s.
            let share = (1.0 / self.flowing as f64).max(2e-5);
            self.mean_square += share * (ma * ma - self.mean_square);
            let unit = ma / self.mean_square.sqrt();
            terms = [ma, unit * unit - 1.0, unit * (unit * unit - 3.0)];
        }
        let at = self.count as usize & (self.kept() - 1);
        for (ring, term) in self.ring.iter_mut().zip(terms) {
            if let Some(slot) = ring.get_mut(at) {
                *slot = term;
            }
        }
        if !known {
            self.mark_hole(self.count, self.count + 1);
        }
        self.count += 1;
    }

    /// `lost` samples that the device counted and nobody has told: a hole.
    pub(super) fn skip(&mut self, lost: u64) {
        let from = self.count;
        // What is older than the ring is gone anyway.
        for _ in 0..lost.min(self.kept() as u64) {
            self.push(0.0);
        }
        self.count = from + lost;
        self.mark_hole(from, from + lost);
    }

    fn mark_hole(&mut self, from: u64, to: u64) {
        // Holes near one another are one: what lies between is of no use.
        self.hole = if self.hole.1 > 0 && self.hole.1 + (self.kept() as u64 / 4) >= from {
            (self.hole.0, to)
        } else {
            (from, to)
        };
    }

    /// Samples that are kept: a power of two.
    fn kept(&self) -> usize {
        self.ring[0].len()
    }

    /// Samples ever taken.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Mean square of the current while it flows, in mA².
    pub(super) fn mean_square(&self) -> f64 {
        self.mean_square
    }

    /// The newest position that [`Reference::at`] can serve.
    pub(super) fn newest(&self) -> f64 {
        self.count as f64 - self.half as f64 - 1.0
    }

    /// The low-passed current and its curved terms at `position`; `None` where a sample that it needs is not known.
    pub(super) fn at(&self, position: f64) -> Option<Terms> {
        if !(position >= 0.0 && position <= self.newest()) {
            return None;
        }
        let whole = position.floor();
        let first = (whole as u64 + 1).checked_sub(self.half as u64)?;
        let taps = 2 * self.half;
        let end = first + taps as u64;
        let overlaps = first < self.hole.1 && end > self.hole.0;
        if overlaps || first + (self.kept() as u64) < self.count {
            return None;
        }
        let scaled = (position - whole) * PHASES as f64;
        let phase = (scaled as usize).min(PHASES - 1);
        let share = scaled - phase as f64;
        let rows = self.table.get(phase * taps..(phase + 2) * taps)?;
        let (low, high) = rows.split_at_checked(taps)?;
        let from = first as usize & (self.kept() - 1);
        // What stands behind the end of the circle goes on at its beginning.
        let split = (self.kept() - from).min(taps);
        let mut sums = [0.0; 3];
        for (at, span) in [(from, 0..split), (0, split..taps)] {
            let (low, high) = (low.get(span.clone())?, high.get(span)?);
            let pieces = low.chunks(PIECE).zip(high.chunks(PIECE));
            for (at, (low, high)) in (at..).step_by(PIECE).zip(pieces) {
                let mut weights = [0.0; PIECE];
                for ((weight, a), b) in weights.iter_mut().zip(low).zip(high) {
                    *weight = a + share * (b - a);
                }
                let weights = weights.get(..low.len())?;
                for (sum, ring) in sums.iter_mut().zip(&self.ring) {
                    *sum += dot(ring.get(at..)?, weights);
                }
            }
        }
        Some(sums)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::f64::consts::PI;

    fn reference() -> Reference {
        Reference::new(2000.0, LowPass::new(35.0))
    }

    #[test]
    fn a_tone_in_the_passband_is_read_at_any_position() {
        let mut reference = reference();
        let tone = |n: f64| (2.0 * PI * 30.0 * n / 2000.0 + 0.3).sin();
        for n in 0..9000 {
            reference.push(tone(f64::from(n)));
        }
        for position in [4000.0, 4000.37, 5123.999, 7777.5] {
            let got = reference.at(position).unwrap()[0];
            // The passband's ripple is that of 80 dB, the path's taps have it too.
            assert!((got - tone(position)).abs() < 2e-4, "{position}: {got} {}", tone(position));
        }
    }

    #[test]
    fn what_the_low_pass_stops_is_not_folded_back() {
        let mut reference = reference();
        for n in 0..9000 {
            reference.push((2.0 * PI * 90.0 * f64::from(n) / 2000.0).sin());
        }
        let worst =
            (0..200).map(|i| reference.at(4000.0 + 8.0 * f64::from(i)).unwrap()[0].abs()).fold(0.0, f64::max);
        assert!(worst < 2e-4, "{worst}");
    }

    #[test]
    fn nothing_is_made_up_beside_a_hole_or_beyond_what_is_known() {
        let mut reference = reference();
        (0..5000).for_each(|_| reference.push(1.0));
        reference.skip(100);
        (0..5000).for_each(|_| reference.push(1.0));
        let half = reference.half as f64;
        assert_eq!(reference.count(), 10_100);
        assert!(reference.at(5_000.0 - half - 1.0).is_some() && reference.at(5_000.5 - half).is_none());
        assert!(reference.at(5_050.0).is_none() && reference.at(5_098.5 + half).is_none());
        assert!(reference.at(5_101.0 + half).is_some());
        assert!(reference.at(10_099.5 - half).is_none() && reference.at(f64::NAN).is_none());
        (0..60_000).for_each(|_| reference.push(1.0));
        assert!(reference.at(6_200.0).is_none(), "what the ring has lost");
    }
}

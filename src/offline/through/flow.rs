//! When a current flowed, by the stamps of its samples.

use std::path::Path;

use super::find::Candidate;
use crate::acquisition::recording::RecordingError;
use crate::acquisition::recording::xdf::Samples;
use crate::offline::current::PAUSE_S;

/// A current of less than this does not count, in mA: 1 uA gives some microvolts in the EEG.
pub(super) const AT_REST_MA: f64 = 1e-3;
/// How long it must have been below that to be at rest, in s: a ramp's first and last samples are.
pub(super) const AT_REST_S: f64 = 0.02;
/// Samples that are read at once.
const AT_ONCE: usize = 1 << 10;
/// Length of the bins in which two currents are compared, in s, and how far apart their clocks may be, in bins.
const BIN_S: f64 = 0.02;
const APART: usize = 25;
/// Two currents with a larger correlation are two accounts of one.
const SAME: f64 = 0.5;

/// What one pass over a current's samples shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flow {
    /// Stamps from which to which it flowed; infinite where the stream does not hold the beginning or the end.
    pub(super) runs: Vec<(f64, f64)>,
    pub(super) first_s: f64,
    pub(super) last_s: f64,
    pub(super) samples: u64,
    /// Its means over bins of [`BIN_S`], from `first_s` on.
    means_ma: Vec<f32>,
}

impl Flow {
    /// Of a channel, in mA.
    pub(super) fn of(path: &Path, candidate: &Candidate<'_>) -> Result<Self, RecordingError> {
        let scale = candidate.ma_per_unit.unwrap_or(1.0);
        let mut samples = Samples::open(path, candidate.stream)?;
        let width = candidate.stream.description.channels.len().max(1);
        let (mut values, mut stamps_s) = (vec![0.0; width * AT_ONCE], vec![0.0; AT_ONCE]);
        let mut making = Making::default();
        loop {
            let count = samples.read(&mut values, &mut stamps_s)?;
            if count == 0 {
                return Ok(making.finish());
            }
            for (row, stamp_s) in values.chunks_exact(width).zip(&stamps_s).take(count) {
                let value = row.get(candidate.channel).copied().unwrap_or(f64::NAN);
                making.take(*stamp_s, value * scale);
            }
        }
    }

    /// Samples a second by count and span.
    pub(super) fn rate_hz(&self) -> f64 {
        (self.samples.saturating_sub(1)) as f64 / (self.last_s - self.first_s)
    }

    /// Whether `other` is another account of the same current: its changes go with this one's.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let begin_s = self.first_s.max(other.first_s);
        let part = |flow: &Self| -> Vec<f64> {
            let skip = ((begin_s - flow.first_s) / BIN_S).round().max(0.0) as usize;
            let means = flow.means_ma.get(skip..).unwrap_or_default();
            means.windows(2).map(|pair| pair.iter().rev().fold(0.0, |d, x| f64::from(*x) - d)).collect()
        };
        let (own, theirs) = (part(self), part(other));
        let correlation = |a: &[f64], b: &[f64]| {
            let (mut dot, mut aa, mut bb) = (0.0, 0.0, 0.0);
            for (x, y) in a.iter().zip(b) {
                dot += x * y;
                aa += x * x;
                bb += y * y;
            }
            if aa > 0.0 && bb > 0.0 { dot / (aa * bb).sqrt() } else { 0.0 }
        };
        (0..=APART).any(|lag| {
            let later = |x: &[f64]| x.get(lag..).unwrap_or_default().to_vec();
            // A monitor may have the other sign.
            correlation(&later(&own), &theirs).abs() > SAME || correlation(&own, &later(&theirs)).abs() > SAME
        })
    }
}

/// The pass.
#[derive(Debug, Default)]
struct Making {
    flow: Flow,
    newest_s: Option<f64>,
    flowed_s: Option<f64>,
    bin: (f64, u32),
}

impl Making {
    fn take(&mut self, stamp_s: f64, current_ma: f64) {
        if !stamp_s.is_finite() {
            return;
        }
        let flow = &mut self.flow;
        let before_s = *self.newest_s.get_or_insert(stamp_s);
        if flow.samples == 0 {
            flow.first_s = stamp_s;
        }
        // A gap that begins while current flows has current in it, as far as anyone knows.
        let open = self.flowed_s.is_some_and(|flowed_s| before_s - flowed_s <= AT_REST_S);
        if stamp_s - before_s > PAUSE_S
            && open
            && let Some((_, last_s)) = flow.runs.last_mut()
        {
            *last_s = stamp_s;
            self.flowed_s = Some(stamp_s);
        }
        // A sample that nobody measured may be anything.
        if current_ma.is_nan() || current_ma.abs() > AT_REST_MA {
            let from_s = if stamp_s - flow.first_s <= AT_REST_S { f64::NEG_INFINITY } else { stamp_s };
            match flow.runs.last_mut() {
                Some((_, last_s)) if stamp_s - *last_s <= PAUSE_S => *last_s = stamp_s,
                _ => flow.runs.push((from_s, stamp_s)),
            }
            self.flowed_s = Some(stamp_s);
        }
        let place = ((stamp_s - flow.first_s) / BIN_S).clamp(0.0, 1e8) as usize;
        while flow.means_ma.len() < place {
            let (sum, count) = std::mem::take(&mut self.bin);
            flow.means_ma.push((sum / f64::from(count.max(1))) as f32);
        }
        if current_ma.is_finite() {
            self.bin.0 += current_ma;
            self.bin.1 += 1;
        }
        flow.samples += 1;
        flow.last_s = stamp_s;
        self.newest_s = Some(stamp_s);
    }

    fn finish(mut self) -> Flow {
        if let (Some(flowed_s), Some((_, last_s))) = (self.flowed_s, self.flow.runs.last_mut())
            && self.flow.last_s - flowed_s <= AT_REST_S
        {
            *last_s = f64::INFINITY;
        }
        self.flow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(samples: impl Iterator<Item = (f64, f64)>) -> Flow {
        let mut making = Making::default();
        samples.for_each(|(stamp_s, ma)| making.take(stamp_s, ma));
        making.finish()
    }

    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        }
    }

    #[test]
    fn a_current_that_begins_or_ends_beyond_its_stream_flows_there() {
        let within = |t: f64| if (2.0..5.0).contains(&t) { 0.1 } else { 0.0 };
        let whole = flow((0..8000).map(|n| (f64::from(n) * 1e-3, within(f64::from(n) * 1e-3))));
        assert_eq!(whole.runs, [(2.0, 4.999)]);
        let cut = flow((2500..4000).map(|n| (f64::from(n) * 1e-3, within(f64::from(n) * 1e-3))));
        assert_eq!(cut.runs, [(f64::NEG_INFINITY, f64::INFINITY)]);
        assert!((whole.rate_hz() - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn a_gap_under_current_is_under_current_and_one_at_rest_is_not() {
        let lost = |n: &i32| !(3000..4000).contains(n);
        let burst =
            flow((0..8000).filter(lost).map(|n| (f64::from(n) * 1e-3, if n > 1000 { 0.1 } else { 0.0 })));
        let rounded = |runs: &[(f64, f64)]| -> Vec<(f64, f64)> {
            runs.iter()
                .map(|(from_s, to_s)| ((from_s * 1e3).round() / 1e3, (to_s * 1e3).round() / 1e3))
                .collect()
        };
        assert_eq!(rounded(&burst.runs), [(1.001, f64::INFINITY)]);
        let rest = flow((0..8000).filter(lost).map(|n| {
            (
                f64::from(n) * 1e-3,
                if (1000..2900).contains(&n) || (4100..7000).contains(&n) { 0.1 } else { 0.0 },
            )
        }));
        assert_eq!(rounded(&rest.runs), [(1.0, 2.899), (4.1, 6.999)]);
    }

    #[test]
    fn two_accounts_of_one_current_are_told_from_two_currents() {
        let (mut one, mut two, mut hiss) = (noise(3), noise(4), noise(5));
        let own: Vec<f64> = (0..20_000).map(|_| one()).collect();
        let other: Vec<f64> = (0..20_000).map(|_| two()).collect();
        let of = |values: &[f64], from_s: f64| {
            flow(
                values
                    .iter()
                    .enumerate()
                    .map(|(n, x)| (from_s + n as f64 * 1e-3, *x))
                    .collect::<Vec<_>>()
                    .into_iter(),
            )
        };
        let monitor: Vec<f64> = own.iter().skip(1700).map(|x| -0.9 * x + 0.05 * hiss()).collect();
        assert!(of(&own, 10.0).same_as(&of(&monitor, 11.7 + 0.06)));
        assert!(!of(&own, 10.0).same_as(&of(&other, 10.0)));
    }
}

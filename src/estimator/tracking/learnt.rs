//! The tracker whose drift is learnt: a bank of filters, each of which believes in another drift.
//!
//! Each filter of the bank is weighed by how likely it made the windows seen so far (multiple-model estimation; Magill
//! 1965, IEEE Trans Autom Control 10:434), recent ones more. Windows that share data say too little of each other's
//! errors for that: only windows that share none are weighed, by filters of their own.
//!
//! A window's exponent is a mean over its time. The filters follow the exponent in the windows' middles, whence a drifting
//! exponent differs little from that mean; what is reported is where it has come to at the window's end, half a window
//! on.

use super::{TrackSettings, Tracked};

/// Drifts per root second that are believed in: from a quiet head to an exponent that changes by 0.5 within a window.
const DRIFTS: [f64; 8] = [0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32];
/// ln of how likely a drift is before anything is seen: a normal one over ln drift, of this standard deviation.
const BELIEF_SD: f64 = 1.2;
/// After so many seconds a window counts for a third, so that a head that turns restless is followed.
const REACH_S: f64 = 180.0;
/// A window beyond four standard deviations counts as one there: one bad window does not decide.
const MOST: f64 = 16.0;

/// Mean and variance of one filter.
type State = (f64, f64);

/// Follows one target.
#[derive(Clone, Copy, Debug)]
pub struct LearntTracker {
    settings: TrackSettings,
    window_s: f64,
    /// Filters over all windows, and over those that share no data.
    now: [Option<State>; DRIFTS.len()],
    apart: [Option<State>; DRIFTS.len()],
    /// ln likelihood of each drift by the windows seen.
    seen: [f64; DRIFTS.len()],
    last_s: f64,
    last_apart_s: f64,
}

impl LearntTracker {
    /// A filter that knows nothing yet, of windows of `window_s`. The drift of `settings` is where the belief begins.
    #[must_use]
    pub fn new(settings: TrackSettings, window_s: f64) -> Self {
        let start = f64::NEG_INFINITY;
        Self {
            settings,
            window_s,
            now: [None; DRIFTS.len()],
            apart: [None; DRIFTS.len()],
            seen: [0.0; DRIFTS.len()],
            last_s: start,
            last_apart_s: start,
        }
    }

    /// See [`super::Tracker::step`]: the exponent is that at the window's end.
    pub fn step(&mut self, at_s: f64, measured: Option<(f64, f64)>) -> Option<Tracked> {
        let measured = measured.filter(|(exponent, _)| exponent.is_finite()).map(|(exponent, se)| {
            (exponent, if se.is_finite() && se > 0.0 { se } else { self.settings.default_se })
        });
        let passed_s = passed(self.last_s, at_s);
        self.last_s = self.last_s.max(at_s);
        let share = self.settings.new_share.clamp(1e-6, 1.0);
        for (state, drift) in self.now.iter_mut().zip(DRIFTS) {
            let noise = |se: f64| (se * se + wander(drift, self.window_s)) / share;
            let _ = update(state, drift * drift * passed_s, measured.map(|(x, se)| (x, noise(se))));
        }
        if let Some((exponent, se)) = measured.filter(|_| at_s - self.last_apart_s >= self.window_s * 0.999) {
            let passed_s = passed(self.last_apart_s, at_s);
            self.last_apart_s = at_s;
            let keep = (-passed_s / REACH_S).exp();
            for ((state, seen), drift) in self.apart.iter_mut().zip(&mut self.seen).zip(DRIFTS) {
                let noise = se * se + wander(drift, self.window_s);
                let likelihood = update(state, drift * drift * passed_s, Some((exponent, noise)));
                *seen = *seen * keep + likelihood;
            }
        }
        self.mixture()
    }

    /// The mean of the bank, and its variance: what each filter does not know, and how far they differ.
    fn mixture(&self) -> Option<Tracked> {
        let belief = |drift: f64| -0.5 * ((drift / self.settings.drift_per_sqrt_s).ln() / BELIEF_SD).powi(2);
        let weights = || self.seen.iter().zip(DRIFTS).map(|(seen, drift)| seen + belief(drift));
        let top = weights().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
        for ((state, drift), weight) in self.now.iter().zip(DRIFTS).zip(weights()) {
            let (exponent, variance) = (*state)?;
            let variance = variance + 0.5 * drift * drift * self.window_s;
            let weight = (weight - top).exp();
            sum += weight;
            mean += weight * exponent;
            square += weight * (variance + exponent * exponent);
        }
        let exponent = mean / sum;
        Some(Tracked { exponent, sd: (square / sum - exponent * exponent).max(0.0).sqrt() })
    }
}

/// Variance of a random walk's mean over a window about where it was in the window's middle.
fn wander(drift: f64, window_s: f64) -> f64 {
    drift * drift * window_s / 12.0
}

fn passed(from_s: f64, to_s: f64) -> f64 {
    let passed_s = (to_s - from_s).max(0.0);
    if passed_s.is_finite() { passed_s } else { 0.0 }
}

/// One step of one filter; returns the ln likelihood of what was measured (exponent and variance).
fn update(state: &mut Option<State>, drifted: f64, measured: Option<(f64, f64)>) -> f64 {
    let Some((mean, variance)) = state else {
        *state = measured;
        return 0.0;
    };
    *variance += drifted;
    let Some((exponent, noise)) = measured else { return 0.0 };
    let total = *variance + noise;
    let gain = *variance / total;
    let surprise = exponent - *mean;
    *mean += gain * surprise;
    *variance *= 1.0 - gain;
    -0.5 * (total.ln() + (surprise * surprise / total).min(MOST))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::super::Tracker;
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    /// Coverage of a fixed belief's 95 % interval and of the learnt one's, over the exponent now: windows of 4 s every
    /// `hop_s`, whose errors overlap as their data do.
    fn coverage(drift: f64, hop_s: f64) -> (f64, f64, f64) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let (step_s, window_s, se) = (0.5, 4.0, 0.13);
        let length = (window_s / step_s) as usize;
        let settings = TrackSettings { drift_per_sqrt_s: 0.02, new_share: hop_s / window_s, default_se: 0.2 };
        let (mut fixed, mut learnt) = (Tracker::new(settings), LearntTracker::new(settings, window_s));
        let (mut path, mut error) = (vec![1.0], vec![0.0]);
        let (mut total, mut hits, mut square) = (0.0, [0.0; 2], 0.0);
        for k in 1..40_000_usize {
            path.push(path[k - 1] + drift * step_s.sqrt() * normal());
            error.push(se * (length as f64).sqrt() * normal());
            if k < length || k % (hop_s / step_s) as usize != 0 {
                continue;
            }
            let mean = |of: &[f64]| of[k + 1 - length..=k].iter().sum::<f64>() / length as f64;
            let measured = Some((mean(&path) + mean(&error), se));
            let at_s = k as f64 * step_s;
            let found = [fixed.step(at_s, measured).unwrap(), learnt.step(at_s, measured).unwrap()];
            if at_s > 120.0 {
                total += 1.0;
                for (hits, found) in hits.iter_mut().zip(found) {
                    *hits += f64::from(u8::from((found.exponent - path[k]).abs() < 1.96 * found.sd));
                }
                square += (found[1].exponent - path[k]).powi(2);
            }
        }
        (hits[0] / total, hits[1] / total, (square / total).sqrt())
    }

    #[test]
    fn the_interval_holds_at_every_drift() {
        for hop_s in [4.0, 0.5] {
            for drift in [0.0, 0.005, 0.02, 0.05, 0.1, 0.2] {
                let (fixed, learnt, error) = coverage(drift, hop_s);
                let told =
                    format!("hop {hop_s} s, drift {drift}: {fixed:.3}, {learnt:.3} (error {error:.3})");
                assert!((0.92..=1.0).contains(&learnt), "{told}");
                if drift > 0.08 {
                    assert!(fixed < 0.8, "the fixed belief needs no learning: {told}");
                }
            }
        }
    }

    #[test]
    fn a_quiet_exponent_is_followed_closely_and_silence_widens() {
        let settings = TrackSettings { drift_per_sqrt_s: 0.02, new_share: 1.0, default_se: 0.2 };
        let mut tracker = LearntTracker::new(settings, 4.0);
        assert_eq!(tracker.step(0.0, None), None);
        let mut last = None;
        for k in 0..100 {
            let off = if k % 2 == 0 { 0.1 } else { -0.1 };
            last = tracker.step(f64::from(k) * 4.0, Some((1.0 + off, 0.13)));
        }
        let settled = last.unwrap();
        assert!((settled.exponent - 1.0).abs() < 0.05 && settled.sd < 0.06, "{settled:?}");
        assert!(tracker.step(1000.0, None).unwrap().sd > 2.0 * settled.sd);
    }
}

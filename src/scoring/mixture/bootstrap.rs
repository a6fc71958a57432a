//! Quick refits of one mixture to resamples of its responses, for intervals.
//!
//! A resample is fitted from the fit to all responses, with errors rounded to half a degree so that a density is a
//! look-up; that, and ending at a gain of 1e-3 in ln likelihood, moves a refit by far less than refits differ among
//! themselves (the rounding adds a variance of 0.02 square degrees, where kappa 100 has 33).

use super::{KAPPA_MAX, Mixture, Response};
use crate::bessel::{concentration, ln_peak};
use crate::stream::Stream;
use std::f64::consts::TAU;

/// Distances 0 to 180 degrees by a half.
const CELLS: usize = 361;
const CELLS_PER_DEG: f64 = 2.0;
const MOST_STEPS: usize = 60;
const ENOUGH: f64 = 1e-3;

/// Holds the responses in the form that refits need.
pub struct Resampler {
    /// Non-targets of a response; 0 with two parts.
    others: usize,
    /// For each response 1 + `others` indices into the tables.
    index: Vec<u16>,
    cos: Vec<f64>,
    density: Vec<f64>,
    chosen: Vec<u32>,
    start: Mixture,
}

impl Resampler {
    /// Prepares refits from `start`. Non-targets are used where every response has the same number of them and
    /// `three` is set.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 360")]
    pub fn new(responses: &[Response], three: bool, start: Mixture) -> Self {
        let fewest = responses.iter().map(|r| r.to_nontargets_deg.len()).min().unwrap_or(0);
        let others = if three { fewest } else { 0 };
        let cell = |deg: &f64| {
            ((crate::angle::wrap_deg(*deg).abs() * CELLS_PER_DEG).round() as u16).min(CELLS as u16 - 1)
        };
        let index = responses
            .iter()
            .flat_map(|r| {
                std::iter::once(&r.error_deg).chain(r.to_nontargets_deg.iter().take(others)).map(cell)
            })
            .collect();
        Self {
            others,
            index,
            cos: (0..CELLS).map(|c| (c as f64 / CELLS_PER_DEG).to_radians().cos()).collect(),
            density: vec![0.0; CELLS],
            chosen: vec![0; responses.len()],
            start,
        }
    }

    /// Fits one resample, drawn from `stream`.
    pub fn refit(&mut self, stream: &mut Stream) -> Mixture {
        let n = self.chosen.len();
        self.chosen.iter_mut().for_each(|c| *c = 0);
        for _ in 0..n {
            if let Some(slot) = self.chosen.get_mut(stream.below(n)) {
                *slot += 1;
            }
        }
        let start = self.start;
        let mut state = Mixture { kappa: start.kappa, ..start };
        // A weight of zero would stay there; a resample may have its maximum elsewhere.
        let floor = 0.01;
        state.p_target = state.p_target.max(floor);
        state.p_nontarget = if self.others > 0 { state.p_nontarget.max(floor) } else { 0.0 };
        state.p_guess = state.p_guess.max(floor);
        let sum = state.p_target + state.p_nontarget + state.p_guess;
        state = Mixture {
            p_target: state.p_target / sum,
            p_nontarget: state.p_nontarget / sum,
            p_guess: state.p_guess / sum,
            log_likelihood: f64::NEG_INFINITY,
            ..state
        };
        for _ in 0..MOST_STEPS {
            let next = self.step(&state);
            let gain = next.log_likelihood - state.log_likelihood;
            state = next;
            if gain < ENOUGH {
                break;
            }
        }
        state
    }

    /// The next state, with the ln likelihood of the one before.
    fn step(&mut self, state: &Mixture) -> Mixture {
        let peak = ln_peak(state.kappa);
        for (slot, cos) in self.density.iter_mut().zip(&self.cos) {
            *slot = (peak + state.kappa * (cos - 1.0)).exp();
        }
        let at = |table: &[f64], index: &u16| table.get(usize::from(*index)).copied().unwrap_or_default();
        let share = state.p_nontarget / self.others.max(1) as f64;
        let guess = state.p_guess / TAU;
        let (mut ln, mut n, mut sums, mut along) = (Product::default(), 0.0, [0.0; 2], 0.0);
        for (row, times) in self.index.chunks_exact(1 + self.others).zip(&self.chosen) {
            if *times == 0 {
                continue;
            }
            let Some((first, rest)) = row.split_first() else { continue };
            let target = state.p_target * at(&self.density, first);
            let mut toward = target * at(&self.cos, first);
            let mut nontarget = 0.0;
            for index in rest {
                let one = share * at(&self.density, index);
                nontarget += one;
                toward += one * at(&self.cos, index);
            }
            let total = target + nontarget + guess;
            (0..*times).for_each(|_| ln.times(total));
            let times = f64::from(*times);
            let each = times / total;
            n += times;
            sums[0] += each * target;
            sums[1] += each * nontarget;
            along += each * toward;
        }
        let [target, nontarget] = sums.map(|s| s / n);
        Mixture {
            kappa: concentration(along / n / (target + nontarget), KAPPA_MAX),
            p_target: target,
            p_nontarget: nontarget,
            p_guess: (1.0 - target - nontarget).max(0.0),
            log_likelihood: ln.ln(),
        }
    }
}

/// The logarithm of a long product. It is taken of some dozens of factors at once: a logarithm costs as much as all
/// else that a response needs.
struct Product {
    ln: f64,
    pending: f64,
}

impl Default for Product {
    fn default() -> Self {
        Self { ln: 0.0, pending: 1.0 }
    }
}

impl Product {
    fn times(&mut self, factor: f64) {
        self.pending *= factor;
        if !(1e-100..1e100).contains(&self.pending) {
            *self = Self { ln: self.ln(), pending: 1.0 };
        }
    }

    fn ln(&self) -> f64 {
        self.ln + self.pending.ln()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::{Parts, fit, tests::observer};
    use super::*;
    use crate::quantile::{mean, sd};
    use crate::stream::Streams;

    #[test]
    fn refits_scatter_as_fits_to_new_observers_do() {
        let weights = [0.7, 0.1, 0.2];
        let refits = |three: bool| {
            let responses = observer(200, weights, 9.0, 5);
            let parts = if three { Parts::Three } else { Parts::Two };
            let start = fit(&responses, parts).unwrap();
            let mut resampler = Resampler::new(&responses, three, start);
            let streams = Streams::new(1, &["refit"]);
            let found: Vec<f64> =
                (0..300).map(|k| resampler.refit(&mut streams.replicate(k)).p_target).collect();
            (mean(&found) - start.p_target, sd(&found))
        };
        for (three, parts) in [(true, Parts::Three), (false, Parts::Two)] {
            let (bias, spread) = refits(three);
            let fresh: Vec<f64> = (100..200)
                .map(|seed| fit(&observer(200, weights, 9.0, seed), parts).unwrap().p_target)
                .collect();
            assert!(bias.abs() < 0.01, "{bias}");
            assert!((spread / sd(&fresh) - 1.0).abs() < 0.3, "{spread} {}", sd(&fresh));
        }
    }
}

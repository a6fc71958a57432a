//! Mixtures of a response's causes: the target, one of the non-targets, or a guess (Bays, Catalao & Husain 2009).
//!
//! p(response) = p_t vm(error; kappa) + p_n mean over non-targets of vm(error to it; kappa) + p_g / (2 pi).
//! With two parts p_n is zero. Fitted by expectation and maximisation from several starts; weights and kappa may
//! sit at their bounds, which is tried, not only approached.

mod bootstrap;

pub use bootstrap::Resampler;

use crate::bessel::{concentration, ln_peak};
use std::f64::consts::TAU;

/// The largest kappa: an SD of about one degree, which is the resolution of the responses.
pub const KAPPA_MAX: f64 = 3_000.0;

/// Which causes a fit knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Target and guess.
    Two,
    /// Target, non-target and guess.
    Three,
}

/// One response as the mixture sees it: errors to the target and to each non-target.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Response minus target, degrees.
    pub error_deg: f64,
    /// Response minus each non-target, degrees.
    pub to_nontargets_deg: Vec<f64>,
}

/// A fitted mixture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// Concentration of both von Mises parts.
    pub kappa: f64,
    /// Share of responses to the target.
    pub p_target: f64,
    /// Share of responses to a non-target.
    pub p_nontarget: f64,
    /// Share of guesses.
    pub p_guess: f64,
    /// ln likelihood, with densities per radian.
    pub log_likelihood: f64,
}

impl Mixture {
    /// Where a parameter sits at its bound, in words; empty where none does.
    #[must_use]
    pub fn bounds(&self, parts: Parts) -> Vec<&'static str> {
        let tiny = 1e-6;
        let mut at = Vec::new();
        let mut note = |is: bool, what| {
            if is {
                at.push(what);
            }
        };
        note(self.kappa >= KAPPA_MAX * (1.0 - 1e-9), "kappa at its largest");
        note(self.kappa <= 1e-6, "kappa at zero");
        note(self.p_target < tiny, "p_target at zero");
        note(parts == Parts::Three && self.p_nontarget < tiny, "p_nontarget at zero");
        note(self.p_guess < tiny, "p_guess at zero");
        at
    }

    /// The density of an error to the target in degrees, per degree: the fitted curve of an error histogram.
    /// Responses to non-targets are spread evenly, as they are when items are placed at random.
    #[must_use]
    pub fn error_density_per_deg(&self, error_deg: f64) -> f64 {
        let cos = error_deg.to_radians().cos();
        let peak = (ln_peak(self.kappa) + self.kappa * (cos - 1.0)).exp();
        (self.p_target * peak + (1.0 - self.p_target) / TAU).to_radians()
    }
}

/// Weights (target, non-target, guess) and kappa to start from.
const STARTS: [([f64; 3], f64); 7] = [
    ([0.8, 0.1, 0.1], 8.0),
    ([0.5, 0.25, 0.25], 8.0),
    ([0.25, 0.5, 0.25], 8.0),
    ([0.3, 0.1, 0.6], 20.0),
    ([0.6, 0.3, 0.1], 2.0),
    ([0.9, 0.05, 0.05], 40.0),
    ([0.4, 0.3, 0.3], 1.0),
];
/// Steps of each start, how many of the best go on, and until when.
const FIRST_STEPS: usize = 25;
const GO_ON: usize = 2;
const MOST_STEPS: usize = 4_000;
/// Movement of weights, and of kappa relative to itself, in one step below which a fit has ended.
const ENOUGH: f64 = 1e-9;

/// Fits `parts` to responses; `None` without a response. With three parts every response needs a non-target,
/// otherwise two are fitted.
#[must_use]
pub fn fit(responses: &[Response], parts: Parts) -> Option<Mixture> {
    if responses.is_empty() {
        return None;
    }
    let three = parts == Parts::Three && responses.iter().all(|r| !r.to_nontargets_deg.is_empty());
    let data = Data::new(responses, three);
    let allowed = |w: [f64; 3], zero: [bool; 3]| -> [f64; 3] {
        let kept: [f64; 3] = std::array::from_fn(|k| if zero[k] { 0.0 } else { w[k] });
        let sum: f64 = kept.iter().sum();
        kept.map(|w| w / sum)
    };
    let none = [false, !three, false];
    let mut begun: Vec<State> = STARTS
        .iter()
        .map(|(weights, kappa)| {
            data.climb(
                State { weights: allowed(*weights, none), kappa: *kappa, ln: f64::NEG_INFINITY },
                FIRST_STEPS,
            )
        })
        .collect();
    begun.sort_by(|a, b| b.ln.total_cmp(&a.ln));
    let mut best = begun
        .into_iter()
        .take(GO_ON)
        .map(|state| data.climb(state, MOST_STEPS))
        .reduce(|best, other| if other.ln > best.ln { other } else { best })?;
    // A weight that vanishes does so more and more slowly: set to zero, the fit may end higher.
    for cause in 0..3 {
        let weight = best.weights.get(cause).copied().unwrap_or_default();
        if weight > 0.0 && weight < 0.03 {
            let mut zero = best.weights.map(|w| w == 0.0);
            if let Some(slot) = zero.get_mut(cause) {
                *slot = true;
            }
            let at_bound = data.climb(State { weights: allowed(best.weights, zero), ..best }, MOST_STEPS);
            if at_bound.ln >= best.ln - 1e-7 {
                best = at_bound;
            }
        }
    }
    let [p_target, p_nontarget, p_guess] = best.weights;
    Some(Mixture { kappa: best.kappa, p_target, p_nontarget, p_guess, log_likelihood: best.ln })
}

/// Where a climb stands; `ln` belongs to these weights and this kappa once a step has been taken.
#[derive(Clone, Copy, Debug)]
struct State {
    weights: [f64; 3],
    kappa: f64,
    ln: f64,
}

/// Cosines of the errors, which is all that a von Mises density needs.
struct Data {
    to_target: Vec<f64>,
    /// One row of `per` for each response.
    to_nontargets: Vec<Vec<f64>>,
}

impl Data {
    fn new(responses: &[Response], three: bool) -> Self {
        let cos = |deg: &f64| deg.to_radians().cos();
        Self {
            to_target: responses.iter().map(|r| cos(&r.error_deg)).collect(),
            to_nontargets: responses
                .iter()
                .map(|r| if three { r.to_nontargets_deg.iter().map(cos).collect() } else { Vec::new() })
                .collect(),
        }
    }

    /// Steps until nothing is gained.
    fn climb(&self, from: State, most: usize) -> State {
        let mut state = from;
        for _ in 0..most {
            let (ln, next) = self.step(&state);
            let weights = state.weights.iter().zip(next.weights).map(|(a, b)| (a - b).abs());
            let moved = weights.fold((next.kappa - state.kappa).abs() / next.kappa.max(1e-3), f64::max);
            if moved < ENOUGH {
                return State { ln, ..state };
            }
            state = next;
        }
        State { ln: self.step(&state).0, ..state }
    }

    /// One step of expectation and maximisation: ln likelihood of `state`, and the better state.
    fn step(&self, state: &State) -> (f64, State) {
        let [w_target, w_nontarget, w_guess] = state.weights;
        let ln_peak = ln_peak(state.kappa);
        let vm = |cos: f64| (ln_peak + state.kappa * (cos - 1.0)).exp();
        let (mut ln, mut sums, mut along) = (0.0, [0.0; 3], 0.0);
        for (cos, others) in self.to_target.iter().zip(&self.to_nontargets) {
            let target = w_target * vm(*cos);
            let (mut nontarget, mut along_others) = (0.0, 0.0);
            if w_nontarget > 0.0 {
                for cos in others {
                    let one = vm(*cos);
                    nontarget += one;
                    along_others += one * cos;
                }
                let share = w_nontarget / others.len().max(1) as f64;
                nontarget *= share;
                along_others *= share;
            }
            let guess = w_guess / TAU;
            let total = target + nontarget + guess;
            ln += total.ln();
            sums[0] += target / total;
            sums[1] += nontarget / total;
            sums[2] += guess / total;
            along += (target * cos + along_others) / total;
        }
        let n = self.to_target.len() as f64;
        let kappa = concentration(along / (sums[0] + sums[1]), KAPPA_MAX);
        (ln, State { weights: sums.map(|s| s / n), kappa, ln })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::stream::Streams;

    /// Responses of an observer with known shares; von Mises errors by rejection.
    pub(super) fn observer(n: usize, weights: [f64; 3], kappa: f64, seed: u64) -> Vec<Response> {
        let mut stream = Streams::new(seed, &["mixture"]).replicate(0);
        (0..n)
            .map(|_| {
                let target = 360.0 * stream.unit();
                let others: Vec<f64> = (0..3).map(|_| 360.0 * stream.unit()).collect();
                let which = stream.unit();
                let error = loop {
                    let error = 360.0 * stream.unit() - 180.0;
                    if stream.unit() < (kappa * (error.to_radians().cos() - 1.0)).exp() {
                        break error;
                    }
                };
                let response = if which < weights[0] {
                    target + error
                } else if which < weights[0] + weights[1] {
                    others[stream.below(3)] + error
                } else {
                    360.0 * stream.unit()
                };
                Response {
                    error_deg: response - target,
                    to_nontargets_deg: others.iter().map(|o| response - o).collect(),
                }
            })
            .collect()
    }

    #[test]
    fn known_shares_are_found() {
        let truth = [0.6, 0.25, 0.15];
        let found = fit(&observer(4_000, truth, 9.0, 1), Parts::Three).unwrap();
        let shares = [found.p_target, found.p_nontarget, found.p_guess];
        for (share, truth) in shares.iter().zip(truth) {
            assert!((share - truth).abs() < 0.03, "{found:?}");
        }
        assert!((found.kappa / 9.0 - 1.0).abs() < 0.1, "{found:?}");
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_cause_that_is_not_there_has_a_weight_of_zero() {
        // Every other sample of such an observer has its maximum at the bound itself.
        let at_zero = (0..8).filter(|seed| {
            let found = fit(&observer(150, [0.85, 0.15, 0.0], 6.0, *seed), Parts::Three).unwrap();
            found.p_guess == 0.0 && found.bounds(Parts::Three) == ["p_guess at zero"]
        });
        assert!(at_zero.count() >= 2);
        let found = fit(&observer(100, [1.0, 0.0, 0.0], 6.0, 3), Parts::Two).unwrap();
        assert_eq!(found.p_nontarget, 0.0);
        let same = Response { error_deg: 0.0, to_nontargets_deg: vec![] };
        let found = fit(&vec![same; 10], Parts::Three).unwrap();
        assert_eq!((found.kappa, found.p_target), (KAPPA_MAX, 1.0));
        assert_eq!(found.bounds(Parts::Two), ["kappa at its largest", "p_guess at zero"]);
    }

    #[test]
    fn the_fitted_curve_is_a_density() {
        let curve =
            Mixture { kappa: 5.0, p_target: 0.6, p_nontarget: 0.3, p_guess: 0.1, log_likelihood: 0.0 };
        let area: f64 = (0..360).map(|d| curve.error_density_per_deg(f64::from(d))).sum();
        assert!((area - 1.0).abs() < 1e-9, "{area}");
    }
}

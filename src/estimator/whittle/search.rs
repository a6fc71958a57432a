//! Looks for peaks that a fit lacks, and weighs fits with and without them.
//!
//! A score test over a grid of centres and widths says where one more peak would help most; it is added, all is
//! refitted, and the Laplace approximation of the evidence says how much the data support it. Nothing is chosen
//! outright: the exponent is the mean over the steps of the search, weighted by evidence, and its variance holds
//! how far they differ (Hoeting, Madigan, Raftery & Volinsky, Statistical Science 14, 1999).

use super::linear::dot;
use super::model::Model;
use super::parameters::{Component, MAX_PARAMETERS, Parameters, Prior};
use super::scoring::{Data, Scratch};

/// Where theta and alpha peaks are found, and the share of all peaks that lie there.
const USUAL_HZ: (f64, f64) = (3.5, 14.0);
const USUAL_SHARE: f64 = 0.6;
/// Candidates of a scan whose overlap with what is already fitted is worked out.
const LEADERS: usize = 6;

/// Candidate peaks, tabulated once.
#[derive(Debug)]
pub struct Atoms {
    atoms: Vec<Atom>,
    low_hz: f64,
    high_hz: f64,
    residual: Vec<f64>,
    precision: Vec<f64>,
    inverse: Vec<f64>,
    product: Vec<f64>,
}

#[derive(Debug)]
struct Atom {
    centre_hz: f64,
    ln_sigma: f64,
    start: usize,
    shape: Vec<f64>,
    square: Vec<f64>,
}

/// What is known of a peak before the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// ln odds that there is one more peak somewhere in the range.
    pub ln_odds: f64,
    /// Standard deviation of its amplitude, over the line at its centre.
    pub amplitude: f64,
    /// ln of its standard deviation in Hz, and the spread of that.
    pub ln_sigma: f64,
    /// See `ln_sigma`.
    pub ln_sigma_sd: f64,
    /// A candidate that promises less ln likelihood is not worth a fit.
    pub least_gain: f64,
}

/// What a search begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// Line, floor, knee and peaks that are there from the start.
    pub parameters: Parameters,
    /// What their priors add to the evidence.
    pub ln_prior: f64,
}

/// One fit on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its parameters.
    pub parameters: Parameters,
    /// Second-order bias of level and exponent.
    pub bias: [f64; 2],
    /// What the priors of its floor, knee and peaks add to the evidence.
    pub ln_prior: f64,
    /// ln evidence, up to a constant that all fits of a spectrum share.
    pub ln_evidence: f64,
    /// Variance of the exponent.
    pub chi_variance: f64,
    /// Variance of the ln of the knee's frequency; NaN where there is none.
    pub knee_variance: f64,
    /// Size of the last step in the exponent.
    pub last_step: f64,
}

impl Atoms {
    /// Candidates for the model's bins.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let freqs = model.freqs_hz();
        let low_hz = freqs.first().copied().unwrap_or(0.0);
        let high_hz = freqs.last().copied().unwrap_or(0.0);
        let mut atoms = Vec::new();
        for sigma_hz in [0.6_f64, 1.1, 2.0] {
            let spacing_hz = 0.5 * sigma_hz.max(1.0);
            let mut centre_hz = low_hz + 0.5;
            while centre_hz <= high_hz - 0.5 {
                let bins = model.reach(centre_hz, sigma_hz);
                let mut values = vec![[0.0; 3]; bins.len()];
                model.peak(centre_hz, sigma_hz.ln(), bins.clone(), &mut values);
                let shape: Vec<f64> = values.iter().map(|v| v[0]).collect();
                let square = shape.iter().map(|q| q * q).collect();
                atoms.push(Atom { centre_hz, ln_sigma: sigma_hz.ln(), start: bins.start, shape, square });
                centre_hz += spacing_hz;
            }
        }
        let n = freqs.len();
        let zeros = || vec![0.0; n];
        Self {
            atoms,
            low_hz,
            high_hz,
            residual: zeros(),
            precision: zeros(),
            inverse: zeros(),
            product: zeros(),
        }
    }

    /// The candidate that would help the fit in `scratch` most, as a component ready to be fitted, and the gain in
    /// ln likelihood that the score test promises for its amplitude.
    pub fn best(
        &mut self,
        scratch: &Scratch,
        model: &Model,
        data: &Data<'_>,
        parameters: &Parameters,
        belief: &Belief,
    ) -> Option<(Component, f64)> {
        let dimension = parameters.dimension();
        let bins = scratch.expected().iter().zip(scratch.ratio()).zip(data.weight);
        for (((residual, precision), inverse), ((mu, x), k)) in
            self.residual.iter_mut().zip(&mut self.precision).zip(&mut self.inverse).zip(bins)
        {
            *inverse = 1.0 / mu;
            *residual = k * (x - 1.0) * *inverse;
            *precision = k * *inverse * *inverse;
        }
        // Without the projection first, since it costs most; then the few that lead.
        let mut leaders = [(0.0, 0usize); LEADERS];
        for (index, atom) in self.atoms.iter().enumerate() {
            let end = atom.start + atom.shape.len();
            let score = dot(&atom.shape, self.residual.get(atom.start..end)?);
            if score <= 0.0 {
                continue;
            }
            let information = dot(&atom.square, self.precision.get(atom.start..end)?);
            let gain = score * score / information;
            if let Some(last) = leaders.last_mut()
                && gain > last.0
            {
                *last = (gain, index);
                leaders.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
            }
        }
        let mut best: Option<(f64, &Atom, f64)> = None;
        for (crude, index) in leaders {
            let Some(atom) = self.atoms.get(index).filter(|_| crude > 0.0) else { continue };
            let end = atom.start + atom.shape.len();
            let score = dot(&atom.shape, self.residual.get(atom.start..end)?);
            let information = dot(&atom.square, self.precision.get(atom.start..end)?);
            let shape = atom.shape.iter().zip(self.inverse.get(atom.start..end)?);
            let weights = data.weight.get(atom.start..end)?;
            for ((slot, (q, inverse)), k) in self.product.iter_mut().zip(shape).zip(weights) {
                *slot = k * q * inverse;
            }
            let mut cross = [0.0; MAX_PARAMETERS];
            for (d, slot) in cross.iter_mut().enumerate().take(dimension) {
                let (column, bins) = scratch.column(d);
                let (low, high) = (bins.start.max(atom.start), bins.end.min(end));
                if low < high {
                    *slot = dot(
                        column.get(low - bins.start..high - bins.start)?,
                        self.product.get(low - atom.start..high - atom.start)?,
                    );
                }
            }
            let left = information - scratch.inverse_quadratic(&cross, dimension);
            if left <= 0.02 * information {
                continue;
            }
            let gain = score * score / (2.0 * left);
            if best.is_none_or(|(most, ..)| gain > most) {
                best = Some((gain, atom, score / left));
            }
        }
        let (gain, atom, amplitude) = best?;
        let line = parameters.line_at(atom.centre_hz, model.pivot_hz());
        let component = Component {
            value: [amplitude.min(30.0 * line), atom.centre_hz, atom.ln_sigma],
            prior: [
                Prior::new(0.0, belief.amplitude * line),
                Prior::new(atom.centre_hz, 2.0),
                Prior::new(belief.ln_sigma, belief.ln_sigma_sd),
            ],
        };
        Some((component, gain))
    }

    /// ln of what the prior of a newly found component adds to the evidence.
    fn ln_prior(&self, component: &Component, belief: &Belief) -> f64 {
        let [amplitude, centre, ln_sigma] = &component.prior;
        // Half a normal for the amplitude. The centre: mostly where theta and alpha are, evenly within.
        let (low, high) = (USUAL_HZ.0.max(self.low_hz), USUAL_HZ.1.min(self.high_hz));
        let usual = (high - low).max(0.0);
        let rest = (self.high_hz - self.low_hz - usual).max(1e-3);
        let density = if centre.mean >= low && centre.mean <= high && usual > 1.0 {
            USUAL_SHARE / usual
        } else if usual > 1.0 {
            (1.0 - USUAL_SHARE) / rest
        } else {
            1.0 / rest
        };
        let centre = (std::f64::consts::TAU.sqrt() * density).ln();
        belief.ln_odds
            + std::f64::consts::LN_2
            + 0.5 * amplitude.precision.ln()
            + centre
            + 0.5 * ln_sigma.precision.ln()
    }

    /// Fits `start`, then adds peaks one by one, `more` at most. Returns how many steps were written.
    #[allow(clippy::too_many_arguments, reason = "the tables, the buffers and the question")]
    pub fn search(
        &mut self,
        scratch: &mut Scratch,
        model: &Model,
        data: &Data<'_>,
        start: Start,
        belief: &Belief,
        more: usize,
        iterations: usize,
        steps: &mut [Option<Step>],
    ) -> usize {
        let Start { mut parameters, mut ln_prior } = start;
        let mut written = 0;
        let mut best = f64::NEG_INFINITY;
        steps.fill(None);
        for slot in steps.iter_mut().take(more + 1) {
            if written > 0 {
                let Some((component, gain)) = self.best(scratch, model, data, &parameters, belief) else {
                    break;
                };
                if gain < belief.least_gain {
                    break;
                }
                if !parameters.push(component) {
                    break;
                }
                ln_prior += self.ln_prior(&component, belief);
            }
            let outcome = scratch.fit(model, data, &mut parameters, iterations);
            let ln_evidence = -outcome.objective - 0.5 * outcome.ln_determinant + ln_prior;
            if !ln_evidence.is_finite() {
                break;
            }
            let row = scratch.inverse_row(1, parameters.dimension());
            let chi_variance = scratch.variance(data, &parameters, &row);
            let level_row = scratch.inverse_row(0, parameters.dimension());
            let bias = scratch.bias(data, &parameters, [&level_row, &row]);
            let knee_variance = parameters.knee_at().map_or(f64::NAN, |d| {
                let row = scratch.inverse_row(d, parameters.dimension());
                scratch.variance(data, &parameters, &row)
            });
            let last_step = outcome.last_step;
            *slot = Some(Step {
                parameters,
                bias,
                ln_prior,
                ln_evidence,
                chi_variance,
                knee_variance,
                last_step,
            });
            written += 1;
            best = best.max(ln_evidence);
            // Two peaks may be worth it where one is not, so a small loss does not end the search.
            if ln_evidence < best - 4.0 {
                break;
            }
        }
        written
    }
}

//! Fisher scoring of the penalised Whittle likelihood.
//!
//! The objective is `sum_j k_j (I_j / mu_j + ln mu_j) + 1/2 sum_d w_d (theta_d - m_d)^2`: the gamma likelihood of
//! tapered power whose bins are weighted (k) by what each adds to its neighbours, and Gaussian priors on the
//! parameters of floor, knee and peaks. How far what it finds can be trusted is in [`super::covariance`].

use super::linear::{Matrix, cholesky, dot, fast_ln, solve};
use super::model::Model;
use super::parameters::{MAX_COMPONENTS, MAX_PARAMETERS, Parameters};

/// A gain in ln likelihood, and a step in the exponent, that change nothing one would report.
const NEGLIGIBLE: f64 = 3e-3;

/// The data of one fit: power in the bins of the model, and the weights.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Power in each bin of the model.
    pub power: &'a [f64],
    /// Weight of each bin: the number of independent periodogram ordinates it stands for.
    pub weight: &'a [f64],
    /// Covariance of relative power by the lag in bins, at least one entry.
    pub covariance: &'a [f64],
}

/// What a fit came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The objective at the end.
    pub objective: f64,
    /// ln determinant of the information with the priors.
    pub ln_determinant: f64,
    /// Size of the last step in the exponent.
    pub last_step: f64,
}

/// Buffers of the scoring, made once.
#[derive(Debug)]
pub struct Scratch {
    pub(super) bins: usize,
    pub(super) freqs: Vec<f64>,
    pub(super) kernel_variance: f64,
    line: Vec<f64>,
    pub(super) slope: Vec<f64>,
    knee_slope: Vec<f64>,
    mu: Vec<f64>,
    ratio: Vec<f64>,
    peaks: Vec<[f64; 3]>,
    pub(super) columns: Vec<f64>,
    /// Bins of each column: as they were when the derivatives were taken, which may be one step ago.
    pub(super) ranges: [(usize, usize); MAX_PARAMETERS],
    /// Each peak's amplitude when the derivatives were taken.
    pub(super) amplitudes: [f64; MAX_COMPONENTS],
    /// Bins that each peak reached when the expectation was last taken.
    reached: [(usize, usize); MAX_COMPONENTS],
    pub(super) weighted: Vec<f64>,
    information: Matrix,
    pub(super) factor: Matrix,
    score: [f64; MAX_PARAMETERS],
}

impl Scratch {
    /// For the model's bins.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let bins = model.freqs_hz().len();
        Self {
            bins,
            freqs: model.freqs_hz().to_vec(),
            kernel_variance: model.half_bandwidth_hz().powi(2) / 3.0,
            line: vec![0.0; bins],
            slope: vec![0.0; bins],
            knee_slope: vec![0.0; bins],
            mu: vec![0.0; bins],
            ratio: vec![0.0; bins],
            peaks: vec![[0.0; 3]; bins * MAX_COMPONENTS],
            columns: vec![0.0; bins * MAX_PARAMETERS],
            ranges: [(0, 0); MAX_PARAMETERS],
            amplitudes: [0.0; MAX_COMPONENTS],
            reached: [(0, 0); MAX_COMPONENTS],
            weighted: vec![0.0; bins],
            information: [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS],
            factor: [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS],
            score: [0.0; MAX_PARAMETERS],
        }
    }

    /// Power over its expectation, bin by bin, at the last parameters evaluated.
    #[must_use]
    pub fn ratio(&self) -> &[f64] {
        &self.ratio
    }

    /// Expected power without the level: the line plus the peaks, relative to the line at the pivot.
    #[must_use]
    pub fn expected(&self) -> &[f64] {
        &self.mu
    }

    /// Derivative of ln expectation by parameter `d`, and the bins where it is not zero.
    #[must_use]
    pub fn column(&self, d: usize) -> (&[f64], std::ops::Range<usize>) {
        let (start, end) = self.ranges.get(d).copied().unwrap_or((0, 0));
        (self.columns.get(d * self.bins + start..d * self.bins + end).unwrap_or_default(), start..end)
    }

    /// Expectation, ratio and objective at `parameters`.
    pub fn evaluate(&mut self, model: &Model, data: &Data<'_>, parameters: &Parameters) -> f64 {
        let n = self.bins;
        match &parameters.knee {
            Some(knee) => model.bent_line(
                parameters.chi,
                knee.value,
                &mut self.line,
                &mut self.slope,
                &mut self.knee_slope,
            ),
            None => model.line(parameters.chi, &mut self.line, &mut self.slope),
        }
        match &parameters.floor {
            Some(floor) => {
                for ((mu, line), white) in self.mu.iter_mut().zip(&self.line).zip(model.white()) {
                    *mu = line + floor.value * white;
                }
            }
            None => self.mu.copy_from_slice(&self.line),
        }
        for (m, component) in parameters.components().iter().enumerate() {
            let [amplitude, centre, ln_sigma] = component.value;
            let bins = model.reach(centre, ln_sigma.exp());
            if let Some(reached) = self.reached.get_mut(m) {
                *reached = (bins.start, bins.end);
            }
            let Some(peak) = self.peaks.get_mut(m * n + bins.start..m * n + bins.end) else { continue };
            model.peak(centre, ln_sigma, bins.clone(), peak);
            if let Some(mu) = self.mu.get_mut(bins) {
                for (mu, q) in mu.iter_mut().zip(peak) {
                    *mu += amplitude * q[0];
                }
            }
        }
        let scale = (-parameters.level).exp();
        let mut objective = 0.0;
        for (((ratio, mu), power), weight) in
            self.ratio.iter_mut().zip(&self.mu).zip(data.power).zip(data.weight)
        {
            *ratio = power * scale / mu;
            objective += weight * (*ratio + fast_ln(*mu) + parameters.level);
        }
        objective + parameters.penalty()
    }

    /// The derivatives, the score and the information at the parameters last evaluated.
    pub fn differentiate(&mut self, model: &Model, data: &Data<'_>, parameters: &Parameters) {
        let n = self.bins;
        let dimension = parameters.dimension();
        let first = parameters.first_peak();
        self.ranges.get_mut(..first).unwrap_or_default().fill((0, n));
        let mut columns = self.columns.chunks_exact_mut(n);
        if let Some(level) = columns.next() {
            level.fill(1.0);
        }
        if let Some(chi) = columns.next() {
            for (((slot, line), slope), mu) in chi.iter_mut().zip(&self.line).zip(&self.slope).zip(&self.mu) {
                *slot = line * slope / mu;
            }
        }
        if parameters.floor.is_some()
            && let Some(floor) = columns.next()
        {
            for ((slot, white), mu) in floor.iter_mut().zip(model.white()).zip(&self.mu) {
                *slot = white / mu;
            }
        }
        if parameters.knee.is_some()
            && let Some(knee) = columns.next()
        {
            let bins = self.line.iter().zip(&self.knee_slope).zip(&self.mu);
            for (slot, ((line, slope), mu)) in knee.iter_mut().zip(bins) {
                *slot = line * slope / mu;
            }
        }
        for (m, component) in parameters.components().iter().enumerate() {
            let amplitude = component.value.first().copied().unwrap_or(0.0);
            let (start, end) = self.reached.get(m).copied().unwrap_or((0, 0));
            self.ranges.get_mut(first + 3 * m..first + 3 * m + 3).unwrap_or_default().fill((start, end));
            if let Some(slot) = self.amplitudes.get_mut(m) {
                *slot = amplitude;
            }
            let (Some(a), Some(c), Some(s)) = (columns.next(), columns.next(), columns.next()) else { break };
            let peak = self.peaks.get(m * n + start..m * n + end).unwrap_or_default();
            let mu = self.mu.get(start..end).unwrap_or_default();
            let a = a.get_mut(start..end).unwrap_or_default();
            let c = c.get_mut(start..end).unwrap_or_default();
            let s = s.get_mut(start..end).unwrap_or_default();
            for ((((a, c), s), q), mu) in a.iter_mut().zip(c).zip(s).zip(peak).zip(mu) {
                let inverse = 1.0 / mu;
                *a = q[0] * inverse;
                *c = amplitude * q[1] * inverse;
                *s = amplitude * q[2] * inverse;
            }
        }
        for d in 0..dimension {
            let (start, end) = self.ranges.get(d).copied().unwrap_or((0, 0));
            let column = self.columns.get(d * n + start..d * n + end).unwrap_or_default();
            let weight = data.weight.get(start..end).unwrap_or_default();
            let ratio = self.ratio.get(start..end).unwrap_or_default();
            let weighted = self.weighted.get_mut(start..end).unwrap_or_default();
            let mut score = 0.0;
            for (((slot, g), k), x) in weighted.iter_mut().zip(column).zip(weight).zip(ratio) {
                *slot = k * g;
                score += *slot * (x - 1.0);
            }
            for e in 0..=d {
                let (other_start, other_end) = self.ranges.get(e).copied().unwrap_or((0, 0));
                let (low, high) = (start.max(other_start), end.min(other_end));
                let value = if low < high {
                    dot(
                        self.weighted.get(low..high).unwrap_or_default(),
                        self.columns.get(e * n + low..e * n + high).unwrap_or_default(),
                    )
                } else {
                    0.0
                };
                if let Some(slot) = self.information.get_mut(d).and_then(|row| row.get_mut(e)) {
                    *slot = value;
                }
            }
            if let Some((value, prior)) = parameters.prior(d) {
                score -= prior.precision * (value - prior.mean);
                if let Some(slot) = self.information.get_mut(d).and_then(|row| row.get_mut(d)) {
                    *slot += prior.precision;
                }
            }
            if let Some(slot) = self.score.get_mut(d) {
                *slot = score;
            }
        }
    }

    /// Cholesky factor of the information; `false` where it is not positive definite. Amplitudes at 0 that want
    /// to be negative are held.
    fn factorise(&mut self, parameters: &Parameters) -> bool {
        let dimension = parameters.dimension();
        let first = parameters.first_peak();
        let floor = parameters.floor_at().zip(parameters.floor.map(|floor| floor.value));
        let peaks = parameters.components().iter().enumerate();
        let amplitudes = peaks.map(|(m, c)| (first + 3 * m, c.value.first().copied().unwrap_or(1.0)));
        for (d, amplitude) in floor.into_iter().chain(amplitudes) {
            let score = self.score.get(d).copied().unwrap_or(0.0);
            if amplitude <= 0.0 && score <= 0.0 {
                for e in 0..dimension {
                    let (row, column) = if e <= d { (d, e) } else { (e, d) };
                    if let Some(slot) = self.information.get_mut(row).and_then(|r| r.get_mut(column)) {
                        *slot = if e == d { *slot + 1e-9 } else { 0.0 };
                    }
                }
                if let Some(slot) = self.score.get_mut(d) {
                    *slot = 0.0;
                }
            }
        }
        cholesky(&self.information, &mut self.factor, dimension)
    }

    /// A fixed number of scoring steps from `parameters`, each shortened up to twice where it would make things
    /// worse; fewer where nothing moves any more.
    pub fn fit(
        &mut self,
        model: &Model,
        data: &Data<'_>,
        parameters: &mut Parameters,
        iterations: usize,
    ) -> Outcome {
        let mut objective = self.evaluate(model, data, parameters);
        let mut last_step = f64::INFINITY;
        // Whether the information belongs to the parameters, all but a negligible step.
        let mut current = false;
        let mut definite = false;
        for _ in 0..iterations {
            self.differentiate(model, data, parameters);
            definite = self.factorise(parameters);
            if !definite {
                break;
            }
            let mut step = self.score;
            solve(&self.factor, &mut step, parameters.dimension());
            let mut scale = parameters.longest(&step);
            let mut better = None;
            for _ in 0..3 {
                let trial = parameters.advanced(&step, scale);
                let value = self.evaluate(model, data, &trial);
                if value <= objective + 1e-9 {
                    better = Some((trial, value));
                    break;
                }
                scale *= 0.4;
            }
            let Some((trial, value)) = better else {
                self.evaluate(model, data, parameters);
                current = true;
                break;
            };
            last_step = (trial.chi - parameters.chi).abs();
            let gained = objective - value;
            *parameters = trial;
            objective = value;
            if gained < NEGLIGIBLE && last_step < NEGLIGIBLE {
                current = true;
                break;
            }
        }
        if !current && definite {
            self.differentiate(model, data, parameters);
            definite = self.factorise(parameters);
        }
        let ln_determinant = if definite {
            (0..parameters.dimension())
                .map(|d| 2.0 * self.factor.get(d).and_then(|row| row.get(d)).map_or(0.0, |v| fast_ln(*v)))
                .sum()
        } else {
            f64::NAN
        };
        Outcome { objective, ln_determinant, last_step }
    }
}

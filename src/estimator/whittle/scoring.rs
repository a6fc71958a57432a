//! Fisher scoring of the penalised Whittle likelihood, and the covariance of what it finds.
//!
//! The objective is `sum_j k_j (I_j / mu_j + ln mu_j) + 1/2 sum_d w_d (theta_d - m_d)^2`: the gamma likelihood of
//! tapered power whose bins are weighted (k) by what each adds to its neighbours, and Gaussian priors on the
//! peaks' parameters. The covariance is the sandwich `H^-1 (J' K R K J + prior) H^-1` with the true correlation R
//! of the bins, so the standard error does not take correlated bins for independent ones.

use super::model::Model;

/// Peaks that one fit holds at most.
pub const MAX_COMPONENTS: usize = 6;
/// Parameters: level, exponent, and three a peak.
pub const MAX_PARAMETERS: usize = 2 + 3 * MAX_COMPONENTS;
/// Standard deviations a peak may take, natural log of Hz.
pub const LN_SIGMA_LIMITS: (f64, f64) = (-0.92, 1.4);

/// A gain in ln likelihood, and a step in the exponent, that change nothing one would report.
const NEGLIGIBLE: f64 = 3e-3;

/// A Gaussian prior; flat where the precision is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prior {
    /// Mean.
    pub mean: f64,
    /// 1 / variance.
    pub precision: f64,
}

impl Prior {
    /// From mean and standard deviation.
    #[must_use]
    pub fn new(mean: f64, sd: f64) -> Self {
        Self { mean, precision: 1.0 / (sd * sd) }
    }
}

/// One additive peak: amplitude (relative to the line's power at the pivot), centre in Hz, ln of its standard
/// deviation in Hz.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Component {
    /// Amplitude, centre, ln sigma.
    pub value: [f64; 3],
    /// Their priors.
    pub prior: [Prior; 3],
}

/// The parameters of one fit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parameters {
    /// ln power of the line at the pivot.
    pub level: f64,
    /// Exponent.
    pub chi: f64,
    components: [Component; MAX_COMPONENTS],
    count: usize,
}

impl Parameters {
    /// A line without peaks.
    #[must_use]
    pub fn line(level: f64, chi: f64) -> Self {
        Self { level, chi, ..Self::default() }
    }

    /// The peaks.
    #[must_use]
    pub fn components(&self) -> &[Component] {
        self.components.get(..self.count).unwrap_or_default()
    }

    /// The peaks.
    pub fn components_mut(&mut self) -> &mut [Component] {
        self.components.get_mut(..self.count).unwrap_or_default()
    }

    /// Adds a peak; `false` where there is no room.
    pub fn push(&mut self, component: Component) -> bool {
        let Some(slot) = self.components.get_mut(self.count) else { return false };
        *slot = component;
        self.count += 1;
        true
    }

    /// Takes a peak out.
    pub fn remove(&mut self, index: usize) {
        if index < self.count {
            self.components.copy_within(index + 1..self.count, index);
            self.count -= 1;
        }
    }

    /// How many parameters there are.
    #[must_use]
    pub fn dimension(&self) -> usize {
        2 + 3 * self.count
    }
}

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
    bins: usize,
    freqs: Vec<f64>,
    kernel_variance: f64,
    line: Vec<f64>,
    slope: Vec<f64>,
    mu: Vec<f64>,
    ratio: Vec<f64>,
    peaks: Vec<[f64; 3]>,
    columns: Vec<f64>,
    /// Bins of each column: as they were when the derivatives were taken, which may be one step ago.
    ranges: [(usize, usize); MAX_PARAMETERS],
    /// Each peak's amplitude when the derivatives were taken.
    amplitudes: [f64; MAX_COMPONENTS],
    /// Bins that each peak reached when the expectation was last taken.
    reached: [(usize, usize); MAX_COMPONENTS],
    weighted: Vec<f64>,
    information: [[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
    factor: [[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
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

    /// The line alone, relative to the pivot.
    #[must_use]
    pub fn line_alone(&self) -> &[f64] {
        &self.line
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
        model.line(parameters.chi, &mut self.line, &mut self.slope);
        self.mu.copy_from_slice(&self.line);
        let mut penalty = 0.0;
        for (m, component) in parameters.components().iter().enumerate() {
            for (value, prior) in component.value.iter().zip(&component.prior) {
                penalty += 0.5 * prior.precision * (value - prior.mean).powi(2);
            }
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
        objective + penalty
    }

    /// The derivatives, the score and the information at the parameters last evaluated.
    pub fn differentiate(&mut self, data: &Data<'_>, parameters: &Parameters) {
        let n = self.bins;
        let dimension = parameters.dimension();
        let [level, chi, ..] = &mut self.ranges;
        *level = (0, n);
        *chi = (0, n);
        let mut columns = self.columns.chunks_exact_mut(n);
        if let Some(level) = columns.next() {
            level.fill(1.0);
        }
        if let Some(chi) = columns.next() {
            for (((slot, line), slope), mu) in chi.iter_mut().zip(&self.line).zip(&self.slope).zip(&self.mu) {
                *slot = line * slope / mu;
            }
        }
        for (m, component) in parameters.components().iter().enumerate() {
            let amplitude = component.value.first().copied().unwrap_or(0.0);
            let (start, end) = self.reached.get(m).copied().unwrap_or((0, 0));
            self.ranges.get_mut(2 + 3 * m..5 + 3 * m).unwrap_or_default().fill((start, end));
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
        let priors = |d: usize| {
            let component = parameters.components().get(d.checked_sub(2)? / 3)?;
            let which = (d - 2) % 3;
            Some((component.value.get(which).copied()?, component.prior.get(which).copied()?))
        };
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
            if let Some((value, prior)) = priors(d) {
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
        for (m, component) in parameters.components().iter().enumerate() {
            let d = 2 + 3 * m;
            let score = self.score.get(d).copied().unwrap_or(0.0);
            if component.value.first().is_some_and(|&a| a <= 0.0) && score <= 0.0 {
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
            self.differentiate(data, parameters);
            definite = self.factorise(parameters);
            if !definite {
                break;
            }
            let mut step = self.score;
            solve(&self.factor, &mut step, parameters.dimension());
            let mut scale = limit(parameters, &step);
            let mut better = None;
            for _ in 0..3 {
                let trial = advance(parameters, &step, scale);
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
            self.differentiate(data, parameters);
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

    /// Row `d` of the inverse information.
    #[must_use]
    pub fn inverse_row(&self, d: usize, dimension: usize) -> [f64; MAX_PARAMETERS] {
        let mut row = [0.0; MAX_PARAMETERS];
        if let Some(slot) = row.get_mut(d) {
            *slot = 1.0;
        }
        solve(&self.factor, &mut row, dimension);
        row
    }

    /// `v' H^-1 v` of the information last factorised.
    #[must_use]
    #[allow(
        clippy::indexing_slicing,
        clippy::needless_range_loop,
        reason = "matrices; indices < MAX_PARAMETERS"
    )]
    pub fn inverse_quadratic(&self, v: &[f64; MAX_PARAMETERS], dimension: usize) -> f64 {
        let mut forward = [0.0; MAX_PARAMETERS];
        let mut total = 0.0;
        for i in 0..dimension.min(MAX_PARAMETERS) {
            let mut sum = v[i];
            for k in 0..i {
                sum -= self.factor[i][k] * forward[k];
            }
            forward[i] = sum / self.factor[i][i];
            total += forward[i] * forward[i];
        }
        total
    }

    /// Score test of a bend in the line: of a term quadratic in ln frequency that the model lacks, in standard
    /// deviations; a knee or a filter's corner makes it negative. Needs the parameters of the last fit.
    pub fn bend(&mut self, data: &Data<'_>, parameters: &Parameters) -> f64 {
        let n = self.bins;
        let dimension = parameters.dimension();
        let columns = self.columns.get(n..2 * n).unwrap_or_default();
        for (((slot, g), slope), k) in self.weighted.iter_mut().zip(columns).zip(&self.slope).zip(data.weight)
        {
            *slot = k * g * slope;
        }
        let mut shared = [0.0; MAX_PARAMETERS];
        for (d, slot) in shared.iter_mut().enumerate().take(dimension) {
            let (start, end) = self.ranges.get(d).copied().unwrap_or((0, 0));
            *slot = dot(
                self.columns.get(d * n + start..d * n + end).unwrap_or_default(),
                self.weighted.get(start..end).unwrap_or_default(),
            );
        }
        solve(&self.factor, &mut shared, dimension);
        for (d, share) in shared.iter().enumerate().take(dimension) {
            let (start, end) = self.ranges.get(d).copied().unwrap_or((0, 0));
            let column = self.columns.get(d * n + start..d * n + end).unwrap_or_default();
            let weight = data.weight.get(start..end).unwrap_or_default();
            let weighted = self.weighted.get_mut(start..end).unwrap_or_default();
            for ((slot, g), k) in weighted.iter_mut().zip(column).zip(weight) {
                *slot -= k * share * g;
            }
        }
        let score: f64 = self.weighted.iter().zip(&self.ratio).map(|(w, x)| w * (x - 1.0)).sum();
        score / quadratic(&self.weighted, data.covariance).sqrt()
    }

    /// Second-order bias of the parameters whose rows of the inverse information are given (Cox & Snell, J. Royal
    /// Statistical Society B 30, 1968; for the gamma law and weights k it comes to
    /// `H^-1 J' K xi` with `xi_j = -1/2 tr(H^-1 d2 mu_j) / mu_j`). The curvature by the widths is left out: their
    /// priors keep it small.
    #[allow(clippy::indexing_slicing, reason = "every index is below dimension <= MAX_PARAMETERS, or a bin")]
    pub fn bias<const N: usize>(
        &mut self,
        data: &Data<'_>,
        parameters: &Parameters,
        rows: [&[f64; MAX_PARAMETERS]; N],
    ) -> [f64; N] {
        let n = self.bins;
        let dimension = parameters.dimension();
        let inverse_level = self.inverse_row(0, dimension);
        let inverse_chi = self.inverse_row(1, dimension);
        // Level with level and with all else; exponent with exponent.
        let chi_column = &self.columns[n..2 * n];
        for ((slot, g), slope) in self.weighted.iter_mut().zip(chi_column).zip(&self.slope) {
            *slot = inverse_level[0] + 2.0 * inverse_level[1] * g + inverse_chi[1] * g * slope;
        }
        for (m, component) in parameters.components().iter().enumerate() {
            let d = 2 + 3 * m;
            let [_, centre_hz, ln_sigma] = component.value;
            let amplitude = self.amplitudes[m];
            let by_amplitude = self.inverse_row(d, dimension);
            let by_centre = self.inverse_row(d + 1, dimension);
            let (start, end) = self.ranges[d];
            // Variance of the Gaussian and of the tapers' kernel, all but a box.
            let spread = (2.0 * ln_sigma).exp() + self.kernel_variance;
            for j in start..end {
                let (a, c, u) =
                    (self.columns[d * n + j], self.columns[(d + 1) * n + j], self.columns[(d + 2) * n + j]);
                let z = self.freqs[j] - centre_hz;
                let curvature = amplitude * a * (z * z / spread - 1.0) / spread;
                let safe = amplitude.max(1e-12);
                self.weighted[j] += 2.0
                    * (inverse_level[d] * a
                        + inverse_level[d + 1] * c
                        + inverse_level[d + 2] * u
                        + (by_amplitude[d + 1] * c + by_amplitude[d + 2] * u) / safe)
                    + by_centre[d + 1] * curvature;
            }
        }
        let mut bias = [0.0; N];
        for (slot, weight) in self.weighted.iter_mut().zip(data.weight) {
            *slot *= -0.5 * weight;
        }
        for d in 0..dimension {
            let (start, end) = self.ranges[d];
            let sum = dot(&self.columns[d * n + start..d * n + end], &self.weighted[start..end]);
            for (bias, row) in bias.iter_mut().zip(rows) {
                *bias += row[d] * sum;
            }
        }
        bias
    }

    /// Variance of the linear combination of parameters that `row` of the inverse information belongs to.
    pub fn variance(&mut self, data: &Data<'_>, parameters: &Parameters, row: &[f64; MAX_PARAMETERS]) -> f64 {
        self.weighted.fill(0.0);
        let mut prior = 0.0;
        for (d, &h) in row.iter().enumerate().take(parameters.dimension()) {
            let (start, end) = self.ranges.get(d).copied().unwrap_or((0, 0));
            let column = self.columns.get(d * self.bins + start..d * self.bins + end).unwrap_or_default();
            for (slot, g) in self.weighted.get_mut(start..end).unwrap_or_default().iter_mut().zip(column) {
                *slot += h * g;
            }
            if let Some(component) = d.checked_sub(2).and_then(|e| parameters.components().get(e / 3)) {
                prior += h * h * component.prior.get((d - 2) % 3).map_or(0.0, |p| p.precision);
            }
        }
        for (slot, weight) in self.weighted.iter_mut().zip(data.weight) {
            *slot *= weight;
        }
        quadratic(&self.weighted, data.covariance) + prior
    }
}

/// `u' R u` of a banded Toeplitz covariance.
pub fn quadratic(u: &[f64], covariance: &[f64]) -> f64 {
    let mut total = 0.0;
    for (lag, r) in covariance.iter().enumerate() {
        let shifted = u.get(lag..).unwrap_or_default();
        let sum = dot(u.get(..shifted.len()).unwrap_or_default(), shifted);
        total += if lag == 0 { r * sum } else { 2.0 * r * sum };
    }
    total
}

/// The largest part of a step that no parameter finds too long.
fn limit(parameters: &Parameters, step: &[f64; MAX_PARAMETERS]) -> f64 {
    let mut scale: f64 = 1.0;
    let mut bound = |size: f64, most: f64| {
        if size.abs() * scale > most {
            scale = most / size.abs();
        }
    };
    for (d, &size) in step.iter().enumerate().take(parameters.dimension()) {
        match (d, d.wrapping_sub(2) % 3) {
            (0, _) => bound(size, 2.0),
            (1, _) => bound(size, 1.0),
            (_, 1) => bound(size, 1.5),
            (_, 2) => bound(size, 0.7),
            _ => {}
        }
    }
    scale
}

fn advance(parameters: &Parameters, step: &[f64; MAX_PARAMETERS], scale: f64) -> Parameters {
    let mut next = *parameters;
    let mut steps = step.iter().map(|s| s * scale);
    next.level += steps.next().unwrap_or(0.0);
    next.chi += steps.next().unwrap_or(0.0);
    for component in next.components_mut() {
        for value in &mut component.value {
            *value += steps.next().unwrap_or(0.0);
        }
        let [amplitude, _, ln_sigma] = &mut component.value;
        *amplitude = amplitude.max(0.0);
        *ln_sigma = ln_sigma.clamp(LN_SIGMA_LIMITS.0, LN_SIGMA_LIMITS.1);
    }
    next
}

type Matrix = [[f64; MAX_PARAMETERS]; MAX_PARAMETERS];

#[allow(clippy::indexing_slicing, clippy::needless_range_loop, reason = "matrices; indices < MAX_PARAMETERS")]
fn cholesky(matrix: &Matrix, factor: &mut Matrix, dimension: usize) -> bool {
    let dimension = dimension.min(MAX_PARAMETERS);
    for i in 0..dimension {
        for j in 0..=i {
            let mut sum = matrix[i][j];
            for k in 0..j {
                sum -= factor[i][k] * factor[j][k];
            }
            if i == j {
                if sum.is_nan() || sum <= 1e-12 {
                    return false;
                }
                factor[i][i] = sum.sqrt();
            } else {
                factor[i][j] = sum / factor[j][j];
            }
        }
    }
    true
}

#[allow(clippy::indexing_slicing, clippy::needless_range_loop, reason = "matrices; indices < MAX_PARAMETERS")]
fn solve(factor: &Matrix, right: &mut [f64; MAX_PARAMETERS], dimension: usize) {
    let dimension = dimension.min(MAX_PARAMETERS);
    for i in 0..dimension {
        let mut sum = right[i];
        for k in 0..i {
            sum -= factor[i][k] * right[k];
        }
        right[i] = sum / factor[i][i];
    }
    for i in (0..dimension).rev() {
        let mut sum = right[i];
        for k in i + 1..dimension {
            sum -= factor[k][i] * right[k];
        }
        right[i] = sum / factor[i][i];
    }
}

/// Sum of products in four running sums, which the compiler can keep in vector registers.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = (a.chunks_exact(4), a.len() / 4 * 4);
    for (x, y) in fours.zip(b.chunks_exact(4)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let tail: f64 = a
        .get(rest..)
        .unwrap_or_default()
        .iter()
        .zip(b.get(rest..).unwrap_or_default())
        .map(|(x, y)| x * y)
        .sum();
    sums.iter().sum::<f64>() + tail
}

/// ln(x) of a positive number: its exponent, and an artanh series of the mantissa; absolute error below 1e-8.
#[inline]
pub fn fast_ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    // Mantissa over sqrt 2 lies in 0.707..1.414, so that |z| <= 0.172.
    let m = mantissa * std::f64::consts::FRAC_1_SQRT_2;
    let z = (m - 1.0) / (m + 1.0);
    let z2 = z * z;
    let series = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0)))));
    series + (exponent as f64 + 0.5) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for i in -300..300 {
            let x = (f64::from(i) * 0.37).exp();
            assert!((fast_ln(x) - x.ln()).abs() < 1e-8, "{x}");
        }
    }

    #[test]
    fn the_dot_product_takes_every_element() {
        let a: Vec<f64> = (0..11).map(f64::from).collect();
        assert!((dot(&a, &a) - 385.0).abs() < 1e-12);
    }
}

//! How far a fit can be trusted: the covariance of what scoring found, and its second-order bias.
//!
//! The covariance is the sandwich `H^-1 (J' K R K J + prior) H^-1` with the true correlation R of the bins, so that the
//! standard error does not take correlated bins for independent ones.

use super::linear::{dot, quadratic, solve};
use super::parameters::{MAX_PARAMETERS, Parameters};
use super::scoring::{Data, Scratch};

impl Scratch {
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
        // Floor and knee with the level; their own curvature is held by their priors.
        for (d, with_level) in inverse_level.iter().enumerate().take(parameters.first_peak()).skip(2) {
            for (slot, g) in self.weighted.iter_mut().zip(&self.columns[d * n..(d + 1) * n]) {
                *slot += 2.0 * with_level * g;
            }
        }
        for (m, component) in parameters.components().iter().enumerate() {
            let d = parameters.first_peak() + 3 * m;
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
            prior += parameters.prior(d).map_or(0.0, |(_, prior)| h * h * prior.precision);
        }
        for (slot, weight) in self.weighted.iter_mut().zip(data.weight) {
            *slot *= weight;
        }
        quadratic(&self.weighted, data.covariance) + prior
    }
}

//! d' by maximum likelihood: ln p is tabulated on a grid of d' once for each kernel, a fit is then a look-up.

use crate::angle::{DISTANCES, distance};
use crate::kernel::Kernel;
use crate::tcc::{Quadrature, density};

/// The grid of d': from 0 by [`GRID_STEP`] to [`D_PRIME_MAX`].
pub const GRID_STEP: f64 = 0.05;
/// The largest d' that is looked for; with `naka35` errors of about one degree.
pub const D_PRIME_MAX: f64 = 12.0;
/// The first look goes over every eighth row.
const STRIDE: usize = 8;

/// How often each whole-degree distance occurred.
pub type Counts = [u32; DISTANCES];

/// Counts distances of errors in degrees.
#[must_use]
pub fn count(errors_deg: impl IntoIterator<Item = f64>) -> Counts {
    let mut counts = [0; DISTANCES];
    for error in errors_deg {
        if let Some(slot) = counts.get_mut(distance(error)) {
            *slot += 1;
        }
    }
    counts
}

/// Where an estimate sits at the end of the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Zero: no better than guessing.
    Zero,
    /// [`D_PRIME_MAX`]: errors too small to tell.
    Max,
}

/// One estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DPrimeFit {
    /// The estimate.
    pub d_prime: f64,
    /// ln likelihood of the whole-degree responses.
    pub log_likelihood: f64,
    /// The estimate less its bias of first order, which grows with d' and falls with the number of trials (0.07 at
    /// a d' of 3 by 50 trials, 0.01 at 2 by 100).
    pub corrected: f64,
    /// Standard error from the curvature; NaN at a bound.
    pub se: f64,
    /// Whether the estimate sits at the end of the range.
    pub bound: Option<Bound>,
}

/// ln p of each whole-degree distance on the grid of d', for one kernel.
#[derive(Clone, Debug)]
pub struct LogTable {
    kernel: Kernel,
    quadrature: Quadrature,
    rows: Vec<[f64; DISTANCES]>,
    /// The estimate's bias of first order at each row, for one trial.
    bias: Vec<f64>,
}

impl LogTable {
    /// Tabulates `kernel`: 241 densities, some tenths of a second.
    #[must_use]
    pub fn new(kernel: Kernel, quadrature: Quadrature) -> Self {
        let mut rows = Vec::new();
        while (rows.len() as f64) * GRID_STEP < D_PRIME_MAX + GRID_STEP / 2.0 {
            let mut row = [0.0; DISTANCES];
            let p = density(&kernel, rows.len() as f64 * GRID_STEP, quadrature);
            // The public grid underflows where the exact one does not: such a response is all but impossible.
            row.iter_mut().zip(p).for_each(|(slot, p)| *slot = p.max(1e-300).ln());
            rows.push(row);
        }
        let bias = (0..rows.len()).map(|row| first_order_bias(&rows, row)).collect();
        Self { kernel, quadrature, rows, bias }
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// How the densities were reckoned.
    #[must_use]
    pub fn quadrature(&self) -> Quadrature {
        self.quadrature
    }

    /// Fits d' to counts of distances; `None` without a response.
    #[must_use]
    pub fn fit(&self, counts: &Counts) -> Option<DPrimeFit> {
        let mut seen = [(0_u8, 0.0); DISTANCES];
        let mut used = 0;
        for (at, n) in (0_u8..).zip(counts).filter(|(_, n)| **n > 0) {
            if let Some(slot) = seen.get_mut(used) {
                *slot = (at, f64::from(*n));
                used += 1;
            }
        }
        let seen = seen.get(..used).filter(|seen| !seen.is_empty())?;
        let at_row = |row: usize| self.rows.get(row).map_or(f64::NEG_INFINITY, |row| dot(row, seen));
        let coarse = (0..self.rows.len()).step_by(STRIDE);
        let (_, near) = best(coarse, &at_row);
        let fine = near.saturating_sub(STRIDE - 1)..(near + STRIDE).min(self.rows.len());
        let (_, row) = best(fine, &at_row);
        let trials: f64 = seen.iter().map(|(_, n)| n).sum();
        Some(self.between(row, trials, &at_row))
    }

    /// The bias of first order of an estimate from `trials`; none at the ends of the grid.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    fn bias(&self, d_prime: f64, trials: f64) -> f64 {
        let at = (d_prime / GRID_STEP).max(0.0);
        let value = |row: usize| self.bias.get(row).copied().unwrap_or_default();
        let (low, share) = (at.floor() as usize, at.fract());
        (value(low) + share * (value(low + 1) - value(low))) / trials
    }

    /// The maximum around grid row `row`, by the polynomial of fourth degree through five rows.
    fn between(&self, row: usize, trials: f64, at_row: &impl Fn(usize) -> f64) -> DPrimeFit {
        let last = self.rows.len() - 1;
        let first = row.saturating_sub(2).min(last.saturating_sub(4));
        let values: [f64; 5] = std::array::from_fn(|k| at_row(first + k));
        let poly = Quartic::through(&values);
        let centre = row as f64 - first as f64;
        let (mut low, mut high) = ((centre - 1.0).max(0.0), (centre + 1.0).min(4.0));
        // The slope falls through zero once between two neighbours of the best row.
        let bound = if poly.slope(low) <= 0.0 && row == 0 {
            Some(Bound::Zero)
        } else if poly.slope(high) >= 0.0 && row == last {
            Some(Bound::Max)
        } else {
            None
        };
        let at = match bound {
            Some(Bound::Zero) => 0.0,
            Some(Bound::Max) => 4.0,
            None => {
                for _ in 0..48 {
                    let middle = 0.5 * (low + high);
                    if poly.slope(middle) > 0.0 { low = middle } else { high = middle }
                }
                0.5 * (low + high)
            }
        };
        let curvature = -poly.curvature(at) / (GRID_STEP * GRID_STEP);
        let d_prime = (first as f64 + at) * GRID_STEP;
        DPrimeFit {
            d_prime,
            corrected: if bound.is_none() {
                (d_prime - self.bias(d_prime, trials)).max(0.0)
            } else {
                d_prime
            },
            log_likelihood: poly.value(at),
            se: if bound.is_none() && curvature > 0.0 { curvature.sqrt().recip() } else { f64::NAN },
            bound,
        }
    }
}

/// The bias of a maximum-likelihood estimate, to first order and for one trial (Cox and Snell 1968):
/// (E[d3] + 2 E[d1 d2]) / (2 I^2) with the derivatives of ln p, by differences between the rows of the grid.
fn first_order_bias(rows: &[[f64; DISTANCES]], row: usize) -> f64 {
    let neighbours = row.checked_sub(2).and_then(|first| rows.get(first..=row + 2));
    let Some([a, b, c, d, e]) = neighbours else { return 0.0 };
    let (mut information, mut third, mut cross) = (0.0, 0.0, 0.0);
    for ((((a, b), (c, d)), e), distance) in a.iter().zip(b).zip(c.iter().zip(d)).zip(e).zip(0..) {
        let p = c.exp() * crate::angle::directions(distance);
        let first = (d - b) / (2.0 * GRID_STEP);
        let second = (d - 2.0 * c + b) / GRID_STEP.powi(2);
        information += p * first * first;
        cross += p * first * second;
        third += p * (e - 2.0 * d + 2.0 * b - a) / (2.0 * GRID_STEP.powi(3));
    }
    (third + 2.0 * cross) / (2.0 * information * information)
}

fn best(rows: impl Iterator<Item = usize>, at_row: &impl Fn(usize) -> f64) -> (f64, usize) {
    rows.fold((f64::NEG_INFINITY, 0), |best, row| {
        let value = at_row(row);
        if value > best.0 { (value, row) } else { best }
    })
}

fn dot(row: &[f64; DISTANCES], seen: &[(u8, f64)]) -> f64 {
    seen.iter().map(|(at, n)| n * row.get(usize::from(*at)).copied().unwrap_or(f64::NEG_INFINITY)).sum()
}

/// A polynomial by its values at 0, 1, 2, 3, 4 (Newton's forward differences).
struct Quartic {
    base: f64,
    /// First to fourth difference at 0.
    difference: [f64; 4],
}

impl Quartic {
    fn through(values: &[f64; 5]) -> Self {
        let mut level = values.to_vec();
        let difference = std::array::from_fn(|_| {
            level = level
                .windows(2)
                .map(|pair| pair.last().zip(pair.first()).map_or(0.0, |(b, a)| b - a))
                .collect();
            level.first().copied().unwrap_or_default()
        });
        Self { base: values[0], difference }
    }

    fn value(&self, x: f64) -> f64 {
        let [a, b, c, d] = self.difference;
        self.base + x * (a + (x - 1.0) / 2.0 * (b + (x - 2.0) / 3.0 * (c + (x - 3.0) / 4.0 * d)))
    }

    fn slope(&self, x: f64) -> f64 {
        let [a, b, c, d] = self.difference;
        a + b * (2.0 * x - 1.0) / 2.0
            + c * (3.0 * x * x - 6.0 * x + 2.0) / 6.0
            + d * (4.0 * x.powi(3) - 18.0 * x * x + 22.0 * x - 6.0) / 24.0
    }

    fn curvature(&self, x: f64) -> f64 {
        let [_, b, c, d] = self.difference;
        b + c * (x - 1.0) + d * (12.0 * x * x - 36.0 * x + 22.0) / 24.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::angle::directions;
    use std::sync::OnceLock;

    fn table() -> &'static LogTable {
        static TABLE: OnceLock<LogTable> = OnceLock::new();
        TABLE.get_or_init(|| LogTable::new(Kernel::named("naka35").unwrap(), Quadrature::Exact))
    }

    #[test]
    fn the_polynomial_is_the_one_through_its_points() {
        let f = |x: f64| 2.0 - x + 0.5 * x.powi(2) - 0.25 * x.powi(3) + 0.1 * x.powi(4);
        let poly = Quartic::through(&std::array::from_fn(|k| f(k as f64)));
        for x in [0.3, 1.9, 3.7] {
            assert!((poly.value(x) - f(x)).abs() < 1e-12);
            let slope = -1.0 + x - 0.75 * x * x + 0.4 * x.powi(3);
            assert!((poly.slope(x) - slope).abs() < 1e-12);
            assert!((poly.curvature(x) - (1.0 - 1.5 * x + 1.2 * x * x)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_density_gives_back_its_d_prime_between_the_rows_of_the_grid() {
        for d_prime in [0.62, 1.0, 2.371, 3.0, 5.518] {
            let p = density(table().kernel(), d_prime, Quadrature::Exact);
            // Counts in proportion to the density have their maximum at its own d'.
            let counts: Counts = std::array::from_fn(|d| (p[d] * directions(d) * 4e9).round() as u32);
            let fit = table().fit(&counts).unwrap();
            assert!((fit.d_prime - d_prime).abs() < 2e-5, "{d_prime}: {fit:?}");
            assert_eq!(fit.bound, None);
        }
    }

    #[test]
    fn the_ends_of_the_range_are_told() {
        assert_eq!(table().fit(&[0; DISTANCES]), None);
        let far = table().fit(&count([170.0, 120.0, -140.0])).unwrap();
        assert_eq!((far.d_prime, far.bound), (0.0, Some(Bound::Zero)));
        let exact = table().fit(&count([0.0; 20])).unwrap();
        assert_eq!(exact.bound, Some(Bound::Max));
        assert!((exact.d_prime - D_PRIME_MAX).abs() < 1e-9 && exact.se.is_nan());
    }
}

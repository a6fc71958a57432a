//! The arithmetic of least squares by normal equations: packed symmetric sums, Cholesky, forward substitution, and
//! the tail of the F distribution.
//!
//! A symmetric matrix of order n is its lower triangle by rows, `n (n + 1) / 2` numbers.

/// Relative ridge on the diagonal: what two regressors share to 13 digits is one regressor.
const RIDGE: f64 = 1e-13;

/// Numbers in the lower triangle of order `n`.
pub(super) fn packed_len(n: usize) -> usize {
    n * (n + 1) / 2
}

/// The sum of products, over the shorter of the two. Eight sums side by side: one after another, each addition would wait
/// for the one before.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let (a, b) = (a.get(..n).unwrap_or_default(), b.get(..n).unwrap_or_default());
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((lane, x), y) in lanes.iter_mut().zip(a).zip(b) {
            *lane += x * y;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    let [p, q, r, s, t, u, v, w] = lanes;
    ((p + t) + (q + u)) + ((r + v) + (s + w)) + rest
}

/// Adds `x xT` to the packed `sums`.
pub(super) fn add_outer(sums: &mut [f64], x: &[f64]) {
    let mut rest = sums;
    for (i, &xi) in x.iter().enumerate() {
        let Some((row, after)) = rest.split_at_mut_checked(i + 1) else { return };
        for (sum, xj) in row.iter_mut().zip(x) {
            *sum += xi * xj;
        }
        rest = after;
    }
}

/// The Cholesky factor of a matrix whose rows and columns have been scaled to a unit diagonal.
#[derive(Debug)]
pub(super) struct Factor {
    order: usize,
    /// Packed lower triangle.
    lower: Vec<f64>,
    scale: Vec<f64>,
}

impl Factor {
    pub(super) fn new(order: usize) -> Self {
        Self { order, lower: vec![0.0; packed_len(order)], scale: vec![0.0; order] }
    }

    /// Factors `weights` times `sums`, added up. A regressor without power is left out: its scale is zero.
    pub(super) fn factor(&mut self, matrices: &[(f64, &[f64])]) {
        let n = self.order;
        self.lower.fill(0.0);
        for (weight, matrix) in matrices {
            self.lower.iter_mut().zip(*matrix).for_each(|(sum, x)| *sum += weight * x);
        }
        for i in 0..n {
            let diagonal = self.lower[packed_len(i) + i];
            self.scale[i] =
                if diagonal > 0.0 && diagonal.is_finite() { diagonal.sqrt().recip() } else { 0.0 };
        }
        for i in 0..n {
            let at = packed_len(i);
            for j in 0..=i {
                let scaled = self.lower[at + j] * self.scale[i] * self.scale[j];
                self.lower[at + j] = if i == j { 1.0 + RIDGE } else { scaled };
            }
        }
        for i in 0..n {
            let (above, row) = self.lower.split_at_mut(packed_len(i));
            for j in 0..=i {
                let other = if j < i { &above[packed_len(j)..packed_len(j) + j + 1] } else { &[][..] };
                if j < i {
                    row[j] = (row[j] - dot(&row[..j], other)) / other[j];
                } else {
                    row[i] = (row[i] - dot(&row[..i], &row[..i])).max(RIDGE).sqrt();
                }
            }
        }
    }

    /// `L^-1 (scale right)`, in place: the squares of what comes out are the sums of squares that each regressor
    /// explains beyond those before it.
    pub(super) fn forward(&self, right: &mut [f64]) {
        for i in 0..self.order.min(right.len()) {
            let row = &self.lower[packed_len(i)..packed_len(i) + i + 1];
            right[i] = (right[i] * self.scale[i] - dot(&row[..i], right)) / row[i];
        }
    }

    /// The coefficients from what [`Factor::forward`] gave, of the first `right.len()` regressors alone.
    pub(super) fn backward(&self, right: &mut [f64]) {
        let n = self.order.min(right.len());
        for i in (0..n).rev() {
            // By rows of the factor, which lie together: what is known of one is taken out of all before it.
            let row = &self.lower[packed_len(i)..packed_len(i) + i + 1];
            let x = right[i] / row[i];
            right[i] = x;
            right.iter_mut().zip(&row[..i]).for_each(|(before, l)| *before -= l * x);
        }
        right.iter_mut().zip(&self.scale).for_each(|(x, scale)| *x *= scale);
    }
}

/// Probability that an F variable with (`d1`, `d2`) degrees of freedom exceeds `f`: the regularised incomplete beta
/// function I_x(d2/2, d1/2) at x = d2 / (d2 + d1 f), by its continued fraction (Abramowitz & Stegun 26.6.2, 26.5.8).
pub(super) fn f_tail(f: f64, d1: f64, d2: f64) -> f64 {
    if !(f.is_finite() && d1 > 0.0 && d2 > 0.0) {
        return f64::NAN;
    }
    if f <= 0.0 {
        return 1.0;
    }
    incomplete_beta(d2 / (d2 + d1 * f), 0.5 * d2, 0.5 * d1)
}

fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut h = d;
    for m in 1..300 {
        let m = f64::from(m);
        for step in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / away(1.0 + step * d);
            c = away(1.0 + step / c);
            h *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-12 {
            break;
        }
    }
    h
}

/// ln of the gamma function for positive arguments: Stirling's series at z + 7 and the recurrence.
fn ln_gamma(z: f64) -> f64 {
    let mut shift = 0.0;
    let mut z = z;
    while z < 7.0 {
        shift += z.ln();
        z += 1.0;
    }
    let r = 1.0 / (z * z);
    (z - 0.5) * z.ln() - z
        + 0.5 * (2.0 * std::f64::consts::PI).ln()
        + (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / z
        - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_of_f_are_those_of_tables() {
        // scipy.stats.f.sf
        for (f, d1, d2, p) in [
            (1.0, 6.0, 900.0, 0.423_937_5),
            (2.82, 6.0, 900.0, 0.009_985),
            (4.0, 24.0, 400.0, 2.3e-9),
            (0.5, 3.0, 10.0, 0.690_556),
        ] {
            let got = f_tail(f, d1, d2);
            assert!((got / p - 1.0).abs() < 0.2, "{f} {d1} {d2}: {got} {p}");
        }
        assert!(f_tail(f64::NAN, 1.0, 1.0).is_nan());
        assert!((f_tail(3.841_459, 1.0, 1e7) - 0.05).abs() < 1e-5);
    }

    #[test]
    fn least_squares_finds_what_was_put_in() {
        let (mut sums, mut right) = (vec![0.0; packed_len(3)], vec![0.0; 3]);
        for n in 0..200 {
            let t = f64::from(n) * 0.1;
            let x = [1.0, 1e5 * t.sin(), t * 1e-4];
            let y = 2.0 * x[0] - 3e-5 * x[1] + 7.0 * x[2];
            add_outer(&mut sums, &x);
            right.iter_mut().zip(x).for_each(|(r, x)| *r += x * y);
        }
        let mut factor = Factor::new(3);
        factor.factor(&[(1.0, &sums)]);
        factor.forward(&mut right);
        factor.backward(&mut right);
        for (got, want) in right.iter().zip([2.0, -3e-5, 7.0]) {
            assert!((got / want - 1.0).abs() < 1e-6, "{right:?}");
        }
    }
}

//! Least squares with intervals, as a check of the poster's regression; a table goes to R or Python for the rest.

/// One coefficient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// Estimate.
    pub value: f64,
    /// Standard error.
    pub se: f64,
    /// 95 % interval by Student's t.
    pub ci: [f64; 2],
}

/// A fitted regression.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The intercept first, then one for each predictor in its order.
    pub coefficients: Vec<Coefficient>,
    /// Rows used.
    pub n: usize,
    /// Share of variance explained.
    pub r_squared: f64,
}

/// Regresses `y` on the columns `x` with an intercept.
///
/// # Errors
/// Says why not: too few rows (two more than coefficients are needed), or predictors that do not vary or say the same.
pub fn regress(y: &[f64], x: &[Vec<f64>]) -> Result<Regression, String> {
    let (n, p) = (y.len(), x.len() + 1);
    if x.iter().any(|column| column.len() != n) {
        return Err("regression: columns are of different lengths".into());
    }
    if n < p + 2 {
        return Err(format!("regression: {n} rows for {p} coefficients; {} or more are needed", p + 2));
    }
    // Centred predictors keep the equations well conditioned; the intercept is found last.
    let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
    let centre: Vec<f64> = x.iter().map(|c| mean(c)).collect();
    let centred: Vec<Vec<f64>> =
        x.iter().zip(&centre).map(|(c, m)| c.iter().map(|v| v - m).collect()).collect();
    let y_mean = mean(y);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let gram: Vec<Vec<f64>> = centred.iter().map(|a| centred.iter().map(|b| dot(a, b)).collect()).collect();
    let inverse = invert(&gram).ok_or("regression: a predictor does not vary, or two say the same")?;
    let against: Vec<f64> =
        centred.iter().map(|c| c.iter().zip(y).map(|(c, y)| c * (y - y_mean)).sum()).collect();
    let slopes: Vec<f64> = inverse.iter().map(|row| dot(row, &against)).collect();
    let intercept = y_mean - dot(&slopes, &centre);
    let predicted = |row: usize| {
        intercept
            + slopes.iter().zip(x).map(|(b, c)| b * c.get(row).copied().unwrap_or(f64::NAN)).sum::<f64>()
    };
    let residual: f64 = y.iter().enumerate().map(|(row, y)| (y - predicted(row)).powi(2)).sum();
    let total: f64 = y.iter().map(|y| (y - y_mean).powi(2)).sum();
    let freedom = (n - p) as f64;
    let variance = residual / freedom;
    let t = t_quantile_975(freedom);
    let with = |value: f64, share: f64| {
        let se = (variance * share).sqrt();
        Coefficient { value, se, ci: [value - t * se, value + t * se] }
    };
    let at_zero =
        1.0 / n as f64 + inverse.iter().zip(&centre).map(|(row, m)| m * dot(row, &centre)).sum::<f64>();
    let mut coefficients = vec![with(intercept, at_zero)];
    for (at, slope) in slopes.iter().enumerate() {
        let share = inverse.get(at).and_then(|row| row.get(at)).copied().unwrap_or(f64::NAN);
        coefficients.push(with(*slope, share));
    }
    Ok(Regression { coefficients, n, r_squared: if total > 0.0 { 1.0 - residual / total } else { f64::NAN } })
}

/// The inverse by Gauss and Jordan with pivoting; `None` where it is singular beside its own diagonal.
#[expect(clippy::indexing_slicing, reason = "a square matrix of the length checked here")]
fn invert(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    if matrix.iter().any(|row| row.len() != size) {
        return None;
    }
    let scale: Vec<f64> = (0..size).map(|k| matrix[k][k]).collect();
    let unit = |r: usize| (0..size).map(move |c| f64::from(u8::from(r == c)));
    let mut rows: Vec<Vec<f64>> =
        matrix.iter().enumerate().map(|(r, row)| row.iter().copied().chain(unit(r)).collect()).collect();
    for at in 0..size {
        let pivot = (at..size).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, pivot);
        let head = rows[at][at];
        if head.is_nan() || head.abs() <= 1e-10 * scale[at].max(f64::MIN_POSITIVE) {
            return None;
        }
        rows[at].iter_mut().for_each(|v| *v /= head);
        let pivot_row = rows[at].clone();
        for (r, row) in rows.iter_mut().enumerate().filter(|(r, _)| *r != at) {
            let by = row[at];
            debug_assert_ne!(r, at);
            row.iter_mut().zip(&pivot_row).for_each(|(v, p)| *v -= by * p);
        }
    }
    Some(rows.into_iter().map(|row| row[size..].to_vec()).collect())
}

/// The 97.5 % quantile of Student's t, by bisection on its integral.
#[must_use]
pub fn t_quantile_975(freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1_000.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if t_two_sided_p(middle, freedom) > 0.05 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The two-sided p of Student's `t`.
#[must_use]
pub fn t_two_sided_p(t: f64, freedom: f64) -> f64 {
    incomplete_beta(freedom / (freedom + t * t), 0.5 * freedom, 0.5)
}

/// The regularised incomplete beta function, by its continued fraction (Lentz).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front =
        (libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let tiny = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / tiny(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for m in 1..300 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / tiny(1.0 + term * d);
            c = tiny(1.0 + term / c);
            sum *= d * c;
        }
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front * sum
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn students_t_by_the_tables() {
        for (freedom, t) in [(1.0, 12.706), (2.0, 4.303), (10.0, 2.228), (30.0, 2.042), (1_000.0, 1.962)] {
            assert!((t_quantile_975(freedom) - t).abs() < 6e-4, "{freedom}: {}", t_quantile_975(freedom));
        }
        assert!((t_two_sided_p(0.0, 5.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn residuals_are_orthogonal_to_every_column() {
        let y = [1.0, 3.0, 2.0, 5.0, 4.0, 6.5, 7.0, 9.0];
        let a: Vec<f64> = (1..=8).map(f64::from).collect();
        let b = vec![2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0];
        let r = regress(&y, &[a.clone(), b]).unwrap();
        let predicted = |k: usize, b: &[f64]| {
            r.coefficients[0].value + r.coefficients[1].value * a[k] + r.coefficients[2].value * b[k]
        };
        let b = [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0];
        for column in [&[1.0; 8][..], &a, &b] {
            let along: f64 = (0..8).map(|k| column[k] * (y[k] - predicted(k, &b))).sum();
            assert!(along.abs() < 1e-10, "{along}");
        }
        assert!(r.r_squared > 0.9 && r.n == 8);
    }

    #[test]
    fn intervals_hold_the_truth_19_times_in_20() {
        let mut held = [0; 3];
        let streams = crate::stream::Streams::new(2, &["regression"]);
        for k in 0..1_000 {
            let mut s = streams.replicate(k);
            let x: Vec<Vec<f64>> = (0..2).map(|_| (0..20).map(|_| 3.0 + s.normal()).collect()).collect();
            let y: Vec<f64> = (0..20).map(|i| 1.0 + 0.5 * x[0][i] - 0.3 * x[1][i] + s.normal()).collect();
            let r = regress(&y, &x).unwrap();
            for ((held, c), truth) in held.iter_mut().zip(r.coefficients).zip([1.0, 0.5, -0.3]) {
                *held += i32::from(c.ci[0] < truth && truth < c.ci[1]);
            }
        }
        assert!(held.iter().all(|h| (925..=975).contains(h)), "{held:?}");
    }

    #[test]
    fn what_cannot_be_told_apart_is_refused() {
        let same = vec![vec![1.0, 2.0, 3.0, 4.0, 6.0]; 2];
        assert!(regress(&[1.0, 2.0, 2.5, 4.0, 5.0], &same).unwrap_err().contains("say the same"));
        assert!(regress(&[1.0, 2.0, 2.5, 4.0, 5.0], &[vec![2.0; 5]]).is_err());
        assert!(regress(&[1.0, 2.0], &[vec![1.0, 3.0]]).unwrap_err().contains("needed"));
    }
}

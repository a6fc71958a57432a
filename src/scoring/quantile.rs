//! Quantiles, means and intervals of a sample.

/// The `share` quantile of sorted numbers, between neighbours by a line; NaN of nothing.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
pub fn of_sorted(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let low = at.floor() as usize;
    let value = |index: usize| sorted.get(index.min(last)).copied().unwrap_or(f64::NAN);
    value(low) + (at - at.floor()) * (value(low + 1) - value(low))
}

/// The middle 95 % of the finite ones among `values`; `None` where fewer than half are finite.
#[must_use]
pub fn interval_95(values: &[f64]) -> Option<[f64; 2]> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    if finite.is_empty() || finite.len() * 2 < values.len() {
        return None;
    }
    finite.sort_by(f64::total_cmp);
    Some([of_sorted(&finite, 0.025), of_sorted(&finite, 0.975)])
}

/// The median; NaN of nothing.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, 0.5)
}

/// The mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation (n - 1); NaN of fewer than two.
#[must_use]
pub fn sd(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let middle = mean(values);
    (values.iter().map(|v| (v - middle).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_between_neighbours() {
        let values: Vec<f64> = (0..=40).map(f64::from).collect();
        assert_eq!(interval_95(&values), Some([1.0, 39.0]));
        assert_eq!(median(&[3.0, 1.0, 2.0, 10.0]), 2.5);
        assert!((sd(&[1.0, 2.0, 3.0]) - 1.0).abs() < 1e-12 && median(&[]).is_nan());
        assert_eq!(interval_95(&[f64::NAN, f64::NAN, 1.0]), None);
    }
}

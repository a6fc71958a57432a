//! What a fit starts from: a least-squares line, and the weight of each bin.

use super::linear::fast_ln;
use super::parameters::Parameters;

/// A line through the ln power by least squares, drawn again through the bins that lie below it, since peaks only
/// add power.
pub(super) fn least_squares(freqs_hz: &[f64], pivot_hz: f64, power: &[f64]) -> Parameters {
    let ln_pivot = pivot_hz.ln();
    let (mut level, mut slope) = (0.0, 0.0);
    let mut ceiling = f64::INFINITY;
    for _ in 0..2 {
        let (mut n, mut sx, mut sy, mut sxx, mut sxy, mut rr) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for (f, p) in freqs_hz.iter().zip(power) {
            let x = fast_ln(*f) - ln_pivot;
            let y = fast_ln(*p);
            let residual = y - level - slope * x;
            if residual > ceiling {
                continue;
            }
            n += 1.0;
            sx += x;
            sy += y;
            sxx += x * x;
            sxy += x * y;
            rr += residual * residual;
        }
        let determinant = n * sxx - sx * sx;
        if determinant <= 0.0 {
            break;
        }
        let _ = rr;
        slope = (n * sxy - sx * sy) / determinant;
        level = (sy - slope * sx) / n;
        ceiling = 0.3;
    }
    Parameters::line(level, (-slope).clamp(-1.0, 4.5))
}

/// Weight of each bin: the row sums of the inverse of the bins' correlation. For a model that is smooth over the
/// tapers' bandwidth this is generalised least squares; the bins at the ends of the range, which share less, weigh
/// more. A ridge keeps the weights from alternating.
pub(super) fn bin_weights(covariance: &[f64], bins: usize) -> Vec<f64> {
    let ridge = 0.1 * covariance.first().copied().unwrap_or(1.0);
    let mut weights = vec![0.0; bins];
    // Conjugate gradients on (R + ridge) w = 1.
    let apply = |v: &[f64]| -> Vec<f64> {
        (0..bins)
            .map(|i| {
                let mut sum = ridge * v.get(i).copied().unwrap_or(0.0);
                for (lag, r) in covariance.iter().enumerate() {
                    let before = i.checked_sub(lag).and_then(|j| v.get(j)).copied().unwrap_or(0.0);
                    let after = if lag == 0 { 0.0 } else { v.get(i + lag).copied().unwrap_or(0.0) };
                    sum += r * (before + after);
                }
                sum
            })
            .collect()
    };
    let mut residual = vec![1.0; bins];
    let mut direction = residual.clone();
    let mut norm = bins as f64;
    for _ in 0..4 * bins {
        if norm < 1e-18 {
            break;
        }
        let image = apply(&direction);
        let along: f64 = direction.iter().zip(&image).map(|(a, b)| a * b).sum();
        let alpha = norm / along;
        for (w, d) in weights.iter_mut().zip(&direction) {
            *w += alpha * d;
        }
        for (r, i) in residual.iter_mut().zip(&image) {
            *r -= alpha * i;
        }
        let next: f64 = residual.iter().map(|r| r * r).sum();
        for (d, r) in direction.iter_mut().zip(&residual) {
            *d = r + next / norm * *d;
        }
        norm = next;
    }
    weights.iter().map(|w: &f64| w.max(0.0)).collect()
}

//! Least squares for a line of two exponents: `offset - log10(f^exponent0 (knee + f^exponent))`, specparam 2's `doublexp`.
//!
//! specparam 2.0.0rc7 starts from a knee of 0, where both exponents do the same, and has no bounds: in four of ten spectra
//! it ends at exponents of a hundred, and in as many the two change places (the same curve with `exponent` below 0). This
//! looks for the lowest error instead: for a knee and an exponent the rest is linear, so a coarse grid of the two
//! finds the valleys, and Levenberg-Marquardt their lowest points. The knee lies in the fit range and `exponent` is
//! positive, which makes every curve one set of numbers.

use super::Line;
use std::f64::consts::LN_10;

/// Offset, exponent below the knee, ln of the knee in Hz, what the exponent grows by beyond it.
type Vector = [f64; 4];
type Matrix = [Vector; 4];

/// Places of the knee and growths of the grid.
const KNEES: u32 = 8;
const GROWTHS: [f64; 5] = [0.5, 1.0, 1.5, 2.5, 4.0];
/// What `exponent` may be: beyond it the line has a corner, which no bins tell from a sharper one.
const GROWTH_LIMITS: (f64, f64) = (0.05, 8.0);
const MOST_STEPS: u32 = 200;
/// A step that gains less than this share of the error is the last.
const TOLERANCE: f64 = 1e-10;

/// Fits `ys` (log10 power) over `xs` (log10 f). `None` where there are too few bins.
pub(super) fn fit(xs: &[f64], ys: &[f64]) -> Option<Line> {
    let (first, last) = (xs.first()? * LN_10, xs.last()? * LN_10);
    if xs.len() < 5 || last <= first {
        return None;
    }
    // The three best of the grid: neighbours may share a valley, three seldom do.
    let mut best: [Option<(f64, Vector)>; 3] = [None; 3];
    for place in 0..KNEES {
        let ln_knee = first + (f64::from(place) + 0.5) / f64::from(KNEES) * (last - first);
        for growth in GROWTHS {
            let mut found = Some(linear(xs, ys, ln_knee, growth));
            for slot in &mut best {
                if found.is_some_and(|(error, _)| slot.is_none_or(|(least, _)| error < least)) {
                    std::mem::swap(slot, &mut found);
                }
            }
        }
    }
    let ends = best.iter().flatten().map(|&(error, start)| descend(xs, ys, error, start, (first, last)));
    let (error, [offset, before, ln_knee, growth]) = ends.min_by(|a, b| a.0.total_cmp(&b.0))?;
    error.is_finite().then_some(Line { offset, before, knee: (growth * ln_knee).exp(), exponent: growth })
}

/// -log10(knee + f^growth), and the share of f^growth in the sum.
fn bend(x: f64, ln_knee: f64, growth: f64) -> (f64, f64) {
    let (low, high) = (growth * ln_knee, growth * x * LN_10);
    let top = low.max(high);
    let (low, high) = ((low - top).exp(), (high - top).exp());
    (-(top + (low + high).ln()) / LN_10, high / (low + high))
}

/// The best offset and lower exponent for a knee and a growth, with what squared error.
fn linear(xs: &[f64], ys: &[f64], ln_knee: f64, growth: f64) -> (f64, Vector) {
    let (mut n, mut sx, mut sy, mut sxx, mut sxy, mut syy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in xs.iter().zip(ys) {
        let y = y - bend(*x, ln_knee, growth).0;
        (n, sx, sy) = (n + 1.0, sx + x, sy + y);
        (sxx, sxy, syy) = (sxx + x * x, sxy + x * y, syy + y * y);
    }
    let (xx, xy, yy) = (sxx - sx * sx / n, sxy - sx * sy / n, syy - sy * sy / n);
    let slope = xy / xx;
    ((yy - slope * xy).max(0.0), [(sy - slope * sx) / n, -slope, ln_knee, growth])
}

/// Levenberg-Marquardt from `at`, with the knee between `ends` (ln Hz).
fn descend(xs: &[f64], ys: &[f64], mut error: f64, mut at: Vector, ends: (f64, f64)) -> (f64, Vector) {
    let mut damping = 1e-3;
    for _ in 0..MOST_STEPS {
        let [offset, before, ln_knee, growth] = at;
        let (mut normal, mut gradient): (Matrix, Vector) = ([[0.0; 4]; 4], [0.0; 4]);
        for (&x, y) in xs.iter().zip(ys) {
            let (bend, share) = bend(x, ln_knee, growth);
            let left = y - (offset - before * x + bend);
            let slopes = [
                1.0,
                -x,
                -(1.0 - share) * growth / LN_10,
                -((1.0 - share) * ln_knee + share * x * LN_10) / LN_10,
            ];
            for ((row, g), a) in normal.iter_mut().zip(&mut gradient).zip(slopes) {
                *g += a * left;
                for (slot, b) in row.iter_mut().zip(slopes) {
                    *slot += a * b;
                }
            }
        }
        let gained = loop {
            let mut new = at;
            for (value, step) in new.iter_mut().zip(solve(&normal, &gradient, damping)) {
                *value += step;
            }
            let [_, _, ln_knee, growth] = new;
            // What is linear follows exactly from what is not.
            let tried =
                linear(xs, ys, ln_knee.clamp(ends.0, ends.1), growth.clamp(GROWTH_LIMITS.0, GROWTH_LIMITS.1));
            if tried.0 < error {
                let gained = error - tried.0;
                (error, at) = tried;
                damping = (damping * 0.2).max(1e-9);
                break gained;
            }
            damping *= 5.0;
            if damping > 1e8 {
                return (error, at);
            }
        };
        if gained < TOLERANCE * error {
            break;
        }
    }
    (error, at)
}

/// Solves (normal + damping x its diagonal) step = gradient by elimination; both are positive definite.
fn solve(normal: &Matrix, gradient: &Vector, damping: f64) -> Vector {
    let mut rows: [[f64; 5]; 4] = [[0.0; 5]; 4];
    for (i, ((row, normal), g)) in rows.iter_mut().zip(normal).zip(gradient).enumerate() {
        for (j, (slot, value)) in row.iter_mut().zip(normal).enumerate() {
            *slot = if i == j { value * (1.0 + damping) + f64::MIN_POSITIVE } else { *value };
        }
        let [.., last] = row;
        *last = *g;
    }
    for i in 0..4 {
        let pivot = rows.get(i).copied().unwrap_or_default();
        let head = pivot.get(i).copied().unwrap_or(1.0);
        for (j, row) in rows.iter_mut().enumerate() {
            if i != j {
                let share = row.get(i).copied().unwrap_or(0.0) / head;
                row.iter_mut().zip(pivot).for_each(|(value, p)| *value -= share * p);
            }
        }
    }
    let mut step = [0.0; 4];
    for (i, (slot, row)) in step.iter_mut().zip(rows).enumerate() {
        *slot = row.last().copied().unwrap_or(0.0) / row.get(i).copied().unwrap_or(1.0);
    }
    step
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn two_exponents_and_a_knee_are_found_exactly() {
        let xs: Vec<f64> = (2..=120).map(|k| (f64::from(k) * 0.5).log10()).collect();
        for (before, knee_hz, growth) in [(0.2, 12.0_f64, 2.0), (0.9, 25.0, 1.0), (0.0, 5.0, 3.0)] {
            let knee = knee_hz.powf(growth);
            let ys: Vec<f64> =
                xs.iter().map(|x| 1.5 - before * x - (knee + 10_f64.powf(growth * x)).log10()).collect();
            let line = fit(&xs, &ys).unwrap();
            assert!((line.before - before).abs() < 1e-3 && (line.exponent - growth).abs() < 1e-3, "{line:?}");
            assert!((line.knee / knee - 1.0).abs() < 1e-2 && (line.offset - 1.5).abs() < 1e-2, "{line:?}");
        }
    }

    #[test]
    fn a_straight_line_has_no_error_and_too_few_bins_no_line() {
        let xs: Vec<f64> = (1..=60).map(|k| f64::from(k).log10()).collect();
        let ys: Vec<f64> = xs.iter().map(|x| 1.0 - 1.3 * x).collect();
        let line = fit(&xs, &ys).unwrap();
        for (x, y) in xs.iter().zip(&ys) {
            let at = line.offset - line.before * x - (line.knee + 10_f64.powf(line.exponent * x)).log10();
            assert!((at - y).abs() < 0.01, "{line:?}: {at} {y}");
        }
        assert_eq!(fit(&xs[..4], &ys[..4]), None);
    }
}

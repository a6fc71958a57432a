//! Discrete prolate spheroidal (Slepian) tapers: of all sequences of a length, the most concentrated in a band.
//!
//! Slepian 1978 (Bell Syst Tech J 57:1371): they are the eigenvectors of a symmetric tridiagonal matrix. Its largest
//! eigenvalues come from bisection on Sturm counts, the vectors from inverse iteration.

/// The first `count` tapers of `len` samples with time-half-bandwidth product `nw`, each of unit energy, the most
/// concentrated first. Signs as scipy's `dpss`: even ones have a positive mean, odd ones start upward.
#[must_use]
pub fn dpss(len: usize, nw: f64, count: usize) -> Vec<Vec<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
    let n = len as f64;
    let turn = (std::f64::consts::TAU * nw / n).cos();
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    let at = |i: usize| i as f64;
    let diagonal: Vec<f64> = (0..len).map(|i| ((n - 1.0 - 2.0 * at(i)) / 2.0).powi(2) * turn).collect();
    let beside: Vec<f64> = (1..len).map(|i| at(i) * (n - at(i)) / 2.0).collect();
    (0..count.min(len))
        .map(|order| {
            let eigenvalue = largest_eigenvalue(&diagonal, &beside, order);
            let mut taper = eigenvector(&diagonal, &beside, eigenvalue);
            orient(&mut taper, order);
            taper
        })
        .collect()
}

/// How many eigenvalues lie above `value`: the positive pivots of the matrix minus `value`.
fn count_above(diagonal: &[f64], beside: &[f64], value: f64) -> usize {
    let mut above = 0;
    let mut pivot = 1.0;
    for (i, d) in diagonal.iter().enumerate() {
        let b = i.checked_sub(1).and_then(|before| beside.get(before)).copied().unwrap_or(0.0);
        pivot = d - value - b * b / pivot;
        if pivot == 0.0 {
            pivot = -f64::MIN_POSITIVE;
        }
        above += usize::from(pivot > 0.0);
    }
    above
}

/// The eigenvalue that `order` others exceed.
fn largest_eigenvalue(diagonal: &[f64], beside: &[f64], order: usize) -> f64 {
    // Gershgorin: every eigenvalue lies within the sum of its row's other entries of a diagonal entry.
    let reach = 2.0 * beside.iter().copied().fold(0.0, f64::max);
    let mut low = diagonal.iter().copied().fold(f64::INFINITY, f64::min) - reach;
    let mut high = diagonal.iter().copied().fold(f64::NEG_INFINITY, f64::max) + reach;
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if count_above(diagonal, beside, middle) > order {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Inverse iteration: a few solves of (matrix - eigenvalue) x = previous x, by elimination with row exchanges.
fn eigenvector(diagonal: &[f64], beside: &[f64], eigenvalue: f64) -> Vec<f64> {
    let len = diagonal.len();
    // Neither even nor odd, so that it has a part along every taper.
    #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
    let mut x: Vec<f64> = (0..len).map(|i| 1.0 + (i as f64 + 0.5) / len as f64).collect();
    for _ in 0..4 {
        solve_shifted(diagonal, beside, eigenvalue, &mut x);
        let size = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        x.iter_mut().for_each(|v| *v /= size);
    }
    x
}

/// Solves (tridiagonal - shift) x = b in place. Each row of the triangle has up to three entries.
fn solve_shifted(diagonal: &[f64], beside: &[f64], shift: f64, b: &mut [f64]) {
    let len = diagonal.len();
    let tiny = f64::EPSILON * diagonal.iter().fold(1.0, |top: f64, d| top.max(d.abs()));
    let entry = |of: &[f64], i: usize| of.get(i).copied().unwrap_or(0.0);
    let mut rows: Vec<[f64; 3]> = Vec::with_capacity(len);
    let mut current = [entry(diagonal, 0) - shift, entry(beside, 0), 0.0];
    for i in 1..len {
        let mut next = [entry(beside, i - 1), entry(diagonal, i) - shift, entry(beside, i)];
        if next[0].abs() > current[0].abs() {
            std::mem::swap(&mut next, &mut current);
            b.swap(i - 1, i);
        }
        if current[0].abs() < tiny {
            current[0] = tiny;
        }
        let factor = next[0] / current[0];
        if let Some([before, here]) = b.get_mut(i - 1..=i) {
            *here -= factor * *before;
        }
        rows.push(current);
        current = [next[1] - factor * current[1], next[2] - factor * current[2], 0.0];
    }
    if current[0].abs() < tiny {
        current[0] = tiny;
    }
    rows.push(current);
    for (i, [pivot, first, second]) in rows.iter().enumerate().rev() {
        let known =
            first * b.get(i + 1).copied().unwrap_or(0.0) + second * b.get(i + 2).copied().unwrap_or(0.0);
        if let Some(slot) = b.get_mut(i) {
            *slot = (*slot - known) / pivot;
        }
    }
}

fn orient(taper: &mut [f64], order: usize) {
    let negative = if order.is_multiple_of(2) {
        taper.iter().sum::<f64>() < 0.0
    } else {
        #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
        let noticeable = (1.0 / taper.len() as f64).max(1e-7);
        taper.iter().find(|v| **v * **v > noticeable).is_some_and(|v| *v < 0.0)
    };
    if negative {
        taper.iter_mut().for_each(|v| *v = -*v);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn tapers_are_orthonormal() {
        let tapers = dpss(1000, 4.0, 7);
        for (i, a) in tapers.iter().enumerate() {
            for (j, b) in tapers.iter().enumerate() {
                let product: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-9, "{i} {j} {product}");
            }
        }
    }
}

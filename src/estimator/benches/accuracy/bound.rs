//! The Cramer-Rao bound of the exponent.

use crate::signal::{Density, Shape};

/// Of a straight line over `range_hz` seen for `window_s`.
pub(crate) fn straight(window_s: f64, range_hz: [f64; 2]) -> f64 {
    of(window_s, range_hz, &Density::line(1.0, Vec::new()), 0, false)
}

/// Of `density`'s exponent where of each peak the amplitude (1), or all three parameters (3), or nothing (0) is
/// unknown, and the knee where `knee` says so.
pub(crate) fn of(window_s: f64, range_hz: [f64; 2], density: &Density, unknown: usize, knee: bool) -> f64 {
    let step = 0.02;
    let m = 2 + usize::from(knee) + density.bumps.len() * unknown;
    let mut h = vec![vec![0.0; m]; m];
    let mut f: f64 = range_hz[0];
    while f < range_hz[1] {
        let (line, total) = (density.aperiodic(f), density.at(f));
        let ratio = if density.knee_hz > 0.0 { (density.knee_hz / f).powf(density.chi) } else { 0.0 };
        let by_chi =
            f.ln() - if ratio > 0.0 { ratio / (1.0 + ratio) * (f / density.knee_hz).ln() } else { 0.0 };
        let mut g = vec![line / total, line / total * (by_chi - 2.5)];
        if knee {
            g.push(line / total * density.chi * ratio / (1.0 + ratio));
        }
        for b in &density.bumps {
            let q = density.aperiodic(b.centre_hz) * b.over(f, Shape::Gauss) / total;
            let z = (f - b.centre_hz) / b.sigma_hz;
            g.extend([q, q * z, q * z * z].iter().take(unknown));
        }
        for i in 0..m {
            for j in 0..m {
                h[i][j] += window_s * step * g[i] * g[j];
            }
        }
        f += step;
    }
    inverse_element(h).sqrt()
}

/// The second diagonal element of the inverse, by Gauss-Jordan.
fn inverse_element(mut h: Vec<Vec<f64>>) -> f64 {
    let m = h.len();
    let mut x = vec![0.0; m];
    x[1] = 1.0;
    for i in 0..m {
        let p = h[i][i];
        h[i].iter_mut().for_each(|v| *v /= p);
        x[i] /= p;
        for k in (0..m).filter(|k| *k != i) {
            let q = h[k][i];
            for j in 0..m {
                let v = h[i][j];
                h[k][j] -= q * v;
            }
            x[k] -= q * x[i];
        }
    }
    x[1]
}

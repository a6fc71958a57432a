//! Least squares for the line with a knee: `offset - log10(knee + f^exponent)`.
//!
//! A knee makes the problem non-linear with more than one minimum, and fooof's answer is the one that MINPACK's
//! Levenberg-Marquardt (behind scipy's `curve_fit`) walks to. So this walks the same way: the trust region, its
//! scaling, its parameter and its stopping rules are those of Moré 1978 (Lecture Notes in Mathematics 630:105) and
//! of the MINPACK-1 user guide (Moré, Garbow and Hillstrom 1980, ANL-80-74), with the Jacobian exact instead of by
//! differences.

use super::Line;
use crate::lanes::{dot, exp, log10, norm};

/// Three parameters: offset, knee, exponent.
type Vector = [f64; 3];
/// Upper triangle of a 3 x 3 matrix, row by row.
type Triangle = [Vector; 3];

/// curve_fit's `ftol` and `xtol`.
const TOLERANCE: f64 = 1.490_12e-8;
/// fooof's `maxfev`. A Jacobian by differences costs MINPACK 3 evaluations; they are counted as if.
const MAX_EVALUATIONS: u32 = 5000;
/// First radius of the trust region, relative to the scaled first guess.
const FACTOR: f64 = 100.0;

/// Buffers for spectra of up to the prepared number of bins.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    /// ln f of the bins of the fit, and for the parameters tried last: f^exponent and knee + f^exponent.
    ln_f: Vec<f64>,
    power: Vec<f64>,
    sum: Vec<f64>,
    residual: Vec<f64>,
    tried: Vec<f64>,
    columns: [Vec<f64>; 3],
}

impl Workspace {
    pub(super) fn prepare(&mut self, bins: usize) {
        for buffer in [&mut self.ln_f, &mut self.power, &mut self.sum, &mut self.residual, &mut self.tried] {
            *buffer = Vec::with_capacity(bins);
        }
        self.columns = [Vec::with_capacity(bins), Vec::with_capacity(bins), Vec::with_capacity(bins)];
    }

    /// Fits `ys` (log10 power) over `xs` (log10 f) from `guess`. `None` where MINPACK gives up too.
    #[inline(always)]
    pub(super) fn fit(&mut self, xs: &[f64], ys: &[f64], guess: Line) -> Option<Line> {
        if xs.len() < 3 {
            return None;
        }
        self.ln_f.clear();
        self.ln_f.extend(xs.iter().map(|x| x * std::f64::consts::LN_10));
        let [offset, knee, exponent] = &mut self.columns;
        let buffers =
            [&mut self.power, &mut self.sum, &mut self.residual, &mut self.tried, offset, knee, exponent];
        for buffer in buffers {
            buffer.clear();
            buffer.resize(xs.len(), 0.0);
        }
        self.minimise(ys, [guess.offset, guess.knee, guess.exponent]).map(|[offset, knee, exponent]| Line {
            offset,
            knee,
            exponent,
            before: 0.0,
        })
    }

    /// Model minus data into `tried`; returns its norm, NaN where the model is not defined.
    #[inline(always)]
    fn evaluate(&mut self, ys: &[f64], [offset, knee, exponent]: Vector) -> f64 {
        let state = self.power.iter_mut().zip(&mut self.sum).zip(&mut self.tried);
        for (((power, sum), out), (&ln_f, &y)) in state.zip(self.ln_f.iter().zip(ys)) {
            *power = exp(exponent * ln_f);
            *sum = knee + *power;
            *out = offset - log10(*sum) - y;
        }
        norm(&self.tried)
    }

    /// The Jacobian at the parameters tried last, and its QR: R, Q^T residual, and the norms of its columns.
    #[inline(always)]
    fn factor(&mut self) -> (Triangle, Vector, Vector) {
        let [d_offset, d_knee, d_exponent] = &mut self.columns;
        let terms = self.power.iter().zip(&self.sum).zip(&self.ln_f);
        let columns = d_offset.iter_mut().zip(&mut *d_knee).zip(&mut *d_exponent);
        for (((offset, knee), exponent), ((p, sum), ln_f)) in columns.zip(terms) {
            let slope = -1.0 / (std::f64::consts::LN_10 * sum);
            (*offset, *knee, *exponent) = (1.0, slope, p * ln_f * slope);
        }
        let norms = [norm(d_offset), norm(d_knee), norm(d_exponent)];
        self.tried.copy_from_slice(&self.residual);
        let (r, qtf) = triangular([d_offset, d_knee, d_exponent], &mut self.tried);
        (r, qtf, norms)
    }

    #[inline(always)]
    fn minimise(&mut self, ys: &[f64], mut x: Vector) -> Option<Vector> {
        let mut fnorm = self.evaluate(ys, x);
        if !fnorm.is_finite() {
            return None;
        }
        std::mem::swap(&mut self.residual, &mut self.tried);
        let mut evaluations = 1;
        let mut scale: Option<Vector> = None;
        let (mut delta, mut par, mut xnorm) = (0.0, 0.0, 0.0);
        loop {
            let (r, qtf, norms) = self.factor();
            evaluations += 3;
            let first = scale.is_none();
            let d = scale.map_or_else(
                || norms.map(|n| if n == 0.0 { 1.0 } else { n }),
                |old| std::array::from_fn(|i| pick(&old, i).max(pick(&norms, i))),
            );
            scale = Some(d);
            if first {
                xnorm = scaled_norm(&d, &x);
                delta = if xnorm == 0.0 { FACTOR } else { FACTOR * xnorm };
            }
            let gnorm = gradient_norm(&r, &qtf, &norms, fnorm);
            if gnorm <= 0.0 {
                return Some(x);
            }
            // Steps from the same Jacobian until one is good enough.
            loop {
                let step;
                (step, par) = damped_step(&r, &d, &qtf, delta, par);
                let x_new: Vector = std::array::from_fn(|i| pick(&x, i) - pick(&step, i));
                let pnorm = scaled_norm(&d, &step);
                if first && evaluations == 4 {
                    delta = delta.min(pnorm);
                }
                let fnorm_new = self.evaluate(ys, x_new);
                evaluations += 1;
                // Where the model is not defined the norm is NaN, every comparison false, and the step refused.
                let actual = if 0.1 * fnorm_new < fnorm { 1.0 - (fnorm_new / fnorm).powi(2) } else { -1.0 };
                let linear = norm(&times(&r, &step)) / fnorm;
                let damped = par.sqrt() * pnorm / fnorm;
                let predicted = linear * linear + damped * damped / 0.5;
                let slope = -(linear * linear + damped * damped);
                let ratio = if predicted == 0.0 { 0.0 } else { actual / predicted };
                if ratio <= 0.25 {
                    let mut shrink = if actual >= 0.0 { 0.5 } else { 0.5 * slope / (slope + 0.5 * actual) };
                    if 0.1 * fnorm_new >= fnorm || shrink < 0.1 {
                        shrink = 0.1;
                    }
                    delta = shrink * delta.min(pnorm / 0.1);
                    par /= shrink;
                } else if par == 0.0 || ratio >= 0.75 {
                    delta = pnorm / 0.5;
                    par *= 0.5;
                }
                let accepted = ratio >= 1e-4;
                if accepted {
                    x = x_new;
                    std::mem::swap(&mut self.residual, &mut self.tried);
                    xnorm = scaled_norm(&d, &x);
                    fnorm = fnorm_new;
                }
                let flat = actual.abs() <= TOLERANCE && predicted <= TOLERANCE && 0.5 * ratio <= 1.0;
                if flat || delta <= TOLERANCE * xnorm {
                    return Some(x);
                }
                let eps = f64::EPSILON;
                if evaluations >= MAX_EVALUATIONS || gnorm <= eps || !delta.is_finite() {
                    return None;
                }
                if accepted {
                    break;
                }
            }
        }
    }
}

/// MINPACK's `lmpar`: the step of length `delta` (in the scaled norm, within a tenth) and its parameter.
#[inline(always)]
fn damped_step(r: &Triangle, d: &Vector, qtf: &Vector, delta: f64, par: f64) -> (Vector, f64) {
    let full_rank = (0..3).all(|i| at(r, i, i) != 0.0);
    let newton = back_solve(r, qtf);
    let mut length = scaled_norm(d, &newton);
    let mut excess = length - delta;
    if excess <= 0.1 * delta {
        return (newton, 0.0);
    }
    let mut lower = 0.0;
    if full_rank {
        lower = curvature(r, d, &newton, length, excess, delta);
    }
    let gradient: Vector =
        std::array::from_fn(|j| (0..=j).map(|i| at(r, i, j) * pick(qtf, i)).sum::<f64>() / pick(d, j));
    let gnorm = norm(&gradient);
    let mut upper = gnorm / delta;
    if upper == 0.0 {
        upper = f64::MIN_POSITIVE / delta.min(0.1);
    }
    let mut par = par.max(lower).min(upper);
    if par == 0.0 {
        par = gnorm / length;
    }
    let mut iteration = 1;
    loop {
        if par == 0.0 {
            par = f64::MIN_POSITIVE.max(0.001 * upper);
        }
        let (s, rhs) = damp(r, d, qtf, par.sqrt());
        let step = back_solve(&s, &rhs);
        length = scaled_norm(d, &step);
        let before = excess;
        excess = length - delta;
        let done = excess.abs() <= 0.1 * delta || (lower == 0.0 && excess <= before && before < 0.0);
        if done || iteration == 10 || !excess.is_finite() {
            return (step, par);
        }
        let correction = curvature(&s, d, &step, length, excess, delta);
        if excess > 0.0 {
            lower = lower.max(par);
        } else if excess < 0.0 {
            upper = upper.min(par);
        }
        par = lower.max(par + correction);
        iteration += 1;
    }
}

/// Newton's correction of the parameter: excess / delta / |R^-T D^2 x / |D x||^2.
#[inline(always)]
fn curvature(r: &Triangle, d: &Vector, step: &Vector, length: f64, excess: f64, delta: f64) -> f64 {
    let mut w: Vector = std::array::from_fn(|i| pick(d, i) * (pick(d, i) * pick(step, i) / length));
    for j in 0..3 {
        let known: f64 = (0..j).map(|i| at(r, i, j) * pick(&w, i)).sum();
        if let Some(slot) = w.get_mut(j) {
            *slot = (*slot - known) / at(r, j, j);
        }
    }
    let size = norm(&w);
    excess / delta / size / size
}

/// R and Q^T b of [R; root D] x = [b; 0].
#[inline(always)]
fn damp(r: &Triangle, d: &Vector, qtf: &Vector, root: f64) -> (Triangle, Vector) {
    let mut columns: [[f64; 6]; 3] = [[0.0; 6]; 3];
    for (j, column) in columns.iter_mut().enumerate() {
        for (i, slot) in column.iter_mut().enumerate() {
            *slot = if i <= j {
                at(r, i, j)
            } else if i == j + 3 {
                root * pick(d, j)
            } else {
                0.0
            };
        }
    }
    let [b0, b1, b2] = *qtf;
    let [c0, c1, c2] = &mut columns;
    triangular([c0, c1, c2], &mut [b0, b1, b2, 0.0, 0.0, 0.0])
}

/// Modified Gram-Schmidt on [columns | rhs]: the triangle R and Q^T rhs. Everything is overwritten.
#[inline(always)]
fn triangular(columns: [&mut [f64]; 3], rhs: &mut [f64]) -> (Triangle, Vector) {
    let mut r: Triangle = [[0.0; 3]; 3];
    let mut qtf: Vector = [0.0; 3];
    let [c0, c1, c2] = columns;
    let r00 = unit(c0);
    let r01 = project(c0, c1);
    let r02 = project(c0, c2);
    qtf[0] = project(c0, rhs);
    let r11 = unit(c1);
    let r12 = project(c1, c2);
    qtf[1] = project(c1, rhs);
    let r22 = unit(c2);
    qtf[2] = project(c2, rhs);
    r[0] = [r00, r01, r02];
    r[1] = [0.0, r11, r12];
    r[2] = [0.0, 0.0, r22];
    (r, qtf)
}

/// Scales to length 1, returns the length it had.
#[inline(always)]
fn unit(column: &mut [f64]) -> f64 {
    let length = norm(column);
    if length > 0.0 {
        let scale = 1.0 / length;
        column.iter_mut().for_each(|v| *v *= scale);
    }
    length
}

/// Takes the part along the unit vector `along` out of `from`, returns its length.
#[inline(always)]
fn project(along: &[f64], from: &mut [f64]) -> f64 {
    let part = dot(along, from);
    from.iter_mut().zip(along).for_each(|(v, a)| *v -= part * a);
    part
}

/// Solves R x = b; from the first zero on the diagonal on x is 0.
#[inline(always)]
fn back_solve(r: &Triangle, b: &Vector) -> Vector {
    let rank = (0..3).take_while(|&i| at(r, i, i) != 0.0).count();
    let mut x: Vector = [0.0; 3];
    for i in (0..rank).rev() {
        let known: f64 = (i + 1..rank).map(|j| at(r, i, j) * pick(&x, j)).sum();
        if let Some(slot) = x.get_mut(i) {
            *slot = (pick(b, i) - known) / at(r, i, i);
        }
    }
    x
}

#[inline(always)]
fn times(r: &Triangle, x: &Vector) -> Vector {
    std::array::from_fn(|i| (i..3).map(|j| at(r, i, j) * pick(x, j)).sum())
}

/// The largest cosine between the residual and a column of the Jacobian.
#[inline(always)]
fn gradient_norm(r: &Triangle, qtf: &Vector, norms: &Vector, fnorm: f64) -> f64 {
    if fnorm == 0.0 {
        return 0.0;
    }
    let cosine = |j: usize| {
        let sum: f64 = (0..=j).map(|i| at(r, i, j) * pick(qtf, i) / fnorm).sum();
        if pick(norms, j) == 0.0 { 0.0 } else { (sum / pick(norms, j)).abs() }
    };
    cosine(0).max(cosine(1)).max(cosine(2))
}

#[inline(always)]
fn at(r: &Triangle, i: usize, j: usize) -> f64 {
    r.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
}

#[inline(always)]
fn pick(v: &Vector, i: usize) -> f64 {
    v.get(i).copied().unwrap_or(0.0)
}

#[inline(always)]
fn scaled_norm(d: &Vector, x: &Vector) -> f64 {
    norm(&std::array::from_fn::<f64, 3, _>(|i| pick(d, i) * pick(x, i)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_noiseless_knee_is_found() {
        for (knee, exponent) in [(10.0, 1.5), (50.0, 2.0), (2.0, 1.0), (0.0, 1.2)] {
            let xs: Vec<f64> = (2..=80).map(|k| (f64::from(k) * 0.5).log10()).collect();
            let ys: Vec<f64> = xs.iter().map(|x| 1.0 - (knee + 10_f64.powf(exponent * x)).log10()).collect();
            let mut work = Workspace::default();
            work.prepare(xs.len());
            let line =
                work.fit(&xs, &ys, Line { offset: ys[0], knee: 0.0, exponent: 1.0, before: 0.0 }).unwrap();
            assert!((line.exponent - exponent).abs() < 1e-5, "knee {knee}: {line:?}");
            assert!((line.knee - knee).abs() < 1e-3 * (1.0 + knee), "{line:?}");
        }
    }

    #[test]
    fn two_bins_are_too_few() {
        assert_eq!(Workspace::default().fit(&[0.0, 1.0], &[1.0, 0.0], Line::default()), None);
    }
}

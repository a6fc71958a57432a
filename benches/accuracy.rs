//! Error, bias and coverage of the `whittle` method on simulated Gaussian signals.
//!
//! `cargo bench --bench accuracy -- [--memory 60] [--windows 4,2,8,16] [--chi 0.5,1,1.5,2] [--draws 25]`
//! Every row draws new centres, widths and heights for each of `draws` sessions and cuts consecutive windows from
//! each session's one long series; the first minute of a session is not counted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rustfft::{FftPlanner, num_complex::Complex};
use std::io::Write;
use tras::estimator::whittle::design::Design;
use tras::estimator::whittle::{Settings, Whittle};
use tras::estimator::{Method, Spectrum};

const RATE_HZ: f64 = 250.0;
const WARM_S: f64 = 60.0;

/// A peak of the simulated signal.
#[derive(Clone, Copy, Debug)]
struct Bump {
    centre_hz: f64,
    sigma_hz: f64,
    height_log10: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Shape {
    Gauss,
    LogGauss,
    Lorentz,
}

impl Bump {
    /// Power relative to the line at the centre frequency.
    fn at(&self, f: f64, chi: f64, shape: Shape) -> f64 {
        let z = (f - self.centre_hz) / self.sigma_hz;
        let height = 10f64.powf(self.height_log10) - 1.0;
        match shape {
            Shape::Gauss => height * self.centre_hz.powf(-chi) * (-0.5 * z * z).exp(),
            // Half width at half maximum of the Gaussian.
            Shape::Lorentz => height * self.centre_hz.powf(-chi) / (1.0 + (z / 1.177).powi(2)),
            Shape::LogGauss => {
                f.max(0.1).powf(-chi) * (10f64.powf(self.height_log10 * (-0.5 * z * z).exp()) - 1.0)
            }
        }
    }
}

fn draw(kind: usize, widest_theta_hz: f64, rng: &mut ChaCha8Rng) -> Vec<Bump> {
    let mut bumps = Vec::new();
    let mut one = |low: f64, high: f64, widest: f64| Bump {
        centre_hz: rng.random_range(low..high),
        sigma_hz: rng.random_range(0.5..widest),
        height_log10: rng.random_range(0.3..1.0),
    };
    if kind >= 1 {
        bumps.push(one(8.0, 13.0, 2.0));
    }
    if kind >= 2 {
        bumps.push(one(4.0, 7.0, widest_theta_hz));
    }
    if kind >= 3 {
        bumps.push(one(15.0, 28.0, 2.0));
    }
    bumps
}

/// A Gaussian series of the given one-sided density.
fn series(samples: usize, rng: &mut ChaCha8Rng, density: impl Fn(f64) -> f64) -> Vec<f64> {
    let n = samples.next_power_of_two();
    let mut line = vec![Complex::new(0.0, 0.0); n];
    for i in 1..n / 2 {
        let f = i as f64 * RATE_HZ / n as f64;
        let scale = (density(f) * n as f64 * RATE_HZ / 4.0).sqrt();
        let re: f64 = StandardNormal.sample(rng);
        let im: f64 = StandardNormal.sample(rng);
        line[i] = Complex::new(scale * re, scale * im);
        line[n - i] = line[i].conj();
    }
    FftPlanner::new().plan_fft_inverse(n).process(&mut line);
    line.iter().take(samples).map(|v| v.re / n as f64).collect()
}

/// Mean over segments and tapers of the periodogram, one-sided, in units^2/Hz.
struct Transform {
    tapers: Vec<Vec<f64>>,
    step: usize,
    segments: usize,
    fft: std::sync::Arc<dyn rustfft::Fft<f64>>,
    freqs: Vec<f64>,
}

impl Transform {
    fn new(design: &Design) -> Self {
        let n = design.segment_samples();
        let tapers = design
            .tapers
            .iter()
            .map(|t| {
                let e = t.iter().map(|v| v * v).sum::<f64>().sqrt();
                t.iter().map(|v| v / e).collect()
            })
            .collect();
        Self {
            tapers,
            step: design.step_samples,
            segments: design.segments,
            fft: FftPlanner::new().plan_fft_forward(n),
            freqs: (0..=n / 2).map(|i| i as f64 * RATE_HZ / n as f64).collect(),
        }
    }
    fn run(&self, window: &[f64]) -> Vec<f64> {
        let n = self.tapers[0].len();
        let mut power = vec![0.0; n / 2 + 1];
        for s in 0..self.segments {
            let segment = &window[s * self.step..s * self.step + n];
            let mean = segment.iter().sum::<f64>() / n as f64;
            for taper in &self.tapers {
                let mut line: Vec<_> =
                    segment.iter().zip(taper).map(|(x, v)| Complex::new((x - mean) * v, 0.0)).collect();
                self.fft.process(&mut line);
                for (p, v) in power.iter_mut().zip(&line) {
                    *p += v.norm_sqr() * 2.0 / RATE_HZ / (self.segments * self.tapers.len()) as f64;
                }
            }
        }
        power
    }
}

/// Cramer-Rao bound of the exponent over 2..35 Hz; with the peaks' amplitudes unknown (1), or all of them (2).
fn bound(window_s: f64, chi: f64, bumps: &[Bump], unknown: usize) -> f64 {
    let step = 0.02;
    let m = 2 + bumps.len() * [0, 1, 3][unknown];
    let mut h = vec![vec![0.0; m]; m];
    let mut f: f64 = 2.0;
    while f < 35.0 {
        let line = f.powf(-chi);
        let total = line + bumps.iter().map(|b| b.at(f, chi, Shape::Gauss)).sum::<f64>();
        let mut g = vec![line / total, line / total * (f / 12.0).ln()];
        for b in bumps {
            let q = b.at(f, chi, Shape::Gauss) / total;
            let z = (f - b.centre_hz) / b.sigma_hz;
            g.extend([q, q * z, q * z * z].iter().take([0, 1, 3][unknown]));
        }
        for i in 0..m {
            for j in 0..m {
                h[i][j] += window_s * step * g[i] * g[j];
            }
        }
        f += step;
    }
    // Gauss-Jordan for the second column of the inverse.
    let mut x = vec![0.0; m];
    x[1] = 1.0;
    for i in 0..m {
        let p = h[i][i];
        for v in &mut h[i] {
            *v /= p;
        }
        x[i] /= p;
        for k in 0..m {
            if k != i {
                let q = h[k][i];
                for j in 0..m {
                    let v = h[i][j];
                    h[k][j] -= q * v;
                }
                x[k] -= q * x[i];
            }
        }
    }
    x[1].sqrt()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let get = |name: &str, default: &str| {
        args.iter()
            .position(|a| a == name)
            .and_then(|i| args.get(i + 1))
            .cloned()
            .unwrap_or(default.to_owned())
    };
    let list = |s: String| s.split(',').map(|v| v.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let memory_s: f64 = get("--memory", "60").parse().unwrap();
    let lengths = list(get("--windows", "4"));
    let chis = list(get("--chi", "0.5,1,1.5,2"));
    let kinds = list(get("--kinds", "0,1,2,3"));
    let draws: u64 = get("--draws", "25").parse().unwrap();
    let per: usize = get("--per", "60").parse().unwrap();
    let theta: f64 = get("--theta", "1").parse().unwrap();
    let seed: u64 = get("--seed", "1").parse().unwrap();
    let verbose = args.iter().any(|a| a == "-v");
    let design_name = get("--design", "long");
    let shape = match get("--shape", "gauss").as_str() {
        "log" => Shape::LogGauss,
        "lorentz" => Shape::Lorentz,
        _ => Shape::Gauss,
    };
    let mut dump = args
        .iter()
        .position(|a| a == "--dump")
        .and_then(|i| args.get(i + 1))
        .map(|p| std::fs::File::create(p).unwrap());
    let names = ["none", "alpha", "alpha+theta", "alpha+theta+beta"];
    println!(
        "design {design_name}, memory {memory_s} s, theta sd 0.5..{theta} Hz, {draws} draws x {per} windows"
    );
    println!(
        "T s  chi  peaks              err/bound  CRB known/amp/all   bias    cover  zsd   se/bound  us/fit  invalid"
    );
    for &length in &lengths {
        let design = match design_name.as_str() {
            "long" => {
                Design::sine(RATE_HZ, (length * RATE_HZ) as usize, (2.0 * length) as usize - 1, 1000, 1)
            }
            _ => Design::sine(RATE_HZ, 500, 3, 125, ((length - 2.0) / 0.5) as usize + 1),
        };
        let transform = Transform::new(&design);
        let limit = bound(length, 1.0, &[], 0);
        for &chi in &chis {
            for &kind in &kinds {
                let (mut n, mut sum, mut square, mut cover, mut zz, mut se) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
                let mut crb = [0.0; 3];
                let mut times = Vec::new();
                let mut invalid = 0;
                for d in 0..draws {
                    let mut rng = ChaCha8Rng::seed_from_u64(
                        seed * 1_000_003 + d * 101 + kind as u64 * 7 + (chi * 10.0) as u64,
                    );
                    let bumps = draw(kind as usize, theta, &mut rng);
                    for (u, c) in crb.iter_mut().enumerate() {
                        *c += bound(length, chi, &bumps, u).powi(2) / draws as f64;
                    }
                    let warm = (WARM_S / length).ceil() as usize;
                    let samples = (length * RATE_HZ) as usize;
                    let x = series((warm + per) * samples, &mut rng, |f| {
                        10.0 * (f.max(0.1).powf(-chi)
                            + bumps.iter().map(|b| b.at(f, chi, shape)).sum::<f64>())
                    });
                    let settings =
                        Settings { memory_s, hop_s: length, window_s: length, ..Settings::default() };
                    let mut whittle = Whittle::new(settings, &design, &transform.freqs, 1);
                    let (mut dsum, mut dsq) = (0.0, 0.0);
                    for (w, window) in x.chunks_exact(samples).enumerate() {
                        let power = transform.run(window);
                        let spectrum = Spectrum {
                            freqs_hz: &transform.freqs,
                            power: &power,
                            segments: design.segments,
                            gamma_shape: 7.0,
                        };
                        let begin = std::time::Instant::now();
                        let fit = whittle.fit(&spectrum, 0);
                        times.push(begin.elapsed().as_secs_f64() * 1e6);
                        if w < warm {
                            continue;
                        }
                        if let Some(file) = &mut dump {
                            write!(file, "{length},{chi},{kind},{d},{},{}", fit.exponent, fit.exponent_se)
                                .unwrap();
                            let welch = Transform::new(&Design {
                                sample_rate_hz: RATE_HZ,
                                tapers: vec![
                                    (0..250)
                                        .map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / 250.0).cos())
                                        .collect(),
                                ],
                                step_samples: 125,
                                segments: (length * 2.0) as usize - 1,
                            });
                            for p in welch.run(window).iter().take(36) {
                                write!(file, ",{p:e}").unwrap();
                            }
                            writeln!(file).unwrap();
                        }
                        if fit.invalid.is_some() {
                            invalid += 1;
                            continue;
                        }
                        let e = fit.exponent - chi;
                        n += 1.0;
                        sum += e;
                        square += e * e;
                        dsum += e;
                        dsq += e * e;
                        se += fit.exponent_se;
                        zz += (e / fit.exponent_se).powi(2);
                        cover += f64::from(e.abs() <= 1.96 * fit.exponent_se);
                        if verbose && w % 20 == 0 {
                            println!(
                                "     {:+.3} se {:.3} {:?}",
                                e,
                                fit.exponent_se,
                                fit.peaks
                                    .as_slice()
                                    .iter()
                                    .map(|p| (
                                        (p.centre_hz * 10.0).round() / 10.0,
                                        (p.bandwidth_hz * 5.0).round() / 10.0,
                                        (p.power_log10 * 100.0).round() / 100.0
                                    ))
                                    .collect::<Vec<_>>()
                            );
                        }
                    }
                    if verbose {
                        println!(
                            "  draw {d}: {bumps:.2?} err {:.2} bias {:+.3} amp-CRB {:.2}",
                            (dsq / per as f64).sqrt() / limit,
                            dsum / per as f64,
                            bound(length, chi, &bumps, 1) / limit
                        );
                    }
                }
                times.sort_by(f64::total_cmp);
                println!(
                    "{length:3}  {chi:3}  {:17}  {:9.3}  {:5.2} {:5.2} {:5.2}  {:+7.3}  {:6.1}%  {:.2}  {:7.3}  {:6.1}  {invalid}",
                    names[kind as usize],
                    (square / n).sqrt() / limit,
                    crb[0].sqrt() / limit,
                    crb[1].sqrt() / limit,
                    crb[2].sqrt() / limit,
                    sum / n,
                    100.0 * cover / n,
                    (zz / n).sqrt(),
                    se / n / limit,
                    times[times.len() / 2],
                );
            }
        }
    }
}

//! Error, bias and coverage of the `whittle` method, and of `specparam` on the same simulated Gaussian signals.
//!
//! `cargo bench --bench accuracy -- [--memory 60,0] [--windows 4,2,8,16] [--chi 0.5,1,1.5,2] [--draws 25] [--per 60]
//! [--kinds 0,1,2,3] [--theta 1] [--shape gauss|log|lorentz] [--design long|short] [--dump FILE] [--plots FOLDER]`,
//! or with `--special`: steps, bursts, wrong models and artefacts. `make bench-accuracy` prints every row for both
//! memories and draws them.
//!
//! `CRB`: the Cramer-Rao bound of these very signals over 2..35 Hz, with the peaks known, their amplitudes unknown,
//! and all of them unknown, over the bound without peaks. `zsd`: error over its standard error, root mean square.
//! `us/fit` is the fit alone, after the transform. `specparam`: its error over the bound, and its bias, from Welch
//! spectra of the same windows (tRAS settings); the same for every memory.
//!
//! Every row draws new centres, widths and heights for each of `draws` sessions and cuts consecutive windows from
//! each session's one long series; the first minute of a session is not counted.
#![allow(
    clippy::unwrap_used,
    clippy::needless_range_loop,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench"
)]

#[path = "accuracy/plots.rs"]
mod plots;
#[path = "accuracy/signal.rs"]
mod signal;

use plots::Measured;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use signal::{Bump, RATE_HZ, Shape, draw, series};
use tras::estimator::specparam::{Specparam, SpecparamSettings};
use tras::estimator::spectrum::shape::Overlap;
use tras::estimator::spectrum::transform::Transform;
use tras::estimator::spectrum::{Kind, SpectrumSettings};
use tras::estimator::whittle::design::Design;
use tras::estimator::whittle::{Settings, Whittle};
use tras::estimator::{Method, Spectrum};

const WARM_S: f64 = 60.0;

/// Windows to spectra, through the estimator's own transform.
struct Windows {
    transform: Transform,
    segment: usize,
    step: usize,
    freqs: Vec<f64>,
    segments: usize,
    gamma_shape: f64,
}

impl Windows {
    fn new(settings: &SpectrumSettings, window_s: f64) -> Self {
        let segment = (settings.segment_s * RATE_HZ).round() as usize;
        let step = (settings.segment_s * (1.0 - settings.overlap) * RATE_HZ).round() as usize;
        let segments = ((window_s * RATE_HZ).round() as usize - segment) / step + 1;
        let transform = Transform::new(settings, segment, RATE_HZ);
        let gamma_shape = Overlap::new(transform.tapers(), step).mean_shape((0..segments).map(|_| true));
        let freqs = (0..=segment / 2).map(|i| i as f64 * RATE_HZ / segment as f64).collect();
        Self { transform, segment, step, freqs, segments, gamma_shape }
    }

    fn run(&mut self, window: &[f64]) -> Vec<f64> {
        let mut mean = vec![0.0; self.freqs.len()];
        let mut power = mean.clone();
        for s in 0..self.segments {
            let mut segment = window[s * self.step..s * self.step + self.segment].to_vec();
            assert!(self.transform.periodogram(&mut segment, &mut power));
            for (m, p) in mean.iter_mut().zip(&power) {
                *m += p / self.segments as f64;
            }
        }
        mean
    }

    fn spectrum<'a>(&'a self, power: &'a [f64]) -> Spectrum<'a> {
        Spectrum { freqs_hz: &self.freqs, power, segments: self.segments, gamma_shape: self.gamma_shape }
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

/// What else may happen to a signal; all with chi = 1 before, 4 s windows, alpha and theta unless said.
fn special(memory_s: f64, sessions: u64) {
    let settings = SpectrumSettings {
        kind: Kind::Multitaper { half_bandwidth_hz: 1.0, tapers: None },
        segment_s: 4.0,
        overlap: 0.0,
        ..SpectrumSettings::default()
    };
    let design = Design::of_settings(&settings, RATE_HZ, 4.0);
    let mut windows = Windows::new(&settings, 4.0);
    let mut whittle = Whittle::new(Settings { memory_s, ..Settings::default() }, &design, &windows.freqs, 1);
    let limit = bound(4.0, 1.0, &[], 0);
    println!("{sessions} sessions, memory {memory_s} s: window after a minute");
    println!("signal                                     err/bound   bias    cover  se/bound  invalid");
    let names = [
        "step of +0.3, peaks' power unchanged",
        "step of -0.3, peaks' power unchanged",
        "step of +0.3, peaks over the line unchanged",
        "alpha bursts, on for 30 % of the time",
        "alpha switched off for good, first window",
        "pure 10 Hz sinusoid",
        "peaks at 2.5 and 34 Hz",
        "knee at 8 Hz, exponent 2 above it",
        "step artefact of 20 sd in the window",
        "spike of 50 sd in the window",
    ];
    for (which, name) in names.iter().enumerate() {
        let (mut n, mut sum, mut square, mut cover, mut se, mut invalid) = (0.0, 0.0, 0.0, 0.0, 0.0, 0);
        for d in 0..sessions {
            let mut rng = ChaCha8Rng::seed_from_u64(77_000 + d);
            let mut bumps = draw(2, 1.0, &mut rng);
            if which >= 5 {
                bumps.clear();
            }
            if which == 6 {
                bumps = [2.5, 34.0]
                    .map(|centre_hz| Bump { centre_hz, sigma_hz: 0.8, height_log10: 0.8 })
                    .to_vec();
            }
            let knee = if which == 7 { 8.0 } else { 0.0 };
            let line = |f: f64, chi: f64| 10.0 * (f.max(0.1) / 12.0).powf(-chi);
            let (warm, after) = (20_000, 20_000);
            let mut truth: f64 = if which == 7 { 2.0 } else { 1.0 };
            let base =
                |f: f64, chi: f64| if knee > 0.0 { 1440.0 / (knee * knee + f * f) } else { line(f, chi) };
            let power = |f: f64, chi: f64, b: &Bump| 10.0 * 12f64.powf(1.0) * b.at(f, chi, Shape::Gauss);
            let mut x = series(warm, &mut rng, |f| {
                base(f, 1.0) + bumps.iter().map(|b| power(f, 1.0, b)).sum::<f64>()
            });
            let gate: Vec<bool> = (0..warm + after).map(|t| (t / 150) * 7919 % 10 < 3).collect();
            match which {
                0..=2 => {
                    truth = if which == 1 { 0.7 } else { 1.3 };
                    x.extend(series(after, &mut rng, |f| {
                        let peaks = bumps.iter().map(|b| {
                            if which == 2 {
                                power(f, 1.0, b) * (b.centre_hz / 12.0).powf(1.0 - truth)
                            } else {
                                power(f, 1.0, b)
                            }
                        });
                        line(f, truth) + peaks.sum::<f64>()
                    }));
                }
                3 => {
                    x = series(warm + after, &mut rng, |f| line(f, 1.0) + power(f, 1.0, &bumps[1]));
                    let alpha = series(warm + after, &mut rng, |f| power(f, 1.0, &bumps[0]));
                    for ((x, a), on) in x.iter_mut().zip(alpha).zip(&gate) {
                        *x += if *on { a } else { 0.0 };
                    }
                }
                4 => x.extend(series(after, &mut rng, |f| line(f, 1.0) + power(f, 1.0, &bumps[1]))),
                _ => x.extend(series(after, &mut rng, |f| {
                    base(f, 1.0) + bumps.iter().map(|b| power(f, 1.0, b)).sum::<f64>()
                })),
            }
            let sd = (x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64).sqrt();
            for (t, v) in x.iter_mut().enumerate() {
                *v += match which {
                    5 => 3.0 * sd * (std::f64::consts::TAU * 10.03 * t as f64 / RATE_HZ).sin(),
                    8 if t > 20_400 => 20.0 * sd,
                    9 if t == 20_500 => 50.0 * sd,
                    _ => 0.0,
                };
            }
            whittle.reset();
            // Windows of a steady signal all count, of one that changed only the first.
            let counted = if matches!(which, 3 | 5..=7) { 40 } else { 21 };
            for (w, window) in x.chunks_exact(1000).enumerate().take(counted) {
                let power = windows.run(window);
                let fit = whittle.fit(&windows.spectrum(&power), 0);
                if w < 20 {
                    continue;
                }
                if fit.invalid.is_some() {
                    invalid += 1;
                    continue;
                }
                let e = fit.exponent - truth;
                n += 1.0;
                sum += e;
                square += e * e;
                se += fit.exponent_se;
                cover += f64::from(e.abs() <= 1.96 * fit.exponent_se);
            }
        }
        println!(
            "{name:44}  {:6.2}  {:+7.3}  {:6.1}%  {:6.2}  {:5.1}%",
            (square / n).sqrt() / limit,
            sum / n,
            100.0 * cover / n,
            se / n / limit,
            100.0 * f64::from(invalid) / (n + f64::from(invalid)),
        );
    }
}

/// What the windows of one row came to, by one method.
#[derive(Default)]
struct Tally {
    n: f64,
    sum: f64,
    square: f64,
    covered: f64,
    zz: f64,
    se: f64,
    invalid: usize,
    times_us: Vec<f64>,
}

impl Tally {
    fn add(&mut self, error: f64, se: f64) {
        self.n += 1.0;
        self.sum += error;
        self.square += error * error;
        self.se += se;
        self.zz += (error / se).powi(2);
        self.covered += f64::from(error.abs() <= 1.96 * se);
    }

    fn rms(&self) -> f64 {
        (self.square / self.n).sqrt()
    }

    fn bias(&self) -> f64 {
        self.sum / self.n
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let after = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let get = |name: &str, default: &str| after(name).cloned().unwrap_or(default.to_owned());
    let list = |s: String| s.split(',').map(|v| v.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let memories_s = list(get("--memory", "60"));
    if args.iter().any(|a| a == "--special") {
        return special(memories_s[0], get("--draws", "400").parse().unwrap());
    }
    let lengths = list(get("--windows", "4"));
    let chis = list(get("--chi", "0.5,1,1.5,2"));
    let kinds = list(get("--kinds", "0,1,2,3"));
    let draws: u64 = get("--draws", "25").parse().unwrap();
    let per: usize = get("--per", "60").parse().unwrap();
    let theta: f64 = get("--theta", "1").parse().unwrap();
    let seed: u64 = get("--seed", "1").parse().unwrap();
    let design_name = get("--design", "long");
    let shape = match get("--shape", "gauss").as_str() {
        "log" => Shape::LogGauss,
        "lorentz" => Shape::Lorentz,
        _ => Shape::Gauss,
    };
    let mut dump = after("--dump").map(|p| std::fs::File::create(p).unwrap());
    let mut measured = Vec::new();
    let names = ["none", "alpha", "alpha+theta", "alpha+theta+beta"];
    println!(
        "design {design_name}, theta sd 0.5..{theta} Hz, {draws} draws x {per} windows = {} windows a row",
        draws * per as u64
    );
    println!(
        "T s  chi  peaks             memory  err/bound  /specparam  CRB known/amp/all   bias    cover  zsd   se/bound  us/fit  invalid  specparam err/bound  bias"
    );
    for &length in &lengths {
        let multitaper = Kind::Multitaper {
            half_bandwidth_hz: get("--half-bandwidth", "1").parse().unwrap(),
            tapers: get("--tapers", "x").parse().ok(),
        };
        let spectrum_settings = match design_name.as_str() {
            "long" => SpectrumSettings {
                kind: multitaper,
                segment_s: length,
                overlap: 0.0,
                ..SpectrumSettings::default()
            },
            "short" => SpectrumSettings {
                kind: multitaper,
                segment_s: 2.0,
                overlap: 0.75,
                ..SpectrumSettings::default()
            },
            _ => SpectrumSettings::default(),
        };
        let design = Design::of_settings(&spectrum_settings, RATE_HZ, length);
        let mut windows = Windows::new(&spectrum_settings, length);
        let mut whittles: Vec<Whittle> = memories_s
            .iter()
            .map(|&memory_s| {
                let settings = Settings { memory_s, hop_s: length, window_s: length, ..Settings::default() };
                Whittle::new(settings, &design, &windows.freqs, 1)
            })
            .collect();
        let mut welch = Windows::new(&SpectrumSettings::default(), length);
        let mut specparam = Specparam::new(SpecparamSettings::tras()).unwrap();
        let limit = bound(length, 1.0, &[], 0);
        for &chi in &chis {
            for &kind in &kinds {
                let mut tallies: Vec<Tally> = memories_s.iter().map(|_| Tally::default()).collect();
                let mut reference = Tally::default();
                let mut crb = [0.0; 3];
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
                    for whittle in &mut whittles {
                        whittle.reset();
                    }
                    for (w, window) in x.chunks_exact(samples).enumerate() {
                        let power = windows.run(window);
                        let spectrum = windows.spectrum(&power);
                        for (whittle, tally) in whittles.iter_mut().zip(&mut tallies) {
                            let begin = std::time::Instant::now();
                            let fit = whittle.fit(&spectrum, 0);
                            tally.times_us.push(begin.elapsed().as_secs_f64() * 1e6);
                            if w < warm {
                                continue;
                            }
                            if let Some(file) = &mut dump {
                                use std::io::Write;
                                writeln!(
                                    file,
                                    "{kind},{},{},{},{}",
                                    fit.exponent, fit.exponent_se, fit.r_squared, fit.mae
                                )
                                .unwrap();
                            }
                            if fit.invalid.is_some() {
                                tally.invalid += 1;
                            } else {
                                tally.add(fit.exponent - chi, fit.exponent_se);
                            }
                        }
                        if w >= warm {
                            let power = welch.run(window);
                            let error = specparam.fit(&welch.spectrum(&power), 0).exponent - chi;
                            if error.is_finite() {
                                reference.add(error, f64::NAN);
                            }
                        }
                    }
                }
                let peaks = names[kind as usize];
                for (tally, memory_s) in tallies.iter_mut().zip(&memories_s) {
                    tally.times_us.sort_by(f64::total_cmp);
                    println!(
                        "{length:3}  {chi:3}  {peaks:17} {memory_s:5}   {:9.3}  {:10.3}  {:5.2} {:5.2} {:5.2}  {:+7.3}  {:6.1}%  {:.2}  {:7.3}  {:6.1}  {:7}  {:19.3}  {:+.3}",
                        tally.rms() / limit,
                        tally.rms() / reference.rms(),
                        crb[0].sqrt() / limit,
                        crb[1].sqrt() / limit,
                        crb[2].sqrt() / limit,
                        tally.bias(),
                        100.0 * tally.covered / tally.n,
                        (tally.zz / tally.n).sqrt(),
                        tally.se / tally.n / limit,
                        tally.times_us[tally.times_us.len() / 2],
                        tally.invalid,
                        reference.rms() / limit,
                        reference.bias(),
                    );
                }
                let methods = memories_s.iter().map(|memory_s| match memory_s {
                    0.0 => "whittle, no memory".to_owned(),
                    _ => format!("whittle, memory {memory_s} s"),
                });
                for (method, tally) in
                    methods.zip(&tallies).chain([("specparam, tRAS settings".to_owned(), &reference)])
                {
                    measured.push(Measured {
                        method,
                        window_s: length,
                        chi,
                        peaks,
                        error_over_bound: tally.rms() / limit,
                        bias: tally.bias(),
                    });
                }
            }
        }
    }
    if let Some(folder) = after("--plots") {
        let drawn_from = format!(
            "simulated Gaussian signals, 250 Hz; each point {draws} sessions with peaks drawn anew x {per} windows = {} windows",
            draws * per as u64
        );
        plots::write(folder.as_ref(), &measured, &drawn_from).unwrap();
        println!("drawn: {folder}/estimator-error.svg, {folder}/estimator-bias.svg");
    }
}

//! Error, bias, coverage and validity of `whittle`, and the error of `specparam` on the same windows: simulated
//! signals through the estimator as it is assembled for a recording.
//!
//! `cargo bench -p tras-estimator --bench accuracy -- [TABLE...] [--draws 25] [--per 60] [--windows 4]
//! [--ranges 2-35] [--chi 1,2] [--sets 0,1,2,3] [--memory 60] [--seed 1] [--specparam] [--only TEXT]`
//!
//! Tables: straight, artefacts, knees, floors, special, tracking; all where none is named. Every row draws new peaks
//! for each of `draws` sessions and cuts `per` consecutive windows from each; the first minute of a session is not
//! counted. `--pictures FOLDER` draws a knee, a floor and blinks with their fits instead. `/bd` is over the Cramer-Rao
//! bound of a straight line without peaks.
#![allow(
    clippy::unwrap_used,
    clippy::needless_range_loop,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

#[path = "accuracy/bound.rs"]
mod bound;
#[path = "accuracy/picture.rs"]
mod picture;
#[path = "accuracy/signal.rs"]
mod signal;
#[path = "accuracy/tally.rs"]
mod tally;

use signal::{Artefact, Bump, Density, Draw, PEAK_SETS, RATE_HZ, Shape};
use tally::{Tally, WARM_S, estimator, run};
use tras_estimator::Reason;
use tras_estimator::settings::{Floor, MethodName, Mode, Settings};
use tras_estimator::tracking::{Drift, Follower};

/// What the command line says.
struct Options {
    draws: u64,
    per: usize,
    seed: u64,
    windows: Vec<f64>,
    ranges: Vec<[f64; 2]>,
    chis: Option<Vec<f64>>,
    sets: Vec<usize>,
    memory_s: f64,
    /// Other segments than the method's own, in s, and their overlap.
    segment: Option<(f64, f64)>,
    specparam: bool,
    /// Rows whose name holds this.
    only: String,
}

impl Options {
    fn settings(&self, window_s: f64, range_hz: [f64; 2]) -> Settings {
        let own = Settings::for_windows(MethodName::Whittle, window_s, window_s, range_hz);
        let (segment_s, overlap) = self.segment.unwrap_or((own.segment_s, own.overlap));
        let segment_s = segment_s.min(window_s);
        Settings { line_hz: 0.0, memory_s: self.memory_s, segment_s, overlap, ..own }
    }

    fn chis(&self, default: &[f64]) -> Vec<f64> {
        self.chis.clone().unwrap_or(default.to_vec())
    }

    /// One row: `make` draws a session's signal and says which exponent is true at each window.
    fn row(
        &self,
        name: &str,
        settings: &Settings,
        mut make: impl FnMut(&mut Draw, usize) -> (Vec<f64>, Box<dyn Fn(usize) -> f64>),
    ) {
        if !name.contains(&self.only) {
            return;
        }
        let mut whittle = estimator(settings);
        let mut other = self.specparam.then(|| {
            estimator(&Settings {
                line_hz: 0.0,
                range_hz: settings.range_hz,
                ..Settings::for_windows(
                    MethodName::Specparam,
                    settings.window_s,
                    settings.hop_s,
                    settings.range_hz,
                )
            })
        });
        let (mut tally, mut reference) = (Tally::default(), Tally::default());
        let warm = (WARM_S / settings.window_s).ceil() as usize;
        let samples = ((warm + self.per) as f64 * settings.window_s * RATE_HZ) as usize;
        for d in 0..self.draws {
            let mut draw = Draw::new(self.seed * 1_000_003 + d * 101);
            let (x, truth) = make(&mut draw, samples);
            for (at, (estimate, us)) in run(&mut whittle, &x).iter().enumerate().skip(warm) {
                tally.add(estimate, truth(at), *us);
            }
            if let Some(other) = &mut other {
                for (at, (estimate, us)) in run(other, &x).iter().enumerate().skip(warm) {
                    reference.add(estimate, truth(at), *us);
                }
            }
        }
        let limit = bound::straight(settings.window_s, settings.range_hz);
        print!(
            "{name:52} {:6.3}  {:+6.3}  {:5.1}  {:5.2}  {:6.3}  {:5.1}  {:5.1}",
            tally.rms() / limit,
            tally.bias(),
            tally.coverage(),
            tally.zsd(),
            tally.se() / limit,
            tally.valid(),
            tally.median_us(),
        );
        if reference.n > 0.0 {
            print!("  {:6.3}  {:+6.3}", reference.rms() / limit, reference.bias());
        }
        println!("  {}", tally.explained());
    }

    fn head(&self, title: &str) {
        println!(
            "\n{title}; {} sessions x {} windows = {} a row",
            self.draws,
            self.per,
            self.draws * self.per as u64
        );
        let specparam = if self.specparam { "  specparam /bd, bias" } else { "" };
        println!("{:52}    /bd    bias  cover    zsd  se/bd  valid   us{specparam}  invalid", "signal");
    }

    fn straight(&self) {
        self.head("Straight lines");
        for &range in &self.ranges {
            for &window_s in &self.windows {
                let settings = self.settings(window_s, range);
                for chi in self.chis(&[0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]) {
                    for &set in &self.sets {
                        let name = format!(
                            "{}..{} Hz, {window_s} s, exponent {chi}, {}",
                            range[0], range[1], PEAK_SETS[set]
                        );
                        self.row(&name, &settings, |draw, samples| {
                            let density = Density::line(chi, signal::peaks(set, 1.0, draw));
                            (density.series(samples, draw), Box::new(move |_| chi))
                        });
                    }
                }
            }
        }
    }

    /// Bends: what a straight line says of them (held, by its reason), and what knee and auto mode make of them.
    fn knees(&self) {
        for mode in [Mode::Fixed, Mode::Knee, Mode::Auto] {
            let what = if mode == Mode::Fixed {
                ", bent lines held: `bent` is the power, at knee 0 false alarms"
            } else {
                ""
            };
            self.head(&format!("Knees, mode {mode:?}{what}"));
            for &range in &self.ranges {
                for &window_s in &self.windows {
                    let settings = Settings { mode, ..self.settings(window_s, range) };
                    for chi in self.chis(&[1.0, 1.5, 2.0, 3.0]) {
                        for &set in &self.sets {
                            for knee_hz in [0.0, 1.5, 3.0, 5.0, 8.0, 12.0] {
                                let name = format!(
                                    "{}..{} Hz, {window_s} s, exponent {chi}, knee {knee_hz} Hz, {}",
                                    range[0], range[1], PEAK_SETS[set]
                                );
                                self.row(&name, &settings, |draw, samples| {
                                    let bumps = signal::peaks(set, 1.0, draw);
                                    let density = Density { knee_hz, ..Density::line(chi, bumps) };
                                    (density.series(samples, draw), Box::new(move |_| chi))
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    /// How surely one minute tells a bend: sessions of a minute, what the last window of each says.
    fn power(&self) {
        println!("\nEvidence for a bend after one minute (ln odds), {} sessions a row", self.draws);
        println!("{:52}    q5    q50    q95   q99   bent %", "signal");
        for &range in &self.ranges {
            let settings = self.settings(4.0, range);
            for chi in self.chis(&[0.5, 1.0, 1.5, 2.0, 3.0]) {
                for &set in &self.sets {
                    for knee_hz in [0.0, 1.5, 3.0, 5.0, 8.0, 12.0] {
                        let name = format!(
                            "{}..{} Hz, exponent {chi}, knee {knee_hz} Hz, {}",
                            range[0], range[1], PEAK_SETS[set]
                        );
                        if !name.contains(&self.only) {
                            continue;
                        }
                        let mut whittle = estimator(&settings);
                        let mut evidence = Vec::new();
                        let mut bent = 0.0;
                        for d in 0..self.draws {
                            let mut draw = Draw::new(self.seed * 7_000_003 + d * 101);
                            let density =
                                Density { knee_hz, ..Density::line(chi, signal::peaks(set, 1.0, &mut draw)) };
                            let x = density.series((124.5 * RATE_HZ) as usize, &mut draw);
                            let last = run(&mut whittle, &x).last().unwrap().0.fit;
                            evidence.push(last.bend_evidence);
                            bent += f64::from(last.invalid == Some(Reason::Bent)) / self.draws as f64;
                        }
                        evidence.sort_by(f64::total_cmp);
                        let q = |share: f64| evidence[(share * (evidence.len() - 1) as f64) as usize];
                        println!(
                            "{name:52} {:6.2} {:6.2} {:6.2} {:6.2}  {:5.1}",
                            q(0.05),
                            q(0.5),
                            q(0.95),
                            q(0.99),
                            100.0 * bent
                        );
                    }
                }
            }
        }
    }

    fn floors(&self) {
        self.head("Floors and muscle");
        let kinds = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (0.0, 2.0), (0.0, 5.0), (0.0, 10.0)];
        for &window_s in &self.windows {
            for floor in [Floor::Auto, Floor::None] {
                let settings = Settings { floor, ..self.settings(window_s, self.ranges[0]) };
                for chi in self.chis(&[1.0, 2.0]) {
                    for (floor_uv, muscle_uv) in kinds {
                        for &set in &self.sets {
                            let name = format!(
                                "{window_s} s, {floor:?}, exp {chi}, floor {floor_uv}, muscle {muscle_uv} uV, {}",
                                PEAK_SETS[set]
                            );
                            self.row(&name, &settings, |draw, samples| {
                                let bumps = signal::peaks(set, 1.0, draw);
                                let density = Density { floor_uv, muscle_uv, ..Density::line(chi, bumps) };
                                (density.series(samples, draw), Box::new(move |_| chi))
                            });
                        }
                    }
                }
            }
        }
    }

    /// What else may happen to a signal; exponent 1, alpha and theta unless said.
    fn special(&self) {
        self.head("Changes and other models");
        let names = [
            "step of +0.3, peaks' power unchanged",
            "step of -0.3, peaks' power unchanged",
            "alpha bursts, on for 30 % of the time",
            "alpha switched off for good",
            "pure 10 Hz sinusoid of 15 uV, no other peak",
            "peaks at 2.5 and 34 Hz",
            "Lorentzian peaks",
            "peaks Gaussian in log power",
            "theta of up to 2 Hz",
            "exponent wanders by 0.02 a root second",
            "exponent wanders by 0.05 a root second",
        ];
        let settings = self.settings(4.0, [2.0, 35.0]);
        for (which, name) in names.iter().enumerate() {
            self.row(name, &settings, |draw, samples| {
                let theta_hz = if which == 8 { 2.0 } else { 1.0 };
                let mut line = Density::line(1.0, signal::peaks(2, theta_hz, draw));
                match which {
                    4 => line.bumps.clear(),
                    5 => {
                        line.bumps = [2.5, 34.0]
                            .map(|centre_hz| Bump { centre_hz, sigma_hz: 0.8, height_log10: 0.6 })
                            .to_vec();
                    }
                    6 => line.shape = Shape::Lorentz,
                    7 => line.shape = Shape::LogGauss,
                    _ => {}
                }
                let mut x = line.series(samples, draw);
                // Changes every two minutes; the truth of a window is that of its middle.
                let period = 120.0;
                let on = move |s: f64| (s / period) as usize % 2 == 1;
                match which {
                    0 | 1 => {
                        let chi = if which == 0 { 1.3 } else { 0.7 };
                        // The peaks' power is what it was: relative to the line it is another.
                        let bumps = line.bumps.iter().map(|b| {
                            let over = 10f64.powf(b.height_log10) - 1.0;
                            let ratio = b.centre_hz.powf(chi - 1.0) * 12f64.powf(1.0 - chi);
                            Bump { height_log10: (1.0 + over * ratio).log10(), ..*b }
                        });
                        let mut other = Density::line(chi, bumps.collect());
                        other.level *= 12f64.powf(chi - 1.0);
                        let y = other.series(samples, draw);
                        mix(&mut x, &y, on);
                        let truth = move |w: usize| if on(w as f64 * 4.0 + 2.0) { chi } else { 1.0 };
                        return (x, Box::new(truth) as Box<dyn Fn(usize) -> f64>);
                    }
                    2 | 3 => {
                        let (alpha, theta) = (line.bumps[0], line.bumps[1]);
                        x = Density::line(1.0, vec![theta]).series(samples, draw);
                        let alone = |f| line.aperiodic(alpha.centre_hz) * alpha.over(f, Shape::Gauss);
                        let y = signal::gaussian(samples, draw, alone);
                        let gate = move |s: f64| {
                            if which == 3 { !on(s) } else { ((s / 0.6) as usize * 7919) % 10 < 3 }
                        };
                        for (n, (x, y)) in x.iter_mut().zip(y).enumerate() {
                            *x += if gate(n as f64 / RATE_HZ) { y } else { 0.0 };
                        }
                    }
                    4 => {
                        for (n, x) in x.iter_mut().enumerate() {
                            *x += 15.0 * (std::f64::consts::TAU * 10.03 * n as f64 / RATE_HZ).sin();
                        }
                    }
                    9 | 10 => {
                        let drift = if which == 9 { 0.02 } else { 0.05 };
                        let (x, path) = signal::wandering(&line, drift, samples, draw);
                        let truth = move |w: usize| path[((w as f64 + 0.5) * 4.0 * RATE_HZ) as usize];
                        return (x, Box::new(truth) as Box<dyn Fn(usize) -> f64>);
                    }
                    _ => {}
                }
                (x, Box::new(|_| 1.0))
            });
        }
    }

    /// Exponents that wander, followed over windows of 4 s every second: coverage of the tracker's interval over the
    /// exponent at the window's end, and its error, where a drift is believed and where it is learnt.
    fn tracking(&self) {
        println!("\nTracking, windows of 4 s every second, {} sessions x {} s", self.draws, 4 * self.per);
        println!("{:40} believed 0.02: cover    rms   learnt: cover    rms  mean sd", "drift a root second");
        let range = [2.0, 35.0];
        let settings =
            Settings { line_hz: 0.0, ..Settings::for_windows(MethodName::Whittle, 4.0, 1.0, range) };
        for drift in [0.0, 0.02, 0.05, 0.1] {
            let mut estimator = estimator(&settings);
            let (mut total, mut hits, mut squares, mut sd) = (0.0, [0.0; 2], [0.0; 2], 0.0);
            for d in 0..self.draws {
                let mut draw = Draw::new(self.seed * 3_000_017 + d * 101);
                let line = Density::line(1.0, signal::peaks(2, 1.0, &mut draw));
                let samples = ((WARM_S + 4.0 * self.per as f64) * RATE_HZ) as usize;
                let (x, path) = signal::wandering(&line, drift, samples, &mut draw);
                let mut followers = [Drift::Believed(0.02), Drift::Learnt]
                    .map(|drift| Follower::new(drift, 4.0, 1.0, (range[0], range[1])));
                for (estimate, _) in run(&mut estimator, &x) {
                    let fit = estimate.fit;
                    let measured = fit.invalid.is_none().then_some((fit.exponent, fit.exponent_se));
                    let at_s = estimate.stamp_s;
                    let found = followers.each_mut().map(|follower| follower.step(at_s, measured));
                    let truth = path[(at_s * RATE_HZ) as usize];
                    let [Some(believed), Some(learnt)] = found else { continue };
                    if at_s > WARM_S {
                        total += 1.0;
                        sd += learnt.sd;
                        for ((hits, square), found) in
                            hits.iter_mut().zip(&mut squares).zip([believed, learnt])
                        {
                            let error = found.exponent - truth;
                            *hits += f64::from(error.abs() <= 1.96 * found.sd);
                            *square += error * error;
                        }
                    }
                }
            }
            println!(
                "{drift:<40} {:19.1} {:6.3} {:15.1} {:6.3} {:8.3}",
                100.0 * hits[0] / total,
                (squares[0] / total).sqrt(),
                100.0 * hits[1] / total,
                (squares[1] / total).sqrt(),
                sd / total
            );
        }
    }

    fn artefacts(&self) {
        self.head("Artefacts, alpha and theta");
        let kinds = [
            ("nothing", None),
            ("blinks of 40..60 uV", Some(Artefact::Blinks(40.0, 60.0))),
            ("blinks of 60..100 uV", Some(Artefact::Blinks(60.0, 100.0))),
            ("blinks of 100..200 uV", Some(Artefact::Blinks(100.0, 200.0))),
            ("saccades of 20..50 uV", Some(Artefact::Saccades(20.0, 50.0))),
            ("muscle bursts of 10..20 uV", Some(Artefact::Muscle(10.0, 20.0))),
            ("sweat of 50 uV", Some(Artefact::Sweat(50.0))),
        ];
        for &range in &self.ranges {
            for &window_s in &self.windows {
                let settings = self.settings(window_s, range);
                for chi in self.chis(&[1.0, 2.0]) {
                    for (name, kind) in kinds {
                        let name =
                            format!("{}..{} Hz, {window_s} s, exponent {chi}, {name}", range[0], range[1]);
                        self.row(&name, &settings, |draw, samples| {
                            let density = Density::line(chi, signal::peaks(2, 1.0, draw));
                            let mut x = density.series(samples, draw);
                            if let Some(kind) = kind {
                                signal::spoil(&mut x, kind, draw);
                            }
                            (x, Box::new(move |_| chi))
                        });
                    }
                }
            }
        }
    }
}

/// Draws a knee, a floor and blinks, each with its fits, into `folder`: the last minute of a session of two.
#[allow(clippy::disallowed_methods, reason = "a bench writes its pictures")]
fn pictures(options: &Options, folder: &str) {
    use picture::{Curve, fitted, spectrum, svg};
    let base = options.settings(16.0, [2.0, 35.0]);
    let freqs_hz: Vec<f64> = (4..=80).map(|k| f64::from(k) * 0.5).collect();
    let fine: Vec<f64> = (8..=160).map(|k| f64::from(k) * 0.25).collect();
    let bumps = vec![
        Bump { centre_hz: 10.0, sigma_hz: 1.2, height_log10: 0.7 },
        Bump { centre_hz: 6.0, sigma_hz: 0.7, height_log10: 0.4 },
    ];
    let line = Density::line(2.0, bumps);
    let knee = Density { knee_hz: 6.0, ..line.clone() };
    let floor = Density { floor_uv: 1.0, ..line.clone() };
    let steer = Settings { bent: tras_estimator::settings::Bent::Steer, ..base.clone() };
    let kinds = [
        ("knee", "Exponent 2 with a knee at 6 Hz", &knee, steer.clone(), "straight line"),
        (
            "floor",
            "Exponent 2 over white noise of 1 uV",
            &floor,
            Settings { floor: Floor::None, ..base.clone() },
            "without a floor",
        ),
        (
            "blink",
            "Exponent 2, blinks of 100 to 200 uV",
            &line,
            Settings { min_segments_share: 0.0, ..base.clone() },
            "",
        ),
    ];
    for (name, title, density, other, words) in kinds {
        let mut draw = Draw::new(options.seed * 31);
        let clean = density.series((120.0 * RATE_HZ) as usize, &mut draw);
        let mut x = clean.clone();
        let own = if name == "knee" { Settings { mode: Mode::Knee, ..steer.clone() } } else { base.clone() };
        if name == "blink" {
            signal::spoil(&mut x, Artefact::Blinks(100.0, 200.0), &mut draw);
        }
        let fit_of = |settings: &Settings| run(&mut estimator(settings), &x).last().unwrap().0.fit;
        let minute = |x: &[f64]| spectrum(&x[x.len() / 2..], &freqs_hz);
        let seen = Curve { name: "spectrum of the minute".into(), points: minute(&x), dashed: false };
        let mut curves = vec![seen, Curve::of("truth", true, &fine, |f| density.at(f))];
        let fit = fit_of(&own);
        println!("{name}: {fit:?}");
        let told = format!("fit of its last 16 s: {:.2} ± {:.2}", fit.exponent, fit.exponent_se);
        curves.push(Curve::of(&told, false, &fine, |f| fitted(&fit, f)));
        if name == "blink" {
            curves.push(Curve {
                name: "spectrum without the blinks".into(),
                points: minute(&clean),
                dashed: true,
            });
        } else {
            let fit = fit_of(&other);
            println!("{name}, {words}: {fit:?}");
            let told = format!("{words}: {:.2} ± {:.2}", fit.exponent, fit.exponent_se);
            curves.push(Curve::of(&told, true, &fine, |f| fitted(&fit, f)));
        }
        std::fs::write(format!("{folder}/{name}.svg"), svg(title, &curves)).unwrap();
    }
}

/// `y` in place of `x` while `on`.
fn mix(x: &mut [f64], y: &[f64], on: impl Fn(f64) -> bool) {
    for (n, (x, y)) in x.iter_mut().zip(y).enumerate() {
        if on(n as f64 / RATE_HZ) {
            *x = *y;
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let get = |name: &str, default: &str| after(name).cloned().unwrap_or(default.to_owned());
    let list = |s: &str| s.split(',').map(|v| v.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let range = |text: &str| {
        let (low, high) = text.split_once('-').unwrap();
        [low.parse().unwrap(), high.parse().unwrap()]
    };
    let options = Options {
        draws: get("--draws", "25").parse().unwrap(),
        per: get("--per", "60").parse().unwrap(),
        seed: get("--seed", "1").parse().unwrap(),
        windows: list(&get("--windows", "4")),
        ranges: get("--ranges", "2-35").split(',').map(range).collect(),
        chis: after("--chi").map(|text| list(text)),
        sets: list(&get("--sets", "0,1,2,3")).iter().map(|set| *set as usize).collect(),
        memory_s: get("--memory", "60").parse().unwrap(),
        segment: after("--segment")
            .map(|text| (text.parse().unwrap(), get("--overlap", "0.5").parse().unwrap())),
        specparam: args.iter().any(|a| a == "--specparam"),
        only: get("--only", ""),
    };
    if let Some(folder) = after("--pictures") {
        pictures(&options, folder);
        return;
    }
    let tables = ["straight", "artefacts", "power", "knees", "floors", "special", "tracking"];
    let named = |table: &str| args.iter().any(|a| a == table);
    let all = !tables.iter().any(|table| named(table));
    if all || named("straight") {
        options.straight();
    }
    if all || named("artefacts") {
        options.artefacts();
    }
    if all || named("power") {
        options.power();
    }
    if all || named("knees") {
        options.knees();
    }
    if all || named("floors") {
        options.floors();
    }
    if all || named("tracking") {
        options.tracking();
    }
    if all || named("special") {
        options.special();
    }
}

//! Signals of a known spectrum, and what spoils them. Shares no code with the estimator: the transform is this
//! file's own, densities are written down as they are, nothing is smeared or tabulated.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

pub(crate) const RATE_HZ: f64 = 250.0;
/// Power of every line at 1 Hz, in uV^2/Hz: about 7 uV of EEG at exponent 1, 10 uV at exponent 2.
pub(crate) const LEVEL: f64 = 10.0;

pub(crate) struct Draw(pub ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0.random_range(low..high)
    }

    pub(crate) fn sign(&mut self) -> f64 {
        if self.0.random_range(0.0..1.0) < 0.5 { -1.0 } else { 1.0 }
    }
}

/// A peak of the simulated signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bump {
    pub centre_hz: f64,
    pub sigma_hz: f64,
    pub height_log10: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Shape {
    Gauss,
    LogGauss,
    Lorentz,
}

impl Bump {
    /// Power over the line's power at the centre, at frequency `f`.
    pub(crate) fn over(&self, f: f64, shape: Shape) -> f64 {
        let z = (f - self.centre_hz) / self.sigma_hz;
        let height = 10f64.powf(self.height_log10) - 1.0;
        match shape {
            // Half width at half maximum of the Gaussian.
            Shape::Lorentz => height / (1.0 + (z / 1.177).powi(2)),
            Shape::Gauss | Shape::LogGauss => height * (-0.5 * z * z).exp(),
        }
    }
}

/// The names of the peak sets that [`peaks`] draws.
pub(crate) const PEAK_SETS: [&str; 4] = ["none", "alpha", "alpha+theta", "alpha+theta+beta"];

/// Peaks drawn at random: none, alpha, alpha and theta, or those and beta.
pub(crate) fn peaks(set: usize, widest_theta_hz: f64, draw: &mut Draw) -> Vec<Bump> {
    let limits = [(8.0, 13.0, 2.0), (4.0, 7.0, widest_theta_hz), (15.0, 28.0, 2.0)];
    let one = |&(low, high, widest): &(f64, f64, f64)| Bump {
        centre_hz: draw.between(low, high),
        sigma_hz: draw.between(0.5, widest),
        height_log10: draw.between(0.3, 1.0),
    };
    limits.iter().take(set).map(one).collect()
}

/// The density that a signal is drawn from, in uV^2/Hz.
#[derive(Clone, Debug)]
pub(crate) struct Density {
    pub chi: f64,
    /// Power of the line at 1 Hz.
    pub level: f64,
    /// 0: none.
    pub knee_hz: f64,
    /// White noise in uV (root mean square over the whole band).
    pub floor_uv: f64,
    /// Continuous muscle of 20..100 Hz, in uV.
    pub muscle_uv: f64,
    pub bumps: Vec<Bump>,
    pub shape: Shape,
}

impl Density {
    pub(crate) fn line(chi: f64, bumps: Vec<Bump>) -> Self {
        Self { chi, level: LEVEL, knee_hz: 0.0, floor_uv: 0.0, muscle_uv: 0.0, bumps, shape: Shape::Gauss }
    }

    /// The aperiodic part alone; with a knee it meets the straight line far above it.
    pub(crate) fn aperiodic(&self, f: f64) -> f64 {
        let f = f.max(0.1);
        let bent = if self.knee_hz > 0.0 { 1.0 + (self.knee_hz / f).powf(self.chi) } else { 1.0 };
        self.level * f.powf(-self.chi) / bent
    }

    pub(crate) fn at(&self, f: f64) -> f64 {
        let line = self.aperiodic(f);
        let mut total = line + self.floor_uv.powi(2) / (RATE_HZ / 2.0);
        if (20.0..100.0).contains(&f) {
            total += self.muscle_uv.powi(2) / 80.0;
        }
        for bump in &self.bumps {
            total += match self.shape {
                Shape::LogGauss => {
                    line * (10f64.powf(
                        bump.height_log10 * (-0.5 * ((f - bump.centre_hz) / bump.sigma_hz).powi(2)).exp(),
                    ) - 1.0)
                }
                shape => self.aperiodic(bump.centre_hz) * bump.over(f, shape),
            };
        }
        total
    }

    /// A Gaussian series with this density.
    pub(crate) fn series(&self, samples: usize, draw: &mut Draw) -> Vec<f64> {
        gaussian(samples, draw, |f| self.at(f))
    }
}

/// A Gaussian series of a one-sided density.
pub(crate) fn gaussian(samples: usize, draw: &mut Draw, density: impl Fn(f64) -> f64) -> Vec<f64> {
    // Twice as long as asked: the series is periodic, and its ends would meet.
    let n = (samples + 1).next_power_of_two();
    let (mut re, mut im) = (vec![0.0; n], vec![0.0; n]);
    for i in 1..n / 2 {
        let scale = (density(i as f64 * RATE_HZ / n as f64) * RATE_HZ / (4.0 * n as f64)).sqrt();
        (re[i], im[i]) = (scale * draw.normal(), scale * draw.normal());
        (re[n - i], im[n - i]) = (re[i], -im[i]);
    }
    transform(&mut re, &mut im);
    re.truncate(samples);
    re
}

/// The textbook's transform (Cooley and Tukey 1965), unscaled.
fn transform(re: &mut [f64], im: &mut [f64]) {
    let n = re.len();
    let mut j = 0;
    for i in 1..n {
        let mut bit = n >> 1;
        while j & bit != 0 {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut len = 2;
    while len <= n {
        let turn = std::f64::consts::TAU / len as f64;
        let twiddles: Vec<(f64, f64)> = (0..len / 2).map(|k| (turn * k as f64).sin_cos()).collect();
        for start in (0..n).step_by(len) {
            for (k, &(s, c)) in twiddles.iter().enumerate() {
                let (a, b) = (start + k, start + k + len / 2);
                let (x, y) = (re[b] * c - im[b] * s, re[b] * s + im[b] * c);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        len *= 2;
    }
}

/// A signal of `line`'s peaks whose exponent wanders by `drift` a root second around 1, in pieces of a second that are
/// faded into each other; and its path. The line turns around 12 Hz.
pub(crate) fn wandering(line: &Density, drift: f64, samples: usize, draw: &mut Draw) -> (Vec<f64>, Vec<f64>) {
    let second = RATE_HZ as usize;
    let pieces = samples / second + 2;
    let mut chi = 1.0;
    let mut path = Vec::new();
    for _ in 0..pieces {
        path.push(chi);
        // Turned back where the lines below end.
        chi += drift * draw.normal();
        chi = if chi < 0.0 { -chi } else { 2.0 - (2.0 - chi).abs() };
    }
    let mut x = vec![0.0; samples];
    // One white signal, shaped anew each second: sixteen lines that are mixed by how near they are.
    let grid: Vec<f64> = (0..=24).map(|i| -0.2 + 0.1 * f64::from(i)).collect();
    let seed = draw.normal().to_bits();
    let lines: Vec<Vec<f64>> = grid
        .iter()
        .map(|&chi| {
            let level = line.level * 12f64.powf(chi - 1.0);
            let shaped = Density { chi, level, bumps: Vec::new(), ..line.clone() };
            gaussian(samples, &mut Draw::new(seed), |f| shaped.at(f))
        })
        .collect();
    let bumps = gaussian(samples, draw, |f| {
        line.bumps.iter().map(|b| line.aperiodic(b.centre_hz) * b.over(f, Shape::Gauss)).sum()
    });
    let fine: Vec<f64> = (0..samples)
        .map(|n| {
            let (at, share) = (n / second, (n % second) as f64 / RATE_HZ);
            path[at] + share * (path[at + 1] - path[at])
        })
        .collect();
    for (n, x) in x.iter_mut().enumerate() {
        let place = ((fine[n] + 0.2) / 0.1).clamp(0.0, 23.999);
        let (at, share) = (place as usize, place.fract());
        *x = lines[at][n] * (1.0 - share) + lines[at + 1][n] * share + bumps[n];
    }
    (x, fine)
}

/// What is no EEG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Artefact {
    /// Half a sine of 0.25..0.4 s, of so many uV, every 3..5 s.
    Blinks(f64, f64),
    /// The eye's potential jumps within 40 ms by so many uV and comes back with a time constant of 1 s (the
    /// amplifier's), every 3..5 s.
    Saccades(f64, f64),
    /// 20..100 Hz for 0.3..1 s, of so many uV, every 4..6 s.
    Muscle(f64, f64),
    /// Waves of 0.05..0.3 Hz.
    Sweat(f64),
}

/// Adds what `kind` is to `x`; returns the share of the time that it spoils.
pub(crate) fn spoil(x: &mut [f64], kind: Artefact, draw: &mut Draw) -> f64 {
    let len = x.len();
    let samples = |seconds: f64| (seconds * RATE_HZ) as usize;
    let mut spoilt = 0;
    let (apart, low, high) = match kind {
        Artefact::Blinks(low, high) | Artefact::Saccades(low, high) => ((3.0, 5.0), low, high),
        Artefact::Muscle(low, high) => ((4.0, 6.0), low, high),
        Artefact::Sweat(size_uv) => {
            let wave =
                gaussian(len, draw, |f| if (0.05..0.3).contains(&f) { size_uv.powi(2) / 0.25 } else { 0.0 });
            x.iter_mut().zip(wave).for_each(|(x, w)| *x += w);
            return 0.0;
        }
    };
    let mut at = samples(draw.between(0.0, apart.1));
    while at < len {
        let size = if high > low { draw.between(low, high) } else { low };
        match kind {
            Artefact::Blinks(..) => {
                let long = samples(draw.between(0.25, 0.4));
                for (n, x) in x.iter_mut().skip(at).take(long).enumerate() {
                    *x += size * (std::f64::consts::PI * n as f64 / long as f64).sin();
                }
                spoilt += long;
            }
            Artefact::Saccades(..) => {
                let sign = draw.sign();
                for (n, x) in x.iter_mut().skip(at).take(samples(6.0)).enumerate() {
                    let t = n as f64 / RATE_HZ;
                    *x += sign * size * (t / 0.04).min(1.0) * (-t / 1.0).exp();
                }
                spoilt += samples(0.1);
            }
            Artefact::Muscle(..) => {
                let long = samples(draw.between(0.3, 1.0));
                let burst =
                    gaussian(
                        long,
                        draw,
                        |f| if (20.0..100.0).contains(&f) { size.powi(2) / 80.0 } else { 0.0 },
                    );
                x.iter_mut().skip(at).zip(burst).for_each(|(x, b)| *x += b);
                spoilt += long;
            }
            Artefact::Sweat(_) => {}
        }
        at += samples(draw.between(apart.0, apart.1));
    }
    spoilt as f64 / len as f64
}

//! A head with a current through it: EEG of known exponent, and a path from current to amplifier with what real ones
//! have. Shares no code with the estimator. Analogue parts run at the current's 2,000 samples/s.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::f64::consts::PI;
use tras_fft::Complex;

pub(crate) const CURRENT_HZ: f64 = 2000.0;

/// What is in the way from current to EEG.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub seconds: f64,
    pub eeg_hz: f64,
    pub eeg_exponent: f64,
    /// Centre Hz, sd Hz, log10 height.
    pub peaks: Vec<(f64, f64, f64)>,
    pub current_exponent: f64,
    /// RMS of the artefact at full current, in uV.
    pub artefact_uv: f64,
    /// The amplifier's high-pass: corner Hz and order.
    pub highpass: (f64, u32),
    /// Share of the artefact, third order.
    pub cubic: f64,
    /// Depth of heart and breath in the path's gain.
    pub modulation: f64,
    /// Gain walk per sqrt(s).
    pub walk: f64,
    pub ppm: f64,
    /// The clocks' difference wanders by this over a second, in ppm.
    pub wander_ppm: f64,
    /// Least step of the amplifier, in uV; 0 for none.
    pub step_uv: f64,
    /// The amplifier's end, in uV.
    pub range_uv: f64,
    pub delay_s: f64,
    /// Alpha and theta that come in bursts, and blinks, as in a head that is awake.
    pub lively: bool,
    /// Share of the voltage that charges at 5 Hz.
    pub charges: f64,
    pub seed: u64,
    /// Of the EEG, where it is another channel's under the same current.
    pub eeg_seed: Option<u64>,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            seconds: 130.0,
            eeg_hz: 250.0,
            eeg_exponent: 1.2,
            peaks: vec![],
            current_exponent: 2.0,
            artefact_uv: 1000.0,
            highpass: (0.1, 1),
            cubic: 0.0,
            modulation: 0.0,
            walk: 0.0,
            ppm: 20.0,
            wander_ppm: 0.2,
            step_uv: 0.02,
            range_uv: 400_000.0,
            delay_s: 0.0137,
            lively: false,
            charges: 0.3,
            seed: 1,
            eeg_seed: None,
        }
    }
}

/// One channel's signals.
pub(crate) struct Signals {
    /// The EEG alone, through the amplifier.
    pub eeg_uv: Vec<f64>,
    /// With the artefact, as recorded.
    pub recorded_uv: Vec<f64>,
    /// The current as delivered, in mA at [`CURRENT_HZ`], from `quiet_s` before the burst.
    pub current_ma: Vec<f32>,
}

/// Seconds without current at the start.
pub(crate) const QUIET_S: f64 = 5.0;
/// Ramp up, in s.
pub(crate) const RAMP_S: f64 = 10.0;

fn synth(n: usize, rate: f64, rng: &mut ChaCha8Rng, density: impl Fn(f64) -> f64) -> Vec<f64> {
    let inverse = tras_fft::real_inverse(n);
    let mut spectrum = inverse.make_input_vec();
    let len = spectrum.len();
    for (k, bin) in spectrum.iter_mut().enumerate() {
        let f = k as f64 * rate / n as f64;
        let sd = if k == 0 || k + 1 == len { 0.0 } else { density(f).sqrt() };
        let (a, b): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
        *bin = Complex::new(a * sd, b * sd);
    }
    let mut out = inverse.make_output_vec();
    if inverse.process(&mut spectrum, &mut out).is_err() {
        out.fill(0.0);
    }
    out
}

fn scale_to(x: &mut [f64], sd: f64) {
    let rms = (x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64).sqrt();
    x.iter_mut().for_each(|v| *v *= sd / rms);
}

/// First-order high-pass (bilinear), in place, `order` times.
pub(crate) fn highpass(x: &mut [f64], rate: f64, corner: f64, order: u32) {
    for _ in 0..order {
        let k = (PI * corner / rate).tan();
        let (b, a) = (1.0 / (1.0 + k), (k - 1.0) / (k + 1.0));
        let (mut last_x, mut last_y) = (0.0, 0.0);
        for v in x.iter_mut() {
            let y = b * (*v - last_x) - a * last_y;
            (last_x, last_y) = (*v, y);
            *v = y;
        }
    }
}

/// First-order low-pass, in place.
pub(crate) fn lowpass(x: &mut [f64], rate: f64, corner: f64) {
    let share = 1.0 - (-2.0 * PI * corner / rate).exp();
    let mut y = 0.0;
    for v in x.iter_mut() {
        y += share * (*v - y);
        *v = y;
    }
}

/// Butterworth of order 8 (bilinear), in place: not even as steep as an amplifier that oversamples.
pub(crate) fn antialias(x: &mut [f64], rate: f64, corner: f64) {
    for q in [0.509_795_6, 0.601_344_9, 0.899_976_2, 2.562_915_4] {
        let w = 2.0 * PI * corner / rate;
        let (sin, cos) = w.sin_cos();
        let alpha = sin / (2.0 * q);
        let a0 = 1.0 + alpha;
        let (b0, b1) = ((1.0 - cos) / 2.0 / a0, (1.0 - cos) / a0);
        let (a1, a2) = (-2.0 * cos / a0, (1.0 - alpha) / a0);
        let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
        for v in x.iter_mut() {
            let y = b0 * *v + b1 * x1 + b0 * x2 - a1 * y1 - a2 * y2;
            (x2, x1, y2, y1) = (x1, *v, y1, y);
            *v = y;
        }
    }
}

/// Band-limited interpolation, 48 taps.
pub(crate) fn at(x: &[f64], position: f64) -> f64 {
    let whole = position.floor();
    let mut sum = 0.0;
    for k in -23..=24i64 {
        let index = whole as i64 + k;
        if index < 0 || index as usize >= x.len() {
            continue;
        }
        let d = position - index as f64;
        let window = (PI * d / 50.0).cos().powi(2);
        let sinc = if d.abs() < 1e-9 { 1.0 } else { (PI * d).sin() / (PI * d) };
        sum += x[index as usize] * sinc * window;
    }
    sum
}

impl Head {
    /// Bursts of alpha (8 uV while they last) and theta (4 uV), and twelve blinks of 60 uV a minute.
    fn enliven(&self, eeg_uv: &mut [f64], rng: &mut ChaCha8Rng) {
        for (hz, sd_hz, uv) in [(10.0, 0.8, 8.0), (6.0, 0.8, 4.0)] {
            let mut rhythm = synth(eeg_uv.len().next_power_of_two(), self.eeg_hz, rng, |f| {
                (-((f - hz) / sd_hz).powi(2) / 2.0).exp()
            });
            scale_to(&mut rhythm, uv);
            let (mut on, mut left) = (false, 0.0);
            for (x, r) in eeg_uv.iter_mut().zip(rhythm) {
                if left <= 0.0 {
                    on = !on;
                    let uniform: f64 = rng.random();
                    left = -(1.0 - uniform).ln() * self.eeg_hz;
                }
                left -= 1.0;
                *x += if on { r } else { 0.0 };
            }
        }
        let mut at = 0.0;
        loop {
            let uniform: f64 = rng.random();
            at += -(1.0 - uniform).ln() * 5.0 * self.eeg_hz;
            let length = 0.3 * self.eeg_hz;
            if at + length >= eeg_uv.len() as f64 {
                return;
            }
            for k in 0..length as usize {
                let phase = (k as f64 / length).powf(0.7);
                eeg_uv[at as usize + k] += 60.0 * (0.5 - 0.5 * (2.0 * PI * phase).cos());
            }
        }
    }

    pub(crate) fn signals(&self) -> Signals {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let n_eeg = (self.seconds * self.eeg_hz) as usize;
        let n_current = ((self.seconds + 2.0) * CURRENT_HZ) as usize;
        let chi = self.current_exponent;
        let mut noise = synth(n_current.next_power_of_two(), CURRENT_HZ, &mut rng, |f| {
            if (0.5..=100.0).contains(&f) { f.powf(-chi) } else { 0.0 }
        });
        noise.truncate(n_current);
        scale_to(&mut noise, 0.5 / 3.0);
        let mut current: Vec<f64> = noise.iter().map(|x| x.clamp(-0.5, 0.5)).collect();
        for (n, x) in current.iter_mut().enumerate() {
            let t = n as f64 / CURRENT_HZ - QUIET_S;
            *x *= if t <= 0.0 {
                0.0
            } else if t < RAMP_S {
                0.5 - 0.5 * (PI * t / RAMP_S).cos()
            } else {
                1.0
            };
        }
        let current_ma: Vec<f32> = current.iter().map(|x| *x as f32).collect();

        // Skin and electrodes: a part that charges, slow (5 Hz) and slower (0.3 Hz).
        let mut path: Vec<f64> = current_ma.iter().map(|x| f64::from(*x)).collect();
        let (mut charged, mut slow) = (path.clone(), path.clone());
        lowpass(&mut charged, CURRENT_HZ, 5.0);
        lowpass(&mut slow, CURRENT_HZ, 0.3);
        for ((x, c), s) in path.iter_mut().zip(&charged).zip(&slow) {
            *x += self.charges * c + 0.1 * s;
        }
        // In units of the artefact at full current.
        let full = path.iter().skip(((QUIET_S + RAMP_S) * CURRENT_HZ) as usize);
        let rms = (full.clone().map(|x| x * x).sum::<f64>() / full.count() as f64).sqrt();
        let (mut gain, mut heart) = (1.0, 0.0);
        for (n, x) in path.iter_mut().enumerate() {
            let t = n as f64 / CURRENT_HZ;
            let wander: f64 = rng.sample(StandardNormal);
            gain += self.walk * wander / CURRENT_HZ.sqrt();
            heart += (1.0 + 0.05 * (0.7 * t).sin()) / 0.9 / CURRENT_HZ;
            let beat = (-((heart % 1.0) - 0.3).powi(2) / 0.01).exp();
            let m = self.modulation * (beat - 0.177 + 0.5 * (2.0 * PI * t / 4.0).sin());
            let a = *x / rms * (gain + m);
            *x = self.artefact_uv * (a + self.cubic * (a.powi(3) - 3.0 * a));
        }
        if self.highpass.0 > 0.0 {
            highpass(&mut path, CURRENT_HZ, self.highpass.0, self.highpass.1);
        }
        antialias(&mut path, CURRENT_HZ, 0.35 * self.eeg_hz.min(1000.0));

        let chi = self.eeg_exponent;
        let peaks = self.peaks.clone();
        if let Some(seed) = self.eeg_seed {
            rng = ChaCha8Rng::seed_from_u64(seed);
        }
        let mut eeg_uv = synth(n_eeg.next_power_of_two(), self.eeg_hz, &mut rng, |f| {
            let line = |f: f64| f.max(0.3).powf(-chi);
            let bump = |(c, sd, h): &(f64, f64, f64)| {
                (10f64.powf(*h) - 1.0) * line(*c) * (-(f - c).powi(2) / (2.0 * sd * sd)).exp()
            };
            line(f) + peaks.iter().map(bump).sum::<f64>()
        });
        eeg_uv.truncate(n_eeg);
        scale_to(&mut eeg_uv, 12.0);
        if self.lively {
            self.enliven(&mut eeg_uv, &mut rng);
        }
        if self.highpass.0 > 0.0 {
            highpass(&mut eeg_uv, self.eeg_hz, self.highpass.0, self.highpass.1);
        }
        let (mut position, mut ppm) = (0.0, self.ppm);
        let recorded_uv = eeg_uv
            .iter()
            .map(|e| {
                let wander: f64 = rng.sample(StandardNormal);
                ppm += self.wander_ppm * wander / self.eeg_hz.sqrt();
                let artefact = at(&path, position - self.delay_s * CURRENT_HZ);
                position += CURRENT_HZ / self.eeg_hz * (1.0 + ppm * 1e-6);
                let y = (e + artefact).clamp(-self.range_uv, self.range_uv);
                if self.step_uv > 0.0 { (y / self.step_uv).round() * self.step_uv } else { y }
            })
            .collect();
        Signals { eeg_uv, recorded_uv, current_ma }
    }
}

//! A loop around a head that does not respond: a law, the noise that it shapes, a path from current to EEG, the removal and
//! its proof. What the removal takes out can be made wrong on purpose, so that the loop would steer on its own current.

use std::f64::consts::PI;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tras_estimator::frame::FrameHeader;
use tras_estimator::settings::{Floor, MethodName, Settings};
use tras_estimator::through_current::{Remover, Settings as RemoverSettings, Wrong};
use tras_estimator::window::{Estimator, RegionMean, Target};
use tras_estimator::{Contamination, assemble};
use tras_fft::Complex;
use tras_stimulation::controller::{Controller, ControllerSettings, Safe, adaptive::Adaptive};
use tras_stimulation::noise::{Noise, Parameters};

const EEG_HZ: f64 = 250.0;
const CURRENT_HZ: f64 = 2000.0;
const PER_FRAME: usize = 8;
const WINDOW_S: f64 = 4.0;
const HOP_S: f64 = 0.5;
const QUIET_S: f64 = 3.0;
const RAMP_S: f64 = 5.0;
/// The current is told so far ahead of the EEG's stamps, in s.
const AHEAD_S: f64 = 1.0;

/// One loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circle {
    pub(crate) seed: u64,
    /// Exponent of the EEG, which never changes.
    pub(crate) rest: f64,
    pub(crate) target: f64,
    /// Exponent of the current at first.
    pub(crate) start: f64,
    /// From when on what is removed is wrong, and how.
    pub(crate) wrong: (f64, Wrong),
    pub(crate) seconds: f64,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// End of each window, in s; its exponent; whether it was proven, and so steered.
    pub(crate) windows: Vec<(f64, f64, bool)>,
    /// The current's exponent at last, and what the same law would have come to on the same EEG without any current: noise
    /// moves an integral too.
    pub(crate) given: f64,
    pub(crate) given_alone: f64,
}

impl Outcome {
    /// From the moment that it went wrong, how long until a window was not proven, in s; `None`: never.
    pub(crate) fn seen_after_s(&self, wrong_s: f64) -> Option<f64> {
        let seen = self.windows.iter().find(|(at_s, _, proven)| *at_s >= wrong_s && !proven);
        seen.map(|(at_s, ..)| at_s - wrong_s)
    }

    /// Windows that ended in this time and were proven.
    pub(crate) fn proven(&self, from_s: f64, to_s: f64) -> usize {
        let within = self.windows.iter().filter(|(at_s, ..)| (from_s..to_s).contains(at_s));
        within.filter(|(_, _, proven)| *proven).count()
    }
}

/// Noise with power f^-exponent above 0.3 Hz, of this standard deviation, by its spectrum.
fn coloured(n: usize, exponent: f64, sd: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let inverse = tras_fft::real_inverse(n.next_power_of_two());
    let (mut spectrum, mut out) = (inverse.make_input_vec(), inverse.make_output_vec());
    let step_hz = EEG_HZ / out.len() as f64;
    for (k, bin) in spectrum.iter_mut().enumerate().skip(1) {
        let size = (k as f64 * step_hz).max(0.3).powf(-0.5 * exponent);
        let (a, b): (f64, f64) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
        *bin = Complex::new(a * size, b * size);
    }
    if let Some(last) = spectrum.last_mut() {
        last.im = 0.0;
    }
    inverse.process(&mut spectrum, &mut out).expect("lengths were planned together");
    out.truncate(n);
    let rms = (out.iter().map(|x| x * x).sum::<f64>() / n as f64).sqrt();
    out.iter_mut().for_each(|x| *x *= sd / rms);
    out
}

fn estimator(rate_hz: f64) -> Estimator {
    let settings = Settings {
        floor: Floor::None,
        line_hz: 0.0,
        ..Settings::for_windows(MethodName::Whittle, WINDOW_S, HOP_S, [2.0, 35.0])
    };
    let target = Target { name: "a".into(), channels: vec![0], mean: RegionMean::Spectra };
    let windows = assemble::estimator_settings(&settings, vec![target]);
    let method = assemble::method(&settings, &windows, rate_hz).expect("settings fit");
    Estimator::new(windows, rate_hz, 1, method).expect("settings fit")
}

impl Circle {
    /// Goes round until the end. `artefact_uv`: RMS at full current.
    pub(crate) fn run(&self, artefact_uv: f64) -> Outcome {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let frames = (self.seconds * EEG_HZ) as usize;
        let eeg_uv = coloured(frames, self.rest, 12.0, &mut rng);
        let mut remover = Remover::new(RemoverSettings::new(1, EEG_HZ, 35.0, CURRENT_HZ, WINDOW_S, HOP_S))
            .expect("settings fit");
        let mut estimator = estimator(remover.rate_hz());
        let parameters = Parameters { exponent: self.start, band_hz: (0.5, 100.0), peak_ma: 0.5 };
        let mut noise = Noise::new(&parameters, CURRENT_HZ, self.seed).expect("a noise");
        noise.set_slope(0.02);
        let bounds = ControllerSettings {
            start_exponent: self.start,
            min_exponent: 0.5,
            max_exponent: 2.5,
            peak_ma: 0.5,
            safe: Safe::Hold,
            safe_after_s: 30.0,
        };
        let law = || Controller::new(Box::new(Adaptive::new(self.target, 0.5, 0.3, bounds)), bounds);
        let (mut controller, mut controller_alone) = (law(), law());
        let (mut alone, mut newest_alone) = (self::estimator(EEG_HZ), None);
        let ahead = (AHEAD_S * CURRENT_HZ) as usize;
        // What flowed, by the current's own count, and what the electrodes see of it: a part charges.
        let (mut flowed, mut path, mut charged) = (Vec::new(), Vec::new(), 0.0);
        let mut block = [0f32; PER_FRAME];
        let mut told = 0;
        let mut outcome = Outcome::default();
        remover.quiet(1000.0 - 1.0 / CURRENT_HZ);
        for (frame, &brain_uv) in eeg_uv.iter().enumerate() {
            while flowed.len() < (frame + 1) * PER_FRAME + ahead {
                let t = flowed.len() as f64 / CURRENT_HZ - QUIET_S;
                noise.fill(&mut block);
                let on = if t <= 0.0 { 0.0 } else { 0.5 - 0.5 * (PI * (t / RAMP_S).min(1.0)).cos() };
                for x in block {
                    let ma = on as f32 * x;
                    flowed.push(ma);
                    charged += 0.0157 * (f64::from(ma) - charged);
                    path.push((f64::from(ma) + 0.3 * charged) * artefact_uv / 0.2);
                }
            }
            while told < (frame + 1) * PER_FRAME + ahead {
                remover.current(1000.0 + told as f64 / CURRENT_HZ, flowed[told], 0);
                told += 1;
            }
            // The EEG's sample is felt 9 samples of the current late.
            let artefact = (frame * PER_FRAME).checked_sub(9).map_or(0.0, |at| path[at]);
            let t = frame as f64 / EEG_HZ;
            if t >= self.wrong.0 {
                remover.spoil(self.wrong.1);
            }
            let stamp_s = 1000.0 + t;
            let header = FrameHeader { index: frame as u64, stamp_s, ..FrameHeader::default() };
            if alone.push(&header, &[brain_uv as f32], Contamination::Stimulating) {
                newest_alone = Some(alone.estimate(0, stamp_s));
            }
            remover.frame(&header, &[(brain_uv + artefact) as f32]);
            let mut cleaned = vec![];
            remover.poll(&mut |header, values| cleaned.push((*header, values[0])));
            for (header, value) in cleaned {
                if !estimator.push(&header, &[value], Contamination::Clean) {
                    continue;
                }
                let mut estimate = estimator.estimate(0, header.stamp_s);
                estimate.contamination = Contamination::Stimulating;
                let proven = estimate.fit.invalid.is_none() && remover.proof(&[0]).failed.is_none();
                // What the loop does with it: as the loop stage.
                if proven {
                    controller.observe_through(&estimate, stamp_s);
                    if let Some(estimate) = &newest_alone {
                        controller_alone.observe_through(estimate, stamp_s);
                    }
                }
                controller.pass_through(stamp_s);
                noise.set_exponent(controller.decision().exponent);
                outcome.windows.push((header.stamp_s - 1000.0, estimate.fit.exponent, proven));
            }
        }
        outcome.given = controller.decision().exponent;
        outcome.given_alone = controller_alone.decision().exponent;
        outcome
    }
}

//! The exponent by maximum likelihood, with peaks modelled and the tapers' smearing taken into account.
//!
//! In comes a [`Spectrum`] made as [`design::Design`] says; out goes the exponent with its standard error.
//! [`model`] holds the expected spectrum, [`scoring`] fits it, [`search`] looks for peaks, [`memory`] keeps where
//! earlier windows of the same target have shown them.

pub mod design;
pub mod memory;
mod misfit;
pub mod model;
pub mod scoring;
pub mod search;
mod start;
#[cfg(test)]
mod tests;

use design::Design;
use memory::Memory;
use model::Model;
use scoring::{Data, MAX_COMPONENTS, Parameters, Scratch};
use search::{Atoms, Belief, Step};

use super::spectrum::{Kind, LineNoise, SpectrumSettings};
use super::{Fit, Method, Peak, Peaks, Reason, Spectrum};

/// What the user decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Fit range in Hz.
    pub range_hz: (f64, f64),
    /// How far back the memory of peaks reaches, in seconds; 0 for none.
    pub memory_s: f64,
    /// From one window to the next, in seconds.
    pub hop_s: f64,
    /// Length of a window, in seconds.
    pub window_s: f64,
    /// Bins around the mains and its harmonics have no weight.
    pub line_noise: Option<LineNoise>,
    /// Peaks that one window may have beside those that the memory holds.
    pub max_new_peaks: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            range_hz: (2.0, 35.0),
            memory_s: 60.0,
            hop_s: 4.0,
            window_s: 4.0,
            line_noise: None,
            max_new_peaks: 4,
        }
    }
}

/// The spectra that serve the method best. Where windows do not overlap, each is one segment with tapers of 1 Hz half
/// bandwidth. Where they do, segments of 2 s, 0.5 s apart, are each transformed once and shared by all windows that
/// they lie in; the error is about 8 % larger.
#[must_use]
pub fn spectrum_settings(window_s: f64, hop_s: f64) -> SpectrumSettings {
    let (segment_s, overlap) =
        if hop_s >= window_s || window_s <= 2.0 { (window_s, 0.0) } else { (2.0, 0.75) };
    SpectrumSettings {
        kind: Kind::Multitaper { half_bandwidth_hz: 1.0_f64.max(1.5 / segment_s), tapers: None },
        segment_s,
        overlap,
        ..SpectrumSettings::default()
    }
}

/// The method.
#[derive(Debug)]
pub struct Whittle {
    settings: Settings,
    first_bin: usize,
    stride: usize,
    power: Vec<f64>,
    model: Model,
    atoms: Atoms,
    /// Weight of each bin for a whole window.
    weight: Vec<f64>,
    /// Covariance of relative power by lag for a whole window.
    covariance: Vec<f64>,
    scratch: Scratch,
    /// The window's weights and covariance, scaled to its segments.
    window_weight: Vec<f64>,
    window_covariance: Vec<f64>,
    steps: [Option<Step>; MAX_COMPONENTS + 1],
    memories: Vec<Memory>,
}

impl Whittle {
    /// For spectra made as `design` says on the grid `freqs_hz` (evenly spaced, DC may be the first) of
    /// `targets` channels or regions.
    #[must_use]
    pub fn new(settings: Settings, design: &Design, freqs_hz: &[f64], targets: usize) -> Self {
        let (low, high) = settings.range_hz;
        let first_bin = freqs_hz.iter().position(|&f| f >= low - 1e-9 && f > 0.0).unwrap_or(freqs_hz.len());
        // Bins half the tapers' half bandwidth apart hold all there is: the power in between is a sum of theirs.
        let half_bandwidth_hz = design.half_bandwidth_hz();
        let step_hz = match freqs_hz {
            [a, b, ..] => b - a,
            _ => 1.0,
        };
        let stride = ((0.5 * half_bandwidth_hz / step_hz + 1e-9) as usize).max(1);
        let bins: Vec<f64> = freqs_hz
            .iter()
            .skip(first_bin)
            .step_by(stride)
            .copied()
            .take_while(|&f| f <= high + 1e-9)
            .collect();
        let model = Model::new(design, &bins);
        let spacing_hz = step_hz * stride as f64;
        // Beyond twice the tapers' half bandwidth nothing is shared.
        let lags = (2.2 * half_bandwidth_hz / spacing_hz).ceil() as usize + 1;
        let covariance = design.bin_covariance(spacing_hz, lags.min(bins.len().max(1)), design.segments);
        let mut weight = start::bin_weights(&covariance, bins.len());
        for (weight, &freq_hz) in weight.iter_mut().zip(&bins) {
            if settings.line_noise.is_some_and(|noise| noise.covers(freq_hz)) {
                *weight = 0.0;
            }
        }
        let memories = (0..targets).map(|_| Memory::new(&settings, bins.len())).collect();
        Self {
            settings,
            first_bin,
            stride,
            power: vec![0.0; bins.len()],
            atoms: Atoms::new(&model),
            scratch: Scratch::new(&model),
            window_weight: weight.clone(),
            window_covariance: covariance.clone(),
            model,
            weight,
            covariance,
            steps: [None; MAX_COMPONENTS + 1],
            memories,
        }
    }

    /// The fit's own view of a window: [`Fit`] with what else is known.
    pub fn fit_window(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit {
        let n = self.weight.len();
        let bins = spectrum.power.iter().skip(self.first_bin).step_by(self.stride);
        let mut filled = 0;
        for (slot, power) in self.power.iter_mut().zip(bins) {
            *slot = *power;
            filled += 1;
        }
        let power = self.power.as_slice();
        let known = self.model.freqs_hz().first().zip(spectrum.freqs_hz.get(self.first_bin));
        if known.is_none_or(|(ours, theirs)| (ours - theirs).abs() > 1e-6 * ours) {
            return Fit::failed(Reason::BadSpectrum);
        }
        if n < 8 || filled < n || power.iter().any(|p| !p.is_finite() || *p <= 0.0) {
            return Fit::failed(Reason::BadSpectrum);
        }
        // Spoilt segments and a median leave less than a whole window, a region's mean may hold more.
        let share = spectrum.gamma_shape * self.covariance.first().copied().unwrap_or(1.0);
        if !(share > 0.0 && share.is_finite()) || spectrum.segments == 0 {
            return Fit::failed(Reason::TooFewSegments);
        }
        for (slot, weight) in self.window_weight.iter_mut().zip(&self.weight) {
            *slot = weight * share;
        }
        for (slot, covariance) in self.window_covariance.iter_mut().zip(&self.covariance) {
            *slot = covariance / share;
        }
        let data = Data { power, weight: &self.window_weight, covariance: &self.window_covariance };
        let mut start = start::least_squares(self.model.freqs_hz(), self.model.pivot_hz(), power);
        let memory = self.memories.get_mut(target);
        let learned = memory.as_ref().and_then(|m| m.learned());
        let (belief, more) = match learned {
            Some(learned) => {
                for component in learned.components() {
                    start.push(*component);
                }
                (
                    Belief { ln_odds: -3.0, least_gain: 2.0, ..WINDOW_BELIEF },
                    self.settings.max_new_peaks.min(1),
                )
            }
            None => (WINDOW_BELIEF, self.settings.max_new_peaks),
        };
        let count = self.atoms.search(
            &mut self.scratch,
            &self.model,
            &data,
            start,
            &belief,
            more.min(MAX_COMPONENTS - start.components().len()),
            ITERATIONS,
            &mut self.steps,
        );
        let Some(average) = average(self.steps.get(..count).unwrap_or_default()) else {
            return Fit::failed(Reason::NotConverged);
        };
        self.scratch.evaluate(&self.model, &data, &average.best);
        // What a learned peak's narrow priors hold is not fitted: of its three parameters its amplitude counts.
        let fitted = average.best.dimension() - 2 * start.components().len();
        let misfit = misfit::misfit(&self.scratch, &data, fitted);
        let (r_squared, mae) = misfit::r_squared_and_mae(&self.scratch);
        let mut bend = 0.0;
        if let Some(memory) = memory {
            memory.add(
                power,
                average.level,
                &mut self.scratch,
                &self.model,
                &mut self.atoms,
                &self.weight,
                &self.covariance,
                misfit > MISFIT_LIMIT,
            );
            bend = memory.bend();
        }
        let poor = misfit > MISFIT_LIMIT || bend.abs() > BEND_LIMIT;
        average.into_fit(&self.model, poor, r_squared, mae)
    }
}

/// What one window is believed to hold where nothing is remembered.
const WINDOW_BELIEF: Belief =
    Belief { ln_odds: 2.3, amplitude: 6.0, ln_sigma: 0.0, ln_sigma_sd: 0.35, least_gain: 0.8 };

/// Scoring steps of a window's fit; most need three to five.
const ITERATIONS: usize = 12;
/// Exponents that the tables hold, less a margin.
const EXPONENT_RANGE: (f64, f64) = (-1.4, 4.9);
/// Standard deviations by which the likelihood may miss what the model promises.
const MISFIT_LIMIT: f64 = 4.5;

/// Standard deviations of the minute's bend beyond which the line is not straight.
const BEND_LIMIT: f64 = 4.0;

/// The mean over the steps of a search.
struct Average {
    level: f64,
    chi: f64,
    chi_variance: f64,
    best: Parameters,
    last_step: f64,
}

fn average(steps: &[Option<Step>]) -> Option<Average> {
    let best = steps.iter().flatten().max_by(|a, b| a.ln_evidence.total_cmp(&b.ln_evidence))?;
    let (mut total, mut level, mut chi, mut square) = (0.0, 0.0, 0.0, 0.0);
    for step in steps.iter().flatten() {
        let weight = (step.ln_evidence - best.ln_evidence).exp();
        total += weight;
        let here = step.parameters.chi - step.bias[1];
        level += weight * (step.parameters.level - step.bias[0]);
        chi += weight * here;
        square += weight * (step.chi_variance + here * here);
    }
    let chi = chi / total;
    Some(Average {
        level: level / total,
        chi,
        chi_variance: square / total - chi * chi,
        best: best.parameters,
        last_step: best.last_step,
    })
}

impl Average {
    fn into_fit(self, model: &Model, poor: bool, r_squared: f64, mae: f64) -> Fit {
        let mut peaks = Peaks::default();
        for component in self.best.components() {
            let [amplitude, centre_hz, ln_sigma] = component.value;
            let line = (centre_hz / model.pivot_hz()).powf(-self.best.chi);
            if amplitude > 0.05 * line {
                peaks.push(Peak {
                    centre_hz,
                    power_log10: (1.0 + amplitude / line).log10(),
                    bandwidth_hz: 2.0 * ln_sigma.exp(),
                });
            }
        }
        peaks.sort();
        let (low, high) = EXPONENT_RANGE;
        let invalid = if !(self.chi.is_finite() && self.chi_variance.is_finite() && self.last_step < 0.05) {
            Some(Reason::NotConverged)
        } else if poor {
            Some(Reason::PoorFit)
        } else if self.chi <= low || self.chi >= high {
            Some(Reason::OutOfRange)
        } else {
            None
        };
        Fit {
            exponent: self.chi,
            exponent_se: self.chi_variance.sqrt(),
            offset: (self.level + self.chi * model.pivot_hz().ln()) / std::f64::consts::LN_10,
            knee: None,
            r_squared,
            mae,
            peaks,
            invalid,
        }
    }
}

impl Method for Whittle {
    fn name(&self) -> &'static str {
        "whittle"
    }

    fn fit(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit {
        self.fit_window(spectrum, target)
    }

    fn reset(&mut self) {
        for memory in &mut self.memories {
            memory.reset();
        }
    }
}

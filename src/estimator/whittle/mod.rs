//! The exponent by maximum likelihood, with peaks, a floor and a knee modelled and the tapers' smearing taken into
//! account.
//!
//! In comes a [`Spectrum`] made as [`design::Design`] says; out goes the exponent with its standard error.
//! [`model`] holds the expected spectrum, [`scoring`] fits it, [`search`] looks for peaks, [`memory`] keeps what
//! earlier windows of the same target have shown, [`dispersion`] how much more they differ than they should, and
//! [`report`] makes one answer of the fits of a window.

mod covariance;
pub mod design;
pub mod dispersion;
pub mod hypotheses;
pub mod linear;
pub mod memory;
mod misfit;
pub mod model;
pub mod parameters;
mod report;
pub mod scoring;
pub mod search;
mod start;
#[cfg(test)]
mod tests;

use design::Design;
use dispersion::Dispersion;
use hypotheses::{Tools, unknown_knee};
use memory::{Learned, Memory};
use model::Model;
use parameters::{MAX_COMPONENTS, Parameters};
use report::{Average, Context};
use scoring::{Data, Scratch};
use search::{Atoms, Belief, Start, Step};

use super::settings::{Bent, Mode};
use super::spectrum::LineNoise;
use super::{Fit, Method, Reason, Spectrum};

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
    /// Whether the line bends.
    pub mode: Mode,
    /// What becomes of a straight line's exponent where the spectrum bends.
    pub bent: Bent,
    /// Whether the minute is searched for a floor.
    pub floor: bool,
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
            mode: Mode::Fixed,
            bent: Bent::Hold,
            floor: true,
            line_noise: None,
            max_new_peaks: 4,
        }
    }
}

/// The method.
#[derive(Debug)]
pub struct Whittle {
    settings: Settings,
    sample_rate_hz: f64,
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
    work: Vec<f64>,
    memories: Vec<(Memory, Dispersion)>,
    remembers: bool,
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
        let fresh =
            |_| (Memory::new(&settings, bins.len()), Dispersion::new(settings.window_s, settings.hop_s));
        let memories = (0..targets).map(fresh).collect();
        Self {
            settings,
            sample_rate_hz: design.sample_rate_hz,
            first_bin,
            stride,
            power: vec![0.0; bins.len()],
            atoms: Atoms::new(&model),
            scratch: Scratch::new(&model),
            window_weight: weight.clone(),
            window_covariance: covariance.clone(),
            work: Vec::with_capacity(bins.len()),
            model,
            weight,
            covariance,
            steps: [None; MAX_COMPONENTS + 1],
            memories,
            remembers: true,
        }
    }

    /// Takes the window's bins and scales the weights to what it holds.
    fn take(&mut self, spectrum: &Spectrum<'_>) -> Result<(), Reason> {
        let n = self.weight.len();
        let bins = spectrum.power.iter().skip(self.first_bin).step_by(self.stride);
        let mut filled = 0;
        for (slot, power) in self.power.iter_mut().zip(bins) {
            *slot = *power;
            filled += 1;
        }
        let known = self.model.freqs_hz().first().zip(spectrum.freqs_hz.get(self.first_bin));
        if known.is_none_or(|(ours, theirs)| (ours - theirs).abs() > 1e-6 * ours) {
            return Err(Reason::BadSpectrum);
        }
        if n < 8 || filled < n || self.power.iter().any(|p| !p.is_finite() || *p <= 0.0) {
            return Err(Reason::BadSpectrum);
        }
        // Spoilt segments and a median leave less than a whole window, a region's mean may hold more.
        let share = spectrum.gamma_shape * self.covariance.first().copied().unwrap_or(1.0);
        if !(share > 0.0 && share.is_finite()) || spectrum.segments == 0 {
            return Err(Reason::TooFewSegments);
        }
        for (slot, weight) in self.window_weight.iter_mut().zip(&self.weight) {
            *slot = weight * share;
        }
        for (slot, covariance) in self.window_covariance.iter_mut().zip(&self.covariance) {
            *slot = covariance / share;
        }
        Ok(())
    }

    /// One account of the window: with the knee or without.
    fn account(&mut self, bent: bool, learned: Option<&Learned>) -> Option<Average> {
        let data =
            Data { power: &self.power, weight: &self.window_weight, covariance: &self.window_covariance };
        let line = start::least_squares(self.model.freqs_hz(), self.model.pivot_hz(), &self.power);
        let (start, belief, more) = match learned {
            Some(learned) => {
                let mut start = if bent { learned.bent } else { learned.straight };
                let level = line.level - start.floor.map_or(0.0, |floor| floor.value.ln_1p());
                let chi = if bent { start.chi } else { line.chi };
                (start.level, start.chi) = (level, chi);
                let belief = Belief { ln_odds: -3.0, least_gain: 2.0, ..WINDOW_BELIEF };
                (Start { parameters: start, ln_prior: 0.0 }, belief, self.settings.max_new_peaks.min(1))
            }
            None => {
                let (knee, ln_prior) = unknown_knee();
                let parameters = Parameters { knee: bent.then_some(knee), ..line };
                let ln_prior = if bent { ln_prior } else { 0.0 };
                (Start { parameters, ln_prior }, WINDOW_BELIEF, self.settings.max_new_peaks)
            }
        };
        let room = MAX_COMPONENTS - start.parameters.components().len();
        let count = self.atoms.search(
            &mut self.scratch,
            &self.model,
            &data,
            start,
            &belief,
            more.min(room),
            ITERATIONS,
            &mut self.steps,
        );
        Average::of(self.steps.get(..count).unwrap_or_default(), start.parameters.components().len())
    }

    /// The window by what the mode allows, and what is known of its bend: the evidence, and the exponent with it.
    fn weigh(&mut self, learned: Option<&Learned>) -> (Option<Average>, f64, f64) {
        let mode = self.settings.mode;
        let evidence = learned.map(|learned| learned.bend_evidence);
        // Where the minute is sure, the other account is not worth a fit.
        let wanted = |bent: bool| match (mode, evidence) {
            (Mode::Fixed, Some(_)) => !bent,
            (Mode::Knee, Some(_)) => bent,
            (Mode::Auto, Some(evidence)) => {
                if bent {
                    evidence > -SURE
                } else {
                    evidence < SURE
                }
            }
            // Nothing is remembered: the window itself must say.
            (_, None) => true,
        };
        let straight = if wanted(false) { self.account(false, learned) } else { None };
        let bent = if wanted(true) { self.account(true, learned) } else { None };
        let own = bent.as_ref().zip(straight.as_ref()).map(|(b, s)| b.ln_evidence - s.ln_evidence);
        let evidence = evidence.or(own).unwrap_or(f64::NAN);
        // A single window's evidence is judged as that of a shallow line: by chance it is larger.
        let bent_chi = learned.map_or(0.0, |learned| learned.bent.chi);
        let average = match mode {
            Mode::Fixed => straight,
            Mode::Knee => bent,
            Mode::Auto => match (straight, bent) {
                (Some(straight), Some(bent)) => Some(straight.mixed(bent, 1.0 / (1.0 + (-evidence).exp()))),
                (straight, bent) => straight.or(bent),
            },
        };
        (average, evidence, bent_chi)
    }

    /// The fit's own view of a window: [`Fit`] with what else is known.
    pub fn fit_window(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit {
        if let Err(reason) = self.take(spectrum) {
            return Fit::failed(reason);
        }
        let learned = self.memories.get(target).and_then(|(memory, _)| memory.learned().copied());
        let (average, bend_evidence, bent_chi) = self.weigh(learned.as_ref());
        let Some(average) = average else { return Fit::failed(Reason::NotConverged) };
        let data =
            Data { power: &self.power, weight: &self.window_weight, covariance: &self.window_covariance };
        self.scratch.evaluate(&self.model, &data, &average.best);
        let misfit = misfit::misfit(&self.scratch, &data, average.fitted());
        let context = Context {
            model: &self.model,
            settings: &self.settings,
            band_hz: 0.5 * self.sample_rate_hz,
            bend_evidence,
            bent_chi,
            poor: misfit > MISFIT_LIMIT
                || learned.is_some_and(|l| l.misfit > MINUTE_MISFIT_LIMIT || l.foreign),
            goodness: misfit::goodness(&self.scratch, &mut self.work),
        };
        let mut fit = average.fit(&context);
        if let Some((memory, dispersion)) = self.memories.get_mut(target)
            && self.settings.memory_s > 0.0
        {
            let mut tools = Tools {
                model: &self.model,
                scratch: &mut self.scratch,
                atoms: &mut self.atoms,
                steps: &mut self.steps,
                floor: self.settings.floor,
            };
            let poor = misfit > MISFIT_LIMIT;
            let ratio = if self.remembers {
                memory.add(&self.power, average.level, poor, &mut tools, &self.weight, &self.covariance);
                let window = fit.invalid.is_none().then_some((fit.exponent, fit.exponent_se.powi(2)));
                dispersion.add(window)
            } else {
                dispersion.ratio()
            };
            fit.exponent_se *= ratio.sqrt();
        }
        fit
    }
}

/// What one window is believed to hold where nothing is remembered.
const WINDOW_BELIEF: Belief =
    Belief { ln_odds: 2.3, amplitude: 6.0, ln_sigma: 0.0, ln_sigma_sd: 0.35, least_gain: 0.8 };

/// Scoring steps of a window's fit; most need three to five.
const ITERATIONS: usize = 12;
/// Standard deviations by which the likelihood of a window may miss what the model promises.
const MISFIT_LIMIT: f64 = 4.5;
/// The same for the minute, of which more is asked: a head is never quite steady.
const MINUTE_MISFIT_LIMIT: f64 = 8.0;
/// ln odds beyond which the minute leaves no doubt.
const SURE: f64 = 6.0;

impl Method for Whittle {
    fn name(&self) -> &'static str {
        "whittle"
    }

    fn fit(&mut self, spectrum: &Spectrum<'_>, target: usize) -> Fit {
        self.fit_window(spectrum, target)
    }

    fn remember(&mut self, whether: bool) {
        if self.remembers && !whether {
            self.memories.iter_mut().for_each(|(_, dispersion)| dispersion.pause());
        }
        self.remembers = whether;
    }

    fn reset(&mut self) {
        for (memory, dispersion) in &mut self.memories {
            memory.reset();
            dispersion.reset();
        }
    }
}

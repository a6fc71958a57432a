//! What the last minute has shown: the mean spectrum of the past windows, and the peaks in it.
//!
//! Each window comes in relative to its own level at the pivot; its exponent is left alone, so that a step of the
//! exponent does not change the peaks. The mean is fitted with exponent and peaks of its own. What goes out is where
//! the peaks are and how large, as priors for the next window: never an exponent.

use super::model::Model;
use super::scoring::{Data, MAX_COMPONENTS, Parameters, Prior, Scratch};
use super::search::{Atoms, Belief, Step};
use super::{Settings, start};

/// Peaks are looked for when at least so many windows' worth of data are in the mean.
const LEAST_WINDOWS: f64 = 3.0;

/// The memory of one channel or region.
#[derive(Debug)]
pub struct Memory {
    /// Share of the past that a new window leaves.
    keep: f64,
    /// Windows that count as independent in one hop: less than 1 where they overlap.
    independent: f64,
    mean: Vec<f64>,
    /// Sum of the weights of the windows in the mean, and of their squares.
    sum: f64,
    sum_squares: f64,
    weight: Vec<f64>,
    covariance: Vec<f64>,
    steps: [Option<Step>; MAX_COMPONENTS + 1],
    /// The fit of the mean, and what the next window may expect of its peaks.
    fitted: Option<Parameters>,
    learned: Option<Parameters>,
    /// Bend of the mean's line in standard deviations, see [`Scratch::bend`].
    bend: f64,
    /// Windows in a row that the model did not describe.
    poor_run: usize,
    /// Windows since the last search.
    since: usize,
}

/// Between searches, which cost most, the fit of the mean only follows.
const SEARCH_EVERY: usize = 8;

/// Poor windows in a row after which they are taken for the signal.
const POOR_RUN: usize = 4;

/// What a minute is believed to hold.
const MINUTE_BELIEF: Belief =
    Belief { ln_odds: 0.0, amplitude: 6.0, ln_sigma: 0.0, ln_sigma_sd: 0.6, least_gain: 2.0 };

impl Memory {
    /// An empty memory.
    #[must_use]
    pub fn new(settings: &Settings, bins: usize) -> Self {
        // An exponential mean whose windows count for as many as memory_s / hop_s equal ones has the time constant
        // memory_s / 2.
        let keep =
            if settings.memory_s > 0.0 { (-2.0 * settings.hop_s / settings.memory_s).exp() } else { 0.0 };
        Self {
            keep,
            independent: (settings.hop_s / settings.window_s).min(1.0),
            mean: vec![0.0; bins],
            sum: 0.0,
            sum_squares: 0.0,
            weight: vec![0.0; bins],
            covariance: Vec::with_capacity(64),
            steps: [None; MAX_COMPONENTS + 1],
            fitted: None,
            learned: None,
            bend: 0.0,
            poor_run: 0,
            since: 0,
        }
    }

    /// The peaks, with priors for the next window; `None` where too little is known.
    #[must_use]
    pub fn learned(&self) -> Option<&Parameters> {
        self.learned.as_ref()
    }

    /// Bend of the mean's line in standard deviations: far from 0 the line is none.
    #[must_use]
    pub fn bend(&self) -> f64 {
        self.bend
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.sum = 0.0;
        self.sum_squares = 0.0;
        self.mean.fill(0.0);
        self.fitted = None;
        self.learned = None;
        self.bend = 0.0;
        self.poor_run = 0;
        self.since = 0;
    }

    /// Adds a window's power, relative to its own level at the pivot, and looks for the peaks of the mean.
    #[allow(clippy::too_many_arguments, reason = "tables and buffers that all targets share")]
    pub fn add(
        &mut self,
        power: &[f64],
        level: f64,
        scratch: &mut Scratch,
        model: &Model,
        atoms: &mut Atoms,
        weight: &[f64],
        covariance: &[f64],
        poor: bool,
    ) {
        // A window that the model does not describe is an artefact, unless several in a row say otherwise.
        self.poor_run = if poor { self.poor_run + 1 } else { 0 };
        let scale = (-level).exp();
        if self.keep <= 0.0 || !(scale > 0.0 && scale.is_finite()) || (poor && self.poor_run < POOR_RUN) {
            return;
        }
        self.sum = self.keep * self.sum + 1.0;
        self.sum_squares = self.keep * self.keep * self.sum_squares + 1.0;
        let new = 1.0 / self.sum;
        for (mean, power) in self.mean.iter_mut().zip(power) {
            *mean += new * (power * scale - *mean);
        }
        let windows = (self.sum * self.sum / self.sum_squares * self.independent).max(1.0);
        if windows < LEAST_WINDOWS {
            return;
        }
        for (slot, weight) in self.weight.iter_mut().zip(weight) {
            *slot = weight * windows;
        }
        self.covariance.clear();
        self.covariance.extend(covariance.iter().map(|c| c / windows));
        let data = Data { power: &self.mean, weight: &self.weight, covariance: &self.covariance };
        self.since += 1;
        match &self.fitted {
            Some(_) if self.since < SEARCH_EVERY && windows > 2.0 * LEAST_WINDOWS => {}
            _ => {
                self.since = 0;
                let begin = start::least_squares(model.freqs_hz(), model.pivot_hz(), &self.mean);
                let most = MAX_COMPONENTS - 1;
                let count =
                    atoms.search(scratch, model, &data, begin, &MINUTE_BELIEF, most, 12, &mut self.steps);
                let steps = self.steps.get(..count).unwrap_or_default();
                let best = steps.iter().flatten().max_by(|a, b| a.ln_evidence.total_cmp(&b.ln_evidence));
                self.fitted = best.map(|step| step.parameters);
            }
        }
        if let Some(fitted) = &mut self.fitted {
            scratch.fit(model, &data, fitted, 1);
            self.bend = scratch.bend(&data, fitted);
        }
        self.learned = self.fitted.map(|fitted| {
            let mut learned = fitted;
            // Positions vary a little from window to window; amplitudes a lot.
            for component in learned.components_mut() {
                let [amplitude, centre, ln_sigma] = component.value;
                component.prior = [
                    Prior::new(amplitude, 0.5 * amplitude.max(1e-6)),
                    Prior::new(centre, 0.2),
                    Prior::new(ln_sigma, 0.15),
                ];
            }
            learned
        });
    }
}

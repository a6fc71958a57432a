//! What the last minute has shown: the mean spectrum of the past windows, and what is in it.
//!
//! Each window comes in relative to its own level at the pivot; its exponent is left alone, so that a step of the
//! exponent does not change the peaks. The mean is fitted by a straight line and by one that bends, each with and
//! without a floor, all with peaks of their own ([`super::hypotheses`]). What goes out is where peaks, floor and knee
//! are and how large, as priors for the next window, and how much the minute is for the bend: never an exponent.

use super::hypotheses::{Hypotheses, Tools};
use super::parameters::{Parameters, Prior, Term};
use super::scoring::Data;
use super::{Settings, misfit};

/// Peaks are looked for when at least so many windows' worth of data are in the mean.
const LEAST_WINDOWS: f64 = 3.0;

/// Between searches, which cost most, the fits of the mean only follow.
const SEARCH_EVERY: usize = 8;

/// Poor windows in a row after which they are taken for the signal.
const POOR_RUN: usize = 4;

/// What the next window may expect.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Learned {
    /// Under a straight line.
    pub straight: Parameters,
    /// Under a line with a knee.
    pub bent: Parameters,
    /// ln of how much likelier the minute is with a knee.
    pub bend_evidence: f64,
    /// Misfit of the likelier of the two, see [`misfit::misfit`].
    pub misfit: f64,
    /// Whether what it was fitted by is no line with rhythms over a floor, whatever its misfit: muscle does that.
    pub foreign: bool,
}

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
    hypotheses: Hypotheses,
    learned: Option<Learned>,
    /// Windows in a row that the model did not describe.
    poor_run: usize,
    /// Windows since the last search.
    since: usize,
}

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
            hypotheses: Hypotheses::default(),
            learned: None,
            poor_run: 0,
            since: 0,
        }
    }

    /// What the next window may expect; `None` where too little is known.
    #[must_use]
    pub fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.sum = 0.0;
        self.sum_squares = 0.0;
        self.mean.fill(0.0);
        self.hypotheses = Hypotheses::default();
        self.learned = None;
        self.poor_run = 0;
        self.since = 0;
    }

    /// Adds a window's power, relative to its own level at the pivot, and looks for what is in the mean. `weight` and
    /// `covariance` are a whole window's.
    pub fn add(
        &mut self,
        power: &[f64],
        level: f64,
        poor: bool,
        tools: &mut Tools<'_>,
        weight: &[f64],
        covariance: &[f64],
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
        if self.learned.is_none() || self.since >= SEARCH_EVERY || windows <= 2.0 * LEAST_WINDOWS {
            self.since = 0;
            self.hypotheses.search(tools, &data);
        }
        let bend_evidence = self.hypotheses.bend_evidence();
        let mut learned = Learned { bend_evidence, ..Learned::default() };
        for bent in [false, true] {
            let Some((fitted, floor_share)) = self.hypotheses.best_mut(bent) else { continue };
            tools.scratch.fit(tools.model, &data, fitted, 1);
            let knee_variance = fitted.knee_at().map(|d| {
                let row = tools.scratch.inverse_row(d, fitted.dimension());
                tools.scratch.variance(&data, fitted, &row)
            });
            if bent == (bend_evidence > 0.0) {
                learned.misfit = misfit::misfit(tools.scratch, &data, fitted.dimension());
            }
            if bent == (bend_evidence > 0.0) {
                learned.foreign = foreign(fitted, tools.model.pivot_hz());
            }
            *(if bent { &mut learned.bent } else { &mut learned.straight }) =
                expected(fitted, floor_share, knee_variance);
        }
        self.learned = Some(learned);
    }
}

/// No rhythm above the alpha band is broader than this (standard deviation, in Hz) and as strong as a good part of the
/// line. Lower down a head that has theta, mu and alpha at once looks like one broad peak, and is a head.
const BROAD_HZ: f64 = 2.8;
const ABOVE_ALPHA_HZ: f64 = 16.0;
const BROAD_OVER_LINE: f64 = 0.4;
/// Where the floor has as much power as the line at the pivot, the upper half of the range tells nothing of the line.
const MOST_FLOOR: f64 = 0.9;

/// Whether a fit describes its spectrum by what no EEG has: a peak as broad as a flank, as muscle has one, or a floor
/// above most of the line. What such a fit says of the exponent may be anything.
fn foreign(fitted: &Parameters, pivot_hz: f64) -> bool {
    fitted.floor.is_some_and(|floor| floor.value > MOST_FLOOR)
        || fitted.components().iter().any(|component| {
            let [amplitude, centre_hz, ln_sigma] = component.value;
            centre_hz > ABOVE_ALPHA_HZ
                && ln_sigma > BROAD_HZ.ln()
                && amplitude > BROAD_OVER_LINE * fitted.line_at(centre_hz, pivot_hz)
        })
}

/// How far a floor and the ln of a knee's frequency move from window to window.
const FLOOR_MOVES: f64 = 0.3;
const KNEE_MOVES: f64 = 0.05;

/// What the next window may expect of what the minute was fitted by. Positions vary a little from window to window;
/// amplitudes a lot.
fn expected(fitted: &Parameters, floor_share: f64, knee_variance: Option<f64>) -> Parameters {
    let mut learned = *fitted;
    for component in learned.components_mut() {
        let [amplitude, centre, ln_sigma] = component.value;
        component.prior = [
            Prior::new(amplitude, 0.5 * amplitude.max(1e-6)),
            Prior::new(centre, 0.2),
            Prior::new(ln_sigma, 0.15),
        ];
    }
    // A floor that may not be there is as large as it is likely.
    learned.floor = fitted.floor.map(|floor| {
        let size = floor.value.max(1e-6);
        let doubt = (floor_share * (1.0 - floor_share)).sqrt();
        let value = floor_share * floor.value;
        Term { value, prior: Prior::new(value, size * FLOOR_MOVES.hypot(doubt)) }
    });
    learned.knee = fitted.knee.zip(knee_variance).map(|(knee, variance)| Term {
        value: knee.value,
        prior: Prior::new(knee.value, (variance + KNEE_MOVES * KNEE_MOVES).sqrt()),
    });
    learned
}

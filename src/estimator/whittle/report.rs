//! One answer from the fits of a window: the mean over the steps of a search, and over straight and bent lines.

use super::Settings;
use super::model::Model;
use super::parameters::Parameters;
use super::search::Step;
use crate::settings::{Bent, Mode};
use crate::{Fit, Peak, Peaks, Reason, adjusted_r_squared};

/// Exponents that the tables hold, less a margin.
const EXPONENT_RANGE: (f64, f64) = (-1.4, 4.9);
/// ln odds for a bend beyond which a straight line is none: about 1 % of straight minutes are beyond it, of whatever
/// exponent. A shallow line is bent by chance more easily than a steep one, so that more is asked where the bent account
/// is shallow: up to the first exponent the first odds, from the second on the second.
const BENT_ODDS: [(f64, f64); 2] = [(1.6, 3.0), (2.0, 0.6)];

fn bent_odds(bent_chi: f64) -> f64 {
    let [(shallow, most), (steep, least)] = BENT_ODDS;
    let share = ((bent_chi - shallow) / (steep - shallow)).clamp(0.0, 1.0);
    most + share * (least - most)
}

/// The mean over the steps of a search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Average {
    pub(super) level: f64,
    chi: f64,
    chi_variance: f64,
    knee_variance: f64,
    pub(super) best: Parameters,
    /// Peaks that were known before.
    known: usize,
    last_step: f64,
    /// ln of the sum over the steps.
    pub(super) ln_evidence: f64,
}

/// What the answer says beside the exponent.
pub(super) struct Context<'a> {
    pub(super) model: &'a Model,
    pub(super) settings: &'a Settings,
    /// From 0 to half the sample rate.
    pub(super) band_hz: f64,
    pub(super) bend_evidence: f64,
    /// Exponent of the minute's account that bends, by which the evidence is judged; 0 where no minute is known.
    pub(super) bent_chi: f64,
    pub(super) poor: bool,
    /// R², mean and median absolute error.
    pub(super) goodness: (f64, f64, f64),
}

impl Average {
    /// Of the steps of one search that began with `known` peaks.
    pub(super) fn of(steps: &[Option<Step>], known: usize) -> Option<Self> {
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
        Some(Self {
            level: level / total,
            chi,
            chi_variance: square / total - chi * chi,
            knee_variance: best.knee_variance,
            best: best.parameters,
            known,
            last_step: best.last_step,
            ln_evidence: best.ln_evidence + total.ln(),
        })
    }

    /// Two accounts of one window, the `other` with probability `share`; peaks and knee are the likelier one's.
    pub(super) fn mixed(self, other: Self, share: f64) -> Self {
        let mix = |ours: f64, theirs: f64| (1.0 - share) * ours + share * theirs;
        let chi = mix(self.chi, other.chi);
        let spread = share * (1.0 - share) * (self.chi - other.chi).powi(2);
        let likelier = if share > 0.5 { other } else { self };
        Self {
            level: mix(self.level, other.level),
            chi,
            chi_variance: mix(self.chi_variance, other.chi_variance) + spread,
            ..likelier
        }
    }

    /// How many parameters the window itself has fitted: of a known peak's three its amplitude counts, and what is
    /// known of floor and knee holds them.
    pub(super) fn fitted(&self) -> usize {
        2 + self.known + 3 * (self.best.components().len() - self.known.min(self.best.components().len()))
    }

    fn invalid(&self, context: &Context<'_>, bent: bool) -> Option<Reason> {
        let (low, high) = EXPONENT_RANGE;
        if !(self.chi.is_finite() && self.chi_variance.is_finite() && self.last_step < 0.05) {
            Some(Reason::NotConverged)
        } else if bent && context.settings.bent == Bent::Hold {
            Some(Reason::Bent)
        } else if context.poor {
            Some(Reason::PoorFit)
        } else if self.chi <= low || self.chi >= high {
            Some(Reason::OutOfRange)
        } else {
            None
        }
    }

    /// The answer.
    pub(super) fn fit(&self, context: &Context<'_>) -> Fit {
        let pivot_hz = context.model.pivot_hz();
        let mut peaks = Peaks::default();
        for component in self.best.components() {
            let [amplitude, centre_hz, ln_sigma] = component.value;
            let line = self.best.line_at(centre_hz, pivot_hz);
            if amplitude > 0.05 * line {
                peaks.push(Peak {
                    centre_hz,
                    power_log10: (1.0 + amplitude / line).log10(),
                    bandwidth_hz: 2.0 * ln_sigma.exp(),
                });
            }
        }
        peaks.sort();
        let straight_only = context.settings.mode == Mode::Fixed;
        let bent = straight_only && context.bend_evidence > bent_odds(context.bent_chi);
        let pivot_offset = self.level / std::f64::consts::LN_10;
        let knee_hz = self.best.knee.map_or(f64::NAN, |knee| knee.value.exp());
        let knee = self.best.knee.map(|_| knee_hz.powf(self.chi));
        let density = self.best.floor.map_or(0.0, |floor| floor.value * self.level.exp());
        let (r_squared, mae, median_error) = context.goodness;
        let bins = context.model.freqs_hz().len();
        Fit {
            exponent: self.chi,
            exponent_se: self.chi_variance.sqrt(),
            offset: pivot_offset + (pivot_hz.powf(self.chi) + knee.unwrap_or(0.0)).log10(),
            knee,
            r_squared,
            mae,
            adjusted_r_squared: adjusted_r_squared(r_squared, bins, self.best.dimension()),
            median_error,
            pivot_hz,
            pivot_offset,
            knee_hz,
            knee_se: knee_hz * self.knee_variance.sqrt(),
            floor_uv: (density * context.band_hz).sqrt(),
            exponent0: None,
            bend_evidence: context.bend_evidence,
            peaks,
            invalid: self.invalid(context, bent),
            caution: (bent && context.settings.bent == Bent::Warn).then_some(Reason::Bent),
        }
    }
}

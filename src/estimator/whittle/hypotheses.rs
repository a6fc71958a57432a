//! Four accounts of one spectrum: a straight line or one that bends, with a floor or without, each with its own peaks.
//!
//! A broad peak and a bend look alike, and so do a floor and a wide beta: each account is searched from a bare line,
//! and again from what the others have found, and the likeliest of its fits stands for it.

use super::model::Model;
use super::parameters::{MAX_COMPONENTS, Parameters, Prior, Term};
use super::scoring::{Data, Scratch};
use super::search::{Atoms, Belief, Start, Step};
use super::start;

/// What a minute is believed to hold.
const MINUTE_BELIEF: Belief =
    Belief { ln_odds: 0.0, amplitude: 6.0, ln_sigma: 0.0, ln_sigma_sd: 0.45, least_gain: 2.0 };

/// Where knees are, as ln Hz, and how widely spread: half of them within 3 and 12 Hz.
const KNEE_PRIOR: (f64, f64) = (1.8, 1.0);
/// A floor is believed to have up to a few times the line's power at the top of the range.
const FLOOR_OVER_LINE: f64 = 3.0;
/// A floor of less probability is none.
const LEAST_FLOOR_SHARE: f64 = 0.2;

/// Tables and buffers that all targets share.
pub struct Tools<'a> {
    /// Tables.
    pub model: &'a Model,
    /// Buffers of the scoring.
    pub scratch: &'a mut Scratch,
    /// Candidates for peaks.
    pub atoms: &'a mut Atoms,
    /// The steps of a search.
    pub steps: &'a mut [Option<Step>],
    /// Whether a floor may be there.
    pub floor: bool,
}

/// The likeliest fit of each account: straight, with a floor, bent, bent with a floor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hypotheses {
    fits: [Option<Found>; 4],
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Found {
    parameters: Parameters,
    ln_prior: f64,
    ln_evidence: f64,
}

/// A knee that is not known yet, and what its prior adds to the evidence.
#[must_use]
pub fn unknown_knee() -> (Term, f64) {
    let prior = Prior::new(KNEE_PRIOR.0, KNEE_PRIOR.1);
    (Term { value: KNEE_PRIOR.0, prior }, 0.5 * prior.precision.ln())
}

/// A floor that is not known yet, under a line of exponent `chi`, and what its prior adds to the evidence.
#[must_use]
pub fn unknown_floor(model: &Model, chi: f64) -> (Term, f64) {
    let top_hz = model.freqs_hz().last().copied().unwrap_or(1.0);
    let line = FLOOR_OVER_LINE * (top_hz / model.pivot_hz()).powf(-chi);
    let prior = Prior::new(0.0, line);
    (Term { value: 0.1 * line, prior }, std::f64::consts::LN_2 + 0.5 * prior.precision.ln())
}

impl Hypotheses {
    /// ln of how much likelier the spectrum is with a knee than without.
    #[must_use]
    pub fn bend_evidence(&self) -> f64 {
        let [straight, floor, knee, both] =
            self.fits.map(|fit| fit.map_or(f64::NEG_INFINITY, |f| f.ln_evidence));
        knee.max(both) - straight.max(floor)
    }

    /// With the knee or without: which account stands for it, and with what probability its floor is there.
    fn chosen(&self, bent: bool) -> (usize, f64) {
        let plain = 2 * usize::from(bent);
        let evidence = |at: usize| self.fits.get(at).copied().flatten().map(|found| found.ln_evidence);
        let share = match (evidence(plain), evidence(plain + 1)) {
            (Some(without), Some(with)) => 1.0 / (1.0 + (without - with).exp()),
            (None, Some(_)) => 1.0,
            _ => 0.0,
        };
        if share > LEAST_FLOOR_SHARE { (plain + 1, share) } else { (plain, 0.0) }
    }

    fn best(&self, bent: bool) -> Option<&Found> {
        self.fits.get(self.chosen(bent).0)?.as_ref()
    }

    /// The likeliest parameters with the knee or without, and the probability of their floor.
    pub fn best_mut(&mut self, bent: bool) -> Option<(&mut Parameters, f64)> {
        let (at, share) = self.chosen(bent);
        self.fits.get_mut(at)?.as_mut().map(|found| (&mut found.parameters, share))
    }

    /// Fits all four accounts to `data`.
    pub fn search(&mut self, tools: &mut Tools<'_>, data: &Data<'_>) {
        self.fits = [None; 4];
        let bare = start::least_squares(tools.model.freqs_hz(), tools.model.pivot_hz(), data.power);
        let bare = Start { parameters: bare, ln_prior: 0.0 };
        let straight = self.try_from(tools, data, bare);
        if let Some(straight) = straight {
            self.try_from(tools, data, with_knee(straight));
        }
        if let Some(bent) = self.try_from(tools, data, with_knee(bare)) {
            // What the bend has left of the peaks, under a straight line again.
            self.try_from(tools, data, without_knee(bent));
        }
        if tools.floor {
            for plain in [false, true] {
                if let Some(found) = self.best(plain).copied() {
                    let (floor, ln_prior) = unknown_floor(tools.model, found.parameters.chi);
                    let parameters = Parameters { floor: Some(floor), ..found.parameters };
                    let ln_prior = found.ln_prior + ln_prior;
                    self.try_from(tools, data, Start { parameters, ln_prior });
                }
            }
            let (floor, ln_prior) = unknown_floor(tools.model, bare.parameters.chi);
            let parameters = Parameters { floor: Some(floor), ..bare.parameters };
            self.try_from(tools, data, Start { parameters, ln_prior });
        }
    }

    /// Searches from `start`, keeps the likeliest fit where it beats what is known of its account, and returns it.
    fn try_from(&mut self, tools: &mut Tools<'_>, data: &Data<'_>, start: Start) -> Option<Start> {
        let most = (MAX_COMPONENTS - 1).saturating_sub(start.parameters.components().len());
        let count = tools.atoms.search(
            tools.scratch,
            tools.model,
            data,
            start,
            &MINUTE_BELIEF,
            most,
            12,
            tools.steps,
        );
        let steps = tools.steps.get(..count).unwrap_or_default();
        let best = steps.iter().flatten().max_by(|a, b| a.ln_evidence.total_cmp(&b.ln_evidence))?;
        let found =
            Found { parameters: best.parameters, ln_prior: best.ln_prior, ln_evidence: best.ln_evidence };
        let account =
            usize::from(found.parameters.floor.is_some()) + 2 * usize::from(found.parameters.knee.is_some());
        if let Some(slot) = self.fits.get_mut(account)
            && slot.is_none_or(|known| found.ln_evidence > known.ln_evidence)
        {
            *slot = Some(found);
        }
        Some(Start { parameters: found.parameters, ln_prior: found.ln_prior })
    }
}

fn with_knee(start: Start) -> Start {
    let (knee, ln_prior) = unknown_knee();
    let parameters = Parameters { knee: Some(knee), ..start.parameters };
    Start { parameters, ln_prior: start.ln_prior + ln_prior }
}

fn without_knee(start: Start) -> Start {
    let (_, ln_prior) = unknown_knee();
    Start { parameters: Parameters { knee: None, ..start.parameters }, ln_prior: start.ln_prior - ln_prior }
}

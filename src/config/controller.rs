//! `[controller]`: how estimates become stimulation.

use serde::Serialize;

use super::section::{Section, within};
use crate::noise::EXPONENTS;

/// The control law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LawName {
    /// Open loop, as in the study: the protocol's exponent throughout.
    Fixed,
    /// Between bursts, a bounded PI law on the clean estimates moves the exponent of the stimulation.
    Adaptive,
}

/// How estimates become stimulation. Gains and bounds are ours, not a study's: no study has closed this loop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Controller {
    /// The control law.
    pub law: LawName,
    /// The exponent that the participant's EEG should reach; needed by `adaptive`.
    pub target_exponent: Option<f64>,
    /// Stimulation exponent for each unit of error in the participant's exponent.
    pub gain_p: f64,
    /// The same for each unit of a gap's mean error, once a gap.
    pub gain_i: f64,
    /// Least exponent that the law may ask for.
    pub exponent_min: f64,
    /// Largest exponent that the law may ask for.
    pub exponent_max: f64,
}

impl Controller {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let bound = within(EXPONENTS.0, EXPONENTS.1, "").because("hard limit of the noise");
        let controller = Self {
            law: s.choice(
                "law",
                LawName::Fixed,
                &[("fixed", LawName::Fixed), ("adaptive", LawName::Adaptive)],
            ),
            target_exponent: s.number_opt("target_exponent", within(0.0, 4.0, "")),
            gain_p: s.number("gain_p", 0.5, within(0.0, 10.0, "")),
            gain_i: s.number("gain_i", 0.3, within(0.0, 10.0, "per gap")),
            exponent_min: s.number("exponent_min", 0.5, bound),
            exponent_max: s.number("exponent_max", 2.5, bound),
        };
        s.done();
        controller
    }
}

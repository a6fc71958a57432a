//! What must hold in this very window before an estimate under current may be called valid.
//!
//! Everything is judged on what was left after the removal that was really done, whitened, over the window and over
//! the slow memory. The regressors come in groups; the sum of squares that each explains beyond those before it is an
//! F test against chance (Draper & Smith, Applied Regression Analysis, 1998, chapter 6):
//! the path itself (is the current still in what is left?), lags beyond it (is the path longer than the model?),
//! second- and third-order terms (is it bent?), slow sines and cosines times the current (does its gain breathe?).

use super::algebra::{Factor, f_tail};
use super::settings::Counts;
use super::sums::Sums;

/// A test of the window fails by this probability, divided by the channels that are tested; one of the slow memory,
/// which has the same data in it for long and would fail for long, by a hundredth of it.
const LASTING: f64 = 0.01;

/// The path's own columns were fitted to the very data, by a memory that lags: what they explain in what was left is no F
/// variable. It is judged by its size, as a share of the (whitened) power: what would move an exponent by a few
/// hundredths.
const EXCESS_WINDOW: f64 = 0.20;
const EXCESS_LASTING: f64 = 0.015;

/// Significant is not harmful: half a minute shows a third order of 3e-4, which moves no exponent. Shares of what was left,
/// by longer path, curved terms and modulations, below which nothing is moved by 0.05: a third order of 1e-3 of 1 mV
/// explains 0.015 (bias 0.02), 3e-3 0.11 (bias 0.11); a gain that breathes by 3e-3 explains 0.002 (bias 0.00), 1e-2 0.02
/// (bias 0.05); `make bench-through-current`.
const HARMLESS_WINDOW: [f64; 3] = [0.03, 0.03, 0.04];
const HARMLESS_LASTING: [f64; 3] = [0.02, 0.03, 0.007];

/// Why an estimate under current is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Nobody has said what flowed, or not yet.
    NoTelemetry,
    /// Where the EEG stands in the current is not known.
    NotAligned,
    /// The path is not known well enough yet.
    Learning,
    /// What was left still follows the current.
    Coherent,
    /// The path goes on beyond what is modelled.
    LongerPath,
    /// Second- or third-order terms of the current.
    Bent,
    /// The gain changes with heart, breath or movement.
    Modulated,
    /// Too much of the window lies far outside of what was usually left.
    Outlying,
    /// There is more of the current than can be taken out at the amplifier's own precision.
    TooLarge,
}

impl Unproven {
    /// A short phrase for tables and screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTelemetry => "delivered current not known",
            Self::NotAligned => "current and EEG not aligned",
            Self::Learning => "path still being learnt",
            Self::Coherent => "residue follows the current",
            Self::LongerPath => "path longer than its model",
            Self::Bent => "path not linear",
            Self::Modulated => "path modulated",
            Self::Outlying => "residue far larger than usual",
            Self::TooLarge => "artefact too large",
        }
    }
}

/// The figures of one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proof {
    /// Probability by chance of what second- and third-order terms explain; NaN where it was not tested.
    pub linearity_p: f64,
    /// Share of what was left (whitened, over the slow memory) that still follows the current.
    pub residual_coherence: f64,
    /// Probability by chance of what slow changes of gain explain.
    pub modulation_p: f64,
    /// Power that was taken out over power that was left, in dB.
    pub removed_db: f64,
    /// Share of the EEG's own power that the removal took with it: columns of the path over samples.
    pub cost: f64,
    /// What does not hold; `None` where all does.
    pub failed: Option<Unproven>,
}

impl Proof {
    /// What the standard error of the same window without removal is multiplied by: the columns of the path take a share
    /// of the EEG's own power with them, and an exponent scatters as the root of twice that share beside the window's own.
    #[must_use]
    pub fn se_factor(&self) -> f64 {
        if self.cost.is_finite() { (1.0 + 2.0 * self.cost).sqrt() } else { 1.0 }
    }

    /// A window that could not be judged.
    #[must_use]
    pub fn failed(why: Unproven) -> Self {
        let nan = f64::NAN;
        Self {
            linearity_p: nan,
            residual_coherence: nan,
            modulation_p: nan,
            removed_db: nan,
            cost: nan,
            failed: Some(why),
        }
    }
}

/// One channel's tests over some stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tests {
    /// F of each group: path, far lags, curved terms, modulations; and its degrees of freedom.
    pub(super) f: [f64; 4],
    d1: [f64; 4],
    d2: f64,
    /// Share of what was left that the path's own columns explain.
    pub(super) coherence: f64,
    /// Share of what was left that each group explains beyond what chance gives to so many columns.
    pub(super) excess: [f64; 4],
}

impl Tests {
    /// Probability by chance of group `k`. It costs more than all the rest of a test: asked for where it counts.
    pub(super) fn p(&self, k: usize) -> f64 {
        let of = |values: &[f64; 4]| values.get(k).copied().unwrap_or(f64::NAN);
        f_tail(of(&self.f), of(&self.d1), self.d2)
    }
}

/// Tests on the sums of what was left; `factor` holds their Gram matrix. `scratch` has a number for each column.
pub(super) fn tests(
    counts: &Counts,
    factor: &Factor,
    left: &Sums,
    channel: usize,
    scratch: &mut [f64],
) -> Option<Tests> {
    let columns = counts.columns();
    scratch.copy_from_slice(left.cross.get(channel * columns..(channel + 1) * columns)?);
    let total = *left.squares.get(channel)?;
    factor.forward(scratch);
    let ends = counts.ends();
    let (mut begin, mut explained) = (0, [0.0; 4]);
    for (sum, end) in explained.iter_mut().zip(ends) {
        *sum = scratch.get(begin..end)?.iter().map(|w| w * w).sum();
        begin = end;
    }
    // Only the band that was left has noise in it: so many samples are independent.
    let df = counts.band * left.samples - (columns + counts.whitening) as f64;
    let rest = total - explained.iter().sum::<f64>();
    if !(df > 10.0 && rest > 0.0) {
        return None;
    }
    let (mut f, mut d1, mut excess) = ([f64::NAN; 4], [f64::NAN; 4], [f64::NAN; 4]);
    let mut begin = 0;
    let groups = f.iter_mut().zip(&mut d1).zip(&mut excess);
    for (((f, d1), excess), (sum, end)) in groups.zip(explained.into_iter().zip(ends)) {
        *d1 = (end - begin) as f64;
        *f = sum / *d1 / (rest / df);
        *excess = sum / total - *d1 / (df + columns as f64);
        begin = end;
    }
    Some(Tests { f, d1, d2: df, coherence: explained[0] / total, excess })
}

/// Which tests fail, the most telling first, for one of `channels` channels.
pub(super) fn verdict(
    window: &Tests,
    lasting: Option<&Tests>,
    breathing: f64,
    false_alarm: f64,
    channels: usize,
) -> Option<Unproven> {
    // Three tests of the window share its false alarms.
    let level = false_alarm / (3 * channels.max(1)) as f64;
    let reasons = [Unproven::LongerPath, Unproven::Bent, Unproven::Modulated];
    let fails = |tests: &Tests, level: f64, harmless: &[f64; 3]| {
        let groups = tests.excess.iter().enumerate().skip(1);
        let mut failing = reasons.iter().zip(groups).zip(harmless);
        failing
            .find(|((_, (k, excess)), least)| *excess > *least && tests.p(*k) < level)
            .map(|((why, _), _)| *why)
    };
    if window.excess[0] > EXCESS_WINDOW || lasting.is_some_and(|tests| tests.excess[0] > EXCESS_LASTING) {
        return Some(Unproven::Coherent);
    }
    fails(window, level, &HARMLESS_WINDOW)
        .or_else(|| lasting.and_then(|tests| fails(tests, level * LASTING, &HARMLESS_LASTING)))
        .or((breathing > 1.0).then_some(Unproven::Modulated))
}

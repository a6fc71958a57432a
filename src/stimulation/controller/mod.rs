//! Estimates in, decisions out: what exponent and amplitude the next current shall have, and whether it may flow.
//!
//! A [`Law`] is a pure function of what it has been shown. Only clean, valid windows reach it ([`Estimate::steers`]);
//! whatever it answers is bounded here, after it, so that no law can leave its range. On everything else the controller
//! holds; where clean windows stay unusable, or none come, for [`ControllerSettings::safe_after_s`], it takes the
//! protocol's [`Safe`] action. Windows under current reach a law only where somebody has proven them and may let them
//! steer ([`Controller::observe_through`]); the same time and action hold where none does.

pub mod adaptive;
pub mod fixed;
pub mod gated;
pub mod individual;
pub mod yoked;

use tras_estimator::{Contamination, Estimate};

/// What the stimulation shall be, and from which estimate that follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Counts decisions from 1; every command carries it.
    pub id: u64,
    /// The estimate behind it; 0 where none steered (the start, an open loop).
    pub estimate_id: u64,
    /// When it was taken.
    pub at_s: f64,
    /// The exponent for the stimulation, inside the controller's bounds.
    pub exponent: f64,
    /// Largest |current| in mA, at most the settings'.
    pub peak_ma: f64,
    /// Whether current may flow, where the protocol has released one.
    pub flow: bool,
    /// The law asked for more than the bounds allow.
    pub bounded: bool,
    /// It follows from a window under current, or from the lack of a proven one.
    pub through: bool,
}

/// What a law asks for, before bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// χ.
    pub exponent: f64,
    /// Share of the condition's peak: 0 to 1.
    pub amplitude: f64,
    /// Whether current may flow.
    pub flow: bool,
}

impl Wish {
    /// Full amplitude, flowing.
    #[must_use]
    pub fn of(exponent: f64) -> Self {
        Self { exponent, amplitude: 1.0, flow: true }
    }
}

/// A control law. Nothing here blocks or allocates.
pub trait Law: Send {
    /// Its name in configuration and recordings.
    fn name(&self) -> &'static str;
    /// What to stimulate with after `estimate`; `None`: as before.
    fn update(&mut self, estimate: &Estimate) -> Option<Wish>;
    /// Shown every steering estimate, whichever condition is at hand: for what is measured at rest.
    fn rest(&mut self, _estimate: &Estimate) {}
    /// A block begins. Gives what it begins with; `None`: as before.
    fn begin(&mut self, _block: u32, _now_s: f64) -> Option<Wish> {
        None
    }
    /// Time passes; for laws that act without an estimate.
    fn pass(&mut self, _now_s: f64) -> Option<Wish> {
        None
    }
}

/// What a controller does where it has nothing to go by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Safe {
    /// As before.
    #[default]
    Hold,
    /// Back to the condition's start.
    Start,
    /// No current until a window steers again.
    Off,
}

/// The bounds and the start of a controller.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ControllerSettings {
    /// The exponent until a law says otherwise.
    pub start_exponent: f64,
    /// Smallest stimulation exponent.
    pub min_exponent: f64,
    /// Largest stimulation exponent.
    pub max_exponent: f64,
    /// Largest |current| in mA.
    pub peak_ma: f64,
    /// Where there is nothing to go by.
    pub safe: Safe,
    /// After so many s of clean windows that cannot be used, or of none at all; infinite for an open loop.
    pub safe_after_s: f64,
}

impl ControllerSettings {
    /// An open loop at one exponent and peak.
    #[must_use]
    pub fn open(exponent: f64, peak_ma: f64) -> Self {
        Self {
            start_exponent: exponent,
            min_exponent: exponent,
            max_exponent: exponent,
            peak_ma,
            safe: Safe::Hold,
            safe_after_s: f64::INFINITY,
        }
    }
}

/// A law within its bounds.
pub type Bounded = (Box<dyn Law>, ControllerSettings);

/// Laws with their bounds, one of which is at work, and the numbering of decisions.
pub struct Controller {
    laws: Vec<Bounded>,
    at_work: usize,
    last: Decision,
    /// Since when clean windows have been unusable.
    unusable_since_s: Option<f64>,
    /// Since when no window under current was proven, while they steer.
    unproven_since_s: Option<f64>,
    /// When any estimate came last.
    heard_s: f64,
    /// The safe action is taken.
    safe: bool,
}

impl Controller {
    /// A controller that has decided nothing but the start exponent.
    #[must_use]
    pub fn new(law: Box<dyn Law>, settings: ControllerSettings) -> Self {
        Self::among(law, settings, Vec::new())
    }

    /// The same with further laws to [`Controller::select`] from, numbered from 1.
    #[must_use]
    pub fn among(law: Box<dyn Law>, settings: ControllerSettings, more: Vec<Bounded>) -> Self {
        let laws = std::iter::once((law, settings)).chain(more).collect();
        let last = Decision {
            id: 1,
            estimate_id: 0,
            at_s: 0.0,
            exponent: settings.start_exponent,
            peak_ma: settings.peak_ma,
            flow: true,
            bounded: false,
            through: false,
        };
        let (unusable_since_s, unproven_since_s) = (None, None);
        Self { laws, at_work: 0, last, unusable_since_s, unproven_since_s, heard_s: f64::NAN, safe: false }
    }

    /// The newest decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        self.last
    }

    /// The law's name.
    #[must_use]
    pub fn law(&self) -> &'static str {
        self.laws.get(self.at_work).map_or("none", |(law, _)| law.name())
    }

    /// How many laws there are.
    #[must_use]
    pub fn laws(&self) -> usize {
        self.laws.len()
    }

    /// Puts another law to work for `block`, from its start. `None` where there is no such law: nothing changes then.
    pub fn select(&mut self, law: usize, block: u32, now_s: f64) -> Option<Decision> {
        let (chosen, settings) = self.laws.get_mut(law)?;
        let wish = chosen.begin(block, now_s).unwrap_or(Wish::of(settings.start_exponent));
        (self.at_work, self.unusable_since_s, self.safe) = (law, None, false);
        self.unproven_since_s = None;
        Some(self.decide(wish, 0, now_s))
    }

    /// Shows the law an estimate. Gives a new decision for one that may steer, or where the safe action is due.
    pub fn observe(&mut self, estimate: &Estimate, now_s: f64) -> Option<Decision> {
        self.heard_s = now_s;
        if !estimate.steers() || !estimate.fit.exponent.is_finite() {
            // Under current no window can be used, and none is missed.
            if estimate.contamination != Contamination::Clean {
                self.unusable_since_s = None;
                return None;
            }
            let since_s = *self.unusable_since_s.get_or_insert(now_s);
            return self.fall_back(since_s, now_s);
        }
        (self.unusable_since_s, self.unproven_since_s, self.safe) = (None, None, false);
        for (law, _) in &mut self.laws {
            law.rest(estimate);
        }
        Some(self.ask(estimate, now_s))
    }

    /// Shows the law an estimate of a window under current that somebody has proven; what is not valid is not shown.
    pub fn observe_through(&mut self, estimate: &Estimate, now_s: f64) -> Option<Decision> {
        if estimate.fit.invalid.is_some() || !estimate.fit.exponent.is_finite() {
            return None;
        }
        (self.unproven_since_s, self.safe) = (None, false);
        self.ask(estimate, now_s);
        self.last.through = true;
        Some(self.last)
    }

    /// Time passes under a current that is steered by windows under it: the safe action where none was proven for too
    /// long. To be called until the burst is over.
    pub fn pass_through(&mut self, now_s: f64) -> Option<Decision> {
        let since_s = *self.unproven_since_s.get_or_insert(now_s);
        self.fall_back(since_s, now_s)?;
        self.last.through = true;
        Some(self.last)
    }

    /// The law's answer to an estimate, or as before where it has none.
    fn ask(&mut self, estimate: &Estimate, now_s: f64) -> Decision {
        let wish = self.laws.get_mut(self.at_work).and_then(|(law, _)| law.update(estimate));
        let as_before =
            Wish { exponent: self.last.exponent, amplitude: self.amplitude(), flow: self.last.flow };
        self.decide(wish.filter(|w| w.exponent.is_finite()).unwrap_or(as_before), estimate.id, now_s)
    }

    /// Time passes. Gives a new decision where the law acts by the clock, or the estimates have stopped coming.
    pub fn pass(&mut self, now_s: f64) -> Option<Decision> {
        if let Some(decision) = self.fall_back(self.heard_s, now_s) {
            return Some(decision);
        }
        if self.safe {
            return None;
        }
        let (law, _) = self.laws.get_mut(self.at_work)?;
        let wish = law.pass(now_s)?;
        Some(self.decide(wish, 0, now_s))
    }

    fn amplitude(&self) -> f64 {
        let peak_ma = self.laws.get(self.at_work).map_or(0.0, |(_, settings)| settings.peak_ma);
        if peak_ma > 0.0 { self.last.peak_ma / peak_ma } else { 0.0 }
    }

    /// The safe action, once, where there has been nothing to go by since `since_s`.
    fn fall_back(&mut self, since_s: f64, now_s: f64) -> Option<Decision> {
        let (_, settings) = self.laws.get(self.at_work)?;
        let due = now_s - since_s > settings.safe_after_s;
        if self.safe || !due {
            return None;
        }
        self.safe = true;
        let (start, last, amplitude) = (settings.start_exponent, self.last, self.amplitude());
        let wish = match settings.safe {
            Safe::Hold => return None,
            Safe::Start => Wish::of(start),
            Safe::Off => Wish { exponent: last.exponent, amplitude, flow: false },
        };
        Some(self.decide(wish, 0, now_s))
    }

    fn decide(&mut self, wish: Wish, estimate_id: u64, now_s: f64) -> Decision {
        let Some((_, settings)) = self.laws.get(self.at_work) else { return self.last };
        // Not a number is no wish: the start, without a current.
        let flow = wish.flow && wish.exponent.is_finite() && wish.amplitude > 0.0;
        let wanted = if wish.exponent.is_finite() { wish.exponent } else { settings.start_exponent };
        let exponent = wanted.clamp(settings.min_exponent, settings.max_exponent);
        let share = if wish.amplitude > 0.0 { wish.amplitude.min(1.0) } else { 0.0 };
        self.last = Decision {
            id: self.last.id + 1,
            estimate_id,
            at_s: now_s,
            exponent,
            peak_ma: settings.peak_ma * share,
            flow,
            bounded: exponent != wanted || wish.amplitude > 1.0,
            through: false,
        };
        self.last
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{adaptive::Adaptive, fixed::Fixed, *};
    use proptest::prelude::*;
    use tras_estimator::{Contamination, Fit, Reason};

    /// A valid, clean estimate of `exponent`, hop number `n` at half a second each.
    pub(crate) fn estimate(n: u64, exponent: f64) -> Estimate {
        let fit = Fit {
            exponent,
            exponent_se: 0.1,
            offset: 1.0,
            r_squared: 0.98,
            mae: 0.05,
            invalid: None,
            ..Fit::failed(Reason::PoorFit)
        };
        Estimate {
            id: n,
            target: 0,
            first_sample: 0,
            last_sample: n,
            stamp_s: n as f64 * 0.5,
            segments_used: 7,
            segments_total: 7,
            contamination: Contamination::Clean,
            fit,
        }
    }

    pub(crate) const BOUNDS: ControllerSettings = ControllerSettings {
        start_exponent: 1.0,
        min_exponent: 0.5,
        max_exponent: 2.5,
        peak_ma: 0.5,
        safe: Safe::Off,
        safe_after_s: 10.0,
    };

    #[test]
    fn where_there_is_nothing_to_go_by_the_safe_action_is_taken_once() {
        for (safe, flow, exponent) in [(Safe::Off, false, 1.9), (Safe::Start, true, 1.0)] {
            let settings = ControllerSettings { safe, ..BOUNDS };
            let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 1.0, 0.0, settings)), settings);
            controller.observe(&estimate(1, 0.6), 1.0);
            let mut bad = estimate(2, 0.6);
            // A reason of any kind: bent, stale, poor.
            bad.fit.invalid = Some(Reason::Stale);
            assert_eq!(controller.observe(&bad, 2.0), None, "held at first");
            let decision = controller.observe(&bad, 12.5);
            assert!(
                decision.is_some_and(|d| d.flow == flow && (d.exponent - exponent).abs() < 1e-9),
                "{decision:?}"
            );
            assert_eq!(controller.observe(&bad, 30.0), None, "once");
            // The same where estimates stop coming, and it ends with the next that steers.
            assert!(controller.observe(&estimate(3, 0.6), 31.0).is_some_and(|d| d.exponent > 1.0));
            assert_eq!(controller.pass(40.9), None);
            assert!(controller.pass(41.1).is_some_and(|d| d.flow == flow));
        }
    }

    #[test]
    fn under_current_only_what_is_shown_steers_and_without_a_proof_the_safe_action_is_taken_once() {
        let settings = ControllerSettings { safe: Safe::Start, ..BOUNDS };
        let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 1.0, 0.0, settings)), settings);
        let mut under = estimate(1, 0.6);
        under.contamination = Contamination::Stimulating;
        // What the current is still in never steers.
        assert_eq!(controller.observe(&under, 0.0), None);
        for n in 0..60 {
            let proven = Estimate { stamp_s: f64::from(n) * 0.5, ..under };
            assert!(controller.observe_through(&proven, proven.stamp_s).is_some_and(|d| d.through));
            assert_eq!(controller.pass_through(proven.stamp_s + 0.1), None);
        }
        let steered = controller.decision().exponent;
        assert!(steered > 1.5, "{steered}");
        let mut bad = under;
        bad.fit.invalid = Some(Reason::PoorFit);
        assert_eq!(controller.observe_through(&bad, 30.0), None);
        assert_eq!(controller.pass_through(39.0), None);
        assert_eq!(controller.decision().exponent, steered, "held");
        assert!(controller.pass_through(39.7).is_some_and(|d| d.through && d.exponent == 1.0));
        assert_eq!(controller.pass_through(80.0), None, "once");
        assert!(controller.observe_through(&under, 81.0).is_some(), "until a window is proven again");
        assert_eq!(controller.pass_through(82.0), None);
    }

    #[test]
    fn a_long_burst_is_nothing_to_fall_back_from() {
        let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 1.0, 0.0, BOUNDS)), BOUNDS);
        let mut under = estimate(1, 0.2);
        under.contamination = Contamination::Stimulating;
        for turn in 0..600 {
            assert_eq!(controller.observe(&under, f64::from(turn)), None);
            assert_eq!(controller.pass(f64::from(turn) + 0.5), None);
        }
    }

    #[test]
    fn a_selected_law_begins_with_its_own_start_and_decisions_go_on_counting() {
        let flat = ControllerSettings::open(0.5, 0.4);
        let mut controller = Controller::among(
            Box::new(Fixed),
            ControllerSettings::open(2.0, 0.5),
            vec![(Box::new(Fixed), flat)],
        );
        let decision = controller.select(1, 3, 9.0);
        assert!(decision.is_some_and(|d| (d.id, d.exponent, d.peak_ma, d.flow) == (2, 0.5, 0.4, true)));
        assert_eq!((controller.select(2, 4, 9.0), controller.decision().exponent), (None, 0.5));
    }

    #[test]
    fn an_estimate_taken_under_current_or_invalid_never_steers() {
        let mut controller = Controller::new(Box::new(Adaptive::new(1.5, 1.0, 0.1, BOUNDS)), BOUNDS);
        let before = controller.decision();
        let mut contaminated = estimate(1, 0.2);
        contaminated.contamination = Contamination::Stimulating;
        let mut settling = estimate(2, 0.2);
        settling.contamination = Contamination::Settling;
        let mut invalid = estimate(3, 0.2);
        invalid.fit.invalid = Some(Reason::PoorFit);
        for e in [contaminated, settling, invalid, estimate(4, f64::NAN)] {
            assert_eq!(controller.observe(&e, 1.0), None);
        }
        assert_eq!(controller.decision(), before);
        assert!(controller.observe(&estimate(5, 0.2), 1.0).is_some_and(|d| d.estimate_id == 5));
    }

    proptest! {
        #[test]
        fn no_estimates_drive_a_decision_out_of_bounds(xs in prop::collection::vec(-1e6..1e6f64, 1..200)) {
            for law in [
                Box::new(Fixed) as Box<dyn Law>,
                Box::new(Adaptive::new(1.5, 50.0, 50.0, BOUNDS)),
            ] {
                let mut controller = Controller::new(law, BOUNDS);
                for (n, &x) in xs.iter().enumerate() {
                    let decision = controller.observe(&estimate(n as u64 + 1, x), n as f64);
                    prop_assert!(decision.is_some_and(|d| (0.5..=2.5).contains(&d.exponent)));
                }
            }
        }
    }
}

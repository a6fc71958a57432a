//! Current only while the tracked exponent is beyond a threshold.
//!
//! Under current nothing can be tracked, so the law alternates: it looks, stimulates for one dwell, lets the EEG settle,
//! and looks again. Where proven windows under current steer, a dwell also ends once the exponent is back, after
//! [`LEAST_DWELL_S`] at the earliest.
//!
//! ```text
//! looking -beyond the threshold-> dwell -dwell_s-> refractory -refractory_s-> looking
//! ```
//! * **hysteresis**: once it has stimulated, it goes on until the exponent is back by so much on the good side.
//! * **share**: no more of the block than this is spent in dwells; then it only looks.

use super::{Law, Wish};
use tras_estimator::{Contamination, Estimate};

/// No dwell is shorter, in s: its ramps, and a while at full current.
pub const LEAST_DWELL_S: f64 = 20.0;

/// A gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateSettings {
    /// Stimulate where the exponent is beyond this.
    pub threshold: f64,
    /// Beyond means above; else below.
    pub above: bool,
    /// The gate closes where the exponent is back by so much.
    pub hysteresis: f64,
    /// One burst, ramps included, in s.
    pub dwell_s: f64,
    /// From the end of one to the next at the earliest, in s: blind gap and window must fit.
    pub refractory_s: f64,
    /// The most of a block that may be spent in dwells: above 0, at most 1.
    pub share: f64,
    /// The block, in s.
    pub block_s: f64,
}

impl GateSettings {
    /// Whether the numbers make a gate.
    ///
    /// # Errors
    /// Names the number that does not.
    pub fn check(&self) -> Result<(), String> {
        let table = [
            ("threshold", self.threshold, 0.0, 4.0),
            ("hysteresis", self.hysteresis, 0.0, 2.0),
            ("dwell_s", self.dwell_s, LEAST_DWELL_S, 600.0),
            ("refractory_s", self.refractory_s, 30.0, 600.0),
            ("share", self.share, 0.01, 1.0),
        ];
        let bad = table.into_iter().find(|(_, value, least, most)| !(value >= least && value <= most));
        match bad {
            Some((key, value, least, most)) => Err(format!("{key} = {value}: must lie in {least}..{most}")),
            None if self.dwell_s > self.share * self.block_s => {
                Err(format!("dwell_s = {}: a single one is more than share of the block", self.dwell_s))
            }
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Looking,
    Dwell(f64),
    Refractory(f64),
}

/// The law.
pub struct Gated {
    settings: GateSettings,
    exponent: f64,
    mode: Mode,
    /// Beyond the threshold, as the hysteresis has it.
    open: bool,
    /// In dwells of this block, in s.
    used_s: f64,
    now_s: f64,
}

impl Gated {
    /// A gate for stimulation with `exponent`.
    #[must_use]
    pub fn new(settings: GateSettings, exponent: f64) -> Self {
        Self { settings, exponent, mode: Mode::Looking, open: false, used_s: 0.0, now_s: 0.0 }
    }

    fn wish(&self) -> Wish {
        Wish { flow: matches!(self.mode, Mode::Dwell(_)), ..Wish::of(self.exponent) }
    }
}

impl Law for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn begin(&mut self, _block: u32, now_s: f64) -> Option<Wish> {
        *self = Self { now_s, ..Self::new(self.settings, self.exponent) };
        Some(self.wish())
    }

    fn update(&mut self, estimate: &Estimate) -> Option<Wish> {
        let s = &self.settings;
        let sign = if s.above { 1.0 } else { -1.0 };
        let beyond = sign * (estimate.fit.exponent - s.threshold);
        self.open = beyond > if self.open { -s.hysteresis } else { 0.0 };
        if self.mode == Mode::Looking && self.open && self.used_s + s.dwell_s <= s.share * s.block_s {
            self.used_s += s.dwell_s;
            self.mode = Mode::Dwell(self.now_s);
        }
        if let Mode::Dwell(since_s) = self.mode
            && estimate.contamination == Contamination::Stimulating
            && !self.open
            && self.now_s - since_s >= LEAST_DWELL_S
        {
            // What is left of the dwell is not spent.
            self.used_s -= (s.dwell_s - (self.now_s - since_s)).max(0.0);
            self.mode = Mode::Refractory(self.now_s);
        }
        Some(self.wish())
    }

    fn pass(&mut self, now_s: f64) -> Option<Wish> {
        self.now_s = now_s;
        match self.mode {
            Mode::Dwell(since_s) if now_s - since_s >= self.settings.dwell_s => {
                self.mode = Mode::Refractory(now_s);
                Some(self.wish())
            }
            Mode::Refractory(since_s) if now_s - since_s >= self.settings.refractory_s => {
                self.mode = Mode::Looking;
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::tests::estimate;

    const GATE: GateSettings = GateSettings {
        threshold: 1.5,
        above: true,
        hysteresis: 0.2,
        dwell_s: 30.0,
        refractory_s: 30.0,
        share: 0.4,
        block_s: 300.0,
    };

    /// Seconds of a block with current, for an exponent of each second.
    fn block(gate: GateSettings, exponent: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut law = Gated::new(gate, 2.0);
        let mut flow = law.begin(1, 100.0).is_some_and(|w| w.flow);
        let mut on = Vec::new();
        for second in 0..300 {
            let t = f64::from(second);
            flow = law.pass(100.0 + t).map_or(flow, |w| w.flow);
            if !flow {
                flow = law.update(&estimate(1, exponent(t))).is_some_and(|w| w.flow);
            }
            if flow {
                on.push(t);
            }
        }
        on
    }

    #[test]
    fn looks_stimulates_and_waits_within_its_share() {
        let on = block(GATE, |_| 1.8);
        assert_eq!(on.len(), 120, "four dwells of 30 s are 0.4 of 300 s");
        assert!(on.contains(&0.0) && !on.contains(&35.0) && on.contains(&61.0), "{on:?}");
        assert_eq!(block(GATE, |_| 1.4), []);
        assert_eq!(block(GateSettings { above: false, ..GATE }, |_| 1.4).len(), 120);
    }

    #[test]
    fn a_dwell_that_is_seen_to_have_done_its_work_ends_early() {
        let mut law = Gated::new(GATE, 2.0);
        law.begin(1, 100.0);
        law.pass(100.0);
        assert!(law.update(&estimate(1, 1.8)).is_some_and(|wish| wish.flow));
        let mut under = estimate(2, 1.2);
        under.contamination = Contamination::Stimulating;
        law.pass(115.0);
        assert!(law.update(&under).is_some_and(|wish| wish.flow), "not before 20 s");
        law.pass(121.0);
        assert!(law.update(&under).is_some_and(|wish| !wish.flow));
        assert!((law.used_s - 21.0).abs() < 1e-9, "{}", law.used_s);
        law.pass(140.0);
        assert!(law.update(&estimate(3, 1.8)).is_some_and(|wish| !wish.flow), "refractory");
    }

    #[test]
    fn hysteresis_keeps_an_open_gate_open() {
        let dips = |t: f64| if t < 30.0 { 1.6 } else { 1.4 };
        assert_eq!(block(GATE, dips).len(), 120);
        assert_eq!(block(GateSettings { hysteresis: 0.0, ..GATE }, dips).len(), 30);
    }

    #[test]
    fn numbers_that_make_no_gate_are_named() {
        assert!(GATE.check().is_ok());
        let bad = [
            (GateSettings { share: f64::NAN, ..GATE }, "share"),
            (GateSettings { dwell_s: 5.0, ..GATE }, "dwell_s"),
            (GateSettings { refractory_s: 1.0, ..GATE }, "refractory_s"),
            (GateSettings { dwell_s: 200.0, ..GATE }, "share of the block"),
        ];
        for (gate, key) in bad {
            assert!(gate.check().is_err_and(|what| what.contains(key)));
        }
    }
}

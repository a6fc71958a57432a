//! `[stimulation]`, `[controller]` and `[limits]`: the law, the burst, the host's limits and its current.

use super::Order;
use crate::{
    config::LawName,
    controller::{
        Bounded, Controller, ControllerSettings, Law, Safe, adaptive::Adaptive, fixed::Fixed, gated::Gated,
        individual::Individual, yoked::Yoked,
    },
    current::{Current, Setup},
    estimator::settings::DuringCurrent,
    failure::Failure,
    noise::NoiseError,
    plan::Plan,
    runtime::stages::{closed_loop::LoopSettings, stimulate::BurstSettings},
    session::{
        blocks::Blocks,
        course::Course,
        protocol::{LawPlan, Protocol},
        schedule::Schedule,
    },
};

impl Order {
    /// The session's plan, `None` without stimulation.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        self.config.stimulates().then(|| self.config.plan().schedule)
    }

    /// What the loop follows, `None` without stimulation.
    pub(super) fn course(&self) -> Option<Box<dyn Course>> {
        self.schedule().map(|schedule| Box::new(Blocks::new(schedule)) as Box<dyn Course>)
    }

    /// What the loop goes by.
    #[must_use]
    pub fn loop_settings(&self) -> LoopSettings {
        LoopSettings {
            steer: self.config.estimator.steering_region(),
            blind_gap_s: self.config.stimulation.blind_gap_s,
            max_age_s: self.config.stream.max_age_s,
        }
    }

    /// The control law within its bounds.
    ///
    /// # Errors
    /// An adaptive law without a target; a checked configuration has one.
    pub fn controller(&self) -> Result<Controller, Failure> {
        let c = &self.config.controller;
        let start = self.config.stimulation.exponent;
        let (min, max) = self.config.plan().exponents;
        let mut settings = ControllerSettings {
            start_exponent: start.clamp(min, max),
            min_exponent: min,
            max_exponent: max,
            ..ControllerSettings::open(start, self.config.stimulation.peak_ma)
        };
        if self.config.estimator.during_current == DuringCurrent::Steer {
            (settings.safe, settings.safe_after_s) = (Safe::Start, self.config.through_current.safe_after_s);
        }
        let law: Box<dyn Law> = match c.law {
            LawName::Fixed => Box::new(Fixed),
            LawName::Adaptive => {
                let target = c
                    .target_exponent
                    .ok_or_else(|| Failure::usage("controller.target_exponent is missing"))?;
                Box::new(Adaptive::new(target, c.gain_p, c.gain_i, settings))
            }
        };
        Ok(Controller::among(law, settings, self.condition_laws()?))
    }

    /// The laws of a protocol's conditions, in their order.
    fn condition_laws(&self) -> Result<Vec<Bounded>, Failure> {
        let (Some(protocol), Some(session)) = (&self.config.protocol, &self.session) else {
            return Ok(Vec::new());
        };
        let (c, built) = (&self.config.controller, self.protocol()?);
        let mut laws: Vec<Bounded> = Vec::new();
        for condition in &built.conditions {
            let open = ControllerSettings::open(condition.exponent, condition.peak_ma);
            let closed = ControllerSettings {
                min_exponent: c.exponent_min,
                max_exponent: c.exponent_max,
                safe: protocol.safe(),
                safe_after_s: protocol.safe_after_s,
                ..open
            };
            let start = condition.exponent;
            laws.push(match condition.law {
                LawPlan::Fixed => (Box::new(Fixed), open),
                LawPlan::Individual { difference } => {
                    (Box::new(Individual::new(difference, start, protocol.resting_exponent)), closed)
                }
                LawPlan::Adaptive { target } => {
                    (Box::new(Adaptive::new(target, c.gain_p, c.gain_i, closed)), closed)
                }
                LawPlan::Gated(gate) => {
                    let settings = ControllerSettings { min_exponent: start, max_exponent: start, ..closed };
                    (Box::new(Gated::new(gate, start)), settings)
                }
                LawPlan::Yoked => {
                    let yoked = session.yoked.as_ref().ok_or_else(|| {
                        Failure::usage(format!(
                            "condition \"{}\": law yoked plays another session's decisions: name its folder, --yoked-to \
                             FOLDER",
                            condition.name
                        ))
                    })?;
                    // It acts by the clock alone: no window is missed.
                    let settings = ControllerSettings {
                        min_exponent: c.exponent_min,
                        max_exponent: c.exponent_max,
                        ..open
                    };
                    (Box::new(Yoked::new(yoked.replayed(condition.peak_ma))), settings)
                }
            });
        }
        Ok(laws)
    }

    /// The protocol; a checked configuration's is sound.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn protocol(&self) -> Result<Protocol, Failure> {
        let section = self.config.protocol.as_ref().ok_or_else(|| Failure::usage("[protocol] is missing"))?;
        section.build(&self.config).map_err(|faults| {
            let first = faults.first().map_or_else(String::new, |f| format!("{}: {}", f.place, f.what));
            Failure::usage(first)
        })
    }

    /// From where a mean current over 10 s deserves a warning, in mA.
    #[must_use]
    pub fn dc_warn_ma(&self) -> f64 {
        self.config.limits.dc_warn_ua * 1e-3
    }

    /// Refuses a seed whose noise would be clipped too often over a session; one that nobody asked for is
    /// replaced by the next that will do.
    ///
    /// # Errors
    /// The seed, if it was asked for, and which one would pass.
    pub fn check_seed(&mut self, asked_for: bool) -> Result<(), Failure> {
        if !self.config.stimulates() {
            return Ok(());
        }
        match self.config.plan().check_seed(self.seed) {
            Ok(()) => Ok(()),
            Err(NoiseError::Seed { better: Some(better), .. }) if !asked_for => {
                self.seed = better;
                Ok(())
            }
            Err(error) => Err(Failure::usage(error)),
        }
    }

    /// What every burst has in common.
    #[must_use]
    pub fn burst(&self) -> BurstSettings {
        let plan = self.config.plan();
        BurstSettings {
            profile: plan.profile,
            peak_ma: plan.peak_ma,
            rms_ma: plan.noise(plan.exponent).rms_ma(),
            start_kohm: self.config.limits.start_kohm,
        }
    }

    /// The host's current, disarmed.
    ///
    /// # Errors
    /// A limit beyond its hard limit, a noise that cannot be made at the device's rate, or a law whose bounds hold
    /// an exponent that a burst would be refused for: better told now than at the third block.
    pub fn current(&self, rate_hz: f64) -> Result<Current, Failure> {
        let plan = Plan { rate_hz, ..self.config.plan() };
        let exponent_per_s = self.config.through_current.exponent_per_s;
        let setup = Setup { exponent_per_s, ..plan.setup(self.seed) };
        let current = Current::new(&setup).map_err(Failure::usage)?;
        // What a protocol adds up to, the configuration has checked.
        let refused = if self.session.is_some() { None } else { plan.refused().into_iter().next() };
        if let Some(refused) = refused {
            return Err(Failure::usage(format!("[stimulation] {refused}")));
        }
        if self.session.is_some() {
            let c = &self.config.controller;
            for condition in &self.protocol()?.conditions {
                let closed = matches!(
                    condition.law,
                    LawPlan::Individual { .. } | LawPlan::Adaptive { .. } | LawPlan::Yoked
                );
                let (min, max) = if closed {
                    (c.exponent_min, c.exponent_max)
                } else {
                    (condition.exponent, condition.exponent)
                };
                for exponent in [min, max] {
                    let what = |e| Failure::usage(format!("condition \"{}\": {e}", condition.name));
                    current.check(exponent, condition.peak_ma).map_err(what)?;
                }
            }
        }
        Ok(current)
    }
}

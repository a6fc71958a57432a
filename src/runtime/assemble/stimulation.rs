//! `[stimulation]`, `[controller]` and `[limits]`: the law, the burst, the host's limits and its current.

use super::Order;
use crate::{
    config::LawName,
    controller::{Controller, ControllerSettings, Law, adaptive::Adaptive, fixed::Fixed},
    current::Current,
    failure::Failure,
    noise::NoiseError,
    plan::Plan,
    runtime::stages::{closed_loop::LoopSettings, stimulate::BurstSettings},
    session::{blocks::Blocks, course::Course, schedule::Schedule},
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
        let settings = ControllerSettings {
            start_exponent: start.clamp(min, max),
            min_exponent: min,
            max_exponent: max,
        };
        let law: Box<dyn Law> = match c.law {
            LawName::Fixed => Box::new(Fixed),
            LawName::Adaptive => {
                let target = c
                    .target_exponent
                    .ok_or_else(|| Failure::usage("controller.target_exponent is missing"))?;
                Box::new(Adaptive::new(target, c.gain_p, c.gain_i, settings))
            }
        };
        Ok(Controller::new(law, settings))
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
        let current = Current::new(&plan.setup(self.seed)).map_err(Failure::usage)?;
        match plan.refused().first() {
            None => Ok(current),
            Some(refused) => Err(Failure::usage(format!("[stimulation] {refused}"))),
        }
    }
}

//! `[stimulation]`, `[controller]` and `[limits]`: the law, the burst, the host's limits and its current.

use super::Order;
use crate::{
    config::{LawName, StimulatorKind},
    controller::{
        Bounded, Controller, ControllerSettings, Law, adaptive::Adaptive, fixed::Fixed, gated::Gated,
        individual::Individual,
    },
    current::{Current, Setup},
    failure::Failure,
    limits::HostLimits,
    noise::{NoiseError, Parameters, Profile, profile::check_seed},
    runtime::stages::{closed_loop::LoopSettings, stimulate::BurstSettings},
    session::{
        blocks::Blocks,
        course::Course,
        protocol::{LawPlan, Protocol},
        schedule::Schedule,
    },
};

/// A seed is judged by its first ten minutes of noise, in s.
const SEED_CHECKED_S: f64 = 600.0;

impl Order {
    /// Whether current is to flow at all.
    #[must_use]
    pub fn stimulates(&self) -> bool {
        self.config.stimulation.enabled && self.config.stimulator.kind != StimulatorKind::None
    }

    /// The session's plan, `None` without stimulation.
    #[must_use]
    pub fn schedule(&self) -> Option<Schedule> {
        let s = &self.config.stimulation;
        self.stimulates().then_some(Schedule {
            baseline_s: s.baseline_s,
            block_s: s.block_s,
            gap_s: s.gap_s,
            blocks: s.blocks,
            ramp_down_s: s.ramp_down_s,
        })
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

    /// The least and the largest exponent that the law may give.
    fn exponent_bounds(&self) -> (f64, f64) {
        let c = &self.config.controller;
        match c.law {
            // An open loop gives what the protocol says, whatever an adaptive law would be bounded by.
            LawName::Fixed => (self.config.stimulation.exponent, self.config.stimulation.exponent),
            LawName::Adaptive => (c.exponent_min, c.exponent_max),
        }
    }

    /// The control law within its bounds.
    ///
    /// # Errors
    /// An adaptive law without a target; a checked configuration has one.
    pub fn controller(&self) -> Result<Controller, Failure> {
        let c = &self.config.controller;
        let start = self.config.stimulation.exponent;
        let (min, max) = self.exponent_bounds();
        let settings = ControllerSettings {
            start_exponent: start.clamp(min, max),
            min_exponent: min,
            max_exponent: max,
            ..ControllerSettings::open(start, self.config.stimulation.peak_ma)
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
        Ok(Controller::among(law, settings, self.condition_laws()?))
    }

    /// The laws of a protocol's conditions, in their order.
    fn condition_laws(&self) -> Result<Vec<Bounded>, Failure> {
        let (Some(protocol), Some(_)) = (&self.config.protocol, &self.session) else { return Ok(Vec::new()) };
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
                    return Err(Failure::usage(format!(
                        "condition \"{}\": law yoked needs another session's decisions, which this version does not read \
                         yet; choose another law",
                        condition.name
                    )));
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

    /// The host's limits.
    #[must_use]
    pub fn limits(&self) -> HostLimits {
        self.config.host_limits()
    }

    /// From where a mean current over 10 s deserves a warning, in mA.
    #[must_use]
    pub fn dc_warn_ma(&self) -> f64 {
        self.config.limits.dc_warn_ua * 1e-3
    }

    /// The noise of a burst, at the exponent that the session begins with.
    fn noise(&self) -> Parameters {
        let s = &self.config.stimulation;
        Parameters { exponent: s.exponent, band_hz: (s.band_hz[0], s.band_hz[1]), peak_ma: s.peak_ma }
    }

    /// Refuses a seed whose noise would be clipped too often over a session; one that nobody asked for is
    /// replaced by the next that will do.
    ///
    /// # Errors
    /// The seed, if it was asked for, and which one would pass.
    pub fn check_seed(&mut self, asked_for: bool) -> Result<(), Failure> {
        if !self.stimulates() {
            return Ok(());
        }
        let rate_hz = self.config.stimulator.rate_hz;
        let samples = (SEED_CHECKED_S * rate_hz) as u64;
        match check_seed(&self.noise(), rate_hz, self.seed, samples) {
            Ok(_) => Ok(()),
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
        let s = &self.config.stimulation;
        let profile = Profile::from(s.profile);
        BurstSettings {
            profile,
            peak_ma: s.peak_ma,
            rms_ma: self.noise().rms_ma(),
            start_kohm: self.config.limits.start_kohm,
        }
    }

    /// The host's current, disarmed.
    ///
    /// # Errors
    /// A limit beyond its hard limit, a noise that cannot be made at the device's rate, or a law whose bounds hold
    /// an exponent that a burst would be refused for: better told now than at the third block.
    pub fn current(&self, rate_hz: f64) -> Result<Current, Failure> {
        let s = &self.config.stimulation;
        let setup = Setup {
            rate_hz,
            band_hz: (s.band_hz[0], s.band_hz[1]),
            ramp_up_s: s.ramp_up_s,
            ramp_down_s: s.ramp_down_s,
            arm_expires_s: s.gap_s + s.baseline_s + 60.0,
            ..Setup::new(self.limits(), self.seed)
        };
        let current = Current::new(&setup).map_err(Failure::usage)?;
        let (min, max) = self.exponent_bounds();
        for exponent in [s.exponent, min, max] {
            current.check(exponent, s.peak_ma).map_err(|e| Failure::usage(format!("[stimulation] {e}")))?;
        }
        if self.session.is_some() {
            let c = &self.config.controller;
            for condition in &self.protocol()?.conditions {
                let closed = matches!(condition.law, LawPlan::Individual { .. } | LawPlan::Adaptive { .. });
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

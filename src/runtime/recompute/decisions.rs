//! Recorded decisions once more: those that an estimate made, and those that the clock made (a condition that is put to
//! work with its block, the end of a dwell, the end of a block).
//!
//! Decisions are compared in their order, not by their numbers: while a session is blind, numbers are sealed.

use std::collections::VecDeque;

use serde_json::Value;

use super::{RecomputeError, equal};
use crate::config::Config;
use crate::controller::{Controller, Decision};
use crate::estimator::Estimate;
use crate::session::folder;
use crate::session::protocol::{Given, Protocol};
use crate::session::recorded::{Happened, Recorded, What};
use crate::session::unblinding::Unblinded;

/// A turn of the loop at most, in s: a law that acts by the clock is asked once a turn.
const TURN_S: f64 = 0.02;

/// One decision as it was recorded.
struct Was {
    at_s: f64,
    event: Value,
}

impl Was {
    fn estimate(&self) -> u64 {
        self.event.get("estimate").and_then(Value::as_u64).unwrap_or(0)
    }

    fn through(&self) -> bool {
        self.event.get("through_current").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Decisions of a recording, and the controller that makes them once more.
pub(super) struct Decisions {
    controller: Controller,
    protocol: Option<Protocol>,
    /// What was unblinded, by block.
    conditions: Vec<(u32, String)>,
    /// When blocks began, as recorded.
    begins: Vec<(f64, u32)>,
    recorded: VecDeque<Was>,
    in_block: bool,
    exact: bool,
    /// Those that were equal.
    pub(super) equal: u64,
    /// Those behind the first that followed from a window under current: such windows are not cut once more here, and a
    /// law remembers what it was shown.
    pub(super) left_out: u64,
}

impl Decisions {
    /// Of a recording.
    pub(super) fn of(recorded: &Recorded, config: &Config, controller: Controller, exact: bool) -> Self {
        let protocol = config.protocol.as_ref().and_then(|protocol| protocol.build(config).ok());
        let blocks = protocol.as_ref().map_or(0, Protocol::blocks);
        let conditions = (1..=blocks)
            .filter_map(|block| {
                let text = std::fs::read_to_string(recorded.folder().join(folder::unblinded(block))).ok()?;
                let opened: Unblinded = serde_json::from_str(&text).ok()?;
                Some((block, opened.block.condition))
            })
            .collect();
        let (mut begins, mut all) = (Vec::new(), VecDeque::new());
        for Happened { at_s, what } in recorded.happened() {
            let What::Event(event) = what else { continue };
            let text = |key: &str| event.get(key).and_then(Value::as_str);
            match text("event") {
                Some("decision") => all.push_back(Was { at_s, event }),
                Some("phase") if text("phase") == Some("block") => {
                    let block = event.get("block").and_then(Value::as_u64).unwrap_or(0);
                    begins.push((at_s, u32::try_from(block).unwrap_or(0)));
                }
                _ => {}
            }
        }
        Self {
            controller,
            protocol,
            conditions,
            begins,
            recorded: all,
            in_block: false,
            exact,
            equal: 0,
            left_out: 0,
        }
    }

    /// An estimate that may steer, made at `at_s`: what the clock decided before it, and what it decides.
    ///
    /// # Errors
    /// A decision that differs.
    pub(super) fn steer(&mut self, estimate: &Estimate, at_s: f64) -> Result<(), RecomputeError> {
        if self.left_out > 0 {
            return Ok(());
        }
        while let Some(was) = self.next_if(|was| was.at_s < at_s) {
            if was.through() {
                self.left_out = 1 + self.recorded.len() as u64;
                self.recorded.clear();
                return Ok(());
            }
            // One of an estimate that is not in the recording cannot be made again.
            if was.estimate() == 0 {
                let is = self.by_clock(&was);
                self.compare(&was, &is)?;
            }
        }
        if self.in_block {
            // A law's refractory time ends without a decision.
            let _ = self.controller.pass(at_s - TURN_S);
        }
        let Some(is) = self.controller.observe(estimate, at_s) else { return Ok(()) };
        match self.next_if(|was| was.at_s == at_s) {
            Some(was) => self.compare(&was, &is),
            None => Ok(()),
        }
    }

    fn next_if(&mut self, such: impl Fn(&Was) -> bool) -> Option<Was> {
        if self.recorded.front().is_some_and(such) { self.recorded.pop_front() } else { None }
    }

    /// What the clock decided, as the recording says when.
    fn by_clock(&mut self, was: &Was) -> Decision {
        let at_s = was.at_s;
        let begun = self.begins.iter().rev().find(|(begun_s, _)| *begun_s == at_s).map(|(_, block)| *block);
        if let Some(block) = begun
            && let Some(law) = self.law_of(block)
            && let Some(decision) = self.controller.select(law, block, at_s)
        {
            self.in_block = true;
            return decision;
        }
        if self.in_block
            && let Some(decision) = self.controller.pass(at_s).or_else(|| self.controller.pass(at_s + TURN_S))
        {
            return decision;
        }
        self.in_block = false;
        self.controller.select(0, 0, at_s).unwrap_or(self.controller.decision())
    }

    /// The law of a block's condition, as it is numbered in the controller.
    fn law_of(&self, block: u32) -> Option<usize> {
        let protocol = self.protocol.as_ref()?;
        let plan = protocol.phases.get(protocol.place_of(block)?)?;
        let place = match plan.given {
            Given::Condition(place) => place,
            Given::Allocated => {
                let (_, name) = self.conditions.iter().find(|(of, _)| *of == block)?;
                protocol.conditions.iter().position(|condition| condition.name == *name)?
            }
            Given::Nothing => return None,
        };
        Some(place + 1)
    }

    fn compare(&mut self, Was { at_s, event }: &Was, is: &Decision) -> Result<(), RecomputeError> {
        let number = |key: &str| event.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let holds = event.get("estimate").and_then(Value::as_u64) == Some(is.estimate_id)
            && equal(number("exponent"), is.exponent, self.exact)
            && event.get("bounded").and_then(Value::as_bool) == Some(is.bounded)
            // What is open of a blinded session, and what older versions wrote, does not say these two.
            && event.get("peak_ma").and_then(Value::as_f64).is_none_or(|was| equal(was, is.peak_ma, self.exact))
            && event.get("flow").and_then(Value::as_bool).is_none_or(|was| was == is.flow);
        if holds {
            self.equal += 1;
            return Ok(());
        }
        let of = |key: &str| event.get(key).cloned().unwrap_or(Value::Null);
        Err(RecomputeError::Differs(format!(
            "decision at {at_s:.3} s was recorded as exponent {} from estimate {}, from the samples it is {} from estimate {}",
            of("exponent"),
            of("estimate"),
            is.exponent,
            is.estimate_id
        )))
    }
}

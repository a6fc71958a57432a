//! What a [`super::Current`] is told, what it refuses, and what it reports.

use crate::limits::{Limit, Violation};
use crate::noise::{NoiseError, Profile};
use tras_device::{FaultCode, State};

/// Begins a burst.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start {
    /// The decision that this carries out.
    pub decision_id: u64,
    /// Which noise.
    pub profile: Profile,
    /// χ.
    pub exponent: f64,
    /// Largest |current| in mA.
    pub peak_ma: f64,
}

/// Changes a burst while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Set {
    /// The decision that this carries out.
    pub decision_id: u64,
    /// χ.
    pub exponent: f64,
    /// Largest |current| in mA.
    pub peak_ma: f64,
}

/// Why a command is refused; nothing has changed then.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Not in this state.
    #[error("{command} refused in state {state:?}: {needs}")]
    State { command: &'static str, state: State, needs: &'static str },
    /// The noise cannot be made.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// More than the configured limit.
    #[error("{key} = {value} {unit}: above the limit of {limit} {unit}")]
    Limit { key: &'static str, value: f64, limit: f64, unit: &'static str },
    /// This noise would break a limit by itself sooner or later.
    #[error(
        "exponent {exponent} at {peak_ma} mA: its {what} is expected to reach {value:.3} {unit}, the limit is \
         {limit} {unit}; {advice}"
    )]
    Expected {
        exponent: f64,
        peak_ma: f64,
        what: &'static str,
        value: f64,
        limit: f64,
        unit: &'static str,
        advice: &'static str,
    },
    /// The session's charge or time is used up.
    #[error("{what} used up: {used:.1} of {limit} {unit}, a burst needs {needs:.1}")]
    Spent { what: &'static str, used: f64, limit: f64, needs: f64, unit: &'static str },
}

impl Refusal {
    /// What happened, in words that need no allocation: for the real-time path.
    #[must_use]
    pub fn in_short(&self) -> &'static str {
        match self {
            Self::State { .. } => "the burst is refused: the host's current is not armed",
            Self::Noise(_) => "the burst is refused: its noise cannot be made",
            Self::Limit { .. } => "the burst is refused: it asks for more than a limit",
            Self::Expected { .. } => "the burst is refused: its own noise would reach a limit",
            Self::Spent { .. } => "the burst is refused: the session's charge or time is used up",
        }
    }
}

/// Why the fault is latched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// The host's own limiter.
    Limit {
        /// Which limit.
        limit: Limit,
        /// The number that broke it.
        value: f64,
        /// The limit.
        bound: f64,
    },
    /// Told from outside: the device, the operator, a watchdog.
    Commanded {
        /// What was told.
        code: FaultCode,
        /// Its number, in the unit of the limit.
        value: f32,
    },
}

impl From<Violation> for Cause {
    fn from(violation: Violation) -> Self {
        Self::Limit { limit: violation.limit, value: violation.value, bound: violation.bound }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventKind {
    /// The state changed.
    State {
        /// Before.
        from: State,
        /// From this sample on.
        to: State,
    },
    /// A decision takes effect: the exponent from the next block of noise on, the peak along its ramp.
    Applied {
        /// χ.
        exponent: f64,
        /// Peak in mA.
        peak_ma: f64,
    },
    /// A fault is latched.
    Fault(Cause),
    /// Armed for too long without a start.
    ArmExpired,
}

/// Something that happened, and at which sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// Counts samples since construction: the first one it concerns.
    pub sample_index: u64,
    /// The decision in force; 0 before the first.
    pub decision_id: u64,
    /// What.
    pub kind: EventKind,
}

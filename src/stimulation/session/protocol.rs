//! A session's protocol: phases in order, what each waits for and needs, and the conditions that a block may have.
//!
//! Plain data. The configuration builds it from TOML and unrolls repetitions; [`super::check`] holds it against the
//! limits, [`super::dose`] reckons what it delivers, [`super::sequencer`] walks through it. Which block has which
//! condition is not in it: the allocation knows, and gives one block at a time.

use crate::noise::Profile;

/// What a phase is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Electrodes are measured and written down.
    Impedance,
    /// Rest with open eyes.
    RestOpen,
    /// Rest with closed eyes.
    RestClosed,
    /// Rest before the first block.
    Baseline,
    /// A task block; the only kind that may have current.
    Task,
    /// A break.
    Break,
    /// The participant is asked.
    Questionnaire,
    /// The end of the session.
    End,
}

impl Kind {
    /// All, in the order in which they are listed to a person.
    pub const ALL: [Self; 8] = [
        Self::Impedance,
        Self::RestOpen,
        Self::RestClosed,
        Self::Baseline,
        Self::Task,
        Self::Break,
        Self::Questionnaire,
        Self::End,
    ];

    /// The name in protocols, markers and recordings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Impedance => "impedance",
            Self::RestOpen => "rest_eyes_open",
            Self::RestClosed => "rest_eyes_closed",
            Self::Baseline => "baseline",
            Self::Task => "task",
            Self::Break => "break",
            Self::Questionnaire => "questionnaire",
            Self::End => "end",
        }
    }
}

/// What a phase waits for before it begins. The number of a marker rule is its place in [`Protocol::markers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// Nothing but its needs.
    AtOnce,
    /// A marker of the task's.
    Marker(usize),
    /// The operator's key.
    Key,
}

/// What ends a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Its duration.
    Time,
    /// A marker of the task's; the duration is the deadline.
    Marker(usize),
    /// The operator's key; the duration is the deadline.
    Key,
}

/// What follows where a marker or key has not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overrun {
    /// On as if it had come; told and recorded.
    GoOn,
    /// The phase is broken off, or left out.
    Break,
    /// The session ends.
    End,
}

/// What current a phase has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// None.
    Nothing,
    /// What the allocation says for this block.
    Allocated,
    /// Always this condition: its place in [`Protocol::conditions`].
    Condition(usize),
}

/// What must hold before a phase begins.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Needs {
    /// The operator has written down both electrodes, and they pass.
    pub impedance: bool,
    /// The EEG has been live without a break for so long, in s.
    pub stream_s: f64,
    /// The recording is healthy.
    pub recording: bool,
    /// The session and the day have this block's largest dose left.
    pub dose: bool,
}

/// One phase.
#[derive(Clone, Debug, PartialEq)]
pub struct PhasePlan {
    /// What it is for.
    pub kind: Kind,
    /// Counts task blocks from 1; `None` for any other phase.
    pub block: Option<u32>,
    /// What it waits for.
    pub begin: Begin,
    /// So long at most, in s.
    pub wait_s: f64,
    /// Where that does not come.
    pub late_begin: Overrun,
    /// What ends it.
    pub finish: Finish,
    /// Its length, or the longest, in s. Of a block: both ramps included.
    pub duration_s: f64,
    /// Where its end does not come.
    pub late_finish: Overrun,
    /// Its current.
    pub given: Given,
    /// From the begin of a block, and of its current, to the begin of its task, in s.
    pub lead_s: f64,
    /// What must hold.
    pub needs: Needs,
}

impl PhasePlan {
    /// A phase of so many seconds without current or needs.
    #[must_use]
    pub fn timed(kind: Kind, duration_s: f64) -> Self {
        Self {
            kind,
            block: None,
            begin: Begin::AtOnce,
            wait_s: f64::INFINITY,
            late_begin: Overrun::End,
            finish: Finish::Time,
            duration_s,
            late_finish: Overrun::GoOn,
            given: Given::Nothing,
            lead_s: 0.0,
            needs: Needs::default(),
        }
    }

    /// Whether the protocol names a current here.
    #[must_use]
    pub fn has_current(&self) -> bool {
        self.given != Given::Nothing
    }
}

/// What decides the exponent of a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LawPlan {
    /// The condition's own exponent.
    Fixed,
    /// The participant's resting exponent plus `difference`.
    Individual {
        /// Added to the resting exponent.
        difference: f64,
    },
    /// A bounded PI law towards a target.
    Adaptive {
        /// Where the participant's exponent shall go.
        target: f64,
    },
    /// Current only while the tracked exponent is beyond a threshold.
    Gated(crate::controller::gated::GateSettings),
    /// The decisions of another session.
    Yoked,
}

impl LawPlan {
    /// The name in protocols and recordings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Individual { .. } => "individual",
            Self::Adaptive { .. } => "adaptive",
            Self::Gated(_) => "gated",
            Self::Yoked => "yoked",
        }
    }
}

/// A condition, named freely.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The name in the allocation and in what is opened.
    pub name: String,
    /// Which noise.
    pub profile: Profile,
    /// χ, or where the law starts.
    pub exponent: f64,
    /// Largest |current| in mA.
    pub peak_ma: f64,
    /// What decides.
    pub law: LawPlan,
}

/// What happens to a block that was broken, when the session is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It stays broken; the next block follows.
    Skip,
    /// It is done again, in its own condition, after the operator's keys; both are recorded.
    Repeat,
}

/// The whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Protocol {
    /// The study.
    pub study: String,
    /// Which of the study's sessions, as in its allocation.
    pub session: String,
    /// In order, repetitions unrolled.
    pub phases: Vec<PhasePlan>,
    /// What a block may have.
    pub conditions: Vec<Condition>,
    /// Each condition has as many blocks as any other.
    pub balanced: bool,
    /// Names of the marker rules.
    pub markers: Vec<String>,
    /// A running block goes on without a healthy recording for so long, in s.
    pub patience_s: f64,
    /// What becomes of a broken block.
    pub broken: Broken,
    /// Least time from the end of a current to the next one, in s.
    pub gap_s: f64,
    /// Ramps inside each block, in s.
    pub ramp_up_s: f64,
    /// See `ramp_up_s`.
    pub ramp_down_s: f64,
}

impl Protocol {
    /// How many task blocks.
    #[must_use]
    pub fn blocks(&self) -> u32 {
        self.phases.iter().filter_map(|phase| phase.block).max().unwrap_or(0)
    }

    /// Whether any phase has current.
    #[must_use]
    pub fn stimulates(&self) -> bool {
        self.phases.iter().any(PhasePlan::has_current)
    }

    /// Place of a block among the phases.
    #[must_use]
    pub fn place_of(&self, block: u32) -> Option<usize> {
        self.phases.iter().position(|phase| phase.block == Some(block))
    }

    /// The session in s, where nothing is late; waiting for keys and markers counts nothing.
    #[must_use]
    pub fn total_s(&self) -> f64 {
        self.phases
            .iter()
            .map(|phase| if phase.duration_s.is_finite() { phase.duration_s } else { 0.0 })
            .sum()
    }
}

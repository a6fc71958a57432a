//! Why a run ended, in one word for scripts and in a few for people.

use serde::Serialize;

/// What ended a run. The first reason counts: whatever follows belongs to the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Its plan is done, or its protocol.
    #[default]
    Plan,
    /// `--seconds` are over.
    Seconds,
    /// `q`, or the operator's word in a session.
    Operator,
    /// Ctrl-C, SIGTERM or another signal that asks a process to end.
    Signal,
    /// The terminal of the dashboard has gone.
    Terminal,
    /// The source of the EEG has ended, as a simulation does.
    Stream,
    /// A fault: nothing could go on.
    Fault,
}

impl EndedBy {
    const ALL: [Self; 7] =
        [Self::Plan, Self::Seconds, Self::Operator, Self::Signal, Self::Terminal, Self::Stream, Self::Fault];

    /// As an operator reads it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Plan => "the plan is done",
            Self::Seconds => "--seconds are over",
            Self::Operator => "ended by the operator",
            Self::Signal => "ended by a signal (Ctrl-C, SIGTERM)",
            Self::Terminal => "the terminal has gone",
            Self::Stream => "the source of the EEG has ended",
            Self::Fault => "ended by a fault",
        }
    }

    /// A number for an atomic word; 0 stands for none.
    pub(crate) fn code(self) -> u8 {
        self as u8 + 1
    }

    /// What [`EndedBy::code`] gave.
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_its_code() {
        assert_eq!(EndedBy::from_code(0), None);
        for by in EndedBy::ALL {
            assert_eq!(EndedBy::from_code(by.code()), Some(by));
        }
    }
}

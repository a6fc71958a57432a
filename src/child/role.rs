//! What child processes there are, and what can become of them.

use std::fmt;

/// The hidden command.
pub const COMMAND: &str = "lsl-child";

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads the EEG stream.
    Inlet,
    /// Reads other programs' markers.
    Markers,
    /// Publishes our own streams.
    Outlets,
    /// The virtual participant of a demo.
    Participant,
}

impl Role {
    /// As on the child's command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inlet => "inlet",
            Self::Markers => "markers",
            Self::Outlets => "outlets",
            Self::Participant => "participant",
        }
    }

    /// From the command line.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Inlet, Self::Markers, Self::Outlets, Self::Participant].into_iter().find(|r| r.name() == name)
    }

    /// Without a sign of life for so long it is stuck, in s. A new marker stream takes liblsl seconds to connect.
    #[must_use]
    pub fn stuck_after_s(self) -> f64 {
        match self {
            Self::Inlet => 1.0,
            Self::Outlets => 3.0,
            Self::Markers => 10.0,
            Self::Participant => f64::INFINITY,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inlet => "the process that reads the EEG stream",
            Self::Markers => "the process that reads markers",
            Self::Outlets => "the process that publishes our streams",
            Self::Participant => "the simulated participant",
        })
    }
}

/// What has become of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It has ended by itself: by a signal, or with an exit code.
    Died(Death),
    /// It showed no sign of life, or wrote nonsense, and was ended.
    Stuck,
    /// Another one runs in its place.
    Restarted,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// By this signal.
    Signal(i32),
    /// With this exit code.
    Code(i32),
}

impl News {
    /// What has become of `role`, in words.
    #[must_use]
    pub fn words(self, role: Role) -> String {
        match self {
            Self::Died(Death::Signal(signal)) => {
                format!("{role} was ended by signal {signal}; it is started again")
            }
            Self::Died(Death::Code(code)) => {
                format!("{role} has ended with code {code}; it is started again")
            }
            Self::Stuck => format!("{role} was stuck and was ended; it is started again"),
            Self::Restarted => format!("{role} runs again"),
        }
    }
}

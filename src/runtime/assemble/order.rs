//! A run as it was asked for: the configuration, and what the command line says over it.

use std::path::PathBuf;

use crate::{
    config::Config,
    session::{keys::Keys, yoked::Yoked},
    stimulator::FaultCode,
};

/// What a run is assembled from.
#[derive(Clone, Debug)]
pub struct Order {
    /// Checked.
    pub config: Config,
    /// `run`, `demo` or `monitor`.
    pub command: &'static str,
    /// Seed of the noise, and of a simulation.
    pub seed: u64,
    /// End after so many seconds.
    pub seconds: Option<f64>,
    /// Folder of the recording.
    pub record: Option<PathBuf>,
    /// When the run was asked for, in s since 1970; `None` in virtual time, whose bytes must repeat.
    pub wall_clock: Option<u64>,
    /// Seconds to wait for the stream at the start.
    pub patience_s: f64,
    /// Keys that sign the recording's audit log; `None` keeps none.
    pub keys: Option<Keys>,
    /// The fault that the operator wants cleared, which the device has latched in an earlier run.
    pub clear_fault: Option<FaultCode>,
    /// A session by a protocol, and what the command line says of it.
    pub session: Option<SessionOrder>,
}

/// A session by a protocol.
#[derive(Clone, Debug, Default)]
pub struct SessionOrder {
    /// Nobody here may learn a condition.
    pub blind: bool,
    /// The allocation's file, where blocks take their condition from one.
    pub allocation: Option<PathBuf>,
    /// Goes on with the session in this folder, at this block.
    pub resume: Option<u32>,
    /// The number of this sitting, from 1; a session that goes on has one more. 0: nothing is recorded.
    pub sitting: u32,
    /// The block in which the session ended before it is resumed, where nothing says yet that it is broken.
    pub broke: Option<u32>,
    /// Decisions of another session, where a condition plays them.
    pub yoked: Option<Yoked>,
    /// In virtual time: what the wall clock shows at time 0 of the run's.
    pub virtual_unix_s: Option<f64>,
}

impl Order {
    /// A run of `config` that ends with its plan, records nothing and clears nothing.
    #[must_use]
    pub fn new(command: &'static str, config: Config, seed: u64) -> Self {
        Self {
            config,
            command,
            seed,
            seconds: None,
            record: None,
            wall_clock: None,
            patience_s: 10.0,
            keys: None,
            clear_fault: None,
            session: None,
        }
    }

    /// How long the run is to be, in s: as asked for, or as planned, or a minute where nothing is planned.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        self.seconds.unwrap_or_else(|| match &self.config.protocol {
            // A protocol ends by itself; what waits for a person may take hours.
            Some(_) if self.session.is_some() => 24.0 * 3_600.0,
            _ => self.schedule().map_or(60.0, |s| s.total_s()),
        })
    }
}

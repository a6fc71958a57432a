//! The TOML of a session, read and checked: plain data that no later stage has to doubt.
//!
//! In: the text of a file and its name. Out: a [`Config`], or a [`ConfigError`] that names every problem of the
//! file with its line. One file a section; `reader` turns TOML into values within bounds, [`checks`] holds
//! what no section can see alone, [`plan`] adds up what the session would deliver. Nothing here opens a file.

mod cautions;
pub mod checks;
pub mod controller;
mod dose;
pub mod error;
mod estimator;
pub mod limits;
pub mod markers;
pub mod outlets;
pub mod plan;
pub mod predicate;
pub mod protocol;
mod reader;
pub mod record;
mod section;
pub mod simulation;
pub mod stimulation;
pub mod stimulator;
pub mod stream;
pub(crate) mod synonyms;
pub mod through_current;

use crate::estimator::settings::Settings;
pub use crate::estimator::settings::{MethodName, Region};
pub use controller::{Controller, LawName};
pub use error::{ConfigError, Places, Problem};
pub use limits::Limits;
pub use markers::Markers;
pub use outlets::Outlets;
pub use plan::Outlook;
pub use protocol::ProtocolConfig;
pub use record::Record;
pub use simulation::Simulation;
pub use stimulation::Stimulation;
pub use stimulator::{StimulatorConfig, StimulatorKind};
pub use stream::{Stream, Unit};
pub use through_current::ThroughCurrent;

use reader::Reader;
use serde::Serialize;

/// The largest file that is read as a configuration, in bytes; a real one has a few thousand.
pub const MAX_BYTES: usize = 1 << 20;

/// A whole configuration, checked. Field names are the keys of the TOML.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Which stream, and how its channels are treated.
    pub stream: Stream,
    /// How exponents are estimated.
    pub estimator: Settings,
    /// What must hold before estimates under current steer.
    pub through_current: ThroughCurrent,
    /// How estimates become stimulation.
    pub controller: Controller,
    /// What is delivered, and when.
    pub stimulation: Stimulation,
    /// What must never be exceeded.
    pub limits: Limits,
    /// The way the current leaves.
    pub stimulator: StimulatorConfig,
    /// What is written to disk.
    pub record: Record,
    /// Which streams of other programs' markers are taken.
    pub markers: Markers,
    /// What is published over LSL.
    pub outlets: Outlets,
    /// The virtual participant of `tras demo`.
    pub simulation: Simulation,
    /// The working-memory task of a protocol's blocks; `tras task` reads the same table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<crate::task::TaskSettings>,
    /// A session's phases; without it `stimulation` says the course.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolConfig>,
    #[serde(skip)]
    places: Places,
}

impl Config {
    /// Reads and checks `text`; `file_name` is what messages call it.
    ///
    /// # Errors
    /// Every problem of the file: syntax, unknown keys, wrong types, values out of range, and settings that
    /// contradict one another. Cross checks run only where every value is good by itself.
    #[allow(clippy::should_implement_trait, reason = "a configuration also needs its file's name")]
    pub fn from_str(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        let document = reader::parse(text, file_name)?;
        let mut reader = Reader::new(text, file_name, document.get_ref());
        let task = reader.task(text);
        let config = Self { task, ..Self::read(&mut reader) };
        let config = Self { places: reader.finish()?, ..config };
        checks::check(&config)?;
        Ok(config)
    }

    /// Every section but the task's, which has questions of its own.
    fn read(reader: &mut Reader<'_, '_>) -> Self {
        Self {
            stream: Stream::read(&mut reader.section("stream")),
            estimator: estimator::read(&mut reader.section("estimator")),
            through_current: ThroughCurrent::read(&mut reader.section("through_current")),
            controller: Controller::read(&mut reader.section("controller")),
            stimulation: Stimulation::read(&mut reader.section("stimulation")),
            limits: Limits::read(&mut reader.section("limits")),
            stimulator: StimulatorConfig::read(&mut reader.section("stimulator")),
            record: Record::read(&mut reader.section("record")),
            markers: Markers::read(&mut reader.section("markers")),
            outlets: Outlets::read(&mut reader.section("outlets")),
            simulation: Simulation::read(&mut reader.section("simulation")),
            task: None,
            protocol: ProtocolConfig::read(&mut reader.section("protocol")),
            places: Places::default(),
        }
    }

    /// Checks what depends on the stream's sampling rate: the fit range against Nyquist, and that hop,
    /// segment and segment step are samples at all.
    ///
    /// # Errors
    /// Names each key that does not fit `rate_hz`.
    pub fn check_against_rate(&self, rate_hz: f64) -> Result<(), ConfigError> {
        checks::against_rate(self, rate_hz)
    }

    /// The configuration with every default filled in, as TOML that [`Config::from_str`] reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Plain structs of numbers, strings and lists always serialise; an empty text is unreachable.
        toml::to_string(self).unwrap_or_default()
    }

    /// Where each key stands in the file, for messages of later stages.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }
}

impl Default for Config {
    /// Every default: no stimulation, any one EEG stream.
    fn default() -> Self {
        Self::read(&mut Reader::new("", "", &reader::EMPTY))
    }
}

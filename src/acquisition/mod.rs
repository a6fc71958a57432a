//! Raw samples of a live stream, a file or a simulation in; conditioned frames out.
//!
//! In: whatever a [`Source`] yields, in its own unit, on its own clock. Out: [`frame::FrameHeader`] and one
//! `f32` in microvolts for each chosen channel, with what is known to be wrong with them. Nothing is ever
//! filled in: a lost sample is a fact on the frame after it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use tras_estimator::frame;

pub mod conditioner;
pub mod dejitter;
pub mod kinds;
pub mod lsl;
pub mod montage;
#[cfg(target_os = "linux")]
pub mod moved;
pub mod quality;
pub mod recording;
#[cfg(target_os = "linux")]
pub mod remote;
mod repeats;
pub mod settings;
pub mod state;

/// One channel of a stream, as its sender describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// The 10-20 or other label; `1`, `2`, ... where the sender gives none.
    pub label: String,
    /// The unit as the sender writes it; empty where it gives none.
    pub unit: String,
    /// `EEG`, `EOG`, `TRIG`, ... as the sender writes it; empty where it gives none.
    pub kind: String,
}

/// What a stream says of itself. A stream that returns is resumed only where these are unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamDescription {
    /// The stream's name.
    pub name: String,
    /// The content type, `EEG` as a rule.
    pub kind: String,
    /// The device's own identity, where it has one.
    pub source_id: String,
    /// The sending machine.
    pub hostname: String,
    /// Nominal sampling rate in Hz.
    pub rate_hz: f64,
    /// All channels, in the sender's order.
    pub channels: Vec<Channel>,
}

impl StreamDescription {
    /// The EEG of a recording, called by the file's name.
    fn of_file(path: &Path, rate_hz: f64, channels: Vec<Channel>) -> Self {
        let name = path
            .file_stem()
            .map_or_else(|| "recording".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let source_id = format!("file:{name}");
        Self { name, kind: "EEG".to_owned(), source_id, hostname: String::new(), rate_hz, channels }
    }
}

/// A stream at 100 Hz with channels of these labels, units and types.
#[cfg(test)]
fn stream_of(channels: &[(&str, &str, &str)]) -> StreamDescription {
    let channel = |&(label, unit, kind): &(&str, &str, &str)| Channel {
        label: label.into(),
        unit: unit.into(),
        kind: kind.into(),
    };
    StreamDescription {
        name: "amp".into(),
        kind: "EEG".into(),
        source_id: "x".into(),
        hostname: "here".into(),
        rate_hz: 100.0,
        channels: channels.iter().map(channel).collect(),
    }
}

/// What one call of [`Source::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// So many samples are in the buffers; call again, there may be more.
    Samples(usize),
    /// Nothing at the moment.
    Empty,
    /// The source has gone; it may come back. Every call says so until it is back.
    Lost,
    /// The source has come back, unchanged; the next samples follow a gap.
    Resumed,
    /// A file or simulation has ended.
    End,
}

/// Anything that yields EEG. `poll` never blocks and never allocates.
pub trait Source {
    /// What the source says of itself.
    fn description(&self) -> &StreamDescription;
    /// Moves waiting samples into `values` (sample-major, `channels` wide, the sender's unit) and their raw
    /// stamps, in seconds of this machine's LSL clock less `correction_s`, into `stamps_s`.
    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll;
    /// Offset to add to a raw stamp to bring it to this machine's clock.
    fn correction_s(&self) -> f64 {
        0.0
    }
    /// Waits until there may be samples, at most `timeout`; allocates no more than `poll`.
    fn wait(&mut self, timeout: Duration) {
        std::thread::sleep(timeout.min(Duration::from_millis(1)));
    }
    /// What the end of a run should tell of the source: a sender's long chunks, a stream that was refused.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn description(&self) -> &StreamDescription {
        (**self).description()
    }
    fn poll(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Poll {
        (**self).poll(values, stamps_s)
    }
    fn correction_s(&self) -> f64 {
        (**self).correction_s()
    }
    fn wait(&mut self, timeout: Duration) {
        (**self).wait(timeout);
    }
    fn warnings(&self) -> Vec<String> {
        (**self).warnings()
    }
}

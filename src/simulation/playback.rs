//! A recording played again as LSL streams: its samples by its own stamps, its annotations as markers.
//!
//! In: anything [`Playable`]. Out: a stream of the recording's channels, and one of markers where it has
//! annotations. Sample k leaves at `start + (its stamp - the first stamp) / speed`, each deadline computed from
//! the stamp and never from the deadline before (see [`super::pace`]).

use super::SimulationError;
use super::pace::{Clock, Lateness, LslClock, wait_until};
use crate::acquisition::{Channel, StreamDescription};
use crate::outlets::{describe::declare, prompt};
use lsl::{ChannelFormat, StreamOutlet};
use std::sync::atomic::AtomicBool;

/// Something that happened at a time of the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When, in seconds on the recording's own clock: that of its stamps.
    pub onset_s: f64,
    /// What, as the recording writes it.
    pub label: String,
}

/// A recording that can be read from its beginning, again and again.
pub trait Playable {
    /// What the recording says of its stream.
    fn description(&self) -> &StreamDescription;
    /// How many samples it has, where that is known without reading it.
    fn samples(&self) -> Option<u64>;
    /// Its annotations, by time.
    fn marks(&self) -> &[Mark];
    /// Reads the next samples into `values` (sample-major) and their stamps into `stamps_s`; 0 at the end.
    ///
    /// # Errors
    /// What is wrong in the file, and where.
    fn read(&mut self, values: &mut [f64], stamps_s: &mut [f64]) -> Result<usize, String>;
    /// Goes back to the beginning.
    ///
    /// # Errors
    /// Where the file cannot be read again.
    fn rewind(&mut self) -> Result<(), String>;
}

/// How to play.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaybackSettings {
    /// The stream's name; markers get `-markers` behind it.
    pub name: String,
    /// Again from the start at the end.
    pub looped: bool,
    /// Faster (above 1) or slower; the nominal rate follows.
    pub speed: f64,
    /// As fast as readers take it, stamped by the recording's own time: `1 s + (stamp - first stamp)`.
    pub fast: bool,
    /// Labels of the channels to play, in this order; empty: all.
    pub channels: Vec<String>,
    /// End after so much of the recording's time, in seconds.
    pub seconds: Option<f64>,
    /// With `fast`: how long to wait for a reader, in seconds.
    pub wait_s: f64,
}

impl Default for PlaybackSettings {
    fn default() -> Self {
        Self {
            name: "tras-replay".into(),
            looped: false,
            speed: 1.0,
            fast: false,
            channels: Vec::new(),
            seconds: None,
            wait_s: 30.0,
        }
    }
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Played {
    /// Samples sent.
    pub samples: u64,
    /// Markers sent.
    pub marks: u64,
    /// Seconds of the recording that have been played, over all rounds.
    pub seconds: f64,
    /// How late samples left.
    pub lateness: Lateness,
    /// Pauses of the recording that were longer than a minute, and were not waited for.
    pub cut_pauses: u64,
}

/// A pause longer than this is played as none: a recording left on over night, or a broken stamp.
const LONGEST_PAUSE_S: f64 = 60.0;
/// Samples read from the recording at a time.
const BLOCK: usize = 256;
/// From opening the streams to the first sample.
const LEAD_S: f64 = 0.2;
/// First stamp with `fast`. Not 0: LSL takes a stamp of 0 for "now".
const FAST_ORIGIN_S: f64 = 1.0;

/// The streams of one playback.
struct Streams {
    data: StreamOutlet,
    marks: Option<StreamOutlet>,
    /// Index of each played channel in the recording.
    chosen: Vec<usize>,
    sample: Vec<f64>,
    /// Stamp of the sample in `sample` that has not been sent.
    held_s: Option<f64>,
}

impl Streams {
    /// Sends the sample that was held; with `through`, everything that LSL holds back goes with it.
    fn send_held(&mut self, through: bool) -> Result<(), lsl::Error> {
        match self.held_s.take() {
            Some(stamp_s) => prompt::push(&self.data, &self.sample, stamp_s, through),
            None => Ok(()),
        }
    }
}

/// Plays `recording` until it ends or `stop` is set; calls `watch` after each block.
///
/// # Errors
/// [`SimulationError::Arguments`] for settings that make no sense or a file that cannot be read,
/// [`SimulationError::NotFound`] where no reader came (`fast`), [`SimulationError::Fault`] where LSL fails.
pub fn play(
    recording: &mut impl Playable,
    settings: &PlaybackSettings,
    stop: &AtomicBool,
    mut watch: impl FnMut(&Played),
) -> Result<Played, SimulationError> {
    let mut streams = open(recording, settings)?;
    let clock = LslClock;
    if settings.fast && !streams.data.wait_for_consumers(settings.wait_s) {
        return Err(SimulationError::NotFound(format!(
            "no reader of `{}` came within {} s; --fast starts when one is there (--wait changes the time)",
            settings.name, settings.wait_s
        )));
    }
    let marks = recording.marks().to_vec();
    let rate_hz = recording.description().rate_hz;
    let period_s = if rate_hz > 0.0 { 1.0 / rate_hz } else { 0.0 };
    let channels = recording.description().channels.len();
    let (mut values, mut stamps) = (vec![0.0; BLOCK * channels], vec![0.0; BLOCK]);
    let speed = if settings.fast { 1.0 } else { settings.speed };
    let start_s = if settings.fast { FAST_ORIGIN_S } else { clock.now_s() + LEAD_S };
    let mut played = Played::default();
    // Recording time at the beginning of this round, and the last stamp, both from 0 on.
    let (mut round_s, mut last_s) = (0.0, 0.0);
    let limit_s = settings.seconds.unwrap_or(f64::INFINITY);
    let lsl_fault =
        |error: lsl::Error| SimulationError::Fault(format!("LSL outlet `{}`: {error}", settings.name));
    'rounds: loop {
        let mut first = None;
        let mut next_mark = 0;
        // The stamp before, and what cut pauses have taken off the time.
        let (mut before_s, mut cut_s) = (f64::NAN, 0.0);
        loop {
            let count = recording.read(&mut values, &mut stamps).map_err(SimulationError::Arguments)?;
            if count == 0 {
                break;
            }
            for (row, stamp) in values.chunks_exact(channels).zip(&stamps).take(count) {
                let stamp = if stamp.is_finite() { *stamp } else { before_s + period_s };
                let stamp = if stamp.is_finite() { stamp } else { 0.0 };
                if (stamp - before_s).abs() > LONGEST_PAUSE_S {
                    cut_s += stamp - before_s - period_s;
                    played.cut_pauses += 1;
                }
                before_s = stamp;
                let origin_s = *first.get_or_insert(stamp) + cut_s;
                let time_s = round_s + (stamp - origin_s);
                if time_s >= limit_s {
                    break 'rounds;
                }
                let due_s = start_s + time_s / speed;
                while let Some(mark) = marks.get(next_mark).filter(|m| m.onset_s <= stamp) {
                    next_mark += 1;
                    // One from before the first sample belongs to its beginning.
                    let onset_s = round_s + (mark.onset_s - origin_s).max(0.0);
                    if let Some(outlet) = &streams.marks {
                        let stamp_s = start_s + onset_s / speed;
                        prompt::push(outlet, &vec![mark.label.as_str()], stamp_s, true).map_err(lsl_fault)?;
                        played.marks += 1;
                    }
                }
                if settings.fast {
                    if stop.load(std::sync::atomic::Ordering::Relaxed) {
                        break 'rounds;
                    }
                } else {
                    if !wait_until(&clock, due_s, stop) {
                        break 'rounds;
                    }
                    played.lateness.note(due_s, clock.now_s());
                }
                // With `fast`, packets of several samples: one at a time would be bound by the sockets. The last waits
                // here, to take along whatever LSL still holds back when no other follows.
                streams.send_held(played.samples % 64 == 63).map_err(lsl_fault)?;
                for (slot, from) in streams.sample.iter_mut().zip(&streams.chosen) {
                    *slot = row.get(*from).copied().unwrap_or(f64::NAN);
                }
                streams.held_s = Some(due_s);
                if !settings.fast {
                    streams.send_held(true).map_err(lsl_fault)?;
                }
                played.samples += 1;
                last_s = time_s;
                played.seconds = time_s + period_s;
                if !settings.fast && played.samples.is_multiple_of(BLOCK as u64) {
                    watch(&played);
                }
            }
            watch(&played);
        }
        streams.send_held(true).map_err(lsl_fault)?;
        // Markers behind the last sample: at their own time, unless that is too far off to be waited for.
        let origin_s = first.unwrap_or(0.0) + cut_s;
        for mark in marks.iter().skip(next_mark).filter(|_| first.is_some()) {
            let time_s = round_s + (mark.onset_s - origin_s);
            if time_s >= limit_s || time_s - last_s > LONGEST_PAUSE_S {
                break;
            }
            let due_s = start_s + time_s / speed;
            if !settings.fast && !wait_until(&clock, due_s, stop) {
                break 'rounds;
            }
            if let Some(outlet) = &streams.marks {
                prompt::push(outlet, &vec![mark.label.as_str()], due_s, true).map_err(lsl_fault)?;
                played.marks += 1;
            }
        }
        if !settings.looped || first.is_none() {
            break;
        }
        round_s = last_s + period_s.max(1e-3);
        recording.rewind().map_err(SimulationError::Arguments)?;
    }
    streams.send_held(true).map_err(lsl_fault)?;
    // Closing at once would cut off what readers have not fetched yet.
    clock.sleep(if settings.fast { 2.0 } else { 0.3 });
    Ok(played)
}

fn open(recording: &impl Playable, settings: &PlaybackSettings) -> Result<Streams, SimulationError> {
    let wrong = |what: String| Err(SimulationError::Arguments(what));
    if settings.name.trim().is_empty() {
        return wrong("the stream's name is empty".into());
    }
    if !(settings.speed.is_finite() && settings.speed > 0.0) {
        return wrong(format!("speed {}: give a number above 0", settings.speed));
    }
    let original = recording.description();
    let labels: Vec<&str> = original.channels.iter().map(|c| c.label.as_str()).collect();
    let mut chosen = Vec::new();
    for wanted in &settings.channels {
        match labels.iter().position(|label| label == wanted) {
            Some(index) => chosen.push(index),
            None => {
                return wrong(format!(
                    "no channel `{wanted}` in the recording; it has {}",
                    labels.join(", ")
                ));
            }
        }
    }
    if settings.channels.is_empty() {
        chosen = (0..labels.len()).collect();
    }
    if chosen.is_empty() {
        return wrong("the recording has no channels".into());
    }
    let speed = if settings.fast { 1.0 } else { settings.speed };
    let stream = StreamDescription {
        name: settings.name.clone(),
        kind: if original.kind.is_empty() { "EEG".into() } else { original.kind.clone() },
        source_id: format!("{}-{}", settings.name, original.source_id),
        hostname: String::new(),
        rate_hz: original.rate_hz * speed,
        channels: chosen.iter().filter_map(|i| original.channels.get(*i).cloned()).collect(),
    };
    let notes = [
        ("software", format!("tras {} replay", env!("CARGO_PKG_VERSION"))),
        ("recording", original.name.clone()),
        ("speed", speed.to_string()),
    ];
    let fault =
        |error: lsl::Error| SimulationError::Fault(format!("LSL outlet `{}`: {error}", settings.name));
    // Everything may be waiting at a slow reader with `fast`.
    let whole = recording.samples().map_or(3600.0, |n| n as f64 / stream.rate_hz.max(1.0));
    let buffer_s = if settings.fast { whole.clamp(360.0, 86_400.0) as i32 + 60 } else { 360 };
    let info = declare(&stream, ChannelFormat::Double64, &notes).map_err(fault)?;
    let data = StreamOutlet::new(&info, 0, buffer_s).map_err(fault)?;
    let marks = if recording.marks().is_empty() {
        None
    } else {
        let stream = StreamDescription {
            name: format!("{}-markers", settings.name),
            kind: "Markers".into(),
            source_id: format!("{}-markers-{}", settings.name, original.source_id),
            hostname: String::new(),
            rate_hz: lsl::IRREGULAR_RATE,
            channels: vec![Channel {
                label: "annotation".into(),
                unit: String::new(),
                kind: "Markers".into(),
            }],
        };
        let info = declare(&stream, ChannelFormat::String, &notes).map_err(fault)?;
        Some(StreamOutlet::new(&info, 0, 360).map_err(fault)?)
    };
    Ok(Streams { data, marks, sample: vec![0.0; chosen.len()], chosen, held_s: None })
}

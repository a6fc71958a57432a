//! What a recording needs before its first window: its current found, and what is wrong with it said.

use std::path::Path;

use super::delivered::Delivered;
use super::find::{self, Candidate};
use super::flow::Flow;
use super::{Asked, DuringCurrent};
use crate::acquisition::recording::xdf::survey;
use crate::acquisition::recording::{OpenOptions, Recording, RecordingError};
use crate::offline::current::{BLIND_GAP_S, Timeline};
use crate::units::hz;

/// A rate that differs by more than this share from what its stamps show is not true.
const LIES: f64 = 0.01;
/// Samples that are read at once.
const AT_ONCE: usize = 1 << 10;

/// Whose word counts where nobody has said what flowed.
const UNKNOWN: &str = "delivered current not known";

/// What is known of the current of a recording.
#[derive(Debug, Default)]
pub(in crate::offline) struct Prepared {
    /// What samples saw of it.
    pub(in crate::offline) timeline: Option<Timeline>,
    /// The current, where it can be removed.
    pub(super) delivered: Option<Delivered>,
    /// Why no window may be used.
    pub(in crate::offline) nothing_known: Option<&'static str>,
    /// Why no window under current may be used.
    pub(super) withheld: Option<&'static str>,
    /// In sentences.
    pub(in crate::offline) notes: Vec<String>,
}

impl Prepared {
    /// Nothing was asked: as our own recordings say.
    pub(in crate::offline) fn as_told(timeline: Option<Timeline>) -> Self {
        Self { timeline, ..Self::default() }
    }

    fn unknown(timeline: Option<Timeline>, why: String) -> Self {
        // Our own recordings say of each frame whether current flowed, even where they do not say which.
        let nothing_known = timeline.is_none().then_some(UNKNOWN);
        let what = if nothing_known.is_some() {
            "no window is valid"
        } else {
            "windows under current are not valid"
        };
        Self { timeline, nothing_known, notes: vec![format!("{why}; {what}")], ..Self::default() }
    }

    fn withhold(&mut self, why: &'static str, told: String) {
        self.withheld = self.withheld.or(Some(why));
        self.notes.push(format!("{told}; windows under current are shown, and not valid"));
    }
}

/// Looks for the current of the recording at `path`; `told` is what our own recordings say of when it flowed.
pub(in crate::offline) fn prepare(
    path: &Path,
    open: &OpenOptions,
    asked: &Asked,
    told: Option<Timeline>,
) -> Result<Prepared, RecordingError> {
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("xdf")) {
        let why = "--during-current: only an XDF file holds the current beside the EEG".to_owned();
        return Ok(Prepared::unknown(told, why));
    }
    let survey = survey(path)?;
    let chosen = match find::choose(&survey, asked.current.as_deref()) {
        Ok(chosen) => chosen,
        Err(why) => return Ok(Prepared::unknown(told, why)),
    };
    let name = chosen.name();
    let flow = Flow::of(path, &chosen)?;
    let (first_s, last_s) = span(path, open)?;
    if !(flow.first_s <= last_s && flow.last_s >= first_s) {
        let why = format!(
            "the current {name:?} and the EEG do not overlap in time: {:.1} to {:.1} s, and {first_s:.1} to {last_s:.1} s; \
             their clocks were not brought together",
            flow.first_s, flow.last_s
        );
        return Ok(Prepared::unknown(told, why));
    }
    let mut prepared = Prepared {
        timeline: Some(told.unwrap_or_else(|| Timeline::of_runs(&flow.runs, BLIND_GAP_S))),
        ..Prepared::default()
    };
    if flow.runs.is_empty() {
        prepared.notes.push(format!("the current {name:?} never flows"));
    }
    for other in find::candidates(&survey) {
        if (other.index, other.channel) != (chosen.index, chosen.channel)
            && !flow.same_as(&Flow::of(path, &other)?)
        {
            let told = format!(
                "{:?} is another current than {name:?}: two stimulators cannot be told apart in one EEG",
                other.name()
            );
            prepared.withhold("two stimulators", told);
        }
    }
    suspect(&chosen, &flow, &mut prepared);
    if asked.during == DuringCurrent::Show {
        match Delivered::open(path, &chosen, flow.rate_hz()) {
            Ok(delivered) => prepared.delivered = Some(delivered),
            Err(error) => {
                prepared.withhold("current cannot be read", format!("the current {name:?}: {error}"))
            }
        }
    }
    Ok(prepared)
}

/// What a stream says of itself that makes its current no measured one.
fn suspect(chosen: &Candidate<'_>, flow: &Flow, prepared: &mut Prepared) {
    let name = chosen.name();
    if chosen.unit().trim() != "mA" && chosen.ma_per_unit != Some(1.0) {
        let told = format!("the current {name:?} is in {:?}, not in mA", chosen.unit());
        prepared.withhold("current not in mA", told);
    }
    if chosen.asked_for() {
        let told = format!("the current {name:?} is what a stimulator was asked for, not what it delivered");
        prepared.withhold("current as asked for, not as delivered", told);
    }
    let (nominal_hz, measured_hz) = (chosen.stream.description.rate_hz, flow.rate_hz());
    // Between bursts a stimulator of ours tells nothing: then the count over the span is no rate.
    let paused = flow.samples as f64 * 1.5 < nominal_hz * (flow.last_s - flow.first_s);
    if nominal_hz > 0.0 && !paused && (measured_hz.is_nan() || (measured_hz / nominal_hz - 1.0).abs() > LIES)
    {
        let told =
            format!("the current {name:?} says {} of itself, its stamps {}", hz(nominal_hz), hz(measured_hz));
        prepared.withhold("rate of the current not true", told);
    }
}

/// First and last stamp of the EEG.
fn span(path: &Path, open: &OpenOptions) -> Result<(f64, f64), RecordingError> {
    let mut recording = Recording::open(path, open)?;
    let width = recording.description().channels.len().max(1);
    let (mut values, mut stamps_s) = (vec![0.0; width * AT_ONCE], vec![0.0; AT_ONCE]);
    let (mut first_s, mut last_s) = (f64::INFINITY, f64::NEG_INFINITY);
    while let count @ 1.. = recording.read_block(&mut values, &mut stamps_s)? {
        for stamp_s in stamps_s.iter().take(count) {
            first_s = first_s.min(*stamp_s);
            last_s = last_s.max(*stamp_s);
        }
    }
    Ok((first_s, last_s))
}

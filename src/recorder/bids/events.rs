//! `events.tsv`: phases, current, markers, by their place in the data.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::brainvision::Data;
use super::cell;
use crate::session::recorded::{Happened, What};
use crate::session::unblinding::{Unblinded, blocks_of};

/// Conditions of the blocks that are unblinded.
pub(super) type Conditions = BTreeMap<u32, String>;

/// Of a session's folder.
pub(super) fn conditions(folder: &Path) -> Conditions {
    let known =
        blocks_of(folder).into_iter().filter_map(|block| Unblinded::load(folder, block).ok().flatten());
    known.map(|unblinded| (unblinded.block.block, unblinded.block.condition)).collect()
}

/// The table.
pub(super) fn table(happened: &[Happened], data: &Data, conditions: &Conditions) -> String {
    let mut text = "onset\tduration\tsample\ttime\ttrial_type\tblock\tcondition\tvalue\n".to_owned();
    let mut block: Option<u32> = None;
    for (at, event) in happened.iter().enumerate() {
        let (kind, value, duration_s) = match &event.what {
            What::Marker(marker) => (marker_kind(marker), marker.clone(), Some(0.0)),
            What::OwnMarker(marker) => ("session".to_owned(), marker.clone(), Some(0.0)),
            What::Event(value) => {
                let name = value.get("event").and_then(Value::as_str).unwrap_or("event");
                // Decisions have a table of their own.
                if name == "decision" {
                    continue;
                }
                if name == "phase" {
                    block = value.get("block").and_then(Value::as_u64).and_then(|n| n.try_into().ok());
                }
                let more = ["phase", "state"].iter().find_map(|key| value.get(*key).and_then(Value::as_str));
                let kind = more.map_or_else(|| name.to_owned(), |more| format!("{name}/{more}"));
                (kind, value.to_string(), lasts(happened, at, name))
            }
        };
        let place = data.place(event.at_s);
        let condition = block.and_then(|block| conditions.get(&block));
        let _ = writeln!(
            text,
            "{:.6}\t{}\t{}\t{:.6}\t{}\t{}\t{}\t{}",
            place / data.rate_hz,
            duration_s.map_or_else(|| "n/a".to_owned(), |s| format!("{s:.6}")),
            place.round(),
            event.at_s,
            cell(&kind),
            block.map_or_else(|| "n/a".to_owned(), |block| block.to_string()),
            cell(condition.map_or("", String::as_str)),
            cell(&value),
        );
    }
    text
}

/// A phase lasts to the next one; what else happens is a moment.
fn lasts(happened: &[Happened], at: usize, name: &str) -> Option<f64> {
    if name != "phase" {
        return Some(0.0);
    }
    let is_phase = |event: &&Happened| matches!(&event.what, What::Event(value) if value.get("event").and_then(Value::as_str) == Some("phase"));
    let began_s = happened.get(at)?.at_s;
    happened.iter().skip(at + 1).find(is_phase).map(|next| next.at_s - began_s)
}

/// What a marker is called: of JSON its `event`, `type`, `name` or `marker`; of other text all but its numbers.
fn marker_kind(marker: &str) -> String {
    if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(marker) {
        let name = ["event", "type", "name", "marker"]
            .iter()
            .find_map(|key| object.get(*key).and_then(Value::as_str));
        return name.unwrap_or("marker").to_owned();
    }
    let parts: Vec<&str> = marker.split(['/', ' ']).filter(|part| part.parse::<f64>().is_err()).collect();
    if parts.is_empty() { marker.to_owned() } else { parts.join("/") }
}

/// What the columns mean.
pub(super) fn columns() -> Value {
    json!({
        "onset": {"Description": "Place in the data file over its rate: it points to the sample, also behind a gap", "Units": "s"},
        "duration": {"Description": "Of a phase until the next one; 0 of what is a moment", "Units": "s"},
        "sample": {"Description": "Place in the data file, from 0"},
        "time": {"Description": "The session's own clock (LSL), which counts through gaps", "Units": "s"},
        "trial_type": {"Description": "phase/..., current/... and the like: of the session; other names: markers of the task"},
        "block": {"Description": "Block of the session, from 1"},
        "condition": {"Description": "Condition of the block; n/a outside of blocks and where it is still blind"},
        "value": {"Description": "The event as one JSON object, or the marker as received"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_have_a_name() {
        for (marker, name) in [
            ("{\"event\":\"delay_on\",\"load\":4}", "delay_on"),
            ("{\"load\":4}", "marker"),
            ("delay_on", "delay_on"),
            ("trial/12/start", "trial/start"),
            ("probe 3", "probe"),
            ("17", "17"),
        ] {
            assert_eq!(marker_kind(marker), name);
        }
    }
}

//! Epochs: windows cut at markers, with the markers' fields.
//!
//! `delay_on:+0..+1.5` is the window from the marker to 1.5 s behind it. A marker is known by its name: of JSON its
//! `event`, `type`, `name` or `marker`; of other text the first word. Its fields are the other keys of the JSON, or the
//! `key=value` words.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::current::is_own;
use crate::acquisition::recording::{Annotation, OpenOptions, Recording, RecordingError};
use crate::session::recorded::{Recorded, What};
use crate::session::unblinding::Unblinded;

/// Keys of JSON that name a marker, the first that is there.
const NAMES: [&str; 4] = ["event", "type", "name", "marker"];

/// A window relative to a marker.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// The marker's name.
    pub marker: String,
    /// From where to where, in s relative to the marker.
    pub range_s: (f64, f64),
}

impl Epoch {
    /// Reads `delay_on:+0..+1.5`.
    ///
    /// # Errors
    /// It is none, in words for the command line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{:?}: expected MARKER:FROM..TO in seconds, as in delay_on:+0..+1.5", text.trim());
        let (marker, range) = text.rsplit_once(':').ok_or_else(wrong)?;
        let (from, to) = range.split_once("..").ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let (from_s, to_s) = number(from).zip(number(to)).ok_or_else(wrong)?;
        let marker = marker.trim().to_owned();
        if marker.is_empty() || from_s >= to_s {
            return Err(wrong());
        }
        Ok(Self { marker, range_s: (from_s, to_s) })
    }

    /// Its length in s.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        // Written in decimals: 1.5 and not 1.4999999999999998.
        ((self.range_s.1 - self.range_s.0) * 1e9).round() / 1e9
    }

    /// As it is written.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}:{:+}..{:+}", self.marker, self.range_s.0, self.range_s.1)
    }
}

/// A marker that some epoch is cut at.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    /// When, on the recording's time axis.
    pub at_s: f64,
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

impl Marker {
    fn of(annotation: &Annotation) -> Self {
        let (name, fields) = split(&annotation.text);
        Self { at_s: annotation.onset_s, name, fields }
    }

    /// A field's text; empty where it has none of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Name and fields of a marker's text.
fn split(text: &str) -> (String, Vec<(String, String)>) {
    if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) {
        let named = NAMES.iter().find_map(|key| Some((*key, object.get(*key)?.as_str()?.to_owned())));
        let (key, name) = named.unwrap_or(("", String::new()));
        let fields = object.iter().filter(|(other, _)| *other != key).map(|(other, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (other.clone(), if value.is_null() { String::new() } else { text })
        });
        return (name, fields.collect());
    }
    let mut words = text.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let fields = words.filter_map(|word| word.split_once('='));
    (name, fields.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// The markers of a recording that some epoch is cut at, in order. Those of our own recordings have the fields `block`
/// and, where it is unblinded, `condition` as well.
///
/// # Errors
/// The recording cannot be read.
pub fn of(path: &Path, open: &OpenOptions, epochs: &[Epoch]) -> Result<Vec<Marker>, RecordingError> {
    let recording = Recording::open(path, open)?;
    let all = recording.annotations().iter().map(Marker::of);
    let mut markers: Vec<Marker> =
        all.filter(|marker| epochs.iter().any(|epoch| epoch.marker == marker.name)).collect();
    if is_own(path)?
        && let Ok(recorded) = Recorded::open(path)
    {
        add_blocks(&mut markers, &recorded);
    }
    Ok(markers)
}

fn add_blocks(markers: &mut [Marker], recorded: &Recorded) {
    let phases: Vec<(f64, Option<u32>)> = recorded
        .happened()
        .into_iter()
        .filter_map(|happened| match happened.what {
            What::Event(event) if event.get("event").and_then(Value::as_str) == Some("phase") => {
                let block = event.get("block").and_then(Value::as_u64);
                Some((happened.at_s, block.and_then(|block| block.try_into().ok())))
            }
            _ => None,
        })
        .collect();
    // An unblinded block's own recording stands one folder below the session's.
    let folder = recorded.folder();
    let folder = if folder.ends_with(crate::session::folder::UNBLINDED) {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    for marker in markers {
        let before = phases.partition_point(|(at_s, _)| *at_s <= marker.at_s);
        let block = before.checked_sub(1).and_then(|last| phases.get(last)).and_then(|(_, block)| *block);
        let Some(block) = block else { continue };
        let unblinded = Unblinded::load(folder, block).ok().flatten();
        let more = [("block", Some(block.to_string())), ("condition", unblinded.map(|u| u.block.condition))];
        for (key, value) in more {
            if let Some(value) = value.filter(|_| marker.field(key).is_empty()) {
                marker.fields.push((key.to_owned(), value));
            }
        }
    }
}

/// The names of all fields, in order.
#[must_use]
pub fn fields<'a>(markers: impl IntoIterator<Item = &'a Marker>) -> Vec<String> {
    let names: BTreeSet<&str> =
        markers.into_iter().flat_map(|marker| marker.fields.iter().map(|(key, _)| key.as_str())).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn epochs_are_read_as_they_are_written() {
        let epoch = Epoch::parse(" delay_on:+0..+1.5").unwrap();
        assert_eq!((epoch.marker.as_str(), epoch.range_s, epoch.length_s()), ("delay_on", (0.0, 1.5), 1.5));
        assert_eq!(epoch.label(), "delay_on:+0..+1.5");
        assert_eq!(Epoch::parse("a:b:-1..0").unwrap().marker, "a:b");
        assert_eq!(Epoch::parse("t:-1.1..0.4").unwrap().length_s(), 1.5);
        for wrong in ["", "delay_on", "delay_on:1", "x:1..1", "x:2..1", ":0..1", "x:a..b", "x:0..inf"] {
            assert!(Epoch::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn markers_have_a_name_and_fields() {
        let fields = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        for (text, name, expected) in [
            (
                r#"{"event":"delay_on","load":4,"set":"a"}"#,
                "delay_on",
                fields(&[("load", "4"), ("set", "a")]),
            ),
            (r#"{"load":4}"#, "", fields(&[("load", "4")])),
            ("delay_on load=4 old", "delay_on", fields(&[("load", "4")])),
            ("delay_on", "delay_on", Vec::new()),
            ("17", "17", Vec::new()),
        ] {
            assert_eq!(split(text), (name.to_owned(), expected), "{text}");
        }
    }
}

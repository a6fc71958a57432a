//! `[stream]`: which EEG stream, which of its channels, and when it counts as lost.

use serde::Serialize;

use super::{
    predicate,
    section::{Section, within},
};
use crate::acquisition::settings::Reference;

/// The unit of a stream that does not state its own, or states it wrongly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Volts.
    #[serde(rename = "V")]
    Volts,
    /// Millivolts.
    #[serde(rename = "mV")]
    Millivolts,
    /// Microvolts.
    #[serde(rename = "uV")]
    Microvolts,
}

impl Unit {
    /// As a file writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Volts => "V",
            Self::Millivolts => "mV",
            Self::Microvolts => "uV",
        }
    }
}

/// Which stream, and how its channels are treated. Of `name`, `kind`, `source_id` and `predicate`, all that are
/// set must match, and exactly one stream may.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// The stream's name.
    pub name: Option<String>,
    /// The stream's content type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The device's own identity.
    pub source_id: Option<String>,
    /// An LSL predicate (XPath 1.0 on the stream's XML), for instance `starts-with(name,'Bio')`.
    pub predicate: Option<String>,
    /// Over the stream's own unit; needed where it states none.
    pub unit: Option<Unit>,
    /// Labels of the channels to take; empty takes every EEG channel.
    pub channels: Vec<String>,
    /// Corner of the amplifier's high-pass in Hz, where it is known: one inside the fit range is warned of.
    pub highpass_hz: Option<f64>,
    /// The same of its low-pass.
    pub lowpass_hz: Option<f64>,
    /// What is subtracted from every channel.
    pub reference: Reference,
    /// Silence after which the stream counts as lost, in s.
    pub lost_after_s: f64,
    /// Age of the newest sample beyond which stimulation is held, in s.
    pub max_age_s: f64,
    /// How long the stamp smoother may take to settle, in s.
    pub settle_s: f64,
    /// The amplifier's rail: it measures from minus to plus this many uV. Samples at 95 % of it are spoilt.
    pub range_uv: Option<f64>,
}

impl Stream {
    /// What the command line says over the file: a predicate if it holds a `=`, otherwise a name.
    pub fn choose(&mut self, text: &str) {
        let text = Some(text.trim().to_owned());
        self.source_id = None;
        (self.name, self.predicate) =
            if text.as_ref().is_some_and(|t| t.contains('=')) { (None, text) } else { (text, None) };
    }

    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let units = [
            ("V", Unit::Volts),
            ("mV", Unit::Millivolts),
            ("uV", Unit::Microvolts),
            ("µV", Unit::Microvolts),
            ("μV", Unit::Microvolts),
        ];
        let stream = Self {
            name: s.text("name"),
            kind: s.text("type").unwrap_or_else(|| "EEG".to_owned()),
            source_id: s.text("source_id"),
            predicate: s.text("predicate"),
            unit: s.choice_opt("unit", &units),
            channels: s.texts("channels"),
            reference: read_reference(s),
            // "LOST within 500 ms": 0.4 s of silence leaves 100 ms for the loop to notice.
            lost_after_s: s.number(
                "lost_after_s",
                0.4,
                within(0.1, 0.5, "s").because("LOST is due within 0.5 s"),
            ),
            max_age_s: s.number("max_age_s", 0.5, within(0.05, 5.0, "s")),
            settle_s: s.number("settle_s", 2.0, within(0.0, 60.0, "s")),
            highpass_hz: s.number_opt("highpass_hz", within(0.001, 1e4, "Hz")),
            lowpass_hz: s.number_opt("lowpass_hz", within(0.1, 1e5, "Hz")),
            range_uv: s.number_opt("range_uv", within(10.0, 1e7, "uV")),
        };
        if let Some(what) = stream.predicate.as_deref().and_then(predicate::problem) {
            s.problem("predicate", what, "write it as in type='EEG' and starts-with(name,'Bio')");
        }
        s.done();
        stream
    }
}

fn read_reference(s: &mut Section<'_, '_, '_>) -> Reference {
    if s.is_list("reference") {
        let labels = s.texts("reference");
        if labels.is_empty() {
            s.problem("reference", "the list is empty", "name channels, or write \"none\" or \"average\"");
        }
        return Reference::Channels(labels);
    }
    if s.choice("reference", false, &[("none", false), ("average", true)]) {
        Reference::Average
    } else {
        Reference::None
    }
}

//! What to acquire: the `[stream]` section of the configuration, resolved; and what can go wrong.

use serde::{Deserialize, Serialize};

use crate::units::UnitError;

/// Which stream is meant. Every part that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamChoice {
    /// Its name, exactly.
    pub name: Option<String>,
    /// Its content type, exactly.
    pub kind: Option<String>,
    /// Its source id, exactly.
    pub source_id: Option<String>,
    /// An LSL predicate (XPath 1.0), as in `starts-with(name,'Bio') and channel_count=64`.
    pub predicate: Option<String>,
}

impl StreamChoice {
    /// From the command line's `--stream`: a text with `=` is a predicate, any other a name.
    #[must_use]
    pub fn from_argument(text: &str) -> Self {
        let text = Some(text.trim().to_owned());
        if text.as_ref().is_some_and(|t| t.contains('=')) {
            Self { predicate: text, ..Self::default() }
        } else {
            Self { name: text, ..Self::default() }
        }
    }

    /// In words, for messages.
    #[must_use]
    pub fn in_words(&self) -> String {
        let parts: Vec<String> = [("name", &self.name), ("type", &self.kind), ("source id", &self.source_id)]
            .into_iter()
            .filter_map(|(key, value)| value.as_ref().map(|v| format!("{key} \"{v}\"")))
            .chain(self.predicate.as_ref().map(|p| format!("predicate {p}")))
            .collect();
        if parts.is_empty() { "type \"EEG\"".to_owned() } else { parts.join(" and ") }
    }
}

/// What the potentials are measured against; in files `"none"`, `"average"`, or a list of labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum Reference {
    /// As the amplifier gives them.
    #[default]
    None,
    /// The mean of the chosen channels.
    Average,
    /// The mean of these channels of the stream, chosen or not.
    Channels(Vec<String>),
}

/// A [`Reference`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Labels(Vec<String>),
}

impl From<Reference> for Written {
    fn from(reference: Reference) -> Self {
        match reference {
            Reference::None => Self::Word("none".to_owned()),
            Reference::Average => Self::Word("average".to_owned()),
            Reference::Channels(labels) => Self::Labels(labels),
        }
    }
}

impl TryFrom<Written> for Reference {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Word(word) if word == "none" => Ok(Self::None),
            Written::Word(word) if word == "average" => Ok(Self::Average),
            Written::Word(word) => Err(format!("{word:?} is not \"none\", \"average\" or a list of labels")),
            Written::Labels(labels) => Ok(Self::Channels(labels)),
        }
    }
}

/// Everything that acquisition is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcquisitionSettings {
    /// Which stream.
    pub choice: StreamChoice,
    /// The unit of all channels, over what the sender writes.
    pub unit: Option<String>,
    /// Labels of the channels to take, in this order; empty for all EEG channels.
    pub channels: Vec<String>,
    /// What they are measured against.
    pub reference: Reference,
    /// Without samples for so long the stream counts as lost. It rises by itself, with a warning, for a
    /// sender whose chunks are longer.
    pub lost_after_s: f64,
    /// After a stall of the reader, older data than this are skipped and counted.
    pub max_age_s: f64,
    /// Whether the stamps are true as they are (a file's, which have been looked at as a whole): nothing is smoothed,
    /// nothing has to settle, and whatever lies between two of them is missing.
    pub exact_stamps: bool,
    /// How much data the smoother of stamps needs before they count as settled.
    pub settle_s: f64,
    /// The amplifier's range is plus and minus this; without it saturation is not looked for.
    pub range_uv: Option<f64>,
    /// The most samples that the sender may send in one packet. One: each sample goes out as it is made,
    /// and no remainder of a chunk waits at the sender for the next.
    pub chunk_samples: usize,
}

impl Default for AcquisitionSettings {
    fn default() -> Self {
        Self {
            choice: StreamChoice::default(),
            unit: None,
            channels: Vec::new(),
            reference: Reference::None,
            lost_after_s: 0.4,
            max_age_s: 1.0,
            exact_stamps: false,
            settle_s: 2.0,
            range_uv: None,
            chunk_samples: 1,
        }
    }
}

/// Why acquisition cannot start. Every message says what to change.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AcquisitionError {
    /// No stream answers the choice: exit code 3.
    #[error("no LSL stream with {wanted} within {waited_s} s. {visible}")]
    NotFound {
        /// The choice in words.
        wanted: String,
        /// How long was waited.
        waited_s: f64,
        /// The streams that are there, one a line, or where to look if there are none.
        visible: String,
    },
    /// Two or more streams answer the choice: exit code 2.
    #[error(
        "{count} LSL streams have {wanted}; choose one, on the command line as below or by stream.predicate in the configuration:{list}"
    )]
    Ambiguous {
        /// The choice in words.
        wanted: String,
        /// How many.
        count: usize,
        /// The streams, one a line.
        list: String,
    },
    /// The stream cannot be used: exit code 3.
    #[error("stream \"{stream}\": {what}")]
    Unusable {
        /// Name of the stream.
        stream: String,
        /// Why, and what to do.
        what: String,
    },
    /// In the words of the process that reads the stream.
    #[error("{what}")]
    Told {
        /// Whether it is about what is there (exit code 3), or about what was asked for (exit code 2).
        not_found: bool,
        /// In words.
        what: String,
    },
    /// A channel's unit cannot be told: exit code 2.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A setting is wrong, by itself or for this stream: exit code 2.
    #[error("{key}: {what}")]
    Setting {
        /// The key of the configuration.
        key: String,
        /// What is wrong with it, and what would be right.
        what: String,
    },
}

impl AcquisitionError {
    /// Whether it is about what is there (exit code 3) and not about what was asked for (exit code 2).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. } | Self::Unusable { .. } | Self::Told { not_found: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_an_equals_sign_is_a_predicate() {
        assert_eq!(StreamChoice::from_argument("My Amp").name.as_deref(), Some("My Amp"));
        assert_eq!(StreamChoice::from_argument("type='EEG'").predicate.as_deref(), Some("type='EEG'"));
    }
}

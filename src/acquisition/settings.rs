//! What to acquire: the `[stream]` section of the configuration, resolved; and what can go wrong.

use serde::Deserialize;

use crate::units::UnitError;

/// Which stream is meant. Every part that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// What the potentials are measured against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// As the amplifier gives them.
    #[default]
    None,
    /// The mean of the chosen channels.
    Average,
    /// The mean of these channels of the stream, chosen or not.
    Channels(Vec<String>),
}

/// Everything that acquisition is told.
#[derive(Clone, Debug, PartialEq)]
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
            settle_s: 2.0,
            range_uv: None,
            chunk_samples: 1,
        }
    }
}

/// The `[stream]` section as it stands in the TOML file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSection {
    /// `stream.name`
    pub name: Option<String>,
    /// `stream.type`
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `stream.source_id`
    pub source_id: Option<String>,
    /// `stream.predicate`
    pub predicate: Option<String>,
    /// `stream.unit`
    pub unit: Option<String>,
    /// `stream.channels`
    pub channels: Vec<String>,
    /// `stream.reference`: "none", "average" or a list of labels.
    pub reference: Option<ReferenceText>,
    /// `stream.lost_after_s`
    pub lost_after_s: Option<f64>,
    /// `stream.max_age_s`
    pub max_age_s: Option<f64>,
    /// `stream.settle_s`
    pub settle_s: Option<f64>,
    /// `stream.range_uv`
    pub range_uv: Option<f64>,
}

/// A word or a list of labels.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum ReferenceText {
    /// "none" or "average".
    Word(String),
    /// Labels.
    Labels(Vec<String>),
}

impl StreamSection {
    /// Checks the section and resolves it.
    ///
    /// # Errors
    /// [`AcquisitionError::Setting`] with the key, the value and what would be right.
    pub fn resolve(self) -> Result<AcquisitionSettings, AcquisitionError> {
        let usual = AcquisitionSettings::default();
        let wrong =
            |key: &str, what: String| AcquisitionError::Setting { key: format!("stream.{key}"), what };
        let within = |key: &str, value: Option<f64>, usual: f64, low: f64, high: f64| match value {
            Some(v) if !(v >= low && v <= high) => {
                Err(wrong(key, format!("{v} is not within {low} to {high}")))
            }
            v => Ok(v.unwrap_or(usual)),
        };
        let reference = match self.reference {
            None => Reference::None,
            Some(ReferenceText::Word(word)) => match word.trim().to_ascii_lowercase().as_str() {
                "none" => Reference::None,
                "average" => Reference::Average,
                _ => {
                    let what = format!("\"{word}\" is neither \"none\" nor \"average\" nor a list of labels");
                    return Err(wrong("reference", what));
                }
            },
            Some(ReferenceText::Labels(labels)) if labels.is_empty() => {
                return Err(wrong(
                    "reference",
                    "the list is empty; write \"none\" for no re-reference".into(),
                ));
            }
            Some(ReferenceText::Labels(labels)) => Reference::Channels(labels),
        };
        if let Some(unit) = &self.unit
            && crate::units::microvolts_per(unit).is_none()
        {
            return Err(UnitError::Stated { unit: unit.clone() }.into());
        }
        Ok(AcquisitionSettings {
            lost_after_s: within("lost_after_s", self.lost_after_s, usual.lost_after_s, 0.05, 60.0)?,
            max_age_s: within("max_age_s", self.max_age_s, usual.max_age_s, 0.05, 60.0)?,
            settle_s: within("settle_s", self.settle_s, usual.settle_s, 0.0, 600.0)?,
            range_uv: self.range_uv.map(|v| within("range_uv", Some(v), v, 1.0, 1e9)).transpose()?,
            choice: StreamChoice {
                name: self.name,
                kind: self.kind,
                source_id: self.source_id,
                predicate: self.predicate,
            },
            unit: self.unit,
            channels: self.channels,
            reference,
            chunk_samples: usual.chunk_samples,
        })
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
    #[error("{count} LSL streams have {wanted}; choose one by stream.source_id or stream.predicate:{list}")]
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
        matches!(self, Self::NotFound { .. } | Self::Unusable { .. })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(text: &str) -> Result<AcquisitionSettings, AcquisitionError> {
        toml::from_str::<StreamSection>(text).unwrap().resolve()
    }

    #[test]
    fn an_empty_section_gives_the_defaults() {
        assert_eq!(read("").unwrap(), AcquisitionSettings::default());
    }

    #[test]
    fn all_keys_arrive() {
        let got = read(
            "name='a'\ntype='EEG'\nsource_id='x1'\nunit='mV'\nchannels=['Fz','Cz']\nreference=['M1','M2']\n\
             lost_after_s=0.3\nmax_age_s=2\nsettle_s=5\nrange_uv=3000",
        )
        .unwrap();
        assert_eq!(got.choice.kind.as_deref(), Some("EEG"));
        assert_eq!(got.reference, Reference::Channels(vec!["M1".into(), "M2".into()]));
        assert_eq!(
            (got.lost_after_s, got.max_age_s, got.settle_s, got.range_uv),
            (0.3, 2.0, 5.0, Some(3000.0))
        );
        assert_eq!(read("reference='Average'").unwrap().reference, Reference::Average);
    }

    #[test]
    fn a_wrong_value_is_refused_by_its_key() {
        for (text, key) in [
            ("lost_after_s=0", "stream.lost_after_s"),
            ("lost_after_s=nan", "stream.lost_after_s"),
            ("max_age_s=-1", "stream.max_age_s"),
            ("settle_s=inf", "stream.settle_s"),
            ("range_uv=0", "stream.range_uv"),
            ("reference='mastoids'", "stream.reference"),
            ("reference=[]", "stream.reference"),
            ("unit='ohm'", "stream.unit"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(key), "{text}: {message}");
        }
        assert!(toml::from_str::<StreamSection>("nmae='x'").is_err());
    }

    #[test]
    fn a_text_with_an_equals_sign_is_a_predicate() {
        assert_eq!(StreamChoice::from_argument("My Amp").name.as_deref(), Some("My Amp"));
        assert_eq!(StreamChoice::from_argument("type='EEG'").predicate.as_deref(), Some("type='EEG'"));
    }
}

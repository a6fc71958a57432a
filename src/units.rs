//! Potentials in microvolts, whatever the sender calls them.
//!
//! Senders write units as they like: "microvolts", "uV", "µV", "muV", "mV", "volts". In: that text, and the
//! unit that the configuration states, if it does. Out: the factor to microvolts, or a refusal. A unit that
//! is missing or unknown is never guessed: a factor of 1,000 between a spectrum and the truth looks
//! plausible on every screen.

/// How many microvolts one `unit` is; `None` where the text names no unit of potential.
///
/// Case, blanks, hyphens and underscores do not count, nor which of Unicode's two mu characters is used,
/// nor that mu as UTF-8 read as Latin-1 (`Âµ`). A mark in front (`.V`, `?V`, `-V`) is what is left of a mu that was
/// lost, or of anything else: no unit.
///
/// ```
/// use tras::units::microvolts_per;
/// assert_eq!(microvolts_per("µV"), Some(1.0));
/// assert_eq!(microvolts_per("millivolts"), Some(1e3));
/// assert_eq!(microvolts_per("counts"), None);
/// ```
#[must_use]
pub fn microvolts_per(unit: &str) -> Option<f64> {
    let unit = unit.trim().trim_end_matches('.');
    if !unit.starts_with(char::is_alphabetic) {
        return None;
    }
    let plain: String = unit
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_' | 'Â'))
        .map(|c| if matches!(c, 'µ' | 'μ') { 'u' } else { c.to_ascii_lowercase() })
        .collect();
    let prefix = ["volts", "volt", "v"].iter().find_map(|name| plain.strip_suffix(name))?;
    match prefix {
        "n" | "nano" => Some(1e-3),
        "u" | "mu" | "micro" => Some(1.0),
        "m" | "milli" => Some(1e3),
        "" => Some(1e6),
        _ => None,
    }
}

/// A rate for a message: at most four decimals, no zeros behind them.
///
/// ```
/// assert_eq!(tras::units::hz(200.0 / 1.0008), "199.8401 Hz");
/// ```
#[must_use]
pub fn hz(rate_hz: f64) -> String {
    format!("{} Hz", (rate_hz * 1e4).round() / 1e4)
}

/// A channel whose unit cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// The sender gives none, and the configuration states none.
    #[error(
        "stream \"{stream}\", channel \"{channel}\": the sender gives no unit; \
         state it in the configuration, for instance stream.unit = \"uV\" (or \"mV\", \"V\")"
    )]
    Missing {
        /// Name of the stream.
        stream: String,
        /// Label of the channel.
        channel: String,
    },
    /// The sender gives one that names no potential.
    #[error(
        "stream \"{stream}\", channel \"{channel}\": unit \"{unit}\" is not one of potential; if the values \
         are volts all the same, state it in the configuration, for instance stream.unit = \"uV\"; \
         if not, leave the channel out by stream.channels"
    )]
    Unknown {
        /// Name of the stream.
        stream: String,
        /// Label of the channel.
        channel: String,
        /// The unit as the sender writes it.
        unit: String,
    },
    /// The configuration states one that names no potential.
    #[error("stream.unit = \"{unit}\" is not a unit of potential; use \"uV\", \"mV\", \"V\" or \"nV\"")]
    Stated {
        /// The unit as the configuration writes it.
        unit: String,
    },
}

/// Factor from the unit of one channel to microvolts. A `stated` unit (configuration key `stream.unit`)
/// overrides what the sender writes.
///
/// # Errors
/// [`UnitError`] where neither names a unit of potential.
pub fn scale_to_uv(
    stream: &str,
    channel: &str,
    written: &str,
    stated: Option<&str>,
) -> Result<f64, UnitError> {
    if let Some(unit) = stated {
        return microvolts_per(unit).ok_or_else(|| UnitError::Stated { unit: unit.to_owned() });
    }
    let (stream, channel) = (stream.to_owned(), channel.to_owned());
    if written.trim().is_empty() {
        return Err(UnitError::Missing { stream, channel });
    }
    microvolts_per(written).ok_or_else(|| UnitError::Unknown {
        stream,
        channel,
        unit: written.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_use_is_read() {
        let ways = [
            (
                1.0,
                &[
                    "microvolts",
                    "Microvolt",
                    "uV",
                    "UV",
                    "µV",
                    "μV",
                    " u V ",
                    "muV",
                    "micro-volts",
                    "uVolts",
                    "ÂµV",
                ][..],
            ),
            (1e3, &["mV", "millivolts", "Millivolt", "mvolt"][..]),
            (1e6, &["V", "v", "volts", "Volt"][..]),
            (1e-3, &["nV", "nanovolts"][..]),
        ];
        for (factor, spellings) in ways {
            for spelling in spellings {
                assert_eq!(microvolts_per(spelling), Some(factor), "{spelling}");
            }
        }
    }

    #[test]
    fn what_is_no_potential_is_refused() {
        for other in [
            "",
            "  ",
            "counts",
            "adc",
            "a.u.",
            "uA",
            "kV",
            "uV^2",
            "label",
            "uV/Hz",
            "?V",
            "dB",
            ".V",
            ".mV",
            "-V",
            "_V",
            "\u{fffd}V",
            "u.V",
            "*V",
            "1V",
        ] {
            assert_eq!(microvolts_per(other), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_names_stream_channel_and_key() {
        let missing = scale_to_uv("amp", "Fz", " ", None).map_err(|e| e.to_string());
        let unknown = scale_to_uv("amp", "Fz", "counts", None).map_err(|e| e.to_string());
        for text in [missing, unknown].map(|r| r.err().unwrap_or_default()) {
            assert!(text.contains("amp") && text.contains("Fz") && text.contains("stream.unit"), "{text}");
        }
    }

    #[test]
    fn the_stated_unit_counts_over_the_written_one() {
        assert_eq!(scale_to_uv("amp", "Fz", "counts", Some("mV")), Ok(1e3));
        assert_eq!(scale_to_uv("amp", "Fz", "uV", Some("V")), Ok(1e6));
        assert!(matches!(scale_to_uv("amp", "Fz", "uV", Some("ohm")), Err(UnitError::Stated { .. })));
    }
}

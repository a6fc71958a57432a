//! Which stream of a recording holds the current as delivered.
//!
//! In: what a survey found in the file, and the name that a user gave. Out: a channel and its unit, or in a sentence why
//! none can be taken.

use crate::acquisition::Channel;
use crate::acquisition::recording::xdf::format::Format;
use crate::acquisition::recording::xdf::{Stream, Survey};

/// Words in the name or kind of a stream that knows only what a stimulator was asked for.
const ASKED_FOR: [&str; 7] = ["command", "request", "setpoint", "set point", "asked", "target", "intended"];

/// A channel that says to hold a current.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// The stream's place in the file, from 0.
    pub(super) index: usize,
    pub(super) stream: &'a Stream,
    /// The channel's place in the stream.
    pub(super) channel: usize,
    /// mA in one of its units; `None` where it does not say that it is in any ampere.
    pub(super) ma_per_unit: Option<f64>,
}

impl Candidate<'_> {
    fn described(&self) -> Option<&Channel> {
        self.stream.description.channels.get(self.channel)
    }

    /// Its unit, as the file has it.
    pub(super) fn unit(&self) -> &str {
        self.described().map_or("", |channel| channel.unit.as_str())
    }

    /// For messages, and as `--current` takes it.
    pub(super) fn name(&self) -> String {
        let name = &self.stream.description.name;
        match self.described() {
            Some(channel) if self.stream.description.channels.len() > 1 => {
                format!("{name}:{}", channel.label)
            }
            _ => name.clone(),
        }
    }

    /// Whether it says of itself that it is what was asked for, not what left.
    pub(super) fn asked_for(&self) -> bool {
        let description = &self.stream.description;
        let (label, kind) = self.described().map_or(("", ""), |c| (c.label.as_str(), c.kind.as_str()));
        [description.name.as_str(), description.kind.as_str(), label, kind].iter().any(|text| {
            let text = text.to_ascii_lowercase();
            ASKED_FOR.iter().any(|word| text.contains(word))
        })
    }
}

/// How many mA one `unit` is; `None` where it names no unit of current.
pub(super) fn milliamperes_per(unit: &str) -> Option<f64> {
    let plain: String = unit
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '_' | 'Â'))
        .map(|c| if matches!(c, 'µ' | 'μ') { 'u' } else { c.to_ascii_lowercase() })
        .collect();
    let prefix =
        ["amperes", "ampere", "amps", "amp", "a"].iter().find_map(|name| plain.strip_suffix(name))?;
    match prefix {
        "n" | "nano" => Some(1e-6),
        "u" | "mu" | "micro" => Some(1e-3),
        "m" | "milli" => Some(1.0),
        "" => Some(1e3),
        _ => None,
    }
}

/// Every channel that says to hold a current.
pub(super) fn candidates(survey: &Survey) -> Vec<Candidate<'_>> {
    let streams = survey.streams.iter().enumerate();
    streams.flat_map(|(index, stream)| of_stream(index, stream, false)).collect()
}

/// The channels of a stream that say to hold a current; of one that a user named its only one whatever it says.
fn of_stream(index: usize, stream: &Stream, named: bool) -> Vec<Candidate<'_>> {
    if stream.format == Format::Text || stream.samples == 0 || stream.is_annotations() {
        return Vec::new();
    }
    let channels = &stream.description.channels;
    let kind = stream.description.kind.to_ascii_lowercase();
    let only = channels.len() == 1 && (named || kind.contains("stimulation") || kind.contains("current"));
    let each = channels.iter().enumerate().map(|(channel, described)| Candidate {
        index,
        stream,
        channel,
        ma_per_unit: milliamperes_per(&described.unit),
    });
    each.filter(|candidate| candidate.ma_per_unit.is_some() || only).collect()
}

/// The one that is meant.
pub(super) fn choose<'a>(survey: &'a Survey, wanted: Option<&str>) -> Result<Candidate<'a>, String> {
    let all = candidates(survey);
    let names = |list: &[Candidate<'_>]| list.iter().map(Candidate::name).collect::<Vec<_>>().join(", ");
    let Some(wanted) = wanted else {
        return match all.as_slice() {
            [one] => Ok(*one),
            [] => Err("no stream says to hold the current as delivered (a channel in mA): where one does, name it with \
                       --current STREAM"
                .to_owned()),
            several => Err(format!(
                "{} streams say to hold a current: name the one that was measured, as in --current {}; they are {}",
                several.len(),
                several.first().map(Candidate::name).unwrap_or_default(),
                names(several)
            )),
        };
    };
    let (stream, label) = match wanted.rsplit_once(':') {
        Some((stream, label)) if !is_named(survey, wanted) => (stream, Some(label)),
        _ => (wanted, None),
    };
    let number = stream.trim_start_matches('#').parse().ok().and_then(|n: usize| n.checked_sub(1));
    let numbered = |index: usize| !is_named(survey, stream) && Some(index) == number;
    let streams = survey.streams.iter().enumerate();
    let mut meant: Vec<Candidate<'a>> = streams
        .filter(|(index, s)| s.description.name == stream || numbered(*index))
        .flat_map(|(index, s)| of_stream(index, s, true))
        .collect();
    if let Some(label) = label {
        meant.retain(|candidate| candidate.described().is_some_and(|c| c.label.eq_ignore_ascii_case(label)));
    }
    match meant.as_slice() {
        [one] => Ok(*one),
        [] => Err(format!(
            "--current {wanted}: no stream of numbers with a channel in mA has that name; there {} {}",
            if all.len() == 1 { "is" } else { "are" },
            if all.is_empty() { "none".to_owned() } else { names(&all) }
        )),
        several => Err(format!(
            "--current {wanted}: could be any of {}; name one, or a stream by its number",
            names(several)
        )),
    }
}

fn is_named(survey: &Survey, name: &str) -> bool {
    survey.streams.iter().any(|stream| stream.description.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "tests of exact values")]
    use super::*;

    #[test]
    fn units_of_current_are_told_from_others() {
        assert_eq!(milliamperes_per("mA"), Some(1.0));
        assert_eq!(milliamperes_per("milliamperes"), Some(1.0));
        assert_eq!(milliamperes_per("µA"), Some(1e-3));
        assert_eq!(milliamperes_per("A"), Some(1e3));
        for other in ["", "V", "mV", "uV", "mA/cm2", "a.u.", "data"] {
            assert_eq!(milliamperes_per(other), None, "{other}");
        }
    }
}

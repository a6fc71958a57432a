//! Which streams are there, and which one is meant.
//!
//! In: a [`StreamChoice`]. Out: the one stream that answers it, or an error that lists what is there. Two
//! that answer are refused: later, at a recovery, either could be taken for the other.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::raw::{Info, Resolver};
use crate::acquisition::settings::{AcquisitionError, StreamChoice};
use crate::clean;

/// How long to look for a second stream that answers, seconds from the start. liblsl asks known peers half
/// a second after the multicast.
const LOOK_FOR_MORE_S: f64 = 1.0;

/// When to say first what is looked for, in s.
const TELL_AFTER_S: f64 = 0.7;

/// A stream as it answers a query, without the description of its channels.
#[derive(Clone, Debug, PartialEq)]
pub struct VisibleStream {
    /// Its name.
    pub name: String,
    /// Its content type.
    pub kind: String,
    /// The device's own identity; empty where it has none.
    pub source_id: String,
    /// The sending machine.
    pub hostname: String,
    /// Nominal rate, Hz; 0 for irregular.
    pub rate_hz: f64,
    /// Number of channels.
    pub channels: usize,
    /// `float32`, `int16`, ...
    pub format: &'static str,
    /// Of this one outlet, until it ends.
    pub uid: String,
}

impl VisibleStream {
    pub(super) fn of(info: &Info) -> Self {
        Self {
            name: info.name(),
            kind: info.kind(),
            source_id: info.source_id(),
            hostname: info.hostname(),
            rate_hz: info.rate_hz(),
            channels: info.channel_count(),
            format: info.format(),
            uid: info.uid(),
        }
    }
}

impl fmt::Display for VisibleStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the sender says of itself goes to a screen.
        let [name, kind, source_id, hostname] =
            [&self.name, &self.kind, &self.source_id, &self.hostname].map(|text| clean::line(text));
        let Self { rate_hz, channels, format, .. } = self;
        write!(
            f,
            "\"{name}\" type \"{kind}\" source id \"{source_id}\" on {hostname}: {channels} channels of {format}"
        )?;
        if *rate_hz > 0.0 { write!(f, " at {rate_hz} Hz") } else { write!(f, ", irregular rate") }
    }
}

/// All streams that answer within `wait_s` (1.5 s reaches known peers too), by name.
///
/// # Errors
/// [`AcquisitionError::Unusable`] where liblsl cannot open its sockets.
pub fn visible_streams(wait_s: f64) -> Result<Vec<VisibleStream>, AcquisitionError> {
    let resolver = resolver(None)?;
    sleep(Duration::from_secs_f64(wait_s.clamp(0.0, 60.0)));
    Ok(described(&resolver.results()))
}

/// The one stream that is meant, within `timeout_s`. `looking` is told what is looked for, and what is there instead,
/// after most of a second and whenever that changes.
pub(super) fn find(
    choice: &StreamChoice,
    timeout_s: f64,
    looking: &mut dyn FnMut(&str),
) -> Result<Info, AcquisitionError> {
    let mut told = String::new();
    let all = resolver(None)?;
    let chosen = choice.predicate.as_deref().map(|p| resolver(Some(p))).transpose()?;
    let start = Instant::now();
    loop {
        sleep(Duration::from_millis(50));
        let waited_s = start.elapsed().as_secs_f64();
        let mut matching: Vec<Info> =
            chosen.as_ref().unwrap_or(&all).results().into_iter().filter(|i| answers(choice, i)).collect();
        let enough = waited_s >= LOOK_FOR_MORE_S.min(timeout_s);
        match matching.len() {
            1 if enough => {
                if let Some(info) = matching.pop() {
                    return Ok(info);
                }
            }
            0 if waited_s >= timeout_s => {
                let visible = described(&all.results());
                let visible = if visible.is_empty() {
                    "No stream at all answers: is the sender running, on this network, and not behind a firewall \
                     (UDP 16571 to 16604, TCP 16572 to 16604)?"
                        .to_owned()
                } else {
                    format!("These are there:{}", lines(&visible))
                };
                return Err(AcquisitionError::NotFound {
                    wanted: choice.in_words(),
                    waited_s: timeout_s,
                    visible,
                });
            }
            0 if waited_s >= TELL_AFTER_S => {
                let visible: Vec<String> =
                    described(&all.results()).iter().map(|s| format!("{:?}", s.name)).collect();
                let there = if visible.is_empty() {
                    "no stream answers".to_owned()
                } else {
                    format!("there are {}", visible.join(", "))
                };
                let now = format!("looking for an LSL stream with {}; {there}", choice.in_words());
                if now != told {
                    looking(&now);
                    told = now;
                }
            }
            count if count > 1 && enough => {
                let list = choices(&described(&matching));
                return Err(AcquisitionError::Ambiguous { wanted: choice.in_words(), count, list });
            }
            _ => {}
        }
    }
}

/// A resolver, or the reason why there is none.
pub(super) fn resolver(predicate: Option<&str>) -> Result<Resolver, AcquisitionError> {
    Resolver::new(predicate).ok_or_else(|| AcquisitionError::Unusable {
        stream: "(any)".to_owned(),
        what: "LSL cannot look for streams: no network interface with multicast, or a predicate with a zero byte"
            .to_owned(),
    })
}

fn answers(choice: &StreamChoice, info: &Info) -> bool {
    let is = |wanted: &Option<String>, got: String| wanted.as_ref().is_none_or(|w| *w == got);
    let anything = *choice == StreamChoice::default();
    is(&choice.name, info.name())
        && is(&choice.kind, info.kind())
        && is(&choice.source_id, info.source_id())
        && (!anything || info.kind().eq_ignore_ascii_case("EEG"))
}

fn described(infos: &[Info]) -> Vec<VisibleStream> {
    let mut streams: Vec<VisibleStream> = infos.iter().map(VisibleStream::of).collect();
    streams.sort_by(|a, b| (&a.name, &a.hostname, &a.source_id).cmp(&(&b.name, &b.hostname, &b.source_id)));
    streams
}

/// Each stream, and below it what chooses it and no other of them, to be pasted.
fn choices(streams: &[VisibleStream]) -> String {
    streams.iter().map(|s| format!("\n  {s}\n      --stream \"{}\"", chooses(s, streams))).collect()
}

/// A predicate for `one` of `all`: by its source id or its machine, which outlast a restart of the sender, and only where
/// both are shared by its very own identity.
fn chooses(one: &VisibleStream, all: &[VisibleStream]) -> String {
    // Within the quotes of a predicate, within those of a shell.
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || " _-.:@/+#()".contains(c))
    };
    type Key = (&'static str, fn(&VisibleStream) -> &str);
    let keys: [Key; 2] = [("source_id", |s| &s.source_id), ("hostname", |s| &s.hostname)];
    let alone = keys.into_iter().find(|(_, of)| {
        plain(of(one))
            && all.iter().filter(|other| other.name == one.name && of(other) == of(one)).count() == 1
    });
    match alone {
        Some((key, of)) if plain(&one.name) => format!("name='{}' and {key}='{}'", one.name, of(one)),
        _ => format!("uid='{}'", one.uid),
    }
}

fn lines(streams: &[VisibleStream]) -> String {
    streams.iter().map(|s| format!("\n  {s}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str, source_id: &str, hostname: &str, uid: &str) -> VisibleStream {
        VisibleStream {
            name: name.into(),
            kind: "EEG".into(),
            source_id: source_id.into(),
            hostname: hostname.into(),
            rate_hz: 250.0,
            channels: 8,
            format: "float32",
            uid: uid.into(),
        }
    }

    #[test]
    fn what_is_advised_chooses_one_and_no_other() {
        let all = [
            stream("amp", "a", "lab1", "u1"),
            stream("amp", "b", "lab1", "u2"),
            stream("amp", "b", "lab2", "u3"),
            stream("amp", "b", "lab2", "u4"),
            stream("it's", "c", "lab3", "u5"),
            stream("two", "", "lab4", "u6"),
        ];
        let advised: Vec<String> = all.iter().map(|one| chooses(one, &all)).collect();
        assert_eq!(
            advised,
            [
                "name='amp' and source_id='a'",
                "uid='u2'",
                "uid='u3'",
                "uid='u4'",
                "uid='u5'",
                "name='two' and hostname='lab4'"
            ]
        );
        assert!(advised.iter().all(|text| crate::config::predicate::problem(text).is_none()));
        assert!(!stream("a\u{1b}[2J", "", "h", "u").to_string().contains('\u{1b}'));
    }
}

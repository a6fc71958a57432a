//! The streams of a session's file: what each holds, channel by channel, with units.

use super::xdf::StreamInfo;
use crate::acquisition::recording::xdf::format::Format;
use crate::acquisition::recording::xdf::xml::Node;
use crate::acquisition::{Channel, StreamDescription};
use crate::estimator::{Contamination, Estimate, Reason};

/// Columns of the estimates' stream: label, unit, meaning.
const ESTIMATE: [(&str, &str, &str); 17] = [
    ("estimate_id", "", "counts estimates from 1"),
    ("target", "", "index of the region or channel; the labels stand under targets"),
    ("first_sample", "samples", "index of the window's first EEG sample, from 0"),
    ("last_sample", "samples", "index of the window's last EEG sample"),
    ("exponent", "", "aperiodic exponent: power falls as f^-exponent; NaN where the fit failed"),
    ("exponent_se", "", "its standard error; NaN where the method has none"),
    ("offset", "log10 uV^2/Hz", "log10 power at 1 Hz of the aperiodic line"),
    ("r_squared", "", "squared correlation of model and spectrum, in log10 power"),
    ("mae", "log10 uV^2/Hz", "mean absolute error of the model"),
    ("n_peaks", "", "peaks found"),
    ("segments_used", "", "segments in the mean spectrum"),
    ("segments_total", "", "segments that the whole window has"),
    ("contamination", "", "0 clean, 1 settling, 2 stimulating: the worst of the window"),
    ("valid", "", "1 where the fit may be used"),
    ("reason", "", "0 where valid; the codes stand under reasons"),
    ("window_end", "s", "stamp of the window's last EEG sample"),
    ("knee", "", "knee parameter; NaN in fixed mode"),
];

/// All reasons, at the place of their code less one.
const REASONS: [Reason; 9] = [
    Reason::Filling,
    Reason::TooFewSegments,
    Reason::BadSpectrum,
    Reason::NotConverged,
    Reason::PoorFit,
    Reason::OutOfRange,
    Reason::Unsettled,
    Reason::Stale,
    Reason::Bent,
];

fn reason_code(reason: Option<Reason>) -> f64 {
    let place = reason.and_then(|reason| REASONS.iter().position(|known| *known == reason));
    place.map_or(0.0, |place| place as f64 + 1.0)
}

/// Labels of the columns of [`estimate_row`].
pub fn estimate_columns() -> impl Iterator<Item = &'static str> {
    ESTIMATE.iter().map(|(label, _, _)| *label)
}

/// A row of the estimates' stream.
#[must_use]
pub fn estimate_row(estimate: &Estimate) -> [f64; ESTIMATE.len()] {
    let fit = &estimate.fit;
    let contamination = match estimate.contamination {
        Contamination::Clean => 0.0,
        Contamination::Settling => 1.0,
        Contamination::Stimulating => 2.0,
    };
    [
        estimate.id as f64,
        estimate.target as f64,
        estimate.first_sample as f64,
        estimate.last_sample as f64,
        fit.exponent,
        fit.exponent_se,
        fit.offset,
        fit.r_squared,
        fit.mae,
        fit.peaks.as_slice().len() as f64,
        estimate.segments_used as f64,
        estimate.segments_total as f64,
        contamination,
        f64::from(u8::from(fit.invalid.is_none())),
        reason_code(fit.invalid),
        estimate.stamp_s,
        fit.knee.unwrap_or(f64::NAN),
    ]
}

fn stream(name: &str, kind: &str, rate_hz: f64, format: Format, channels: Vec<Channel>) -> StreamInfo {
    StreamInfo {
        name: name.to_owned(),
        kind: kind.to_owned(),
        rate_hz,
        format,
        channels,
        source_id: name.to_owned(),
        hostname: String::new(),
        desc: Vec::new(),
    }
}

fn channel(label: &str, unit: &str, kind: &str) -> Channel {
    Channel { label: label.to_owned(), unit: unit.to_owned(), kind: kind.to_owned() }
}

fn meanings(pairs: &[(&str, &str)]) -> Node {
    let columns = pairs.iter().map(|(label, meaning)| {
        Node::branch("column", vec![Node::leaf("label", *label), Node::leaf("meaning", *meaning)])
    });
    Node::branch("columns", columns.collect())
}

/// The EEG as the estimator got it: chosen channels, in microvolts.
pub(super) fn eeg(source: &StreamDescription) -> StreamInfo {
    StreamInfo {
        name: source.name.clone(),
        kind: "EEG".to_owned(),
        rate_hz: source.rate_hz,
        format: Format::Float32,
        channels: source.channels.clone(),
        source_id: source.source_id.clone(),
        hostname: source.hostname.clone(),
        desc: vec![Node::branch(
            "acquisition",
            vec![
                Node::leaf("source_type", &source.kind),
                Node::leaf("stamps", "smoothed, on the recording machine's LSL clock"),
                Node::leaf("samples", "as received; a lost sample is missing, never filled in"),
            ],
        )],
    }
}

/// What each sample of the EEG had for stamps.
pub(super) fn raw_stamps() -> StreamInfo {
    let columns = [
        ("index", "samples", "the EEG sample that the row is about, from 0: counts received samples"),
        (
            "raw_stamp",
            "s",
            "the sender's stamp as it came, on the sender's clock; the EEG's are smoothed and corrected",
        ),
        ("arrived", "s", "when the sample was ready for the estimator, on the recording machine's clock"),
    ];
    let channels = columns.iter().map(|(label, unit, _)| channel(label, unit, "Stamp")).collect();
    let mut info = stream("raw_stamps", "Stamps", 0.0, Format::Double64, channels);
    info.desc.push(meanings(&columns.map(|(label, _, meaning)| (label, meaning))));
    info
}

pub(super) fn frame_facts(eeg: &StreamDescription) -> StreamInfo {
    let words = eeg.channels.len().div_ceil(32);
    let mut channels = vec![
        channel("index", "samples", "Misc"),
        channel("lost_before", "samples", "Misc"),
        channel("facts", "", "Misc"),
    ];
    channels.extend((0..words).map(|word| channel(&format!("spoilt_{word}"), "", "Misc")));
    let mut info = stream("frame_facts", "Facts", 0.0, Format::Int64, channels);
    info.desc.push(meanings(&[
        ("index", "the EEG sample that the row is about, from 0; samples without a row are good"),
        ("lost_before", "samples known to be missing just before it"),
        (
            "facts",
            "bits: 1 gap before, 2 stamp jump, 4 stamps unsettled, 8 repeated, 16 overrun before, 32 stream resumed",
        ),
        ("spoilt_n", "bit b: channel 32 n + b is not EEG here (not finite, flat, at the rail, or a spike)"),
    ]));
    info
}

pub(super) fn estimates(targets: &[String], method: &str) -> StreamInfo {
    let channels = ESTIMATE.iter().map(|(label, unit, _)| channel(label, unit, "Estimate")).collect();
    let mut info = stream("estimates", "Estimates", 0.0, Format::Double64, channels);
    let columns: Vec<(&str, &str)> = ESTIMATE.iter().map(|(label, _, meaning)| (*label, *meaning)).collect();
    let numbered = |parent: &str, child: &str, first: usize, labels: &mut dyn Iterator<Item = &str>| {
        let nodes = labels.enumerate().map(|(index, label)| {
            let number = Node::leaf("index", (index + first).to_string());
            Node::branch(child, vec![number, Node::leaf("label", label)])
        });
        Node::branch(parent, nodes.collect())
    };
    info.desc.push(Node::leaf("method", method));
    info.desc.push(meanings(&columns));
    info.desc.push(numbered("targets", "target", 0, &mut targets.iter().map(String::as_str)));
    info.desc.push(numbered("reasons", "reason", 1, &mut REASONS.iter().map(|reason| reason.as_str())));
    info
}

pub(super) fn current(rate_hz: f64) -> StreamInfo {
    let mut info = stream(
        "current",
        "Stimulation",
        rate_hz,
        Format::Float32,
        vec![channel("current", "mA", "Stimulation")],
    );
    info.desc.push(meanings(&[("current", "what the stimulator was given, after every limit")]));
    info
}

pub(super) fn texts(name: &str, kind: &str, meaning: &str) -> StreamInfo {
    let mut info = stream(name, kind, 0.0, Format::Text, vec![channel(name, "", kind)]);
    info.desc.push(meanings(&[(name, meaning)]));
    info
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own() {
        let codes: Vec<f64> = REASONS.iter().map(|reason| reason_code(Some(*reason))).collect();
        assert_eq!(codes, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(reason_code(None), 0.0);
        // A reason that is added must be added to the table: this match then fails to compile.
        for reason in REASONS {
            match reason {
                Reason::Filling
                | Reason::TooFewSegments
                | Reason::BadSpectrum
                | Reason::NotConverged
                | Reason::PoorFit
                | Reason::OutOfRange
                | Reason::Unsettled
                | Reason::Stale
                | Reason::Bent => {}
            }
        }
    }
}

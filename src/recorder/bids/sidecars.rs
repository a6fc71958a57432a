//! The texts beside the data: what the tree is, what the EEG is, channels, electrodes, questionnaires.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::brainvision::Data;
use super::names::Place;
use super::{BIDS_VERSION, cell, json as pretty};
use crate::acquisition::StreamDescription;
use crate::acquisition::settings::Reference;
use crate::config::Config;
use crate::session::questionnaires::{Filled, Sheet};
use crate::session::recorded::Recorded;

/// Files that a tree has once: name and text.
pub(super) fn of_tree() -> [(&'static str, String); 3] {
    let description = json!({
        "Name": "tRAS sessions",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "tras", "Version": env!("CARGO_PKG_VERSION"), "Description": "tras export-bids"}],
    });
    let readme = "\
# tRAS sessions

Sessions of closed-loop transcranial Random Aperiodic Stimulation, exported by `tras export-bids`.

* `eeg/`: 32-bit floats in microvolts, as the estimator got them; `events.tsv` has the course of the session and the
  markers of the task. Blocks that are still blind are missing from the data (a gap) until `tras unblind` opens them.
* `beh/`: questionnaires after each block.
* `sourcedata/`: the sessions' own folders, whole (`tras verify` checks them), decisions with their estimates, and the
  stimulation by the draft extension for non-invasive brain stimulation.
";
    let participants = json!({"participant_id": {"Description": "As allocated"}});
    [
        ("dataset_description.json", pretty(&description)),
        ("README.md", readme.to_owned()),
        ("participants.json", pretty(&participants)),
    ]
}

/// `eeg.json`.
pub(super) fn eeg(recorded: &Recorded, config: Option<&Config>, data: &Data, place: &Place) -> Value {
    let channels = recorded.eeg().map_or(0, |eeg| eeg.channels.len());
    let line_hz = config.map(|config| config.estimator.line_hz).filter(|hz| *hz > 0.0);
    let reference = match config.map(|config| &config.stream.reference) {
        Some(Reference::Average) => "average of all channels".to_owned(),
        Some(Reference::Channels(labels)) => format!("mean of {}", labels.join(", ")),
        _ => "as the amplifier sent it".to_owned(),
    };
    let mut eeg = json!({
        "TaskName": place.task,
        "TaskDescription": "A session of tras; its course is in events.tsv",
        "Manufacturer": "n/a",
        "EEGReference": reference,
        "SamplingFrequency": data.rate_hz,
        "PowerLineFrequency": line_hz.map_or_else(|| json!("n/a"), |hz| json!(hz)),
        "SoftwareFilters": "n/a",
        "EEGChannelCount": channels,
        "RecordingDuration": data.samples as f64 / data.rate_hz,
        "RecordingType": if data.gaps.is_empty() { "continuous" } else { "discontinuous" },
        "SourceDataFormat": "XDF",
        "TrasVersion": recorded.about("version").unwrap_or("n/a"),
        "TrasBuild": recorded.about("build").unwrap_or("n/a"),
        "ElectricalStimulation": false,
    });
    if !data.gaps.is_empty() {
        let missing: u64 = data.gaps.iter().map(|(_, missing)| missing).sum();
        eeg["SubjectArtefactDescription"] = json!(format!(
            "{} gaps, {missing} samples missing: they are left out, never filled in",
            data.gaps.len()
        ));
    }
    if let Some(config) = config.filter(|config| config.stimulation.enabled) {
        let s = &config.stimulation;
        eeg["ElectricalStimulation"] = json!(true);
        eeg["ElectricalStimulationParameters"] = json!(format!(
            "transcranial random aperiodic stimulation: noise of {}..{} Hz that falls as f^-exponent, at most {} mA, \
             ramps of {} and {} s; exponent, amplitude and condition of each block are in sourcedata/ where they are \
             unblinded",
            s.band_hz[0], s.band_hz[1], s.peak_ma, s.ramp_up_s, s.ramp_down_s
        ));
    }
    eeg
}

/// `channels.tsv`.
pub(super) fn channels(eeg: &StreamDescription, data: &Data) -> String {
    let mut text = "name\ttype\tunits\tsampling_frequency\tstatus\tstatus_description\n".to_owned();
    for (channel, spoilt) in eeg.channels.iter().zip(&data.spoilt) {
        let share = *spoilt as f64 / (data.samples as f64).max(1.0);
        // What a person would call a bad channel: it is no EEG for most of the session.
        let status = if share > 0.5 { "bad" } else { "good" };
        let described =
            if *spoilt > 0 { format!("{:.2} % of samples spoilt", share * 100.0) } else { String::new() };
        let _ = writeln!(
            text,
            "{}\t{}\tuV\t{}\t{status}\t{}",
            cell(&channel.label),
            kind(&channel.kind),
            data.rate_hz,
            cell(&described)
        );
    }
    text
}

/// A channel's type by the specification's list.
fn kind(kind: &str) -> &'static str {
    const KNOWN: [&str; 9] = ["EEG", "EOG", "ECG", "EMG", "HEOG", "VEOG", "GSR", "RESP", "TRIG"];
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(kind));
    match known {
        Some(known) => known,
        None if kind.is_empty() => "EEG",
        None => "MISC",
    }
}

/// `electrodes.tsv`: nobody digitised them, so their places are not known.
pub(super) fn electrodes(eeg: &StreamDescription) -> String {
    let mut text = "name\tx\ty\tz\n".to_owned();
    for channel in &eeg.channels {
        let _ = writeln!(text, "{}\tn/a\tn/a\tn/a", cell(&channel.label));
    }
    text
}

/// `coordsystem.json`.
pub(super) fn coordinates() -> Value {
    json!({
        "EEGCoordinateSystem": "Other",
        "EEGCoordinateSystemDescription": "Not digitised: labels are those of the 10-20 system and its extensions",
        "EEGCoordinateUnits": "n/a",
    })
}

/// `beh.tsv`.
pub(super) fn questionnaires(filled: &[Filled]) -> String {
    let mut text = "block\tquestionnaire\titem\tfelt\trating\tguess\tconfidence\tat\n".to_owned();
    for one in filled {
        let block = one.block.map_or_else(|| "n/a".to_owned(), |block| block.to_string());
        let number = |n: Option<u8>| n.map_or_else(|| "n/a".to_owned(), |n| n.to_string());
        match &one.sheet {
            Sheet::Sensations { items } => {
                for item in items {
                    let felt = if item.felt { "yes" } else { "no" };
                    let _ = writeln!(
                        text,
                        "{block}\tsensations\t{}\t{felt}\t{}\tn/a\tn/a\t{}",
                        cell(&item.item),
                        number(item.rating),
                        cell(&one.at)
                    );
                }
            }
            Sheet::Guess { guess, confidence } => {
                let guess = cell(guess.as_deref().unwrap_or("don't know"));
                let _ = writeln!(
                    text,
                    "{block}\tguess\tcondition\tn/a\tn/a\t{guess}\t{}\t{}",
                    number(*confidence),
                    cell(&one.at)
                );
            }
        }
    }
    text
}

/// `beh.json`.
pub(super) fn questionnaire_columns(place: &Place) -> Value {
    json!({
        "TaskName": place.task,
        "block": {"Description": "After which block, from 1; n/a at the end of the session"},
        "questionnaire": {
            "Description": "Which questionnaire",
            "Levels": {"sensations": "What was felt during the block", "guess": "Which condition it was taken for"},
        },
        "item": {"Description": "What was asked for"},
        "felt": {"Description": "Whether it was felt", "Levels": {"yes": "felt", "no": "not felt"}},
        "rating": {"Description": "How strongly, 1 to 10"},
        "guess": {"Description": "The condition that the participant takes it for, or don't know"},
        "confidence": {"Description": "How sure, 1 to 10"},
        "at": {"Description": "When it was answered, ISO 8601"},
    })
}

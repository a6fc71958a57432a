//! What the specification has no place for: the stimulation by the draft extension, and why it was as it was.
//!
//! Both stand under `sourcedata/`, where no validator looks: a `nibs/` folder elsewhere is an error. What is still sealed is
//! not in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::events::Conditions;
use super::{BidsError, cell, json as pretty, write as write_text};
use crate::config::Config;
use crate::session::recorded::{Happened, Recorded, What};

/// The draft that the table is written by, as read in 2026.
const DRAFT: [(&str, &str); 3] = [
    ("Repository", "https://github.com/nigelrogasch/nibs-bids"),
    ("Version", "v6 (2026-07)"),
    ("Commit", "c898c82c5f3683810501659f2ddf9e38659aa8e6"),
];

/// Writes `stem_nibs.tsv`, `stem_nibs.json`, `stem_decisions.tsv` and `stem_decisions.json` into `folder`.
pub(super) fn write(
    recorded: &Recorded,
    config: Option<&Config>,
    happened: &[Happened],
    conditions: &Conditions,
    folder: &Path,
    stem: &str,
) -> Result<(), BidsError> {
    fs::create_dir_all(folder).map_err(BidsError::file(folder))?;
    let as_named = |ending: &str, text: &str| write_text(&folder.join(format!("{stem}_{ending}")), text);
    as_named("decisions.tsv", &decisions(recorded, happened)?)?;
    as_named("decisions.json", &pretty(&decision_columns()))?;
    if let Some(config) = config.filter(|config| config.stimulation.enabled) {
        as_named("nibs.tsv", &bursts(config, happened, conditions))?;
        as_named("nibs.json", &pretty(&burst_columns(recorded, config)))?;
    }
    Ok(())
}

/// One row a burst: from its ramp up to the next state that is none.
fn bursts(config: &Config, happened: &[Happened], conditions: &Conditions) -> String {
    let s = &config.stimulation;
    let mut text = "stim_id\ttes_stim_mode\tcontrol_mode\twaveform\tnoise_type\tonset\tstimulation_duration\tramp_up_duration\t\
                    ramp_down_duration\tcurrent_intensity\tcurrent_density\timpedance\tblock\tcondition\texponent\tdecision\n"
        .to_owned();
    let mut block: Option<u32> = None;
    let mut begun: Option<(f64, &Value)> = None;
    let mut number = 0;
    for event in happened {
        let What::Event(value) = &event.what else { continue };
        let text_of = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        if text_of("event") == "phase" {
            block = value.get("block").and_then(Value::as_u64).and_then(|n| n.try_into().ok()).or(block);
        }
        if text_of("event") != "current" {
            continue;
        }
        match (text_of("state"), begun) {
            ("ramp up", _) => begun = Some((event.at_s, value)),
            ("stimulating" | "ramp down", _) | (_, None) => {}
            (_, Some((began_s, first))) => {
                begun = None;
                number += 1;
                let of = |key: &str| first.get(key).and_then(Value::as_f64);
                let figure = |x: Option<f64>| x.map_or_else(|| "n/a".to_owned(), |x| x.to_string());
                let condition = block.and_then(|block| conditions.get(&block));
                let density = s.electrode_area_cm2.map(|area| s.peak_ma / area);
                let kohm = s.electrode_kohm.map(|[a, b]| a + b);
                let _ = writeln!(
                    text,
                    "{number}\ttRNS\tcurrent-controlled\tcustom\taperiodic\t{began_s:.6}\t{:.6}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
                    event.at_s - began_s,
                    s.ramp_up_s,
                    s.ramp_down_s,
                    s.peak_ma,
                    figure(density),
                    figure(kohm),
                    block.map_or_else(|| "n/a".to_owned(), |block| block.to_string()),
                    cell(condition.map_or("", String::as_str)),
                    figure(of("exponent")),
                    figure(of("decision")),
                );
            }
        }
    }
    text
}

fn burst_columns(recorded: &Recorded, config: &Config) -> Value {
    let s = &config.stimulation;
    let draft: BTreeMap<&str, &str> = DRAFT.into_iter().collect();
    json!({
        "DraftExtension": draft,
        "SoftwareVersion": recorded.about("version").unwrap_or("n/a"),
        "Seed": recorded.about("seed").unwrap_or("n/a"),
        "NoiseBand": {"Value": s.band_hz, "Units": "Hz"},
        "tes_stim_mode": {"Description": "tRNS: random noise, here with a power that falls as f^-exponent"},
        "control_mode": {"Description": "What the stimulator holds"},
        "waveform": {"Description": "custom: noise"},
        "noise_type": {"Description": "aperiodic: f^-exponent within NoiseBand"},
        "onset": {"Description": "On the session's own clock, as `time` in events.tsv", "Units": "s"},
        "stimulation_duration": {"Description": "With both ramps", "Units": "s"},
        "ramp_up_duration": {"Units": "s"},
        "ramp_down_duration": {"Units": "s"},
        "current_intensity": {"Description": "Largest absolute current", "Units": "mA"},
        "current_density": {"Description": "Of the smaller electrode, at current_intensity", "Units": "mA/cm^2"},
        "impedance": {"Description": "Sum of both electrodes as measured before the session", "Units": "kOhm"},
        "block": {"Description": "Block of the session, from 1"},
        "condition": {"Description": "n/a where it is still blind"},
        "exponent": {"Description": "Of the noise that was given"},
        "decision": {"Description": "The decision that it followed, see decisions.tsv"},
    })
}

/// One row a decision, with the estimate that it rests on.
fn decisions(recorded: &Recorded, happened: &[Happened]) -> Result<String, BidsError> {
    let estimates: BTreeMap<u64, Vec<f64>> = recorded
        .rows("estimates")?
        .into_iter()
        .filter_map(|(_, row)| Some((row.first().map(|id| *id as u64)?, row)))
        .collect();
    let mut text = "time\tdecision\texponent\tbounded\testimate\testimated_exponent\testimated_se\tfirst_sample\tlast_sample\t\
                    contamination\tvalid\n"
        .to_owned();
    for event in happened {
        let What::Event(value) = &event.what else { continue };
        if value.get("event").and_then(Value::as_str) != Some("decision") {
            continue;
        }
        let of = |key: &str| value.get(key).map_or_else(|| "n/a".to_owned(), Value::to_string);
        let row = value.get("estimate").and_then(Value::as_u64).and_then(|id| estimates.get(&id));
        let figure = |place: usize| {
            let known = row.and_then(|row| row.get(place)).filter(|x| x.is_finite());
            known.map_or_else(|| "n/a".to_owned(), f64::to_string)
        };
        let _ = writeln!(
            text,
            "{:.6}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            event.at_s,
            of("id"),
            of("exponent"),
            of("bounded"),
            of("estimate"),
            figure(4),
            figure(5),
            figure(2),
            figure(3),
            figure(12),
            figure(13),
        );
    }
    Ok(text)
}

fn decision_columns() -> Value {
    json!({
        "time": {"Description": "On the session's own clock, as `time` in events.tsv", "Units": "s"},
        "decision": {"Description": "Counts decisions from 1"},
        "exponent": {"Description": "What the next current shall have"},
        "bounded": {"Description": "Whether the law asked for more than its bounds allow"},
        "estimate": {"Description": "The estimate that it rests on; 0 for none"},
        "estimated_exponent": {"Description": "The aperiodic exponent of the EEG"},
        "estimated_se": {"Description": "Its standard error; n/a where the method has none"},
        "first_sample": {"Description": "The window's first sample, counted as received from 0"},
        "last_sample": {"Description": "The window's last sample"},
        "contamination": {"Description": "0 clean, 1 settling, 2 stimulating"},
        "valid": {"Description": "1 where the fit may be used"},
    })
}

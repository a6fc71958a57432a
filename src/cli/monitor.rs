//! `tras monitor`: the live aperiodic exponent of any EEG stream. Never stimulates, whatever a file says.
//!
//! It takes the flags of `estimate`; what is wrong with a setting is told by the flag that mends it.

use std::path::PathBuf;

use clap::Args;

use super::{
    check,
    method::{MethodOptions, ModeArg},
    montage::MontageOptions,
    options::{RunOptions, positive},
    run::{build, live},
};
use crate::{
    config::{Config, synonyms},
    failure::Failure,
    offline::settings::complaint,
};

/// The file that stands behind the flags; nobody has it, so no message names it.
const BUILT_IN: &str = "configs/monitor.toml";

/// Arguments of `tras monitor`.
#[derive(Args, Debug)]
pub struct MonitorArgs {
    /// LSL stream: a name, or a predicate if it holds a `=` (default: the one stream of type EEG)
    #[arg(long, value_name = "NAME|PREDICATE")]
    pub stream: Option<String>,
    /// Estimator and channels from this configuration; its stimulation is not looked at. The flags go over it
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Length of a window in seconds [default: 4]
    #[arg(long, value_name = "S", value_parser = positive)]
    pub window: Option<f64>,
    /// From one window to the next in seconds [default: 0.5]
    #[arg(long, value_name = "S", value_parser = positive)]
    pub hop: Option<f64>,
    /// How to fit
    #[command(flatten)]
    pub fit: MethodOptions,
    /// Which channels
    #[command(flatten)]
    pub montage: MontageOptions,
    /// How it is shown, bounded and recorded
    #[command(flatten)]
    pub options: RunOptions,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &MonitorArgs) -> Result<(), Failure> {
    let mut config = args.settings()?;
    config.stimulation.enabled = false;
    if let Some(stream) = &args.stream {
        config.stream.choose(stream);
    }
    if args.config.is_none() {
        // Watching leaves nothing behind unless it is asked to.
        config.record.enabled = false;
    }
    let result = build("monitor", config, &args.options).and_then(|order| live(&order, &args.options));
    if args.config.is_some() { result } else { result.map_err(|error| error.reworded(as_flags)) }
}

impl MonitorArgs {
    /// The flags over the file, or over the built-in settings.
    fn settings(&self) -> Result<Config, Failure> {
        let given = match &self.config {
            Some(path) => check::load(path)?,
            None => Config::from_str(include_str!("../../configs/monitor.toml"), BUILT_IN)
                .map_err(Failure::usage)?,
        };
        let mut document: toml::Table = given.to_toml().parse().map_err(Failure::usage)?;
        let flags = [("estimator", self.estimator()), ("stream", self.channels_of_stream())];
        if flags.iter().all(|(_, table)| table.is_empty()) {
            return Ok(given);
        }
        for (section, table) in flags {
            let section = document.entry(section).or_insert_with(|| toml::Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.extend(table);
            }
        }
        Config::from_str(&document.to_string(), BUILT_IN).map_err(|error| Failure::Usage(complaint(&error)))
    }

    fn estimator(&self) -> toml::Table {
        let mut keys = toml::Table::new();
        let mut set = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                keys.insert(key.to_owned(), value);
            }
        };
        let pair = |pair: [f64; 2]| toml::Value::Array(pair.iter().map(|&x| toml::Value::Float(x)).collect());
        let fit = &self.fit;
        set("method", fit.method.map(|method| method.name().name().into()));
        set("mode", fit.mode.map(|mode| ModeArg::name(mode).into()));
        set("range_hz", fit.range.map(pair));
        set("peak_width_hz", fit.peak_width.map(pair));
        set("max_peaks", fit.max_peaks.map(|count| i64::from(count).into()));
        set("min_peak_height", fit.min_peak_height.map(Into::into));
        set("peak_threshold", fit.peak_threshold.map(Into::into));
        set("window_s", self.window.map(Into::into));
        set("hop_s", self.hop.map(Into::into));
        if let Some((first, _)) = self.montage.region.first() {
            let region = |(name, channels): &(String, Vec<String>)| {
                let channels = channels.iter().cloned().map(toml::Value::String).collect();
                let mut table = toml::Table::new();
                table.insert("name".to_owned(), name.clone().into());
                table.insert("channels".to_owned(), toml::Value::Array(channels));
                toml::Value::Table(table)
            };
            set("regions", Some(toml::Value::Array(self.montage.region.iter().map(region).collect())));
            set("steer", Some(first.clone().into()));
        }
        keys
    }

    fn channels_of_stream(&self) -> toml::Table {
        let list = |labels: &[String]| {
            toml::Value::Array(labels.iter().map(|label| label.trim().to_owned().into()).collect())
        };
        let mut keys = toml::Table::new();
        if !self.montage.channels.is_empty() {
            keys.insert("channels".to_owned(), list(&self.montage.channels));
        }
        if let Some(unit) = &self.montage.unit {
            keys.insert("unit".to_owned(), unit.clone().into());
        }
        if let Some(reference) = &self.montage.reference {
            // One of a word and a list of words: always TOML.
            let written = toml::Value::try_from(reference);
            keys.extend(written.ok().map(|value| ("reference".to_owned(), value)));
        }
        keys
    }
}

/// A message about a setting as one about its flag: nobody has the file that it stands in.
fn as_flags(text: &str) -> String {
    let flag_of = |key: &str| match key {
        "stream.name" | "stream.source_id" | "stream.predicate" | "stream.type" => "--stream".to_owned(),
        "estimator.regions" | "estimator.steer" => "--region".to_owned(),
        _ => synonyms::option(key),
    };
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let end = word.trim_end();
        let space = word.get(end.len()..).unwrap_or_default();
        let bare = end.trim_end_matches([',', ';', ':', '.', ')']);
        let rest = end.get(bare.len()..).unwrap_or_default();
        if bare.starts_with(BUILT_IN) {
            return String::new();
        }
        let is_key = ["stream.", "estimator."].iter().any(|section| bare.starts_with(section));
        if is_key { format!("{}{rest}{space}", flag_of(bare)) } else { word.to_owned() }
    });
    let text: String = words.collect();
    text.replace("--stream or --stream", "--stream").replace("[estimator] ", "")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: MonitorArgs,
    }

    fn settings(line: &str) -> Result<Config, Failure> {
        Line::try_parse_from(std::iter::once("monitor").chain(line.split_whitespace()))
            .unwrap()
            .args
            .settings()
    }

    #[test]
    fn the_flags_of_estimate_are_taken() {
        let config = settings(
            "--range 1,40 --window 5 --hop 0.25 --method whittle --channels Fz,Cz --unit mV --reference average \
             --region frontal=Fz+Cz",
        )
        .unwrap();
        let e = &config.estimator;
        assert_eq!((e.range_hz, e.window_s, e.hop_s, e.method.name()), ([1.0, 40.0], 5.0, 0.25, "whittle"));
        assert_eq!(
            (e.regions[0].name.as_str(), e.steer.as_str(), e.each_channel),
            ("frontal", "frontal", true)
        );
        assert_eq!(config.stream.channels, ["Fz", "Cz"]);
        assert_eq!(config.stream.unit.map(|unit| unit.name()), Some("mV"));
        assert!(settings("").unwrap().estimator.each_channel);
    }

    #[test]
    fn what_is_wrong_names_the_flag_and_no_file() {
        let told = settings("--window 2 --hop 9").unwrap_err().to_string();
        assert!(told.starts_with("--hop: ") && !told.contains("toml"), "{told}");
        for (text, flags) in [
            (
                "configs/monitor.toml:1: estimator.range_hz: 35 Hz is not below half the stream's rate of 50 Hz",
                "--range: 35 Hz is not below half the stream's rate of 50 Hz",
            ),
            (
                "2 LSL streams have type \"EEG\"; choose one by stream.source_id or stream.predicate:\n a",
                "2 LSL streams have type \"EEG\"; choose one by --stream:\n a",
            ),
            ("its unit is not known; set stream.unit.", "its unit is not known; set --unit."),
        ] {
            assert_eq!(as_flags(text), flags);
        }
    }
}

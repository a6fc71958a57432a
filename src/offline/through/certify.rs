//! Whether the removal of the current's artefact held in a recording: what a certificate is made of.
//!
//! In: an XDF file that holds an EEG, clean and under current, and the current as delivered; the configuration whose runs
//! are to steer. Out: what was found, or in a sentence why nothing can be certified. The rows are those of
//! `tras estimate --during-current show`: no proof is made here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::{Asked, DuringCurrent};
use crate::acquisition::StreamDescription;
use crate::acquisition::montage::Montage;
use crate::acquisition::recording::{OpenOptions, Recording};
use crate::acquisition::settings::AcquisitionSettings;
use crate::config::Config;
use crate::estimator::Contamination;
use crate::estimator::through_current::Unproven;
use crate::estimator::window::RegionMean;
use crate::offline::lane::Readouts;
use crate::offline::recording::{Job, Unfinished, estimate};
use crate::offline::table::Row;

/// The path must have been learnt for so much of the recording, in s.
pub const LEAST_S: f64 = 60.0;
/// Of the windows under current whose path was learnt, this share must be proven.
pub const LEAST_SHARE: f64 = 0.8;
/// The mean of the proven windows may differ from that of the clean ones by this much, and by twice its standard error.
pub const MOST_BIAS: f64 = 0.05;
/// Fewer clean windows than these say nothing of a bias.
const LEAST_CLEAN: usize = 20;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Name of the amplifier's stream, and its samples in a second.
    pub amplifier: (String, f64),
    /// Labels of the channels that were used.
    pub channels: Vec<String>,
    /// Windows under current whose path was learnt, and how many of them were proven.
    pub windows: usize,
    /// See `windows`.
    pub proven: usize,
    /// The largest that was removed in a proven one, in dB.
    pub removed_db: f64,
    /// Mean exponent of proven windows less that of clean ones, and its standard error; `None` without clean windows.
    pub bias: Option<(f64, f64)>,
    /// Why windows were not proven, and how many.
    pub why_not: BTreeMap<&'static str, usize>,
    /// What a person should know of the recording.
    pub notes: Vec<String>,
}

/// Estimates the steering region of `config` over the recording at `path`; `current` names the current's stream.
///
/// # Errors
/// The recording cannot be read or does not hold what is needed.
pub fn find(path: &Path, config: &Config, current: Option<String>) -> Result<Found, String> {
    let open = OpenOptions { stream: config.stream.name.clone(), ..OpenOptions::default() };
    let job = job(config, open.clone(), current);
    let recording = Recording::open(path, &open).map_err(|error| error.to_string())?;
    let description = recording.description().clone();
    let channels = taken(&description, &job.acquisition)?;
    let mut rows: Vec<Row> = Vec::new();
    let summary = estimate(&job, path, 1, &AtomicBool::new(false), &|_, _| {}, |_, row| {
        rows.push(row.clone());
        Ok(())
    });
    let summary = summary.map_err(|unfinished| match unfinished {
        Unfinished::Broken(what) => what,
        Unfinished::Interrupted => "interrupted".to_owned(),
    })?;
    let mut found = judge(&rows, config.estimator.window_s, config.estimator.hop_s);
    found.amplifier = (description.name, description.rate_hz);
    found.channels = channels;
    found.notes = summary.notes;
    Ok(found)
}

/// The labels of the channels that a run takes of such a stream.
fn taken(stream: &StreamDescription, settings: &AcquisitionSettings) -> Result<Vec<String>, String> {
    let montage = Montage::new(stream, settings).map_err(|error| error.to_string())?;
    Ok(montage.chosen().iter().map(|channel| channel.label.clone()).collect())
}

fn job(config: &Config, open: OpenOptions, current: Option<String>) -> Job {
    let steer = config.estimator.regions.get(config.estimator.steering_region());
    Job {
        config: config.clone(),
        open,
        acquisition: AcquisitionSettings {
            channels: config.stream.channels.clone(),
            reference: config.stream.reference.clone(),
            settle_s: 0.0,
            exact_stamps: true,
            ..AcquisitionSettings::default()
        },
        regions: steer.map(|region| (region.name.clone(), region.channels.clone())).into_iter().collect(),
        region_mean: RegionMean::Spectra,
        each_channel: false,
        readouts: Readouts { bands: Vec::new(), timescale: false, track: None },
        contamination: true,
        epochs: Vec::new(),
        fields: Vec::new(),
        during_current: Some(Asked { during: DuringCurrent::Show, current }),
        delete_below_sd: None,
    }
}

fn judge(rows: &[Row], window_s: f64, hop_s: f64) -> Found {
    let learnt = |row: &&Row| {
        row.through.as_ref().is_some_and(|figures| figures.proof.failed != Some(Unproven::Learning))
    };
    let under: Vec<&Row> = rows.iter().filter(learnt).collect();
    let proven: Vec<&Row> = under.iter().copied().filter(|row| row.is_valid()).collect();
    let mut why_not = BTreeMap::new();
    for row in under.iter().filter(|row| !row.is_valid()) {
        *why_not.entry(row.reason()).or_insert(0) += 1;
    }
    let clean = rows.iter().filter(|row| {
        row.through.is_none() && row.contamination == Some(Contamination::Clean) && row.is_valid()
    });
    let clean: Vec<f64> = clean.map(|row| row.exponent).collect();
    let seen: Vec<f64> = proven.iter().map(|row| row.exponent).collect();
    // Windows overlap: so many hops are one window.
    let overlap = (window_s / hop_s).max(1.0);
    let bias = (clean.len() >= LEAST_CLEAN && !seen.is_empty()).then(|| {
        let (of_clean, of_seen) = (mean_and_variance(&clean), mean_and_variance(&seen));
        let variance = of_clean.1 * overlap / clean.len() as f64 + of_seen.1 * overlap / seen.len() as f64;
        (of_seen.0 - of_clean.0, variance.sqrt())
    });
    let removed = proven.iter().filter_map(|row| row.through.as_ref()).map(|f| f.proof.removed_db);
    Found {
        amplifier: (String::new(), f64::NAN),
        channels: Vec::new(),
        windows: under.len(),
        proven: proven.len(),
        removed_db: removed.fold(f64::NEG_INFINITY, f64::max),
        bias,
        why_not,
        notes: Vec::new(),
    }
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0))
}

impl Found {
    /// Why nothing can be certified, if so; windows came every `hop_s`.
    ///
    /// # Errors
    /// The first thing that is missing.
    pub fn suffices(&self, hop_s: f64) -> Result<(), String> {
        let seconds = self.windows as f64 * hop_s;
        if seconds < LEAST_S {
            return Err(format!(
                "only {seconds:.0} s of windows under current whose path was learnt; at least {LEAST_S:.0} s are needed: \
                 record a burst of five minutes, with half a minute of silence before it"
            ));
        }
        if (self.proven as f64) < LEAST_SHARE * self.windows as f64 {
            let why: Vec<String> = self.why_not.iter().map(|(why, count)| format!("{count} {why}")).collect();
            return Err(format!(
                "only {} of {} windows under current are proven, {:.0} % are needed: {}",
                self.proven,
                self.windows,
                100.0 * LEAST_SHARE,
                why.join(", ")
            ));
        }
        match self.bias {
            Some((bias, se)) if bias.abs() > MOST_BIAS + 2.0 * se => Err(format!(
                "the exponent under current is {bias:+.3} off the clean one (standard error {se:.3}), and nothing \
                 in a resistor or a phantom moves it: at most {MOST_BIAS} beyond twice that are allowed"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquisition::Channel;

    fn found() -> Found {
        Found {
            amplifier: ("amp".into(), 250.0),
            channels: vec!["Cz".into()],
            windows: 200,
            proven: 190,
            removed_db: 40.0,
            bias: Some((0.06, 0.02)),
            why_not: BTreeMap::from([("path not linear", 10)]),
            notes: vec![],
        }
    }

    #[test]
    fn too_little_too_few_and_too_far_off_are_not_certified() {
        assert_eq!(found().suffices(0.5), Ok(()));
        assert!(found().suffices(0.25).is_err_and(|why| why.contains("only 50 s")));
        let few = Found { proven: 150, ..found() };
        assert!(
            few.suffices(0.5)
                .is_err_and(|why| why.contains("150 of 200") && why.contains("10 path not linear"))
        );
        let off = Found { bias: Some((-0.2, 0.02)), ..found() };
        assert!(off.suffices(0.5).is_err_and(|why| why.contains("-0.200 off")));
        assert_eq!(Found { bias: None, ..found() }.suffices(0.5), Ok(()));
    }

    #[test]
    fn a_certificate_names_the_channels_that_a_run_takes() {
        let channel =
            |label: &str, kind: &str| Channel { label: label.into(), unit: "uV".into(), kind: kind.into() };
        let stream = StreamDescription {
            name: "amp".into(),
            kind: "EEG".into(),
            source_id: String::new(),
            hostname: String::new(),
            rate_hz: 250.0,
            channels: vec![channel("Cz", "EEG"), channel("STATUS", "TRIG"), channel("Pz", "EEG")],
        };
        let settings = AcquisitionSettings::default();
        assert_eq!(taken(&stream, &settings), Ok(vec!["Cz".to_owned(), "Pz".to_owned()]));
        let named = AcquisitionSettings { channels: vec!["Pz".into()], ..settings };
        assert_eq!(taken(&stream, &named), Ok(vec!["Pz".to_owned()]));
    }
}

//! What is asked of every recording: options over a preset's or a configuration's settings over the defaults.

use std::path::PathBuf;

use super::arguments::{EstimateArgs, RegionMeanArg};
use crate::acquisition::recording::OpenOptions;
use crate::acquisition::settings::{AcquisitionSettings, Reference};
use crate::cli::method::{BentArg, FloorArg, ModeArg};
use crate::config::Config;
use crate::estimator::window::RegionMean;
use crate::offline::lane::Readouts;
use crate::offline::preset::Preset;
use crate::offline::recording::Job;
use crate::offline::settings::{Overrides, complaint};
use crate::offline::through::Asked;
use crate::session::recorded::Recorded;

impl EstimateArgs {
    /// What is asked of every recording: options over the preset's settings over the defaults.
    ///
    /// # Errors
    /// Names the option that is wrong and what would be right.
    pub fn job(&self) -> Result<Job, String> {
        let preset = self.preset.as_deref().map(Preset::named).transpose()?;
        let given = self.given()?;
        let delete_below_sd = self.delete_below_sd.or(preset.as_ref().and_then(|p| p.delete_below_sd));
        let config = self.resolve(preset, given.as_ref())?;
        let job = Job {
            open: OpenOptions {
                rate_hz: self.rate,
                stream: self.stream.clone(),
                channels: self.used(),
                unit: self.montage.unit.clone(),
            },
            acquisition: AcquisitionSettings {
                unit: self.montage.unit.clone(),
                channels: given
                    .as_ref()
                    .filter(|_| self.montage.channels.is_empty() && !self.as_recorded)
                    .map_or_else(|| self.montage.channels.clone(), |given| given.stream.channels.clone()),
                reference: given
                    .as_ref()
                    .filter(|_| self.montage.reference.is_none() && !self.as_recorded)
                    .map_or_else(
                        || self.montage.reference.clone().unwrap_or_default(),
                        |given| given.stream.reference.clone(),
                    ),
                // A file's stamps are what they are: there is nothing to wait for.
                settle_s: 0.0,
                exact_stamps: true,
                ..AcquisitionSettings::default()
            },
            regions: match &given {
                Some(given) if self.montage.region.is_empty() => {
                    given.estimator.regions.iter().map(|r| (r.name.clone(), r.channels.clone())).collect()
                }
                _ => self.montage.region.clone(),
            },
            region_mean: match self.region_mean {
                RegionMeanArg::Spectra => RegionMean::Spectra,
                RegionMeanArg::Fits => RegionMean::Fits,
            },
            each_channel: match &given {
                Some(given) if self.montage.region.is_empty() => given.estimator.each_channel,
                _ => !self.no_channels,
            },
            contamination: false,
            epochs: self.epochs.clone(),
            fields: Vec::new(),
            readouts: Readouts { bands: self.bands.clone(), timescale: self.timescale, track: self.track },
            during_current: self
                .during_current
                .map(|during| Asked { during: during.what(), current: self.current.clone() }),
            delete_below_sd,
            config,
        };
        let columns = job.columns();
        if let Some(twice) =
            columns.iter().enumerate().find(|(at, name)| columns.iter().take(*at).any(|n| n == *name))
        {
            return Err(format!("--bands: column {} would stand twice; name each band once", twice.1));
        }
        let [low, high] = job.config.estimator.range_hz;
        if let Some(band) = job.readouts.bands.iter().find(|b| b.range_hz.0 >= high || b.range_hz.1 <= low) {
            return Err(format!("--bands {}: lies outside the fit range of {low} to {high} Hz", band.name));
        }
        Ok(job)
    }

    /// The configuration that the settings start from, where one is asked for.
    fn given(&self) -> Result<Option<Config>, String> {
        if let Some(path) = &self.config {
            return crate::cli::check::load(path).map(Some).map_err(|error| error.to_string());
        }
        if !self.as_recorded {
            return Ok(None);
        }
        let mut first: Option<(Config, &PathBuf)> = None;
        for path in &self.files {
            let config = Recorded::open(path).and_then(|recorded| recorded.config());
            let config = config.map_err(|error| format!("--as-recorded: {error}"))?;
            match &first {
                Some((known, earlier)) if known.estimator != config.estimator => {
                    let (earlier, path) = (earlier.display(), path.display());
                    return Err(format!(
                        "--as-recorded: {earlier} and {path} were recorded with different settings; estimate them one by one, \
                         or with one -c FILE"
                    ));
                }
                Some(_) => {}
                None => first = Some((config, path)),
            }
        }
        Ok(first.map(|(config, _)| config))
    }

    fn resolve(&self, preset: Option<Preset>, given: Option<&Config>) -> Result<Config, String> {
        let given = given.map(|given| toml::Table::try_from(&given.estimator)).transpose();
        let mut keys = match (preset, given.map_err(|error| error.to_string())?) {
            (_, Some(table)) => Overrides::from_table(table),
            (Some(preset), None) => preset.estimator,
            // Windows that follow each other: what lies in between would cost and tell little.
            (None, None) => {
                let mut keys = Overrides::default();
                keys.set("hop_s", Some(self.window.unwrap_or(4.0)));
                keys
            }
        };
        let whole =
            |pair: [f64; 2]| toml::Value::Array(pair.iter().map(|&x| toml::Value::Float(x)).collect());
        if let Some(method) = self.fit.method {
            let name = method.name().name();
            // Segments that a preset has for its own method do not serve another.
            if keys.text("method").is_some_and(|theirs| theirs != name) {
                keys.clear(&["segment_s", "overlap"]);
            }
            keys.set("method", Some(name));
        }
        keys.set("mode", self.fit.mode.map(ModeArg::name));
        keys.set("bent", self.bent.map(BentArg::name));
        keys.set("floor", self.floor.map(FloorArg::name));
        keys.set("window_s", self.window);
        keys.set("hop_s", self.hop.or(self.window));
        keys.set("range_hz", self.fit.range.map(whole));
        keys.set("peak_width_hz", self.fit.peak_width.map(whole));
        keys.set("max_peaks", self.fit.max_peaks.map(i64::from));
        keys.set("min_peak_height", self.fit.min_peak_height);
        keys.set("peak_threshold", self.fit.peak_threshold);
        keys.set("memory_s", self.memory);
        keys.set("segment_s", self.segment);
        keys.set("overlap", self.overlap);
        keys.set("min_segments_share", self.min_segments);
        keys.set("line_hz", self.line);
        keys.set("min_r_squared", self.min_r_squared);
        keys.resolve().map_err(|error| complaint(&error))
    }

    /// Labels of all channels that are used, where channels are named; the reader may leave out the others.
    fn used(&self) -> Option<Vec<String>> {
        let mut labels = self.montage.channels.clone();
        if labels.is_empty() && !self.no_channels {
            return None;
        }
        labels.extend(self.montage.region.iter().flat_map(|(_, channels)| channels.iter().cloned()));
        if let Some(Reference::Channels(more)) = &self.montage.reference {
            labels.extend(more.iter().cloned());
        }
        Some(labels).filter(|labels| !labels.is_empty())
    }
}

//! The `[estimator]` section, resolved on a stream: regions to channel indices, method and spectrum to what
//! runs.

use super::Order;
use crate::{
    acquisition::StreamDescription,
    estimator::{
        assemble,
        settings::{DuringCurrent, Settings},
        through_current::{self, Confirmation, Remover},
        window::{Estimator, EstimatorSettings, RegionMean, Target},
    },
    failure::Failure,
    runtime::{live::refit::Refit, stages::through::ThroughStage},
    session::through_certificate::Here,
};

impl Order {
    /// Makes the estimator again for a stream of these channels that runs at another rate than it says.
    pub(super) fn refit(&self, labels: &[String]) -> Refit {
        let (order, labels) = (self.clone(), labels.to_vec());
        Box::new(move |rate_hz| {
            order.config.check_against_rate(rate_hz).map_err(Failure::usage)?;
            order.estimator(rate_hz, &labels)
        })
    }

    /// The estimator for a stream of `rate_hz` with the chosen channels `labels`.
    ///
    /// # Errors
    /// A region names a channel that is not there, or the settings do not fit the rate.
    pub fn estimator(&self, rate_hz: f64, labels: &[String]) -> Result<Estimator, Failure> {
        let e = &self.config.estimator;
        let settings = EstimatorSettings {
            max_age_s: Some(self.config.stream.max_age_s),
            filter_corners_hz: (self.config.stream.highpass_hz, self.config.stream.lowpass_hz),
            ..assemble::estimator_settings(e, targets(e, labels)?)
        };
        let method = assemble::method(e, &settings, rate_hz)
            .map_err(|what| Failure::usage(format!("[estimator] {what}")))?;
        Estimator::new(settings, rate_hz, labels.len(), method)
            .map_err(|what| Failure::usage(format!("[estimator] on this stream: {what}")))
    }
}

impl Order {
    /// What sees through the current of `current_rate_hz`, where that is wanted.
    ///
    /// # Errors
    /// The removal does not fit the stream: why, in words.
    pub fn through(
        &self,
        rate_hz: f64,
        current_rate_hz: f64,
        labels: &[String],
        targets: Vec<Target>,
    ) -> Result<Option<ThroughStage>, String> {
        let e = &self.config.estimator;
        if e.during_current == DuringCurrent::Hide {
            return Ok(None);
        }
        let channels = labels.len();
        let remover = through_current::Settings::new(
            channels,
            rate_hz,
            e.range_hz[1],
            current_rate_hz,
            e.window_s,
            e.hop_s,
        );
        let remover = Remover::new(remover)?;
        let settings = assemble::estimator_settings(e, targets);
        let method = assemble::method(e, &settings, remover.rate_hz())?;
        let estimator = Estimator::new(settings, remover.rate_hz(), channels, method)?;
        Ok(Some(ThroughStage::new(remover, estimator, rate_hz, current_rate_hz, channels)))
    }
}

impl Order {
    /// Whether windows under current may steer a run on this stream, once its first block has confirmed it; `None`: they
    /// are not to.
    ///
    /// # Errors
    /// They are to, and no certificate says that they can here.
    pub(super) fn confirmation(
        &self,
        stream: &StreamDescription,
        labels: &[String],
        seen_through: Result<(), &str>,
    ) -> Result<Option<Confirmation>, Failure> {
        let (e, t) = (&self.config.estimator, &self.config.through_current);
        if e.during_current != DuringCurrent::Steer {
            return Ok(None);
        }
        let refused = |why: String| {
            Failure::usage(format!(
                "estimator.during_current = \"steer\": {why}; \"show\" needs no certificate"
            ))
        };
        let certificate =
            t.certified.as_ref().ok_or_else(|| refused("no certificate was read".to_owned()))?;
        let here = Here {
            amplifier: Some(&stream.name),
            rate_hz: Some(stream.rate_hz),
            channels: Some(labels),
            stimulator: &self.config.stimulator.identity(),
            range_hz: e.range_hz,
            window_s: e.window_s,
        };
        certificate.fits(&here).map_err(|why| refused(format!("the certificate {why}")))?;
        seen_through.map_err(|why| refused(why.to_owned()))?;
        Ok(Some(Confirmation::new(e.hop_s, certificate.removed_db)))
    }
}

/// Regions first, in their order, then each channel where that is asked for.
fn targets(e: &Settings, labels: &[String]) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for region in &e.regions {
        let channels = if region.channels.is_empty() {
            (0..labels.len()).collect()
        } else {
            let find = |wanted: &String| {
                labels.iter().position(|label| label == wanted).ok_or_else(|| {
                    Failure::usage(format!(
                        "estimator.regions: region \"{}\" wants channel \"{wanted}\"; the stream has {}",
                        region.name,
                        labels.join(", ")
                    ))
                })
            };
            region.channels.iter().map(find).collect::<Result<_, _>>()?
        };
        targets.push(Target { name: region.name.clone(), channels, mean: RegionMean::Spectra });
    }
    if e.each_channel {
        targets.extend(EstimatorSettings::each_channel(labels.iter().cloned()));
    }
    Ok(targets)
}

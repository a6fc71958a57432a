//! The `[estimator]` section, resolved on a stream: regions to channel indices, method and spectrum to what
//! runs.

use super::{Built, usage};
use crate::{
    cli::CliError,
    config::{self, MethodName, Mode as ConfigMode},
    estimator::{
        Method,
        artefact::ArtefactSettings,
        specparam::{Mode, Specparam, SpecparamSettings},
        spectrum::{Average, Detrend, Kind, LineNoise, SpectrumSettings, Taper},
        whittle::{Settings as WhittleSettings, Whittle, design::Design},
        window::{Estimator, EstimatorSettings, RegionMean, Target},
    },
};

impl Built {
    /// The estimator for a stream of `rate_hz` with the chosen channels `labels`.
    ///
    /// # Errors
    /// A region names a channel that is not there, or the settings do not fit the rate.
    pub fn estimator(&self, rate_hz: f64, labels: &[String]) -> Result<Estimator, CliError> {
        let e = &self.config.estimator;
        let spectrum = spectrum_settings(e);
        let settings = EstimatorSettings {
            window_s: e.window_s,
            hop_s: e.hop_s,
            spectrum,
            targets: targets(e, labels)?,
            min_good_fraction: e.min_segments_share,
            artefact: Some(ArtefactSettings::default()),
            min_r_squared: e.min_r_squared,
            max_age_s: Some(self.config.stream.max_age_s),
            fit_range_hz: Some((e.range_hz[0], e.range_hz[1])),
            ..EstimatorSettings::default()
        };
        let method = method(e, &settings, rate_hz)?;
        Estimator::new(settings, rate_hz, labels.len(), method)
            .map_err(|what| usage(format!("[estimator] on this stream: {what}")))
    }
}

fn spectrum_settings(e: &config::Estimator) -> SpectrumSettings {
    SpectrumSettings {
        kind: Kind::Welch { taper: Taper::Hann },
        segment_s: e.segment_s,
        overlap: e.overlap,
        average: match e.average {
            config::Average::Mean => Average::Mean,
            config::Average::Median => Average::Median,
        },
        detrend: match e.detrend {
            config::Detrend::Constant => Detrend::Constant,
            config::Detrend::Linear => Detrend::Linear,
            config::Detrend::None => Detrend::None,
        },
        // Some room above the fit range: the screen shows it.
        max_hz: e.range_hz[1] * 1.5,
    }
}

/// Regions first, in their order, then each channel where that is asked for.
fn targets(e: &config::Estimator, labels: &[String]) -> Result<Vec<Target>, CliError> {
    let mut targets = Vec::new();
    for region in &e.regions {
        let channels = if region.channels.is_empty() {
            (0..labels.len()).collect()
        } else {
            let find = |wanted: &String| {
                labels.iter().position(|label| label == wanted).ok_or_else(|| {
                    usage(format!(
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

fn method(
    e: &config::Estimator,
    settings: &EstimatorSettings,
    rate_hz: f64,
) -> Result<Box<dyn Method>, CliError> {
    let range_hz = (e.range_hz[0], e.range_hz[1]);
    match e.method {
        MethodName::Specparam => {
            let settings = SpecparamSettings {
                range_hz,
                mode: match e.mode {
                    ConfigMode::Fixed => Mode::Fixed,
                    ConfigMode::Knee => Mode::Knee,
                },
                peak_width_hz: (e.peak_width_hz[0], e.peak_width_hz[1]),
                max_n_peaks: e.max_peaks as usize,
                min_peak_height: e.min_peak_height,
                peak_threshold: e.peak_threshold,
                line_noise: (e.line_hz > 0.0)
                    .then_some(LineNoise { mains_hz: e.line_hz, half_width_hz: 2.0 / e.segment_s }),
            };
            Ok(Box::new(Specparam::new(settings).map_err(|what| usage(format!("[estimator] {what}")))?))
        }
        MethodName::Whittle => {
            let segment = (e.segment_s * rate_hz).round().max(1.0) as usize;
            let step = (e.segment_step_s() * rate_hz).round().max(1.0) as usize;
            let window = (e.window_s * rate_hz).round() as usize;
            let design = Design {
                sample_rate_hz: rate_hz,
                tapers: vec![Taper::Hann.values(segment)],
                step_samples: step,
                segments: window.saturating_sub(segment) / step + 1,
            };
            let freqs_hz: Vec<f64> = (0..=segment / 2)
                .map(|k| k as f64 * rate_hz / segment as f64)
                .take_while(|f| *f <= settings.spectrum.max_hz + 1e-9)
                .collect();
            let whittle = WhittleSettings {
                range_hz,
                memory_s: e.memory_s,
                hop_s: e.hop_s,
                window_s: e.window_s,
                ..WhittleSettings::default()
            };
            Ok(Box::new(Whittle::new(whittle, &design, &freqs_hz, settings.targets.len())))
        }
    }
}

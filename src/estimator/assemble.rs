//! From the checked `[estimator]` settings to what runs: spectrum and method. The live loop and the offline tables
//! both build through here, so that what was tuned on recordings is what runs on a person.

use super::Method;
use super::artefact::ArtefactSettings;
use super::settings::{MethodName, Settings};
use super::specparam::{Specparam, SpecparamSettings};
use super::spectrum::transform::Transform;
use super::spectrum::{Kind, LineNoise, SpectrumSettings, Taper};
use super::whittle::{self, Settings as WhittleSettings, Whittle, design::Design};
use super::window::{EstimatorSettings, RegionMean, Steps, Target};

/// Half the width, in Hz, over which `whittle`'s tapers smear: with 4 s windows 7 tapers, the facts' prototype.
const WHITTLE_HALF_BANDWIDTH_HZ: f64 = 1.0;
/// The longest segment that `whittle` takes whole; more would only cost time, for 31 tapers scatter little.
const WHITTLE_MAX_SEGMENT_S: f64 = 16.0;

/// Segment length (s) and overlap (share) that serve a method best where the user names none: for `specparam` the
/// tRAS study's 1 s with half overlap; for `whittle` the whole window in one multitaper segment (or the fewest
/// equal parts of at most 16 s), because nothing is then lost at the segments' ends.
#[must_use]
pub fn best_segments(method: MethodName, window_s: f64, hop_s: f64) -> (f64, f64) {
    match method {
        MethodName::Specparam => (1.0, 0.5),
        // Windows that overlap share their segments: one artefact costs half a second and not the window.
        MethodName::Whittle if hop_s < window_s && window_s > 2.0 => {
            let shared = whittle::spectrum_settings(window_s, hop_s);
            (shared.segment_s, shared.overlap)
        }
        MethodName::Whittle => (window_s / (window_s / WHITTLE_MAX_SEGMENT_S).ceil().max(1.0), 0.0),
    }
}

/// Window, spectrum and gates as `e` says, for `targets`.
#[must_use]
pub fn estimator_settings(e: &Settings, targets: Vec<Target>) -> EstimatorSettings {
    EstimatorSettings {
        window_s: e.window_s,
        hop_s: e.hop_s,
        spectrum: spectrum_settings(e),
        targets,
        min_good_fraction: e.min_segments_share,
        artefact: Some(ArtefactSettings::default()),
        min_r_squared: e.min_r_squared,
        fit_range_hz: Some((e.range_hz[0], e.range_hz[1])),
        ..EstimatorSettings::default()
    }
}

fn spectrum_settings(e: &Settings) -> SpectrumSettings {
    let kind = match e.method {
        // Shorter segments have no room for a second taper.
        MethodName::Whittle if e.segment_s * WHITTLE_HALF_BANDWIDTH_HZ >= 1.5 => {
            Kind::Multitaper { half_bandwidth_hz: WHITTLE_HALF_BANDWIDTH_HZ, tapers: None }
        }
        MethodName::Whittle | MethodName::Specparam => Kind::Welch { taper: Taper::Hann },
    };
    SpectrumSettings {
        kind,
        segment_s: e.segment_s,
        overlap: e.overlap,
        average: e.average,
        detrend: e.detrend,
        // Some room above the fit range: the screen shows it.
        max_hz: e.range_hz[1] * 1.5,
    }
}

fn line_noise(e: &Settings) -> Option<LineNoise> {
    // A Hann window's main lobe, or the tapers' bandwidth where it is wider.
    let tapers_hz = match e.method {
        MethodName::Whittle => WHITTLE_HALF_BANDWIDTH_HZ,
        MethodName::Specparam => 0.0,
    };
    let half_width_hz = tapers_hz.max(2.0 / e.segment_s);
    (e.line_hz > 0.0).then_some(LineNoise { mains_hz: e.line_hz, half_width_hz })
}

/// What `specparam` looks for.
#[must_use]
pub fn specparam_settings(e: &Settings) -> SpecparamSettings {
    SpecparamSettings {
        range_hz: (e.range_hz[0], e.range_hz[1]),
        mode: e.mode,
        peak_width_hz: (e.peak_width_hz[0], e.peak_width_hz[1]),
        max_n_peaks: e.max_peaks as usize,
        min_peak_height: e.min_peak_height,
        peak_threshold: e.peak_threshold,
        line_noise: line_noise(e),
    }
}

/// The method of `e` for spectra made as `settings` says of a stream at `rate_hz`.
///
/// # Errors
/// Names the setting that the method cannot work with.
#[expect(clippy::cast_precision_loss, reason = "sample counts of windows of seconds")]
pub fn method(e: &Settings, settings: &EstimatorSettings, rate_hz: f64) -> Result<Box<dyn Method>, String> {
    match e.method {
        MethodName::Specparam => Ok(Box::new(Specparam::new(specparam_settings(e))?)),
        MethodName::Whittle => {
            let Steps { segment, step, depth, .. } =
                Steps::new(e.window_s, e.hop_s, e.segment_s, e.segment_step_s(), rate_hz)?;
            let design = Design {
                sample_rate_hz: rate_hz,
                tapers: Transform::new(&settings.spectrum, segment, rate_hz).tapers().to_vec(),
                step_samples: step,
                segments: depth,
            };
            let freqs_hz: Vec<f64> = (0..=segment / 2)
                .map(|k| k as f64 * rate_hz / segment as f64)
                .take_while(|f| *f <= settings.spectrum.max_hz + 1e-9)
                .collect();
            let whittle = WhittleSettings {
                range_hz: (e.range_hz[0], e.range_hz[1]),
                memory_s: e.memory_s,
                hop_s: e.hop_s,
                window_s: e.window_s,
                line_noise: line_noise(e),
                ..WhittleSettings::default()
            };
            // A region that is a mean of fits has a memory for each of its channels.
            let series = |target: &Target| match target.mean {
                RegionMean::Spectra => 1,
                RegionMean::Fits => target.channels.len(),
            };
            let memories = settings.targets.iter().map(series).sum();
            Ok(Box::new(Whittle::new(whittle, &design, &freqs_hz, memories)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "tests of exact values")]
    use super::*;

    #[test]
    fn long_windows_are_cut_into_equal_parts() {
        assert_eq!(best_segments(MethodName::Whittle, 4.0, 4.0), (4.0, 0.0));
        assert_eq!(best_segments(MethodName::Whittle, 60.0, 60.0), (15.0, 0.0));
        assert_eq!(best_segments(MethodName::Whittle, 4.0, 0.5), (2.0, 0.75));
        assert_eq!(best_segments(MethodName::Specparam, 4.0, 0.5), (1.0, 0.5));
    }
}

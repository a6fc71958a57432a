//! From the checked `[estimator]` settings to what runs: spectrum and method. The live loop and the offline tables
//! both build through here, so that what was tuned on recordings is what runs on a person.

use super::Method;
use super::artefact::ArtefactSettings;
use super::settings::{Floor, MethodName, Mode, Settings};
use super::specparam::{self, Specparam, SpecparamSettings};
use super::spectrum::transform::Transform;
use super::spectrum::{Detrend, Kind, LineNoise, SpectrumSettings, Taper};
use super::whittle::{Settings as WhittleSettings, Whittle, design::Design};
use super::window::{EstimatorSettings, RegionMean, Steps, Target};

/// Half the width, in Hz, over which `whittle`'s tapers smear where a user asks for segments long enough for several.
const WHITTLE_HALF_BANDWIDTH_HZ: f64 = 1.0;

/// Segment length (s) and overlap (share) that serve a method best where the user names none. For `specparam` the
/// tRAS study's 1 s with half overlap; for `whittle` the same, or a period of the lowest frequency where that is longer,
/// stretched a little where it would not fill the window: what a blink spoils is a second and not the window, and
/// what steep spectra leak the whitening takes away.
#[must_use]
pub fn best_segments(method: MethodName, window_s: f64, range_hz: [f64; 2]) -> (f64, f64) {
    match method {
        MethodName::Specparam => (1.0, 0.5),
        MethodName::Whittle => {
            let least_s = shortest_whittle_segment_s(range_hz);
            let steps = (2.0 * (window_s / least_s - 1.0) + 1e-9).floor().max(0.0);
            (window_s / (1.0 + 0.5 * steps), 0.5)
        }
    }
}

fn shortest_whittle_segment_s(range_hz: [f64; 2]) -> f64 {
    (1.0 / range_hz[0].max(1e-3)).max(1.0)
}

/// Whether `whittle` cuts each segment's spectrum out with several tapers: where a segment is much longer than it
/// need be, one taper would scatter too much.
fn several_tapers(e: &Settings) -> bool {
    e.segment_s * WHITTLE_HALF_BANDWIDTH_HZ >= 1.5
        && e.segment_s > 1.5 * shortest_whittle_segment_s(e.range_hz)
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
        MethodName::Whittle if several_tapers(e) => {
            Kind::Multitaper { half_bandwidth_hz: WHITTLE_HALF_BANDWIDTH_HZ, tapers: None }
        }
        MethodName::Whittle => Kind::Welch { taper: Taper::Cosine },
        MethodName::Specparam => Kind::Welch { taper: Taper::Hann },
    };
    SpectrumSettings {
        kind,
        segment_s: e.segment_s,
        overlap: e.overlap,
        average: e.average,
        // Of the changes that a whitened segment is made of, the mean is below the model's care.
        detrend: if e.method == MethodName::Whittle { Detrend::None } else { e.detrend },
        whiten: e.method == MethodName::Whittle,
        // Some room above the fit range: the screen shows it.
        max_hz: e.range_hz[1] * 1.5,
    }
}

fn line_noise(e: &Settings) -> Option<LineNoise> {
    // A Hann window's main lobe, or the tapers' bandwidth where it is wider.
    let tapers_hz = match e.method {
        MethodName::Whittle if several_tapers(e) => WHITTLE_HALF_BANDWIDTH_HZ,
        MethodName::Whittle | MethodName::Specparam => 0.0,
    };
    let half_width_hz = tapers_hz.max(2.0 / e.segment_s);
    (e.line_hz > 0.0).then_some(LineNoise { mains_hz: e.line_hz, half_width_hz })
}

/// What `specparam` looks for.
#[must_use]
pub fn specparam_settings(e: &Settings) -> SpecparamSettings {
    SpecparamSettings {
        range_hz: (e.range_hz[0], e.range_hz[1]),
        mode: if e.mode == Mode::Fixed { specparam::Mode::Fixed } else { specparam::Mode::Knee },
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
                whiten: settings.spectrum.whiten,
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
                mode: e.mode,
                bent: e.bent,
                floor: e.floor == Floor::Auto,
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
    fn segments_last_a_period_and_fill_the_window() {
        let of = |window_s, low_hz| best_segments(MethodName::Whittle, window_s, [low_hz, 35.0]);
        assert_eq!(of(4.0, 2.0), (1.0, 0.5));
        assert_eq!(of(60.0, 0.5), (2.0, 0.5));
        assert_eq!(of(5.0, 0.5), (2.0, 0.5));
        assert_eq!(of(2.0, 0.25), (2.0, 0.5));
        assert_eq!(best_segments(MethodName::Specparam, 4.0, [2.0, 35.0]), (1.0, 0.5));
    }
}

//! The exponent of a captured current, by two ways that share nothing but the samples: the straight line through a
//! Welch spectrum that `tras noise` draws, and the `whittle` estimator that steers the loop.

use tras::acquisition::frame::FrameHeader;
use tras::estimator::Contamination;
use tras::estimator::settings::Bent;
use tras::estimator::spectrum::{Kind, SpectrumSettings};
use tras::estimator::whittle::{self, Whittle, design::Design};
use tras::estimator::window::{Estimator, EstimatorSettings};
use tras::noise::measure::{Slope, Welch};

use super::thin::thin;

/// Samples a second of what is measured.
pub(super) const RATE_HZ: f64 = 2_000.0;
/// Inside the noise's band of 0.5..100 Hz by twice the spectrum's resolution.
pub(super) const RANGE_HZ: (f64, f64) = (1.0, 90.0);
/// The estimator's windows in s, its rate and its range.
const WINDOW_S: f64 = 8.0;
const ESTIMATOR_HZ: f64 = 500.0;
const ESTIMATOR_RANGE_HZ: (f64, f64) = (2.0, 80.0);

/// What was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exponent {
    /// Over [`RANGE_HZ`].
    pub line: Slope,
    /// Mean and standard error over windows of 8 s, 2..80 Hz.
    pub whittle: Slope,
}

/// Of a current at 2,000 samples/s; `None` where it is too short. The spectrum comes with it.
pub(super) fn measure(current_ma: &[f32]) -> Option<(Exponent, Vec<(f64, f64)>)> {
    let mut welch = Welch::new(RATE_HZ);
    welch.push(current_ma);
    let line = welch.slope(RANGE_HZ)?;
    let whittle = by_whittle(current_ma)?;
    Some((Exponent { line, whittle }, welch.density().collect()))
}

fn by_whittle(current_ma: &[f32]) -> Option<Slope> {
    let thinned = thin(current_ma, (RATE_HZ / ESTIMATOR_HZ) as usize);
    let spectrum = SpectrumSettings {
        kind: Kind::Multitaper { half_bandwidth_hz: 1.0, tapers: None },
        segment_s: WINDOW_S,
        overlap: 0.0,
        max_hz: 120.0,
        ..SpectrumSettings::default()
    };
    let design = Design::of_settings(&spectrum, ESTIMATOR_HZ, WINDOW_S);
    let len = design.segment_samples();
    let freqs_hz: Vec<f64> = (0..=len / 2)
        .map(|k| k as f64 * ESTIMATOR_HZ / len as f64)
        .take_while(|f_hz| *f_hz <= spectrum.max_hz)
        .collect();
    let settings = whittle::Settings {
        range_hz: ESTIMATOR_RANGE_HZ,
        memory_s: 0.0,
        bent: Bent::Steer,
        hop_s: WINDOW_S,
        window_s: WINDOW_S,
        ..whittle::Settings::default()
    };
    let method = Whittle::new(settings, &design, &freqs_hz, 1);
    let settings = EstimatorSettings {
        window_s: WINDOW_S,
        hop_s: WINDOW_S,
        spectrum,
        targets: EstimatorSettings::each_channel(["current"]),
        artefact: None,
        ..EstimatorSettings::default()
    };
    let mut estimator = Estimator::new(settings, ESTIMATOR_HZ, 1, Box::new(method)).ok()?;
    let mut found = Vec::new();
    for (index, value) in thinned.iter().enumerate() {
        let stamp_s = index as f64 / ESTIMATOR_HZ;
        let header = FrameHeader { index: index as u64, stamp_s, ..FrameHeader::default() };
        if estimator.push(&header, &[*value], Contamination::Clean) {
            let fit = estimator.estimate(0, stamp_s).fit;
            if fit.invalid.is_none() {
                found.push((fit.exponent, fit.exponent_se));
            }
        }
    }
    let n = found.len() as f64;
    let exponent = found.iter().map(|(e, _)| e).sum::<f64>() / n;
    let se = found.iter().map(|(_, se)| se * se).sum::<f64>().sqrt() / n;
    (n >= 2.0).then_some(Slope { exponent, se })
}

/// How much steeper straight lines between samples at 2,000/s make the exponent over [`RANGE_HZ`]: their response is
/// sinc², so the power falls by sinc⁴.
pub(super) fn steeper_by_straight_lines() -> f64 {
    let points: Vec<(f64, f64)> = (0..)
        .map(|k| RANGE_HZ.0 + f64::from(k) / 8.0)
        .take_while(|f_hz| *f_hz <= RANGE_HZ.1)
        .map(|f_hz| {
            let x = std::f64::consts::PI * f_hz / RATE_HZ;
            (f_hz.ln(), 4.0 * (x.sin() / x).ln())
        })
        .collect();
    let n = points.len() as f64;
    let (mean_x, mean_y) =
        (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let xy: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let xx: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    -xy / xx
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use tras::noise::{Noise, Parameters};

    #[test]
    fn both_ways_find_what_was_made_and_an_other_exponent_is_told_apart() {
        for chi in [0.5, 1.0, 2.0] {
            let parameters = Parameters { exponent: chi, band_hz: (0.5, 100.0), peak_ma: 0.5 };
            let mut noise = Noise::new(&parameters, RATE_HZ, 3).unwrap();
            let mut current_ma = vec![0.0; 240_000];
            noise.fill(&mut current_ma);
            let (found, density) = measure(&current_ma).unwrap();
            for slope in [found.line, found.whittle] {
                assert!(slope.se > 0.005 && slope.se < 0.025, "{found:?}");
                assert!((slope.exponent - chi).abs() < 4.0 * slope.se, "{chi}: {found:?}");
            }
            let squares = current_ma.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / 240_000.0;
            let bin_hz = density.get(1).unwrap().0;
            let sum: f64 = density.iter().map(|d| d.1 * bin_hz).sum();
            assert!((sum / squares - 1.0).abs() < 0.1, "{sum} {squares}");
        }
        assert!((0.002..0.008).contains(&steeper_by_straight_lines()), "{}", steeper_by_straight_lines());
    }
}

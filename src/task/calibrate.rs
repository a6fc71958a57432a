//! From a marker's stamp to light on the screen: flashes of the patch against a photodiode's samples.

use tras_scoring::quantile::{median, of_sorted, sd};

/// Light may come this long after its stamp, s.
const LATEST_S: f64 = 0.2;
/// And a little before it, by the error of two clocks.
const EARLIEST_S: f64 = -0.005;

/// What flashes came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Median time from stamp to light.
    pub median_ms: f64,
    /// Its SD over flashes.
    pub sd_ms: f64,
    /// Flashes with light.
    pub seen: usize,
    /// Flashes.
    pub flashes: usize,
}

/// When a photodiode's signal rises through the middle between dark and light: (stamp, value) in order of time.
/// It must fall below a quarter before it can rise again, so that noise at the edge counts once.
#[must_use]
pub fn rises(samples: &[(f64, f64)]) -> Vec<f64> {
    let mut sorted: Vec<f64> = samples.iter().map(|s| s.1).filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (dark, light) = (of_sorted(&sorted, 0.05), of_sorted(&sorted, 0.95));
    let (low, middle) = (dark + 0.25 * (light - dark), dark + 0.5 * (light - dark));
    let mut found = Vec::new();
    let mut armed = false;
    for pair in samples.windows(2) {
        let [(before_s, before), (now_s, now)] = pair else { continue };
        armed |= *before < low;
        if armed && *before < middle && *now >= middle {
            // Between two samples by a line.
            found.push(before_s + (now_s - before_s) * (middle - before) / (now - before));
            armed = false;
        }
    }
    found
}

/// Compares stamps with rises.
///
/// # Errors
/// Says what is wrong: too few flashes with light (is the photodiode on the patch?), or times that scatter too much.
pub fn compare(stamps_s: &[f64], rises_s: &[f64]) -> Result<Calibration, String> {
    let delays: Vec<f64> = stamps_s
        .iter()
        .filter_map(|stamp| {
            rises_s.iter().map(|rise| rise - stamp).find(|d| (EARLIEST_S..LATEST_S).contains(d))
        })
        .map(|d| 1_000.0 * d)
        .collect();
    let (seen, flashes) = (delays.len(), stamps_s.len());
    if seen < 10 || seen * 10 < flashes * 9 {
        return Err(format!(
            "the photodiode saw {seen} of {flashes} flashes: put it on the patch in the lower right corner, and check \
             that its channel is the one that was named"
        ));
    }
    Ok(Calibration { median_ms: median(&delays), sd_ms: sd(&delays), seen, flashes })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A photodiode at 1 kHz that sees 30 flashes 14 ms late, with noise.
    fn signal(delay_s: f64) -> (Vec<f64>, Vec<(f64, f64)>) {
        let stamps: Vec<f64> = (0..30).map(|k| 1.0 + 0.65 * f64::from(k)).collect();
        let samples = (0..22_000).map(|k| {
            let t = f64::from(k) / 1_000.0;
            let lit = stamps.iter().any(|s| t >= s + delay_s && t < s + delay_s + 0.2);
            (t, if lit { 900.0 } else { 100.0 } + 30.0 * (f64::from(k) * 12.9898).sin())
        });
        (stamps.clone(), samples.collect())
    }

    #[test]
    fn the_delay_of_light_is_found() {
        let (stamps, samples) = signal(0.014);
        let found = compare(&stamps, &rises(&samples)).unwrap();
        assert!((found.median_ms - 13.5).abs() < 0.6 && found.sd_ms < 0.6, "{found:?}");
        assert_eq!((found.seen, found.flashes), (30, 30));
    }

    #[test]
    fn a_photodiode_that_sees_nothing_is_told() {
        let (stamps, _) = signal(0.0);
        let noise: Vec<(f64, f64)> = (0..22_000).map(|k| (f64::from(k) / 1_000.0, 5.0)).collect();
        assert!(compare(&stamps, &rises(&noise)).unwrap_err().contains("0 of 30"));
        let (stamps, samples) = signal(0.5);
        assert!(compare(&stamps, &rises(&samples)).is_err());
    }
}

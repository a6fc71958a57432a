//! Coloured Gaussian background: white samples in, samples with power f^-exponent out.
//!
//! A cascade of first-order sections, one an octave, each with a pole a little below and a zero a little above
//! its centre. The distance between the two sets the mean slope across the octave, so the exponent can be
//! changed while running by moving them, without a step in the output. The bilinear transform bends the
//! frequency axis towards the Nyquist frequency; the slopes are corrected for that, and for the sections'
//! overlap, once at construction, by comparing the cascade's own response with f^-exponent octave by octave.
//! The cost is fixed per sample, whatever the exponent.

use std::f64::consts::PI;

/// The steepest and flattest exponents that the background can have.
pub const EXPONENT_RANGE: (f64, f64) = (0.0, 3.0);

/// Below this the spectrum is flat, as behind an amplifier's high-pass: f^-3 down to zero has no finite power.
const SHELF_HZ: f64 = 0.08;
/// The cascade reaches this far beyond the Nyquist frequency in warped frequency, tan(pi f / rate).
const TOP_WARPED: f64 = 30.0;
/// Ratio of neighbouring sections' centres, as a natural logarithm: an octave.
const STEP: f64 = std::f64::consts::LN_2;
/// Spacing of the tabulated exponents. Between two of them the slopes are interpolated.
const GRID: f64 = 0.25;
/// Rounds of correction. After 30 the response is within 0.05 dB of f^-exponent for rates of 100 to 2048 Hz.
const ROUNDS: usize = 30;

/// Slopes of every section for a grid of exponents: what all channels of one rate share.
#[derive(Clone, Debug)]
pub struct Colour {
    rate_hz: f64,
    /// Natural logarithms of the sections' centres in warped frequency.
    centres: Vec<f64>,
    /// For each exponent of the grid, the slope of each section.
    slopes: Vec<Vec<f64>>,
}

impl Colour {
    /// Designs the cascade for `rate_hz`, which must be positive and finite.
    #[must_use]
    pub fn new(rate_hz: f64) -> Self {
        let bottom = (PI * (SHELF_HZ / rate_hz).min(0.25)).tan().ln();
        let count = (((TOP_WARPED.ln() - bottom) / STEP).ceil() as usize).max(1);
        let centres: Vec<f64> = (0..count).map(|k| bottom + STEP * (k as f64 + 0.5)).collect();
        let points = (EXPONENT_RANGE.1 / GRID).round() as usize + 1;
        let slopes = (0..points).map(|i| corrected_slopes(&centres, i as f64 * GRID)).collect();
        Self { rate_hz, centres, slopes }
    }

    /// Number of sections.
    #[must_use]
    pub fn sections(&self) -> usize {
        self.centres.len()
    }

    /// Pole and zero of every section for `exponent`, in warped frequency.
    fn poles_zeros(&self, exponent: f64) -> impl Iterator<Item = (f64, f64)> + '_ {
        let place = exponent.clamp(EXPONENT_RANGE.0, EXPONENT_RANGE.1) / GRID;
        let below = (place.floor() as usize).min(self.slopes.len().saturating_sub(2));
        let share = place - below as f64;
        let (low, high) = (self.slopes.get(below), self.slopes.get(below + 1));
        self.centres.iter().enumerate().map(move |(k, centre)| {
            let at = |row: Option<&Vec<f64>>| row.and_then(|r| r.get(k)).copied().unwrap_or(0.0);
            let slope = at(low) * (1.0 - share) + at(high) * share;
            ((centre - 0.5 * STEP * slope).exp(), (centre + 0.5 * STEP * slope).exp())
        })
    }

    /// One-sided density in uV^2/Hz at `freq_hz` of the background of `exponent` whose root mean square between
    /// 1 Hz and [`top_hz`] is `band_rms_uv`: what [`ColourFilter`] is to produce.
    #[must_use]
    pub fn density(&self, freq_hz: f64, exponent: f64, band_rms_uv: f64) -> f64 {
        band_rms_uv * band_rms_uv / band_integral(exponent, top_hz(self.rate_hz)) * freq_hz.powf(-exponent)
    }
}

/// Upper end of the band in which the background is exact: 45 Hz, or 0.45 of a rate under 100 Hz.
#[must_use]
pub fn top_hz(rate_hz: f64) -> f64 {
    (0.45 * rate_hz).min(45.0)
}

/// Integral of f^-exponent from 1 Hz to `top_hz`.
fn band_integral(exponent: f64, top_hz: f64) -> f64 {
    let power = 1.0 - exponent;
    if power.abs() < 1e-9 { top_hz.ln() } else { (top_hz.powf(power) - 1.0) / power }
}

/// Decibels of the cascade at warped frequency `warped`, relative to its own DC gain.
fn cascade_db(poles_zeros: impl Iterator<Item = (f64, f64)>, warped: f64) -> f64 {
    poles_zeros
        .map(|(pole, zero)| {
            10.0 * ((1.0 + (warped / zero).powi(2)) / (1.0 + (warped / pole).powi(2))).log10()
        })
        .sum()
}

/// Slopes of sections at `centres` such that the cascade falls as f^-exponent between the octaves' edges.
fn corrected_slopes(centres: &[f64], exponent: f64) -> Vec<f64> {
    let db_per_slope = STEP * 20.0 / std::f64::consts::LN_10;
    // The true frequency is proportional to the arc tangent of the warped one.
    let wanted_db = |log_warped: f64| -10.0 * exponent * log_warped.exp().atan().log10();
    let wanted: Vec<f64> =
        centres.iter().map(|c| wanted_db(c - 0.5 * STEP) - wanted_db(c + 0.5 * STEP)).collect();
    let mut slopes: Vec<f64> = wanted.iter().map(|fall| fall / db_per_slope).collect();
    for _ in 0..ROUNDS {
        let response = |slopes: &[f64], log_warped: f64| {
            let pairs = centres.iter().zip(slopes).map(|(centre, slope)| {
                ((centre - 0.5 * STEP * slope).exp(), (centre + 0.5 * STEP * slope).exp())
            });
            cascade_db(pairs, log_warped.exp())
        };
        let errors: Vec<f64> = centres
            .iter()
            .zip(&wanted)
            .map(|(c, want)| want - (response(&slopes, c - 0.5 * STEP) - response(&slopes, c + 0.5 * STEP)))
            .collect();
        // The lowest section is left alone: it has no neighbour below, and making up for that would bend 1 Hz.
        for (slope, error) in slopes.iter_mut().zip(&errors).skip(1) {
            *slope += error / db_per_slope;
        }
    }
    slopes
}

/// The running cascades of all channels, which share one exponent.
#[derive(Clone, Debug)]
pub struct ColourFilter {
    /// (numerator, denominator) coefficient of the delayed sample of each section.
    sections: Vec<(f64, f64)>,
    /// For each channel the previous input, and the previous output of each section.
    past: Vec<f64>,
    gain: f64,
}

impl ColourFilter {
    /// Filters at rest, white and silent until [`Self::set`].
    #[must_use]
    pub fn new(colour: &Colour, channels: usize) -> Self {
        let sections = colour.sections();
        Self { sections: vec![(0.0, 0.0); sections], past: vec![0.0; channels * (sections + 1)], gain: 0.0 }
    }

    /// Takes over `exponent` and the root mean square in 1 Hz to [`top_hz`], in microvolts, from the next
    /// sample on. Does not allocate.
    pub fn set(&mut self, colour: &Colour, exponent: f64, band_rms_uv: f64) {
        let pivot_hz = top_hz(colour.rate_hz).sqrt();
        let omega = 2.0 * PI * pivot_hz / colour.rate_hz;
        let mut response = 1.0;
        for (section, (pole, zero)) in self.sections.iter_mut().zip(colour.poles_zeros(exponent)) {
            // Bilinear transform of (1 + s / zero) / (1 + s / pole), without its gain.
            let (b, a) = ((zero - 1.0) / (zero + 1.0), (pole - 1.0) / (pole + 1.0));
            *section = (b, a);
            response *= (1.0 + b * b + 2.0 * b * omega.cos()) / (1.0 + a * a + 2.0 * a * omega.cos());
        }
        // White noise of variance 1 has the one-sided density 2 / rate.
        let density =
            colour.density(pivot_hz, exponent.clamp(EXPONENT_RANGE.0, EXPONENT_RANGE.1), band_rms_uv);
        self.gain = (density * colour.rate_hz / (2.0 * response)).sqrt();
    }

    /// One white sample of variance 1 for `channel` in, one sample in microvolts out.
    pub fn step(&mut self, channel: usize, white: f64) -> f64 {
        let mut value = white;
        let width = self.sections.len() + 1;
        let past = self.past.get_mut(channel * width..(channel + 1) * width);
        let Some((first, rest)) = past.and_then(<[f64]>::split_first_mut) else { return 0.0 };
        let mut input_before = std::mem::replace(first, value);
        for (output_before, (b, a)) in rest.iter_mut().zip(&self.sections) {
            value += b * input_before - a * *output_before;
            input_before = std::mem::replace(output_before, value);
        }
        self.gain * value
    }

    /// Power gain in uV^2/Hz at `freq_hz`: the expected one-sided density.
    #[must_use]
    pub fn expected_density(&self, freq_hz: f64, rate_hz: f64) -> f64 {
        let cos = (2.0 * PI * freq_hz / rate_hz).cos();
        let response: f64 = self
            .sections
            .iter()
            .map(|(b, a)| (1.0 + b * b + 2.0 * b * cos) / (1.0 + a * a + 2.0 * a * cos))
            .product();
        response * self.gain * self.gain * 2.0 / rate_hz
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn response_is_within_a_quarter_decibel_of_the_power_law() {
        let mut worst = 0.0_f64;
        for rate_hz in [64.0, 100.0, 128.0, 250.0, 512.0, 1000.0, 2048.0, 5000.0] {
            let colour = Colour::new(rate_hz);
            let mut filter = ColourFilter::new(&colour, 1);
            for i in 0..=60 {
                let exponent = f64::from(i) * 0.05;
                filter.set(&colour, exponent, 12.0);
                for k in 0..=200 {
                    let freq_hz = top_hz(rate_hz).powf(f64::from(k) / 200.0);
                    let wanted = colour.density(freq_hz, exponent, 12.0);
                    let db = 10.0 * (filter.expected_density(freq_hz, rate_hz) / wanted).log10();
                    worst = worst.max(db.abs());
                }
            }
        }
        println!("largest deviation of the background's response from f^-exponent: {worst:.3} dB");
        assert!(worst < 0.1, "{worst} dB");
    }
}

//! One segment of one channel to its periodogram.

use std::sync::Arc;

use tras_fft::{Complex, RealToComplex};

use super::{Detrend, Kind, SpectrumSettings, dpss, whitening};

/// Plans, tapers and buffers for segments of one length.
pub struct Transform {
    fft: Arc<dyn RealToComplex<f64>>,
    /// Of unit energy each.
    tapers: Vec<Vec<f64>>,
    detrend: Detrend,
    /// One-sided density for a bin: 2 / (rate x tapers); the bins at 0 and the Nyquist frequency have half.
    scale: f64,
    /// 1 / what whitening does to each bin; empty: nothing is whitened.
    unwhiten: Vec<f64>,
    tapered: Vec<f64>,
    transformed: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl Transform {
    /// For segments of `len` samples.
    #[must_use]
    pub fn new(settings: &SpectrumSettings, len: usize, rate_hz: f64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
        let seconds = len as f64 / rate_hz;
        let tapers = match settings.kind {
            Kind::Welch { taper } => vec![taper.values(len)],
            Kind::Multitaper { half_bandwidth_hz, tapers } => {
                let nw = half_bandwidth_hz * seconds;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small and positive"
                )]
                let all = (2.0 * nw - 1.0).round().max(1.0) as usize;
                dpss::dpss(len, nw, tapers.unwrap_or(all).max(1))
            }
        };
        let tapers: Vec<Vec<f64>> = tapers
            .into_iter()
            .map(|taper| {
                let energy = taper.iter().map(|v| v * v).sum::<f64>().sqrt();
                taper.into_iter().map(|v| v / energy).collect()
            })
            .collect();
        let fft = tras_fft::real_forward(len);
        #[expect(clippy::cast_precision_loss, reason = "tapers are few")]
        let scale = 2.0 / (rate_hz * tapers.len() as f64);
        // At 0 Hz nothing is left to divide: that bin takes the next one's.
        #[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
        let gain = |k: usize| whitening(k.max(1) as f64 / seconds, rate_hz);
        let unwhiten =
            if settings.whiten { (0..=len / 2).map(|k| 1.0 / gain(k)).collect() } else { Vec::new() };
        Self {
            unwhiten,
            tapered: fft.make_input_vec(),
            transformed: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
            tapers,
            detrend: settings.detrend,
            scale,
        }
    }

    /// The tapers.
    #[must_use]
    pub fn tapers(&self) -> &[Vec<f64>] {
        &self.tapers
    }

    /// Fills `power` (uV^2/Hz, from 0 Hz on, as many bins as it holds) with the periodogram of `segment`, which is
    /// detrended in place. `false` where a bin is not finite.
    pub fn periodogram(&mut self, segment: &mut [f64], power: &mut [f64]) -> bool {
        if !self.unwhiten.is_empty() {
            difference(segment);
        }
        detrend(self.detrend, segment);
        power.fill(0.0);
        for taper in &self.tapers {
            for ((out, x), w) in self.tapered.iter_mut().zip(&*segment).zip(taper) {
                *out = x * w;
            }
            if self
                .fft
                .process_with_scratch(&mut self.tapered, &mut self.transformed, &mut self.scratch)
                .is_err()
            {
                return false;
            }
            for (out, bin) in power.iter_mut().zip(&self.transformed) {
                *out += self.scale * bin.norm_sqr();
            }
        }
        for (power, inverse) in power.iter_mut().zip(&self.unwhiten) {
            *power *= inverse;
        }
        let nyquist = self.transformed.len() - 1;
        if let Some(dc) = power.first_mut() {
            *dc *= 0.5;
        }
        if segment.len().is_multiple_of(2)
            && let Some(top) = power.get_mut(nyquist)
        {
            *top *= 0.5;
        }
        power.iter().all(|p| p.is_finite())
    }
}

/// Each sample becomes its change from the one before; the first, which has none and which a taper hardly lets through,
/// the mean change.
#[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
fn difference(segment: &mut [f64]) {
    let steps = segment.len().saturating_sub(1).max(1) as f64;
    let mean = segment.last().zip(segment.first()).map_or(0.0, |(last, first)| (last - first) / steps);
    let mut before = segment.first().copied().unwrap_or(0.0) - mean;
    for x in segment.iter_mut() {
        (before, *x) = (*x, *x - before);
    }
}

#[expect(clippy::cast_precision_loss, reason = "segments are far below 2^52 samples")]
fn detrend(kind: Detrend, segment: &mut [f64]) {
    if kind == Detrend::None {
        return;
    }
    let n = segment.len() as f64;
    let mean = segment.iter().sum::<f64>() / n;
    let mut slope = 0.0;
    let middle = (n - 1.0) / 2.0;
    if kind == Detrend::Linear && segment.len() > 1 {
        let moment: f64 = segment.iter().enumerate().map(|(i, x)| (i as f64 - middle) * (x - mean)).sum();
        slope = moment / (n * (n * n - 1.0) / 12.0);
    }
    for (i, x) in segment.iter_mut().enumerate() {
        *x -= mean + slope * (i as f64 - middle);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_density_of_a_sine_sums_to_its_variance() {
        for kind in [
            Kind::Welch { taper: super::super::Taper::Hann },
            Kind::Multitaper { half_bandwidth_hz: 2.0, tapers: None },
        ] {
            let settings = SpectrumSettings { kind, ..SpectrumSettings::default() };
            let mut transform = Transform::new(&settings, 500, 250.0);
            let mut segment: Vec<f64> = (0..500)
                .map(|n| 3.0 * (std::f64::consts::TAU * 20.0 * f64::from(n) / 250.0).sin() + 7.0)
                .collect();
            let mut power = vec![0.0; 251];
            assert!(transform.periodogram(&mut segment, &mut power));
            let variance: f64 = power.iter().sum::<f64>() * 0.5;
            assert!((variance - 4.5).abs() < 0.01, "{kind:?} {variance}");
        }
    }

    #[test]
    fn whitening_leaves_the_density_and_lets_no_drift_leak() {
        let settings = SpectrumSettings { whiten: true, ..SpectrumSettings::default() };
        let mut power = vec![0.0; 126];
        let wave = |t: f64| 3.0 * (std::f64::consts::TAU * 20.0 * t).sin();
        let drift = |t: f64| 500.0 * t + 40.0 * (std::f64::consts::TAU * 0.2 * t).sin();
        let mut at_2_hz = [0.0; 2];
        for (whiten, slot) in [true, false].into_iter().zip(&mut at_2_hz) {
            let mut transform = Transform::new(&SpectrumSettings { whiten, ..settings }, 250, 250.0);
            let mut segment: Vec<f64> =
                (0..250).map(|n| f64::from(n) / 250.0).map(|t| wave(t) + drift(t)).collect();
            assert!(transform.periodogram(&mut segment, &mut power));
            let variance: f64 = power[15..26].iter().sum();
            assert!(!whiten || (variance - 4.5).abs() < 0.1, "{variance}");
            *slot = power[2];
        }
        assert!(at_2_hz[0] < 0.01 * at_2_hz[1], "{at_2_hz:?}");
    }

    #[test]
    fn a_line_is_taken_out_whole() {
        let mut ramp: Vec<f64> = (0..100).map(|n| 5.0 - 0.3 * f64::from(n)).collect();
        detrend(Detrend::Linear, &mut ramp);
        assert!(ramp.iter().all(|x| x.abs() < 1e-12));
    }

    #[test]
    fn not_a_number_is_noticed() {
        let mut transform = Transform::new(&SpectrumSettings::default(), 100, 100.0);
        let mut segment = vec![0.0; 100];
        segment[3] = f64::NAN;
        assert!(!transform.periodogram(&mut segment, &mut [0.0; 51]));
    }
}

//! The last step before the output: mA to values, with the roll-off compensated as far as the peak allows.
//!
//! In: the device's current in mA. Out: values between -1 and 1. Compensation asks for more than the current
//! itself, and an output that turns out to be DC coupled would deliver all of it. So what is sent, in mA as if
//! the output did not roll off, is cut off hard at the participant's peak: large slow currents come out too
//! weak rather than too strong. A hard cut bends the waveform; [`crate::config::Plan`] says beforehand how much
//! of it, and how far `stimulation.peak_ma` must come down for none.

use super::rolloff::Rolloff;

/// How currents become values of the output.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    /// mA at digital full scale.
    pub full_scale_ma: f64,
    /// The participant's limit, `limits.peak_ma`, in mA.
    pub peak_ma: f64,
    /// Corner of the output's roll-off, in Hz.
    pub rolloff_hz: Option<f64>,
}

/// Turns one current after another into values.
#[derive(Clone, Copy, Debug)]
pub struct Driver {
    full_scale_ma: f64,
    most_ma: f64,
    rolloff: Option<Rolloff>,
}

impl Driver {
    /// For an output of `rate_hz` frames a second.
    #[must_use]
    pub fn new(drive: &Drive, rate_hz: f64) -> Self {
        Self {
            full_scale_ma: drive.full_scale_ma,
            most_ma: drive.peak_ma.min(drive.full_scale_ma).max(0.0),
            rolloff: drive.rolloff_hz.map(|corner_hz| Rolloff::new(corner_hz, rate_hz)),
        }
    }

    /// The value that makes this current flow, or as much of it as the peak allows.
    pub fn value(&mut self, current_ma: f64) -> f32 {
        let drive_ma = self.rolloff.as_mut().map_or(current_ma, |rolloff| rolloff.step(current_ma));
        if !drive_ma.is_finite() {
            self.reset();
            return 0.0;
        }
        (drive_ma.clamp(-self.most_ma, self.most_ma) / self.full_scale_ma) as f32
    }

    /// Nothing flows: forgets all that came before.
    pub fn reset(&mut self) {
        self.rolloff.iter_mut().for_each(Rolloff::reset);
    }
}

/// The share of Gaussian samples of RMS `rms_ma` that lies beyond `most_ma` on either side, by numerical
/// integration of the normal density.
#[must_use]
pub fn beyond(rms_ma: f64, most_ma: f64) -> f64 {
    let (from, step) = (most_ma / rms_ma, 1e-3);
    let tail: f64 = (0..8_000)
        .map(|k| {
            let z = from + (f64::from(k) + 0.5) * step;
            (-0.5 * z * z).exp() * step
        })
        .sum();
    2.0 * tail / std::f64::consts::TAU.sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Any bit pattern, any corner that a configuration takes, at any rate.
        #[test]
        fn no_input_drives_beyond_the_peak(
            currents_ma in proptest::collection::vec(prop_oneof![any::<f64>(), -1.0..1.0_f64], 1..400),
            repeats in 1_usize..200,
            rolloff_hz in proptest::option::of(0.01..10.0_f64),
            peak_ma in 0.01..1.0_f64,
            full_scale_ma in 0.005..20.0_f64,
            rate_hz in 8_000.0..192_000.0_f64,
        ) {
            let mut driver = Driver::new(&Drive { full_scale_ma, peak_ma, rolloff_hz }, rate_hz);
            for current_ma in currents_ma {
                for _ in 0..repeats {
                    let value = driver.value(current_ma);
                    // Half a step of an f32 is all that rounding may add.
                    let sent_ma = f64::from(value) * full_scale_ma;
                    prop_assert!(sent_ma.abs() <= peak_ma * (1.0 + 1e-7), "{sent_ma} mA of {peak_ma}");
                    prop_assert!(value.abs() <= 1.0);
                }
            }
        }
    }

    #[test]
    fn the_share_beyond_is_that_of_the_tables() {
        for (sigmas, share) in [(0.0, 1.0), (1.0, 0.317_310_5), (3.0, 0.002_699_8)] {
            assert!((beyond(1.0, sigmas) - share).abs() < 1e-6, "{sigmas}");
        }
    }

    /// The noise itself through the compensation: about as much of it lies beyond the peak as was foretold.
    #[test]
    fn the_share_that_is_cut_off_is_foretold() {
        use crate::noise::{Noise, Parameters};
        for (chi, corner_hz) in [(2.0, 1.0), (1.0, 3.0)] {
            let parameters = Parameters { exponent: chi, band_hz: (0.5, 100.0), peak_ma: 0.5 };
            let mut noise = Noise::new(&parameters, 2_000.0, 3).unwrap();
            let mut rolloff = Rolloff::new(corner_hz, 2_000.0);
            let mut block = vec![0.0; 2_000 * 600];
            noise.fill(&mut block);
            let over = block.iter().filter(|ma| rolloff.step(f64::from(**ma)).abs() > 0.5).count();
            let share = over as f64 / block.len() as f64;
            let foretold = beyond(0.5 / 3.0 * rolloff.rms_gain(chi, [0.5, 100.0]), 0.5);
            println!("exponent {chi}, corner {corner_hz} Hz: {share:.4} cut off, {foretold:.4} foretold");
            // The noise's own band has soft edges, so there is less of its lowest frequencies than foretold.
            assert!((0.6..1.1).contains(&(share / foretold)), "{share} of {foretold}");
        }
    }

    #[test]
    fn what_fits_is_not_bent() {
        let (mut driver, mut plain) = (
            Driver::new(&Drive { full_scale_ma: 2.0, peak_ma: 0.5, rolloff_hz: Some(1.0) }, 48_000.0),
            Rolloff::new(1.0, 48_000.0),
        );
        for k in 0..96_000 {
            let current_ma = 0.15 * (std::f64::consts::TAU * 0.5 * f64::from(k) / 48_000.0).sin();
            let wanted = (plain.step(current_ma) / 2.0) as f32;
            assert!((driver.value(current_ma) - wanted).abs() <= f32::EPSILON, "frame {k}");
        }
    }
}

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

#[cfg(test)]
mod tests {
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

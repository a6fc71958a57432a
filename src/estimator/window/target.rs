//! One target's spectrum and fit.

use super::{Estimator, RegionMean};
use crate::spectrum::pool::Place;
use crate::{Fit, Peaks, Reason, Spectrum};

impl Estimator {
    /// Fits `target`'s window whose newest segment is at `place`; also returns how many segments are good.
    pub(super) fn fit_target(&mut self, target: usize, place: Place) -> (usize, Fit) {
        let bins = self.freqs_hz.len();
        let memory = self.settings.first_memory(target);
        let Some(what) = self.settings.targets.get(target) else {
            return (0, Fit::failed(Reason::TooFewSegments));
        };
        let channels = what.channels.as_slice();
        let (minimum, depth) = (self.settings.min_good_fraction, self.timing.depth);
        let good = |count: usize| enough(count, depth, minimum);
        let counts = channels.iter().map(|&channel| self.pool.count(channel, place.phase));
        let most = counts.clone().max().unwrap_or(0);
        let fewest_good = counts.clone().filter(|&count| good(count)).min().unwrap_or(0);
        let good_channels = counts.filter(|&count| good(count)).count();
        if let Some(quality) = self.qualities.get_mut(target) {
            *quality = (0, 0.0);
        }
        if !enough(good_channels, channels.len(), minimum) {
            return (most, Fit::failed(Reason::TooFewSegments));
        }
        let Some(power) = self.spectra.get_mut(target * bins..(target + 1) * bins) else {
            return (most, Fit::failed(Reason::TooFewSegments));
        };
        let overlap = &self.overlap;
        let mut fits = MeanOfFits::default();
        power.fill(0.0);
        let (mut shapes, mut summed) = (0.0, 0.0);
        for (member, &channel) in channels.iter().enumerate() {
            let count = self.pool.count(channel, place.phase);
            if !enough(count, depth, minimum) {
                continue;
            }
            let shape = overlap.mean_shape(self.pool.used(channel, place)) * self.pool.efficiency(count);
            let own = self.channel_power.as_mut_slice();
            own.fill(0.0);
            self.pool.add_average(channel, place.phase, own);
            power.iter_mut().zip(&*own).for_each(|(sum, p)| *sum += p);
            shapes += shape;
            summed += 1.0;
            if what.mean == RegionMean::Fits {
                let spectrum =
                    Spectrum { freqs_hz: &self.freqs_hz, power: own, segments: count, gamma_shape: shape };
                fits.add(&self.method.fit(&spectrum, memory + member));
            }
        }
        power.iter_mut().for_each(|p| *p /= summed);
        // Channels of a region are too alike to count as independent: the region's shape is a channel's.
        let shape = shapes / summed;
        if let Some(quality) = self.qualities.get_mut(target) {
            *quality = (fewest_good, shape);
        }
        let spectrum =
            Spectrum { freqs_hz: &self.freqs_hz, power, segments: fewest_good, gamma_shape: shape };
        let mut fit = match what.mean {
            RegionMean::Spectra => self.method.fit(&spectrum, memory),
            RegionMean::Fits => fits.mean(),
        };
        self.settings.gate(&mut fit);
        (fewest_good, fit)
    }
}

/// Whether `count` of `total` (segments of a window, channels of a region) are enough.
fn enough(count: usize, total: usize, least_share: f64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let share = count as f64 / total.max(1) as f64;
    count > 0 && share >= least_share
}

/// How many numbers of a fit have a mean.
const NUMBERS: usize = 13;

/// Mean of the valid fits of a region's channels. Peaks of different channels have no mean and are left out. What only
/// some of the fits have is averaged over those.
#[derive(Default)]
struct MeanOfFits {
    count: f64,
    sums: [f64; NUMBERS],
    counts: [f64; NUMBERS],
    knees: bool,
    caution: Option<Reason>,
    failure: Option<Reason>,
}

impl MeanOfFits {
    fn add(&mut self, fit: &Fit) {
        if let Some(reason) = fit.invalid {
            self.failure = Some(reason);
            return;
        }
        self.count += 1.0;
        self.knees |= fit.knee.is_some();
        self.caution = self.caution.or(fit.caution);
        let values = [
            fit.exponent,
            fit.exponent_se,
            fit.offset,
            fit.knee.unwrap_or(f64::NAN),
            fit.r_squared,
            fit.mae,
            fit.adjusted_r_squared,
            fit.median_error,
            fit.pivot_hz,
            fit.pivot_offset,
            fit.knee_hz,
            fit.floor_uv,
            fit.bend_evidence,
        ];
        for ((sum, count), value) in self.sums.iter_mut().zip(&mut self.counts).zip(values) {
            if value.is_finite() {
                *sum += value;
                *count += 1.0;
            }
        }
    }

    /// The standard error is the channels' mean one: their errors are not independent.
    fn mean(&self) -> Fit {
        if self.count == 0.0 {
            return Fit::failed(self.failure.unwrap_or(Reason::TooFewSegments));
        }
        let mut means = [f64::NAN; NUMBERS];
        for ((mean, sum), count) in means.iter_mut().zip(self.sums).zip(self.counts) {
            *mean = sum / count;
        }
        let [exponent, exponent_se, offset, knee, r_squared, mae, rest @ ..] = means;
        let [adjusted_r_squared, median_error, pivot_hz, pivot_offset, knee_hz, floor_uv, bend_evidence] =
            rest;
        Fit {
            exponent,
            exponent_se,
            offset,
            knee: self.knees.then_some(knee),
            exponent0: None,
            r_squared,
            mae,
            adjusted_r_squared,
            median_error,
            pivot_hz,
            pivot_offset,
            knee_hz,
            knee_se: f64::NAN,
            floor_uv,
            bend_evidence,
            peaks: Peaks::default(),
            invalid: None,
            caution: self.caution,
        }
    }
}

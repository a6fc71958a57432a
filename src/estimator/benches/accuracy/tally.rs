//! Sessions through the estimator as it is assembled for a recording, and what they come to.

use std::time::Instant;

use tras_estimator::assemble;
use tras_estimator::frame::FrameHeader;
use tras_estimator::settings::Settings;
use tras_estimator::window::{Estimator, EstimatorSettings};
use tras_estimator::{Contamination, Estimate, Reason};

use crate::signal::RATE_HZ;

/// Seconds of a session that are not counted: what is remembered fills.
pub(crate) const WARM_S: f64 = 60.0;

/// An estimator of one channel.
pub(crate) fn estimator(settings: &Settings) -> Estimator {
    let windows = assemble::estimator_settings(settings, EstimatorSettings::each_channel(["x"]));
    let method = assemble::method(settings, &windows, RATE_HZ).unwrap();
    Estimator::new(windows, RATE_HZ, 1, method).unwrap()
}

/// Every window of `x`, with the time that its fit took in us.
pub(crate) fn run(estimator: &mut Estimator, x: &[f64]) -> Vec<(Estimate, f64)> {
    estimator.reset();
    let mut found = Vec::new();
    for (index, &value) in x.iter().enumerate() {
        let stamp_s = index as f64 / RATE_HZ;
        let header = FrameHeader { index: index as u64, stamp_s, ..FrameHeader::default() };
        if estimator.push(&header, &[value as f32], Contamination::Clean) {
            #[allow(clippy::disallowed_methods, reason = "a bench has a clock")]
            let begin = Instant::now();
            let estimate = estimator.estimates(stamp_s)[0];
            let us = begin.elapsed().as_secs_f64() * 1e6;
            if estimate.fit.invalid != Some(Reason::Filling) {
                found.push((estimate, us));
            }
        }
    }
    found
}

/// What the windows of one row came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub n: f64,
    sum: f64,
    square: f64,
    covered: f64,
    zz: f64,
    se: f64,
    pub reasons: Vec<(Reason, usize)>,
    times_us: Vec<f64>,
}

impl Tally {
    pub(crate) fn add(&mut self, estimate: &Estimate, truth: f64, us: f64) {
        let fit = &estimate.fit;
        self.times_us.push(us);
        if let Some(reason) = fit.invalid {
            match self.reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => self.reasons.push((reason, 1)),
            }
            return;
        }
        let error = fit.exponent - truth;
        self.n += 1.0;
        self.sum += error;
        self.square += error * error;
        self.se += fit.exponent_se;
        self.zz += (error / fit.exponent_se).powi(2);
        self.covered += f64::from(error.abs() <= 1.96 * fit.exponent_se);
    }

    pub(crate) fn rms(&self) -> f64 {
        (self.square / self.n).sqrt()
    }

    pub(crate) fn bias(&self) -> f64 {
        self.sum / self.n
    }

    pub(crate) fn coverage(&self) -> f64 {
        100.0 * self.covered / self.n
    }

    pub(crate) fn zsd(&self) -> f64 {
        (self.zz / self.n).sqrt()
    }

    pub(crate) fn se(&self) -> f64 {
        self.se / self.n
    }

    pub(crate) fn total(&self) -> f64 {
        self.times_us.len() as f64
    }

    pub(crate) fn valid(&self) -> f64 {
        100.0 * self.n / self.total()
    }

    pub(crate) fn median_us(&mut self) -> f64 {
        self.times_us.sort_by(f64::total_cmp);
        self.times_us[self.times_us.len() / 2]
    }

    pub(crate) fn explained(&self) -> String {
        let total = self.total();
        let each = |(reason, count): &(Reason, usize)| {
            format!("{} {:.1} %", reason.as_str(), 100.0 * *count as f64 / total)
        };
        self.reasons.iter().map(each).collect::<Vec<_>>().join(", ")
    }
}

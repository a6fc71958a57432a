//! Through the current, live: frames and delivered current in, estimates of windows under current out.
//!
//! Belongs to the loop stage, behind its decision: nothing here steers, and nothing waits for it. A hop costs the removal
//! of its blocks and a second fit of each target (`make bench-through-current` prints it). Nothing allocates: what a turn
//! needs is made with the stage.

use crate::{
    acquisition::frame::FrameHeader,
    estimator::{
        Contamination, Estimate, Reason,
        through_current::{Proof, Remover},
        window::Estimator,
    },
    stimulator::Delivered,
};

/// A pause of the device's telemetry beyond this, in s, in which its count goes on, is one between bursts.
const PAUSE_S: f64 = 0.05;

/// See the module.
pub struct ThroughStage {
    remover: Remover,
    estimator: Estimator,
    current_rate_hz: f64,
    /// Samples of the stream for one that comes out of the removal.
    thin: u64,
    delivered: Option<Delivered>,
    /// Frames under current: the first and last of the newest run, and the last of the run before.
    flowed: Option<(u64, u64)>,
    flowed_before: Option<u64>,
    /// Cleaned frames of one turn and their values.
    headers: Vec<FrameHeader>,
    values_uv: Vec<f32>,
    channels: usize,
    retired: bool,
}

impl ThroughStage {
    /// Around a removal for a stream of `rate_hz` and an estimator at the removal's own rate.
    #[must_use]
    pub fn new(
        remover: Remover,
        estimator: Estimator,
        rate_hz: f64,
        current_rate_hz: f64,
        channels: usize,
    ) -> Self {
        // All that may wait in the removal for its current, at once.
        let most = (4.0 * remover.rate_hz()).ceil() as usize;
        Self {
            thin: (rate_hz / remover.rate_hz()).round().max(1.0) as u64,
            remover,
            estimator,
            current_rate_hz,
            delivered: None,
            flowed: None,
            flowed_before: None,
            headers: Vec::with_capacity(most),
            values_uv: Vec::with_capacity(most * channels),
            channels,
            retired: false,
        }
    }

    /// Sees no more: the stream is another one than it was made for. It stays where it is, since here nothing is freed.
    pub fn retire(&mut self) {
        self.retired = true;
    }

    /// Takes a sample as the device delivered it.
    pub fn delivered(&mut self, sample: &Delivered) {
        if self.retired {
            return;
        }
        let period_s = 1.0 / self.current_rate_hz;
        let mut lost = 0;
        match self.delivered {
            Some(before) if sample.index > before.index => {
                let paused = sample.stamp_s - before.stamp_s > PAUSE_S;
                lost = sample.index - before.index - 1;
                if lost == 0 && paused {
                    self.remover.quiet(sample.stamp_s - period_s);
                }
            }
            // The first, or armed anew: what was before has ended at zero.
            _ => self.remover.quiet(sample.stamp_s - period_s),
        }
        self.remover.current(sample.stamp_s, sample.current_ma, lost);
        self.delivered = Some(*sample);
    }

    /// Takes a frame of the EEG, and what it has seen of the current.
    pub fn frame(&mut self, header: &FrameHeader, samples_uv: &[f32], contamination: Contamination) {
        if self.retired {
            return;
        }
        if contamination == Contamination::Stimulating {
            match &mut self.flowed {
                Some((_, last)) if header.index <= *last + 1 => *last = header.index,
                flowed => {
                    self.flowed_before = flowed.map(|(_, last)| last);
                    *flowed = Some((header.index, header.index));
                }
            }
        } else {
            // By the word of the watch nothing has flowed up to here.
            self.remover.quiet(header.stamp_s);
        }
        self.remover.frame(header, samples_uv);
    }

    /// Cleans what can be cleaned, and tells the estimates of windows under current that are whole by now.
    pub fn turn(&mut self, tell: &mut dyn FnMut(Estimate, Proof)) {
        self.headers.clear();
        self.values_uv.clear();
        let (headers, values_uv) = (&mut self.headers, &mut self.values_uv);
        self.remover.poll(&mut |header, cleaned_uv| {
            // Nothing grows here: what had no room would be a frame that is missing.
            if headers.len() < headers.capacity()
                && values_uv.len() + cleaned_uv.len() <= values_uv.capacity()
            {
                headers.push(*header);
                values_uv.extend_from_slice(cleaned_uv);
            }
        });
        for (header, values_uv) in self.headers.iter().zip(self.values_uv.chunks_exact(self.channels.max(1)))
        {
            if !self.estimator.push(header, values_uv, Contamination::Clean) {
                continue;
            }
            for target in 0..self.estimator.settings().targets.len() {
                let estimate = self.estimator.estimate(target, header.stamp_s);
                let estimate = mapped(estimate, self.estimator.window_samples() as u64 * self.thin);
                let under = |last: u64| last >= estimate.first_sample;
                let flowed =
                    self.flowed.is_some_and(|(first, last)| under(last) && first <= estimate.last_sample)
                        || self.flowed_before.is_some_and(under);
                if !flowed || estimate.fit.invalid == Some(Reason::Filling) {
                    continue;
                }
                let channels = self.estimator.settings().targets.get(target);
                let proof = self.remover.proof(channels.map_or(&[][..], |t| t.channels.as_slice()));
                tell(widened(estimate, &proof), proof);
            }
        }
    }
}

/// With the range of samples by the stream's own count, of which a cleaned frame has several.
fn mapped(estimate: Estimate, window: u64) -> Estimate {
    let first_sample = (estimate.last_sample + 1).saturating_sub(window);
    Estimate { first_sample, contamination: Contamination::Stimulating, ..estimate }
}

/// With the removal's own cost in the standard error.
fn widened(mut estimate: Estimate, proof: &Proof) -> Estimate {
    estimate.fit.exponent_se *= proof.se_factor();
    estimate
}

//! The sliding window: frames in, an [`Estimate`] for each target at every hop.
//!
//! Samples are counted from the last break (start, gap, stamp jump, overrun, stream resumed): the window fills anew
//! after each. On a grid of min(hop, segment step) samples a segment of every channel ends; it is judged, transformed
//! once and pooled, and serves every window that it lies in. A window uses the segments that end a whole number of
//! segment steps before its own end.
//!
//! Cost: [`Estimator::push`] is a copy for each sample and, at each grid point, one transform for each channel;
//! [`Estimator::estimates`] is one fit for each target. Neither depends on the length of the window.

mod settings;
mod steps;
mod target;

pub use settings::{EstimatorSettings, RegionMean, Target};
pub use steps::Steps;

use super::artefact::{Detector, power::PowerJudge};
use super::spectrum::pool::{Place, Pool};
use super::spectrum::shape::Overlap;
use super::spectrum::transform::Transform;
use super::{Contamination, Estimate, Method, Reason, Spectrum};
use crate::frame::{ChannelSet, Facts, FrameHeader};
use settings::Timing;

/// Windows of one stream, fitted by one method.
pub struct Estimator {
    settings: EstimatorSettings,
    timing: Timing,
    method: Box<dyn Method>,
    warnings: Vec<String>,
    freqs_hz: Vec<f64>,
    transform: Transform,
    overlap: Overlap,
    detector: Option<Detector>,
    power_judge: Option<PowerJudge>,
    pool: Pool,
    /// Channels that some target wants; the others cost nothing.
    wanted: Vec<bool>,
    /// The last segment's worth of samples, [channel][sample], written in a circle.
    history: Vec<f32>,
    segment: Vec<f64>,
    /// Samples ever pushed, and those since the last break.
    received: u64,
    run: u64,
    since_hop: usize,
    /// Value of `received` after the last sample of each kind; 0: never.
    last_spoilt: Vec<u64>,
    last_stimulating: u64,
    last_settling: u64,
    last_unsettled: u64,
    first_index: u64,
    last: FrameHeader,
    next_id: u64,
    /// [target][bin]
    spectra: Vec<f64>,
    /// One channel's.
    channel_power: Vec<f64>,
    /// Segments and shape of each target's spectrum.
    qualities: Vec<(usize, f64)>,
    estimates: Vec<Estimate>,
}

impl Estimator {
    /// An estimator for frames of `channel_count` channels at `rate_hz`.
    ///
    /// # Errors
    /// Names the setting that does not fit the stream or the others, and what would.
    pub fn new(
        settings: EstimatorSettings,
        rate_hz: f64,
        channel_count: usize,
        mut method: Box<dyn Method>,
    ) -> Result<Self, String> {
        let timing = Timing::new(&settings, rate_hz, channel_count)?;
        let wanted = settings.wanted(channel_count);
        let transform = Transform::new(&settings.spectrum, timing.segment, rate_hz);
        let overlap = Overlap::new(transform.tapers(), timing.step);
        let freqs_hz = timing.frequencies(rate_hz, settings.spectrum.max_hz);
        let bins = freqs_hz.len();
        let pool = Pool::new(channel_count, timing.phases, timing.depth, bins, settings.spectrum.average);
        let targets = settings.targets.len();
        // A method sizes its buffers for the bins that it sees first: let that not be in the loop.
        let example: Vec<f64> = freqs_hz.iter().map(|f| 1.0 / (f * f + 1.0)).collect();
        let shape = overlap.mean_shape((0..timing.depth).map(|_| true));
        for target in 0..settings.memories() {
            let power = &example;
            let spectrum =
                Spectrum { freqs_hz: &freqs_hz, power, segments: timing.depth, gamma_shape: shape };
            method.fit(&spectrum, target);
        }
        method.reset();
        let mut warnings = settings.warnings(&timing, rate_hz);
        if let (Some(first), Some(second)) = (freqs_hz.first(), freqs_hz.get(1)) {
            warnings.extend(method.warnings(second - first));
        }
        Ok(Self {
            warnings,
            detector: settings.artefact.map(|a| Detector::new(a, rate_hz, channel_count, timing.segment)),
            power_judge: settings.artefact.zip(settings.fit_range_hz).map(|(a, range_hz)| {
                let tapers = transform.tapers().len();
                PowerJudge::new(&freqs_hz, range_hz, tapers, channel_count, a.memory, a.warm_up)
            }),
            transform,
            overlap,
            pool,
            wanted,
            history: vec![0.0; channel_count * timing.segment],
            segment: vec![0.0; timing.segment],
            received: 0,
            run: 0,
            since_hop: 0,
            last_spoilt: vec![0; channel_count],
            last_stimulating: 0,
            last_settling: 0,
            last_unsettled: 0,
            first_index: 0,
            last: FrameHeader::default(),
            next_id: 1,
            spectra: vec![0.0; targets * bins],
            channel_power: vec![0.0; bins],
            qualities: vec![(0, 0.0); targets],
            estimates: Vec::with_capacity(targets),
            freqs_hz,
            settings,
            timing,
            method,
        })
    }

    /// What a user should know about these settings before trusting the estimates.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &EstimatorSettings {
        &self.settings
    }

    /// Samples in a window.
    #[must_use]
    pub fn window_samples(&self) -> usize {
        self.timing.window
    }

    /// Samples from one estimate to the next.
    #[must_use]
    pub fn hop_samples(&self) -> usize {
        self.timing.hop
    }

    /// Takes one frame: `samples_uv` has a value for each channel. `true` when a hop is complete and
    /// [`Self::estimates`] is due. A frame with another number of channels is refused like a gap: it cannot be used.
    pub fn push(&mut self, header: &FrameHeader, samples_uv: &[f32], contamination: Contamination) -> bool {
        if header.facts.intersects(Facts::BREAKS) || samples_uv.len() != self.wanted.len() {
            self.break_here();
        }
        self.received += 1;
        match contamination {
            Contamination::Clean => {}
            Contamination::Settling => self.last_settling = self.received,
            Contamination::Stimulating => self.last_stimulating = self.received,
        }
        if header.facts.intersects(Facts::UNSETTLED) {
            self.last_unsettled = self.received;
        }
        if samples_uv.len() != self.wanted.len() {
            return false;
        }
        if self.run == 0 {
            self.first_index = header.index;
        }
        self.last = *header;
        let all_spoilt = header.facts.intersects(Facts::REPEATED);
        if all_spoilt || header.spoilt != ChannelSet::EMPTY {
            for (channel, last) in self.last_spoilt.iter_mut().enumerate() {
                if all_spoilt || header.spoilt.contains(channel) {
                    *last = self.received;
                }
            }
        }
        let len = self.timing.segment;
        #[expect(clippy::cast_possible_truncation, reason = "below the segment's length")]
        let at = (self.run % len as u64) as usize;
        for (ring, &value) in self.history.chunks_exact_mut(len).zip(samples_uv) {
            if let Some(slot) = ring.get_mut(at) {
                *slot = value;
            }
        }
        self.run += 1;
        if self.run >= len as u64 && self.run.is_multiple_of(self.timing.grid as u64) {
            self.end_segments();
        }
        // Where breaks come faster than hops, the reader still hears, though nothing but that the window is filling.
        self.since_hop += 1;
        let due = self.run.is_multiple_of(self.timing.hop as u64) || self.since_hop >= 2 * self.timing.hop;
        if due {
            self.since_hop = 0;
        }
        due
    }

    /// Fits every target's window that ends with the last frame; `now_s` on the clock of the frames' stamps.
    pub fn estimates(&mut self, now_s: f64) -> &[Estimate] {
        self.estimates.clear();
        for target in 0..self.settings.targets.len() {
            let estimate = self.estimate(target, now_s);
            self.estimates.push(estimate);
        }
        &self.estimates
    }

    /// Fits one target's window that ends with the last frame: for whoever cannot wait for all of them. At most
    /// once a hop for each target, because a method remembers what it has seen.
    pub fn estimate(&mut self, target: usize, now_s: f64) -> Estimate {
        let window = self.timing.window as u64;
        let whole = self.run >= window;
        let within = |last: u64| self.within(last, window);
        let contamination = if within(self.last_stimulating) {
            Contamination::Stimulating
        } else if within(self.last_settling) {
            Contamination::Settling
        } else {
            Contamination::Clean
        };
        // What forbids every target's estimate, the most telling first.
        let reason = if !whole {
            Some(Reason::Filling)
        } else if within(self.last_unsettled) || self.last.facts.intersects(Facts::LATE) {
            Some(Reason::Unsettled)
        } else if self.settings.max_age_s.is_some_and(|most| now_s - self.last.stamp_s > most) {
            Some(Reason::Stale)
        } else {
            None
        };
        let place = self.place();
        self.method.remember(contamination == Contamination::Clean);
        let (used, mut fit) = self.fit_target(target, place);
        if let Some(reason) = reason {
            fit.invalid = Some(reason);
        }
        let id = self.next_id;
        self.next_id += 1;
        Estimate {
            id,
            target,
            first_sample: (self.last.index + 1).saturating_sub(window).max(self.first_index),
            last_sample: self.last.index,
            stamp_s: self.last.stamp_s,
            segments_used: used,
            segments_total: self.timing.depth,
            contamination,
            fit,
        }
    }

    /// The spectrum that `target`'s last estimate was fitted to.
    #[must_use]
    pub fn spectrum(&self, target: usize) -> Option<Spectrum<'_>> {
        let bins = self.freqs_hz.len();
        let power = self.spectra.get(target * bins..(target + 1) * bins)?;
        let &(segments, gamma_shape) = self.qualities.get(target)?;
        (segments > 0).then_some(Spectrum { freqs_hz: &self.freqs_hz, power, segments, gamma_shape })
    }

    /// Goes on counting estimates where `before` stands, whose place this one takes.
    pub fn follow(&mut self, before: &Self) {
        self.next_id = before.next_id;
    }

    /// Forgets everything: a new stream.
    pub fn reset(&mut self) {
        self.break_here();
        self.last_spoilt.fill(0);
        self.received = 0;
        (self.last_stimulating, self.last_settling, self.last_unsettled) = (0, 0, 0);
        if let Some(detector) = &mut self.detector {
            detector.reset();
        }
        if let Some(judge) = &mut self.power_judge {
            judge.reset();
        }
        self.method.reset();
    }

    /// Whether the frame that was received as number `last` (0: none) is among the last `samples`.
    fn within(&self, last: u64, samples: u64) -> bool {
        last > 0 && self.received - last < samples
    }

    fn break_here(&mut self) {
        self.run = 0;
        self.pool.clear();
    }

    /// Where the segment that ends with the last grid point belongs.
    fn place(&self) -> Place {
        let grid_points = self.run / self.timing.grid as u64;
        #[expect(clippy::cast_possible_truncation, reason = "below the number of phases")]
        let phase = (grid_points % self.timing.phases as u64) as usize;
        Place { phase, turn: grid_points / self.timing.phases as u64 }
    }

    /// Transforms and pools the segment of each wanted channel that ends here.
    fn end_segments(&mut self) {
        let len = self.timing.segment;
        let place = self.place();
        // Only every so many segments share no sample.
        let apart = len.div_ceil(self.timing.grid) as u64;
        // Nothing of a current is usual: the next minute's blinks would be judged by it.
        let flowed = self.last_stimulating.max(self.last_settling);
        let learn =
            !self.within(flowed, len as u64) && (self.run / self.timing.grid as u64).is_multiple_of(apart);
        #[expect(clippy::cast_possible_truncation, reason = "below the segment's length")]
        let oldest = (self.run % len as u64) as usize;
        for (channel, ring) in self.history.chunks_exact(len).enumerate() {
            if !self.wanted.get(channel).copied().unwrap_or(false) {
                continue;
            }
            let last_spoilt = self.last_spoilt.get(channel).copied().unwrap_or(0);
            let mut usable = !self.within(last_spoilt, len as u64);
            let (newer, older) = ring.split_at_checked(oldest).unwrap_or_default();
            if usable {
                for (out, &x) in self.segment.iter_mut().zip(older.iter().chain(newer)) {
                    *out = f64::from(x);
                }
                if let Some(detector) = &mut self.detector {
                    usable = detector.judge(channel, &self.segment, learn).is_none();
                }
            }
            let (transform, segment, judge) = (&mut self.transform, &mut self.segment, &mut self.power_judge);
            self.pool.put(channel, place, usable, |power| {
                transform.periodogram(segment, power)
                    && judge.as_mut().is_none_or(|judge| judge.judge(channel, power, learn))
            });
        }
    }
}

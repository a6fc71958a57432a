//! One sample of every channel in; which of them cannot be EEG, and why.
//!
//! | cause | a channel is spoilt where |
//! |---|---|
//! | not finite | the value is NaN or infinite |
//! | flat | it has not changed for max(25 ms, 8 samples) |
//! | saturated | two samples in a row lie at or beyond 95 % of the stated range |
//! | jump | it departs from the last good sample by more than 10 x the median absolute difference, and 10 µV |
//!
//! Why these numbers. Quantised EEG repeats values: the shared recording (LSB 0.51 µV, 128 Hz) has 400 to
//! 800 runs of two in each channel and one of seven in one, so a run must be longer than that; at 1 kHz and above the top of
//! an alpha wave can stay within one LSB for several ms, so it must also last. For a Gaussian signal 10 x
//! the median difference is 6.7 standard deviations; blinks rise over many samples and stay below. The
//! median is followed by small steps up or down (one step a sample, whatever its size), so that a spike of
//! any height moves it no further than any other sample.
//!
//! A whole frame that equals the one before is a device repeating itself: told apart from chance by asking
//! for at least eight repeated values of channels that are not flat anyway. So is a run of frames that equals
//! an earlier one (`repeats`).

use super::frame::{ChannelSet, MAX_CHANNELS};
use super::repeats::Repeats;

/// Shortest time without change, seconds.
const FLAT_S: f64 = 0.025;
/// Fewest samples without change.
const FLAT_SAMPLES: u32 = 8;
/// Share of the range that counts as its end.
const RAIL: f64 = 0.95;
/// A jump is so many median absolute differences.
const JUMP_MEDIANS: f64 = 10.0;
/// And at least so much, µV: ten LSB of a coarse amplifier, and below what bends a spectrum.
const JUMP_FLOOR_UV: f64 = 10.0;
/// A new level is taken for real after so long, seconds: a step is marked, what follows it is not.
const NEW_LEVEL_S: f64 = 0.03;
/// Values that must be repeated at once, or in a row, to be a repeated frame.
const REPEATED_VALUES: u64 = 8;

/// Channel-samples spoilt, by cause (one sample may have several), and frames repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoiltCounts {
    /// NaN or infinite.
    pub not_finite: u64,
    /// Without change.
    pub flat: u64,
    /// At the end of the amplifier's range.
    pub saturated: u64,
    /// A spike or a step.
    pub jumps: u64,
    /// Frames that equal the one before, or belong to a run that equals an earlier one.
    pub repeated_frames: u64,
}

/// What is found in one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Spoilt channels.
    pub spoilt: ChannelSet,
    /// The frame belongs to a run of identical ones.
    pub repeated: bool,
}

#[derive(Clone, Debug, Default)]
struct Monitor {
    last_uv: f64,
    /// Samples in a row with this value.
    run: u32,
    /// Samples in a row at the rail.
    at_rail: u32,
    /// The last sample that was not a jump, and how many samples ago.
    good_uv: f64,
    since_good: u32,
    /// Running median of the absolute difference.
    median_uv: f64,
    /// Differences seen, up to the end of the learning.
    seen: u32,
}

/// Monitors of all channels of a stream.
#[derive(Clone, Debug)]
pub struct Quality {
    monitors: Vec<Monitor>,
    flat_after: u32,
    rail_uv: f64,
    new_level_after: u32,
    learning: u32,
    repeats: u64,
    earlier: Repeats,
    counts: SpoiltCounts,
    by_channel: Vec<u64>,
    started: bool,
}

impl Quality {
    /// For `channels` (at most [`MAX_CHANNELS`]) at `rate_hz`; saturation is looked for where the range is
    /// stated (plus and minus `range_uv`).
    #[must_use]
    pub fn new(channels: usize, rate_hz: f64, range_uv: Option<f64>) -> Self {
        let channels = channels.min(MAX_CHANNELS);
        let samples = |seconds: f64| (seconds * rate_hz).ceil().clamp(0.0, 1e6) as u32;
        Self {
            monitors: vec![Monitor::default(); channels],
            flat_after: samples(FLAT_S).max(FLAT_SAMPLES),
            rail_uv: range_uv.map_or(f64::INFINITY, |r| RAIL * r.abs()),
            new_level_after: samples(NEW_LEVEL_S).max(4),
            learning: samples(0.5).max(32),
            repeats: 0,
            earlier: Repeats::new(rate_hz),
            counts: SpoiltCounts::default(),
            by_channel: vec![0; channels],
            started: false,
        }
    }

    /// Looks at one frame, in µV; channels beyond those of [`Quality::new`] are not looked at.
    pub fn inspect(&mut self, values_uv: &[f64]) -> Verdict {
        let mut verdict = Verdict::default();
        let (mut live, mut same, mut changed) = (0u64, 0u64, false);
        for (channel, (monitor, &value_uv)) in self.monitors.iter_mut().zip(values_uv).enumerate() {
            let first = !self.started;
            let finite = value_uv.is_finite();
            let repeats = !first && value_uv.to_bits() == monitor.last_uv.to_bits();
            monitor.run = if repeats { monitor.run.saturating_add(1) } else { 1 };
            let flat = monitor.run >= self.flat_after;
            if repeats && finite && !flat {
                same += 1;
            }
            if !flat && finite {
                live += 1;
            }
            changed |= !repeats;
            let saturated = monitor.saturated(value_uv, self.rail_uv);
            let jump = finite && monitor.jumps(value_uv, first, self.learning, self.new_level_after);
            monitor.last_uv = value_uv;
            let counts = &mut self.counts;
            for (found, count) in [
                (!finite, &mut counts.not_finite),
                (flat, &mut counts.flat),
                (saturated, &mut counts.saturated),
                (jump, &mut counts.jumps),
            ] {
                *count += u64::from(found);
            }
            if !finite || flat || saturated || jump {
                verdict.spoilt.insert(channel);
                if let Some(count) = self.by_channel.get_mut(channel) {
                    *count += 1;
                }
            }
        }
        self.repeats = if changed || !self.started { 0 } else { self.repeats.saturating_add(same) };
        let held = !changed && self.started && (self.repeats >= REPEATED_VALUES || live == 0);
        verdict.repeated = self.earlier.push(values_uv, live as usize) || held;
        self.counts.repeated_frames += u64::from(verdict.repeated);
        self.started = true;
        verdict
    }

    /// The next frame does not follow from the last: a gap, a jump, a resume. What was learnt of the
    /// channels' liveliness stays.
    pub fn discontinuity(&mut self) {
        self.started = false;
        self.repeats = 0;
    }

    /// Counts by cause since the start.
    #[must_use]
    pub fn counts(&self) -> &SpoiltCounts {
        &self.counts
    }

    /// Spoilt samples of each channel since the start.
    #[must_use]
    pub fn by_channel(&self) -> &[u64] {
        &self.by_channel
    }
}

impl Monitor {
    fn saturated(&mut self, value_uv: f64, rail_uv: f64) -> bool {
        self.at_rail = if value_uv.abs() >= rail_uv { self.at_rail.saturating_add(1) } else { 0 };
        self.at_rail >= 2
    }

    /// Whether a finite value is a spike or the start of a step.
    fn jumps(&mut self, value_uv: f64, first: bool, learning: u32, new_level_after: u32) -> bool {
        if first || (self.seen == 0 && self.since_good == 0) {
            (self.good_uv, self.since_good) = (value_uv, 1);
            return false;
        }
        let off_uv = (value_uv - self.good_uv).abs();
        // A signal wanders from the last good sample like a random walk, at most.
        let limit_uv = (JUMP_MEDIANS * self.median_uv).max(JUMP_FLOOR_UV) * f64::from(self.since_good).sqrt();
        let known = self.seen >= learning;
        let jump = known && off_uv > limit_uv && self.since_good <= new_level_after;
        if self.since_good == 1 {
            self.learn(off_uv, learning);
        }
        if jump {
            self.since_good += 1;
        } else {
            (self.good_uv, self.since_good) = (value_uv, 1);
        }
        jump
    }

    /// Follows the median: up where the difference is above it, down where below, by the same share.
    fn learn(&mut self, difference_uv: f64, learning: u32) {
        if self.seen == 0 || self.median_uv <= 0.0 {
            self.median_uv = difference_uv.clamp(1e-3, JUMP_FLOOR_UV);
        }
        let share = if self.seen < learning { 0.1 } else { 0.01 };
        self.median_uv *= if difference_uv > self.median_uv { 1.0 + share } else { 1.0 - share };
        self.median_uv = self.median_uv.max(1e-3);
        self.seen = self.seen.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A random walk with leak and noise, rounded to `lsb_uv`: livelier or duller than any EEG by its scale.
    fn walk(samples: usize, channels: usize, scale_uv: f64, lsb_uv: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut state = vec![0.0; channels];
        let mut gauss = move || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
        (0..samples)
            .map(|_| {
                for x in &mut state {
                    *x = 0.97 * *x + scale_uv * gauss();
                }
                state.iter().map(|x| ((4000.0 + x) / lsb_uv).round() * lsb_uv).collect()
            })
            .collect()
    }

    fn total(counts: &SpoiltCounts) -> u64 {
        counts.not_finite + counts.flat + counts.saturated + counts.jumps + counts.repeated_frames
    }

    #[test]
    fn lively_and_dull_signals_pass() {
        for (scale_uv, lsb_uv) in [(4.0, 0.51), (0.8, 0.51), (20.0, 0.03), (300.0, 0.51)] {
            let mut quality = Quality::new(4, 250.0, Some(10_000.0));
            for frame in walk(20_000, 4, scale_uv, lsb_uv, 5) {
                quality.inspect(&frame);
            }
            let found = total(quality.counts());
            assert!(found <= 8, "{found} of 80,000 at {scale_uv} uV: {:?}", quality.counts());
        }
    }

    #[test]
    fn each_cause_is_found_where_it_is() {
        let mut frames = walk(5000, 3, 4.0, 0.51, 9);
        frames[1000][0] = f64::NAN;
        frames[1001][0] = f64::INFINITY;
        let stuck = frames[2000][1] + 0.1;
        frames[2000..2100].iter_mut().for_each(|f| f[1] = stuck);
        frames[3000][2] += 400.0;
        frames[4000..4010].iter_mut().enumerate().for_each(|(k, f)| f[0] = 9_600.0 + k as f64);
        let mut quality = Quality::new(3, 250.0, Some(10_000.0));
        let marked: Vec<Verdict> = frames.iter().map(|f| quality.inspect(f)).collect();
        let spoilt = |k: usize, c: usize| marked[k].spoilt.contains(c);
        assert!(spoilt(1000, 0) && spoilt(1001, 0) && !spoilt(1002, 0) && !spoilt(1000, 1));
        assert!(!spoilt(2006, 1) && (2007..2100).all(|k| spoilt(k, 1)));
        assert!(spoilt(3000, 2) && !spoilt(3001, 2));
        assert!((4000..4010).all(|k| spoilt(k, 0)));
        let counts = quality.counts();
        assert_eq!((counts.not_finite, counts.flat, counts.saturated), (2, 93, 9));
        assert_eq!(counts.repeated_frames, 0);
        assert!((1..=30).contains(&counts.jumps), "{counts:?}");
    }

    #[test]
    fn a_step_is_marked_and_its_new_level_accepted() {
        let mut frames = walk(3000, 1, 4.0, 0.51, 2);
        frames[2000..].iter_mut().for_each(|f| f[0] += 500.0);
        let mut quality = Quality::new(1, 250.0, None);
        let marked: Vec<bool> = frames.iter().map(|f| quality.inspect(f).spoilt.contains(0)).collect();
        assert!(marked[2000] && marked[2001]);
        assert!(marked[2020..].iter().filter(|m| **m).count() <= 1);
    }

    #[test]
    fn repeated_frames_are_told_from_chance() {
        let mut frames = walk(2000, 14, 4.0, 0.51, 4);
        let old = frames[999].clone();
        frames[1000..1005].iter_mut().for_each(|f| f.clone_from(&old));
        let mut quality = Quality::new(14, 128.0, None);
        let marked: Vec<bool> = frames.iter().map(|f| quality.inspect(f).repeated).collect();
        assert_eq!(marked.iter().filter(|m| **m).count(), 5);
        assert!(marked[1000] && marked[1004] && !marked[1005]);
        // One dull channel repeats itself by chance all the time.
        let mut quality = Quality::new(1, 128.0, None);
        let found = walk(20_000, 1, 0.8, 0.51, 4).iter().filter(|f| quality.inspect(f).repeated).count();
        assert!(found <= 20, "{found}");
        // Dummy zeros in place of data.
        let mut quality = Quality::new(2, 128.0, None);
        let found = (0..100).filter(|_| quality.inspect(&[0.0, 0.0]).repeated).count();
        assert!(found > 90, "{found}");
    }

    #[test]
    fn a_recording_of_a_person_keeps_all_but_its_four_spoilt_samples() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/eeg-eye-state.csv");
        let path = std::env::var_os("TRAS_SHARED_DATA")
            .map_or(path, |d| std::path::PathBuf::from(d).join("eeg-eye-state.csv"));
        if !path.exists() {
            let test = "a_recording_of_a_person_keeps_all_but_its_four_spoilt_samples";
            tras_test_support::skipped(test, &format!("no {} (set TRAS_SHARED_DATA)", path.display()));
            return;
        }
        let mut quality = Quality::new(14, 128.0, None);
        let (mut frames, mut marked) = (0, Vec::new());
        for (k, row) in csv::Reader::from_path(path).unwrap().records().enumerate() {
            let values: Vec<f64> = row.unwrap().iter().skip(1).take(14).map(|v| v.parse().unwrap()).collect();
            let verdict = quality.inspect(&values);
            frames += 1;
            if !verdict.spoilt.is_empty() || verdict.repeated {
                marked.push((k, verdict.spoilt.len()));
            }
        }
        eprintln!("marked {marked:?} of {frames} frames; {:?}", quality.counts());
        assert_eq!(frames, 14_980);
        for spoilt in [898, 10_386, 11_509, 13_179] {
            assert!(marked.iter().any(|&(k, channels)| k == spoilt && channels == 14), "sample {spoilt}");
        }
        // Besides the four: three blinks of four frames each on one channel (F8), at most so many.
        assert!(marked.len() <= 30, "{} frames marked, four are spoilt", marked.len());
    }
}

//! Which segments of a channel are no EEG: judged whole, against what that channel usually does.
//!
//! Acquisition marks single samples that cannot be EEG (not finite, flat, at the rail, spikes). What is left are
//! events of physiology and of electrodes that only a longer look tells: blinks, movement, electrode pops. Three
//! numbers describe a segment, each judged against its own running median and spread over the channel's last minute or
//! so, because the amplitude of EEG differs several fold between people and channels. The spread is that of the lower
//! half (median minus lower quartile): artefacts only ever make a segment larger, and someone who blinks every three
//! seconds has one in every third segment.
//!
//! * **amplitude**: highest minus lowest value. A blink is 100 to 300 uV at Fp1/Fp2, four times a usual second;
//! * **gradient**: the largest range within 100 ms: muscle, cable movement, a blink's flank;
//! * **step**: the largest change of the mean level between 200 ms before and 200 ms after: a pop or a re-plug.
//!
//! Two more need no past: **rail**, a run of one and the same value at the segment's top or bottom; and **spike**, a
//! change from one sample to the next far beyond the segment's own usual one.

pub mod power;

/// Thresholds. [`Default`] is for segments of 0.5 to 4 s of scalp EEG.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ArtefactSettings {
    /// A measure is an artefact's when it exceeds its running median by this many robust standard deviations...
    pub sigmas: f64,
    /// ...and by this factor: quiet data with little spread must not lose segments to small changes.
    pub factor: f64,
    /// No segment of EEG spans more than this, in uV, whatever is usual.
    pub max_amplitude_uv: f64,
    /// Segments that do not overlap and that "usual" is taken over.
    pub memory: usize,
    /// Fewer segments than this are no basis: until then only the absolute limit holds.
    pub warm_up: usize,
    /// A change from one sample to the next of this many times the segment's median change is a spike.
    pub spike_factor: f64,
    /// A run of one value this long, in seconds, at the top or bottom is a rail.
    pub rail_s: f64,
}

impl Default for ArtefactSettings {
    fn default() -> Self {
        // 5 robust standard deviations: measures of 1/f noise exceed it in about one segment of 1,000 (a test counts),
        // so that leaving them out does not bend the spectrum. 500 uV: three times a large blink.
        Self {
            sigmas: 5.0,
            factor: 1.7,
            max_amplitude_uv: 500.0,
            memory: 64,
            warm_up: 8,
            spike_factor: 15.0,
            rail_s: 0.04,
        }
    }
}

/// Why a segment is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Artefact {
    /// Beyond the absolute limit, or not finite.
    OutOfRange,
    /// A run at the top or bottom.
    Rail,
    /// Too large: a blink, movement.
    Amplitude,
    /// Too fast.
    Gradient,
    /// The level has changed.
    Step,
    /// One sample far from its neighbours.
    Spike,
}

/// Amplitude, gradient and step of a segment, in uV.
type Measures = [f64; 3];

/// What one channel's measures usually are.
#[derive(Clone, Debug)]
struct Usual {
    past: [Vec<f64>; 3],
    next: usize,
    limits: Option<Measures>,
}

/// Judges the segments of every channel.
#[derive(Debug)]
pub struct Detector {
    settings: ArtefactSettings,
    /// 50 ms in samples.
    block: usize,
    rail_samples: usize,
    usual: Vec<Usual>,
    work: Vec<f64>,
    /// Lowest, highest and mean of each block of the segment.
    blocks: Vec<(f64, f64, f64)>,
}

impl Detector {
    /// For `channels` channels and segments of up to `len` samples.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    pub fn new(settings: ArtefactSettings, rate_hz: f64, channels: usize, len: usize) -> Self {
        let block = ((0.05 * rate_hz).round() as usize).max(2);
        let memory = settings.memory.max(1);
        let empty = || Vec::with_capacity(memory);
        let fresh = || Usual { past: [empty(), empty(), empty()], next: 0, limits: None };
        Self {
            settings,
            block,
            rail_samples: ((settings.rail_s * rate_hz).ceil() as usize).max(4),
            // Not `vec![fresh(); n]`: a clone forgets the capacity.
            usual: (0..channels).map(|_| fresh()).collect(),
            work: Vec::with_capacity(memory.max(len)),
            blocks: Vec::with_capacity(len / block + 1),
        }
    }

    /// Forgets what is usual.
    pub fn reset(&mut self) {
        for usual in &mut self.usual {
            usual.past.iter_mut().for_each(Vec::clear);
            usual.next = 0;
            usual.limits = None;
        }
    }

    /// Judges a segment (uV, not detrended) of `channel`. `learn`: whether the segment shares no sample with the one
    /// that was learnt from before, and no current was in it; artefacts are learnt from too, for a median does not mind
    /// up to half of them, and a lasting change of amplitude must become usual.
    pub fn judge(&mut self, channel: usize, segment: &[f64], learn: bool) -> Option<Artefact> {
        let measures = self.measure(segment);
        let usual = self.usual.get_mut(channel)?;
        let [amplitude, ..] = measures;
        if !amplitude.is_finite() || amplitude > self.settings.max_amplitude_uv {
            return Some(Artefact::OutOfRange);
        }
        // Before learning: a spike's size says nothing about what is usual.
        if spiked(segment, self.settings.spike_factor, &mut self.work) {
            return Some(Artefact::Spike);
        }
        let limits = usual.limits;
        if learn {
            usual.learn(&measures, &self.settings, &mut self.work);
        }
        if let Some(limits) = limits {
            let kinds = [Artefact::Amplitude, Artefact::Gradient, Artefact::Step];
            let over = measures.iter().zip(limits).zip(kinds).find(|((measure, limit), _)| *measure > limit);
            if let Some((_, kind)) = over {
                return Some(kind);
            }
        }
        railed(segment, self.rail_samples).then_some(Artefact::Rail)
    }

    fn measure(&mut self, segment: &[f64]) -> Measures {
        self.blocks.clear();
        for block in segment.chunks_exact(self.block) {
            let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
            for &x in block {
                low = low.min(x);
                high = high.max(x);
                sum += x;
            }
            #[expect(clippy::cast_precision_loss, reason = "blocks are short")]
            self.blocks.push((low, high, sum / block.len() as f64));
        }
        let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for (block_low, block_high, mean) in &self.blocks {
            low = low.min(*block_low);
            high = high.max(*block_high);
            sum += mean; // so that a value that is not a number is noticed: min and max pass over it
        }
        let amplitude = if sum.is_finite() { high - low } else { f64::NAN };
        let mut gradient: f64 = 0.0;
        for pair in self.blocks.windows(2) {
            if let [(low_a, high_a, _), (low_b, high_b, _)] = pair {
                gradient = gradient.max(high_a.max(*high_b) - low_a.min(*low_b));
            }
        }
        let mut step: f64 = 0.0;
        for eight in self.blocks.windows(8) {
            let level = |part: &[(f64, f64, f64)]| part.iter().map(|(_, _, mean)| mean).sum::<f64>() / 4.0;
            let (before, after) = eight.split_at(4);
            step = step.max((level(after) - level(before)).abs());
        }
        [amplitude, gradient, step]
    }
}

impl Usual {
    fn learn(&mut self, measures: &Measures, settings: &ArtefactSettings, work: &mut Vec<f64>) {
        let memory = settings.memory.max(1);
        for (past, &measure) in self.past.iter_mut().zip(measures) {
            match past.get_mut(self.next) {
                Some(oldest) => *oldest = measure,
                None => past.push(measure),
            }
        }
        self.next = (self.next + 1) % memory;
        if self.past.first().is_some_and(|past| past.len() >= settings.warm_up.min(memory)) {
            // Few segments know their own spread badly: wider limits until there are many.
            #[expect(clippy::cast_precision_loss, reason = "segments are few")]
            let caution = 1.0 + 10.0 / self.past.first().map_or(1, Vec::len) as f64;
            let mut limits = [0.0; 3];
            for (limit, past) in limits.iter_mut().zip(&self.past) {
                let (quarter, middle) = quartiles(past, work);
                let spread = (middle - quarter) / 0.6745;
                *limit = (middle + settings.sigmas * caution * spread).max(settings.factor * middle);
            }
            self.limits = Some(limits);
        }
    }
}

/// Lower quartile and median.
fn quartiles(values: &[f64], work: &mut Vec<f64>) -> (f64, f64) {
    work.clear();
    work.extend_from_slice(values);
    if work.is_empty() {
        return (0.0, 0.0);
    }
    let half = work.len() / 2;
    let (below, &mut middle, _) = work.select_nth_unstable_by(half, f64::total_cmp);
    if below.is_empty() {
        return (middle, middle);
    }
    let quarter = below.len() / 2;
    (*below.select_nth_unstable_by(quarter, f64::total_cmp).1, middle)
}

/// The middle value, or the mean of the two in the middle; NaN of none. Reorders.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    if middle >= values.len() {
        return f64::NAN;
    }
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if even { 0.5 * (upper + below.iter().copied().fold(f64::NEG_INFINITY, f64::max)) } else { upper }
}

/// Whether a change from one sample to the next exceeds `factor` times the median one. Where most samples do not change
/// at all (coarse quantisation) there is no telling.
fn spiked(segment: &[f64], factor: f64, work: &mut Vec<f64>) -> bool {
    work.clear();
    let changes = segment.iter().zip(segment.iter().skip(1)).map(|(a, b)| (b - a).abs());
    work.extend(changes);
    if work.is_empty() {
        return false;
    }
    let largest = work.iter().copied().fold(0.0, f64::max);
    let middle = work.len() / 2;
    let median = *work.select_nth_unstable_by(middle, f64::total_cmp).1;
    median > 0.0 && largest > factor * median
}

/// Whether `run` samples in a row have one value, and it is the segment's highest or lowest.
fn railed(segment: &[f64], run: usize) -> bool {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &x in segment {
        low = low.min(x);
        high = high.max(x);
    }
    let (mut length, mut before) = (0, f64::NAN);
    for &x in segment {
        #[expect(clippy::float_cmp, reason = "a rail repeats the very same value")]
        let same = x == before;
        length = if same { length + 1 } else { 1 };
        before = x;
        if length >= run && (x <= low || x >= high) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    const RATE_HZ: f64 = 250.0;

    /// Random walk that forgets: about 1/f^2 above 1 Hz, standard deviation near 10 uV.
    fn eeg(seconds: usize, seed: u64) -> Vec<f64> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut x = 0.0;
        (0..seconds * 250)
            .map(|_| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                x = 0.97 * x + 2.4 * noise;
                x + 2.0 * {
                    let n: f64 = StandardNormal.sample(&mut rng);
                    n
                }
            })
            .collect()
    }

    fn judge_all(data: &[f64]) -> Vec<Option<Artefact>> {
        let mut detector = Detector::new(ArtefactSettings::default(), RATE_HZ, 1, 250);
        data.chunks_exact(250).map(|segment| detector.judge(0, segment, true)).collect()
    }

    #[test]
    fn clean_noise_loses_few_segments() {
        let flagged: usize =
            (0..5).map(|seed| judge_all(&eeg(1000, seed)).iter().filter(|a| a.is_some()).count()).sum();
        assert!(flagged <= 15, "{flagged} of 5000");
    }

    #[test]
    fn a_blink_is_found_and_nothing_else() {
        let mut data = eeg(60, 1);
        for n in 0..75 {
            data[40 * 250 + 60 + n] += 180.0 * (std::f64::consts::PI * n as f64 / 75.0).sin();
        }
        let found: Vec<usize> =
            judge_all(&data).iter().enumerate().filter(|(_, a)| a.is_some()).map(|(at, _)| at).collect();
        assert_eq!(found, [40]);
    }

    #[test]
    fn frequent_blinks_do_not_become_usual() {
        let mut data = eeg(120, 5);
        for second in (0..120).step_by(3) {
            for n in 0..75 {
                data[second * 250 + 60 + n] += 180.0 * (std::f64::consts::PI * n as f64 / 75.0).sin();
            }
        }
        let judged = judge_all(&data);
        let late = |blinks: bool| (60..120).filter(move |at| (at % 3 == 0) == blinks);
        let found = late(true).filter(|at| judged[*at].is_some()).count();
        let wrong = late(false).filter(|at| judged[*at].is_some()).count();
        assert!(found >= 19 && wrong == 0, "{found} of 20 found, {wrong} of 40 wrongly");
    }

    #[test]
    fn a_step_is_found_where_it_happens() {
        let mut data = eeg(60, 2);
        data.iter_mut().skip(50 * 250 + 125).for_each(|x| *x += 120.0);
        let judged = judge_all(&data);
        assert!(judged[50].is_some());
        assert!(judged[51..].iter().all(Option::is_none), "the new level is no artefact: {judged:?}");
    }

    #[test]
    fn a_rail_and_a_value_that_is_not_a_number_are_found_at_once() {
        let mut detector = Detector::new(ArtefactSettings::default(), RATE_HZ, 1, 250);
        let mut segment = eeg(1, 3);
        let top = segment.iter().copied().fold(0.0, f64::max) + 1.0;
        segment[100..112].fill(top);
        assert_eq!(detector.judge(0, &segment, true), Some(Artefact::Rail));
        segment[7] = f64::NAN;
        assert_eq!(detector.judge(0, &segment, true), Some(Artefact::OutOfRange));
    }

    #[test]
    fn a_spike_is_found_at_once() {
        let mut detector = Detector::new(ArtefactSettings::default(), RATE_HZ, 1, 250);
        let mut segment = eeg(1, 9);
        assert_eq!(detector.judge(0, &segment, true), None);
        segment[140] += 60.0;
        assert_eq!(detector.judge(0, &segment, true), Some(Artefact::Spike));
    }

    #[test]
    fn a_lasting_change_of_amplitude_becomes_usual() {
        let mut data = eeg(200, 4);
        data.iter_mut().skip(60 * 250).for_each(|x| *x *= 4.0);
        let judged = judge_all(&data);
        assert!(judged[60].is_some());
        assert!(judged[130..].iter().filter(|a| a.is_some()).count() <= 2);
    }
}

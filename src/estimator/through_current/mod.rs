//! The EEG under a known current: what the current put into it taken out, and the proof that it is.
//!
//! In: the EEG's frames, and the current as delivered, by the device's own count. Out: the same frames, later by the
//! current's lead and a block, without what follows the current linearly ([`Remover::poll`]), and for each window
//! the figures that say whether that may be believed ([`Remover::proof`]).
//!
//! The path from current to EEG is least squares over taps and slow low-passes ([`rows`]), whitened, learnt with two
//! memories and solved for all channels by one factorisation each block ([`sums`], [`algebra`]); the two clocks are
//! followed from the regression itself ([`align`]). A block costs the same for any window. After construction
//! nothing allocates. What it cannot know: everything in the EEG that follows the current linearly goes with the
//! artefact, an evoked answer of the brain included.

mod algebra;
mod align;
mod decimate;
mod judge;
mod proof;
mod queue;
mod reference;
mod rows;
mod search;
mod settings;
mod sums;
#[cfg(test)]
mod tests;
mod whitening;

pub use proof::{Proof, Unproven};
pub use settings::Settings;

use crate::frame::{ChannelSet, Facts, FrameHeader};
use algebra::Factor;
use align::{Align, Step};
use decimate::{Decimator, LowPass};
use proof::Tests;
use queue::Queue;
use reference::{Reference, Terms};
use rows::{Rows, SILENT_MA2};
use settings::Counts;
use sums::{Sums, Window};
use whitening::Whitening;

/// The delay is looked for this far: the current later than the stamps say (an EEG that is stamped early), and earlier.
const SEARCH_S: (f64, f64) = (0.3, 0.7);
/// EEG that a search is made on, in s, and how often one is made.
const SEARCHED_S: f64 = 3.0;
const SEARCH_EVERY_S: f64 = 0.5;
/// Channels that delay and drift are taken from at most: the loudest.
const LEADERS: usize = 8;
/// Where nothing follows the current for so long, in s, there is no artefact to be aligned to.
const SILENT_AFTER_S: f64 = 8.0;
/// Largest share of the EEG's power that the removal may take with it in a valid window.
const MAX_COST: f64 = 0.06;
/// From here on what is left is kept for the slow memory's tests.
const LASTING_COST: f64 = 0.03;

/// The removal for one stream of EEG and one stimulator; see the module.
#[derive(Debug)]
pub struct Remover {
    settings: Settings,
    counts: Counts,
    decimator: Decimator,
    reference: Reference,
    align: Align,
    rows: Rows,
    queue: Queue,
    whitening: Whitening,
    /// Past of each channel for the whitening, newest last: [channel][sample].
    past: Vec<f64>,
    /// One block's raw rows, whitened rows, values, whitened values.
    raw: Vec<f64>,
    white: Vec<f64>,
    values: Vec<f64>,
    white_values: Vec<f64>,
    block: Sums,
    fast: Sums,
    slow: Sums,
    /// What was left, over the window and over the slow memory.
    left: Window,
    left_slow: Sums,
    path_factor: Factor,
    window_factor: Factor,
    lasting_factor: Factor,
    /// [channel][column of the path]
    path: Vec<f64>,
    scratch: Vec<f64>,
    cleaned: Vec<f32>,
    /// Cleaned stretches for the whitening: [channel][sample].
    stretch: Vec<f64>,
    stretched: usize,
    leaders: [usize; LEADERS],
    /// For the search: recent frames, newest last, [sample][leader], and positions of their first.
    heard: Vec<f64>,
    heard_len: usize,
    since_search: usize,
    searched: Vec<f64>,
    looked_at: Vec<f64>,
    /// Stamp and position of the newest current sample.
    newest_stamp_s: f64,
    /// Blocks in a row that were whole, aligned, learnt.
    good_blocks: usize,
    /// Of the block before: whether the past of the channels joins on.
    joined: usize,
    /// Samples with current since the alignment was lost.
    flowing_samples: u64,
    /// Samples since current last reached the taps.
    quiet_samples: u64,
    /// Mean F of the modulations of each channel, over windows; and of how many windows.
    breath: Vec<f64>,
    breath_windows: f64,
    since_breath: usize,
    tested: Vec<Option<(Tests, Option<Tests>)>>,
    /// Power taken out and left, raw, faded over the window: [channel].
    taken: Vec<f64>,
    kept: Vec<f64>,
    /// The newest artefact and what was left: [channel].
    last: Vec<(f64, f64)>,
    failing: Option<Unproven>,
    incoherent_blocks: usize,
    /// [`FrameHeader::index`] of the last frame that was placed.
    last_index: u64,
}

impl Remover {
    /// A removal that has seen nothing.
    ///
    /// # Errors
    /// Names the setting that cannot be worked with.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let counts = Counts::new(&settings)?;
        let (channels, block, columns, path) =
            (counts.channels, counts.block, counts.columns(), counts.path());
        let rate_hz = counts.rate_hz;
        let heard = (SEARCHED_S * rate_hz) as usize;
        let lags = ((SEARCH_S.0 + SEARCH_S.1) * rate_hz) as usize;
        let mut leaders = [0; LEADERS];
        leaders.iter_mut().enumerate().for_each(|(i, leader)| *leader = i * channels / LEADERS.min(channels));
        Ok(Self {
            decimator: Decimator::new(LowPass::new(settings.top_hz), settings.rate_hz, counts.thin, channels),
            reference: Reference::new(settings.current_rate_hz, LowPass::new(settings.top_hz)),
            align: Align::new(rate_hz, settings.current_rate_hz),
            rows: Rows::new(&counts, rate_hz, settings.window_s),
            queue: Queue::new(channels, block + (2.0 * rate_hz) as usize),
            whitening: Whitening::new(counts.whitening),
            past: vec![0.0; channels * counts.whitening],
            raw: vec![0.0; block * path],
            white: vec![0.0; block * columns],
            values: vec![0.0; block * channels],
            white_values: vec![0.0; block * channels],
            block: Sums::new(&counts),
            fast: Sums::new(&counts),
            slow: Sums::new(&counts),
            left: Window::new(&counts),
            left_slow: Sums::new(&counts),
            path_factor: Factor::new(path),
            window_factor: Factor::new(columns),
            lasting_factor: Factor::new(columns),
            path: vec![0.0; channels * path],
            scratch: vec![0.0; columns],
            cleaned: vec![0.0; channels],
            stretch: vec![0.0; channels * (rate_hz as usize + block)],
            stretched: 0,
            leaders,
            heard: vec![0.0; heard * LEADERS],
            heard_len: 0,
            since_search: 0,
            searched: vec![0.0; heard],
            looked_at: vec![0.0; heard + lags + 1],
            newest_stamp_s: f64::NAN,
            good_blocks: 0,
            joined: 0,
            flowing_samples: 0,
            quiet_samples: u64::MAX / 2,
            breath: vec![1.0; channels],
            breath_windows: 0.0,
            since_breath: 0,
            tested: vec![None; channels],
            taken: vec![0.0; channels],
            kept: vec![0.0; channels],
            last: vec![(0.0, 0.0); channels],
            failing: None,
            incoherent_blocks: 0,
            last_index: 0,
            settings,
            counts,
        })
    }

    /// Frames that come out in a second: a whole fraction of the stream's rate.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        self.counts.rate_hz
    }

    /// The clocks' difference and its standard deviation, in parts per million: above 0 where the EEG's samples last
    /// longer than they should.
    #[must_use]
    pub fn drift_ppm(&self) -> (f64, f64) {
        self.align.drift_ppm()
    }

    /// Delay from the delivered current to the EEG by their stamps, and its standard deviation, in s.
    #[must_use]
    pub fn delay_s(&self) -> (f64, f64) {
        self.align.delay_s()
    }

    /// Takes a current sample as delivered at `stamp_s`; `lost` samples before it were counted by the device and not
    /// told.
    pub fn current(&mut self, stamp_s: f64, current_ma: f32, lost: u64) {
        if lost > 0 {
            self.reference.skip(lost);
        }
        self.reference.push(f64::from(current_ma));
        self.newest_stamp_s = stamp_s;
    }

    /// No current has flowed up to `stamp_s`, by the word of whoever drives the stimulator: between bursts the device
    /// tells nothing.
    pub fn quiet(&mut self, stamp_s: f64) {
        if !self.newest_stamp_s.is_finite() {
            self.newest_stamp_s = stamp_s;
        }
        let missing = (stamp_s - self.newest_stamp_s) * self.settings.current_rate_hz;
        if missing >= 1.0 {
            let whole = missing.floor().min(1e9);
            // More than the ring holds is all the same zero.
            let pushed = whole.min(16.0 * self.settings.current_rate_hz);
            for _ in 0..pushed as u64 {
                self.reference.push(0.0);
            }
            if whole > pushed {
                self.place_anew();
            }
            self.newest_stamp_s += whole / self.settings.current_rate_hz;
            if missing > 0.1 * self.settings.current_rate_hz {
                // A burst's first sample falls anywhere between two of the counts made up here.
                self.align.loosen(1.0 / self.settings.current_rate_hz);
            }
        }
    }

    /// Takes a frame of the EEG, as it came. Where the current that belongs to it does not come within 2 s, frames
    /// pass without it, marked as spoilt.
    pub fn frame(&mut self, header: &FrameHeader, samples_uv: &[f32]) {
        if samples_uv.len() != self.counts.channels {
            return;
        }
        if let Some((header, samples_uv)) = self.decimator.push(header, samples_uv) {
            self.queue.push(&header, samples_uv);
        }
    }

    /// Gives out the frames whose current is known, cleaned. A frame whose current nobody has told has all its
    /// channels marked spoilt.
    pub fn poll(&mut self, emit: &mut dyn FnMut(&FrameHeader, &[f32])) {
        loop {
            let run = self.run_length();
            // A run that a gap ends is a short block.
            if run == 0 || (run < self.counts.block && self.queue.len() == run) {
                return;
            }
            let Some(place) = self.place() else {
                if self.queue.full() {
                    self.lose();
                    self.give(run, emit);
                    continue;
                }
                return;
            };
            match self.known(&place.align, run) {
                Known::Yes => {
                    self.take(&place);
                    self.clean(run);
                }
                Known::NotYet if !self.queue.full() => return,
                Known::Never | Known::NotYet => self.lose(),
            }
            self.give(run, emit);
        }
    }

    /// Columns of the path over samples that it was learnt from.
    fn cost(&self) -> f64 {
        let learnt = self.fast.samples + self.settings.slow_weight * self.slow.samples;
        if learnt > 0.0 { self.counts.path() as f64 / learnt } else { f64::INFINITY }
    }

    /// Frames at the head of the queue that follow one another without a break.
    fn run_length(&self) -> usize {
        let mut run = 0;
        while run < self.counts.block {
            let Some((header, _)) = self.queue.get(run) else { break };
            if run > 0 && header.facts.intersects(Facts::BREAKS) {
                break;
            }
            run += 1;
        }
        run
    }

    fn by_stamp(&self, stamp_s: f64) -> f64 {
        self.reference.count() as f64 - 1.0 + (stamp_s - self.newest_stamp_s) * self.settings.current_rate_hz
    }

    fn place_anew(&mut self) {
        self.align.unlock();
        self.left.clear();
        self.left_slow.clear();
        self.fast.clear();
        self.slow.clear();
        self.path.fill(0.0);
        self.good_blocks = 0;
        self.heard_len = 0;
        self.flowing_samples = 0;
        self.breath.fill(1.0);
        self.breath_windows = 0.0;
    }

    /// Where the next frame stands in the current; `None` before anything is known of the current.
    fn place(&self) -> Option<Place> {
        let (header, _) = self.queue.get(0)?;
        let by_stamp = self.by_stamp(header.stamp_s);
        if !by_stamp.is_finite() {
            return None;
        }
        let mut place = Place { align: self.align, lost: 0, anew: false };
        let broken = header.facts.intersects(Facts::BREAKS);
        let jumped = header.facts.intersects(Facts::STAMP_JUMP) || header.facts.intersects(Facts::RESUMED);
        let counted = header.index.checked_sub(self.last_index).filter(|_| header.lost_before > 0 && !jumped);
        if self.align.locked()
            && broken
            && let Some(received) = counted
        {
            // Lost samples are counted: the clocks have gone on, here to a fraction of a frame.
            let frames = (received as f64 + f64::from(header.lost_before)) / self.counts.thin as f64 - 1.0;
            place.align.advance(frames);
            place.lost = frames.clamp(0.0, 1e6) as u32;
        } else if !self.align.locked() || broken {
            place.align.place(by_stamp);
        }
        if place.align.far_from(by_stamp, 0.25 * self.counts.rate_hz) {
            place.align.place(by_stamp);
            place.anew = true;
        }
        Some(place)
    }

    fn take(&mut self, place: &Place) {
        if place.anew {
            self.place_anew();
        }
        let locked = self.align.locked();
        self.align = place.align;
        if place.anew || !locked {
            self.align.unlock();
        } else if place.lost > 0 {
            self.skip_rows(place.lost);
        }
    }

    /// Whether the current of the next `frames` frames is known.
    fn known(&self, align: &Align, frames: usize) -> Known {
        let lead = self.counts.lead() as f64 * align.step();
        let first = align.position() + lead;
        let last = first + frames as f64 * align.step();
        if last > self.reference.newest() {
            return Known::NotYet;
        }
        if self.reference.at(first).is_some() && self.reference.at(last).is_some() {
            Known::Yes
        } else {
            Known::Never
        }
    }

    /// The current of samples that the EEG has lost still goes through the slow part of the path.
    fn skip_rows(&mut self, lost: u32) {
        let (lead, unit) = (self.counts.lead() as f64, self.unit_per_ma());
        let path = self.counts.path();
        let (Some(raw), Some(white)) =
            (self.raw.get_mut(..path), self.white.get_mut(..self.counts.columns()))
        else {
            return;
        };
        for n in (1..=lost).rev() {
            let position = self.align.position() + (lead - f64::from(n)) * self.align.step();
            let current = self.reference.at(position).unwrap_or_default();
            self.rows.step(current, unit, self.whitening.filter(), raw, white);
        }
        self.joined = 0;
    }

    /// What brings the current to unit power.
    fn unit_per_ma(&self) -> f64 {
        let power = self.reference.mean_square();
        if power > SILENT_MA2 { power.sqrt().recip() } else { 0.0 }
    }

    /// Frames whose current nobody will tell.
    fn lose(&mut self) {
        self.failing = Some(Unproven::NoTelemetry);
        self.place_anew();
        self.rows.reset();
        self.joined = 0;
    }

    /// Learns from the next `frames` frames, and cleans them in `values`.
    fn clean(&mut self, frames: usize) {
        let counts = self.counts;
        let (channels, path, columns, order) =
            (counts.channels, counts.path(), counts.columns(), counts.whitening);
        self.failing = None;
        self.block.clear();
        let lead = counts.lead() as f64 * self.align.step();
        let (mut power, mut holes) = (0.0, false);
        let unit = self.unit_per_ma();
        for n in 0..frames {
            let position = self.align.position() + n as f64 * self.align.step() + lead;
            let ahead = self.reference.at(position).unwrap_or_else(|| {
                holes = true;
                Terms::default()
            });
            let raw = &mut self.raw[n * path..(n + 1) * path];
            let white = &mut self.white[n * columns..(n + 1) * columns];
            self.rows.step(ahead, unit, self.whitening.filter(), raw, white);
            power += raw[..counts.taps()].iter().map(|x| x * x).sum::<f64>();
            let Some((header, samples_uv)) = self.queue.get(n) else { continue };
            let broken = header.facts.intersects(Facts::BREAKS);
            if broken {
                self.joined = 0;
            }
            let values = &mut self.values[n * channels..(n + 1) * channels];
            let white_values = &mut self.white_values[n * channels..(n + 1) * channels];
            let pasts = self.past.chunks_exact_mut(order);
            for (((y, white), &sample), past) in
                values.iter_mut().zip(white_values).zip(samples_uv).zip(pasts)
            {
                *y = if sample.is_finite() { f64::from(sample) } else { past[order - 1] };
                let older = past.iter().rev().zip(self.whitening.filter());
                *white = *y + older.map(|(x, a)| x * a).sum::<f64>();
                past.copy_within(1.., 0);
                past[order - 1] = *y;
            }
            self.joined += 1;
            let spoilt = header.spoilt != ChannelSet::EMPTY;
            if self.joined > order && !spoilt {
                self.block.take(
                    &self.white[n * columns..(n + 1) * columns],
                    &self.white_values[n * channels..(n + 1) * channels],
                );
            }
        }
        let flowing = power / (frames * counts.taps()) as f64 > SILENT_MA2;
        self.hear(frames, flowing);
        if flowing {
            self.quiet_samples = 0;
            self.flowing_samples += frames as u64;
            if self.align.locked() && !holes {
                self.follow(frames);
            }
            let seconds = frames as f64 / self.counts.rate_hz;
            for (sums, memory_s) in
                [(&mut self.fast, self.settings.fast_memory_s), (&mut self.slow, self.settings.slow_memory_s)]
            {
                sums.fade((-seconds / memory_s).exp());
                sums.add(&self.block, 1.0);
            }
            self.solve();
        } else {
            self.quiet_samples = self.quiet_samples.saturating_add(frames as u64);
        }
        // What was left, for the proof.
        for (channel, path) in self.path.chunks_exact(path).enumerate() {
            self.block.remove(channel, path, &mut self.scratch);
        }
        self.left.push(&self.block);
        // What was left while the path was still being learnt says nothing of what is left now.
        if self.cost() > LASTING_COST {
            self.left_slow.clear();
        }
        if self.cost() > MAX_COST {
            self.good_blocks = 0;
        }
        if flowing {
            self.left_slow.fade((-(frames as f64) / self.counts.rate_hz / self.settings.slow_memory_s).exp());
            self.left_slow.add(&self.block, 1.0);
        }
        self.subtract(frames);
        self.align.advance(frames as f64);
        if let Some((header, _)) = self.queue.get(frames.saturating_sub(1)) {
            self.last_index = header.index;
            let next_s = header.stamp_s + 1.0 / self.counts.rate_hz;
            let by_stamp = self.by_stamp(next_s);
            self.align.note_delay(by_stamp);
        }
        let silent = self.flowing_samples as f64 > SILENT_AFTER_S * self.counts.rate_hz;
        let aligned = self.align.locked() || silent || !flowing;
        if holes {
            self.failing = Some(Unproven::NoTelemetry);
        } else if !aligned {
            self.failing = Some(Unproven::NotAligned);
        }
        self.good_blocks = if self.failing.is_none() { self.good_blocks + 1 } else { 0 };
        self.judge(flowing, frames);
    }

    /// The path from both memories, one factorisation for all channels.
    fn solve(&mut self) {
        let (path, columns) = (self.counts.path(), self.counts.columns());
        let learnt = self.fast.samples + self.settings.slow_weight * self.slow.samples;
        if learnt < 3.0 * path as f64 {
            return;
        }
        let weight = self.settings.slow_weight;
        self.path_factor.factor(&[(1.0, &self.fast.gram), (weight, &self.slow.gram)]);
        let crosses = self.fast.cross.chunks_exact(columns).zip(self.slow.cross.chunks_exact(columns));
        for (coefficients, (fast, slow)) in self.path.chunks_exact_mut(path).zip(crosses) {
            for ((c, f), s) in coefficients.iter_mut().zip(fast).zip(slow) {
                *c = f + weight * s;
            }
            self.path_factor.forward(coefficients);
            self.path_factor.backward(coefficients);
        }
    }

    /// Takes the artefact out of `values`. The constant stays: it is the EEG's own.
    fn subtract(&mut self, frames: usize) {
        let (channels, path) = (self.counts.channels, self.counts.path());
        let block_share = frames as f64 / (self.counts.blocks * self.counts.block) as f64;
        let keep = 1.0 - block_share.min(1.0);
        self.taken.iter_mut().chain(&mut self.kept).for_each(|x| *x *= keep);
        for n in 0..frames {
            let raw = &self.raw[n * path..(n + 1) * path - 1];
            let values = &mut self.values[n * channels..(n + 1) * channels];
            for (channel, y) in values.iter_mut().enumerate() {
                let coefficients = &self.path[channel * path..(channel + 1) * path - 1];
                let artefact: f64 = raw.iter().zip(coefficients).map(|(x, c)| x * c).sum();
                *y -= artefact;
                // Of differences, so that an offset does not count as EEG.
                let last = &mut self.last[channel];
                if n > 0 {
                    self.taken[channel] += (artefact - last.0).powi(2);
                    self.kept[channel] += (*y - last.1).powi(2).max(1e-12);
                }
                *last = (artefact, *y);
            }
        }
    }

    /// Follows the clocks: by how much what was predicted came early or late.
    fn follow(&mut self, frames: usize) {
        let (channels, path, columns) = (self.counts.channels, self.counts.path(), self.counts.columns());
        let (mut dot, mut square, mut rest, mut count) = (0.0, 0.0, 0.0, 0.0);
        for &channel in self.leaders.iter().take(LEADERS.min(channels)) {
            let coefficients = &self.path[channel * path..(channel + 1) * path];
            let predict = |n: usize| -> f64 {
                let row = &self.white[n * columns..n * columns + path];
                row.iter().zip(coefficients).map(|(x, c)| x * c).sum()
            };
            let (mut earlier, mut now) = (predict(0), predict(1.min(frames - 1)));
            let (mut own_dot, mut own_square, mut own_rest) = (0.0, 0.0, 0.0);
            for n in 1..frames.saturating_sub(1) {
                let later = predict(n + 1);
                let slope = 0.5 * (later - earlier);
                let error = self.white_values[n * channels + channel] - now;
                own_dot += error * slope;
                own_square += slope * slope;
                own_rest += error * error;
                (earlier, now) = (now, later);
            }
            if own_rest > 0.0 {
                // Each channel by its own noise.
                let noise = own_rest / frames as f64;
                dot += own_dot / noise;
                square += own_square / noise;
                rest += 1.0;
            }
            count += 1.0;
        }
        if square > 0.0 && rest > 0.0 && count > 0.0 {
            // y(n) = a(n - late), so the error is -late times the slope. Channels share their EEG: as if one.
            let late = -dot / square;
            if self.align.correct(late, rest / square, frames as f64) == Step::Jumped {
                self.place_anew();
                self.failing = Some(Unproven::NotAligned);
            }
        } else {
            self.align.correct(f64::NAN, f64::NAN, frames as f64);
        }
    }

    /// Gives out the first `frames` frames of the queue, from `values` where they were cleaned.
    fn give(&mut self, frames: usize, emit: &mut dyn FnMut(&FrameHeader, &[f32])) {
        let channels = self.counts.channels;
        let lost = self.failing == Some(Unproven::NoTelemetry);
        for n in 0..frames {
            let Some((header, samples_uv)) = self.queue.get(n) else { continue };
            let mut header = *header;
            if lost {
                self.cleaned.copy_from_slice(samples_uv);
                (0..channels).for_each(|channel| header.spoilt.insert(channel));
            } else {
                let values = &self.values[n * channels..(n + 1) * channels];
                self.cleaned.iter_mut().zip(values).for_each(|(out, y)| *out = *y as f32);
            }
            emit(&header, &self.cleaned);
        }
        self.queue.drop_front(frames);
    }
}

/// Where the next frame stands.
struct Place {
    align: Align,
    /// Samples that the EEG has lost just before, and that the alignment has gone over.
    lost: u32,
    /// The stamps contradict the alignment.
    anew: bool,
}

/// Whether the current of some frames is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    NotYet,
    Never,
}

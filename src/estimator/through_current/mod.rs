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
mod clean;
mod confirm;
mod decimate;
mod follow;
mod judge;
mod place;
mod proof;
mod queue;
mod reference;
mod rows;
mod search;
mod settings;
mod spread;
mod sums;
#[cfg(test)]
mod tests;
mod whitening;
mod wrong;

pub use confirm::{Confirmation, Unconfirmed};
pub use proof::{Proof, Unproven};
pub use settings::Settings;
pub use wrong::Wrong;

use crate::frame::FrameHeader;
use algebra::Factor;
use align::Align;
use decimate::{Decimator, LowPass};
use place::Known;
use proof::Tests;
use queue::Queue;
use reference::Reference;
use rows::Rows;
use settings::Counts;
use spread::Spread;
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
/// Largest share of a window that may be left out of the proof: blinks are a tenth of it, a path that is not the one that
/// was learnt is all of it.
const MAX_LEFT_OUT: f64 = 0.25;
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
    spread: Spread,
    /// Share of the window's samples that were left out of all sums.
    left_out: f64,
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
    /// What is taken out: the path, unless something is wrong on purpose.
    used: Vec<f64>,
    wrong: Wrong,
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
    /// Whether its gain is taken to breathe: [channel].
    breathes: Vec<bool>,
    breath_windows: f64,
    since_breath: usize,
    /// Samples since the last tests.
    untested: usize,
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
            whitening: Whitening::new(counts.whitening, rate_hz as usize + block),
            past: vec![0.0; channels * counts.whitening],
            raw: vec![0.0; block * path],
            white: vec![0.0; block * columns],
            values: vec![0.0; block * channels],
            white_values: vec![0.0; block * channels],
            spread: Spread::new(channels, rate_hz),
            left_out: 0.0,
            block: Sums::new(&counts),
            fast: Sums::new(&counts),
            slow: Sums::new(&counts),
            left: Window::new(&counts),
            left_slow: Sums::new(&counts),
            path_factor: Factor::new(path),
            window_factor: Factor::new(columns),
            lasting_factor: Factor::new(columns),
            path: vec![0.0; channels * path],
            used: vec![0.0; channels * path],
            wrong: Wrong::Nothing,
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
            breathes: vec![false; channels],
            breath_windows: 0.0,
            since_breath: 0,
            untested: counts.hop,
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
}

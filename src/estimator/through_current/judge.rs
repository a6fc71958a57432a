//! The tests of each window, and what they come to for a channel or a region.

use super::proof::{self, Proof, Tests, Unproven};
use super::{LEADERS, MAX_COST, MAX_LEFT_OUT, Remover, settings};

/// Windows whose modulation is averaged, in s. A heart does not stop: a gain that has breathed is taken to breathe until the
/// mean F has come down to [`STILL`] of what it takes to be noticed.
const BREATH_MEMORY_S: f64 = 60.0;
const STILL: f64 = 0.4;
/// Largest artefact that can be removed, over what is left, in dB: beyond it the clocks are not followed finely enough (flat
/// current, 100 mV: 82 dB, bias -0.11 in `make bench-through-current`).
const MAX_REMOVED_DB: f64 = 75.0;

impl Remover {
    /// What holds for the window that ends with the last frame given out, for the mean of `channels`.
    #[must_use]
    pub fn proof(&self, channels: &[usize]) -> Proof {
        if let Some(why) = self.failing {
            return Proof::failed(why);
        }
        let mut proof = Proof {
            linearity_p: 1.0,
            residual_coherence: 0.0,
            modulation_p: 1.0,
            removed_db: f64::NEG_INFINITY,
            cost: self.cost(),
            failed: None,
        };
        if self.good_blocks < self.counts.blocks || proof.cost > MAX_COST {
            proof.failed = Some(Unproven::Learning);
        }
        if self.left_out > MAX_LEFT_OUT {
            proof.failed = proof.failed.or(Some(Unproven::Outlying));
        }
        let breathing_limit = self.breathing_limit(channels.len());
        // Of the channels the largest F of curved terms and of modulations: over the window, and over the slow memory.
        let mut worst: ([Option<Tests>; 2], [Option<Tests>; 2]) = ([None; 2], [None; 2]);
        for &channel in channels {
            let Some(Some((window, lasting))) = self.tested.get(channel).copied() else {
                return Proof { failed: Some(Unproven::Learning), ..proof };
            };
            let breathing = self.breath.get(channel).map_or(f64::INFINITY, |mean| mean / breathing_limit);
            let breathes = self.breathes.get(channel).copied().unwrap_or(true);
            let breathing = if breathes { f64::INFINITY } else { breathing };
            let (alarm, count) = (self.settings.false_alarm, channels.len());
            let failed = proof::verdict(&window, lasting.as_ref(), breathing, alarm, count);
            proof.failed = proof.failed.or(failed);
            for (tests, worst) in [(Some(window), &mut worst.0), (lasting, &mut worst.1)] {
                for (k, worst) in [2, 3].into_iter().zip(worst) {
                    if let Some(tests) = tests
                        && worst.is_none_or(|worst: Tests| tests.f[k] > worst.f[k])
                    {
                        *worst = Some(tests);
                    }
                }
            }
            let coherence = lasting.map_or(window.coherence, |tests| tests.coherence);
            proof.residual_coherence = proof.residual_coherence.max(coherence);
            let taken = self.taken.get(channel).copied().unwrap_or(0.0);
            let kept = self.kept.get(channel).copied().unwrap_or(0.0);
            proof.removed_db = proof.removed_db.max(10.0 * (taken / kept).log10());
        }
        let least_p = |k: usize, of: [Option<Tests>; 2]| {
            of.into_iter().flatten().map(|tests| tests.p(k)).fold(1.0, f64::min)
        };
        proof.linearity_p = least_p(2, [worst.0[0], worst.1[0]]);
        proof.modulation_p = least_p(3, [worst.0[1], worst.1[1]]);
        if proof.removed_db > MAX_REMOVED_DB {
            proof.failed = proof.failed.or(Some(Unproven::TooLarge));
        }
        proof
    }

    /// The largest mean F of the modulations that chance makes over the windows that were averaged.
    fn breathing_limit(&self, channels: usize) -> f64 {
        let df = (2 * settings::MODULATIONS) as f64 * self.breath_windows.max(1.0);
        // Two and a half standard deviations of a mean of chi-squares, and one more for each power of ten of channels.
        1.0 + (2.5 + (channels.max(1) as f64).log10()) * (2.0 / df).sqrt()
    }

    /// The tests of the window that ends here, and the whitening for the next one.
    pub(super) fn judge(&mut self, flowing: bool, frames: usize) {
        let counts = self.counts;
        // The stretch that the next whitening filter is made of.
        let channels = counts.channels;
        let room = self.stretch.len() / channels;
        for n in 0..frames.min(room - self.stretched) {
            for channel in 0..channels {
                self.stretch[channel * room + self.stretched + n] = self.values[n * channels + channel];
            }
        }
        self.stretched += frames.min(room - self.stretched);
        if self.stretched as f64 >= self.counts.rate_hz {
            let usable = self.failing.is_none();
            if usable {
                self.whitening.fade((-(self.stretched as f64) / self.counts.rate_hz / 30.0).exp());
                for part in self.stretch.chunks_exact(room) {
                    self.whitening.take(&part[..self.stretched]);
                }
                self.whitening.update();
                self.rows.rewhiten(self.whitening.filter());
            }
            self.stretched = 0;
            if flowing {
                self.lead_by_the_loudest();
            }
        }
        if self.quiet_samples > (counts.blocks * counts.block) as u64 || self.good_blocks == 0 {
            self.tested.fill(None);
            self.untested = counts.hop;
            return;
        }
        // As often as estimates are made; what has just become worth a test is tested at once.
        self.untested += frames;
        self.since_breath += frames;
        if self.untested < counts.hop {
            return;
        }
        let blocks = self.untested / counts.block;
        self.untested = 0;
        self.window_factor.factor(&[(1.0, &self.left.sums().gram)]);
        let lasting = self.left_slow.samples > 4.0 * counts.columns() as f64;
        if lasting {
            self.lasting_factor.factor(&[(1.0, &self.left_slow.gram)]);
        }
        let window = counts.blocks * counts.block;
        let breathe = self.since_breath >= window && self.good_blocks >= counts.blocks;
        if breathe {
            self.since_breath = 0;
            let most = BREATH_MEMORY_S / self.settings.window_s;
            self.breath_windows = (self.breath_windows + 1.0).min(most.max(1.0));
        }
        let limit = self.breathing_limit(channels);
        for channel in 0..channels {
            let window =
                proof::tests(&counts, &self.window_factor, self.left.sums(), channel, &mut self.scratch);
            let slow = if lasting {
                proof::tests(&counts, &self.lasting_factor, &self.left_slow, channel, &mut self.scratch)
            } else {
                None
            };
            if breathe && let Some(tests) = window {
                let share = 1.0 / self.breath_windows.max(1.0);
                let mean = &mut self.breath[channel];
                *mean += share * (tests.f[3].min(20.0) - *mean);
                let least = if self.breathes[channel] { 1.0 + STILL * (limit - 1.0) } else { limit };
                self.breathes[channel] = *mean > least;
            }
            self.tested[channel] = window.map(|window| (window, slow));
        }
        self.watch_alignment(blocks);
    }

    /// Where what is left has followed the current for two windows, the alignment is wrong: look for it anew. `blocks`: since
    /// the last look.
    fn watch_alignment(&mut self, blocks: usize) {
        let coherent = |tests: &Option<(Tests, Option<Tests>)>| {
            tests.is_some_and(|(window, _)| window.coherence > 0.2 && window.p(0) < 1e-9)
        };
        let bad = self.good_blocks >= self.counts.blocks && self.tested.iter().any(coherent);
        self.incoherent_blocks = if bad { self.incoherent_blocks + blocks.max(1) } else { 0 };
        if self.incoherent_blocks > 2 * self.counts.blocks {
            self.incoherent_blocks = 0;
            self.place_anew();
        }
    }

    /// Delay and drift are taken from the channels that hear the current loudest.
    fn lead_by_the_loudest(&mut self) {
        let width = LEADERS.min(self.counts.channels);
        for k in 0..width {
            let taken = &self.leaders[..k];
            let loudest = (0..self.counts.channels)
                .filter(|channel| !taken.contains(channel))
                .max_by(|a, b| (self.taken[*a] / self.kept[*a]).total_cmp(&(self.taken[*b] / self.kept[*b])));
            self.leaders[k] = loudest.unwrap_or(0);
        }
    }
}

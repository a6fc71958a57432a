//! A block's course: rows made, the path learnt, the artefact taken out, what was left kept for the proof.

use super::algebra::dot;
use super::proof::Unproven;
use super::reference::Terms;
use super::rows::SILENT_MA2;
use super::{LASTING_COST, MAX_COST, Remover, SILENT_AFTER_S};
use crate::frame::{ChannelSet, Facts, FrameHeader};

impl Remover {
    /// Learns from the next `frames` frames, and cleans them in `values`.
    pub(super) fn clean(&mut self, frames: usize) {
        let counts = self.counts;
        let (channels, path, columns, order) =
            (counts.channels, counts.path(), counts.columns(), counts.whitening);
        self.failing = None;
        self.block.clear();
        let lead = counts.lead() as f64 * self.align.step();
        let (mut power, mut holes, mut left_out) = (0.0, false, 0.0);
        let learning = self.cost() > LASTING_COST;
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
                *white = *y + dot(past, self.whitening.newest_last());
                past.copy_within(1.., 0);
                past[order - 1] = *y;
            }
            self.joined += 1;
            let spoilt = header.spoilt != ChannelSet::EMPTY;
            if self.joined > order && !spoilt {
                let white = &self.white[n * columns..(n + 1) * columns];
                let white_values = &self.white_values[n * channels..(n + 1) * channels];
                if self.spread.lies_within(&white[..path], white_values, &self.used, learning) {
                    self.block.take(white, white_values);
                } else {
                    left_out += 1.0;
                }
            }
        }
        let window = (counts.blocks * counts.block) as f64;
        self.left_out += (left_out - self.left_out * frames as f64) / window;
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
        self.put_to_use();
        for (channel, path) in self.used.chunks_exact(path).enumerate() {
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
    pub(super) fn solve(&mut self) {
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
    pub(super) fn subtract(&mut self, frames: usize) {
        let (channels, path) = (self.counts.channels, self.counts.path());
        let block_share = frames as f64 / (self.counts.blocks * self.counts.block) as f64;
        let keep = 1.0 - block_share.min(1.0);
        self.taken.iter_mut().chain(&mut self.kept).for_each(|x| *x *= keep);
        for n in 0..frames {
            let raw = &self.raw[n * path..(n + 1) * path - 1];
            let values = &mut self.values[n * channels..(n + 1) * channels];
            for (channel, y) in values.iter_mut().enumerate() {
                let coefficients = &self.used[channel * path..(channel + 1) * path - 1];
                let artefact = dot(raw, coefficients);
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

    /// Gives out the first `frames` frames of the queue, from `values` where they were cleaned.
    pub(super) fn give(&mut self, frames: usize, emit: &mut dyn FnMut(&FrameHeader, &[f32])) {
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

//! Where the EEG's next frames stand in the current, and whether that is known.
//!
//! By the stamps at first and after a jump, by the alignment's own count from then on; samples that either side has lost
//! are counted over.

use super::Remover;
use super::align::Align;
use super::proof::Unproven;
use super::rows::SILENT_MA2;
use crate::frame::Facts;

impl Remover {
    /// Frames at the head of the queue that follow one another without a break.
    pub(super) fn run_length(&self) -> usize {
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

    pub(super) fn by_stamp(&self, stamp_s: f64) -> f64 {
        self.reference.count() as f64 - 1.0 + (stamp_s - self.newest_stamp_s) * self.settings.current_rate_hz
    }

    pub(super) fn place_anew(&mut self) {
        self.align.unlock();
        self.left.clear();
        self.left_slow.clear();
        self.fast.clear();
        self.slow.clear();
        self.path.fill(0.0);
        self.used.fill(0.0);
        self.good_blocks = 0;
        self.heard_len = 0;
        self.flowing_samples = 0;
        self.breath.fill(1.0);
        self.breathes.fill(false);
        self.breath_windows = 0.0;
    }

    /// Where the next frame stands in the current; `None` before anything is known of the current.
    pub(super) fn place(&self) -> Option<Place> {
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

    pub(super) fn take(&mut self, place: &Place) {
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
    pub(super) fn known(&self, align: &Align, frames: usize) -> Known {
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
    pub(super) fn skip_rows(&mut self, lost: u32) {
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
    pub(super) fn unit_per_ma(&self) -> f64 {
        let power = self.reference.mean_square();
        if power > SILENT_MA2 { power.sqrt().recip() } else { 0.0 }
    }

    /// Frames whose current nobody will tell.
    pub(super) fn lose(&mut self) {
        self.failing = Some(Unproven::NoTelemetry);
        self.place_anew();
        self.rows.reset();
        self.joined = 0;
    }
}

/// Where the next frame stands.
pub(super) struct Place {
    pub(super) align: Align,
    /// Samples that the EEG has lost just before, and that the alignment has gone over.
    pub(super) lost: u32,
    /// The stamps contradict the alignment.
    pub(super) anew: bool,
}

/// Whether the current of some frames is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Yes,
    NotYet,
    Never,
}

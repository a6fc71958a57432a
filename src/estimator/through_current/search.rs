//! Where the artefact is: what a search needs is kept while current flows, and looked through until one is found.

use super::align::find_lag;
use super::{LEADERS, Remover, SEARCH_EVERY_S, SEARCH_S};

impl Remover {
    /// Keeps what a search needs, and searches.
    pub(super) fn hear(&mut self, frames: usize, flowing: bool) {
        let (channels, keep) = (self.counts.channels, self.searched.len());
        let width = LEADERS.min(channels);
        if !flowing {
            self.heard_len = 0;
            return;
        }
        for n in 0..frames {
            if self.heard_len == keep {
                self.heard.copy_within(width.., 0);
                self.heard_len -= 1;
            }
            let at = self.heard_len * width;
            for (k, &leader) in self.leaders.iter().take(width).enumerate() {
                self.heard[at + k] = self.values[n * channels + leader];
            }
            self.heard_len += 1;
        }
        self.since_search += frames;
        let due = self.since_search as f64 >= SEARCH_EVERY_S * self.counts.rate_hz;
        if self.align.locked() || !due || self.heard_len < keep / 2 {
            return;
        }
        self.since_search = 0;
        self.search(frames, width);
    }

    fn search(&mut self, frames: usize, width: usize) {
        let rate = self.counts.rate_hz;
        let (early, late) = ((SEARCH_S.0 * rate) as usize, (SEARCH_S.1 * rate) as usize);
        let n = self.heard_len;
        // Position of the first heard sample; the block's own first is `frames` before the newest.
        let step = self.align.step();
        let first = self.align.position() + (frames as f64 - n as f64) * step;
        let lags = early + late;
        let mut before = 0.0;
        for (k, slot) in self.looked_at.iter_mut().take(n + lags).enumerate() {
            // Where the current is not known it is silent, and correlates with nothing.
            let position = first + (k as f64 - late as f64) * step;
            let now = self.reference.at(position).unwrap_or_default()[0];
            *slot = if k > 0 { now - before } else { 0.0 };
            before = now;
        }
        let mut best: Option<(usize, f64)> = None;
        for k in 0..width {
            for i in 1..n {
                self.searched[i] = self.heard[i * width + k] - self.heard[(i - 1) * width + k];
            }
            self.searched[0] = 0.0;
            let found = find_lag(&self.searched[..n], &self.looked_at[..n + lags], lags);
            if let Some((lag, r2)) = found
                && best.is_none_or(|(_, most)| r2 > most)
            {
                best = Some((lag, r2));
            }
        }
        if let Some((lag, _)) = best {
            // Lag `late` in the list is no delay; a smaller one an EEG that lags behind the current.
            self.place_anew();
            self.align.found(late as f64 - lag as f64);
            self.block.clear();
            self.rows.reset();
            // What the slow part of the path still holds: as far back as the current is known.
            let back = (6.0 * rate).min(f64::from(u32::MAX)) as u32;
            self.align.advance(frames as f64);
            self.skip_rows(back);
            self.align.retreat(frames as f64);
        }
    }
}

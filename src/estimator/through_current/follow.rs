//! The clocks, followed from the regression itself: the predicted artefact came early or late.

use super::algebra::dot;
use super::align::Step;
use super::proof::Unproven;
use super::{LEADERS, Remover};

impl Remover {
    /// Follows the clocks: by how much what was predicted came early or late.
    pub(super) fn follow(&mut self, frames: usize) {
        let (channels, path, columns) = (self.counts.channels, self.counts.path(), self.counts.columns());
        let (mut product, mut square, mut rest, mut count) = (0.0, 0.0, 0.0, 0.0);
        for &channel in self.leaders.iter().take(LEADERS.min(channels)) {
            let coefficients = &self.path[channel * path..(channel + 1) * path];
            let predict = |n: usize| dot(&self.white[n * columns..n * columns + path], coefficients);
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
                product += own_dot / noise;
                square += own_square / noise;
                rest += 1.0;
            }
            count += 1.0;
        }
        if square > 0.0 && rest > 0.0 && count > 0.0 {
            // y(n) = a(n - late), so the error is -late times the slope. Channels share their EEG: as if one.
            let late = -product / square;
            if self.align.correct(late, rest / square, frames as f64) == Step::Jumped {
                self.place_anew();
                self.failing = Some(Unproven::NotAligned);
            }
        } else {
            self.align.correct(f64::NAN, f64::NAN, frames as f64);
        }
    }
}

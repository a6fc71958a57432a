//! The filter that whitens what the removal has left, so that tests on it are fair: an autoregressive fit by the
//! Levinson-Durbin recursion (Durbin 1960) of the channels' mean autocorrelation, which fades over the slow memory.

use super::algebra::dot;

/// Autocorrelations and the filter that follows.
#[derive(Debug)]
pub(super) struct Whitening {
    /// Sums of products at each lag, of channels scaled to the same power.
    products: Vec<f64>,
    filter: Vec<f64>,
    /// The same, for a past whose newest stands last.
    newest_last: Vec<f64>,
    scratch: Vec<f64>,
    samples: f64,
    /// A stretch without its mean.
    centred: Vec<f64>,
}

impl Whitening {
    /// Of this order, from stretches of at most `room` samples.
    pub(super) fn new(order: usize, room: usize) -> Self {
        // Until something has been seen: a first difference, which whitens 1/f².
        let mut filter = vec![0.0; order];
        if let Some(first) = filter.first_mut() {
            *first = -0.95;
        }
        let newest_last = filter.iter().rev().copied().collect();
        let (products, scratch) = (vec![0.0; order + 1], vec![0.0; order]);
        Self { products, filter, newest_last, scratch, samples: 0.0, centred: vec![0.0; room] }
    }

    /// The filter: coefficients of past samples, the newest first; the present one has 1.
    pub(super) fn filter(&self) -> &[f64] {
        &self.filter
    }

    /// The same, for a past whose newest stands last.
    pub(super) fn newest_last(&self) -> &[f64] {
        &self.newest_last
    }

    pub(super) fn fade(&mut self, keep: f64) {
        self.products.iter_mut().for_each(|x| *x *= keep);
        self.samples *= keep;
    }

    /// Takes one channel's cleaned stretch; its mean is taken out.
    pub(super) fn take(&mut self, samples: &[f64]) {
        let n = samples.len();
        let mean = samples.iter().sum::<f64>() / n.max(1) as f64;
        let Some(centred) = self.centred.get_mut(..n) else { return };
        centred.iter_mut().zip(samples).for_each(|(to, x)| *to = x - mean);
        let power = dot(centred, centred);
        if !(power > 0.0 && power.is_finite()) {
            return;
        }
        for (lag, product) in self.products.iter_mut().enumerate() {
            let sum = dot(centred.get(lag..).unwrap_or_default(), centred);
            *product += sum * n as f64 / power;
        }
        self.samples += n as f64;
    }

    /// Makes the filter anew.
    pub(super) fn update(&mut self) {
        let order = self.filter.len();
        if self.samples < 20.0 * order as f64 {
            return;
        }
        // What the low-pass has stopped is not to be lifted up again: 40 dB below the EEG's power all is noise.
        let power = self.products[0] * (1.0 + 1e-4);
        let mut error = power;
        self.scratch.fill(0.0);
        for i in 0..order {
            let mut acc = self.products[i + 1];
            for (a, r) in self.scratch[..i].iter().zip(self.products[1..=i].iter().rev()) {
                acc += a * r;
            }
            let reflection = -acc / error;
            if reflection.is_nan() || reflection.abs() >= 1.0 {
                return;
            }
            self.filter[..i].copy_from_slice(&self.scratch[..i]);
            for j in 0..i {
                self.scratch[j] = self.filter[j] + reflection * self.filter[i - 1 - j];
            }
            self.scratch[i] = reflection;
            error *= 1.0 - reflection * reflection;
        }
        self.filter.copy_from_slice(&self.scratch);
        self.newest_last.iter_mut().zip(self.filter.iter().rev()).for_each(|(to, a)| *to = *a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_autoregressive_series_gives_its_own_coefficients() {
        let mut whitening = Whitening::new(4, 600);
        let (mut past, mut state) = ([0.0f64; 2], 1u64);
        let series: Vec<f64> = (0..60_000)
            .map(|_| {
                let mut noise = -6.0;
                for _ in 0..12 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    noise += (state >> 11) as f64 / (1u64 << 53) as f64;
                }
                let x = 1.2 * past[0] - 0.5 * past[1] + noise;
                past = [x, past[0]];
                x
            })
            .collect();
        for part in series.chunks(600) {
            whitening.take(part);
        }
        whitening.update();
        let got = whitening.filter();
        for (a, want) in got.iter().zip([-1.2, 0.5, 0.0, 0.0]) {
            assert!((a - want).abs() < 0.02, "{got:?}");
        }
    }
}

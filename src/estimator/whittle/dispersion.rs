//! How much more the windows of a real head differ than the formula says.
//!
//! Two windows that share no data, close in time, should differ by their standard errors. The mean of the squares of
//! such differences over the last minutes, in units of what the formula expects, is what the variance is multiplied by
//! where it is above 1. On Gaussian signals it is 1; a head's rhythms come and go, and there it is about 2.

/// Windows that count as known before there are any: little data must not widen or narrow anything.
const PRIOR_WINDOWS: f64 = 8.0;
/// Standard deviations of the ratio itself that are taken off, so that chance does not widen what needs no widening.
const CAUTION: f64 = 0.7;
/// How far back it reaches, in s.
const REACH_S: f64 = 300.0;
/// A jump of more than four standard deviations is a change, not noise.
const MOST: f64 = 16.0;

/// The running ratio of one channel or region.
#[derive(Clone, Debug)]
pub struct Dispersion {
    keep: f64,
    /// Windows that count as independent in one hop.
    independent: f64,
    /// Exponent and variance of the windows back to the last that shares nothing with the newest.
    past: Vec<Option<(f64, f64)>>,
    next: usize,
    sum: f64,
    count: f64,
}

impl Dispersion {
    /// For windows of `window_s` every `hop_s`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    pub fn new(window_s: f64, hop_s: f64) -> Self {
        let apart = ((window_s / hop_s).ceil() as usize).clamp(1, 100_000);
        Self {
            keep: (-hop_s / REACH_S).exp(),
            independent: (hop_s / window_s).min(1.0),
            past: vec![None; apart],
            next: 0,
            sum: 0.0,
            count: 0.0,
        }
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.past.fill(None);
        (self.next, self.sum, self.count) = (0, 0.0, 0.0);
    }

    /// Takes a window's exponent and the variance by the formula, `None` where it is not valid; returns [`Self::ratio`].
    pub fn add(&mut self, window: Option<(f64, f64)>) -> f64 {
        self.sum *= self.keep;
        self.count *= self.keep;
        if let Some(slot) = self.past.get_mut(self.next) {
            if let (Some((new, new_variance)), Some((old, old_variance))) = (window, *slot) {
                self.sum += ((new - old).powi(2) / (new_variance + old_variance)).min(MOST);
                self.count += 1.0;
            }
            *slot = window;
        }
        self.next = (self.next + 1) % self.past.len().max(1);
        self.ratio()
    }

    /// Windows are passed over from here on: what comes next is not close in time to what was.
    pub fn pause(&mut self) {
        self.past.fill(None);
    }

    /// What a window's variance by the formula is to be multiplied by.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        let (sum, count) = (self.sum * self.independent, self.count * self.independent);
        let known = PRIOR_WINDOWS + count;
        // Squares of normal differences that follow each other scatter with variance 3.
        let doubt = CAUTION * (3.0 / known).sqrt();
        ((PRIOR_WINDOWS + sum) / known - doubt).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_distr::{Distribution, StandardNormal};

    fn ratio(sd: f64, hop_s: f64) -> f64 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let mut dispersion = Dispersion::new(4.0, hop_s);
        let mut last = 1.0;
        for _ in 0..2000 {
            let normal: f64 = StandardNormal.sample(&mut rng);
            last = dispersion.add(Some((1.0 + sd * normal, 0.01)));
        }
        last
    }

    #[test]
    fn windows_that_scatter_more_widen_the_error_and_others_do_not() {
        assert!((1.0..1.3).contains(&ratio(0.1, 4.0)));
        assert!((1.4..2.5).contains(&ratio(0.1 * 2_f64.sqrt(), 4.0)));
        assert!((1.4..2.5).contains(&ratio(0.1 * 2_f64.sqrt(), 1.0)));
        assert!(ratio(0.02, 4.0) <= 1.0);
    }

    #[test]
    fn what_is_not_valid_says_nothing() {
        let mut dispersion = Dispersion::new(4.0, 4.0);
        for _ in 0..50 {
            assert!(dispersion.add(None) <= 1.0);
        }
    }
}

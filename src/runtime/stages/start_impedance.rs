//! The electrodes' impedance while a burst begins: above the protocol's limit it does not begin.
//!
//! In: the device's newest impedance, with every step of the stimulate stage. Out: the number that was too high,
//! once. The device measures only under current, so this is the first moment at which it can be known; later in
//! the burst the device's own, wider limits hold.

/// So long an impedance must be said to be too high, in s: three estimates of the device.
const HIGH_FOR_S: f64 = 0.3;

/// Watches the first ramp of each burst.
#[derive(Clone, Copy, Debug)]
pub struct StartImpedance {
    limit_kohm: f64,
    /// What the device said before the burst: an estimate of the last one, until it says something else.
    old: Option<f32>,
    high_since_s: Option<f64>,
    watching: bool,
}

impl StartImpedance {
    /// `limit_kohm`: `limits.start_kohm`.
    #[must_use]
    pub fn new(limit_kohm: f64) -> Self {
        Self { limit_kohm, old: None, high_since_s: None, watching: false }
    }

    /// A burst begins; `said`: what the device says before it.
    pub fn begin(&mut self, said: Option<f32>) {
        (self.old, self.high_since_s, self.watching) = (said, None, true);
    }

    /// The device says `said`, `ramping` up or not. Gives the impedance that ends the burst.
    pub fn judge(&mut self, said: Option<f32>, ramping: bool, now_s: f64) -> Option<f64> {
        self.watching &= ramping;
        let kohm = said.filter(|_| self.watching)?;
        if self.old.is_some_and(|old| old.to_bits() == kohm.to_bits()) {
            return None;
        }
        self.old = None;
        let kohm = f64::from(kohm);
        if kohm <= self.limit_kohm {
            self.high_since_s = None;
            return None;
        }
        let since_s = *self.high_since_s.get_or_insert(now_s);
        // Written so that a clock that is no number does not hide it.
        let too_short = now_s - since_s < HIGH_FOR_S;
        if too_short {
            return None;
        }
        self.watching = false;
        Some(kohm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says one impedance after another, 50 ms apart, and counts how often it was too high.
    fn ends(watch: &mut StartImpedance, said: &[Option<f32>], ramping: bool) -> Vec<(usize, f64)> {
        let judge =
            |(k, said): (usize, &Option<f32>)| Some((k, watch.judge(*said, ramping, k as f64 * 0.05)?));
        said.iter().enumerate().filter_map(judge).collect()
    }

    #[test]
    fn three_high_estimates_end_it_once_and_a_single_one_does_not() {
        let mut watch = StartImpedance::new(10.0);
        watch.begin(None);
        let glitch = [None, Some(11.0), Some(11.0), Some(9.9), Some(10.0), Some(10.1), Some(9.0)];
        assert_eq!(ends(&mut watch, &glitch, true), []);
        assert_eq!(ends(&mut watch, &[Some(10.5); 20], true), [(6, 10.5)]);
    }

    #[test]
    fn only_while_it_ramps_up_and_only_what_was_measured_in_this_burst() {
        let mut watch = StartImpedance::new(10.0);
        assert_eq!(ends(&mut watch, &[Some(15.0); 20], true), [], "no burst");
        watch.begin(Some(15.0));
        assert_eq!(ends(&mut watch, &[Some(15.0); 20], true), [], "left over from the last burst");
        assert_eq!(ends(&mut watch, &[Some(15.1); 20], true).len(), 1);
        watch.begin(None);
        assert_eq!(ends(&mut watch, &[Some(15.0); 3], true), []);
        assert_eq!(ends(&mut watch, &[Some(15.0); 20], false), [], "at full amplitude the device watches");
        assert_eq!(ends(&mut watch, &[Some(15.0); 20], true), [], "the next ramp is the way down");
    }
}

//! A gain between 0 and 1 that moves along a raised cosine, up or down, and can turn round on the way
//! without a step.

use core::f32::consts::PI;

/// `gain = (1 - cos(pi position)) / 2`; the position moves linearly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    position: f32,
}

impl Ramp {
    pub(crate) const ZERO: Self = Self { position: 0.0 };
    pub(crate) const FULL: Self = Self { position: 1.0 };

    /// Moves up by `dt_us` of a ramp that takes `over_us` from 0 to 1.
    pub(crate) fn rise(&mut self, dt_us: u32, over_us: u32) {
        self.position = (self.position + dt_us as f32 / over_us as f32).min(1.0);
    }

    /// Moves down likewise.
    pub(crate) fn fall(&mut self, dt_us: u32, over_us: u32) {
        self.position = (self.position - dt_us as f32 / over_us as f32).max(0.0);
        // What rounding has left after the last step would take another tick to go.
        if self.position < 1e-4 {
            self.position = 0.0;
        }
    }

    pub(crate) fn gain(&self) -> f32 {
        match self.position {
            p if p <= 0.0 => 0.0,
            p if p >= 1.0 => 1.0,
            p => 0.5 - 0.5 * libm::cosf(PI * p),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.position <= 0.0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.position >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_time_it_is_given_and_never_steps() {
        let mut r = Ramp::ZERO;
        let (mut last, mut ticks) = (0.0, 0);
        while !r.is_full() {
            r.rise(100, 5_000_000);
            // The steepest slope of a raised cosine is pi/2 of the mean slope.
            assert!((r.gain() - last).abs() <= 1.02 * PI / 2.0 * 100.0 / 5e6 + 1e-7);
            (last, ticks) = (r.gain(), ticks + 1);
        }
        assert!((49_900..50_100).contains(&ticks), "{ticks}");
        for _ in 0..1_000 {
            assert!(!r.is_zero());
            r.fall(100, 100_000);
        }
        assert!(r.is_zero() && r.gain() == 0.0);
    }
}

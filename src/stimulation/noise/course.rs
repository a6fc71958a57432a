//! How the amplitude of a burst goes, profile by profile: the one place that knows a sham's course.
//!
//! In: the profile and the ramp up of the protocol. Out: a [`Shape`] in seconds, for plans and reports, and a
//! [`Course`] in samples, for the current and for files. The ramp at a block's scheduled end is the session's, not the
//! profile's, and comes on top.

use std::ops::Range;

use super::Profile;
use crate::envelope::{Envelope, raised_cosine};

/// Sham: seconds of ramp up, hold and ramp down before it goes on at zero, whatever the other profiles' ramps.
const SHAM_RAMP_HOLD_RAMP_S: (f64, f64, f64) = (10.0, 10.0, 10.0);

/// The amplitude of a burst over time, as a share of its full one.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Seconds of its raised-cosine ramp up.
    pub up_s: f64,
    /// When it ramps down by itself, in s since its start; `None`: not before it is told to.
    pub fade_s: Option<Range<f64>>,
}

impl Profile {
    /// The amplitude of a burst of this profile, under a protocol that ramps up in `ramp_up_s`.
    #[must_use]
    pub fn shape(self, ramp_up_s: f64) -> Shape {
        let (up_s, hold_s, down_s) = SHAM_RAMP_HOLD_RAMP_S;
        match self {
            Self::Steep | Self::Flat => Shape { up_s: ramp_up_s, fade_s: None },
            Self::Sham => Shape { up_s, fade_s: Some(up_s + hold_s..up_s + hold_s + down_s) },
        }
    }
}

impl Shape {
    /// The share of the full amplitude, `at_s` after the start.
    #[must_use]
    pub fn at(&self, at_s: f64) -> f64 {
        let up = raised_cosine(at_s / self.up_s);
        let down = self.fade_s.as_ref().map_or(0.0, |f| raised_cosine((at_s - f.start) / (f.end - f.start)));
        up * (1.0 - down)
    }

    /// From when on it is zero, in s; infinite where it never is.
    #[must_use]
    pub fn flows_s(&self) -> f64 {
        self.fade_s.as_ref().map_or(f64::INFINITY, |fade| fade.end)
    }
}

/// A [`Shape`] on its way, sample by sample.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    gain: Envelope,
    /// Samples until it fades; `None` where it does not, and afterwards.
    fades_in: Option<u64>,
    fade_len: u64,
}

impl Course {
    /// Full amplitude, for ever.
    #[must_use]
    pub fn steady() -> Self {
        Self { gain: Envelope::steady(1.0), fades_in: None, fade_len: 0 }
    }

    /// `shape` from its start, at `rate_hz` samples a second.
    #[must_use]
    pub fn new(shape: &Shape, rate_hz: f64) -> Self {
        let count = |seconds: f64| (seconds * rate_hz).round() as u64;
        let mut gain = Envelope::steady(0.0);
        gain.go(1.0, count(shape.up_s).max(1));
        let fade = shape.fade_s.as_ref();
        Self {
            gain,
            fades_in: fade.map(|fade| count(fade.start)),
            fade_len: fade.map_or(0, |fade| count(fade.end - fade.start).max(1)),
        }
    }

    /// Goes no higher than it is: a burst that is told to end must not grow on the way.
    pub fn stop_rising(&mut self) {
        if self.gain.goal() > self.gain.value() {
            self.gain = Envelope::steady(self.gain.value());
        }
    }

    /// Multiplies each sample of `out` by the value of its moment.
    pub fn apply(&mut self, out: &mut [f32]) {
        let Some(left) = self.fades_in else { return self.gain.apply(out) };
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        let (before, fading) = out.split_at_mut(n);
        self.gain.apply(before);
        self.fades_in = Some(left - n as u64).filter(|&left| left > 0);
        if self.fades_in.is_none() {
            self.gain.go(0.0, self.fade_len);
            self.gain.apply(fading);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_follow_the_shape() {
        for profile in Profile::ALL {
            let shape = profile.shape(40.0);
            let mut course = Course::new(&shape, 100.0);
            let mut samples = vec![1f32; 6_000];
            samples.chunks_mut(7).for_each(|chunk| course.apply(chunk));
            for (i, &x) in samples.iter().enumerate() {
                let expected = shape.at((i + 1) as f64 / 100.0);
                assert!((f64::from(x) - expected).abs() < 1e-3, "{profile:?} {i}: {x} {expected}");
            }
        }
    }

    #[test]
    fn what_is_told_to_end_does_not_grow() {
        let mut course = Course::new(&Profile::Steep.shape(10.0), 100.0);
        let mut samples = vec![1f32; 600];
        course.apply(&mut samples[..500]);
        course.stop_rising();
        course.apply(&mut samples[500..]);
        assert_eq!(samples[499], samples[599]);
    }
}

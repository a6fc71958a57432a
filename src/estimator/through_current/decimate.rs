//! The EEG at the rate, and in the band, that the fit range needs.
//!
//! What lies above the range helps nobody here: there the EEG is weakest and the difference between two low-passes
//! largest, so that a removal would be judged by what no estimate uses. In: frames at the stream's rate. Out: frames at
//! a whole fraction of it, through the same windowed sinc as the current ([`LowPass`]), so that the two match but for
//! the path. A frame's header is that of the sample in the middle of its kernel; whatever was wrong with any sample
//! under the kernel is wrong with it.

use std::f64::consts::PI;

use crate::frame::{ChannelSet, Facts, FrameHeader};

/// Kaiser's beta: the stop band is 80 dB down.
const BETA: f64 = 8.0;
/// The corner, and half the width of the transition, over the top of the fit range: the fit's tapers smear a little
/// beyond it.
const CORNER: f64 = 1.2;
const HALF_TRANSITION: f64 = 0.12;
/// The output's rate is at least so many times the top of the fit range: nothing folds back below the stop band, and a delay
/// of a part of a sample takes few taps.
const LEAST_RATIO: f64 = 3.2;

/// A windowed sinc in continuous time.
#[derive(Clone, Copy, Debug)]
pub(super) struct LowPass {
    corner_hz: f64,
    /// Half its length, in s.
    pub(super) half_s: f64,
}

impl LowPass {
    /// For a fit up to `top_hz`.
    pub(super) fn new(top_hz: f64) -> Self {
        // Kaiser's formula for the length at 80 dB (Oppenheim & Schafer, Discrete-Time Signal Processing, 7.6).
        let transition_rad_s = 2.0 * PI * 2.0 * HALF_TRANSITION * top_hz;
        Self { corner_hz: CORNER * top_hz, half_s: 0.5 * (80.0 - 8.0) / (2.285 * transition_rad_s) }
    }

    /// Share of the band of an output at `rate_hz` that it passes.
    pub(super) fn share(&self, rate_hz: f64) -> f64 {
        (2.0 * self.corner_hz / rate_hz).min(1.0)
    }

    /// Its value `seconds` from its middle, not normalised.
    pub(super) fn at(&self, seconds: f64) -> f64 {
        let inside = 1.0 - (seconds / self.half_s).powi(2);
        if inside <= 0.0 {
            return 0.0;
        }
        let angle = 2.0 * PI * self.corner_hz * seconds;
        let sinc = if angle.abs() < 1e-12 { 1.0 } else { angle.sin() / angle };
        sinc * bessel_i0(BETA * inside.sqrt()) / bessel_i0(BETA)
    }
}

/// The modified Bessel function of order 0, by its series (Abramowitz & Stegun 9.6.12).
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > 1e-16 * sum {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

/// By how much a stream of `rate_hz` is thinned for a fit up to `top_hz`: 1 leaves it as it is.
pub(super) fn factor(rate_hz: f64, top_hz: f64) -> usize {
    ((rate_hz / (LEAST_RATIO * top_hz)) as usize).max(1)
}

/// Frames in, fewer frames out.
#[derive(Debug)]
pub(super) struct Decimator {
    factor: usize,
    channels: usize,
    weights: Vec<f64>,
    /// The newest frames under the kernel, in a circle: [place][channel].
    values: Vec<f64>,
    headers: Vec<FrameHeader>,
    /// Frames since the last break.
    run: usize,
    /// What stood before the first frame of the run.
    begins: (Facts, u32),
    sums: Vec<f64>,
    out: Vec<f32>,
}

impl Decimator {
    pub(super) fn new(low_pass: LowPass, rate_hz: f64, factor: usize, channels: usize) -> Self {
        let half = (low_pass.half_s * rate_hz).ceil() as usize;
        let mut weights: Vec<f64> =
            (0..=2 * half).map(|k| low_pass.at((k as f64 - half as f64) / rate_hz)).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
        let taps = weights.len();
        Self {
            factor,
            channels,
            weights,
            values: vec![0.0; taps * channels],
            headers: vec![FrameHeader::default(); taps],
            run: 0,
            begins: (Facts::NONE, 0),
            sums: vec![0.0; channels],
            out: vec![0.0; channels],
        }
    }

    /// Takes a frame; gives one where one is due.
    pub(super) fn push(&mut self, header: &FrameHeader, samples_uv: &[f32]) -> Option<(FrameHeader, &[f32])> {
        let taps = self.weights.len();
        if header.facts.intersects(Facts::BREAKS) {
            self.run = 0;
            // Gaps add up where they come faster than the kernel fills.
            self.begins.0.insert(header.facts);
            self.begins.1 = self.begins.1.saturating_add(header.lost_before);
        }
        let at = self.run % taps;
        *self.headers.get_mut(at)? = *header;
        let slots = self.values.get_mut(at * self.channels..(at + 1) * self.channels)?;
        slots
            .iter_mut()
            .zip(samples_uv)
            .for_each(|(slot, x)| *slot = if x.is_finite() { f64::from(*x) } else { 0.0 });
        self.run += 1;
        if self.run < taps || !(self.run - taps).is_multiple_of(self.factor) {
            return None;
        }
        self.sums.fill(0.0);
        let oldest = self.run % taps;
        let (mut spoilt, mut facts) = (ChannelSet::EMPTY, Facts::NONE);
        let place = |k: usize| (oldest + k) % taps;
        let frame = |k: usize| self.values.get(place(k) * self.channels..(place(k) + 1) * self.channels);
        // The kernel is the same on both sides of its middle.
        for (k, weight) in self.weights.iter().enumerate().take(taps / 2) {
            let pairs = frame(k)?.iter().zip(frame(taps - 1 - k)?);
            self.sums.iter_mut().zip(pairs).for_each(|(sum, (a, b))| *sum += weight * (a + b));
        }
        let middle = *self.weights.get(taps / 2)?;
        self.sums.iter_mut().zip(frame(taps / 2)?).for_each(|(sum, x)| *sum += middle * x);
        for header in &self.headers {
            spoilt = spoilt.union(header.spoilt);
            for fact in [Facts::UNSETTLED, Facts::REPEATED] {
                if header.facts.intersects(fact) {
                    facts.insert(fact);
                }
            }
        }
        self.out.iter_mut().zip(&self.sums).for_each(|(out, sum)| *out = *sum as f32);
        let middle = *self.headers.get((oldest + taps / 2) % taps)?;
        let mut header = FrameHeader { spoilt, facts, lost_before: 0, ..middle };
        if self.run == taps {
            header.facts.insert(self.begins.0);
            header.lost_before = self.begins.1;
            self.begins = (Facts::NONE, 0);
        }
        Some((header, &self.out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amplitude(hz: f64, factor: usize) -> f64 {
        let mut decimator = Decimator::new(LowPass::new(35.0), 250.0, factor, 1);
        let (mut sum, mut count) = (0.0, 0.0);
        for n in 0..2000u64 {
            let x = (2.0 * PI * hz * n as f64 / 250.0).sin() as f32;
            let header = FrameHeader { index: n, ..FrameHeader::default() };
            if let Some((_, out)) = decimator.push(&header, &[x]) {
                sum += f64::from(out[0]).powi(2);
                count += 1.0;
            }
        }
        (2.0 * sum / count).sqrt()
    }

    #[test]
    fn the_range_passes_and_what_would_fold_into_it_does_not() {
        assert_eq!((factor(250.0, 35.0), factor(128.0, 35.0), factor(1000.0, 40.0)), (2, 1, 7));
        assert!((amplitude(35.0, 2) - 1.0).abs() < 1e-3, "{}", amplitude(35.0, 2));
        assert!(amplitude(50.0, 2) < 1e-3 && amplitude(90.0, 2) < 1e-3, "{}", amplitude(50.0, 2));
    }

    #[test]
    fn a_break_empties_the_kernel_and_stays_known() {
        let mut decimator = Decimator::new(LowPass::new(35.0), 250.0, 2, 1);
        let mut found = vec![];
        for n in 0..700u64 {
            let mut header = FrameHeader { index: n, ..FrameHeader::default() };
            if n == 200 {
                header.facts.insert(Facts::GAP);
                header.lost_before = 7;
            }
            if n == 420 {
                header.spoilt.insert(0);
            }
            if let Some((header, _)) = decimator.push(&header, &[1.0]) {
                found.push(header);
            }
        }
        let gaps: Vec<_> = found.iter().filter(|h| h.facts.intersects(Facts::GAP)).collect();
        assert_eq!(gaps.len(), 1);
        let half = (LowPass::new(35.0).half_s * 250.0).ceil() as u64;
        assert_eq!((gaps[0].index, gaps[0].lost_before), (200 + half, 7));
        let spoilt = found.iter().filter(|h| h.spoilt.contains(0)).count() as u64;
        assert!(spoilt.abs_diff(half) <= 1, "{spoilt} {half}");
    }
}

//! Window, hop, segment and segment step in whole samples of any rate.
//!
//! A hop and the step between a window's segments must divide one another, or no segment could serve two windows. In
//! seconds they do (the configuration sees to it); in samples they often do not: at 199.84 Hz a hop of 4 s is 799
//! samples and a step of 0.5 s 100, at 256 Hz a hop of 0.1 s is 26 and the step 128. So the nearest counts that do are
//! taken, at the least cost in hop and step, and never for fewer segments in a window; what was taken is said.

/// Counts of samples that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// In a window.
    pub window: usize,
    /// From one window to the next.
    pub hop: usize,
    /// In a segment.
    pub segment: usize,
    /// From one segment of a window to the next.
    pub step: usize,
    /// Segments in a window.
    pub depth: usize,
    /// Whether they are not simply the seconds times the rate, rounded.
    pub moved: bool,
}

/// Two decimal fractions of a second that should be equal are within this.
const SAME_S: f64 = 5e-7;

impl Steps {
    /// For these lengths in seconds (the window no shorter than the segment) at `rate_hz`.
    ///
    /// # Errors
    /// Names a length that is no countable number of samples.
    pub fn new(window_s: f64, hop_s: f64, segment_s: f64, step_s: f64, rate_hz: f64) -> Result<Self, String> {
        let samples = |name: &str, seconds: f64| {
            let count = (seconds * rate_hz).round();
            if !(1.0..1e8).contains(&count) {
                return Err(format!("{name} of {seconds} s is {count} samples at {rate_hz} Hz"));
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
            let count = count as usize;
            Ok(count)
        };
        let window = samples("window", window_s)?;
        let hop = samples("hop", hop_s)?;
        let segment = samples("segment", segment_s)?;
        let step = samples("segment step", step_s)?;
        if segment > window {
            return Err(format!("segment of {segment_s} s is longer than the window of {window_s} s"));
        }
        let depth = ((window_s - segment_s + SAME_S) / step_s).floor().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below the window's samples"
        )]
        let depth = depth as usize + 1;
        let plain = Self { window, hop, segment, step, depth, moved: false };
        // With one segment in a window there is no step to keep.
        if depth == 1 {
            return Ok(plain);
        }
        let (small_s, large_s) = if hop_s < step_s { (hop_s, step_s) } else { (step_s, hop_s) };
        let times = (large_s / small_s).round();
        if (times * small_s / large_s - 1.0).abs() > 0.01 {
            let part_s = if hop_s < step_s { step_s / times } else { times * step_s };
            return Err(format!(
                "hop of {hop_s} s and segment step of {step_s} s: one must be a multiple of the other (for example, a hop \
                 of {part_s} s)"
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "sample counts are small")]
        let rest_s = window_s - segment_s - (depth - 1) as f64 * step_s;
        // Where the seconds leave no rest, the samples leave none either; up to a sample more than asked is taken.
        let tight = rest_s.abs() <= 2.0 * SAME_S;
        let best = candidates(hop_s * rate_hz, step_s * rate_hz)
            .map(|(hop, step)| {
                let need = segment + (depth - 1) * step;
                let fits = need <= window + 1;
                let depth = if fits { depth } else { (window - segment) / step + 1 };
                let window = if tight && fits { need } else { window.max(if fits { need } else { 0 }) };
                Self { window, hop, step, depth, ..plain }
            })
            .min_by(|a, b| {
                a.cost(hop_s * rate_hz, step_s * rate_hz, depth).total_cmp(&b.cost(
                    hop_s * rate_hz,
                    step_s * rate_hz,
                    depth,
                ))
            });
        let taken = best.unwrap_or(plain);
        Ok(Self { moved: (taken.hop, taken.step) != (hop, step), ..taken })
    }

    /// How far this is from what was asked: shares of hop and step, and of segments that are lost.
    #[expect(clippy::cast_precision_loss, reason = "sample counts are small")]
    fn cost(&self, hop: f64, step: f64, depth: usize) -> f64 {
        let off = |count: usize, asked: f64| (count as f64 / asked - 1.0).abs();
        off(self.hop, hop) + off(self.step, step) + (depth - self.depth.min(depth)) as f64 / depth as f64
    }

    /// What was taken, in a sentence, where it is not what was asked for.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sample counts are small")]
    pub fn told(&self, rate_hz: f64) -> Option<String> {
        let both = |count: usize| format!("{count} samples ({:.3} s)", count as f64 / rate_hz);
        self.moved.then(|| {
            format!(
                "at {rate_hz:.2} Hz no whole samples fit hop and segment step together; taken were a window of {}, a hop of \
                 {}, segments of {} every {}",
                both(self.window),
                both(self.hop),
                both(self.segment),
                both(self.step)
            )
        })
    }
}

/// Pairs of a hop and a step near the ones asked for, one a multiple of the other.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of samples, bounded by the caller"
)]
fn candidates(hop: f64, step: f64) -> impl Iterator<Item = (usize, usize)> {
    let (small, large) = if hop < step { (hop, step) } else { (step, hop) };
    let ratio = (large / small).round().max(1.0) as usize;
    let reach = (small * 0.2).ceil().max(1.0) as usize;
    let near = (small.round() as usize).saturating_sub(reach).max(1)..=small.round() as usize + reach;
    near.flat_map(move |small| {
        (ratio.saturating_sub(1).max(1)..=ratio + 1)
            .map(move |times| if hop < step { (small, times * small) } else { (times * small, small) })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn steps(hop_s: f64, rate_hz: f64) -> Steps {
        Steps::new(4.0, hop_s, 1.0, 0.5, rate_hz).unwrap()
    }

    #[test]
    fn whole_rates_are_as_they_were() {
        for (hop_s, rate_hz) in
            [(4.0, 250.0), (0.1, 250.0), (0.5, 256.0), (0.1, 500.0), (0.1, 1000.0), (2.0, 128.0)]
        {
            let got = steps(hop_s, rate_hz);
            let count = |seconds: f64| (seconds * rate_hz).round() as usize;
            let plain = (count(4.0), count(hop_s), count(1.0), count(0.5), 7, false);
            assert_eq!(
                (got.window, got.hop, got.segment, got.step, got.depth, got.moved),
                plain,
                "{rate_hz} Hz"
            );
            assert_eq!(got.told(rate_hz), None);
        }
    }

    #[test]
    fn any_rate_and_any_hop_go_together() {
        for (hop_s, rate_hz, window, hop, step) in [
            (4.0, 199.84, 800, 800, 100),
            (4.0, 255.7, 1024, 1024, 128),
            (4.0, 511.49, 2047, 2048, 256),
            (0.1, 128.0, 488, 12, 60),
            (0.1, 256.0, 1006, 25, 125),
            (0.1, 512.0, 2042, 51, 255),
        ] {
            let got = steps(hop_s, rate_hz);
            assert_eq!(
                (got.window, got.hop, got.step, got.depth),
                (window, hop, step, 7),
                "{hop_s} s, {rate_hz} Hz"
            );
            assert!(
                got.told(rate_hz).is_some_and(|told| told.contains(&format!("{rate_hz:.2} Hz"))) == got.moved
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_rate(
            rate_hz in 60.0f64..5000.0, quarter in 1u32..32, divisor in 1u32..6, multiple in proptest::bool::ANY,
        ) {
            let step_s = f64::from(quarter) * 0.0625;
            let hop_s = if multiple { step_s * f64::from(divisor) } else { step_s / f64::from(divisor) };
            let got = Steps::new(2.0 * step_s + 6.0 * step_s, hop_s, 2.0 * step_s, step_s, rate_hz).unwrap();
            proptest::prop_assert!(got.step.is_multiple_of(got.hop) || got.hop.is_multiple_of(got.step), "{:?}", got);
            proptest::prop_assert!(got.segment + (got.depth - 1) * got.step <= got.window);
            let asked = (8.0 * step_s * rate_hz).round();
            proptest::prop_assert!(got.window as f64 <= asked + 1.0 && got.window as f64 > 0.7 * asked, "{:?}", got);
            proptest::prop_assert!((got.hop as f64 / (hop_s * rate_hz) - 1.0).abs() < 0.35 || got.hop < 6, "{:?}", got);
        }
    }
}

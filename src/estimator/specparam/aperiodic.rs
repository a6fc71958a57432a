//! The aperiodic line: least squares in log10 power over log10 frequency, straight or with a knee.

use super::{double, knee};
use crate::Reason;
use crate::lanes::{exp, log10};

/// Whether the aperiodic line bends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// `offset - exponent log10 f`
    #[default]
    Fixed,
    /// `offset - log10(knee + f^exponent)`
    Knee,
    /// `offset - log10(f^exponent0 (knee + f^exponent))`: power falls as f^-exponent0 below the knee and as
    /// f^-(exponent0 + exponent) above it. specparam 2's; allocates nothing, but costs ten times a fit with a knee.
    Doublexp,
}

/// An aperiodic line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// log10 power at 1 Hz where there is no knee.
    pub offset: f64,
    /// 0 in fixed mode.
    pub knee: f64,
    /// Power falls as f^-exponent.
    pub exponent: f64,
    /// The exponent below the knee; 0 but for [`Mode::Doublexp`].
    pub before: f64,
}

/// fooof's `_ap_percentile_thresh`, on a scale of 0 to 100: in practice the bins at or below the first line.
const LOW_PERCENTILE: f64 = 0.025;

/// Fits lines to spectra of one grid.
#[derive(Debug)]
pub(super) struct Aperiodic {
    mode: Mode,
    log10_freqs: Vec<f64>,
    /// Bins of one fit, gathered: log10 f and log10 power.
    xs: Vec<f64>,
    ys: Vec<f64>,
    knee: knee::Workspace,
}

impl Aperiodic {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            mode,
            log10_freqs: Vec::new(),
            xs: Vec::new(),
            ys: Vec::new(),
            knee: knee::Workspace::default(),
        }
    }

    pub(super) fn prepare(&mut self, freqs_hz: &[f64]) {
        self.log10_freqs.clear();
        self.log10_freqs.extend(freqs_hz.iter().map(|f| f.log10()));
        let bins = freqs_hz.len();
        self.xs = Vec::with_capacity(bins);
        self.ys = Vec::with_capacity(bins);
        if self.mode == Mode::Knee {
            self.knee.prepare(bins);
        }
    }

    /// Through every bin of `log_power`. `whole` is the spectrum with its peaks: its ends give the first guess
    /// of the exponent.
    #[inline(always)]
    pub(super) fn fit_all(
        &mut self,
        log_power: &[f64],
        kept: &[bool],
        whole: &[f64],
    ) -> Result<Line, Reason> {
        self.gather(log_power, kept, |_| true);
        let ends = (whole.first(), whole.last(), self.log10_freqs.first(), self.log10_freqs.last());
        let (Some(first), Some(last), Some(low), Some(high)) = ends else { return Err(Reason::BadSpectrum) };
        let guess = Line {
            offset: log_power.first().copied().unwrap_or(0.0),
            knee: 0.0,
            before: 0.0,
            exponent: ((last - first) / (high - low)).abs(),
        };
        self.solve(guess)
    }

    /// Through the bins at or below the line that left `residual`, or at the lowest percentile above it.
    #[inline(always)]
    pub(super) fn fit_low(
        &mut self,
        log_power: &[f64],
        kept: &[bool],
        residual: &[f64],
        guess: Line,
    ) -> Result<Line, Reason> {
        let threshold = low_percentile(residual, kept);
        self.gather(log_power, kept, |at| residual.get(at).is_some_and(|r| r.max(0.0) <= threshold));
        self.solve(guess)
    }

    #[inline(always)]
    fn gather(&mut self, log_power: &[f64], kept: &[bool], chosen: impl Fn(usize) -> bool) {
        self.xs.clear();
        self.ys.clear();
        for (at, ((&x, &y), &kept)) in self.log10_freqs.iter().zip(log_power).zip(kept).enumerate() {
            if kept && chosen(at) {
                self.xs.push(x);
                self.ys.push(y);
            }
        }
    }

    #[inline(always)]
    fn solve(&mut self, guess: Line) -> Result<Line, Reason> {
        match self.mode {
            Mode::Fixed => straight(&self.xs, &self.ys).ok_or(Reason::NotConverged),
            Mode::Knee => self.knee.fit(&self.xs, &self.ys, guess).ok_or(Reason::NotConverged),
            Mode::Doublexp => double::fit(&self.xs, &self.ys).ok_or(Reason::NotConverged),
        }
    }

    /// log10 power of the line at bin `at`'s log10 frequency.
    #[inline(always)]
    fn value(&self, line: Line, log10_freq: f64) -> f64 {
        match self.mode {
            Mode::Fixed => line.offset - line.exponent * log10_freq,
            Mode::Knee | Mode::Doublexp => {
                let bend = log10(line.knee + exp(line.exponent * log10_freq * std::f64::consts::LN_10));
                line.offset - line.before * log10_freq - bend
            }
        }
    }

    #[inline(always)]
    pub(super) fn evaluate(&self, line: Line, out: &mut [f64]) {
        for (out, &x) in out.iter_mut().zip(&self.log10_freqs) {
            *out = self.value(line, x);
        }
    }

    #[inline(always)]
    pub(super) fn subtract(&self, line: Line, log_power: &[f64], out: &mut [f64]) {
        for ((out, &y), &x) in out.iter_mut().zip(log_power).zip(&self.log10_freqs) {
            *out = y - self.value(line, x);
        }
    }
}

/// Ordinary least squares. `None` where there are too few bins.
#[inline(always)]
fn straight(xs: &[f64], ys: &[f64]) -> Option<Line> {
    if xs.len() < 2 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "bins are few")]
    let n = xs.len() as f64;
    let mean_x = xs.iter().sum::<f64>() / n;
    let mean_y = ys.iter().sum::<f64>() / n;
    let (mut xx, mut xy) = (0.0, 0.0);
    for (x, y) in xs.iter().zip(ys) {
        xx += (x - mean_x) * (x - mean_x);
        xy += (x - mean_x) * (y - mean_y);
    }
    let slope = xy / xx;
    slope.is_finite().then_some(Line { offset: mean_y - slope * mean_x, exponent: -slope, ..Line::default() })
}

/// numpy's `percentile` (linear) at [`LOW_PERCENTILE`] of the residuals, negative ones taken for 0. The rank
/// lies between the smallest value and the next for up to 4,000 bins, so only those are found.
#[inline(always)]
fn low_percentile(residual: &[f64], kept: &[bool]) -> f64 {
    let (mut smallest, mut second, mut count) = (f64::INFINITY, f64::INFINITY, 0_u32);
    for (&value, _) in residual.iter().zip(kept).filter(|(_, kept)| **kept) {
        let value = value.max(0.0);
        count += 1;
        if value < smallest {
            second = smallest;
            smallest = value;
        } else if value < second {
            second = value;
        }
    }
    let rank = LOW_PERCENTILE / 100.0 * f64::from(count.saturating_sub(1));
    if second.is_finite() { smallest + rank.min(1.0) * (second - smallest) } else { smallest }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_straight_line_is_found_exactly() {
        let mut aperiodic = Aperiodic::new(Mode::Fixed);
        let freqs: Vec<f64> = (4..=70).map(|k| f64::from(k) * 0.5).collect();
        aperiodic.prepare(&freqs);
        let power: Vec<f64> = freqs.iter().map(|f| 0.7 - 1.3 * f.log10()).collect();
        let line = aperiodic.fit_all(&power, &vec![true; freqs.len()], &power).unwrap();
        assert!((line.exponent - 1.3).abs() < 1e-12 && (line.offset - 0.7).abs() < 1e-12);
    }

    #[test]
    fn the_low_fit_ignores_bins_above_the_line() {
        let mut aperiodic = Aperiodic::new(Mode::Fixed);
        let freqs: Vec<f64> = (4..=70).map(|k| f64::from(k) * 0.5).collect();
        aperiodic.prepare(&freqs);
        let power: Vec<f64> = freqs
            .iter()
            .map(|f| 0.7 - 1.3 * f.log10() + if (9.0..11.0).contains(f) { 1.0 } else { 0.0 })
            .collect();
        let kept = vec![true; freqs.len()];
        let first = aperiodic.fit_all(&power, &kept, &power).unwrap();
        let mut residual = vec![0.0; freqs.len()];
        aperiodic.subtract(first, &power, &mut residual);
        let low = aperiodic.fit_low(&power, &kept, &residual, first).unwrap();
        assert!((low.exponent - 1.3).abs() < 1e-9, "{low:?} after {first:?}");
    }

    #[test]
    fn a_percentile_lies_between_the_two_smallest() {
        // np.percentile([0.3, 0.1, 0.2, 0.4, 0.5], 0.025) = 0.1001
        let value = low_percentile(&[0.3, 0.1, 0.2, 0.4, 0.5], &[true; 5]);
        assert!((value - 0.1001).abs() < 1e-12, "{value}");
    }

    #[test]
    fn a_single_bin_is_no_line() {
        assert_eq!(straight(&[1.0], &[1.0]), None);
        assert_eq!(straight(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}

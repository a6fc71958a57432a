//! Finds candidate peaks in a flattened spectrum (log10 power minus the aperiodic line).
//!
//! This is specparam's greedy search: take the maximum, guess a Gaussian from its half height, subtract it,
//! repeat; then drop guesses at the edges of the range and the lower of two that overlap. The guesses start
//! the joint fit in [`crate::specparam`].

use crate::lanes::exp;

/// A Gaussian in log10 power over frequency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gaussian {
    /// Centre in Hz.
    pub centre_hz: f64,
    /// Height in log10 power.
    pub height_log10: f64,
    /// Standard deviation in Hz.
    pub sigma_hz: f64,
}

impl Gaussian {
    /// Its value at `freq_hz`, in log10 power.
    #[must_use]
    pub fn at(&self, freq_hz: f64) -> f64 {
        let u = (freq_hz - self.centre_hz) / self.sigma_hz;
        self.height_log10 * (-0.5 * u * u).exp()
    }
}

/// When the search stops, and how wide a guess may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchLimits {
    /// The most guesses.
    pub max_n_peaks: usize,
    /// A peak must be higher than this, in log10 power.
    pub min_peak_height: f64,
    /// A peak must be higher than this times the standard deviation of what is left of the flat spectrum.
    pub peak_threshold: f64,
    /// Smallest and largest standard deviation of a guess, in Hz.
    pub sigma_limits_hz: (f64, f64),
}

/// Guesses whose centre lies within this many standard deviations of an end of the range are dropped.
const EDGE_SIGMAS: f64 = 1.0;
/// Two guesses overlap where their centres, each give or take this many standard deviations, do.
const OVERLAP_SIGMAS: f64 = 0.75;

/// Searches `flat` (log10 power above the line at `freqs_hz`, evenly spaced) and fills `guesses`, by frequency.
///
/// `kept` tells which bins count; the others (line noise) must hold an interpolated value: they cannot be a
/// peak's maximum and are left out of the standard deviation. `flat` is consumed: the guesses are subtracted.
/// `unit` is scratch of the same length. At most the capacity of `guesses` are found, so that nothing allocates.
#[inline(always)]
pub fn search(
    freqs_hz: &[f64],
    flat: &mut [f64],
    kept: &[bool],
    limits: &SearchLimits,
    unit: &mut [f64],
    guesses: &mut Vec<Gaussian>,
) {
    guesses.clear();
    let (Some(&first_hz), Some(&last_hz), Some(&second_hz)) =
        (freqs_hz.first(), freqs_hz.last(), freqs_hz.get(1))
    else {
        return;
    };
    let step_hz = second_hz - first_hz;
    let most = limits.max_n_peaks.min(guesses.capacity());
    let (narrow_hz, wide_hz) = limits.sigma_limits_hz;
    while guesses.len() < most {
        let Some((top, height)) = maximum(flat, kept) else { break };
        if height <= limits.peak_threshold * standard_deviation(flat, kept)
            || height <= limits.min_peak_height
        {
            break;
        }
        // The left search stops short of the first bin, as in fooof 1.1.1.
        let below = |value: &f64| *value <= 0.5 * height;
        let left = flat.get(1..top).and_then(|side| side.iter().rev().position(below));
        let right = flat.get(top + 1..).and_then(|side| side.iter().position(below));
        let side_bins = match (left, right) {
            (Some(l), Some(r)) => Some(l.min(r) + 1),
            (one, other) => one.or(other).map(|n| n + 1),
        };
        #[expect(clippy::cast_precision_loss, reason = "bins are few")]
        let sigma_hz = match side_bins {
            Some(bins) => bins as f64 * 2.0 * step_hz / (2.0 * (2.0 * std::f64::consts::LN_2).sqrt()),
            // The limits are sigmas; the mean of the width limits is twice their mean.
            None => narrow_hz + wide_hz,
        };
        let guess = Gaussian {
            centre_hz: freqs_hz.get(top).copied().unwrap_or(first_hz),
            height_log10: height,
            sigma_hz: sigma_hz.max(narrow_hz).min(wide_hz),
        };
        let (from, to) = gaussian_into(first_hz, step_hz, guess.centre_hz, guess.sigma_hz, unit);
        for (value, unit) in flat.iter_mut().zip(&*unit).skip(from).take(to - from) {
            *value -= height * unit;
        }
        guesses.push(guess);
    }
    guesses.retain(|guess| {
        let edge_hz = EDGE_SIGMAS * guess.sigma_hz;
        (guess.centre_hz - first_hz).abs() > edge_hz && (guess.centre_hz - last_hz).abs() > edge_hz
    });
    drop_overlapping(guesses);
}

/// Sorts by frequency and drops the lower of each two neighbours that overlap. A guess that is dropped still
/// counts against its other neighbour, as in fooof 1.1.1.
fn drop_overlapping(guesses: &mut Vec<Gaussian>) {
    // Insertion sort: stable without allocating. Guesses are few.
    for end in 1..guesses.len() {
        let mut at = end;
        while at > 0 && matches!(guesses.get(at - 1..=at), Some([a, b]) if a.centre_hz > b.centre_hz) {
            guesses.swap(at - 1, at);
            at -= 1;
        }
    }
    let loses = |a: &Gaussian, b: &Gaussian| {
        a.centre_hz + OVERLAP_SIGMAS * a.sigma_hz > b.centre_hz - OVERLAP_SIGMAS * b.sigma_hz
    };
    let mut previous: Option<Gaussian> = None;
    let mut kept = 0;
    for at in 0..guesses.len() {
        let Some(&guess) = guesses.get(at) else { break };
        let next = guesses.get(at + 1).copied();
        // Of two of one height the left one is dropped.
        let by_left =
            previous.is_some_and(|left| loses(&left, &guess) && guess.height_log10 < left.height_log10);
        let by_right =
            next.is_some_and(|right| loses(&guess, &right) && guess.height_log10 <= right.height_log10);
        previous = Some(guess);
        if !(by_left || by_right) {
            if let Some(slot) = guesses.get_mut(kept) {
                *slot = guess;
            }
            kept += 1;
        }
    }
    guesses.truncate(kept);
}

/// A Gaussian is cut off beyond so many standard deviations, at 1e-13 of its height: far under what a fit can tell.
pub(crate) const REACH_SIGMAS: f64 = 7.74;

/// Fills `out` with exp(-u^2/2), u = (f - centre) / sigma, where it is not negligible, and returns where that is.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped by the cast and by min")]
fn gaussian_into(
    first_hz: f64,
    step_hz: f64,
    centre_hz: f64,
    sigma_hz: f64,
    out: &mut [f64],
) -> (usize, usize) {
    let reach_hz = REACH_SIGMAS * sigma_hz;
    let bin = |hz: f64| (hz - first_hz) / step_hz;
    let from = (bin(centre_hz - reach_hz).ceil() as usize).min(out.len());
    let to = ((bin(centre_hz + reach_hz) + 1.0) as usize).min(out.len()).max(from);
    let per_sigma = 1.0 / sigma_hz;
    for (bin, slot) in (0_u32..).zip(out.iter_mut()).skip(from).take(to - from) {
        let u = (first_hz + f64::from(bin) * step_hz - centre_hz) * per_sigma;
        *slot = exp(-0.5 * u * u);
    }
    (from, to)
}

/// The first of the highest bins that count.
#[inline(always)]
fn maximum(flat: &[f64], kept: &[bool]) -> Option<(usize, f64)> {
    let mut best: Option<(usize, f64)> = None;
    for (at, (&value, &counts)) in flat.iter().zip(kept).enumerate() {
        if counts && best.is_none_or(|(_, top)| value > top) {
            best = Some((at, value));
        }
    }
    best
}

/// Population standard deviation of the bins that count.
#[inline(always)]
fn standard_deviation(flat: &[f64], kept: &[bool]) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (&value, &counts) in flat.iter().zip(kept) {
        if counts {
            sum += value;
            count += 1.0;
        }
    }
    let mean = sum / count;
    let mut squares = 0.0;
    for (&value, &counts) in flat.iter().zip(kept) {
        if counts {
            squares += (value - mean) * (value - mean);
        }
    }
    (squares / count).sqrt()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    fn limits() -> SearchLimits {
        SearchLimits {
            max_n_peaks: 12,
            min_peak_height: 0.05,
            peak_threshold: 2.0,
            sigma_limits_hz: (0.5, 4.0),
        }
    }

    fn find(truth: &[Gaussian], kept: impl Fn(f64) -> bool) -> Vec<Gaussian> {
        let freqs: Vec<f64> = (4..=70).map(|k| f64::from(k) * 0.5).collect();
        let mut flat: Vec<f64> = freqs.iter().map(|&f| truth.iter().map(|g| g.at(f)).sum()).collect();
        let kept: Vec<bool> = freqs.iter().map(|&f| kept(f)).collect();
        let mut guesses = Vec::with_capacity(32);
        search(&freqs, &mut flat, &kept, &limits(), &mut vec![0.0; freqs.len()], &mut guesses);
        guesses
    }

    fn gaussian(centre_hz: f64, height_log10: f64, sigma_hz: f64) -> Gaussian {
        Gaussian { centre_hz, height_log10, sigma_hz }
    }

    #[test]
    fn a_gaussian_is_one_to_where_it_is_negligible() {
        let mut out = vec![0.0; 111];
        for (centre_hz, sigma_hz) in [(10.0, 0.5), (2.1, 4.0), (55.0, 6.0), (30.26, 0.25)] {
            let (from, to) = gaussian_into(0.5, 0.5, centre_hz, sigma_hz, &mut out);
            for (bin, value) in out.iter().enumerate() {
                let u = (0.5 + bin as f64 * 0.5 - centre_hz) / sigma_hz;
                let exact = (-0.5 * u * u).exp();
                if (from..to).contains(&bin) {
                    assert!((value / exact - 1.0).abs() < 1e-11, "{bin} {value} {exact}");
                } else {
                    assert!(exact < 1.1e-13);
                }
            }
        }
    }

    #[test]
    fn two_separate_peaks_are_found_in_order_of_frequency() {
        let found = find(&[gaussian(20.0, 0.4, 1.5), gaussian(10.0, 0.9, 1.0)], |_| true);
        assert!((found[0].centre_hz - 10.0).abs() < 0.51 && (found[0].height_log10 - 0.9).abs() < 0.01);
        assert!(found.iter().any(|g| (g.centre_hz - 20.0).abs() < 0.51), "{found:?}");
    }

    #[test]
    fn a_peak_on_the_edge_is_dropped() {
        assert!(find(&[gaussian(2.5, 0.9, 1.0)], |_| true).iter().all(|g| g.centre_hz > 3.0));
    }

    #[test]
    fn of_two_that_overlap_the_higher_stays() {
        let mut both = vec![gaussian(10.0, 0.5, 2.0), gaussian(11.0, 0.9, 2.0), gaussian(20.0, 0.2, 1.0)];
        drop_overlapping(&mut both);
        assert_eq!(both, [gaussian(11.0, 0.9, 2.0), gaussian(20.0, 0.2, 1.0)]);
    }

    #[test]
    fn the_middle_of_three_may_take_both_neighbours_with_it() {
        let mut three = vec![gaussian(9.0, 0.3, 2.0), gaussian(10.0, 0.5, 2.0), gaussian(11.0, 0.9, 2.0)];
        drop_overlapping(&mut three);
        assert_eq!(three, [gaussian(11.0, 0.9, 2.0)]);
    }

    #[test]
    fn a_left_out_bin_is_never_a_peak() {
        let found = find(&[gaussian(16.0, 1.5, 0.2)], |f| (f - 16.0).abs() > 0.6);
        assert!(found.iter().all(|g| (g.centre_hz - 16.0).abs() > 0.6), "{found:?}");
    }
}

//! Capacity from session 1, and the pair of loads that session 2 should use.
//!
//! K is the load up to which every item is in memory: the share of answers that are no guesses (two-part mixture)
//! is min(1, K / load), fitted over the loads by least squares with each load's own precision. The study pairs one
//! load below with one above the capacity: 3/5 for about 4, 4/6 for about 5, 5/7 for about 6. Its exact rule is
//! unpublished, so this is a proposal with its reason, not a verdict.

use crate::quantile::{interval_95, sd};

/// The pairs of the study, low load first.
pub const PAIRS: [(u32, u32); 3] = [(3, 5), (4, 6), (5, 7)];

/// What one load contributes.
#[derive(Clone, Debug, PartialEq)]
pub struct AtLoad {
    /// Items.
    pub load: u32,
    /// Share of guesses.
    pub p_guess: f64,
    /// The same of every resample.
    pub p_guess_draws: Vec<f64>,
}

/// The proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Estimated capacity, items.
    pub k: f64,
    /// Its bootstrap interval, 95 %.
    pub k_ci: Option<[f64; 2]>,
    /// The pair of loads.
    pub pair: (u32, u32),
    /// How often each of [`PAIRS`] was proposed among the resamples.
    pub pair_shares: [f64; 3],
    /// Why, in words.
    pub reason: String,
}

/// Proposes a pair of loads.
///
/// # Errors
/// Says what is missing: two loads or more of which one is 4 or above, each with scored responses.
pub fn propose(loads: &[AtLoad]) -> Result<Proposal, String> {
    let largest = loads.iter().map(|l| l.load).max().unwrap_or(0);
    if loads.len() < 2 || largest < 4 || loads.iter().any(|l| l.load == 0 || !l.p_guess.is_finite()) {
        let told: Vec<String> = loads.iter().map(|l| l.load.to_string()).collect();
        return Err(format!(
            "capacity needs two loads or more, one of them 4 or above, with responses; there is {}",
            if told.is_empty() { "none".into() } else { told.join(", ") }
        ));
    }
    let weights: Vec<f64> = loads
        .iter()
        .map(|l| {
            let error = sd(&l.p_guess_draws);
            // Shares at a bound hardly scatter; that is no certainty.
            1.0 / if error.is_finite() { error.max(0.03) } else { 0.1 }.powi(2)
        })
        .collect();
    let points: Vec<f64> = loads.iter().map(|l| 1.0 - l.p_guess).collect();
    let ceiling = f64::from(largest);
    let k = fit(loads, &points, &weights, ceiling);
    let draws = loads.iter().map(|l| l.p_guess_draws.len()).min().unwrap_or(0);
    let ks: Vec<f64> = (0..draws)
        .map(|draw| {
            let points: Vec<f64> =
                loads.iter().map(|l| 1.0 - l.p_guess_draws.get(draw).copied().unwrap_or(f64::NAN)).collect();
            fit(loads, &points, &weights, ceiling)
        })
        .collect();
    let chosen = pair_of(k);
    let mut pair_shares = [0.0; 3];
    for k in &ks {
        for (share, pair) in pair_shares.iter_mut().zip(PAIRS) {
            *share += f64::from(u8::from(pair_of(*k) == pair)) / draws as f64;
        }
    }
    let k_ci = interval_95(&ks);
    Ok(Proposal { k, k_ci, pair: chosen, pair_shares, reason: reason(k, k_ci, chosen, pair_shares, largest) })
}

fn reason(k: f64, ci: Option<[f64; 2]>, (low, high): (u32, u32), shares: [f64; 3], largest: u32) -> String {
    let between = ci.map_or(String::new(), |[a, b]| format!(" (95 % {a:.1} to {b:.1})"));
    let place = if k >= f64::from(largest) - 0.01 {
        format!(
            "at or above the largest load of {largest}, which shows no limit: add a larger load to be sure"
        )
    } else if k < 3.5 {
        "at or below the lowest pair".into()
    } else {
        format!("nearest to {}, between {low} and {high}", (low + high) / 2)
    };
    let sure = PAIRS.iter().zip(shares).map(|((a, b), s)| format!("{a}/{b} {:.0} %", 100.0 * s));
    let sure = sure.collect::<Vec<_>>().join(", ");
    format!("capacity {k:.2} items{between} is {place}; of the resamples {sure}")
}

/// The pair whose middle is nearest to `k`.
fn pair_of(k: f64) -> (u32, u32) {
    let [low, middle, high] = PAIRS;
    if k < 4.5 {
        low
    } else if k < 5.5 {
        middle
    } else {
        high
    }
}

/// The capacity between 0.5 and `ceiling` whose shares are nearest, by hundredths.
fn fit(loads: &[AtLoad], points: &[f64], weights: &[f64], ceiling: f64) -> f64 {
    let misfit = |k: f64| -> f64 {
        loads
            .iter()
            .zip(points)
            .zip(weights)
            .map(|((l, p), w)| w * (p - (k / f64::from(l.load)).min(1.0)).powi(2))
            .sum()
    };
    let mut best = (f64::INFINITY, f64::NAN);
    let mut k = 0.5;
    while k <= ceiling + 1e-9 {
        let off = misfit(k);
        // At the plateau above the largest load all are alike: the first is kept.
        if off < best.0 - 1e-12 {
            best = (off, k);
        }
        k += 0.01;
    }
    best.1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::stream::Streams;

    fn observer(k: f64, noise: f64) -> Vec<AtLoad> {
        (3..=6)
            .map(|load| {
                let mut stream = Streams::new(u64::from(load), &["capacity"]).replicate(0);
                let p_guess = 1.0 - (k / f64::from(load)).min(1.0);
                let draws = (0..400).map(|_| (p_guess + noise * stream.normal()).clamp(0.0, 1.0)).collect();
                AtLoad { load, p_guess, p_guess_draws: draws }
            })
            .collect()
    }

    #[test]
    fn each_pair_is_proposed_for_its_capacity() {
        for (k, pair) in [(2.5, (3, 5)), (4.0, (3, 5)), (5.0, (4, 6)), (5.7, (5, 7)), (9.0, (5, 7))] {
            let p = propose(&observer(k, 0.03)).unwrap();
            assert_eq!(p.pair, pair, "{k}: {p:?}");
            assert!((p.k - k.min(6.0)).abs() < 0.02, "{k}: {p:?}");
            assert!((p.pair_shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        assert!(propose(&observer(9.0, 0.0)).unwrap().reason.contains("no limit"));
        assert!(propose(&observer(2.5, 0.0)).unwrap().reason.contains("at or below"));
    }

    #[test]
    fn near_a_border_the_uncertainty_is_told() {
        let p = propose(&observer(4.5, 0.05)).unwrap();
        assert!(p.pair_shares[0] > 0.25 && p.pair_shares[1] > 0.25, "{p:?}");
        let [low, high] = p.k_ci.unwrap();
        assert!(low < 4.5 && high > 4.5 && p.reason.contains("3/5"), "{p:?}");
    }

    #[test]
    fn too_little_is_refused() {
        let loads = observer(4.0, 0.0);
        assert!(propose(&loads[..1]).unwrap_err().contains("there is 3"));
        assert!(propose(&[]).unwrap_err().contains("none"));
        let small: Vec<AtLoad> =
            loads.into_iter().map(|l| AtLoad { load: l.load - 2, ..l }).take(2).collect();
        assert!(propose(&small).is_err());
    }
}

//! Whether missing responses alone could fake an effect: their rates compared between conditions and loads.
//!
//! Filling missing responses at random lowers d' (10 % missing at a d' of 2: to about 1.67), so cells that miss
//! more look worse. A difference that chance explains poorly, or that is large, is told.

/// How many are missing of how many, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The condition, or the load.
    pub name: String,
    /// Trials.
    pub n: usize,
    /// Trials without a response.
    pub missing: usize,
}

impl Rate {
    fn share(&self) -> f64 {
        self.missing as f64 / self.n.max(1) as f64
    }
}

/// A difference of this share moves d' by about a tenth.
const LARGE: f64 = 0.05;
/// Below this share a difference does not matter, however sure it is.
const SMALL: f64 = 0.01;

/// Compares the highest and the lowest rate; a sentence where they differ by more than chance (about 5 %) or by
/// more than five percentage points.
#[must_use]
pub fn difference(what: &str, rates: &[Rate]) -> Option<String> {
    let counted = || rates.iter().filter(|r| r.n > 0);
    let most = counted().max_by(|a, b| a.share().total_cmp(&b.share()))?;
    let least = counted().min_by(|a, b| a.share().total_cmp(&b.share()))?;
    let by = most.share() - least.share();
    // Agresti and Caffo: one missing and one given added to each side keep small counts honest.
    let (p, q) = (softened(most), softened(least));
    let error = (p * (1.0 - p) / (most.n as f64 + 2.0) + q * (1.0 - q) / (least.n as f64 + 2.0)).sqrt();
    if by < SMALL || (by < LARGE && p - q < 1.96 * error) {
        return None;
    }
    let told = |r: &Rate| format!("{} {:.1} % ({} of {})", r.name, 100.0 * r.share(), r.missing, r.n);
    Some(format!(
        "missing responses differ between {what}: {}, {}; filled at random this alone lowers d' where more are \
         missing: compare the observed-only d' as well",
        told(most),
        told(least)
    ))
}

fn softened(rate: &Rate) -> f64 {
    (rate.missing as f64 + 1.0) / (rate.n as f64 + 2.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn rates(counts: &[(usize, usize)]) -> Vec<Rate> {
        let names = ["steep", "flat", "sham"];
        counts
            .iter()
            .zip(names)
            .map(|((missing, n), name)| Rate { name: name.into(), n: *n, missing: *missing })
            .collect()
    }

    #[test]
    fn a_real_difference_is_told_with_its_counts() {
        let told = difference("conditions", &rates(&[(12, 120), (2, 120), (3, 120)])).unwrap();
        assert!(
            told.contains("between conditions: steep 10.0 % (12 of 120), flat 1.7 % (2 of 120)"),
            "{told}"
        );
        // Sure, though below five points.
        assert!(difference("loads", &rates(&[(80, 2_000), (20, 2_000)])).is_some());
        // Large, though not sure.
        assert!(difference("loads", &rates(&[(2, 20), (0, 20)])).is_some());
    }

    #[test]
    fn what_chance_does_is_not_told() {
        assert_eq!(difference("conditions", &rates(&[(4, 120), (2, 120), (3, 120)])), None);
        assert_eq!(difference("conditions", &rates(&[(0, 0), (0, 50)])), None);
        assert_eq!(difference("conditions", &[]), None);
    }
}

//! Simulated observers: errors drawn from the target confusability model itself.

use crate::angle::{DISTANCES, directions};
use crate::kernel::Kernel;
use crate::stream::Stream;
use crate::tcc::{Quadrature, density};

/// An observer with one d'.
#[derive(Clone, Debug)]
pub struct Observer {
    cumulative: Vec<f64>,
}

impl Observer {
    /// An observer whose errors follow the model at `d_prime`.
    #[must_use]
    pub fn new(kernel: &Kernel, d_prime: f64) -> Self {
        let mut sum = 0.0;
        let cumulative = density(kernel, d_prime.max(0.0), Quadrature::Exact)
            .iter()
            .zip(0..DISTANCES)
            .map(|(p, d)| {
                sum += p * directions(d);
                sum
            })
            .collect();
        Self { cumulative }
    }

    /// One error in whole degrees, -179 to 180.
    pub fn error_deg(&self, stream: &mut Stream) -> f64 {
        let u = stream.unit();
        let distance = self.cumulative.partition_point(|c| *c < u).min(DISTANCES - 1) as f64;
        if distance < 180.0 && stream.unit() < 0.5 { -distance } else { distance }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dprime::{LogTable, count};
    use crate::quantile::{mean, sd};
    use crate::stream::Streams;

    /// True d', trials, SD of the estimate as it is known.
    const KNOWN: [(f64, usize, f64); 9] = [
        (1.0, 50, 0.144),
        (2.0, 50, 0.216),
        (3.0, 50, 0.409),
        (1.0, 100, 0.104),
        (2.0, 100, 0.145),
        (3.0, 100, 0.267),
        (1.0, 200, 0.078),
        (2.0, 200, 0.107),
        (3.0, 200, 0.192),
    ];

    #[test]
    fn d_prime_is_recovered_with_the_known_precision() {
        let kernel = Kernel::named("naka35").unwrap();
        let table = LogTable::new(kernel.clone(), Quadrature::Exact);
        for (d_prime, trials, known_sd) in KNOWN {
            let observer = Observer::new(&kernel, d_prime);
            let streams = Streams::new(12, &["recovery"]);
            let found: Vec<(f64, f64)> = (0..2_000)
                .map(|k| {
                    let mut stream = streams.replicate(k);
                    let fit =
                        table.fit(&count((0..trials).map(|_| observer.error_deg(&mut stream)))).unwrap();
                    (fit.d_prime, fit.corrected)
                })
                .collect();
            let corrected = mean(&found.iter().map(|f| f.1).collect::<Vec<_>>()) - d_prime;
            let found: Vec<f64> = found.iter().map(|f| f.0).collect();
            let (bias, spread) = (mean(&found) - d_prime, sd(&found));
            println!(
                "{d_prime} {trials}: bias {bias:.4} corrected {corrected:.4} sd {spread:.4} known {known_sd}"
            );
            assert!((spread / known_sd - 1.0).abs() < 0.1, "d' {d_prime}, {trials} trials: sd {spread}");
            assert!(corrected.abs() < 0.03, "d' {d_prime}, {trials} trials: bias {corrected}");
            // The likelihood's own bias at a large d' by few trials is 0.076.
            let most = if (d_prime, trials) == (3.0, 50) { 0.1 } else { 0.05 };
            assert!(bias.abs() < most, "d' {d_prime}, {trials} trials: bias {bias}");
        }
    }

    #[test]
    fn filling_missing_responses_at_random_biases_as_known() {
        // True d', share missing in per cent, mean of the filled estimate (n = 100).
        let known = [
            (1.5, 2, 1.45),
            (1.5, 20, 1.17),
            (2.0, 5, 1.84),
            (2.0, 10, 1.65),
            (2.5, 10, 1.92),
            (2.5, 20, 1.62),
        ];
        let kernel = Kernel::named("naka35").unwrap();
        let table = LogTable::new(kernel.clone(), Quadrature::Exact);
        for (d_prime, percent, filled) in known {
            let observer = Observer::new(&kernel, d_prime);
            let streams = Streams::new(3, &["missing"]);
            let fits: Vec<(f64, f64)> = (0..1_000)
                .map(|k| {
                    let mut stream = streams.replicate(k);
                    let seen: Vec<f64> = (percent..100).map(|_| observer.error_deg(&mut stream)).collect();
                    let guesses: Vec<f64> = (0..percent).map(|_| 360.0 * stream.unit()).collect();
                    let fit = |errors: &[f64]| table.fit(&count(errors.iter().copied())).unwrap().d_prime;
                    (fit(&seen), fit(&[seen.clone(), guesses].concat()))
                })
                .collect();
            let observed = mean(&fits.iter().map(|f| f.0).collect::<Vec<_>>());
            let with = mean(&fits.iter().map(|f| f.1).collect::<Vec<_>>());
            println!("{d_prime} {percent} %: observed {observed:.3} filled {with:.3} known {filled}");
            // Known from simulations with an error of some hundredths.
            assert!((with - filled).abs() < 0.06, "{d_prime} at {percent} %: {with}");
            assert!((observed - d_prime).abs() < 0.06, "{d_prime} at {percent} %: {observed}");
        }
    }
}

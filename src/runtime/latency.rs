//! From the last sample of a window in the ring to its decision queued for the device: a histogram.

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency told apart, in ns: 60 s. Longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// A histogram of durations with two significant digits, allocated once.
pub struct Latency(Histogram<u64>);

/// The figures of a histogram, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LatencyUs {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Longest.
    pub max: f64,
}

impl Latency {
    /// An empty histogram.
    ///
    /// # Panics
    /// Never: the bounds are constant and valid.
    #[must_use]
    #[allow(clippy::expect_used, reason = "constant arguments, covered by the test")]
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds"))
    }

    /// Counts a duration. A negative one counts as 0.
    pub fn record_s(&mut self, duration_s: f64) {
        self.0.saturating_record((duration_s.max(0.0) * 1e9) as u64);
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Percentiles, 0 where nothing was counted.
    #[must_use]
    pub fn summary(&self) -> LatencyUs {
        let us = |ns: u64| ns as f64 / 1e3;
        LatencyUs {
            p50: us(self.0.value_at_quantile(0.5)),
            p99: us(self.0.value_at_quantile(0.99)),
            p999: us(self.0.value_at_quantile(0.999)),
            max: us(self.0.max()),
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_set() {
        let mut latency = Latency::new();
        for us in 1..=1000 {
            latency.record_s(f64::from(us) * 1e-6);
        }
        let got = latency.summary();
        for (got, want) in [(got.p50, 500.0), (got.p99, 990.0), (got.p999, 999.0), (got.max, 1000.0)] {
            assert!((got / want - 1.0).abs() < 0.01, "{got} for {want}");
        }
        latency.record_s(f64::INFINITY);
        latency.record_s(-1.0);
        assert_eq!(latency.count(), 1002);
    }
}

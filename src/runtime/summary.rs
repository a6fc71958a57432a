//! What a run amounts to: one JSON object as the last line of standard output, or a few lines for people.

use std::path::PathBuf;

use serde::Serialize;

use super::{ended::EndedBy, latency::LatencyUs};
use crate::estimator::Estimate;

/// The closing summary of `run`, `demo` and `monitor`. Names and units are a contract for scripts.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Samples that came from the stream.
    pub samples_received: u64,
    /// Samples known to be missing: lost on the way, or dropped because our ring was full.
    pub samples_lost: u64,
    /// Places where samples are missing, and returns of the stream.
    pub gaps: u64,
    /// The rate that the stream says of itself, in Hz.
    pub rate_nominal_hz: f64,
    /// The rate that its stamps show, in Hz; `null` until it is known.
    pub rate_measured_hz: Option<f64>,
    /// Frames with at least one spoilt channel.
    pub frames_spoilt: u64,
    /// Estimates of the steering region.
    pub estimates: u64,
    /// Those that are valid.
    pub estimates_valid: u64,
    /// Those that are valid and taken without current.
    pub estimates_clean: u64,
    /// Mean exponent of the valid, clean estimates; `null` without any.
    pub exponent_mean: Option<f64>,
    /// Their standard deviation.
    pub exponent_sd: Option<f64>,
    /// The newest decision's stimulation exponent.
    pub stimulation_exponent: Option<f64>,
    /// Decisions taken.
    pub decisions: u64,
    /// Seconds in ramps and at full amplitude.
    pub stimulation_seconds: f64,
    /// RMS of the delivered current over those seconds, in mA.
    pub current_rms_ma: f64,
    /// Largest |current| delivered, in mA.
    pub current_peak_ma: f64,
    /// Largest |mean current| over 10 s, triangular, in uA.
    pub current_dc_ua: f64,
    /// Integral of |current| delivered, in C.
    pub charge_c: f64,
    /// Times that the device's queue ran dry while stimulating.
    pub underruns: u64,
    /// From the last sample of a window in the ring to its decision queued for the stimulate stage. All 0 in
    /// a virtual run.
    pub loop_latency_us: LatencyUs,
    /// The same from that sample's own stamp: the way from the sender, the network and the reading process included,
    /// as true as the stamps are.
    pub stamp_latency_us: LatencyUs,
    /// Frames, current samples and notes that an observer was too slow for.
    pub observations_dropped: u64,
    /// Processor time over the run, in cores.
    pub cpu_cores: f64,
    /// Nobody here may learn a condition: figures of the current are left out (0), and lie within the limits.
    pub blind: bool,
    /// Faults, in words, in their order.
    pub faults: Vec<String>,
    /// What the operator should know: priorities refused, lags, odd settings.
    pub warnings: Vec<String>,
    /// Where the recording is.
    pub record_dir: Option<PathBuf>,
    /// Seconds that the run took, on its own clock.
    pub seconds: f64,
    /// What ended it: `plan`, `seconds`, `operator`, `signal`, `terminal`, `stream`, `fault`.
    pub ended: EndedBy,
    /// Run time in s, and why, where the current ended for good before the run did.
    pub halted: Option<(f64, String)>,
    /// Whether current could have flowed at all.
    pub stimulates: bool,
}

/// Mean and spread, one value at a time (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
pub struct Running {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Running {
    /// Takes a value in.
    pub fn push(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// The mean; `None` of nothing.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then_some(self.mean)
    }

    /// The standard deviation (n - 1); `None` of fewer than two.
    #[must_use]
    pub fn sd(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / (self.count - 1) as f64).sqrt())
    }
}

/// Gathers the estimates of the steering region.
#[derive(Clone, Copy, Debug, Default)]
pub struct EstimateTally {
    count: u64,
    valid: u64,
    clean: u64,
    exponent: Running,
}

impl EstimateTally {
    /// Counts one.
    pub fn push(&mut self, estimate: &Estimate) {
        self.count += 1;
        self.valid += u64::from(estimate.fit.invalid.is_none());
        if estimate.steers() {
            self.clean += 1;
            self.exponent.push(estimate.fit.exponent);
        }
    }

    /// Writes the tally into a summary.
    pub fn fill(&self, summary: &mut Summary) {
        summary.estimates = self.count;
        summary.estimates_valid = self.valid;
        summary.estimates_clean = self.clean;
        summary.exponent_mean = self.exponent.mean();
        summary.exponent_sd = self.exponent.sd();
    }
}

impl Summary {
    /// Leaves out what would tell something of the conditions.
    pub fn hide(&mut self) {
        self.blind = true;
        self.stimulation_exponent = None;
        (self.stimulation_seconds, self.charge_c) = (0.0, 0.0);
        (self.current_rms_ma, self.current_peak_ma, self.current_dc_ua) = (0.0, 0.0, 0.0);
        // Of windows under current, by their number.
        self.estimates = self.estimates_clean;
        self.estimates_valid = self.estimates_clean;
        self.frames_spoilt = 0;
        // A law may decide more often in one condition than in another.
        self.decisions = 0;
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), |x| format!("{x:.3}"));
        writeln!(
            f,
            "EEG         {} samples in {:.1} s, {} Hz ({} Hz measured), {} lost, {} gaps, {} with a spoilt channel",
            self.samples_received,
            self.seconds,
            self.rate_nominal_hz,
            number(self.rate_measured_hz),
            self.samples_lost,
            self.gaps,
            self.frames_spoilt
        )?;
        writeln!(
            f,
            "exponent    {} +- {} over {} clean estimates ({} valid of {})",
            number(self.exponent_mean),
            number(self.exponent_sd),
            self.estimates_clean,
            self.estimates_valid,
            self.estimates
        )?;
        if !self.stimulates {
            // Nothing to tell of a current that could not be.
        } else if self.blind {
            writeln!(f, "current     within its limits; nothing more is told while the session is blind")?;
        } else {
            writeln!(
                f,
                "current     {:.1} s, RMS {:.3} mA, peak {:.3} mA, DC {:.1} uA, charge {:.4} C, exponent {}, {} underruns",
                self.stimulation_seconds,
                self.current_rms_ma,
                self.current_peak_ma,
                self.current_dc_ua,
                self.charge_c,
                number(self.stimulation_exponent),
                self.underruns
            )?;
        }
        let l = &self.loop_latency_us;
        writeln!(
            f,
            "latency     p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, max {:.0} us",
            l.p50, l.p99, l.p999, l.max
        )?;
        let s = &self.stamp_latency_us;
        if s.max > 0.0 {
            writeln!(f, "from stamp  p50 {:.0} us, p99 {:.0} us (sender to decision)", s.p50, s.p99)?;
        }
        if self.observations_dropped > 0 {
            writeln!(f, "dropped     {} observations (screen, disk or outlets too slow)", {
                self.observations_dropped
            })?;
        }
        if let Some((at_s, why)) = &self.halted {
            writeln!(f, "halted      no current began any more from {at_s:.1} s on: {why}")?;
        }
        writeln!(f, "ended       after {:.1} s: {}", self.seconds, self.ended.words())?;
        for warning in &self.warnings {
            writeln!(f, "warning     {warning}")?;
        }
        for fault in &self.faults {
            writeln!(f, "FAULT       {fault}")?;
        }
        match &self.record_dir {
            Some(dir) => write!(f, "recording   {}", dir.display()),
            None => write!(f, "recording   none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_spread_as_by_the_textbook() {
        let mut running = Running::default();
        assert_eq!((running.mean(), running.sd()), (None, None));
        for x in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            running.push(x);
        }
        assert_eq!(running.mean(), Some(5.0));
        assert!(running.sd().is_some_and(|sd| (sd - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12));
    }

    #[test]
    fn scripts_find_every_promised_key() {
        let json = serde_json::to_value(Summary::default()).unwrap_or_default();
        for key in [
            "samples_received",
            "samples_lost",
            "gaps",
            "rate_nominal_hz",
            "rate_measured_hz",
            "estimates",
            "estimates_valid",
            "exponent_mean",
            "exponent_sd",
            "stimulation_seconds",
            "current_rms_ma",
            "current_peak_ma",
            "loop_latency_us",
            "faults",
            "ended",
            "record_dir",
        ] {
            assert!(json.get(key).is_some(), "{key}");
        }
        for key in ["p50", "p99", "p999", "max"] {
            assert!(json.get("loop_latency_us").is_some_and(|l| l.get(key).is_some()), "{key}");
        }
    }
}

//! What has flowed, counted sample by sample: by the limiter for what the host sent, by the summary for what the device
//! delivered. Time with current is time in which the host sends a sample that is not zero: limit, ledger, summary and
//! screen all go by the limiter's count.

/// What has flowed since the session began.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dose {
    /// Samples that were not zero.
    pub active_samples: u64,
    /// Integral of |current| in mC.
    pub total_charge_mc: f64,
    /// Integral of the current since the burst began, in mC.
    pub net_charge_mc: f64,
    /// Sum of the squares of all samples in mA².
    pub sum_squares_ma2: f64,
    /// Largest |current| in mA.
    pub peak_ma: f64,
    /// Largest |triangular 10 s mean| in mA.
    pub dc_peak_ma: f64,
    /// Samples that the slew limit changed.
    pub slewed: u64,
}

impl Dose {
    /// Counts a sample of `current_ma` that lasts 1 / `rate_hz`.
    pub fn push(&mut self, current_ma: f64, rate_hz: f64) {
        self.active_samples += u64::from(current_ma != 0.0);
        self.total_charge_mc += current_ma.abs() / rate_hz;
        self.net_charge_mc += current_ma / rate_hz;
        self.sum_squares_ma2 += current_ma * current_ma;
        self.peak_ma = self.peak_ma.max(current_ma.abs());
    }

    /// Seconds with current.
    #[must_use]
    pub fn active_s(&self, rate_hz: f64) -> f64 {
        self.active_samples as f64 / rate_hz
    }

    /// RMS over the seconds with current, in mA.
    #[must_use]
    pub fn rms_ma(&self) -> f64 {
        (self.sum_squares_ma2 / self.active_samples.max(1) as f64).sqrt()
    }
}

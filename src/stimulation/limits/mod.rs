//! The host's limits: what no command, controller or defect may make it send.
//!
//! In: samples in mA from the noise. Out: samples that obey every limit ([`Limiter`]). The device limits again
//! on its own. [`HostLimits`] holds the numbers, each with a hard limit that no configuration passes.

mod dose;
mod limiter;
mod mean;

pub use dose::Dose;
pub use limiter::{FAULT_RAMP_S, Limit, Limiter, Violation};
pub use mean::{SlowMean, dc_gain};

/// The hard limits: no configuration goes beyond. Sources: the project's table of limits (Bikson 2016, Antal et
/// al., multi-site procedures).
pub mod hard {
    /// Largest |current| in mA.
    pub const PEAK_MA: f64 = 1.0;
    /// Largest |mean over 10 s| in mA.
    pub const DC_MA: f64 = 0.020;
    /// Largest change in mA/ms.
    pub const SLEW_MA_PER_MS: f64 = 0.5;
    /// Largest |integral of the current| since a burst began, in mC.
    pub const NET_CHARGE_MC: f64 = 1.0;
    /// Largest integral of |current| of a session, in mC.
    pub const TOTAL_CHARGE_MC: f64 = 4_800.0;
    /// Longest time with current in a session, in s: the 60 min of a day.
    pub const ACTIVE_S: f64 = 3_600.0;
    /// Longest time with current in 24 h, in s.
    pub const DAILY_S: f64 = 3_600.0;
    /// Largest RMS over 60 s for each cm² of the smallest electrode, in mA/cm².
    pub const DENSITY_MA_PER_CM2: f64 = 0.03;
    /// Longest silence of the host before the device ramps down, in ms.
    pub const HEARTBEAT_MS: u32 = 250;
}

/// The host's limits; see [`hard`] for what each may be at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLimits {
    /// Largest |current| in mA.
    pub peak_ma: f64,
    /// Largest |triangular 10 s mean| in mA. The noise's own stays below a quarter of the default.
    pub dc_ma: f64,
    /// Largest change in mA/ms.
    pub slew_ma_per_ms: f64,
    /// Largest |integral of the current| since the burst began, in mC.
    pub net_charge_mc: f64,
    /// Largest integral of |current| since the start of the session, in mC.
    pub total_charge_mc: f64,
    /// Longest time with current since the start of the session, in s.
    pub active_s: f64,
    /// Largest RMS over 60 s for each cm² of electrode, in mA/cm².
    pub density_ma_per_cm2: f64,
    /// Area of the smallest electrode in cm². Has no default: it must be given.
    pub electrode_area_cm2: Option<f64>,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            peak_ma: 0.5,
            dc_ma: hard::DC_MA,
            slew_ma_per_ms: hard::SLEW_MA_PER_MS,
            net_charge_mc: 0.6,
            total_charge_mc: 2_400.0,
            active_s: 2_400.0,
            density_ma_per_cm2: hard::DENSITY_MA_PER_CM2,
            electrode_area_cm2: None,
        }
    }
}

/// Why limits are refused.
#[allow(missing_docs, reason = "the fields are named after what the message says")]
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// A value beyond its hard limit, or not a number.
    #[error("{key} = {value} {unit}: must be above 0 and at most {limit} {unit}, the hard limit of the host")]
    Beyond { key: &'static str, value: f64, limit: f64, unit: &'static str },
    /// The electrode's area is missing or not positive.
    #[error(
        "electrode_area_cm2 is missing or not above 0: give the area of the smallest electrode in cm² \
         (a pad of 5 x 7 cm has 35); the current density cannot be limited without it"
    )]
    Area,
    /// The sampling rate.
    #[error("rate = {rate_hz} samples/s: must lie in 100..200000")]
    Rate { rate_hz: f64 },
}

impl HostLimits {
    /// The defaults with an electrode of `area_cm2`.
    #[must_use]
    pub fn for_electrode(area_cm2: f64) -> Self {
        Self { electrode_area_cm2: Some(area_cm2), ..Self::default() }
    }

    /// Refuses any value beyond its hard limit.
    ///
    /// # Errors
    /// Names the first such value, and its limit.
    pub fn check(&self) -> Result<(), LimitError> {
        let table = [
            ("peak_ma", self.peak_ma, hard::PEAK_MA, "mA"),
            ("dc_ma", self.dc_ma, hard::DC_MA, "mA"),
            ("slew_ma_per_ms", self.slew_ma_per_ms, hard::SLEW_MA_PER_MS, "mA/ms"),
            ("net_charge_mc", self.net_charge_mc, hard::NET_CHARGE_MC, "mC"),
            ("total_charge_mc", self.total_charge_mc, hard::TOTAL_CHARGE_MC, "mC"),
            ("active_s", self.active_s, hard::ACTIVE_S, "s"),
            ("density_ma_per_cm2", self.density_ma_per_cm2, hard::DENSITY_MA_PER_CM2, "mA/cm2"),
        ];
        for (key, value, limit, unit) in table {
            if !(value > 0.0 && value <= limit) {
                return Err(LimitError::Beyond { key, value, limit, unit });
            }
        }
        self.area_cm2().map(|_| ())
    }

    /// The electrode's area in cm².
    ///
    /// # Errors
    /// It is missing or not positive.
    pub fn area_cm2(&self) -> Result<f64, LimitError> {
        self.electrode_area_cm2.filter(|area| *area > 0.0 && area.is_finite()).ok_or(LimitError::Area)
    }

    /// Largest RMS over 60 s in mA: the density's limit times the area; 0 without an area.
    #[must_use]
    pub fn rms_ma(&self) -> f64 {
        self.area_cm2().map_or(0.0, |area| area * self.density_ma_per_cm2)
    }

    /// What the device is told before arming; it answers with the same. The heartbeat is the table's.
    #[must_use]
    pub fn to_device(&self) -> tras_wire::Limits {
        tras_wire::Limits {
            peak_ma: self.peak_ma as f32,
            dc_ma: self.dc_ma as f32,
            slew_ma_per_ms: self.slew_ma_per_ms as f32,
            net_charge_mc: self.net_charge_mc as f32,
            total_charge_mc: self.total_charge_mc as f32,
            active_s: self.active_s as f32,
            heartbeat_ms: hard::HEARTBEAT_MS,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_defaults_pass_once_the_area_is_given() {
        assert_eq!(HostLimits::default().check(), Err(LimitError::Area));
        HostLimits::for_electrode(35.0).check().unwrap();
    }

    #[test]
    fn every_value_beyond_its_hard_limit_is_refused_by_name() {
        let good = HostLimits::for_electrode(35.0);
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            for (key, limits) in [
                ("peak_ma", HostLimits { peak_ma: bad, ..good }),
                ("dc_ma", HostLimits { dc_ma: bad, ..good }),
                ("slew_ma_per_ms", HostLimits { slew_ma_per_ms: bad, ..good }),
                ("net_charge_mc", HostLimits { net_charge_mc: bad, ..good }),
                ("total_charge_mc", HostLimits { total_charge_mc: bad, ..good }),
                ("active_s", HostLimits { active_s: bad, ..good }),
                ("density_ma_per_cm2", HostLimits { density_ma_per_cm2: bad, ..good }),
                ("electrode_area_cm2", HostLimits { electrode_area_cm2: Some(bad), ..good }),
            ] {
                let message = limits.check().unwrap_err().to_string();
                assert!(message.contains(key), "{message}");
            }
        }
        let message = HostLimits { peak_ma: 1.01, ..good }.check().unwrap_err().to_string();
        assert!(message.contains("1.01 mA") && message.contains("at most 1 mA"), "{message}");
    }
}

//! `[limits]`: what host and device must never exceed. A file may tighten; beyond the hard limits it is refused.

use serde::Serialize;

use super::section::{Section, within};
use crate::limits::{HostLimits, hard};

/// What must never be exceeded. Defaults and hard limits: the literature's, or derived, as each field says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// Largest |current|, in mA. Default 0.5; to deliver more, this and `stimulation.peak_ma` must both say so.
    pub peak_ma: f64,
    /// |Mean current| over 10 s from which a warning is shown, in uA.
    pub dc_warn_ua: f64,
    /// |Mean current| over 10 s from which the current is ramped down, in uA.
    pub dc_max_ua: f64,
    /// Largest change outside a fault, in mA/ms.
    pub slew_ma_per_ms: f64,
    /// Largest one-sided charge, |integral of the current| since the block began, in mC.
    pub net_charge_mc: f64,
    /// Largest integral of |current| in a session, in C (a commercial cap is 4.8 C, i.e. 80 mA min).
    pub total_charge_c: f64,
    /// Longest stimulation in a session, in min (<= 40 min a session: Bikson 2016).
    pub active_min: f64,
    /// Longest stimulation in a day, in min (<= 60 min a day: Antal et al.); kept across restarts.
    pub daily_min: f64,
    /// Impedance above which a burst is ended during its ramp up, in kOhm (<= 10 kOhm: multi-site procedures).
    pub start_kohm: f64,
    /// Largest difference of the two electrodes as measured beforehand, in kOhm (<= 3 kOhm: the same).
    pub mismatch_kohm: f64,
    /// Longest silence of the host before the device ramps down, in ms; the host beats every 50 ms.
    pub heartbeat_ms: f64,
}

impl Limits {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        const HARD: &str = "hard limit";
        let usual = HostLimits::default();
        // The keys are in the units that a person uses: uA, C and min.
        let most = |limit: f64, unit| within(0.001, limit, unit).because(HARD);
        let microamperes = within(0.1, hard::DC_MA * 1e3, "uA").because(HARD);
        let minutes = |limit_s: f64| within(0.1, limit_s / 60.0, "min").because(HARD);
        let limits = Self {
            peak_ma: s.number("peak_ma", usual.peak_ma, within(0.01, hard::PEAK_MA, "mA").because(HARD)),
            dc_warn_ua: s.number("dc_warn_ua", 5.0, microamperes),
            dc_max_ua: s.number("dc_max_ua", usual.dc_ma * 1e3, microamperes),
            slew_ma_per_ms: s.number(
                "slew_ma_per_ms",
                usual.slew_ma_per_ms,
                most(hard::SLEW_MA_PER_MS, "mA/ms"),
            ),
            net_charge_mc: s.number("net_charge_mc", usual.net_charge_mc, most(hard::NET_CHARGE_MC, "mC")),
            total_charge_c: s.number(
                "total_charge_c",
                usual.total_charge_mc / 1e3,
                most(hard::TOTAL_CHARGE_MC / 1e3, "C"),
            ),
            active_min: s.number("active_min", usual.active_s / 60.0, minutes(hard::ACTIVE_S)),
            daily_min: s.number("daily_min", hard::DAILY_S / 60.0, minutes(hard::DAILY_S)),
            start_kohm: s.number("start_kohm", 10.0, within(1.0, 20.0, "kOhm").because(HARD)),
            mismatch_kohm: s.number("mismatch_kohm", 3.0, within(0.1, 6.0, "kOhm").because(HARD)),
            // At least two beats of 50 ms, so that one late beat is no fault.
            heartbeat_ms: s.number(
                "heartbeat_ms",
                hard::HEARTBEAT_MS.into(),
                within(100.0, hard::HEARTBEAT_MS.into(), "ms").because(HARD),
            ),
        };
        s.done();
        limits
    }
}

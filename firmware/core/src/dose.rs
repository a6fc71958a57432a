//! What has flowed: charge both ways, time, and the mean over 10 s, in whole numbers so that an hour of small
//! steps adds up exactly.
//!
//! Nothing here starts at zero because a host says hello or arms: the limits of charge and time are for what this
//! device has done since it was switched on, through resets too ([`crate::Kept`]). What one way is too much is
//! reckoned from the readback as well as from the command: an offset of the stage is in no command.
//!
//! Charge is counted in nA us = fC: 4.8 C are 4.8e15 of them, and an i64 holds 9.2e18.

use tras_wire::{FaultCode, Limits};

use crate::hard::{self, FAST_STOP_US, STALL_US};
use crate::mean::SlowMean;
use crate::one_sided::OneSided;

/// fC in a mC.
const FC_PER_MC: f64 = 1e12;

/// Charge, time and mean of one device, against the limits of one arming.
#[derive(Clone, Debug)]
pub(crate) struct Dose {
    limits: Limits,
    one_sided: OneSided,
    total_fc: i64,
    active_us: u64,
    /// Measured less commanded, as last read with the relay closed.
    error_na: i64,
    commanded: SlowMean,
    measured: SlowMean,
}

impl Dose {
    pub(crate) fn new() -> Self {
        Self {
            limits: hard::bounded(&hard::LIMITS),
            one_sided: OneSided::default(),
            total_fc: 0,
            active_us: 0,
            error_na: 0,
            commanded: SlowMean::new(),
            measured: SlowMean::new(),
        }
    }

    /// Goes on from what was kept: total and one-sided charge in fC, time in us.
    pub(crate) fn resume(&mut self, total_fc: i64, active_us: u64, commanded_fc: i64, error_fc: i64) {
        (self.total_fc, self.active_us) = (total_fc, active_us);
        self.one_sided = OneSided::resumed(commanded_fc, error_fc);
    }

    /// From here on these limits hold.
    pub(crate) fn limit(&mut self, limits: &Limits) {
        self.limits = *limits;
    }

    pub(crate) fn begin_burst(&mut self) {
        self.one_sided.begin_burst();
    }

    /// The newest reading differs from the command by so much; with the relay open nothing differs.
    pub(crate) fn differs(&mut self, error_ma: f32) {
        self.error_na = if error_ma.is_finite() { nanoamps(error_ma) } else { 0 };
    }

    /// `current_ma` has flowed for `dt_us`, of which no more than the monostable holds the relay for.
    pub(crate) fn account(&mut self, current_ma: f32, dt_us: u64, active: bool) {
        let held_us = dt_us.min(u64::from(STALL_US));
        let na = nanoamps(current_ma);
        let charge = |na: i64| na.saturating_mul(held_us as i64);
        self.one_sided.account(charge(na), charge(self.error_na), dt_us);
        self.total_fc = self.total_fc.saturating_add(charge(na).saturating_abs());
        if active {
            self.active_us = self.active_us.saturating_add(held_us);
        }
        for (mean, na) in [(&mut self.commanded, na), (&mut self.measured, na + self.error_na)] {
            mean.push(na, held_us);
            mean.push(0, dt_us - held_us);
        }
    }

    /// The limit that is broken, or would be if `current_ma` flowed for `dt_us` more and then came to zero by
    /// a fast ramp, which carries half of it times its length. What the stage adds stays to the end of the ramp.
    pub(crate) fn broken(&self, current_ma: f32, dt_us: u32) -> Option<(FaultCode, f32)> {
        let dc_ma = self.dc_ma();
        let dc = (dc_ma.abs() > self.limits.dc_ma).then_some((FaultCode::Dc, dc_ma));
        self.spent(&self.limits, current_ma, dt_us).or(dc)
    }

    /// Whether `limits` leave nothing, so that no burst could begin. The mean is not asked: it is over in 10 s.
    pub(crate) fn is_spent(&self, limits: &Limits) -> bool {
        self.spent(limits, 0.0, 0).is_some()
    }

    fn spent(&self, limits: &Limits, current_ma: f32, dt_us: u32) -> Option<(FaultCode, f32)> {
        let coming = nanoamps(current_ma) * i64::from(dt_us + FAST_STOP_US / 2);
        let stage_na = i64::from(self.measured.nanoamps()) - i64::from(self.commanded.nanoamps());
        let net = self.one_sided.worst(coming, stage_na * i64::from(dt_us + FAST_STOP_US));
        let total = self.total_fc.saturating_add(coming.abs());
        let active_us = self.active_us.saturating_add(u64::from(dt_us + FAST_STOP_US));
        if net.saturating_abs() > femtocoulombs(limits.net_charge_mc) {
            Some((FaultCode::NetCharge, millicoulombs(net)))
        } else if total > femtocoulombs(limits.total_charge_mc) {
            Some((FaultCode::TotalCharge, millicoulombs(total)))
        } else if active_us as f64 * 1e-6 > f64::from(limits.active_s) {
            Some((FaultCode::ActiveTime, self.active_us as f32 * 1e-6))
        } else {
            None
        }
    }

    pub(crate) fn net_mc(&self) -> f32 {
        millicoulombs(self.one_sided.worst(0, 0))
    }

    pub(crate) fn total_mc(&self) -> f32 {
        millicoulombs(self.total_fc)
    }

    /// Commanded or measured, whichever is larger.
    pub(crate) fn dc_ma(&self) -> f32 {
        let (commanded, measured) = (self.commanded.nanoamps(), self.measured.nanoamps());
        let larger =
            if measured.saturating_abs() > commanded.saturating_abs() { measured } else { commanded };
        larger as f32 * 1e-6
    }

    /// For [`crate::Kept`]: total in fC, time in us, one-sided charge as commanded, and measured less commanded, in fC.
    pub(crate) fn counts(&self) -> (i64, u64, i64, i64) {
        let (commanded_fc, error_fc) = self.one_sided.left();
        (self.total_fc, self.active_us, commanded_fc, error_fc)
    }
}

fn nanoamps(ma: f32) -> i64 {
    libm::roundf(ma * 1e6) as i64
}

fn millicoulombs(fc: i64) -> f32 {
    (fc as f64 / FC_PER_MC) as f32
}

pub(crate) fn femtocoulombs(mc: f32) -> i64 {
    (f64::from(mc) * FC_PER_MC) as i64
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn an_hour_adds_up_exactly() {
        let mut d = Dose::new();
        for k in 0..3_600 * 2_000 {
            d.account(if k % 2 == 0 { 0.5 } else { -0.499 }, 500, true);
        }
        assert_eq!(d.active_us, 3_600_000_000);
        assert!((d.net_mc() - 1.8).abs() < 1e-6, "{}", d.net_mc()); // 0.5 uA over 3,600 s.
        assert!((d.total_mc() - 1_798.2).abs() < 1e-3, "{}", d.total_mc());
        assert!((d.dc_ma() - 0.000_5).abs() < 2e-6);
    }

    #[test]
    fn the_mean_takes_ten_seconds() {
        let mut d = Dose::new();
        // A step of 10 uA: after 5 s half, after 10 s all of it.
        for (seconds, expected) in [(5.0, 0.005), (10.0, 0.010), (12.0, 0.010)] {
            while (d.active_us as f64) < seconds * 1e6 {
                d.account(0.010, 250, true);
            }
            assert!((d.dc_ma() - expected).abs() < 1e-4, "{seconds} s: {}", d.dc_ma());
        }
        // A long pause forgets it.
        d.account(0.0, 3_600_000_000, false);
        assert_eq!(d.dc_ma(), 0.0);
    }

    #[test]
    fn half_a_hertz_passes_at_less_than_a_hundredth() {
        for f_hz in [0.5, 0.7, 1.1] {
            let (mut d, mut largest) = (Dose::new(), 0.0_f32);
            for k in 0..40_000 {
                let t = f64::from(k) * 1e-3;
                d.account(libm::sin(2.0 * core::f64::consts::PI * f_hz * t) as f32, 1_000, true);
                if k > 10_000 {
                    largest = largest.max(d.dc_ma().abs());
                }
            }
            assert!(largest < 0.01, "{f_hz} Hz: {largest}");
        }
    }

    #[test]
    fn each_limit_breaks_at_its_number_with_the_ramp_counted() {
        let limits =
            Limits { dc_ma: 0.02, net_charge_mc: 0.1, total_charge_mc: 0.3, active_s: 2.0, ..hard::LIMITS };
        let run = |ma: f32, flip: bool| {
            let mut d = Dose::new();
            d.limit(&limits);
            for k in 0..10_000_u32 {
                let ma = if flip && k % 2 == 1 { -ma } else { ma };
                d.account(ma, 1_000, true);
                if let Some((code, _)) = d.broken(ma, 1_000) {
                    return (code, d.net_mc(), d.total_mc(), d.active_us);
                }
            }
            (FaultCode::EStop, 0.0, 0.0, 0)
        };
        // 1 mA one way: 0.1 mC less the 0.05 mC of the ramp.
        let (code, net, ..) = run(1.0, false);
        assert!(code == FaultCode::NetCharge && (net - 0.05).abs() < 1e-3, "{code:?} {net}");
        let (code, _, total, _) = run(1.0, true);
        assert!(code == FaultCode::TotalCharge && (total - 0.25).abs() < 1e-3, "{code:?} {total}");
        let (code, .., active) = run(0.01, true);
        assert!(code == FaultCode::ActiveTime && active == 1_900_000, "{code:?} {active}");
    }
}

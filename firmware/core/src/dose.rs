//! What has flowed: charge both ways, time, and the mean over 10 s, in whole numbers so that an hour of small
//! steps adds up exactly.
//!
//! Charge is counted in nA us = fC: 4.8 C are 4.8e15 of them, and an i64 holds 9.2e18.

use tras_wire::{FaultCode, Limits};

use crate::hard::{self, FAST_STOP_US};

/// fC in a mC.
const FC_PER_MC: f64 = 1e12;
/// The mean over 10 s is three boxes of 3.35 s, one after the other. One box of 10 s lets so much of steep
/// noise above 0.5 Hz pass its side lobes (-13 dB) that it would trip without any DC; two of 5 s (-26 dB) were
/// measured to reach 3.5 uA in 10 min of noise of exponent 2 and 0.5 mA peak, against a limit of 5 uA.
const BOXES: usize = 3;
/// 67 bins of 50 ms are 3.35 s in 268 bytes.
const BOX_BINS: usize = 67;
const BIN_US: u64 = 50_000;

/// Charge, time and mean of one device, against the limits of one arming.
#[derive(Clone, Debug)]
pub(crate) struct Dose {
    limits: Limits,
    net_fc: i64,
    total_fc: i64,
    active_us: u64,
    total_ever_fc: i64,
    active_ever_us: u64,
    mean: SlowMean,
}

impl Dose {
    pub fn new() -> Self {
        Self {
            limits: hard::bounded(&hard::LIMITS),
            net_fc: 0,
            total_fc: 0,
            active_us: 0,
            total_ever_fc: 0,
            active_ever_us: 0,
            mean: SlowMean::new(),
        }
    }

    /// Counts from zero against these limits; what power-up has seen stays, and so does the mean.
    pub fn arm(&mut self, limits: &Limits) {
        self.limits = *limits;
        (self.net_fc, self.total_fc, self.active_us) = (0, 0, 0);
    }

    pub fn begin_burst(&mut self) {
        self.net_fc = 0;
    }

    /// `current_ma` has flowed for `dt_us`.
    pub fn account(&mut self, current_ma: f32, dt_us: u64, active: bool) {
        let na = nanoamps(current_ma);
        let charge = na.saturating_mul(i64::try_from(dt_us).unwrap_or(i64::MAX));
        self.net_fc = self.net_fc.saturating_add(charge);
        self.total_fc = self.total_fc.saturating_add(charge.saturating_abs());
        self.total_ever_fc = self.total_ever_fc.saturating_add(charge.saturating_abs());
        if active {
            self.active_us = self.active_us.saturating_add(dt_us);
            self.active_ever_us = self.active_ever_us.saturating_add(dt_us);
        }
        self.mean.push(na, dt_us);
    }

    /// The limit that is broken, or would be if `current_ma` flowed for `dt_us` more and then came to zero by
    /// a fast ramp, which carries half of it times its length.
    pub fn broken(&self, current_ma: f32, dt_us: u32) -> Option<(FaultCode, f32)> {
        let coming = nanoamps(current_ma) * i64::from(dt_us + FAST_STOP_US / 2);
        let net = self.net_fc.saturating_add(coming);
        let total = self.total_fc.saturating_add(coming.abs());
        let ever = self.total_ever_fc.saturating_add(coming.abs());
        let with_ramp = |us: u64| us.saturating_add(u64::from(dt_us + FAST_STOP_US)) as f64 * 1e-6;
        let dc_ma = self.dc_ma();
        if net.saturating_abs() > femtocoulombs(self.limits.net_charge_mc) {
            Some((FaultCode::NetCharge, millicoulombs(net)))
        } else if total > femtocoulombs(self.limits.total_charge_mc) {
            Some((FaultCode::TotalCharge, millicoulombs(total)))
        } else if ever > femtocoulombs(hard::LIMITS.total_charge_mc) {
            Some((FaultCode::TotalCharge, millicoulombs(ever)))
        } else if with_ramp(self.active_us) > f64::from(self.limits.active_s) {
            Some((FaultCode::ActiveTime, self.active_us as f32 * 1e-6))
        } else if with_ramp(self.active_ever_us) > f64::from(hard::LIMITS.active_s) {
            Some((FaultCode::ActiveTime, self.active_ever_us as f32 * 1e-6))
        } else if dc_ma.abs() > self.limits.dc_ma {
            Some((FaultCode::Dc, dc_ma))
        } else {
            None
        }
    }

    pub fn net_mc(&self) -> f32 {
        millicoulombs(self.net_fc)
    }

    pub fn total_mc(&self) -> f32 {
        millicoulombs(self.total_fc)
    }

    pub fn dc_ma(&self) -> f32 {
        self.mean.nanoamps() as f32 * 1e-6
    }
}

fn nanoamps(ma: f32) -> i64 {
    libm::roundf(ma * 1e6) as i64
}

fn millicoulombs(fc: i64) -> f32 {
    (fc as f64 / FC_PER_MC) as f32
}

fn femtocoulombs(mc: f32) -> i64 {
    (f64::from(mc) * FC_PER_MC) as i64
}

/// Running means in series, fed with bins of 50 ms.
#[derive(Clone, Debug)]
struct SlowMean {
    bin_fc: i64,
    bin_us: u64,
    boxes: [RunningSum; BOXES],
}

impl SlowMean {
    fn new() -> Self {
        Self { bin_fc: 0, bin_us: 0, boxes: [RunningSum::NEW; BOXES] }
    }

    fn push(&mut self, na: i64, dt_us: u64) {
        // Longer than all boxes together, the past is forgotten whole.
        let mut left_us = dt_us.min(BIN_US * (BOXES * BOX_BINS + 1) as u64);
        while left_us > 0 {
            let step_us = left_us.min(BIN_US - self.bin_us);
            self.bin_fc += na * step_us as i64;
            self.bin_us += step_us;
            left_us -= step_us;
            if self.bin_us == BIN_US {
                let mut mean = (self.bin_fc / BIN_US as i64) as i32;
                for b in &mut self.boxes {
                    mean = b.push(mean);
                }
                (self.bin_fc, self.bin_us) = (0, 0);
            }
        }
    }

    fn nanoamps(&self) -> i32 {
        self.boxes.last().map_or(0, RunningSum::mean)
    }
}

#[derive(Clone, Debug)]
struct RunningSum {
    bins: [i32; BOX_BINS],
    next: usize,
    sum: i64,
}

impl RunningSum {
    const NEW: Self = Self { bins: [0; BOX_BINS], next: 0, sum: 0 };

    fn push(&mut self, value: i32) -> i32 {
        if let Some(oldest) = self.bins.get_mut(self.next) {
            self.sum += i64::from(value) - i64::from(*oldest);
            *oldest = value;
        }
        self.next = (self.next + 1) % BOX_BINS;
        self.mean()
    }

    fn mean(&self) -> i32 {
        (self.sum / BOX_BINS as i64) as i32
    }
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
            d.arm(&limits);
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

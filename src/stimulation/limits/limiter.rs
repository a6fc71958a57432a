//! The last room on the host that a current sample passes.
//!
//! In: any samples at all. Out: samples within peak and slew, whose mean, charge and time stay within their
//! limits. The first sample that breaks a limit is reported and latches: from it on the output goes to zero along
//! half a cosine of 100 ms from the last good value, or, when the peak was broken or a value was not a number, as
//! fast as the slew limit allows (2 ms from 1 mA). A sample that is not a number goes out as part of that ramp,
//! never as itself.
//!
//! Charges and time are held exactly: the ramp's own, |I|·50 ms, is counted before it happens. The mean over 10 s
//! takes its time, as any mean does: an offset of d begins to fall after 10 s·sqrt(limit / 2d), or when its charge
//! breaks the one-sided limit, whichever is first (0.5 mA: 1.2 s; 0.1 mA: 3.2 s; 0.03 mA: 6 s).

use super::mean::{MeanSquare, SlowMean};
use super::{Dose, HostLimits, LimitError};
use crate::envelope::Envelope;

/// Length of the ramp after a violation in s.
pub const FAULT_RAMP_S: f64 = 0.1;
/// The slew limit rounds off single steps of the noise without a fault, but an input that asks for more is no
/// noise of ours: each sample that it changes counts one, 100 that it leaves alone take one off, and this many
/// seconds' worth of counts is a violation.
const SLEW_LAG_S: f64 = 0.005;
/// Samples left alone that make good for one changed.
const SLEW_FORGIVES: u64 = 100;

/// Which limit was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// NaN or infinity; the value is NaN or infinite.
    NotANumber,
    /// |current| in mA.
    Peak,
    /// Change in mA/ms, in more than one of 100 samples.
    Slew,
    /// Triangular 10 s mean in mA.
    Dc,
    /// |Integral of the current| since the burst began, in mC.
    NetCharge,
    /// Integral of |current| since the session began, in mC.
    TotalCharge,
    /// Time with current since the session began, in s.
    ActiveTime,
    /// RMS over 60 s in mA/cm².
    Density,
}

impl Limit {
    /// The key of the limit in a configuration, or what it is about.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotANumber => "not a number",
            Self::Peak => "peak_ma",
            Self::Slew => "slew_ma_per_ms",
            Self::Dc => "dc_max_ua",
            Self::NetCharge => "net_charge_mc",
            Self::TotalCharge => "total_charge_c",
            Self::ActiveTime => "active_min",
            Self::Density => "density_ma_per_cm2",
        }
    }
}

/// A broken limit, with its number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Violation {
    /// Which.
    pub limit: Limit,
    /// The number that broke it, in the limit's unit.
    pub value: f64,
    /// The limit's own value.
    pub bound: f64,
    /// Index in the slice that was given.
    pub at_index: usize,
}

/// The host's limiter; see the module.
pub struct Limiter {
    limits: HostLimits,
    rms_ma: f64,
    rate_hz: f64,
    max_step_ma: f32,
    lag_limit: u64,
    lag: u64,
    last_ma: f32,
    dc: SlowMean,
    square: MeanSquare,
    dose: Dose,
    /// The ramp to zero and where it starts, once something is wrong.
    down: Option<Down>,
}

#[derive(Clone, Copy)]
enum Down {
    Ramp { gain: Envelope, from_ma: f32 },
    Cut,
}

impl Limiter {
    /// Builds the limiter for `rate_hz` samples a second.
    ///
    /// # Errors
    /// A limit beyond its hard limit, a missing electrode area, a rate outside 100..200,000.
    pub fn new(limits: &HostLimits, rate_hz: f64) -> Result<Self, LimitError> {
        limits.check()?;
        if !(100.0..=200_000.0).contains(&rate_hz) {
            return Err(LimitError::Rate { rate_hz });
        }
        Ok(Self {
            limits: *limits,
            rms_ma: limits.rms_ma(),
            rate_hz,
            max_step_ma: (limits.slew_ma_per_ms * 1e3 / rate_hz) as f32,
            lag_limit: (SLEW_LAG_S * rate_hz).ceil() as u64 * SLEW_FORGIVES,
            lag: 0,
            last_ma: 0.0,
            dc: SlowMean::new(rate_hz),
            square: MeanSquare::new(rate_hz),
            dose: Dose::default(),
            down: None,
        })
    }

    /// Makes `samples` (mA) obey every limit; gives the first violation in them. After one, everything is the way
    /// to zero and zero, until [`Limiter::reset`].
    pub fn process(&mut self, samples: &mut [f32]) -> Option<Violation> {
        let mut first = None;
        for (at_index, sample) in samples.iter_mut().enumerate() {
            let broken = if self.down.is_none() { self.broken(*sample) } else { None };
            if let Some((limit, value, bound)) = broken {
                first = Some(Violation { limit, value, bound, at_index });
                self.shut(matches!(limit, Limit::Peak | Limit::NotANumber));
            }
            let wanted = self.wanted(*sample);
            *sample = self.slewed(wanted);
            // The means are known once the sample is among them; the next one is already on its way down.
            if let (Some((limit, value, bound)), None) = (self.count(*sample), self.down) {
                first = Some(Violation { limit, value, bound, at_index });
                self.shut(false);
            }
        }
        first
    }

    /// Brings the output to zero and keeps it there: by a ramp of 100 ms, or at the slew limit (`cut`).
    pub fn shut(&mut self, cut: bool) {
        self.shut_within(cut, u64::MAX);
    }

    /// The same, the ramp in `samples` at most: a way down that is nearly over is not made longer.
    pub fn shut_within(&mut self, cut: bool, samples: u64) {
        let slower = matches!(self.down, Some(Down::Cut)) || (self.down.is_some() && !cut);
        if slower {
            return;
        }
        self.down = Some(if cut {
            Down::Cut
        } else {
            let mut gain = Envelope::steady(1.0);
            gain.go(0.0, ((FAULT_RAMP_S * self.rate_hz) as u64).min(samples.max(1)));
            Down::Ramp { gain, from_ma: self.last_ma }
        });
    }

    /// Lets current through again after [`Limiter::shut`] or a violation. What has flowed stays counted. `false`,
    /// and nothing happens, while the output is not zero.
    pub fn reset(&mut self) -> bool {
        if self.last_ma != 0.0 {
            return false;
        }
        self.down = None;
        self.lag = 0;
        true
    }

    /// A burst begins: its net charge counts from here.
    pub fn begin_burst(&mut self) {
        self.dose.net_charge_mc = 0.0;
    }

    /// The last sample that went out, in mA.
    #[must_use]
    pub fn last_ma(&self) -> f32 {
        self.last_ma
    }

    /// What has flowed.
    #[must_use]
    pub fn dose(&self) -> &Dose {
        &self.dose
    }

    /// The limits it keeps.
    #[must_use]
    pub fn limits(&self) -> &HostLimits {
        &self.limits
    }

    /// The limit that sending `sample` would break, its number and bound.
    fn broken(&mut self, sample: f32) -> Option<(Limit, f64, f64)> {
        let value = f64::from(sample);
        let limits = &self.limits;
        if !sample.is_finite() {
            return Some((Limit::NotANumber, value, limits.peak_ma));
        }
        // In f32, as the samples are: 0.3f32 is a little above 0.3.
        if sample.abs() > limits.peak_ma as f32 {
            return Some((Limit::Peak, value.abs(), limits.peak_ma));
        }
        let step = f64::from((sample - self.last_ma).abs()) * self.rate_hz / 1e3;
        let out = clamp_step(sample, self.last_ma, self.max_step_ma);
        self.lag = if out == sample { self.lag.saturating_sub(1) } else { self.lag + SLEW_FORGIVES };
        if self.lag > self.lag_limit {
            return Some((Limit::Slew, step, limits.slew_ma_per_ms));
        }
        // The charge of this sample and of the ramp that would follow it.
        let ahead = f64::from(out) * (1.0 / self.rate_hz + 0.5 * FAULT_RAMP_S);
        let net = self.dose.net_charge_mc + ahead;
        if net.abs() > limits.net_charge_mc && net.abs() > self.dose.net_charge_mc.abs() {
            return Some((Limit::NetCharge, net.abs(), limits.net_charge_mc));
        }
        let total = self.dose.total_charge_mc + ahead.abs();
        if out != 0.0 && total > limits.total_charge_mc {
            return Some((Limit::TotalCharge, total, limits.total_charge_mc));
        }
        let active = (self.dose.active_samples + 1) as f64 / self.rate_hz + FAULT_RAMP_S;
        if out != 0.0 && active > limits.active_s {
            return Some((Limit::ActiveTime, active, limits.active_s));
        }
        None
    }

    /// What goes out in place of `sample`: itself, or the way to zero.
    fn wanted(&mut self, sample: f32) -> f32 {
        match &mut self.down {
            None => sample,
            Some(Down::Cut) => 0.0,
            Some(Down::Ramp { gain, from_ma }) => *from_ma * gain.step(),
        }
    }

    /// `wanted`, or as near to it as the slew limit lets it come.
    fn slewed(&mut self, wanted: f32) -> f32 {
        let out = clamp_step(wanted, self.last_ma, self.max_step_ma);
        self.dose.slewed += u64::from(out != wanted && self.down.is_none());
        self.last_ma = out;
        out
    }

    /// Counts a sample that goes out, and gives the mean that it breaks. Zero current breaks none, though the
    /// means may still hold what was before.
    fn count(&mut self, out: f32) -> Option<(Limit, f64, f64)> {
        let value = f64::from(out);
        self.dose.push(value, self.rate_hz);
        let dc = self.dc.push(value).abs();
        self.dose.dc_peak_ma = self.dose.dc_peak_ma.max(dc);
        let rms = self.square.push(value).sqrt();
        if out == 0.0 {
            None
        } else if dc > self.limits.dc_ma {
            Some((Limit::Dc, dc, self.limits.dc_ma))
        } else if rms > self.rms_ma {
            let per_area = self.limits.density_ma_per_cm2 / self.rms_ma;
            Some((Limit::Density, rms * per_area, self.limits.density_ma_per_cm2))
        } else {
            None
        }
    }
}

/// `to`, no further than `max_step` from `from`.
fn clamp_step(to: f32, from: f32, max_step: f32) -> f32 {
    to.clamp(from - max_step, from + max_step)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const RATE_HZ: f64 = 2000.0;

    fn limiter() -> Limiter {
        Limiter::new(&HostLimits::for_electrode(35.0), RATE_HZ).unwrap()
    }

    /// Stretches of what a defect might send: anything at all, constants, squares, noise of any size.
    fn stretch() -> impl Strategy<Value = Vec<f32>> {
        let any_bits = prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 1..300);
        let level = (-0.6f32..0.6, 1usize..6000).prop_map(|(x, n)| vec![x; n]);
        let square = (0.0f32..0.55, 1usize..60, 1usize..50).prop_map(|(x, half, n)| {
            (0..n * half * 2).map(|i| if (i / half) % 2 == 0 { x } else { -x }).collect()
        });
        let noise = prop::collection::vec(-0.5f32..0.5, 1..2000);
        let odd = prop::sample::select(vec![
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            1e30,
            -0.0,
            f32::MIN_POSITIVE,
        ])
        .prop_map(|x| vec![x]);
        prop_oneof![any_bits, level, square, noise, odd]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn whatever_comes_in_every_limit_holds(stretches in prop::collection::vec((stretch(), any::<bool>()), 1..12)) {
            let mut limiter = limiter();
            let limits = *limiter.limits();
            let (mut last, mut net, mut total, mut active) = (0f32, 0f64, 0f64, 0u64);
            let mut mean = SlowMean::new(RATE_HZ);
            let mut shut = false;
            for (mut samples, again) in stretches {
                let violation = limiter.process(&mut samples);
                let good = violation.map_or(if shut { 0 } else { samples.len() }, |v| v.at_index);
                for (i, &x) in samples.iter().enumerate() {
                    prop_assert!(x.is_finite() && x.abs() <= 0.5);
                    prop_assert!(f64::from((x - last).abs()) * 2.0 <= limits.slew_ma_per_ms * (1.0 + 1e-6));
                    net += f64::from(x) / RATE_HZ;
                    total += f64::from(x).abs() / RATE_HZ;
                    active += u64::from(x != 0.0);
                    let dc = mean.push(f64::from(x)).abs();
                    prop_assert!(dc <= limits.dc_ma || x == 0.0 || i >= good);
                    prop_assert!(net.abs() <= limits.net_charge_mc + 1e-9);
                    last = x;
                }
                shut |= violation.is_some();
                prop_assert!(total <= limits.total_charge_mc && active as f64 / RATE_HZ <= limits.active_s);
                if violation.is_some() {
                    // 100 ms on, it is zero whatever else comes.
                    let mut after = vec![0.4f32; 201];
                    prop_assert!(limiter.process(&mut after).is_none());
                    prop_assert_eq!(after[200], 0.0);
                    for &x in &after {
                        net += f64::from(x) / RATE_HZ;
                        mean.push(f64::from(x));
                    }
                    last = 0.0;
                    if again {
                        prop_assert!(limiter.reset());
                        shut = false;
                    }
                }
            }
        }
    }

    fn first_violation(
        mut limiter: Limiter,
        mut next: impl FnMut(u64) -> f32,
        seconds: u64,
    ) -> (u64, Violation) {
        let mut chunk = [0f32; 20];
        for n in 0..seconds * 100 {
            for (i, x) in chunk.iter_mut().enumerate() {
                *x = next(n * 20 + i as u64);
            }
            if let Some(violation) = limiter.process(&mut chunk) {
                return (n * 20 + violation.at_index as u64, violation);
            }
        }
        panic!("no violation in {seconds} s");
    }

    #[test]
    fn each_limit_is_found_with_its_number() {
        let good = HostLimits::for_electrode(35.0);
        let with = |limits| Limiter::new(&limits, RATE_HZ).unwrap();
        let alternating = |size: f32| move |i: u64| if (i / 4).is_multiple_of(2) { size } else { -size };

        let (at, v) = first_violation(with(good), |i| if i < 100 { 0.1 } else { 0.51 }, 1);
        assert_eq!((at, v.limit, v.bound), (100, Limit::Peak, 0.5));
        let (at, v) = first_violation(with(good), |i| if i == 7 { f32::NAN } else { 0.1 }, 1);
        assert_eq!((at, v.limit), (7, Limit::NotANumber));
        // 0.5 mA/sample is twice the limit: every second sample is changed.
        let (at, v) = first_violation(with(good), |i| if i.is_multiple_of(2) { 0.25 } else { -0.25 }, 1);
        assert_eq!((at, v.limit), (21, Limit::Slew));
        // A constant 25 uA passes 20 uA of the triangle when 1 - (10 - t)²/50 = 0.8.
        let (at, v) = first_violation(with(good), |_| 0.025, 20);
        assert_eq!(v.limit, Limit::Dc);
        assert!((at as f64 / RATE_HZ - (10.0 - 10f64.sqrt())).abs() < 0.01, "{at}");
        // 10 uA are no DC fault; 0.6 mC are reached after 60 s.
        let (at, v) = first_violation(with(good), |_| 0.01, 100);
        assert_eq!(v.limit, Limit::NetCharge);
        assert!((at as f64 / RATE_HZ - 60.0).abs() < 0.1, "{at}");
        let (at, v) =
            first_violation(with(HostLimits { total_charge_mc: 1.0, ..good }), alternating(0.1), 20);
        assert_eq!(v.limit, Limit::TotalCharge);
        assert!((at as f64 / RATE_HZ - 9.95).abs() < 0.02, "{at}");
        let (at, v) = first_violation(with(HostLimits { active_s: 5.0, ..good }), alternating(0.1), 20);
        assert_eq!((at, v.limit), (9800, Limit::ActiveTime));
        // RMS 0.1 mA on 2 cm2: 0.05 mA/cm2, passed when 0.1²·t/60 > 0.06².
        let (at, v) =
            first_violation(with(HostLimits { electrode_area_cm2: Some(2.0), ..good }), alternating(0.1), 60);
        assert_eq!(v.limit, Limit::Density);
        assert!((at as f64 / RATE_HZ - 21.6).abs() < 0.01 && (v.value - 0.03).abs() < 1e-5, "{at} {v:?}");
    }

    #[test]
    fn a_cut_from_the_peak_takes_two_milliseconds_at_most() {
        let mut limiter =
            Limiter::new(&HostLimits { peak_ma: 1.0, ..HostLimits::for_electrode(35.0) }, RATE_HZ).unwrap();
        let mut samples = [1.0f32; 30];
        samples[20] = f32::INFINITY;
        assert_eq!(limiter.process(&mut samples).map(|v| v.at_index), Some(20));
        assert_eq!(samples[19], 1.0);
        assert!(samples[23..].iter().all(|&x| x == 0.0), "{samples:?}");
    }

    #[test]
    fn a_reset_waits_for_zero_current() {
        let mut limiter = limiter();
        limiter.process(&mut [0.1; 100]);
        limiter.shut(false);
        limiter.process(&mut [0.1; 100]);
        assert!(!limiter.reset());
        limiter.process(&mut [0.1; 100]);
        assert!(limiter.reset());
    }
}

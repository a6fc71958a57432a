//! Charge one way: of the burst, and of all bursts as it leaks over an hour; as commanded, and as measured.
//!
//! What was commanded is known exactly. What was measured differs from it by an error that is worth counting only
//! where 12 bits can tell it: an ADC whose zero is wrong by a fraction of a step would otherwise add up, within an
//! hour, to a charge that never flowed. So the error is kept in bins of 10 s, and a bin counts whole or not at all
//! ([`hard::UNTOLD_MC`]); after one that counted, the next does from its first moment.
//!
//! In fC, as in [`crate::dose`].

use crate::hard::{self, LEAK_S, UNTOLD_US};

const SECOND_US: u64 = 1_000_000;
/// After so many s nothing of a charge is left: e^-9 of 1 mC is 0.1 uC.
const FORGOTTEN_S: u64 = 9 * LEAK_S;

#[derive(Clone, Copy, Debug, Default)]
struct Charge {
    burst_fc: i64,
    leaky_fc: i64,
}

impl Charge {
    fn add(&mut self, fc: i64) {
        self.burst_fc = self.burst_fc.saturating_add(fc);
        self.leaky_fc = self.leaky_fc.saturating_add(fc);
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct OneSided {
    commanded: Charge,
    /// Measured less commanded, of whole bins.
    error: Charge,
    bin_fc: i64,
    bin_us: u64,
    /// The bin before this one was large enough to count.
    told: bool,
    leak_us: u64,
}

impl OneSided {
    /// With what an earlier run of the device has left, in fC: commanded, and measured less commanded.
    pub(crate) fn resumed(commanded_fc: i64, error_fc: i64) -> Self {
        let left = |leaky_fc| Charge { burst_fc: 0, leaky_fc };
        Self { commanded: left(commanded_fc), error: left(error_fc), ..Self::default() }
    }

    pub(crate) fn begin_burst(&mut self) {
        self.close_bin();
        (self.commanded.burst_fc, self.error.burst_fc) = (0, 0);
    }

    /// So much was commanded, and so much more was measured, within `dt_us`.
    pub(crate) fn account(&mut self, commanded_fc: i64, error_fc: i64, dt_us: u64) {
        self.commanded.add(commanded_fc);
        self.bin_fc = self.bin_fc.saturating_add(error_fc);
        self.bin_us = self.bin_us.saturating_add(dt_us);
        if self.bin_us >= UNTOLD_US {
            self.close_bin();
        }
        self.leak(dt_us);
    }

    fn close_bin(&mut self) {
        self.told = self.is_told();
        if self.told {
            self.error.add(self.bin_fc);
        }
        (self.bin_fc, self.bin_us) = (0, 0);
    }

    fn is_told(&self) -> bool {
        self.bin_fc.saturating_abs() > crate::dose::femtocoulombs(hard::UNTOLD_MC)
    }

    fn leak(&mut self, dt_us: u64) {
        self.leak_us = self.leak_us.saturating_add(dt_us);
        let seconds = self.leak_us / SECOND_US;
        self.leak_us %= SECOND_US;
        for charge in [&mut self.commanded, &mut self.error] {
            if seconds > FORGOTTEN_S {
                charge.leaky_fc = 0;
            }
            for _ in 0..seconds.min(FORGOTTEN_S) {
                charge.leaky_fc -= charge.leaky_fc / LEAK_S as i64;
            }
        }
    }

    /// Of the bin that is being filled.
    fn live_fc(&self) -> i64 {
        if self.told || self.is_told() { self.bin_fc } else { 0 }
    }

    /// The largest of all, with what is still to come of each, in fC.
    pub(crate) fn worst(&self, coming_fc: i64, coming_error_fc: i64) -> i64 {
        let live_fc = self.live_fc();
        let with = |commanded_fc: i64, error_fc: i64| {
            let measured_fc = commanded_fc.saturating_add(error_fc).saturating_add(live_fc);
            [commanded_fc.saturating_add(coming_fc), measured_fc.saturating_add(coming_fc + coming_error_fc)]
        };
        let burst = with(self.commanded.burst_fc, self.error.burst_fc);
        let leaky = with(self.commanded.leaky_fc, self.error.leaky_fc);
        let all = burst.into_iter().chain(leaky);
        all.max_by_key(|fc| fc.saturating_abs()).unwrap_or(0)
    }

    /// What is to be kept through a reset, in fC: see [`OneSided::resumed`].
    pub(crate) fn left(&self) -> (i64, i64) {
        (self.commanded.leaky_fc, self.error.leaky_fc.saturating_add(self.live_fc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// fC in a uC.
    const UC: i64 = 1_000_000_000;

    #[test]
    fn a_past_burst_leaks_to_a_third_in_an_hour_and_is_gone_in_a_day() {
        let mut c = OneSided::default();
        c.account(-900 * UC, 0, 1_000);
        c.begin_burst();
        assert_eq!(c.worst(0, 0), -900 * UC);
        for _ in 0..3_600 {
            c.account(0, 0, SECOND_US);
        }
        assert!((-336 * UC..-326 * UC).contains(&c.worst(0, 0)), "{}", c.worst(0, 0));
        c.account(0, 0, 86_400 * SECOND_US);
        assert_eq!(c.worst(0, 0), 0);
    }

    #[test]
    fn an_error_that_can_be_told_counts_whole_and_one_that_cannot_not_at_all() {
        for (na, counts) in [(1_400, false), (1_600, true), (-9_500, true)] {
            let mut c = OneSided::default();
            for _ in 0..300_000 {
                c.account(0, na * 1_000, 1_000);
            }
            let whole = na * 300 * SECOND_US as i64;
            assert_eq!(c.worst(0, 0), if counts { whole } else { 0 }, "{na} nA");
        }
    }
}

//! What a protocol delivers, reckoned so that the figure tells nothing of the order of conditions.
//!
//! Sources: mean |current| of the limited noise (`noise`), raised-cosine ramps (half their length), sham's 30 s. The
//! dose after n blocks is the largest that n blocks of the protocol can have had: a function of n and of what is public
//! (which conditions there are, and that they are balanced).

use super::protocol::{Condition, Given, PhasePlan, Protocol};
use crate::limits::HostLimits;
use crate::noise::{MEAN_ABS_AFTER_LIMIT, PEAK_SIGMAS, Profile};

/// Zeros behind a burst, and what a device takes to see its end, in s; generous.
const BURST_TAIL_S: f64 = 0.2;

/// A dose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dose {
    /// Time with current, in s.
    pub active_s: f64,
    /// Integral of |current|, in mC.
    pub charge_mc: f64,
}

impl Dose {
    fn plus(self, other: Self) -> Self {
        Self { active_s: self.active_s + other.active_s, charge_mc: self.charge_mc + other.charge_mc }
    }

    fn larger(self, other: Self) -> Self {
        Self { active_s: self.active_s.max(other.active_s), charge_mc: self.charge_mc.max(other.charge_mc) }
    }

    /// What a device counts: it cannot know that a sham's zeros are meant. In s, of the first `blocks` blocks.
    #[must_use]
    pub fn burst_s(protocol: &Protocol, blocks: u32) -> f64 {
        let with_current = protocol.phases.iter().filter(|phase| phase.has_current());
        let done = with_current.filter(|phase| phase.block.is_some_and(|n| n <= blocks));
        done.map(|phase| phase.duration_s + BURST_TAIL_S).sum()
    }

    /// Whether it stays within a session's limits.
    #[must_use]
    pub fn within(&self, limits: &HostLimits) -> bool {
        self.active_s <= limits.active_s && self.charge_mc <= limits.total_charge_mc
    }
}

/// What a block of `phase` has in `condition`.
#[must_use]
pub fn of_block(protocol: &Protocol, phase: &PhasePlan, condition: &Condition) -> Dose {
    let (active_s, ramps_s) = match condition.profile {
        Profile::Sham => {
            // Two ramps of a third of it each.
            let flows_s = Profile::Sham.shape(protocol.ramp_up_s).flows_s();
            (flows_s, flows_s * 2.0 / 3.0)
        }
        Profile::Steep | Profile::Flat => (phase.duration_s, protocol.ramp_up_s + protocol.ramp_down_s),
    };
    let mean_ma = condition.peak_ma / PEAK_SIGMAS * MEAN_ABS_AFTER_LIMIT;
    Dose { active_s, charge_mc: mean_ma * (active_s - 0.5 * ramps_s) }
}

/// The largest that a block of `phase` can have.
#[must_use]
pub fn largest_of_block(protocol: &Protocol, phase: &PhasePlan) -> Dose {
    let of = |condition| of_block(protocol, phase, condition);
    match phase.given {
        Given::Nothing => Dose::default(),
        Given::Condition(place) => protocol.conditions.get(place).map(of).unwrap_or_default(),
        Given::Allocated => protocol.conditions.iter().map(of).fold(Dose::default(), Dose::larger),
    }
}

/// The largest that the first `blocks` blocks can have had. Balanced conditions are taken largest first, each as often
/// as it comes in the whole session.
#[must_use]
pub fn largest_after(protocol: &Protocol, blocks: u32) -> Dose {
    let with_current: Vec<&PhasePlan> = protocol.phases.iter().filter(|phase| phase.has_current()).collect();
    let done = with_current.iter().filter(|phase| phase.block.is_some_and(|n| n <= blocks));
    let allocated = with_current.iter().filter(|phase| phase.given == Given::Allocated).count();
    let conditions = protocol.conditions.len();
    if !protocol.balanced || conditions == 0 || !allocated.is_multiple_of(conditions) {
        return done.map(|phase| largest_of_block(protocol, phase)).fold(Dose::default(), Dose::plus);
    }
    // The longest phase stands for all: they are alike in any balanced protocol, and else the figure errs upwards.
    let longest = with_current.iter().filter(|phase| phase.given == Given::Allocated);
    let longest = longest.max_by(|a, b| a.duration_s.total_cmp(&b.duration_s));
    let mut each: Vec<Dose> = longest.map_or_else(Vec::new, |phase| {
        protocol.conditions.iter().map(|condition| of_block(protocol, phase, condition)).collect()
    });
    each.sort_by(|a, b| b.charge_mc.total_cmp(&a.charge_mc).then(b.active_s.total_cmp(&a.active_s)));
    let mut active: Vec<f64> = each.iter().map(|dose| dose.active_s).collect();
    active.sort_by(|a, b| b.total_cmp(a));
    let often = allocated / conditions;
    let (mut sum, mut n) = (Dose::default(), 0);
    for phase in done {
        if phase.given == Given::Allocated {
            let nth = n / often.max(1);
            // Time and charge each by their own order: the sum bounds both.
            sum = sum.plus(Dose {
                active_s: active.get(nth).copied().unwrap_or_default(),
                charge_mc: each.get(nth).map(|dose| dose.charge_mc).unwrap_or_default(),
            });
            n += 1;
        } else {
            sum = sum.plus(largest_of_block(protocol, phase));
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::tests::{conditions, protocol};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn twelve_balanced_blocks_have_eight_of_five_minutes_and_four_of_thirty_seconds() {
        let protocol = protocol(12);
        let dose = largest_after(&protocol, 12);
        assert!((dose.active_s - (8.0 * 299.0 + 4.0 * 30.0)).abs() < 1e-9, "{dose:?}");
        // 0.5 mA peak has a mean of 0.133 mA: 8 times 290 s and 4 times 20 s of it.
        assert!((dose.charge_mc - 0.133 * 2_400.0).abs() < 2.0, "{dose:?}");
        assert_eq!(largest_after(&protocol, 0), Dose::default());
        let free = Protocol { balanced: false, ..protocol };
        assert!((largest_after(&free, 12).active_s - 12.0 * 299.0).abs() < 1e-9);
    }

    proptest! {
        /// Whatever the order, what was given is never more than what is reckoned.
        #[test]
        fn no_order_gives_more_than_is_reckoned(
            order in Just((0..12usize).map(|n| n % 3).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let protocol = protocol(12);
            let mut given = Dose::default();
            for (n, condition) in (1u32..).zip(order) {
                let phase = &protocol.phases[protocol.place_of(n).unwrap_or_default()];
                given = given.plus(of_block(&protocol, phase, &conditions()[condition]));
                let reckoned = largest_after(&protocol, n);
                prop_assert!(given.active_s <= reckoned.active_s + 1e-9);
                prop_assert!(given.charge_mc <= reckoned.charge_mc + 1e-9);
            }
        }
    }
}

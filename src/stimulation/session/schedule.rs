//! Baseline, blocks and gaps: where in the session a moment lies. A pure function of the time.

/// The plan of a session. All in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Rest before the first block.
    pub baseline_s: f64,
    /// A block, both ramps included.
    pub block_s: f64,
    /// Rest after each block.
    pub gap_s: f64,
    /// How many blocks.
    pub blocks: u32,
    /// The ramp at the end of a block, inside it.
    pub ramp_down_s: f64,
}

use super::protocol::Kind;

/// Where in the plan a moment lies. Blocks count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first block.
    Baseline,
    /// In a block, before its ramp down.
    Block(u32),
    /// In the ramp down of a block.
    Ending(u32),
    /// After a block.
    Gap(u32),
    /// In a phase of a protocol that is no block.
    Part(Kind),
    /// Between two phases of a protocol: something is awaited.
    Waiting,
    /// After the last gap.
    Done,
}

impl Phase {
    /// The phase in a word or two.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Block(_) => "block",
            Self::Ending(_) => "ramp down",
            Self::Gap(_) => "gap",
            Self::Part(kind) => kind.name(),
            Self::Waiting => "waiting",
            Self::Done => "done",
        }
    }
}

impl Schedule {
    /// The whole plan, in seconds.
    #[must_use]
    pub fn total_s(&self) -> f64 {
        self.baseline_s + f64::from(self.blocks) * (self.block_s + self.gap_s)
    }

    /// The phase `elapsed_s` after the start, and the seconds until the next one.
    #[must_use]
    pub fn at(&self, elapsed_s: f64) -> (Phase, f64) {
        if elapsed_s < self.baseline_s || elapsed_s.is_nan() {
            return (Phase::Baseline, self.baseline_s - elapsed_s);
        }
        let period_s = self.block_s + self.gap_s;
        let since_s = elapsed_s - self.baseline_s;
        let done = (since_s / period_s).floor();
        if done >= f64::from(self.blocks) || period_s <= 0.0 {
            return (Phase::Done, f64::INFINITY);
        }
        let block = done as u32 + 1;
        let within_s = since_s - done * period_s;
        let steady_s = self.block_s - self.ramp_down_s;
        if within_s < steady_s {
            (Phase::Block(block), steady_s - within_s)
        } else if within_s < self.block_s {
            (Phase::Ending(block), self.block_s - within_s)
        } else {
            (Phase::Gap(block), period_s - within_s)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAN: Schedule =
        Schedule { baseline_s: 10.0, block_s: 40.0, gap_s: 30.0, blocks: 2, ramp_down_s: 5.0 };

    #[test]
    fn walks_through_the_plan_once() {
        let phases = [0.0, 9.9, 10.0, 44.9, 45.0, 50.0, 79.9, 80.0, 149.0, 150.0].map(|t| PLAN.at(t).0);
        use Phase::*;
        assert_eq!(
            phases,
            [Baseline, Baseline, Block(1), Block(1), Ending(1), Gap(1), Gap(1), Block(2), Gap(2), Done]
        );
        assert_eq!(PLAN.total_s(), 150.0);
    }

    proptest! {
        #[test]
        fn the_countdown_ends_where_the_next_phase_begins(t in 0.0..149.9f64) {
            let (phase, left_s) = PLAN.at(t);
            prop_assert!(left_s > 0.0);
            prop_assert_eq!(PLAN.at(t + left_s * 0.999).0, phase);
            prop_assert_ne!(PLAN.at(t + left_s + 1e-6).0, phase);
        }
    }
}

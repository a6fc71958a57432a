//! Whether somebody set the wall clock: its distance from the run's clock, which nobody can set.

use crate::session::moment::Moment;

/// A change of the distance that is told. A clock that a time server slews by 500 ppm gets there in 8 min, which is
/// told as well; what remains untold is less than this.
const TOLD_FROM_S: f64 = 0.25;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// Since the last one that was told.
    pub step_s: f64,
    /// Since the log was begun.
    pub total_s: f64,
}

/// What the wall clock was when it was last told about.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    first_s: f64,
    told_s: f64,
}

impl WallClock {
    pub(super) fn new(at: Moment) -> Self {
        let ahead_s = at.unix_s - at.run_s;
        Self { first_s: ahead_s, told_s: ahead_s }
    }

    /// A step that is to be told.
    pub(super) fn look(&mut self, at: Moment) -> Option<Step> {
        let ahead_s = at.unix_s - at.run_s;
        let step_s = ahead_s - self.told_s;
        if step_s.abs() < TOLD_FROM_S {
            return None;
        }
        self.told_s = ahead_s;
        Some(Step { step_s, total_s: ahead_s - self.first_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_steps_and_slow_drifts_once() {
        let mut clock = WallClock::new(Moment { unix_s: 1_000.0, run_s: 10.0 });
        assert_eq!(clock.look(Moment { unix_s: 1_005.1, run_s: 15.0 }), None);
        let back = clock.look(Moment { unix_s: 906.0, run_s: 16.0 });
        assert_eq!(back, Some(Step { step_s: -100.0, total_s: -100.0 }));
        assert_eq!(clock.look(Moment { unix_s: 907.0, run_s: 17.0 }), None);
        // 0.01 s in each second: told before it is much.
        let drift: Vec<Step> = (0..60)
            .filter_map(|n| {
                clock.look(Moment { unix_s: 907.0 + f64::from(n) * 1.01, run_s: 17.0 + f64::from(n) })
            })
            .collect();
        assert_eq!(drift.len(), 2);
        assert!(drift.iter().all(|step| (step.step_s - 0.25).abs() < 0.011), "{drift:?}");
    }
}

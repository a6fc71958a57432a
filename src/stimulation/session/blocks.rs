//! The plainest course: a [`Schedule`] of equal blocks, one burst in each.

use super::{
    course::{Course, Data, Moment, Step, Want},
    schedule::{Phase, Schedule},
};

/// A schedule on its way.
#[derive(Clone, Debug)]
pub struct Blocks {
    schedule: Schedule,
    began_s: Option<f64>,
    phase: Phase,
    /// No burst may begin any more.
    ended: bool,
    /// The present block is given up; the next one may begin.
    given_up: bool,
}

impl Blocks {
    /// A schedule that has not begun.
    #[must_use]
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, began_s: None, phase: Phase::Baseline, ended: false, given_up: false }
    }
}

impl Course for Blocks {
    fn begin(&mut self, now_s: f64) -> (Phase, f64) {
        self.began_s = Some(now_s);
        (self.phase, self.schedule.at(0.0).1)
    }

    fn follow(&mut self, moment: &Moment) -> Step {
        let Some(began_s) = self.began_s else { return Step::default() };
        let mut step = Step::default();
        let (phase, left_s) = self.schedule.at(moment.now_s - began_s);
        let entered = phase != self.phase;
        if entered {
            self.phase = phase;
            self.given_up = false;
            step.entered = Some((phase, left_s));
        }
        if self.ended {
            return step;
        }
        match (phase, moment.data) {
            (Phase::Block(_), Data::Fresh) => step.want = entered.then_some(Want::Start),
            // Given up as a whole: a burst that came back half-way would be neither the protocol's dose nor
            // something the participant expects.
            (Phase::Block(_), why) if !self.given_up => {
                self.given_up = true;
                step.gave_up = Some(why);
                step.want = Some(Want::Stop);
            }
            (Phase::Ending(_), _) => step.want = entered.then_some(Want::Finish),
            _ => {}
        }
        step
    }

    fn end(&mut self) {
        self.ended = true;
    }

    fn phase(&self) -> Phase {
        self.phase
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Schedule =
        Schedule { baseline_s: 2.0, block_s: 8.0, gap_s: 4.0, blocks: 2, ramp_down_s: 3.0 };

    fn wants(lost: std::ops::Range<f64>, end_s: f64) -> Vec<(f64, Want)> {
        let mut course = Blocks::new(PLAN);
        assert_eq!(course.begin(100.0), (Phase::Baseline, 2.0));
        let mut wants = Vec::new();
        for turn in 0..60 {
            let at_s = f64::from(turn) * 0.5;
            if at_s >= end_s {
                course.end();
            }
            let data = if lost.contains(&at_s) { Data::Lost } else { Data::Fresh };
            wants.extend(course.follow(&Moment { now_s: 100.0 + at_s, data }).want.map(|want| (at_s, want)));
        }
        assert!(course.done());
        wants
    }

    #[test]
    fn each_block_has_one_burst() {
        use Want::*;
        assert_eq!(wants(0.0..0.0, 99.0), [(2.0, Start), (7.0, Finish), (14.0, Start), (19.0, Finish)]);
    }

    #[test]
    fn a_block_without_data_is_given_up_as_a_whole() {
        use Want::*;
        let expected = [(2.0, Start), (4.0, Stop), (7.0, Finish), (14.0, Start), (19.0, Finish)];
        assert_eq!(wants(4.0..5.0, 99.0), expected);
        // A block that data come to late is none.
        assert_eq!(wants(1.0..3.0, 99.0).first(), Some(&(2.0, Stop)));
    }

    #[test]
    fn after_the_end_nothing_is_asked_for() {
        assert_eq!(wants(0.0..0.0, 3.0), [(2.0, Want::Start)]);
    }
}

//! Which trial comes next: pure, driven by what the page asks and tells.
//!
//! Glossary: *under way* is a trial that was given to the page and has no result yet; *broken* one that will have
//! none, because the page was loaded anew or the program ended meanwhile. A broken trial is never repeated.

use tras_scoring::design::Planned;

/// One trial of the list: planned, and whether it only serves practice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What is shown.
    pub planned: Planned,
    /// Not counted.
    pub practice: bool,
}

/// What the page does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Show the trial of this number in the list.
    Trial(usize),
    /// Practice is over.
    PracticeOver,
    /// A break after so many blocks of so many.
    Break {
        /// Blocks that are done.
        done: usize,
        /// Blocks in all.
        of: usize,
    },
    /// The block's time has not come.
    Wait,
    /// All trials are done.
    End,
}

/// Where a task stands.
#[derive(Clone, Debug)]
pub struct Progress {
    list: Vec<Listed>,
    at: usize,
    under_way: Option<usize>,
    rested: bool,
    /// The last block that may begin.
    allowed: usize,
    /// The last block whose time is over.
    closed: usize,
}

impl Progress {
    /// A task whose first `done` trials have their results; all blocks may begin.
    #[must_use]
    pub fn new(list: Vec<Listed>, done: usize) -> Self {
        // Who resumes begins without a break.
        Self { list, at: done, under_way: None, rested: true, allowed: usize::MAX, closed: 0 }
    }

    /// Lets blocks up to `block` begin, and no later ones.
    pub fn allow(&mut self, block: usize) {
        self.allowed = block;
    }

    /// The time of blocks up to `block` is over: what they have not shown is not shown any more.
    pub fn close(&mut self, block: usize) {
        self.closed = self.closed.max(block);
    }

    /// The next trial whose block is over before it was shown, if there is one; practice belongs to the first block.
    pub fn passed_over(&mut self) -> Option<usize> {
        let trial = self.at;
        let over = self.list.get(trial).is_some_and(|next| next.planned.block <= self.closed);
        if self.under_way.is_some() || self.closed == 0 || !over {
            return None;
        }
        self.at += 1;
        Some(trial)
    }

    /// The list.
    #[must_use]
    pub fn list(&self) -> &[Listed] {
        &self.list
    }

    fn blocks(&self) -> usize {
        self.list.iter().map(|l| l.planned.block).max().unwrap_or(0)
    }

    /// What comes next. A trial that is still under way stays so: call [`Progress::broken`] first.
    pub fn upcoming(&mut self) -> Next {
        let Some(next) = self.list.get(self.at) else { return Next::End };
        let before = self.at.checked_sub(1).and_then(|k| self.list.get(k));
        let (block, practice) = (next.planned.block, next.practice);
        if !practice && block > self.allowed {
            return Next::Wait;
        }
        if let Some(before) = before.filter(|_| !self.rested) {
            if before.practice && !practice {
                return Next::PracticeOver;
            }
            if before.planned.block != block {
                return Next::Break { done: before.planned.block, of: self.blocks() };
            }
        }
        self.under_way = Some(self.at);
        self.rested = false;
        Next::Trial(self.at)
    }

    /// The participant goes on after a break.
    pub fn rested(&mut self) {
        self.rested = true;
    }

    /// The trial under way has its result. Whether it ended its block; `None` for a trial that is not under way.
    pub fn done(&mut self, trial: usize) -> Option<bool> {
        if self.under_way != Some(trial) {
            return None;
        }
        self.under_way = None;
        self.at = trial + 1;
        let own = self.list.get(trial)?;
        let last = self
            .list
            .get(self.at)
            .is_none_or(|next| next.planned.block != own.planned.block || next.practice != own.practice);
        Some(last && !own.practice)
    }

    /// The trial that was under way, which is broken now; the next one will follow it. Whether it ended its block.
    pub fn broken(&mut self) -> Option<(usize, bool)> {
        let trial = self.under_way?;
        let ended = self.done(trial)?;
        // Who comes back reads that the task goes on, which is rest enough.
        self.rested = true;
        Some((trial, ended))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn list() -> Vec<Listed> {
        let one = |block, trial, practice| Listed {
            planned: Planned { block, trial, places: vec![0], features_deg: vec![0], probe: 0, wheel_deg: 0 },
            practice,
        };
        vec![one(0, 1, true), one(1, 1, false), one(1, 2, false), one(2, 1, false)]
    }

    #[test]
    fn practice_blocks_breaks_and_the_end() {
        let mut p = Progress::new(list(), 0);
        assert_eq!(p.upcoming(), Next::Trial(0));
        assert_eq!(p.done(0), Some(false));
        assert_eq!((p.upcoming(), p.upcoming()), (Next::PracticeOver, Next::PracticeOver));
        p.rested();
        assert_eq!(p.upcoming(), Next::Trial(1));
        assert_eq!((p.done(7), p.done(1), p.done(1)), (None, Some(false), None));
        assert_eq!(p.upcoming(), Next::Trial(2));
        assert_eq!(p.done(2), Some(true));
        assert_eq!(p.upcoming(), Next::Break { done: 1, of: 2 });
        p.rested();
        assert_eq!(p.upcoming(), Next::Trial(3));
        assert_eq!(p.done(3), Some(true));
        assert_eq!(p.upcoming(), Next::End);
    }

    #[test]
    fn a_reload_breaks_the_trial_under_way_and_goes_on_with_the_next() {
        let mut p = Progress::new(list(), 0);
        assert_eq!(p.broken(), None);
        let _ = p.upcoming();
        p.done(0);
        p.rested();
        let _ = p.upcoming();
        assert_eq!(p.broken(), Some((1, false)));
        assert_eq!(p.upcoming(), Next::Trial(2));
        assert_eq!(p.broken(), Some((2, true)));
        assert_eq!(p.upcoming(), Next::Trial(3));
    }

    #[test]
    fn what_a_closed_block_has_not_shown_is_passed_over_but_not_the_trial_under_way() {
        let mut p = Progress::new(list(), 0);
        assert_eq!(p.passed_over(), None);
        p.done(0);
        let _ = p.upcoming();
        p.close(1);
        assert_eq!((p.passed_over(), p.done(0)), (None, Some(false)), "it is under way");
        assert_eq!((p.passed_over(), p.passed_over(), p.passed_over()), (Some(1), Some(2), None));
        p.rested();
        assert_eq!(p.upcoming(), Next::Trial(3));
    }

    #[test]
    fn a_block_waits_for_its_time() {
        let mut p = Progress::new(list(), 3);
        p.allow(1);
        assert_eq!(p.upcoming(), Next::Wait);
        p.allow(2);
        assert_eq!(p.upcoming(), Next::Trial(3));
    }
}

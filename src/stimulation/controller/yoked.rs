//! The decisions of another session, at the same moments of the same blocks: the control for a closed loop.
//!
//! The list comes from that session's recording, once its audit log has been verified; that is the assembly's affair.

use super::{Law, Wish};
use tras_estimator::Estimate;

/// A decision of the other session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replayed {
    /// Its block, from 1.
    pub block: u32,
    /// From the block's begin, in s.
    pub at_s: f64,
    /// What was decided.
    pub wish: Wish,
}

/// The law.
pub struct Yoked {
    /// By block and time.
    list: Vec<Replayed>,
    next: usize,
    block: u32,
    began_s: f64,
}

impl Yoked {
    /// Replays `list`, in any order.
    #[must_use]
    pub fn new(mut list: Vec<Replayed>) -> Self {
        list.sort_by(|a, b| a.block.cmp(&b.block).then(a.at_s.total_cmp(&b.at_s)));
        let next = list.len();
        Self { list, next, block: 0, began_s: 0.0 }
    }

    fn due(&mut self, since_s: f64) -> Option<Wish> {
        let mut wish = None;
        while let Some(replayed) =
            self.list.get(self.next).filter(|r| r.block == self.block && r.at_s <= since_s)
        {
            wish = Some(replayed.wish);
            self.next += 1;
        }
        wish
    }
}

impl Law for Yoked {
    fn name(&self) -> &'static str {
        "yoked"
    }

    /// A block that the other session has no decision for has no current.
    fn begin(&mut self, block: u32, now_s: f64) -> Option<Wish> {
        (self.block, self.began_s) = (block, now_s);
        self.next = self.list.iter().position(|r| r.block == block).unwrap_or(self.list.len());
        Some(self.due(0.0).unwrap_or(Wish { exponent: 1.0, amplitude: 0.0, flow: false }))
    }

    fn update(&mut self, _estimate: &Estimate) -> Option<Wish> {
        None
    }

    fn pass(&mut self, now_s: f64) -> Option<Wish> {
        self.due(now_s - self.began_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_each_block_what_the_other_session_had_in_it() {
        let replayed = |block, at_s, exponent| Replayed { block, at_s, wish: Wish::of(exponent) };
        let mut law = Yoked::new(vec![
            replayed(2, 40.0, 1.6),
            replayed(2, 0.0, 1.5),
            replayed(1, 0.0, 1.0),
            replayed(2, 41.0, 1.7),
        ]);
        assert_eq!(law.begin(2, 500.0), Some(Wish::of(1.5)));
        assert_eq!((law.pass(539.0), law.pass(542.0), law.pass(543.0)), (None, Some(Wish::of(1.7)), None));
        assert_eq!(law.begin(1, 900.0), Some(Wish::of(1.0)));
        assert_eq!(law.pass(1_300.0), None, "nothing of another block");
        assert!(law.begin(3, 0.0).is_some_and(|w| !w.flow));
    }
}

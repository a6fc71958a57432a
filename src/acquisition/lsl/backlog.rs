//! What waits after a stall of the reader: the newest samples are kept, the rest is counted.
//!
//! A ring of fixed size is filled from the inlet until that is empty. What does not fit pushes out the
//! oldest, and is counted, so that received and skipped samples always add up to those sent.

/// The newest samples of a stall, on their way out.
pub(super) struct Backlog {
    values: Vec<f64>,
    stamps_s: Vec<f64>,
    width: usize,
    /// Place of the oldest kept, and how many are still to hand out.
    oldest: usize,
    left: usize,
}

impl Backlog {
    /// Keeps at most `keep` samples of `width` channels, both at least 1.
    pub(super) fn new(keep: usize, width: usize) -> Self {
        let (keep, width) = (keep.max(1), width.max(1));
        Self { values: vec![0.0; keep * width], stamps_s: vec![0.0; keep], width, oldest: 0, left: 0 }
    }

    /// Takes samples from `pull` (which fills a slot and returns its stamp) until it has none or `most` were
    /// taken; how many were skipped to make room.
    pub(super) fn refill(&mut self, most: u64, mut pull: impl FnMut(&mut [f64]) -> Option<f64>) -> u64 {
        let keep = self.stamps_s.len();
        let mut skipped = 0;
        for _ in 0..most {
            // The place after the newest; with a full ring that of the oldest, which a pull that finds
            // nothing leaves as it is (liblsl writes only where there is a sample).
            let at = (self.oldest + self.left) % keep;
            let Some(slot) = self.values.get_mut(at * self.width..(at + 1) * self.width) else { break };
            let (Some(stamp_s), Some(stamp)) = (pull(slot), self.stamps_s.get_mut(at)) else { break };
            *stamp = stamp_s;
            if self.left == keep {
                self.oldest = (self.oldest + 1) % keep;
                skipped += 1;
            } else {
                self.left += 1;
            }
        }
        skipped
    }

    /// Hands out the oldest kept sample and its stamp.
    pub(super) fn pop(&mut self, slot: &mut [f64]) -> Option<f64> {
        if self.left == 0 || slot.len() != self.width {
            return None;
        }
        slot.copy_from_slice(self.values.get(self.oldest * self.width..(self.oldest + 1) * self.width)?);
        let stamp_s = *self.stamps_s.get(self.oldest)?;
        self.oldest = (self.oldest + 1) % self.stamps_s.len();
        self.left -= 1;
        Some(stamp_s)
    }

    /// Throws all away; how many samples that was.
    pub(super) fn clear(&mut self) -> u64 {
        std::mem::take(&mut self.left) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Stalls of any length, and readers that take any number in between: what comes out is in order,
        /// the newest of what waited, and the counts add up.
        #[test]
        fn newest_kept_rest_counted(keep in 1usize..20, stalls in prop::collection::vec((0u32..60, 0usize..30), 1..20)) {
            let mut backlog = Backlog::new(keep, 2);
            let (mut sent, mut skipped, mut read, mut last) = (0u32, 0u64, 0u64, -1.0);
            for (waiting, take) in stalls {
                let end = sent + waiting;
                skipped += backlog.refill(1000, |slot| {
                    (sent < end).then(|| {
                        slot.fill(f64::from(sent));
                        sent += 1;
                        f64::from(sent - 1)
                    })
                });
                prop_assert!(backlog.left <= keep);
                let mut slot = [0.0; 2];
                for _ in 0..take {
                    let Some(stamp) = backlog.pop(&mut slot) else { break };
                    prop_assert!(stamp > last && slot == [stamp; 2]);
                    (last, read) = (stamp, read + 1);
                }
                prop_assert_eq!(read + skipped + backlog.left as u64, u64::from(sent));
            }
        }
    }
}

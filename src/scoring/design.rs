//! Trial lists for delayed estimation, made from a seed before the first trial is shown.
//!
//! Items stand on some of the evenly spaced places of a ring and have feature angles (colour or orientation) in
//! whole degrees that keep a minimum distance. Whatever the design, the probed place is balanced for each load, and
//! the wheel of responses is turned at random.

use crate::stream::Streams;

/// In which order loads come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Every load equally often in every block, shuffled.
    Balanced,
    /// Every load equally often in every block, in runs of one load, the runs shuffled.
    Runs,
    /// Every trial's load drawn for itself.
    Random,
}

/// The names of the orders, as a configuration writes them.
pub const ORDERS: [(&str, Order); 3] =
    [("balanced", Order::Balanced), ("runs", Order::Runs), ("random", Order::Random)];

/// What to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// In which order loads come.
    pub order: Order,
    /// The loads.
    pub loads: Vec<usize>,
    /// How many blocks.
    pub blocks: usize,
    /// Trials of each block.
    pub trials_per_block: usize,
    /// Evenly spaced places on the ring.
    pub places: usize,
    /// Smallest distance of two items' features, whole degrees.
    pub min_distance_deg: usize,
}

/// One trial before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Block, from 1.
    pub block: usize,
    /// Trial of the block, from 1.
    pub trial: usize,
    /// Each item's place on the ring, 0 at the right, counter-clockwise.
    pub places: Vec<usize>,
    /// Each item's feature, degrees.
    pub features_deg: Vec<usize>,
    /// Which item is probed: an index into both.
    pub probe: usize,
    /// How far the response wheel is turned, degrees.
    pub wheel_deg: usize,
}

impl Planned {
    /// The probed feature, degrees.
    #[must_use]
    pub fn target_deg(&self) -> usize {
        self.features_deg.get(self.probe).copied().unwrap_or_default()
    }

    /// The other features, degrees.
    pub fn nontargets_deg(&self) -> impl Iterator<Item = usize> {
        self.features_deg.iter().enumerate().filter(|(k, _)| *k != self.probe).map(|(_, f)| *f)
    }
}

impl Design {
    /// Whether the design can be made.
    ///
    /// # Errors
    /// Names the number that is wrong and what it may be.
    pub fn check(&self) -> Result<(), String> {
        let largest = self.loads.iter().copied().max().unwrap_or(0);
        if self.loads.is_empty() || self.loads.contains(&0) || largest > 8 {
            return Err(format!("loads {:?}: give one or more, each 1 to 8", self.loads));
        }
        if self.loads.iter().enumerate().any(|(k, l)| self.loads.iter().take(k).any(|other| other == l)) {
            return Err(format!("loads {:?}: one stands twice", self.loads));
        }
        if !(largest..=12).contains(&self.places) {
            return Err(format!("places {}: must be {largest} (the largest load) to 12", self.places));
        }
        if self.blocks == 0
            || self.blocks > 100
            || self.trials_per_block == 0
            || self.trials_per_block > 2_000
        {
            return Err(format!(
                "{} blocks of {} trials: must be 1 to 100 of 1 to 2000",
                self.blocks, self.trials_per_block
            ));
        }
        if self.order != Order::Random && !self.trials_per_block.is_multiple_of(self.loads.len()) {
            return Err(format!(
                "{} trials in a block cannot hold {} loads equally often: take a multiple of {}",
                self.trials_per_block,
                self.loads.len(),
                self.loads.len()
            ));
        }
        // Half the circle is left to chance, or features would be all but fixed by their neighbours.
        if self.min_distance_deg * largest > 180 {
            return Err(format!(
                "minimum distance {} degrees with {largest} items: must be up to {}",
                self.min_distance_deg,
                180 / largest
            ));
        }
        Ok(())
    }

    /// Makes every trial. The same design and seed give the same trials.
    ///
    /// # Errors
    /// As [`Design::check`].
    pub fn make(&self, seed: u64) -> Result<Vec<Planned>, String> {
        self.check()?;
        let streams = Streams::new(seed, &["trials"]);
        let mut stream = streams.replicate(0);
        let mut made = Vec::with_capacity(self.blocks * self.trials_per_block);
        // One deck of places for each load, dealt on over the blocks: probed places stay balanced throughout.
        let mut decks: Vec<Vec<usize>> = vec![Vec::new(); self.loads.len()];
        for block in 1..=self.blocks {
            let which: Vec<usize> = match self.order {
                Order::Random => (0..self.trials_per_block).map(|_| stream.below(self.loads.len())).collect(),
                Order::Balanced => {
                    let mut all: Vec<usize> =
                        (0..self.trials_per_block).map(|k| k % self.loads.len()).collect();
                    stream.shuffle(&mut all);
                    all
                }
                Order::Runs => {
                    let mut runs: Vec<usize> = (0..self.loads.len()).collect();
                    stream.shuffle(&mut runs);
                    let each = self.trials_per_block / self.loads.len();
                    runs.into_iter().flat_map(|run| std::iter::repeat_n(run, each)).collect()
                }
            };
            for (trial, which) in (1..).zip(which) {
                let (Some(load), Some(deck)) = (self.loads.get(which), decks.get_mut(which)) else {
                    continue;
                };
                if deck.is_empty() {
                    deck.extend(0..self.places);
                    stream.shuffle(deck);
                }
                let probed = deck.pop().unwrap_or_default();
                let mut others: Vec<usize> = (0..self.places).filter(|p| *p != probed).collect();
                stream.shuffle(&mut others);
                let mut places: Vec<usize> = others.into_iter().take(load - 1).collect();
                let probe = stream.below(*load);
                places.insert(probe, probed);
                made.push(Planned {
                    block,
                    trial,
                    places,
                    features_deg: features(*load, self.min_distance_deg, &mut stream),
                    probe,
                    wheel_deg: stream.below(360),
                });
            }
        }
        Ok(made)
    }
}

/// `count` whole degrees, each at least `apart` from the others on the circle: the gaps' excess over `apart` is cut
/// at random, then the whole is turned at random.
fn features(count: usize, apart: usize, stream: &mut crate::stream::Stream) -> Vec<usize> {
    let excess = 360 - apart * count;
    let mut cuts: Vec<usize> = (1..count).map(|_| stream.below(excess + 1)).collect();
    cuts.sort_unstable();
    let turn = stream.below(360);
    let mut angles: Vec<usize> =
        std::iter::once(0).chain(cuts).enumerate().map(|(k, cut)| (turn + k * apart + cut) % 360).collect();
    stream.shuffle(&mut angles);
    angles
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::angle::distance;

    fn design(order: Order) -> Design {
        Design { order, loads: vec![3, 5], blocks: 4, trials_per_block: 60, places: 8, min_distance_deg: 20 }
    }

    #[test]
    fn loads_and_probed_places_are_balanced_and_items_keep_their_distance() {
        for order in [Order::Balanced, Order::Runs, Order::Random] {
            let trials = design(order).make(5).unwrap();
            assert_eq!(trials.len(), 240);
            for t in &trials {
                assert_eq!(t.places.len(), t.features_deg.len());
                let mut places = t.places.clone();
                places.sort_unstable();
                places.dedup();
                assert_eq!(places.len(), t.places.len());
                for (k, a) in t.features_deg.iter().enumerate() {
                    for b in &t.features_deg[..k] {
                        assert!(distance(*a as f64 - *b as f64) >= 20, "{t:?}");
                    }
                }
                assert_eq!(t.nontargets_deg().count(), t.places.len() - 1);
            }
            for load in [3, 5] {
                let of = |block: usize| {
                    trials.iter().filter(|t| t.block == block && t.places.len() == load).count()
                };
                if order != Order::Random {
                    assert!((1..=4).all(|b| of(b) == 30), "{order:?}");
                }
                let mut probed = [0_i32; 8];
                trials.iter().filter(|t| t.places.len() == load).for_each(|t| probed[t.places[t.probe]] += 1);
                assert!(probed.iter().max().unwrap() - probed.iter().min().unwrap() <= 1, "{probed:?}");
            }
        }
        let runs = design(Order::Runs).make(5).unwrap();
        assert!(runs[..30].iter().all(|t| t.places.len() == runs[0].places.len()));
    }

    #[test]
    fn the_seed_makes_the_trials() {
        let make = |seed| design(Order::Balanced).make(seed).unwrap();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn targets_cover_the_circle() {
        let many = Design { blocks: 50, ..design(Order::Balanced) }.make(3).unwrap();
        let mut sectors = [0; 12];
        many.iter().for_each(|t| sectors[t.target_deg() / 30] += 1);
        assert!(sectors.iter().all(|n| (180..320).contains(n)), "{sectors:?}");
    }

    #[test]
    fn designs_that_cannot_be_made_are_refused_by_their_number() {
        let complaint = |change: fn(&mut Design)| {
            let mut wrong = design(Order::Balanced);
            change(&mut wrong);
            wrong.make(1).unwrap_err()
        };
        assert!(complaint(|d| d.loads = vec![9]).contains("1 to 8"));
        assert!(complaint(|d| d.loads = vec![3, 3]).contains("twice"));
        assert!(complaint(|d| d.places = 4).contains("places 4"));
        assert!(complaint(|d| d.trials_per_block = 61).contains("multiple of 2"));
        assert!(complaint(|d| d.min_distance_deg = 40).contains("up to 36"));
        assert!(complaint(|d| d.blocks = 0).contains("0 blocks"));
    }
}

//! Whether participants could tell their condition: Bang's index for each condition and James' over all.
//!
//! * **Bang** (Bang, Ni & Davis 2004): of a condition's n guesses c are right, w wrong, the rest "don't know". For two
//!   conditions (2 c/(c + w) - 1) (c + w)/n = (c - w)/n. For K conditions a guess is right by chance in 1 of K, so
//!   (K c/(c + w) - 1)/(K - 1) (c + w)/n = (c - w/(K - 1))/n: 1 where all are right, 0 by chance, -1/(K - 1) where all
//!   are wrong.
//! * **James** (James et al. 1996): 1 where all are "don't know", 0.5 by chance, 0 where all are right. With D the share
//!   of "don't know", A the observed share of wrong guesses and B what the margins make of it by chance, its weighted
//!   kappa comes to D + A (1 - D)^2 / (2 B), whatever the weight of a wrong guess.
//!
//! Standard errors treat guesses as independent (multinomial, delta method), which those of one participant are not: the
//! intervals to trust are [`bootstrap`]'s, which draws participants.

/// Guesses of one or more participants: `[condition][guess]`, with "don't know" behind the conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guesses {
    counts: Vec<Vec<u64>>,
}

/// A figure with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// The figure; NaN where there is nothing to reckon it from.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
}

impl Index {
    const NONE: Self = Self { value: f64::NAN, se: f64::NAN };
}

impl Guesses {
    /// None yet, for so many conditions.
    #[must_use]
    pub fn new(conditions: usize) -> Self {
        Self { counts: vec![vec![0; conditions + 1]; conditions] }
    }

    /// From counts `[condition][guess]`, "don't know" last. `None` where that is no such table.
    #[must_use]
    pub fn from_counts(counts: Vec<Vec<u64>>) -> Option<Self> {
        let conditions = counts.len();
        (conditions >= 2 && counts.iter().all(|row| row.len() == conditions + 1)).then_some(Self { counts })
    }

    /// Counts a guess; `None` is "don't know". What is out of range is left out.
    pub fn add(&mut self, condition: usize, guess: Option<usize>) {
        let unknown = self.counts.len();
        let column = guess.map_or(unknown, |guess| if guess < unknown { guess } else { usize::MAX });
        if let Some(count) = self.counts.get_mut(condition).and_then(|row| row.get_mut(column)) {
            *count += 1;
        }
    }

    /// Adds those of another table of as many conditions.
    pub fn add_all(&mut self, other: &Self) {
        for (row, more) in self.counts.iter_mut().zip(&other.counts) {
            row.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        }
    }

    /// How many conditions.
    #[must_use]
    pub fn conditions(&self) -> usize {
        self.counts.len()
    }

    /// `[condition][guess]`, "don't know" last.
    #[must_use]
    pub fn counts(&self) -> &[Vec<u64>] {
        &self.counts
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    /// Bang's index of a condition.
    #[must_use]
    pub fn bang(&self, condition: usize) -> Index {
        let Some(row) = self.counts.get(condition) else { return Index::NONE };
        let n = row.iter().sum::<u64>() as f64;
        if n == 0.0 || self.counts.len() < 2 {
            return Index::NONE;
        }
        let others = self.counts.len() as f64 - 1.0;
        let right = row.get(condition).map_or(0.0, |&count| count as f64) / n;
        let unknown = row.last().map_or(0.0, |&count| count as f64) / n;
        let wrong = 1.0 - right - unknown;
        let value = right - wrong / others;
        let variance = (right + wrong / (others * others) - value * value) / n;
        Index { value, se: variance.max(0.0).sqrt() }
    }

    /// James' index.
    #[must_use]
    pub fn james(&self) -> Index {
        let n = self.total() as f64;
        if n == 0.0 {
            return Index::NONE;
        }
        let count = self.counts.len();
        let share = |i: usize, j: usize| {
            self.counts.get(i).and_then(|row| row.get(j)).map_or(0.0, |&count| count as f64 / n)
        };
        let rows: Vec<f64> = (0..count).map(|i| (0..count).map(|j| share(i, j)).sum()).collect();
        let columns: Vec<f64> = (0..count).map(|j| (0..count).map(|i| share(i, j)).sum()).collect();
        let (row_sum, column_sum) = (rows.iter().sum::<f64>(), columns.iter().sum::<f64>());
        let unknown: f64 = (0..count).map(|i| share(i, count)).sum();
        let guessed = 1.0 - unknown;
        let right: f64 = (0..count).map(|i| share(i, i)).sum();
        let observed = row_sum - right;
        let expected = row_sum * column_sum - rows.iter().zip(&columns).map(|(r, c)| r * c).sum::<f64>();
        if expected <= 0.0 {
            // Nobody guessed, or all of one condition guessed that: nothing to hold it against.
            let value = if row_sum == 0.0 { 1.0 } else { f64::NAN };
            return Index { value, se: f64::NAN };
        }
        let value = unknown + observed * guessed * guessed / (2.0 * expected);
        // The gradient by each share, and its variance under the multinomial.
        let (mut mean, mut square) = (0.0, 0.0);
        let mut take = |share: f64, slope: f64| {
            mean += share * slope;
            square += share * slope * slope;
        };
        for i in 0..count {
            take(share(i, count), 1.0 - observed * guessed / expected);
            for j in 0..count {
                let by_expected = (column_sum - columns.get(i).copied().unwrap_or(0.0))
                    + (row_sum - rows.get(j).copied().unwrap_or(0.0));
                let wrong = if i == j { 0.0 } else { 1.0 };
                let half = guessed * guessed / (2.0 * expected);
                take(share(i, j), half * (wrong - observed / expected * by_expected));
            }
        }
        Index { value, se: ((square - mean * mean).max(0.0) / n).sqrt() }
    }
}

/// Intervals by drawing participants with replacement: percentiles, at 95 %.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    /// Of Bang's index, for each condition.
    pub bang: Vec<[f64; 2]>,
    /// Of James'.
    pub james: [f64; 2],
}

/// Draws participants `draws` times. `below` gives a number below its argument, each as likely. `None` with fewer than
/// two participants: nothing is known of how they differ.
#[must_use]
pub fn bootstrap(
    participants: &[Guesses],
    draws: usize,
    below: &mut dyn FnMut(usize) -> usize,
) -> Option<Intervals> {
    let first = participants.first().filter(|_| participants.len() > 1)?;
    let conditions = first.conditions();
    let mut bang: Vec<Vec<f64>> = vec![Vec::with_capacity(draws); conditions];
    let mut james = Vec::with_capacity(draws);
    for _ in 0..draws {
        let mut drawn = Guesses::new(conditions);
        for _ in participants {
            if let Some(one) = participants.get(below(participants.len())) {
                drawn.add_all(one);
            }
        }
        for (condition, values) in bang.iter_mut().enumerate() {
            values.push(drawn.bang(condition).value);
        }
        james.push(drawn.james().value);
    }
    Some(Intervals { bang: bang.iter_mut().map(middle).collect(), james: middle(&mut james) })
}

/// The middle 95 %, between neighbours linearly.
fn middle(values: &mut Vec<f64>) -> [f64; 2] {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| {
        let place = share * values.len().saturating_sub(1) as f64;
        let (low, part) = (place.floor() as usize, place.fract());
        match (values.get(low), values.get(low + 1)) {
            (Some(low), Some(high)) => low + part * (high - low),
            (Some(low), None) => *low,
            _ => f64::NAN,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn close(index: Index, value: f64, se: f64) {
        assert!((index.value - value).abs() < 5e-9 && (index.se - se).abs() < 5e-9, "{index:?}");
    }

    #[test]
    fn two_conditions_give_the_published_figures() {
        // As the R package BI gives them.
        let guesses = Guesses::from_counts(vec![vec![82, 25, 170], vec![27, 29, 83]]).unwrap();
        close(guesses.james(), 0.747_927_54, 0.021_737_40);
        close(guesses.bang(0), 0.205_776_17, 0.035_237_09);
        close(guesses.bang(1), 0.014_388_49, 0.053_822_96);
    }

    #[test]
    fn three_conditions_have_the_ends_that_they_should() {
        let all = |row: [[u64; 4]; 3]| Guesses::from_counts(row.map(|r| r.to_vec()).to_vec()).unwrap();
        let right = all([[9, 0, 0, 0], [0, 9, 0, 0], [0, 0, 9, 0]]);
        let unknown = all([[0, 0, 0, 9], [0, 0, 0, 9], [0, 0, 0, 9]]);
        let chance = all([[3, 3, 3, 0], [3, 3, 3, 0], [3, 3, 3, 0]]);
        let wrong = all([[0, 5, 5, 0], [5, 0, 5, 0], [5, 5, 0, 0]]);
        for (guesses, bang, james) in
            [(right, 1.0, 0.0), (unknown, 0.0, 1.0), (chance, 0.0, 0.5), (wrong, -0.5, 0.75)]
        {
            for condition in 0..3 {
                assert!((guesses.bang(condition).value - bang).abs() < 1e-12, "{guesses:?}");
            }
            assert!((guesses.james().value - james).abs() < 1e-12, "{:?}", guesses.james());
        }
        assert!(Guesses::new(3).james().value.is_nan() && Guesses::new(3).bang(0).value.is_nan());
        assert!(Guesses::from_counts(vec![vec![1, 2]]).is_none());
    }

    #[test]
    fn participants_are_drawn_not_guesses() {
        // Ten who always know, ten who never do: guesses hang together, and the interval is that of 20, not of 240.
        let mut knows = Guesses::new(3);
        let mut never = Guesses::new(3);
        for condition in [0, 1, 2].repeat(4) {
            knows.add(condition, Some(condition));
            never.add(condition, None);
        }
        let participants: Vec<Guesses> =
            (0..20).map(|n| if n % 2 == 0 { knows.clone() } else { never.clone() }).collect();
        let mut state = 1_u64;
        let mut below = move |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % n as u64) as usize
        };
        let intervals = bootstrap(&participants, 2_000, &mut below).unwrap();
        // Of 20 draws at one half: sd 0.112, so 0.5 -+ 0.22.
        for [low, high] in &intervals.bang {
            assert!((0.2..=0.35).contains(low) && (0.65..=0.8).contains(high), "{intervals:?}");
        }
        assert!(bootstrap(&participants[..1], 10, &mut below).is_none());
    }

    proptest! {
        /// Whatever was guessed.
        #[test]
        fn indices_stay_within_their_bounds(counts in proptest::collection::vec(proptest::collection::vec(0u64..40, 4), 3)) {
            let guesses = Guesses::from_counts(counts).unwrap();
            for condition in 0..3 {
                let bang = guesses.bang(condition).value;
                prop_assert!(bang.is_nan() || (-0.5 - 1e-12..=1.0 + 1e-12).contains(&bang));
            }
            let james = guesses.james();
            prop_assert!(james.value.is_nan() || james.value >= -1e-12);
            prop_assert!(james.se.is_nan() || james.se >= 0.0);
        }
    }
}

//! Balanced orders of conditions: pure arithmetic. Chance comes in as a function, so that the same chance gives the same
//! orders and nothing here asks a system for any.
//!
//! An order is a list of conditions by their number, from 0.

/// Gives a number below its argument, each as likely as the others.
pub type Below<'a> = &'a mut dyn FnMut(usize) -> usize;

/// Why no order of this kind exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is nothing to order.
    #[error("an allocation needs at least two conditions, not {0}")]
    Conditions(usize),
    /// The blocks cannot be balanced.
    #[error(
        "{blocks} blocks cannot be balanced over {conditions} conditions: take a multiple of {conditions}"
    )]
    Blocks {
        /// Blocks of a session.
        blocks: usize,
        /// Conditions.
        conditions: usize,
    },
    /// Permuted blocks do not fit.
    #[error("permuted blocks of {size} do not fit {blocks} blocks of {conditions} conditions: take {}", fitting.join(" or "))]
    Size {
        /// As asked for.
        size: usize,
        /// Blocks of a session.
        blocks: usize,
        /// Conditions.
        conditions: usize,
        /// Sizes that fit.
        fitting: Vec<String>,
    },
}

fn check(conditions: usize, blocks: usize) -> Result<(), OrderError> {
    if conditions < 2 {
        return Err(OrderError::Conditions(conditions));
    }
    if blocks == 0 || !blocks.is_multiple_of(conditions) {
        return Err(OrderError::Blocks { blocks, conditions });
    }
    Ok(())
}

/// Every order of the list is as likely as every other (Fisher and Yates).
pub fn shuffle<T>(list: &mut [T], below: Below<'_>) {
    for last in (1..list.len()).rev() {
        list.swap(last, below(last + 1).min(last));
    }
}

/// An order of `blocks` in which every run of `size` blocks holds each condition equally often: permuted blocks. With
/// `size` = `blocks`, any balanced order.
///
/// # Errors
/// No such order exists.
pub fn permuted(
    conditions: usize,
    blocks: usize,
    size: usize,
    below: Below<'_>,
) -> Result<Vec<usize>, OrderError> {
    check(conditions, blocks)?;
    let fits = |size: usize| size.is_multiple_of(conditions) && blocks.is_multiple_of(size);
    if size == 0 || !fits(size) {
        let fitting = (1..=blocks).filter(|size| fits(*size)).map(|size| size.to_string()).collect();
        return Err(OrderError::Size { size, blocks, conditions, fitting });
    }
    let mut order = Vec::with_capacity(blocks);
    for _ in 0..blocks / size {
        let mut run: Vec<usize> = (0..size).map(|place| place % conditions).collect();
        shuffle(&mut run, below);
        order.extend(run);
    }
    Ok(order)
}

/// A Williams design: orders of all conditions in which each stands at each place equally often, and follows each other
/// one equally often. As many orders as conditions where these are even, twice as many where they are odd
/// (Williams 1949).
///
/// # Errors
/// There is nothing to order.
pub fn williams(conditions: usize) -> Result<Vec<Vec<usize>>, OrderError> {
    if conditions < 2 {
        return Err(OrderError::Conditions(conditions));
    }
    // 0, 1, n-1, 2, n-2, ...: its neighbours differ by every amount once (twice, in both directions, for odd n).
    let first: Vec<usize> = (0..conditions)
        .map(|place| if place % 2 == 1 { place.div_ceil(2) } else { (conditions - place / 2) % conditions })
        .collect();
    let shifted = |by: usize| first.iter().map(|c| (c + by) % conditions).collect::<Vec<_>>();
    let mut rows: Vec<Vec<usize>> = (0..conditions).map(shifted).collect();
    if conditions % 2 == 1 {
        let mirrored: Vec<Vec<usize>> = rows.iter().map(|row| row.iter().rev().copied().collect()).collect();
        rows.extend(mirrored);
    }
    Ok(rows)
}

/// Deals the rows of a Williams design: each is used once before any is used again, in an order that chance gives; which
/// condition has which number in the design is left to chance too.
#[derive(Clone, Debug)]
pub struct WilliamsDeal {
    rows: Vec<Vec<usize>>,
    left: Vec<usize>,
}

impl WilliamsDeal {
    /// For so many conditions.
    ///
    /// # Errors
    /// There is nothing to order.
    pub fn new(conditions: usize, below: Below<'_>) -> Result<Self, OrderError> {
        let mut names: Vec<usize> = (0..conditions).collect();
        shuffle(&mut names, below);
        let mut rows = williams(conditions)?;
        for row in &mut rows {
            row.iter_mut().for_each(|c| *c = names.get(*c).copied().unwrap_or_default());
        }
        Ok(Self { rows, left: Vec::new() })
    }

    /// An order of `blocks`: rows of the design one behind the other.
    ///
    /// # Errors
    /// The blocks cannot be balanced.
    pub fn deal(&mut self, blocks: usize, below: Below<'_>) -> Result<Vec<usize>, OrderError> {
        let conditions = self.rows.first().map_or(0, Vec::len);
        check(conditions, blocks)?;
        let mut order = Vec::with_capacity(blocks);
        while order.len() < blocks {
            if self.left.is_empty() {
                self.left = (0..self.rows.len()).collect();
                shuffle(&mut self.left, below);
            }
            let row = self.left.pop().and_then(|row| self.rows.get(row));
            order.extend(row.into_iter().flatten());
        }
        Ok(order)
    }
}

/// How often each condition stands in an order.
#[must_use]
pub fn counts(order: &[usize], conditions: usize) -> Vec<usize> {
    (0..conditions).map(|c| order.iter().filter(|&&other| other == c).count()).collect()
}

/// How many different balanced orders there are, as a logarithm to the base 2: what a commitment without salt would
/// have to withstand. 12 blocks of three conditions have 34,650, that is 15.1 bits.
#[must_use]
pub fn bits(conditions: usize, blocks: usize) -> f64 {
    let log_factorial = |n: usize| (2..=n).map(|k| (k as f64).log2()).sum::<f64>();
    let each = blocks / conditions.max(1);
    log_factorial(blocks) - conditions as f64 * log_factorial(each)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};

    /// Repeatable chance (SplitMix64); its bias over small numbers is far below what these tests see.
    fn chance(mut state: u64) -> impl FnMut(usize) -> usize {
        move |n| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) % n as u64) as usize
        }
    }

    #[test]
    fn twelve_balanced_blocks_have_34650_orders() {
        assert!((bits(3, 12) - 34_650f64.log2()).abs() < 1e-9);
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut below = chance(1);
        let mut seen: HashMap<Vec<usize>, u32> = HashMap::new();
        for _ in 0..6_000 {
            *seen.entry(permuted(3, 3, 3, &mut below).unwrap()).or_default() += 1;
        }
        // 6 orders, 1,000 each, sd 29: five of those.
        assert!(seen.len() == 6 && seen.values().all(|n| (855..=1_145).contains(n)), "{seen:?}");
    }

    #[test]
    fn williams_is_balanced_for_places_and_neighbours() {
        for conditions in 2..=9 {
            let rows = williams(conditions).unwrap();
            let twice = if conditions % 2 == 1 { 2 } else { 1 };
            assert_eq!(rows.len(), conditions * twice);
            let mut neighbours: HashMap<(usize, usize), usize> = HashMap::new();
            for row in &rows {
                assert_eq!(row.iter().collect::<HashSet<_>>().len(), conditions);
                row.windows(2).for_each(|pair| *neighbours.entry((pair[0], pair[1])).or_default() += 1);
            }
            assert_eq!(neighbours.len(), conditions * (conditions - 1));
            assert!(neighbours.values().all(|count| *count == twice), "{conditions}: {neighbours:?}");
            for place in 0..conditions {
                let column: Vec<usize> = rows.iter().map(|row| row[place]).collect();
                assert_eq!(counts(&column, conditions), vec![twice; conditions]);
            }
        }
    }

    #[test]
    fn rows_are_dealt_out_before_any_is_used_again() {
        let mut below = chance(3);
        let mut deal = WilliamsDeal::new(3, &mut below).unwrap();
        let rows: Vec<Vec<usize>> = (0..3)
            .flat_map(|_| deal.deal(12, &mut below).unwrap().chunks(3).map(<[_]>::to_vec).collect::<Vec<_>>())
            .collect();
        for dealt in rows.chunks(6) {
            assert_eq!(dealt.iter().collect::<HashSet<_>>().len(), 6);
        }
    }

    #[test]
    fn what_cannot_be_balanced_is_refused_with_what_can() {
        let mut below = chance(5);
        let text = permuted(3, 12, 4, &mut below).unwrap_err().to_string();
        assert!(text.contains("take 3 or 6 or 12"), "{text}");
        assert_eq!(permuted(3, 10, 3, &mut below), Err(OrderError::Blocks { blocks: 10, conditions: 3 }));
        assert_eq!(permuted(1, 10, 1, &mut below), Err(OrderError::Conditions(1)));
        assert!(permuted(3, 12, 0, &mut below).is_err() && permuted(3, 0, 3, &mut below).is_err());
        assert!(WilliamsDeal::new(0, &mut below).is_err());
    }

    proptest! {
        #[test]
        fn permuted_orders_are_balanced_in_every_run(conditions in 2usize..6, per in 1usize..4, runs in 1usize..5, seed: u64) {
            let size = conditions * per;
            let order = permuted(conditions, size * runs, size, &mut chance(seed)).unwrap();
            for run in order.chunks(size) {
                prop_assert_eq!(counts(run, conditions), vec![per; conditions]);
            }
        }
    }
}

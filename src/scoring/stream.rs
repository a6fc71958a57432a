//! Random numbers by name: seed, what for, which replicate. Order and threads change nothing.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// Where replicates get their random numbers from: a seed and the names of what they are for.
#[derive(Clone, Debug)]
pub struct Streams {
    key: [u8; 32],
}

impl Streams {
    /// Streams of one purpose, told by `names` (participant, condition, load, "bootstrap", ...).
    #[must_use]
    pub fn new(seed: u64, names: &[&str]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for name in names {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        Self { key: hash.finalize().into() }
    }

    /// The stream of replicate number `replicate`.
    #[must_use]
    pub fn replicate(&self, replicate: u64) -> Stream {
        let mut random = ChaCha8Rng::from_seed(self.key);
        random.set_stream(replicate);
        Stream { random }
    }
}

/// One replicate's random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    random: ChaCha8Rng,
}

impl Stream {
    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform over 0..`count` (none for 0: returns 0). By the high half of a product: for counts of trials the
    /// unevenness is below 1e-5.
    pub fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.random.next_u32()) * count as u64) >> 32) as usize
    }

    /// A standard normal number (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        loop {
            let (u, v) = (2.0 * self.unit() - 1.0, 2.0 * self.unit() - 1.0);
            let square = u * u + v * v;
            if square > 0.0 && square < 1.0 {
                return u * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_by_seed_names_and_number() {
        let first = |seed, names: &[&str], k| Streams::new(seed, names).replicate(k).unit();
        let a = first(1, &["ab", "c"], 0);
        assert_eq!(a, first(1, &["ab", "c"], 0));
        assert!(
            [first(2, &["ab", "c"], 0), first(1, &["a", "bc"], 0), first(1, &["ab", "c"], 1)]
                .iter()
                .all(|b| *b != a)
        );
    }

    #[test]
    fn moments_of_the_numbers() {
        let mut stream = Streams::new(7, &["moments"]).replicate(0);
        let n = 40_000;
        let normal: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let square = normal.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03, "{mean} {square}");
        let mut counts = [0; 5];
        (0..n).for_each(|_| counts[stream.below(5)] += 1);
        assert!(counts.iter().all(|c| (7_600..8_400).contains(c)), "{counts:?}");
        assert_eq!(stream.below(0), 0);
    }
}

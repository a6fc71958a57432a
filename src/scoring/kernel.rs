//! The similarity of two directions as a function of their distance: what decides d'.
//!
//! A d' means nothing without its kernel, so each has a name and a hash that go with every figure.

use crate::angle::DISTANCES;
use sha2::{Digest, Sha256};

/// Similarity at each whole degree of distance, 0 to 180; 1 at the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Kernel {
    name: String,
    similarity: Vec<f64>,
}

/// The names of the built-in kernels, in the order of the documentation.
pub const NAMES: [&str; 3] = ["naka35", "exp40", "vm5"];

impl Kernel {
    /// A built-in kernel (`d` in degrees):
    ///
    /// * `naka35`: 1 - 1.1 d^1.5 / (d^1.5 + 35^1.5), the fit to the perceptual distances of Schurgin, Wixted and
    ///   Brady (2020);
    /// * `exp40`: exp(-d / 40);
    /// * `vm5`: exp(5 (cos d - 1)).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let of: fn(f64) -> f64 = match name {
            "naka35" => |d| (1.0 - 1.1 * d.powf(1.5) / (d.powf(1.5) + 35f64.powf(1.5))).min(1.0),
            "exp40" => |d| (-d / 40.0).exp(),
            "vm5" => |d| (5.0 * (d.to_radians().cos() - 1.0)).exp(),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), similarity: (0..DISTANCES).map(|d| of(d as f64)).collect() })
    }

    /// A kernel by (distance in degrees, similarity) pairs, joined by straight lines.
    ///
    /// # Errors
    /// Says which point is wrong: fewer than two points, distances that do not grow from 0 to 180, or a
    /// similarity that is not a number or lies above that of the target, which must be 1.
    pub fn table(name: &str, points: &[(f64, f64)]) -> Result<Self, String> {
        let ends = points.first().zip(points.last());
        let Some(((first, at_target), (last, _))) = ends.filter(|_| points.len() > 1) else {
            return Err(format!("kernel {name}: needs two points or more, from distance 0 to 180 degrees"));
        };
        if *first != 0.0 || *last != 180.0 {
            return Err(format!(
                "kernel {name}: distances run from {first} to {last}; they must run from 0 to 180"
            ));
        }
        if (at_target - 1.0).abs() > 1e-9 {
            return Err(format!("kernel {name}: similarity at distance 0 is {at_target}; it must be 1"));
        }
        let mut similarity = Vec::with_capacity(DISTANCES);
        for pair in points.windows(2) {
            let [(from, low), (to, high)] = pair else { continue };
            if to.partial_cmp(from) != Some(std::cmp::Ordering::Greater) {
                return Err(format!("kernel {name}: distance {to} comes after {from}; distances must grow"));
            }
            if !(high.is_finite() && *high <= 1.0 + 1e-9) {
                return Err(format!(
                    "kernel {name}: similarity {high} at distance {to}; must be a number up to 1"
                ));
            }
            while similarity.len() < DISTANCES && similarity.len() as f64 <= *to {
                let share = (similarity.len() as f64 - from) / (to - from);
                similarity.push(low + share * (high - low));
            }
        }
        Ok(Self { name: name.to_owned(), similarity })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Similarity at each whole degree, 0 to 180.
    #[must_use]
    pub fn similarity(&self) -> &[f64] {
        &self.similarity
    }

    /// SHA-256 over the 181 similarities as text with nine decimals, one a line, in hexadecimal: the same on every
    /// machine, and the same for a table that says what a built-in kernel says.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for value in &self.similarity {
            // + 0.0 so that a zero has no sign.
            hash.update(format!("{:.9}\n", (value * 1e9).round() / 1e9 + 0.0));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_three_kernels_at_known_distances() {
        let at = |name: &str, d: usize| Kernel::named(name).unwrap().similarity()[d];
        assert!((at("naka35", 35) - 0.45).abs() < 1e-12);
        assert!((at("exp40", 40) - (-1f64).exp()).abs() < 1e-12);
        assert!((at("vm5", 90) - (-5f64).exp()).abs() < 1e-12);
        assert!(NAMES.iter().all(|name| at(name, 0) == 1.0));
        assert_eq!(Kernel::named("naka"), None);
    }

    #[test]
    fn a_table_is_joined_by_lines_and_has_the_hash_of_what_it_says() {
        let exp = Kernel::named("exp40").unwrap();
        let points: Vec<(f64, f64)> =
            exp.similarity().iter().enumerate().map(|(d, s)| (d as f64, *s)).collect();
        let same = Kernel::table("mine", &points).unwrap();
        assert_eq!(same.hash(), exp.hash());
        assert_ne!(exp.hash(), Kernel::named("vm5").unwrap().hash());
        let line = Kernel::table("line", &[(0.0, 1.0), (180.0, 0.0)]).unwrap();
        assert_eq!(line.similarity().len(), DISTANCES);
        assert!((line.similarity()[45] - 0.75).abs() < 1e-12);
    }

    #[test]
    fn tables_that_make_no_kernel_are_refused_with_the_point() {
        let complaint = |points: &[(f64, f64)]| Kernel::table("k", points).unwrap_err();
        assert!(complaint(&[(0.0, 1.0)]).contains("two points"));
        assert!(complaint(&[(0.0, 1.0), (90.0, 0.1)]).contains("from 0 to 90"));
        assert!(complaint(&[(0.0, 0.9), (180.0, 0.1)]).contains("must be 1"));
        assert!(complaint(&[(0.0, 1.0), (50.0, 0.5), (40.0, 0.4), (180.0, 0.0)]).contains("must grow"));
        assert!(complaint(&[(0.0, 1.0), (50.0, f64::NAN), (180.0, 0.0)]).contains("NaN"));
    }
}

//! What the parts of the bench find: percentiles, files for the figures, and bounds that were broken.

use std::fmt::Write as _;
use std::io::Result;
use std::path::{Path, PathBuf};

/// The value below which this share of `sorted` lies; NaN where there is none.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((share * last).round() as usize).copied().unwrap_or(f64::NAN)
}

/// In ascending order.
pub(super) fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Where the parts leave what the figures are drawn from, and what was broken.
pub struct Found {
    folder: PathBuf,
    /// Bounds that did not hold.
    pub broken: Vec<String>,
}

impl Found {
    /// In this folder, which is made.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn at(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), broken: Vec::new() })
    }

    /// Notes a bound that did not hold.
    pub fn demand(&mut self, holds: bool, what: impl Into<String>) {
        if !holds {
            let what = what.into();
            println!("  BROKEN: {what}");
            self.broken.push(what);
        }
    }

    /// Keeps pairs of numbers under a name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, name: &str, pairs: impl IntoIterator<Item = (f64, f64)>) -> Result<()> {
        write_pairs(&self.folder.join(name), pairs)
    }

    /// Pairs that were kept, now or in an earlier run; none where there are none.
    pub fn kept(&self, name: &str) -> Vec<(f64, f64)> {
        read_pairs(&self.folder.join(name))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// One pair a line.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write_pairs(path: &Path, pairs: impl IntoIterator<Item = (f64, f64)>) -> Result<()> {
    let mut text = String::new();
    for (x, y) in pairs {
        let _ = writeln!(text, "{x} {y:e}");
    }
    std::fs::write(path, text)
}

/// What [`write_pairs`] wrote; nothing where there is no such file.
pub(super) fn read_pairs(path: &Path) -> Vec<(f64, f64)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pair = |line: &str| {
        let (x, y) = line.split_once(' ')?;
        Some((x.parse().ok()?, y.parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

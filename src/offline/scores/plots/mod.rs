//! Pictures of scores: error histograms with fitted densities, d' against load, and conditions side by side.

mod conditions;
mod errors;

use std::path::Path;

use plotters::prelude::*;
use tras_scoring::LogTable;

use super::run::Scored;

/// One colour a condition, told apart by colour-blind readers too (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(110, 110, 110),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
];
pub(crate) const GREY: RGBColor = RGBColor(110, 110, 110);

/// What goes wrong in drawing: the file's own error, in words.
pub(crate) type Drawn = Result<(), String>;

pub(crate) fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

pub(crate) fn colour(index: usize) -> RGBColor {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(GREY)
}

/// Writes `errors.svg`, `load.svg` and `conditions.svg` into `folder`.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(folder: &Path, scored: &[Scored], table: &LogTable) -> Drawn {
    if scored.iter().all(|s| s.score.d_prime.is_none()) {
        return Ok(());
    }
    errors::draw(&folder.join("errors.svg"), scored, table)?;
    conditions::against_load(&folder.join("load.svg"), scored)?;
    conditions::side_by_side(&folder.join("conditions.svg"), scored)
}

/// Different names in the order in which they first occur; numbers by size.
pub(crate) fn names(scored: &[Scored], of: fn(&Scored) -> &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for one in scored {
        if !found.iter().any(|name| name == of(one)) {
            found.push(of(one).to_owned());
        }
    }
    if let Ok(mut numbered) =
        found.iter().map(|n| n.parse::<f64>().map(|v| (v, n.clone()))).collect::<Result<Vec<_>, _>>()
    {
        numbered.sort_by(|a, b| a.0.total_cmp(&b.0));
        return numbered.into_iter().map(|(_, name)| name).collect();
    }
    found
}

//! Deletes the poor fits of a recording: those whose R² lies below the mean minus so many standard deviations of the
//! R² of their channel's valid fits (the tRAS study: 2 at rest, 3 in the task).
//!
//! Two passes over the rows on disk: [`Spread`] is taken while they are written, [`mark`] goes over them again.
//! Nothing is kept but three numbers for each channel. A deleted fit stays in the table, not valid, with its reason.

use std::path::Path;

/// Mean and spread of one channel's R² (Welford's recurrence, Technometrics 4:419, 1962).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// Takes a valid fit's R²; one that is not finite is left out.
    pub fn add(&mut self, r_squared: f64) {
        if !r_squared.is_finite() {
            return;
        }
        self.count += 1.0;
        let away = r_squared - self.mean;
        self.mean += away / self.count;
        self.squares += away * (r_squared - self.mean);
    }

    /// Mean minus `sds` sample standard deviations; `None` for fewer than 3 fits, which have no spread to speak of.
    #[must_use]
    pub fn limit(&self, sds: f64) -> Option<f64> {
        (self.count >= 3.0).then(|| self.mean - sds * (self.squares / (self.count - 1.0)).sqrt())
    }
}

/// Goes over the rows of `part` (no header) and marks what is below its channel's limit; `spreads` are the channels',
/// in the order in which every window's rows stand. `columns` is the header. Returns how many rows were deleted.
///
/// # Errors
/// Where the file cannot be read or replaced.
pub fn mark(part: &Path, columns: &[String], spreads: &[Spread], sds: f64) -> Result<u64, String> {
    let told = |e: &dyn std::fmt::Display| format!("{}: {e}", part.display());
    let at = |name: &str| columns.iter().position(|column| column == name).ok_or("a column is missing");
    let (r_squared, valid, reason) = (at("r_squared")?, at("valid")?, at("reason")?);
    let limits: Vec<Option<f64>> = spreads.iter().map(|spread| spread.limit(sds)).collect();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(part).map_err(|e| told(&e))?;
    let beside = part.with_extension("marked");
    let mut writer = csv::Writer::from_path(&beside).map_err(|e| told(&e))?;
    let told_reason = format!("R2 below mean - {sds} sd");
    let mut deleted = 0;
    let mut record = csv::StringRecord::new();
    let mut row = 0_usize;
    while reader.read_record(&mut record).map_err(|e| told(&e))? {
        let limit = limits.get(row % limits.len().max(1)).copied().flatten();
        let low = record.get(r_squared).and_then(|cell| cell.parse::<f64>().ok()).zip(limit);
        let delete = record.get(valid) == Some("true") && low.is_some_and(|(value, limit)| value < limit);
        deleted += u64::from(delete);
        for (column, cell) in record.iter().enumerate() {
            let cell = match column {
                c if delete && c == valid => "false",
                c if delete && c == reason => told_reason.as_str(),
                _ => cell,
            };
            writer.write_field(cell).map_err(|e| told(&e))?;
        }
        writer.write_record(None::<&[u8]>).map_err(|e| told(&e))?;
        row += 1;
    }
    writer.flush().map_err(|e| told(&e))?;
    std::fs::rename(&beside, part).map_err(|e| told(&e))?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::offline::table::header;

    #[test]
    fn the_limit_is_the_means_less_the_deviations() {
        let mut spread = Spread::default();
        [0.9, 0.95, f64::NAN, 0.99, 0.8].into_iter().for_each(|r| spread.add(r));
        // numpy: x.mean() - 2 * x.std(ddof=1)
        assert!((spread.limit(2.0).unwrap() - 0.745_886_218_332).abs() < 1e-11);
        assert_eq!(Spread::default().limit(2.0), None);
    }

    #[test]
    fn only_the_low_ones_of_their_own_channel_go() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part.csv");
        let r_squared = |channel: usize, row: usize| match (channel, row) {
            (0, 7) => 0.5,
            (0, _) => 0.97,
            (_, row) => 0.5 + 0.001 * row as f64,
        };
        let mut spreads = [Spread::default(); 2];
        let mut text = String::new();
        for row in 0..20 {
            for (channel, spread) in spreads.iter_mut().enumerate() {
                let value = r_squared(channel, row);
                spread.add(value);
                text += &format!("{row},\"c,{channel}\",1,,,,0,{value},0.1,0,true,\n");
            }
        }
        std::fs::write(&part, text).unwrap();
        assert_eq!(mark(&part, &header(false, &[]), &spreads, 3.0).unwrap(), 1);
        let after = std::fs::read_to_string(&part).unwrap();
        let gone: Vec<&str> = after.lines().filter(|line| line.contains("false")).collect();
        assert_eq!(gone, ["7,\"c,0\",1,,,,0,0.5,0.1,0,false,R2 below mean - 3 sd"]);
        assert_eq!(after.lines().count(), 40);
    }
}

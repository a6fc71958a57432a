//! Rows of the table of estimates, as CSV. Cells of numbers that are not known are empty.

use std::io::Write;

use crate::estimator::Reason;

/// The columns that every table has; `file` stands before them where there are several, what else was asked for
/// after them.
pub const COLUMNS: [&str; 12] = [
    "time",
    "channel",
    "exponent",
    "exponent_se",
    "ci_low",
    "ci_high",
    "offset",
    "r_squared",
    "mae",
    "n_peaks",
    "valid",
    "reason",
];

/// Half the width of a 95 % interval of a normal variable, in standard deviations.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// One window of one channel or region.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Stamp of the window's last sample, on the recording's own time axis.
    pub time_s: f64,
    /// Index of the channel or region.
    pub target: usize,
    /// Aperiodic exponent.
    pub exponent: f64,
    /// Its standard error.
    pub exponent_se: f64,
    /// log10 power at 1 Hz of the aperiodic line.
    pub offset: f64,
    /// Squared correlation of model and spectrum.
    pub r_squared: f64,
    /// Mean absolute error of the model.
    pub mae: f64,
    /// Peaks in the fit.
    pub n_peaks: usize,
    /// Why the estimate must not be used.
    pub invalid: Option<Reason>,
    /// What was asked for beyond [`COLUMNS`].
    pub extras: Vec<f64>,
}

/// The header's names.
#[must_use]
pub fn header(with_file: bool, extras: &[String]) -> Vec<String> {
    let file = with_file.then(|| "file".to_owned());
    file.into_iter()
        .chain(COLUMNS.iter().map(|&name| name.to_owned()))
        .chain(extras.iter().cloned())
        .collect()
}

/// Writes `row` of the channel or region `name`.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_row<W: Write>(
    out: &mut csv::Writer<W>,
    file: Option<&str>,
    name: &str,
    row: &Row,
) -> Result<(), csv::Error> {
    if let Some(file) = file {
        out.write_field(file)?;
    }
    out.write_field(cell(row.time_s))?;
    out.write_field(name)?;
    let half = Z_95 * row.exponent_se;
    for value in [
        row.exponent,
        row.exponent_se,
        row.exponent - half,
        row.exponent + half,
        row.offset,
        row.r_squared,
        row.mae,
    ] {
        out.write_field(cell(value))?;
    }
    out.write_field(row.n_peaks.to_string())?;
    out.write_field(if row.invalid.is_none() { "true" } else { "false" })?;
    out.write_field(row.invalid.map_or("", Reason::as_str))?;
    for &value in &row.extras {
        out.write_field(cell(value))?;
    }
    out.write_record(None::<&[u8]>)
}

/// Six decimals without trailing zeros: a microsecond, and far below any estimate's error.
#[must_use]
pub fn cell(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let text = format!("{value:.6}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_row_has_the_headers_cells() {
        let row = Row {
            time_s: 3.996,
            target: 0,
            exponent: 1.25,
            exponent_se: 0.1,
            offset: f64::NAN,
            r_squared: 1.0,
            mae: -0.000_000_01,
            n_peaks: 2,
            invalid: Some(Reason::TooFewSegments),
            extras: vec![0.5],
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        write_row(&mut out, Some("a,b.csv"), "Fz", &row).unwrap();
        let text = String::from_utf8(out.into_inner().unwrap()).unwrap();
        let expected =
            "\"a,b.csv\",3.996,Fz,1.25,0.1,1.054004,1.445996,,1,0,2,false,too few clean segments,0.5\n";
        assert_eq!(text, expected);
        assert_eq!(header(true, &["x".into()]).len(), text.split(',').count() - 1);
        assert_eq!(cell(1000.0), "1000");
    }
}

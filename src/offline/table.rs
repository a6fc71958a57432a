//! Rows of the table of estimates, as CSV. Cells of numbers that are not known are empty.

use std::io::Write;

use crate::clean;
use crate::estimator::{Contamination, Estimate, Reason};
use crate::offline::through::Figures;

/// A column: its name, and its cell for a row of the channel or region that is named.
pub struct Column {
    /// As the header has it.
    pub name: &'static str,
    cell: fn(&Row, &str) -> String,
}

const fn column(name: &'static str, cell: fn(&Row, &str) -> String) -> Column {
    Column { name, cell }
}

/// The columns that every table has, in order, each named and written here and nowhere else; `file` stands before them
/// where there are several, what else was asked for after them. Tables are read by place too: a new one goes behind.
pub const COLUMNS: [Column; 17] = [
    column("time", |row, _| cell(row.time_s)),
    column("channel", |_, name| clean::cell(name).into_owned()),
    column("exponent", |row, _| cell(row.exponent)),
    column("exponent_se", |row, _| cell(row.exponent_se)),
    column("ci_low", |row, _| cell(row.exponent - Z_95 * row.exponent_se)),
    column("ci_high", |row, _| cell(row.exponent + Z_95 * row.exponent_se)),
    column("offset", |row, _| cell(row.offset)),
    column("r_squared", |row, _| cell(row.r_squared)),
    column("mae", |row, _| cell(row.mae)),
    column("n_peaks", |row, _| row.n_peaks.to_string()),
    column("valid", |row, _| row.is_valid().to_string()),
    column("reason", |row, _| row.reason().to_owned()),
    column("bend_evidence", |row, _| cell(row.bend_evidence)),
    column("knee_hz", |row, _| cell(row.knee_hz)),
    column("knee_se", |row, _| cell(row.knee_se)),
    column("floor_uv", |row, _| cell(row.floor_uv)),
    column("pivot_offset", |row, _| cell(row.pivot_offset)),
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
    /// What to bear in mind of a valid one.
    pub caution: Option<Reason>,
    /// ln of how much likelier a bent line is than a straight one.
    pub bend_evidence: f64,
    /// Frequency of the knee and its standard error.
    pub knee_hz: f64,
    /// See `knee_hz`.
    pub knee_se: f64,
    /// White noise under the spectrum.
    pub floor_uv: f64,
    /// log10 power of the aperiodic line at the pivot.
    pub pivot_offset: f64,
    /// What the window saw of the current; `None` where nothing is known of any.
    pub contamination: Option<Contamination>,
    /// What was proven of an estimate under current; `None` where no removal was made for it.
    pub through: Option<Figures>,
    /// Why it must not be used, whatever else is known.
    pub withheld: Option<&'static str>,
    /// What was asked for beyond [`COLUMNS`].
    pub extras: Vec<f64>,
    /// What stands behind them in words.
    pub texts: Vec<String>,
}

impl Row {
    /// Of an estimate, without what stands behind [`COLUMNS`].
    #[must_use]
    pub fn of(estimate: &Estimate, contamination: Option<Contamination>) -> Self {
        let fit = &estimate.fit;
        Self {
            time_s: estimate.stamp_s,
            target: estimate.target,
            exponent: fit.exponent,
            exponent_se: fit.exponent_se,
            offset: fit.offset,
            r_squared: fit.r_squared,
            mae: fit.mae,
            n_peaks: fit.peaks.as_slice().len(),
            invalid: fit.invalid,
            caution: fit.caution,
            bend_evidence: fit.bend_evidence,
            knee_hz: fit.knee_hz,
            knee_se: fit.knee_se,
            floor_uv: fit.floor_uv,
            pivot_offset: fit.pivot_offset,
            contamination,
            through: None,
            withheld: None,
            extras: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// Whether the estimate may be used: the fit is good, and the window saw no current, or the current's artefact was
    /// removed and that is proven.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let clean = match &self.through {
            Some(figures) => figures.reason().is_none(),
            None => self.contamination.is_none_or(|seen| seen == Contamination::Clean),
        };
        self.invalid.is_none() && self.withheld.is_none() && clean
    }

    /// Why it must not be used, or what to bear in mind where it may, in words.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        if let Some(why) = self.withheld {
            return why;
        }
        if let Some(figures) = &self.through {
            let fit = || self.invalid.or(self.caution).map(Reason::as_str);
            return figures.reason().or_else(fit).unwrap_or("");
        }
        match (self.contamination, self.invalid) {
            (Some(Contamination::Stimulating), _) => "under current",
            (Some(Contamination::Settling), _) => "settling after current",
            (_, Some(reason)) => reason.as_str(),
            _ => self.caution.map_or("", Reason::as_str),
        }
    }
}

/// The header's names.
#[must_use]
pub fn header(with_file: bool, extras: &[String]) -> Vec<String> {
    let file = with_file.then(|| "file".to_owned());
    file.into_iter()
        .chain(COLUMNS.iter().map(|column| column.name.to_owned()))
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
        out.write_field(clean::cell(file).as_ref())?;
    }
    for column in &COLUMNS {
        out.write_field((column.cell)(row, name))?;
    }
    for &value in &row.extras {
        out.write_field(cell(value))?;
    }
    for text in &row.texts {
        out.write_field(clean::cell(text).as_ref())?;
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
            contamination: Some(Contamination::Clean),
            through: None,
            withheld: None,
            caution: None,
            bend_evidence: -1.5,
            knee_hz: f64::NAN,
            knee_se: f64::NAN,
            floor_uv: 0.0,
            pivot_offset: 0.25,
            extras: vec![0.5],
            texts: Vec::new(),
        };
        let mut out = csv::Writer::from_writer(Vec::new());
        write_row(&mut out, Some("a,b.csv"), "Fz", &row).unwrap();
        let text = String::from_utf8(out.into_inner().unwrap()).unwrap();
        let expected = "\"a,b.csv\",3.996,Fz,1.25,0.1,1.054004,1.445996,,1,0,2,false,too few clean segments,-1.5,,,0,0.25,0.5\n";
        assert_eq!(text, expected);
        assert_eq!(header(true, &["x".into()]).len(), text.split(',').count() - 1);
        assert_eq!(cell(1000.0), "1000");
        let under = Row { contamination: Some(Contamination::Stimulating), invalid: None, ..row.clone() };
        assert_eq!((under.is_valid(), under.reason()), (false, "under current"));
        let mut out = csv::Writer::from_writer(Vec::new());
        write_row(&mut out, Some("=cmd.edf"), "@a\u{1b}[2J", &row).unwrap();
        let text = String::from_utf8(out.into_inner().unwrap()).unwrap();
        assert!(text.starts_with("'=cmd.edf,3.996,'@a\u{fffd}[2J,"), "{text}");
    }
}

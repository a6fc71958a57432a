//! Spectra that were made elsewhere: a CSV with a header `freq,<name>,<name>,...` and linear powers.

use std::path::Path;

/// The most values that are read from one file: 2 GB of them would be somebody else's file.
const MAX_VALUES: usize = 200_000_000;

/// The spectra of one file, all on one frequency grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectra {
    /// Ascending and evenly spaced, in Hz; at least two.
    pub freqs_hz: Vec<f64>,
    /// Name and linear power of each, as long as `freqs_hz`. Empty cells are NaN.
    pub columns: Vec<(String, Vec<f64>)>,
}

impl Spectra {
    /// Reads `path`.
    ///
    /// # Errors
    /// Names the file, the line and what is wrong: no `freq` column, a cell that is no number, rows of different
    /// lengths, frequencies that do not ascend evenly.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file =
            std::fs::File::open(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()))?;
        Self::parse(std::io::BufReader::new(file)).map_err(|what| format!("{}: {what}", path.display()))
    }

    /// Reads CSV text.
    ///
    /// # Errors
    /// As [`Self::read`], without the file's name.
    pub fn parse(text: impl std::io::Read) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
        let header = reader.headers().map_err(|e| format!("line 1: {e}"))?.clone();
        let first = header.get(0).unwrap_or_default().trim_start_matches('\u{feff}').to_ascii_lowercase();
        if !matches!(first.as_str(), "freq" | "freqs" | "frequency" | "freq_hz" | "frequency_hz") {
            return Err(format!("line 1: the first column is {first:?}; write freq,<name>,<name>,..."));
        }
        let mut columns: Vec<(String, Vec<f64>)> =
            header.iter().skip(1).map(|name| (name.to_owned(), Vec::new())).collect();
        if columns.is_empty() {
            return Err("line 1: there is no spectrum beside freq".into());
        }
        let mut freqs_hz = Vec::new();
        for record in reader.records() {
            let record =
                record.map_err(|e| format!("line {}: {e}", e.position().map_or(0, csv::Position::line)))?;
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != header.len() {
                return Err(format!("line {line}: has {} cells, the header {}", record.len(), header.len()));
            }
            if (freqs_hz.len() + 1) * header.len() > MAX_VALUES {
                return Err(format!("has more than {MAX_VALUES} values; split the file"));
            }
            let mut cells = record.iter();
            freqs_hz.push(number(cells.next().unwrap_or_default(), line, "freq")?);
            for ((name, powers), cell) in columns.iter_mut().zip(cells) {
                powers.push(number(cell, line, name)?);
            }
        }
        even(&freqs_hz)?;
        Ok(Self { freqs_hz, columns })
    }

    /// What to tell where a fit range asks for frequencies that are not there.
    #[must_use]
    pub fn beyond(&self, (low_hz, high_hz): (f64, f64)) -> Option<String> {
        let (first_hz, last_hz) = (*self.freqs_hz.first()?, *self.freqs_hz.last()?);
        let within = self.freqs_hz.iter().filter(|f| **f >= low_hz && **f <= high_hz).count();
        let missing = low_hz < first_hz - self.step_hz() || high_hz > last_hz + self.step_hz();
        missing.then(|| {
            format!(
                "the fit range is {low_hz} to {high_hz} Hz, the spectra hold {first_hz} to {last_hz} Hz: fitted on the \
                 {within} bins that are in both"
            )
        })
    }

    /// From one frequency to the next, in Hz.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "bins are few")]
    pub fn step_hz(&self) -> f64 {
        let (first, last) = (self.freqs_hz.first(), self.freqs_hz.last());
        let steps = self.freqs_hz.len().saturating_sub(1).max(1) as f64;
        (last.copied().unwrap_or(0.0) - first.copied().unwrap_or(0.0)) / steps
    }
}

fn number(cell: &str, line: u64, column: &str) -> Result<f64, String> {
    if cell.is_empty() {
        return Ok(f64::NAN);
    }
    cell.parse().map_err(|_| format!("line {line}: column {column:?}: {cell:?} is not a number"))
}

/// Frequencies ascend by one step, each within a tenth of it: rounded ones are good enough.
#[expect(clippy::cast_precision_loss, reason = "bins are few")]
fn even(freqs_hz: &[f64]) -> Result<(), String> {
    let (Some(&first), Some(&last)) = (freqs_hz.first(), freqs_hz.last()) else {
        return Err("there is no row under the header".into());
    };
    if freqs_hz.len() < 2 {
        return Err("there is only one frequency".into());
    }
    let step = (last - first) / (freqs_hz.len() - 1) as f64;
    for (at, &freq_hz) in freqs_hz.iter().enumerate() {
        let expected = first + at as f64 * step;
        if !(freq_hz >= 0.0 && step > 0.0 && (freq_hz - expected).abs() <= 0.1 * step) {
            return Err(format!(
                "line {}: {freq_hz} Hz: frequencies must ascend evenly from 0 Hz or above",
                at + 2
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_table_is_read_by_columns() {
        let spectra = Spectra::parse("freq, Fz,\"a,b\"\n0,1e3,\n0.49,2,3\n0.98,4,5\n".as_bytes()).unwrap();
        assert_eq!(spectra.columns[1].0, "a,b");
        assert!(spectra.columns[1].1[0].is_nan());
        assert_eq!(spectra.columns[0].1, [1e3, 2.0, 4.0]);
        assert!((spectra.step_hz() - 0.49).abs() < 1e-12);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, told) in [
            ("", "line 1"),
            ("f0,a\n1,2\n", "write freq,<name>"),
            ("freq\n1\n", "no spectrum"),
            ("freq,a\n", "no row"),
            ("freq,a\n1,2\n", "only one"),
            ("freq,a\n1,2\n2,x\n", "line 3: column \"a\": \"x\""),
            ("freq,a\n1,2\n2\n", "line 3: has 1 cells"),
            ("freq,a\n1,2\n2,3\n5,4\n", "evenly"),
            ("freq,a\n3,2\n2,3\n", "evenly"),
            ("freq,a\n-1,2\n0,3\n", "evenly"),
        ] {
            let error = Spectra::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(told), "{text:?}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let mut text = b"freq,a\n".to_vec();
            text.extend(bytes);
            if let Ok(spectra) = Spectra::parse(text.as_slice()) {
                proptest::prop_assert!(spectra.freqs_hz.len() == spectra.columns[0].1.len());
            }
        }
    }
}

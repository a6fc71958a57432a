//! A table of text with named columns, comma- or tab-separated, with the line of every row for complaints.

use std::path::Path;

/// Rows of one file.
#[derive(Clone, Debug)]
pub struct Table {
    /// The header's names.
    pub columns: Vec<String>,
    /// Each row's line in the file (the header is 1) and cells.
    pub rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    /// Reads `path`: tabs where its name ends in `.tsv`, else commas.
    ///
    /// # Errors
    /// Names the file and the line where it is no such table: not text, no header, a row of another length.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| format!("{}: cannot be read: {e}", path.display()))?;
        let tabs = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
        Self::parse(&bytes, if tabs { b'\t' } else { b',' })
            .map_err(|what| format!("{}: {what}", path.display()))
    }

    fn parse(bytes: &[u8], separator: u8) -> Result<Self, String> {
        // Spreadsheets write a byte order mark.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader =
            csv::ReaderBuilder::new().delimiter(separator).trim(csv::Trim::All).from_reader(bytes);
        let header = reader.headers().map_err(|e| e.to_string())?;
        let columns: Vec<String> = header.iter().map(str::to_owned).collect();
        if columns.iter().all(String::is_empty) {
            return Err("is empty: a header with the names of the columns is needed".into());
        }
        if let Some(twice) =
            columns.iter().enumerate().find(|(k, c)| columns.iter().take(*k).any(|d| d == *c))
        {
            return Err(format!("column `{}` stands twice", twice.1));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|e| match e.kind() {
                csv::ErrorKind::UnequalLengths { pos: Some(at), expected_len, len } => {
                    format!("line {}: {len} cells where the header has {expected_len}", at.line())
                }
                _ => e.to_string(),
            })?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push((line, record.iter().map(str::to_owned).collect()));
        }
        Ok(Self { columns, rows })
    }

    /// Where a column stands.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c == name)
    }
}

/// A cell's text, or `None` where it says that there is none. Not for names: `none` may be a condition.
#[must_use]
pub fn known(cell: &str) -> Option<&str> {
    let none = ["", "n/a", "na", "nan", "null", "none"];
    (!none.iter().any(|word| cell.eq_ignore_ascii_case(word))).then_some(cell)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn lines_and_cells_of_a_table() {
        let table = Table::parse(b"\xef\xbb\xbfa,b\n1, x \n\"2\",\n", b',').unwrap();
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.rows[0], (2, vec!["1".to_owned(), "x".to_owned()]));
        assert_eq!(known(&table.rows[1].1[1]), None);
        assert_eq!((known("N/A"), known("0")), (None, Some("0")));
    }

    #[test]
    fn what_is_no_table_is_told_by_line() {
        let complaint = |text: &[u8]| Table::parse(text, b',').unwrap_err();
        assert!(complaint(b"a,b\n1,2\n1\n").contains("line 3: 1 cells where the header has 2"));
        assert!(complaint(b"a,a\n").contains("`a` stands twice"));
        assert!(complaint(b"").contains("is empty"));
        assert!(complaint(b"a,b\n\xff,1\n").contains("UTF-8"));
    }
}

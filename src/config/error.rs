//! What is wrong with a configuration, where, and what to do about it.

use std::collections::BTreeMap;
use std::fmt;

/// One problem of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// `section.key`, a section, or `syntax`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// Every problem of a file, by line. Displays one `file:line: key: what is wrong; what to do` a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as messages call it.
    pub file: String,
    /// At least one problem, by line.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Problem { line, key, what, todo }) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{line}: {key}: {what}; {todo}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Where each key stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    pub(super) file: String,
    pub(super) lines: BTreeMap<String, usize>,
}

impl Places {
    /// The file, as messages call it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line of `key` (`section.key`); where the key is not in the file its section's; where neither is, 1.
    #[must_use]
    pub fn line(&self, key: &str) -> usize {
        let section = key.split('.').next().unwrap_or_default();
        self.lines.get(key).or_else(|| self.lines.get(section)).copied().unwrap_or(1)
    }

    /// Gathers problems that are found after reading.
    pub(super) fn error(&self, found: Vec<(&str, String, String)>) -> Result<(), ConfigError> {
        if found.is_empty() {
            return Ok(());
        }
        let mut problems: Vec<_> = found
            .into_iter()
            .map(|(key, what, todo)| Problem { line: self.line(key), key: key.to_owned(), what, todo })
            .collect();
        problems.sort_by_key(|problem| problem.line);
        Err(ConfigError { file: self.file.clone(), problems })
    }
}

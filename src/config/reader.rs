//! The file while it is read: its syntax, its lines, its sections, and the problems found so far.
//!
//! In: the text. Out: a [`Section`] for each name that the configuration knows, and at the end either the
//! [`Places`] of all keys or every problem by line. What was never asked for is unknown, and is reported with
//! the nearest known name.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Places, Problem};
use super::section::{Section, type_of};
use crate::task::TaskSettings;

/// What an absent section is read from.
pub(super) static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);

/// Names that are further than this from every known key get no suggestion (Jaro-Winkler, 0..1).
const SIMILAR_ENOUGH: f64 = 0.75;

/// Parses the syntax alone.
pub(super) fn parse<'i>(text: &'i str, file: &str) -> Result<Spanned<DeTable<'i>>, ConfigError> {
    let single = |key: &str, line, what: String, todo: &str| ConfigError {
        file: file.to_owned(),
        problems: vec![Problem { line, key: key.to_owned(), what, todo: todo.to_owned() }],
    };
    if text.len() > super::MAX_BYTES {
        let what = format!("{} bytes are too many for a configuration", text.len());
        return Err(single("file", 1, what, "check that this is the file you meant"));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table);
    }
    let starts = line_starts(text);
    let problems = errors
        .iter()
        .map(|error| Problem {
            line: error.span().map_or(1, |span| line_at(&starts, span.start)),
            key: "syntax".to_owned(),
            what: error.message().to_owned(),
            todo: "mend the TOML here (key = value, strings in double quotes)".to_owned(),
        })
        .collect();
    Err(ConfigError { file: file.to_owned(), problems })
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

pub(super) fn line_at(starts: &[usize], offset: usize) -> usize {
    starts.partition_point(|&start| start <= offset).max(1)
}

/// The one of `known` that is most like `given`, where any is like it at all.
pub(super) fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = given.to_lowercase();
    known
        .iter()
        .map(|&key| (strsim::jaro_winkler(&lower, key), key))
        .filter(|&(score, _)| score >= SIMILAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

/// The whole file while it is read.
pub(super) struct Reader<'a, 'i> {
    root: &'a DeTable<'i>,
    file: String,
    pub(super) starts: Vec<usize>,
    problems: Vec<Problem>,
    pub(super) lines: BTreeMap<String, usize>,
    sections: Vec<&'static str>,
}

impl<'a, 'i> Reader<'a, 'i> {
    pub(super) fn new(text: &str, file: &str, root: &'a DeTable<'i>) -> Self {
        Self {
            root,
            file: file.to_owned(),
            starts: line_starts(text),
            problems: Vec::new(),
            lines: BTreeMap::new(),
            sections: Vec::new(),
        }
    }

    /// Opens `[name]`; an absent section reads as all defaults.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'_, 'a, 'i> {
        self.sections.push(name);
        let mut table = &EMPTY as &'a DeTable<'i>;
        if let Some((key, value)) = self.root.get_key_value(name) {
            let line = line_at(&self.starts, key.span().start);
            self.lines.insert(name.to_owned(), line);
            match value.get_ref() {
                DeValue::Table(found) => table = found,
                other => self.note(
                    line,
                    name,
                    format!("is {}, not a section", type_of(other)),
                    format!("write [{name}] on a line of its own and its keys below"),
                ),
            }
        }
        Section::new(self, name.to_owned(), table)
    }

    /// `[task]` is the task's own to read; an absent one is `None`.
    pub(super) fn task(&mut self, text: &str) -> Option<TaskSettings> {
        self.sections.push("task");
        let (key, _) = self.root.get_key_value("task")?;
        let line = line_at(&self.starts, key.span().start);
        self.lines.insert("task".to_owned(), line);
        // Its texts are looked for beside the file by whoever starts the task.
        match TaskSettings::from_toml(text, std::path::Path::new("")) {
            Ok(settings) => Some(settings),
            Err(what) => {
                self.note(line, "task", what, "tras task --help lists its keys".to_owned());
                None
            }
        }
    }

    pub(super) fn note(&mut self, line: usize, key: &str, what: String, todo: String) {
        self.problems.push(Problem { line, key: key.to_owned(), what, todo });
    }

    pub(super) fn unknown(&mut self, table: &DeTable<'_>, prefix: &str, known: &[&str]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let line = line_at(&self.starts, key.span().start);
            let what = if prefix.is_empty() { "no such section" } else { "no such key" };
            let theirs = super::synonyms::ours(name).filter(|key| known.contains(key));
            let todo = match theirs.or_else(|| nearest(name, known)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let full = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
            self.note(line, &full, what.to_owned(), todo);
        }
    }

    /// Ends the reading: unknown sections join the problems.
    pub(super) fn finish(mut self) -> Result<Places, ConfigError> {
        let sections = std::mem::take(&mut self.sections);
        self.unknown(self.root, "", &sections);
        if self.problems.is_empty() {
            return Ok(Places { file: self.file, lines: self.lines });
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(ConfigError { file: self.file, problems: self.problems })
    }
}

//! One section while it is read: values within bounds. A bad value is noted with its line and its default taken, so
//! that one reading finds every problem.

use toml::de::{DeTable, DeValue};

use super::reader::{Reader, line_at, nearest};

/// What a number may be: bounds, unit, and where they come from.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) unit: &'static str,
    /// Ends the message where the bound has a reason that a user should know; may be empty.
    pub(super) why: &'static str,
}

/// Bounds without a reason to tell.
pub(super) const fn within(min: f64, max: f64, unit: &'static str) -> Bounds {
    Bounds { min, max, unit, why: "" }
}

impl Bounds {
    pub(super) const fn because(self, why: &'static str) -> Self {
        Self { why, ..self }
    }
}

fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

pub(super) fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn as_f64(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        #[allow(clippy::cast_precision_loss, reason = "settings are far below 2^53")]
        DeValue::Integer(_) => as_i64(value).map(|integer| integer as f64),
        _ => None,
    }
}

fn as_i64(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => None,
    }
}

/// One table while it is read.
pub(super) struct Section<'r, 'a, 'i> {
    reader: &'r mut Reader<'a, 'i>,
    name: String,
    table: &'a DeTable<'i>,
    known: Vec<&'static str>,
}

impl<'r, 'a, 'i> Section<'r, 'a, 'i> {
    pub(super) fn new(reader: &'r mut Reader<'a, 'i>, name: String, table: &'a DeTable<'i>) -> Self {
        Self { reader, name, table, known: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<(&'a DeValue<'i>, usize)> {
        self.known.push(key);
        let value = self.table.get(key)?;
        let line = line_at(&self.reader.starts, value.span().start);
        self.reader.lines.insert(format!("{}.{key}", self.name), line);
        Some((value.get_ref(), line))
    }

    fn note(&mut self, line: usize, key: &str, what: String, todo: String) {
        let key = format!("{}.{key}", self.name);
        self.reader.note(line, &key, what, todo);
    }

    fn wrong_type(&mut self, line: usize, key: &str, value: &DeValue<'_>, wanted: &str) {
        self.note(line, key, format!("is {}", type_of(value)), format!("write {wanted}"));
    }

    fn bounded(&mut self, line: usize, key: &str, value: &DeValue<'_>, bounds: Bounds) -> Option<f64> {
        let Bounds { min, max, unit, why } = bounds;
        let unit = spaced(unit);
        let Some(number) = as_f64(value) else {
            self.wrong_type(line, key, value, &format!("a number from {min} to {max}{unit}"));
            return None;
        };
        // Written so that NaN falls outside.
        if number >= min && number <= max {
            return Some(number);
        }
        let side = if number > max {
            format!("is above {max}{unit}")
        } else if number < min {
            format!("is below {min}{unit}")
        } else {
            "is not a number".to_owned()
        };
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        self.note(line, key, format!("{number}{unit} {side}{why}"), format!("set {min} to {max}{unit}"));
        None
    }

    /// Notes a missing key or a contradiction found by the section itself.
    pub(super) fn problem(&mut self, key: &str, what: impl Into<String>, todo: impl Into<String>) {
        let full = format!("{}.{key}", self.name);
        let lines = &self.reader.lines;
        let line = lines.get(&full).or_else(|| lines.get(&self.name)).copied().unwrap_or(1);
        self.reader.note(line, &full, what.into(), todo.into());
    }

    /// Whether the file has nothing here.
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether the file sets `key`, good or bad.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.table.get(key).is_some()
    }

    pub(super) fn number_opt(&mut self, key: &'static str, bounds: Bounds) -> Option<f64> {
        let (value, line) = self.take(key)?;
        self.bounded(line, key, value, bounds)
    }

    pub(super) fn number(&mut self, key: &'static str, default: f64, bounds: Bounds) -> f64 {
        self.number_opt(key, bounds).unwrap_or(default)
    }

    pub(super) fn integer_opt(&mut self, key: &'static str, min: i64, max: i64) -> Option<i64> {
        let (value, line) = self.take(key)?;
        match as_i64(value) {
            Some(number) if (min..=max).contains(&number) => return Some(number),
            Some(number) => {
                let side = if number > max { format!("above {max}") } else { format!("below {min}") };
                self.note(line, key, format!("{number} is {side}"), format!("set {min} to {max}"));
            }
            None => self.wrong_type(line, key, value, &format!("a whole number from {min} to {max}")),
        }
        None
    }

    pub(super) fn count(&mut self, key: &'static str, default: u32, min: u32, max: u32) -> u32 {
        let found = self.integer_opt(key, i64::from(min), i64::from(max));
        found.and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key) {
            Some((DeValue::Boolean(flag), _)) => return *flag,
            Some((value, line)) => self.wrong_type(line, key, value, "true or false"),
            None => {}
        }
        default
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let (value, line) = self.take(key)?;
        match value {
            DeValue::String(text) if !text.trim().is_empty() => return Some(text.to_string()),
            DeValue::String(_) => {
                self.note(line, key, "is empty".to_owned(), "write a text or leave the key out".to_owned());
            }
            _ => self.wrong_type(line, key, value, "a text in double quotes"),
        }
        None
    }

    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, default: T, choices: &[(&str, T)]) -> T {
        self.choice_opt(key, choices).unwrap_or(default)
    }

    pub(super) fn choice_opt<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let (value, line) = self.take(key)?;
        let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
        let listed = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let DeValue::String(text) = value else {
            self.wrong_type(line, key, value, &format!("one of {listed}"));
            return None;
        };
        if let Some(&(_, choice)) = choices.iter().find(|(name, _)| name == text) {
            return Some(choice);
        }
        let todo = match nearest(text, &names) {
            Some(near) => format!("did you mean \"{near}\"? (one of {listed})"),
            None => format!("write one of {listed}"),
        };
        self.note(line, key, format!("\"{text}\" is not known"), todo);
        None
    }

    fn two(&mut self, key: &'static str, names: &str, bounds: Bounds) -> Option<([f64; 2], usize)> {
        let (value, line) = self.take(key)?;
        let wanted = format!("two numbers, {names}, within {} to {}", bounds.min, bounds.max);
        let DeValue::Array(list) = value else {
            self.wrong_type(line, key, value, &wanted);
            return None;
        };
        let mut values = list.iter();
        let (Some(one), Some(other), None) = (values.next(), values.next(), values.next()) else {
            let what = format!("has {} values", list.len());
            self.note(line, key, what, format!("write {wanted}"));
            return None;
        };
        let one = self.bounded(line, key, one.get_ref(), bounds);
        let other = self.bounded(line, key, other.get_ref(), bounds);
        Some(([one?, other?], line))
    }

    /// Two numbers, in any order.
    pub(super) fn two_opt(&mut self, key: &'static str, bounds: Bounds) -> Option<[f64; 2]> {
        self.two(key, "[one, other]", bounds).map(|(values, _)| values)
    }

    /// A pair of ascending numbers.
    pub(super) fn pair(&mut self, key: &'static str, default: [f64; 2], bounds: Bounds) -> [f64; 2] {
        let Some(([low, high], line)) = self.two(key, "[low, high]", bounds) else { return default };
        if low >= high {
            let what = format!("{low} is not below {high}");
            self.note(line, key, what, "write the lower one first".to_owned());
            return default;
        }
        [low, high]
    }

    /// A list of distinct texts; absent reads as empty.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some((value, line)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(list) = value else {
            self.wrong_type(line, key, value, "a list of texts, [\"Fz\", \"Cz\"]");
            return Vec::new();
        };
        let mut texts: Vec<String> = Vec::with_capacity(list.len());
        for item in list.iter() {
            let line = line_at(&self.reader.starts, item.span().start);
            match item.get_ref() {
                DeValue::String(text) if texts.iter().any(|known| known == text) => {
                    self.note(line, key, format!("\"{text}\" stands twice"), "name it once".to_owned());
                }
                DeValue::String(text) => texts.push(text.to_string()),
                other => self.wrong_type(line, key, other, "texts in double quotes"),
            }
        }
        texts
    }

    /// Whether `key` holds a list (for keys that take a word or a list).
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Array(_)))
    }

    /// Reads each table of a list of tables with `read`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        example: &str,
        mut read: impl FnMut(&mut Section<'_, 'a, 'i>) -> T,
    ) -> Vec<T> {
        let Some((value, list_line)) = self.take(key) else { return Vec::new() };
        let DeValue::Array(list) = value else {
            self.wrong_type(list_line, key, value, &format!("a list of tables, {example}"));
            return Vec::new();
        };
        let mut found = Vec::with_capacity(list.len());
        for item in list.iter() {
            let line = line_at(&self.reader.starts, item.span().start);
            match item.get_ref() {
                DeValue::Table(table) => {
                    let name = format!("{}.{key}", self.name);
                    // Of several tables the messages of this one must not point into the one before.
                    let before = format!("{name}.");
                    self.reader.lines.retain(|known, _| !known.starts_with(&before));
                    self.reader.lines.insert(name.clone(), line);
                    let mut inner = Section::new(self.reader, name, table);
                    found.push(read(&mut inner));
                    inner.done();
                }
                other => self.wrong_type(line, key, other, &format!("tables, {example}")),
            }
        }
        // Cross checks speak of the list as a whole.
        self.reader.lines.insert(format!("{}.{key}", self.name), list_line);
        found
    }

    /// Ends the section: what was never asked for is unknown.
    pub(super) fn done(&mut self) {
        self.reader.unknown(self.table, &self.name, &self.known);
    }
}

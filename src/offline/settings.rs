//! What a user asked for, over a preset's settings, over the defaults; checked as a configuration is.

use crate::config::{Config, ConfigError};

/// Keys of the `[estimator]` section that are set, by their names in a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(toml::Table);

impl Overrides {
    /// From a section as a file holds it.
    #[must_use]
    pub fn from_table(table: toml::Table) -> Self {
        Self(table)
    }

    /// Sets `key`, where there is a value for it.
    pub fn set(&mut self, key: &str, value: Option<impl Into<toml::Value>>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    /// Takes `keys` out, so that they have their defaults again.
    pub fn clear(&mut self, keys: &[&str]) {
        for key in keys {
            self.0.remove(*key);
        }
    }

    /// A text that `key` is set to.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(toml::Value::as_str)
    }

    /// The configuration that has these keys and every default.
    ///
    /// # Errors
    /// Every value that is out of bounds or contradicts another.
    pub fn resolve(&self) -> Result<Config, ConfigError> {
        let mut document = toml::Table::new();
        document.insert("estimator".to_owned(), toml::Value::Table(self.0.clone()));
        Config::from_str(&document.to_string(), "settings")
    }
}

/// The problems of `error` for a command line, where lines of a file mean nothing: an option is named as its key.
#[must_use]
pub fn complaint(error: &ConfigError) -> String {
    let option = |key: &str| crate::config::synonyms::option(key);
    let problems: Vec<String> =
        error.problems.iter().map(|p| format!("{}: {}; {}", option(&p.key), p.what, p.todo)).collect();
    problems.join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn later_settings_win_and_wrong_ones_are_named_as_options() {
        let mut overrides = Overrides::default();
        overrides.set("window_s", Some(5.0));
        overrides.set("window_s", Some(8.0));
        overrides.set("hop_s", None::<f64>);
        let e = overrides.resolve().unwrap().estimator;
        assert!((e.window_s - 8.0).abs() < 1e-12 && (e.hop_s - 0.5).abs() < 1e-12);
        overrides.set("hop_s", Some(9.0));
        let text = complaint(&overrides.resolve().unwrap_err());
        assert!(text.contains("--hop: 9 s is longer than the window"), "{text}");
    }
}

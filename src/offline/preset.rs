//! Settings of published studies, by name. They are part of the program: an installed binary needs no files.

use crate::offline::settings::Overrides;

/// The files of `configs/estimators/`.
const FILES: [(&str, &str); 5] = [
    ("trasrest", include_str!("../../configs/estimators/trasrest.toml")),
    ("trastask", include_str!("../../configs/estimators/trastask.toml")),
    ("rett", include_str!("../../configs/estimators/rett.toml")),
    ("sertraline", include_str!("../../configs/estimators/sertraline.toml")),
    ("sprint", include_str!("../../configs/estimators/sprint.toml")),
];

/// A study's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// What it is called.
    pub name: String,
    /// Whose settings these are.
    pub source: String,
    /// A fit is deleted where its R² is below the mean minus so many standard deviations of its channel's fits.
    pub delete_below_sd: Option<f64>,
    /// The `[estimator]` section.
    pub estimator: Overrides,
}

impl Preset {
    /// The preset called `name`.
    ///
    /// # Errors
    /// Lists the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = FILES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((name, text)) = found else {
            let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "--preset {name}: there is no such preset; choose one of {}",
                names.join(", ")
            ));
        };
        Self::read(name, text).map_err(|what| format!("preset {name}: {what}"))
    }

    /// Every preset, in order.
    ///
    /// # Errors
    /// Where one of the embedded files is broken, which a test rules out.
    pub fn all() -> Result<Vec<Self>, String> {
        FILES.iter().map(|(name, _)| Self::named(name)).collect()
    }

    fn read(name: &str, text: &str) -> Result<Self, String> {
        let mut file: toml::Table = text.parse().map_err(|e: toml::de::Error| e.message().to_owned())?;
        let table = |value: Option<toml::Value>| match value {
            Some(toml::Value::Table(table)) => Ok(table),
            _ => Err("[preset] or [estimator] is missing".to_owned()),
        };
        let about = table(file.remove("preset"))?;
        let estimator = Overrides::from_table(table(file.remove("estimator"))?);
        let source = about.get("source").and_then(toml::Value::as_str).ok_or("[preset] names no source")?;
        let delete_below_sd = about.get("delete_below_sd").and_then(toml::Value::as_float);
        Ok(Self { name: name.to_owned(), source: source.to_owned(), delete_below_sd, estimator })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_preset_is_a_valid_section_and_names_its_source() {
        for preset in Preset::all().unwrap() {
            let config = preset.estimator.resolve().unwrap();
            assert!(preset.source.len() > 40, "{}", preset.name);
            config.check_against_rate(250.0).unwrap();
            config.check_against_rate(256.0).unwrap();
        }
        assert!(Preset::named("rest").unwrap_err().contains("trasrest"));
    }

    #[test]
    fn the_studies_settings_are_theirs() {
        let of = |name: &str| Preset::named(name).unwrap().estimator.resolve().unwrap().estimator;
        let numbers = |name: &str| {
            let e = of(name);
            (e.range_hz, e.max_peaks, e.peak_width_hz, e.min_peak_height, e.peak_threshold, e.window_s)
        };
        assert_eq!(numbers("trasrest"), ([2.0, 35.0], 12, [1.0, 8.0], 0.05, 2.0, 5.0));
        assert_eq!(numbers("trastask"), ([2.0, 35.0], 12, [1.0, 8.0], 0.05, 2.0, 2.0));
        assert_eq!(numbers("rett"), ([1.0, 14.0], 5, [1.0, 12.0], 0.0, 2.0, 4.0));
        assert_eq!(numbers("sertraline"), ([0.5, 55.0], 6, [1.0, 8.0], 0.05, 2.0, 2.0));
        assert_eq!(numbers("sprint"), ([1.0, 40.0], 3, [1.5, 6.0], 0.6, 2.0, 3.0));
        let deleted: Vec<Option<f64>> = Preset::all().unwrap().iter().map(|p| p.delete_below_sd).collect();
        assert_eq!(deleted, [Some(2.0), Some(3.0), None, None, None]);
    }
}

//! What a task is: the `[task]` table of a protocol, or of the file that `tras task -c` takes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tras_scoring::design::{Design, ORDERS};

/// The `[task]` table. Times are shown in whole frames of the participant's screen.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSettings {
    /// What is remembered: `colour` or `orientation`.
    pub feature: String,
    /// Numbers of items.
    pub loads: Vec<usize>,
    /// In which order loads come: `balanced`, `runs` or `random`.
    pub order: String,
    /// How many blocks.
    pub blocks: usize,
    /// Trials of each block.
    pub trials_per_block: usize,
    /// Places on the ring.
    pub places: usize,
    /// Smallest distance of two items' features, degrees.
    pub min_distance_deg: usize,
    /// Trials for practice before the first block, with feedback.
    pub practice: usize,
    /// Fixation cross before the sample.
    pub fixation_ms: f64,
    /// How long the items are seen.
    pub sample_ms: f64,
    /// Empty screen before the probe.
    pub delay_ms: f64,
    /// How long an answer is waited for; 0: for ever.
    pub response_ms: f64,
    /// How long the right answer is shown after each trial; practice shows it for at least a second.
    pub feedback_ms: f64,
    /// Empty screen after a trial.
    pub iti_ms: f64,
    /// The participant's texts; ours in English where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<PathBuf>,
    /// Whether a patch in the corner shows a photodiode when the sample is on.
    pub photodiode_patch: bool,
    /// What `tras task --calibrate` measured: from a marker's stamp to light. Told in each row, never subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photodiode_ms: Option<f64>,
    /// Whether the page asks for the whole screen.
    pub fullscreen: bool,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self {
            feature: "colour".into(),
            loads: vec![3, 5],
            order: "balanced".into(),
            blocks: 1,
            trials_per_block: 60,
            places: 8,
            min_distance_deg: 20,
            practice: 6,
            fixation_ms: 500.0,
            sample_ms: 500.0,
            delay_ms: 900.0,
            response_ms: 4_000.0,
            feedback_ms: 0.0,
            iti_ms: 500.0,
            text: None,
            photodiode_patch: true,
            photodiode_ms: None,
            fullscreen: true,
        }
    }
}

impl TaskSettings {
    /// Reads the `[task]` table of a TOML file's text; other tables are left alone. A path of texts is taken from
    /// `folder`.
    ///
    /// # Errors
    /// Says what is wrong and where: no such table, an unknown key, a value out of its range.
    pub fn from_toml(text: &str, folder: &std::path::Path) -> Result<Self, String> {
        let file: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let table = file.get("task").ok_or("there is no [task]")?.clone();
        let mut settings: Self =
            table.try_into().map_err(|e: toml::de::Error| format!("[task]: {}", e.message()))?;
        settings.text = settings.text.map(|path| folder.join(path));
        settings.check()?;
        Ok(settings)
    }

    /// Whether such a task can be run.
    ///
    /// # Errors
    /// Names the key that is wrong and what it may be.
    pub fn check(&self) -> Result<(), String> {
        if !matches!(self.feature.as_str(), "colour" | "orientation") {
            return Err(format!(
                "task.feature = \"{}\": must be \"colour\" or \"orientation\"",
                self.feature
            ));
        }
        for (key, value, least, most) in [
            ("fixation_ms", self.fixation_ms, 50.0, 10_000.0),
            ("sample_ms", self.sample_ms, 16.0, 10_000.0),
            ("delay_ms", self.delay_ms, 16.0, 60_000.0),
            ("iti_ms", self.iti_ms, 16.0, 60_000.0),
            ("feedback_ms", self.feedback_ms, 0.0, 10_000.0),
            ("response_ms", self.response_ms, 0.0, 120_000.0),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("task.{key} = {value}: must be {least} to {most}"));
            }
        }
        if self.response_ms > 0.0 && self.response_ms < 300.0 {
            return Err(format!(
                "task.response_ms = {}: must be 300 or more, or 0 for no limit",
                self.response_ms
            ));
        }
        if self.practice > 100 {
            return Err(format!("task.practice = {}: must be up to 100", self.practice));
        }
        self.design().map_err(|what| format!("task: {what}"))?.check().map_err(|what| format!("task: {what}"))
    }

    /// The design of the counted trials.
    ///
    /// # Errors
    /// An order that there is not.
    pub fn design(&self) -> Result<Design, String> {
        let order = ORDERS.iter().find(|(name, _)| *name == self.order).map(|(_, order)| *order);
        let known: Vec<&str> = ORDERS.iter().map(|(name, _)| *name).collect();
        Ok(Design {
            order: order
                .ok_or_else(|| format!("order \"{}\": must be one of {}", self.order, known.join(", ")))?,
            loads: self.loads.clone(),
            blocks: self.blocks,
            trials_per_block: self.trials_per_block,
            places: self.places,
            min_distance_deg: self.min_distance_deg,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TaskSettings, String> {
        TaskSettings::from_toml(text, std::path::Path::new("study"))
    }

    #[test]
    fn a_table_is_read_over_the_defaults() {
        let t = read("[stream]\nname = \"x\"\n[task]\nloads = [4, 6]\ntext = \"de.txt\"\n").unwrap();
        assert_eq!((t.loads.as_slice(), t.sample_ms), (&[4, 6][..], 500.0));
        assert_eq!(t.text, Some(PathBuf::from("study/de.txt")));
    }

    #[test]
    fn a_protocol_may_hold_its_task() {
        let text = "[stream]\nname = \"x\"\n\n[task]\nloads = [4, 6]\n";
        let config = crate::config::Config::from_str(text, "p.toml").unwrap();
        assert_eq!(config.task.as_ref().map(|t| t.loads.clone()), Some(vec![4, 6]));
        let again = crate::config::Config::from_str(&config.to_toml(), "p.toml").unwrap();
        assert_eq!(again.task, config.task);
        let wrong = crate::config::Config::from_str("[task]\nload = 4\n", "p.toml").unwrap_err().to_string();
        assert!(wrong.contains("task") && wrong.contains("unknown field `load`"), "{wrong}");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_key() {
        for (text, told) in [
            ("[tusk]\n", "there is no [task]"),
            ("[task]\nload = [3]\n", "unknown field `load`"),
            ("[task]\nfeature = \"shape\"\n", "task.feature"),
            ("[task]\norder = \"odd\"\n", "balanced, runs, random"),
            ("[task]\nsample_ms = 2\n", "task.sample_ms = 2: must be 16 to 10000"),
            ("[task]\nresponse_ms = 100\n", "300 or more"),
            ("[task]\nloads = [3, 5]\ntrials_per_block = 7\n", "multiple of 2"),
        ] {
            let complaint = read(text).unwrap_err();
            assert!(complaint.contains(told), "{complaint}");
        }
    }
}

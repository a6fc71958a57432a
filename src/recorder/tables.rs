//! `events.csv` and `estimates.csv`: what the recording holds of them, for spreadsheets. The XDF file is what counts.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::SessionStreams;
use crate::estimator::Estimate;
use crate::session::moment::iso_8601;
use crate::session::private;

/// A table that grows by whole rows.
#[derive(Debug)]
struct Table {
    file: File,
    pending: Vec<u8>,
}

impl Table {
    fn create(path: &Path, header: &[&str]) -> io::Result<Self> {
        let file = private::options().append(true).create_new(true).open(path)?;
        let mut table = Self { file, pending: Vec::new() };
        table.row(header);
        table.flush()?;
        Ok(table)
    }

    /// Adds a row in memory.
    fn row(&mut self, cells: &[&str]) {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(&mut self.pending);
        // Into memory nothing is refused.
        let _ = writer.write_record(cells);
        let _ = writer.flush();
    }

    /// Brings all rows into the file; after an error they wait for the next time.
    fn flush(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&self.pending) {
            let _ = self.file.set_len(before);
            return Err(error);
        }
        self.pending.clear();
        Ok(())
    }
}

/// Both tables of a recording.
#[derive(Debug)]
pub(super) struct Tables {
    events: Table,
    estimates: Table,
    targets: Vec<String>,
    /// The wall clock less the run's, in s; `None` where nothing may depend on when it is run.
    wall_offset_s: Option<f64>,
}

const EVENTS: [&str; 6] = ["time_s", "wall_clock", "source", "event", "block", "value"];
const ESTIMATES: [&str; 20] = [
    "time_s",
    "wall_clock",
    "estimate_id",
    "target",
    "first_sample",
    "last_sample",
    "exponent",
    "exponent_se",
    "offset",
    "knee",
    "r_squared",
    "n_peaks",
    "contamination",
    "valid",
    "reason",
    "through_current",
    "linearity_p",
    "residual_coherence",
    "modulation_p",
    "removed_db",
];

impl Tables {
    /// Beside a recording whose name ends with `suffix` (`-2` for the second one of its folder).
    pub(super) fn create(folder: &Path, suffix: &str, session: &SessionStreams) -> io::Result<Self> {
        Ok(Self {
            events: Table::create(&folder.join(format!("events{suffix}.csv")), &EVENTS)?,
            estimates: Table::create(&folder.join(format!("estimates{suffix}.csv")), &ESTIMATES)?,
            targets: session.targets.clone(),
            wall_offset_s: session.began.map(|began| began.unix_s - began.run_s),
        })
    }

    fn wall(&self, stamp_s: f64) -> String {
        self.wall_offset_s.map_or_else(String::new, |offset_s| iso_8601(stamp_s + offset_s))
    }

    /// An event of ours.
    pub(super) fn event(&mut self, stamp_s: f64, json: &str) {
        let value: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let event = value.get("event").and_then(serde_json::Value::as_str).unwrap_or_default();
        let block = value.get("block").and_then(serde_json::Value::as_u64);
        let block = block.map_or_else(String::new, |block| block.to_string());
        let wall = self.wall(stamp_s);
        self.events.row(&[&format!("{stamp_s:.6}"), &wall, "tras", event, &block, json]);
        if event == "through_current" {
            self.through_current(stamp_s, &wall, &value);
        }
    }

    /// An estimate through the current, which comes later than that of the same window with the current in it: a row of
    /// its own, without a number, because nothing follows from it.
    fn through_current(&mut self, stamp_s: f64, wall: &str, event: &serde_json::Value) {
        let cell = |key: &str| match event.get(key) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let target = event.get("target").and_then(serde_json::Value::as_u64);
        let target = target.and_then(|target| self.targets.get(usize::try_from(target).ok()?));
        self.estimates.row(&[
            &format!("{stamp_s:.6}"),
            wall,
            "",
            target.map_or("", String::as_str),
            &cell("first_sample"),
            &cell("last_sample"),
            &cell("exponent"),
            &cell("exponent_se"),
            "",
            "",
            "",
            "",
            crate::estimator::Contamination::Stimulating.as_str(),
            &cell("valid"),
            &cell("reason"),
            "true",
            &cell("linearity_p"),
            &cell("residual_coherence"),
            &cell("modulation_p"),
            &cell("removed_db"),
        ]);
    }

    /// A marker; `source` says whose.
    pub(super) fn marker(&mut self, stamp_s: f64, source: &str, text: &str) {
        let wall = self.wall(stamp_s);
        self.events.row(&[&format!("{stamp_s:.6}"), &wall, source, "marker", "", text]);
    }

    /// An estimate.
    pub(super) fn estimate(&mut self, stamp_s: f64, estimate: &Estimate) {
        let fit = &estimate.fit;
        let number = |x: f64| if x.is_finite() { x.to_string() } else { String::new() };
        let wall = self.wall(stamp_s);
        self.estimates.row(&[
            &format!("{stamp_s:.6}"),
            &wall,
            &estimate.id.to_string(),
            self.targets.get(estimate.target).map_or("", String::as_str),
            &estimate.first_sample.to_string(),
            &estimate.last_sample.to_string(),
            &number(fit.exponent),
            &number(fit.exponent_se),
            &number(fit.offset),
            &fit.knee.map_or_else(String::new, number),
            &number(fit.r_squared),
            &fit.peaks.as_slice().len().to_string(),
            estimate.contamination.as_str(),
            if fit.invalid.is_none() { "true" } else { "false" },
            fit.invalid.map_or("", |reason| reason.as_str()),
            "false",
            "",
            "",
            "",
            "",
        ]);
    }

    /// Brings both into their files.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.events.flush()?;
        self.estimates.flush()
    }
}

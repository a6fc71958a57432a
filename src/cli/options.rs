//! The options that `run`, `demo` and `monitor` share.

use std::{fs::OpenOptions, path::PathBuf};

use clap::Args;

use crate::estimator::tracking::Drift;
use crate::{failure::Failure, runtime::live::json_lines::JsonLines};

/// How a run is shown, bounded and recorded.
#[derive(Args, Clone, Debug, Default)]
pub struct RunOptions {
    /// No dashboard: one line a second, and a closing summary
    #[arg(long)]
    pub headless: bool,
    /// Stop after so many seconds (default: when the session's plan is done; `monitor`: never)
    #[arg(long, value_name = "N", value_parser = positive)]
    pub seconds: Option<f64>,
    /// Look so many seconds for the stream (10)
    #[arg(long, value_name = "S", value_parser = positive)]
    pub wait: Option<f64>,
    /// Record the markers of this LSL stream, beside those of the configuration; may be repeated
    #[arg(long, value_name = "NAME")]
    pub markers: Vec<String>,
    /// Seed of the noise and of the simulation, over the configuration's
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Record into this folder, over the configuration's
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,
    /// Do not record
    #[arg(long, conflicts_with = "record")]
    pub no_record: bool,
    /// Close with one JSON object on the last line of standard output
    #[arg(long)]
    pub json: bool,
    /// Write one JSON object a line to standard output for each estimate, event and second, with wall clock (`unix_s`)
    /// and run time (`run_s`), the summary last; what a person reads goes to standard error
    #[arg(long, conflicts_with = "json")]
    pub json_lines: bool,
    /// Append the same JSON lines to this file, whatever is shown
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Draw the dashboard without colour (also: NO_COLOR)
    #[arg(long)]
    pub no_color: bool,
    /// Draw the dashboard with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
}

impl RunOptions {
    /// The lines that a script reads, where it wants some.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn lines(&self) -> Result<Option<JsonLines>, Failure> {
        if !self.json_lines && self.log.is_none() {
            return Ok(None);
        }
        let open = |path: &PathBuf| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map_err(|error| {
                Failure::Usage(format!("--log {}: cannot be written: {error}", path.display()))
            })
        };
        let log = self.log.as_ref().map(open).transpose()?;
        JsonLines::start(self.json_lines, log).map(Some).map_err(Failure::fault)
    }

    /// Refuses what only a live run has.
    ///
    /// # Errors
    /// There is such an option.
    pub fn in_virtual_time(&self) -> Result<(), Failure> {
        if self.json_lines || self.log.is_some() {
            return Err(Failure::usage(
                "--json-lines and --log are of a live run; a virtual one takes --json",
            ));
        }
        Ok(())
    }
}

/// A positive, finite number.
///
/// # Errors
/// Anything else, in words for the command line.
pub fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x.is_finite() && x > 0.0 => Ok(x),
        _ => Err("expected a positive number".to_owned()),
    }
}

/// A drift per root second, or `learnt`.
///
/// # Errors
/// Says what would be right.
pub fn drift(text: &str) -> Result<Drift, String> {
    match text {
        "learnt" => Ok(Drift::Learnt),
        number => positive(number).map(Drift::Believed).map_err(|error| format!("{error}, or learnt")),
    }
}

/// Two numbers, the lower first: `2,35`.
///
/// # Errors
/// Anything else, in words for the command line.
pub fn pair(text: &str) -> Result<[f64; 2], String> {
    let numbers: Vec<Option<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_slice() {
        [Some(low), Some(high)] if low.is_finite() && high.is_finite() && low < high => Ok([*low, *high]),
        _ => Err("expected two numbers, the lower first, as in 2,35".to_owned()),
    }
}

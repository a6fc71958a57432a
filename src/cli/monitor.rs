//! `tras monitor`: the live aperiodic exponent of any EEG stream. Never stimulates, whatever a file says.

use std::path::PathBuf;

use clap::Args;

use super::{
    check,
    options::RunOptions,
    run::{build, live},
};
use crate::{config::Config, failure::Failure};

/// Arguments of `tras monitor`.
#[derive(Args, Debug)]
pub struct MonitorArgs {
    /// LSL stream: a name, or a predicate if it holds a `=` (default: the one stream of type EEG)
    #[arg(long, value_name = "NAME|PREDICATE")]
    pub stream: Option<String>,
    /// Estimator and channels from this configuration; its stimulation is not looked at
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How it is shown, bounded and recorded
    #[command(flatten)]
    pub options: RunOptions,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &MonitorArgs) -> Result<(), Failure> {
    let mut config = match &args.config {
        Some(path) => check::load(path)?,
        None => Config::from_str(include_str!("../../configs/monitor.toml"), "configs/monitor.toml")
            .map_err(|e| Failure::Usage(e.to_string()))?,
    };
    config.stimulation.enabled = false;
    if let Some(stream) = &args.stream {
        config.stream.choose(stream);
    }
    if args.config.is_none() {
        // Watching leaves nothing behind unless it is asked to.
        config.record.enabled = false;
    }
    live(&build("monitor", config, &args.options)?, &args.options)
}

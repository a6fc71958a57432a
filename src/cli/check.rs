//! `tras check CONFIG`: reads a configuration, prints it with every default filled in and what its session would
//! deliver. Opens no device and no stream.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Config, ConfigError, MAX_BYTES, Problem};

/// Arguments of `tras check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration to check
    pub config: PathBuf,
}

/// Reads the configuration at `path`; at most [`MAX_BYTES`] of it.
///
/// # Errors
/// The file cannot be read, is no UTF-8, or its content has problems.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    use std::io::Read as _;
    let file = path.display().to_string();
    let unreadable = |what: String| ConfigError {
        file: file.clone(),
        problems: vec![Problem {
            line: 1,
            key: "file".to_owned(),
            what,
            todo: "check the path and that the file is a text you may read".to_owned(),
        }],
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(format!("cannot be read ({error})")))?;
    Config::from_str(&text, &file)
}

/// Runs the command. Gives back the exit code: 0 where the file is good, 2 where it is not.
#[must_use]
pub fn run(args: &CheckArgs) -> u8 {
    match load(&args.config) {
        Ok(config) => {
            // A reader that has gone (`| head`) is no fault of the configuration.
            let _ = std::io::stdout().lock().write_all(summary(&config).as_bytes());
            0
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "{error}");
            2
        }
    }
}

/// The resolved configuration as TOML, with the plan as comments below it.
#[must_use]
pub fn summary(config: &Config) -> String {
    let plan = config.outlook();
    let delivers = &plan.delivers;
    let mut text = config.to_toml();
    text.push_str("\n# Plan\n");
    let s = &config.stimulation;
    // Writing into a String cannot fail.
    let _ = if s.enabled {
        writeln!(
            text,
            "# {} blocks of {} s, gaps of {} s, {:.1} min in all, {:.1} min with current (limit {} min)\n\
             # charge about {:.3} C (limit {} C), one-sided charge sd {:.3} mC (limit {} mC)\n\
             # {:.3} mA peak, {:.4} mA RMS, {:.5} mA/cm2 RMS",
            plan.blocks,
            s.block_s,
            s.gap_s,
            delivers.session_s / 60.0,
            delivers.active_s / 60.0,
            config.limits.active_min,
            delivers.charge_mc * 1e-3,
            config.limits.total_charge_c,
            delivers.net_charge_sd_mc,
            config.limits.net_charge_mc,
            s.peak_ma,
            delivers.full_rms_ma,
            delivers.density_ma_cm2,
        )
    } else {
        writeln!(text, "# no stimulation")
    };
    for warning in plan.cautions.iter().chain(&plan.warnings) {
        let _ = writeln!(text, "# warning: {warning}");
    }
    text
}

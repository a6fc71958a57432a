//! `tras check CONFIG`: reads a configuration, prints it with every default filled in and what its session would
//! deliver. Opens no device and no stream.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::{Config, MAX_BYTES};
use crate::failure::Failure;

/// Arguments of `tras check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration to check
    pub config: PathBuf,
}

/// Reads the configuration at `path`; at most [`MAX_BYTES`] of it.
///
/// # Errors
/// [`Failure::NotFound`] where there is no such file; [`Failure::Usage`] where it cannot be read, is no UTF-8, or its
/// content has problems.
pub fn load(path: &Path) -> Result<Config, Failure> {
    use std::io::Read as _;
    let file = path.display().to_string();
    if path.is_dir() {
        return Err(Failure::Usage(format!("{file}:1: file: is a directory; name a file in it")));
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_string(&mut text))
        .map_err(|error| {
            let todo = "check the path and that the file is a text you may read";
            let what = format!("{file}:1: file: cannot be read ({error}); {todo}");
            match error.kind() {
                std::io::ErrorKind::NotFound => Failure::NotFound(what),
                _ => Failure::Usage(what),
            }
        })?;
    Config::from_str(&text, &file).map_err(|error| Failure::Usage(error.to_string()))
}

/// Runs the command. Gives back the exit code: 0 where the file is good, 2 where it is not, 3 where there is none.
#[must_use]
pub fn run(args: &CheckArgs) -> u8 {
    match load(&args.config).and_then(|config| super::print(&summary(&config))) {
        Ok(()) => 0,
        Err(error) => {
            super::tell(&error.to_string());
            error.code()
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

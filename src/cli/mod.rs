//! The command line: one file a command. Parses, runs, and turns what went wrong into an exit code.

pub mod allocate;
pub mod blinding;
pub mod calibrate;
pub mod check;
pub mod demo;
pub mod devices;
pub mod estimate;
pub mod fit;
pub mod method;
pub mod monitor;
pub mod noise;
pub mod options;
pub mod replay;
pub mod run;
pub mod simulate;
pub mod unblind;
pub mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

const AFTER_HELP: &str = "\
Exit codes:
  0  done, also after Ctrl-C or SIGTERM (stimulation is ramped down and files are closed first)
  2  bad arguments or configuration
  3  stream, device or file not found
  4  fault during the run, or latched by the stimulator before it (run --clear-fault); estimate, fit: a file was broken and left out
  5  verify, unblind: a session's folder does not hold what was kept

For ethics-approved research only, with a certified, isolated current source. Not a medical device.";

/// Reads the brain's aperiodic activity from a live EEG and writes shaped noise current back.
#[derive(Parser)]
#[command(name = "tras", version, about, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a session: EEG in, current out, as a configuration says
    Run(run::RunArgs),
    /// Watch the closed loop on a simulated participant and a simulated stimulator
    Demo(demo::DemoArgs),
    /// Watch the aperiodic exponent of any EEG stream; never stimulates
    Monitor(monitor::MonitorArgs),
    /// Publish a virtual participant's EEG as an LSL stream
    Simulate(simulate::SimulateArgs),
    /// Play a recording (XDF, EDF, BDF, CSV) as an LSL stream
    Replay(replay::ReplayArgs),
    /// Estimate the aperiodic exponent over recordings (XDF, EDF, BDF, CSV)
    Estimate(Box<estimate::EstimateArgs>),
    /// Fit spectra made elsewhere (CSV)
    Fit(Box<fit::FitArgs>),
    /// Write stimulation noise to a file and measure it
    Noise(noise::NoiseArgs),
    /// List LSL streams, serial ports and audio outputs
    Devices(devices::DevicesArgs),
    /// Measure the scale of an audio output and the current source behind it, into a resistor
    Calibrate(calibrate::CalibrateArgs),
    /// Check a configuration and print what it amounts to
    Check(check::CheckArgs),
    /// A part of this program that talks to the network in a process of its own
    #[cfg(target_os = "linux")]
    #[command(hide = true, name = crate::child::role::COMMAND)]
    LslChild {
        /// Which part
        role: String,
    },
    /// Make a study's balanced, sealed allocation of conditions to blocks
    Allocate(allocate::AllocateArgs),
    /// Whether participants could tell their condition: Bang's and James' indices
    Blinding(blinding::BlindingArgs),
    /// Check that a session's folder holds what was kept
    Verify(verify::VerifyArgs),
    /// Open what is sealed of one block, with a reason
    Unblind(unblind::UnblindArgs),
}

/// Parses the command line and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let result: Result<(), Failure> = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Noise(args) => noise::run(&args).map_err(|e| Failure::Usage(e.to_string())),
        Command::Devices(args) => devices::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Allocate(args) => allocate::run(&args),
        Command::Blinding(args) => blinding::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Unblind(args) => unblind::run(&args),
        Command::Check(args) => return ExitCode::from(check::run(&args)),
        #[cfg(target_os = "linux")]
        Command::LslChild { role } => crate::child::role::Role::from_name(&role)
            .ok_or_else(|| Failure::usage(format!("no such part: {role}")))
            .and_then(|role| crate::child::main(role).map_err(Failure::fault)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tras: {error}");
            ExitCode::from(error.code())
        }
    }
}

/// Refuses a list that has a file which is not there, before anything is done.
///
/// # Errors
/// [`Failure::NotFound`] with every file that is missing.
pub fn files_exist(files: &[std::path::PathBuf]) -> Result<(), Failure> {
    let missing: Vec<String> = files
        .iter()
        .filter(|file| !file.is_file())
        .map(|file| format!("{}: no such file", file.display()))
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(Failure::NotFound(missing.join("\n"))) }
}

//! The command line: one file a command. Parses, runs, and turns what went wrong into an exit code.

pub mod allocate;
pub mod blinding;
pub mod calibrate;
pub mod certify;
pub mod check;
pub mod demo;
pub mod devices;
pub mod estimate;
pub mod export_bids;
pub mod fit;
pub mod method;
pub mod monitor;
mod montage;
pub mod noise;
pub mod options;
pub mod replay;
pub mod run;
pub mod score;
mod session;
pub mod simulate;
pub mod study;
pub mod task;
pub mod unblind;
pub mod verify;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{clean, config::synonyms, failure::Failure};

const AFTER_HELP: &str = "\
Exit codes:
  0  done, also after Ctrl-C or SIGTERM (stimulation is ramped down and files are closed first)
  2  bad arguments or configuration
  3  stream, device or file not found, a configuration among them
  4  fault during the run, or latched by the stimulator before it (run --clear-fault CODE); estimate, fit: a file was broken and left out
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
    /// Play a recording (XDF, EDF, BDF, BrainVision, CSV) as an LSL stream
    Replay(replay::ReplayArgs),
    /// Estimate the aperiodic exponent over recordings (XDF, EDF, BDF, BrainVision, CSV)
    Estimate(Box<estimate::EstimateArgs>),
    /// Fit spectra made elsewhere (CSV)
    Fit(Box<fit::FitArgs>),
    /// The working-memory task, in a browser on this machine
    Task(Box<task::TaskArgs>),
    /// Score working memory by continuous report: d', circular SD, mixtures (CSV, BIDS beh)
    Score(Box<score::ScoreArgs>),
    /// Join a study's sessions: d', exponents, dose, guesses; or simulate its power
    Study(Box<study::StudyArgs>),
    /// Write stimulation noise to a file and measure it
    Noise(noise::NoiseArgs),
    /// List LSL streams, serial ports and audio outputs
    Devices(devices::DevicesArgs),
    /// Measure the scale of an audio output and the current source behind it, into a resistor
    Calibrate(calibrate::CalibrateArgs),
    /// Certify that estimates under current are those of the EEG, from a recording with a phantom
    Certify(certify::CertifyArgs),
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
    /// Sessions to a BIDS tree: EEG, events, questionnaires, stimulation
    ExportBids(export_bids::ExportBidsArgs),
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
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return complain(&error),
    };
    let result: Result<(), Failure> = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Estimate(args) => estimate::run(&args),
        Command::Fit(args) => fit::run(&args),
        Command::Task(args) => task::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Study(args) => study::run(&args),
        Command::Noise(args) => noise::run(&args).map_err(|e| Failure::Usage(e.to_string())),
        Command::Devices(args) => devices::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Certify(args) => certify::run(&args),
        Command::Allocate(args) => allocate::run(&args),
        Command::ExportBids(args) => export_bids::run(&args),
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
            tell(&format!("tras: {error}"));
            ExitCode::from(error.code())
        }
    }
}

/// The command line. A number below 0 is a bad number, not an unknown flag.
fn parse<T: Into<std::ffi::OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Cli, clap::Error> {
    fn numbers(command: clap::Command) -> clap::Command {
        let takes = |arg: clap::Arg| {
            let number = arg.get_action().takes_values() && !arg.is_positional();
            if number { arg.allow_negative_numbers(true) } else { arg }
        };
        command.mut_args(takes).mut_subcommands(numbers)
    }
    let matches = numbers(Cli::command()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Says what is wrong with the command line; names our option where another program's was given.
fn complain(error: &clap::Error) -> ExitCode {
    // A terminal that has gone hears nothing.
    let _ = error.print();
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg)
        && let Some(key) = synonyms::ours(given)
    {
        tell(&format!("\n  tip: here `{given}` is `{}`", synonyms::option(key)));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Prints a message of one or more lines to standard error, cleaned of whatever a terminal would obey.
pub fn tell(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "{}", clean::lines(text));
}

/// Writes `text` to standard output. A reader that has gone (`| head`) has what it wanted.
///
/// # Errors
/// [`Failure::Fault`] where it cannot be written for another reason.
pub fn print(text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Fault(format!("standard output cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a list that has a file which is not there, before anything is done.
///
/// # Errors
/// [`Failure::NotFound`] with every file that is missing; [`Failure::Usage`] where the others are folders.
pub fn files_exist(files: &[std::path::PathBuf]) -> Result<(), Failure> {
    let (mut missing, mut folders) = (Vec::new(), Vec::new());
    for file in files {
        match file_exists(file) {
            Err(Failure::NotFound(what)) => missing.push(what),
            Err(error) => folders.push(error.to_string()),
            Ok(()) => {}
        }
    }
    if !missing.is_empty() {
        missing.extend(folders);
        return Err(Failure::NotFound(missing.join("\n")));
    }
    if folders.is_empty() { Ok(()) } else { Err(Failure::Usage(folders.join("\n"))) }
}

/// Refuses a file that is not there, or is none.
///
/// # Errors
/// [`Failure::NotFound`] where there is nothing of that name; [`Failure::Usage`] where it is a directory.
pub fn file_exists(file: &std::path::Path) -> Result<(), Failure> {
    match std::fs::metadata(file) {
        Ok(found) if found.is_dir() => {
            Err(Failure::Usage(format!("{}: is a directory; name a file in it", file.display())))
        }
        Ok(_) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Err(Failure::NotFound(format!("{}: no such file", file.display())))
        }
        Err(e) => Err(Failure::NotFound(format!("{}: cannot be read: {e}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_negative_numbers_are_bad_numbers() {
        Cli::command().debug_assert();
        for line in ["demo --seconds -1", "replay a.edf --seconds -1", "estimate a.edf --window -4"] {
            let error = parse(std::iter::once("tras").chain(line.split(' '))).err();
            let error = error.map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains("positive number"), "{line}: {error}");
        }
    }
}

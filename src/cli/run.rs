//! `tras run -c FILE`: a session as a configuration says, and what `demo` and `monitor` share with it.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use super::{options::RunOptions, session};
use crate::{
    clock,
    config::Config,
    dashboard,
    failure::Failure,
    runtime::{
        assemble::{self, Order},
        audited, live,
        signals::Signals,
        summary::Summary,
        virtual_time,
    },
    session::{audit::head::SignedHead, folder, keys::Keys, private},
    stimulator::FaultCode,
};

/// How long the stream is looked for, in s, without `--wait`.
const PATIENCE_S: f64 = 10.0;

/// Arguments of `tras run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The session's configuration (see `tras check`)
    #[arg(short, long, value_name = "FILE", required_unless_present = "resume")]
    pub config: Option<PathBuf>,
    /// The participant's code, over the configuration's
    #[arg(long, value_name = "P")]
    pub participant: Option<String>,
    /// The study's session: must be the protocol's
    #[arg(long, value_name = "S")]
    pub session: Option<String>,
    /// Go on with the session in this folder, at its next block
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["config", "record", "participant", "session"])]
    pub resume: Option<PathBuf>,
    /// The folder of the session whose decisions a condition of law yoked plays: whole, unblinded, and its log holds
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    pub yoked_to: Option<PathBuf>,
    /// What is shown: operator sees no condition; engineer sees everything, and the session is marked as unblinded
    #[arg(long, value_enum, default_value_t = Role::Operator)]
    pub role: Role,
    /// In virtual time: a simulated participant, a scripted operator and task
    #[arg(long = "virtual")]
    pub virtual_time: bool,
    /// LSL stream, over the configuration: a name, or a predicate if it holds a `=`
    #[arg(long, value_name = "NAME|PREDICATE")]
    pub stream: Option<String>,
    /// Clear this fault, which the stimulator has latched in an earlier run; without it such a run is refused with
    /// its code. Three clears of one code within an hour, and the device has to be switched off
    #[arg(long, value_name = "CODE", value_parser = fault_code)]
    pub clear_fault: Option<FaultCode>,
    /// How it is shown, bounded and recorded
    #[command(flatten)]
    pub options: RunOptions,
}

/// Who sits at the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Blind
    Operator,
    /// Sees everything
    Engineer,
}

/// `E17`, as the refusal of a run has named it.
fn fault_code(text: &str) -> Result<FaultCode, String> {
    FaultCode::from_label(text).ok_or_else(|| {
        let last = FaultCode::ALL.len();
        format!("there is no such fault: E01 to E{last:02}, as the run that was refused has named it")
    })
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let mut order = match (&args.resume, &args.config) {
        (Some(within), _) => session::resumed(within, args)?,
        (None, Some(file)) => session::ordered(file, args)?,
        (None, None) => return Err(Failure::usage("-c FILE or --resume FOLDER is needed")),
    };
    order.clear_fault = args.clear_fault;
    if args.virtual_time {
        args.options.in_virtual_time()?;
        let summary = virtual_time::run(&order, &mut |_| {})?;
        return finish(&summary, &args.options);
    }
    live(&order, &args.options)
}

/// A run from a configuration and the command line over it.
pub(super) fn build(command: &'static str, config: Config, options: &RunOptions) -> Result<Order, Failure> {
    if let Some(what) = config.stream.predicate.as_deref().and_then(crate::config::predicate::problem) {
        return Err(Failure::Usage(format!(
            "--stream: {what}; write it as in type='EEG' and starts-with(name,'Bio')"
        )));
    }
    let mut config = config;
    config.markers.streams.extend(options.markers.iter().cloned());
    let seed = options.seed.or(config.stimulation.seed).unwrap_or_else(rand::random);
    let parent = match (&options.record, config.record.enabled && !options.no_record) {
        (Some(dir), _) => Some(dir.clone()),
        (None, true) => Some(PathBuf::from(&config.record.dir)),
        (None, false) => None,
    };
    let asked_for = options.seed.is_some() || config.stimulation.seed.is_some();
    let mut order = Order {
        seconds: options.seconds,
        patience_s: options.wait.unwrap_or(PATIENCE_S),
        wall_clock: Some(clock::unix_s() as u64),
        ..Order::new(command, config, seed)
    };
    order.check_seed(asked_for)?;
    // Last of all, so that a run that is refused leaves no folder behind.
    order.record = parent.map(|dir| new_folder(&dir, &order.config.record.participant)).transpose()?;
    describe(&mut order)?;
    Ok(order)
}

/// Writes the configuration into the run's folder, whose log needs keys.
pub(super) fn describe(order: &mut Order) -> Result<(), Failure> {
    if let Some(within) = &order.record {
        order.keys = signing_keys(order.command)?;
        // What was asked for, beside what was recorded: a run can be repeated from its folder alone.
        let text = format!(
            "# tras {} {}, seed {}\n{}",
            env!("CARGO_PKG_VERSION"),
            order.command,
            order.seed,
            order.config.to_toml()
        );
        private::write_new(&within.join(folder::CONFIGURATION), text.as_bytes())
            .map_err(|e| Failure::Usage(format!("cannot record in {}: {e}", within.display())))?;
    }
    Ok(())
}

/// Runs live, in the dashboard where there is a terminal, and closes with the summary.
pub(super) fn live(order: &Order, options: &RunOptions) -> Result<(), Failure> {
    // From here on a signal ends the run in order.
    let signals = Signals::register().map_err(Failure::fault)?;
    let watching = if shows_dashboard(options) {
        let mut style = dashboard::Options::from_environment();
        style.theme.colour &= !options.no_color;
        style.theme.ascii |= options.ascii;
        live::Watching::Dashboard(style)
    } else {
        live::Watching::Lines { to_stderr: options.json_lines }
    };
    let lines = options.lines()?;
    let Some(parts) = assemble::live(order, &signals)? else {
        eprintln!("tras: ended while the stream was looked for");
        return Ok(());
    };
    finish(&live::run(parts, &signals, &watching, lines)?, options)
}

/// Whether there is a terminal for the dashboard, and nobody said `--headless`.
pub(super) fn shows_dashboard(options: &RunOptions) -> bool {
    !options.headless && !options.json_lines && std::io::stdout().is_terminal() && dashboard::is_usable()
}

/// Prints the summary; an error where the run had faults.
pub(super) fn finish(summary: &Summary, options: &RunOptions) -> Result<(), Failure> {
    let kept = summary.record_dir.as_deref().map_or(Ok(None), |folder| keep(folder, summary));
    // Standard output is the script's where it reads lines, and its last one has the summary.
    let mut out: Box<dyn Write> =
        if options.json_lines { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    if let Ok(Some(signed)) = &kept {
        // What a check elsewhere needs: see `tras verify --help`.
        let _ = writeln!(out, "audit log   --head {} --key {}", signed.head, signed.key);
    }
    // The summary is for whoever still listens; the exit code tells the rest.
    let _ = writeln!(out, "{summary}");
    if options.json {
        let line = serde_json::to_string(summary).map_err(|e| Failure::Fault(e.to_string()))?;
        let _ = writeln!(out, "{line}");
    }
    match summary.faults.as_slice() {
        [] => kept.map(|_| ()),
        [first, ..] => {
            Err(Failure::Fault(format!("{} fault(s) during the run, first: {first}", summary.faults.len())))
        }
    }
}

/// Keys that sign the audit log. A session is refused without; a demonstration goes on and says so.
fn signing_keys(command: &str) -> Result<Option<Keys>, Failure> {
    let keys = Keys::of_user().and_then(|keys| keys.signing().map(|_| keys));
    match keys {
        Ok(keys) => Ok(Some(keys)),
        Err(error) if command == "run" => Err(Failure::usage(error)),
        Err(error) => {
            eprintln!("tras: no audit log: {error}");
            Ok(None)
        }
    }
}

/// Keeps the summary beside the recording, and closes the audit log, now that everything is in the folder.
fn keep(within: &Path, summary: &Summary) -> Result<Option<SignedHead>, Failure> {
    let path = within.join(folder::SUMMARY);
    let text = serde_json::to_string_pretty(summary).map_err(Failure::fault)? + "\n";
    private::replace(&path, text.as_bytes())
        .map_err(|error| Failure::Fault(format!("{}: {error}", path.display())))?;
    let Ok(keys) = Keys::of_user() else { return Ok(None) };
    audited::close(within, &keys, summary.faults.len()).map_err(Failure::fault)
}

/// `DIR/PARTICIPANT-NNN`, the first that does not exist.
fn new_folder(parent: &Path, participant: &str) -> Result<PathBuf, Failure> {
    let failed = |e: std::io::Error| Failure::Usage(format!("cannot record in {}: {e}", parent.display()));
    private::create_folder(parent).map_err(failed)?;
    for number in 1..10_000 {
        let folder = parent.join(format!("{participant}-{number:03}"));
        match private::create_new_folder(&folder) {
            Ok(()) => return Ok(folder),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
    }
    Err(Failure::Usage(format!(
        "{} is full of recordings of {participant}: choose another folder",
        parent.display()
    )))
}

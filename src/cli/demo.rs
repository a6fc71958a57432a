//! `tras demo`: the closed loop on a simulated participant and a simulated stimulator; live over real LSL
//! streams, or `--virtual` in seconds.

use std::{
    io::IsTerminal,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    CliError, check,
    options::RunOptions,
    run::{build, finish, live, shows_dashboard},
};
use crate::{
    config::{Config, StimulatorKind},
    runtime::{build::Built, virtual_time},
    simulation::{
        listen::Names,
        publish::{PublishSettings, publish},
    },
};

/// Length of a demo without a dashboard, in s.
const HEADLESS_S: f64 = 150.0;

/// Arguments of `tras demo`.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Another configuration than the built-in one; its stimulator is always the simulated one
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Under a virtual clock, as fast as it goes: the same seed gives the same bytes
    #[arg(long = "virtual")]
    pub virtual_time: bool,
    /// How it is shown, bounded and recorded
    #[command(flatten)]
    pub options: RunOptions,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(args: &DemoArgs) -> Result<(), CliError> {
    let mut config = match &args.config {
        Some(path) => check::load(path)?,
        None => Config::from_str(include_str!("../../configs/demo.toml"), "configs/demo.toml")
            .map_err(|e| CliError::Usage(e.to_string()))?,
    };
    config.stimulator.kind = StimulatorKind::Simulated;
    if args.config.is_none() {
        config.record.enabled = args.options.record.is_some();
    }
    if args.virtual_time {
        let mut built = build("demo", config, &args.options)?;
        built.wall_clock = None;
        return in_virtual_time(&built, args.options.json);
    }
    // A name of its own: two demos on one network must not meet.
    let name = format!("tras-demo-{}", std::process::id());
    config.stream.choose(&name);
    config.outlets.prefix = format!("{}-{}", config.outlets.prefix, std::process::id());
    let mut built = build("demo", config, &args.options)?;
    if !shows_dashboard(&args.options) {
        // Nobody presses `q`: the baseline and two blocks show it all.
        built.seconds = built.seconds.or(Some(HEADLESS_S));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let settings = PublishSettings {
        name,
        participant: built.participant(),
        seed: built.seed,
        chunk: 1,
        seconds: None,
        faults: Vec::new(),
        respond_to: Some(Names::of_current(&format!("{}-current", built.config.outlets.prefix))),
    };
    let told = Arc::clone(&stop);
    let participant = std::thread::Builder::new()
        .name("participant".to_owned())
        .spawn(move || publish(&settings, &told, |_| {}).map(|_| ()))
        .map_err(|e| CliError::Fault(e.to_string()))?;
    let result = live(&built, &args.options);
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    match participant.join() {
        Ok(published) => result.and(published.map_err(CliError::from)),
        Err(_) => Err(CliError::Fault("the simulated participant panicked; this is a defect of tras".into())),
    }
}

fn in_virtual_time(built: &Built, json: bool) -> Result<(), CliError> {
    let seconds = built.seconds.unwrap_or_else(|| built.schedule().map_or(60.0, |s| s.total_s()));
    let bar = ProgressBar::with_draw_target(
        Some(seconds as u64),
        if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} virtual s, {eta} left") {
        bar.set_style(style);
    }
    let summary = virtual_time::run(built, &mut |done_s| bar.set_position(done_s as u64))?;
    bar.finish_and_clear();
    finish(&summary, json)
}

//! `tras demo`: the closed loop on a simulated participant and a simulated stimulator; live over real LSL
//! streams, or `--virtual` in seconds.

use std::{io::IsTerminal, path::PathBuf, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    check,
    options::RunOptions,
    run::{build, finish, live, shows_dashboard},
};
use crate::{
    config::{Config, StimulatorKind},
    failure::Failure,
    runtime::{assemble::Order, virtual_time},
    simulation::{child::ParticipantOrder, listen::Names},
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
/// See [`Failure`].
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let mut config = match &args.config {
        Some(path) => check::load(path)?,
        None => Config::from_str(include_str!("../../configs/demo.toml"), "configs/demo.toml")
            .map_err(|e| Failure::Usage(e.to_string()))?,
    };
    config.stimulator.kind = StimulatorKind::Simulated;
    if args.config.is_none() {
        config.record.enabled = args.options.record.is_some();
    }
    if let Some(seconds) = args.options.seconds {
        config = lasting(config, seconds);
    }
    if args.virtual_time {
        args.options.in_virtual_time()?;
        let mut order = build("demo", config, &args.options)?;
        order.wall_clock = None;
        return in_virtual_time(&order, &args.options);
    }
    // A name of its own: two demos on one network must not meet.
    let name = format!("tras-demo-{}", std::process::id());
    config.stream.choose(&name);
    config.outlets.prefix = format!("{}-{}", config.outlets.prefix, std::process::id());
    let mut order = build("demo", config, &args.options)?;
    if !shows_dashboard(&args.options) {
        // Nobody presses `q`: the baseline and two blocks show it all.
        order.seconds = order.seconds.or(Some(HEADLESS_S));
    }
    let participant = ParticipantOrder {
        name,
        participant: order.participant(),
        seed: order.seed,
        respond_to: Names::of_current(&format!("{}-current", order.config.outlets.prefix)),
    };
    // It listens to the network, so not in this process.
    let mut participant = participant.start().map_err(Failure::fault)?;
    let result = live(&order, &args.options);
    participant.end(Duration::from_secs(1));
    result
}

/// `config` with so many blocks that its plan lasts for `seconds`, or as many as its limits allow.
fn lasting(config: Config, seconds: f64) -> Config {
    let length_s = |config: &Config| Order::new("demo", config.clone(), 0).length_s();
    let mut config = config;
    while config.stimulates() && config.protocol.is_none() && length_s(&config) < seconds {
        let mut longer = config.clone();
        longer.stimulation.blocks += 1;
        // What a file with these blocks would be refused for, a demo is not given.
        match Config::from_str(&longer.to_toml(), "configs/demo.toml") {
            Ok(_) => config = longer,
            Err(_) => break,
        }
    }
    config
}

fn in_virtual_time(order: &Order, options: &RunOptions) -> Result<(), Failure> {
    let bar = ProgressBar::with_draw_target(
        Some(order.length_s() as u64),
        if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} virtual s, {eta} left") {
        bar.set_style(style);
    }
    let summary = virtual_time::run(order, &mut |done_s| bar.set_position(done_s as u64))?;
    bar.finish_and_clear();
    finish(&summary, options)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_demo_lasts_as_long_as_asked_for_within_its_limits() {
        let config = || Config::from_str(include_str!("../../configs/demo.toml"), "demo").unwrap();
        let length_s = |config: Config| Order::new("demo", config, 0).length_s();
        let own_s = length_s(config());
        assert!(own_s < 2_400.0);
        assert!(length_s(lasting(config(), 2_400.0)) >= 2_400.0);
        assert!((length_s(lasting(config(), 1.0)) - own_s).abs() < 1e-9);
        let most = lasting(config(), 1e6);
        assert!(Config::from_str(&most.to_toml(), "demo").is_ok());
    }
}

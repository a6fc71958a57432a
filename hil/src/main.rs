//! `tras-hil alive IMAGE`, `tras-hil faults IMAGE`, `tras-hil serve IMAGE`, `tras-hil link IMAGE`: see the modules of these names.

use std::path::Path;
use std::process::ExitCode;

use tras_hil::{alive, faults, link, serve};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (Some("alive"), Some(image)) => alive::run(Path::new(&image)),
        (Some("faults"), Some(image)) => faults::run(Path::new(&image), arguments.next().as_deref()),
        (Some("serve"), Some(image)) => serve::run(Path::new(&image)),
        (Some("link"), Some(image)) => {
            link::Options::parse([image].into_iter().chain(arguments)).and_then(|options| link::run(&options))
        }
        (Some("link-audio"), Some(folder)) => link::run_audio([folder].into_iter().chain(arguments)),
        _ => {
            eprintln!(
                "usage: tras-hil alive IMAGE | faults IMAGE [NAME] | serve IMAGE | link IMAGE [--seconds N]"
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("tras-hil: {e}");
            ExitCode::FAILURE
        }
    }
}

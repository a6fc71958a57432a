//! `tras-hil alive IMAGE`, `tras-hil faults IMAGE`, `tras-hil serve IMAGE`: see the modules of these names.

use std::path::Path;
use std::process::ExitCode;

use tras_hil::{alive, faults, serve};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let result = match (arguments.next().as_deref(), arguments.next()) {
        (Some("alive"), Some(image)) => alive::run(Path::new(&image)),
        (Some("faults"), Some(image)) => faults::run(Path::new(&image), arguments.next().as_deref()),
        (Some("serve"), Some(image)) => serve::run(Path::new(&image)),
        _ => {
            eprintln!("usage: tras-hil alive IMAGE | faults IMAGE [NAME] | serve IMAGE");
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

//! `tras-hil campaign|link|alive|faults|serve`: see the modules of these names.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tras_hil::{alive, campaign, faults, link, serve};

const USAGE: &str = "usage: tras-hil alive IMAGE
       tras-hil faults IMAGE [NAME]
       tras-hil serve IMAGE
       tras-hil link IMAGE [--seconds N] [--only PART]
       tras-hil campaign IMAGE TRAS OUT [--port PORT] [--only NAME]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["alive", image] => alive::run(Path::new(image)),
        ["faults", image] => faults::run(Path::new(image), None),
        ["faults", image, name] => faults::run(Path::new(image), Some(name)),
        ["serve", image] => serve::run(Path::new(image)),
        ["link", rest @ ..] => {
            link::Options::parse(rest.iter().map(|&word| word.to_owned())).and_then(|o| link::run(&o))
        }
        ["link-audio", rest @ ..] => link::run_audio(rest.iter().map(|&word| word.to_owned())),
        ["campaign", image, tras, out, options @ ..] => match campaign_settings(image, tras, out, options) {
            Some(settings) => campaign::run(&settings),
            None => return usage(),
        },
        _ => return usage(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("tras-hil: {e}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn campaign_settings(image: &str, tras: &str, out: &str, options: &[&str]) -> Option<campaign::Settings> {
    let mut settings = campaign::Settings {
        image: image.into(),
        tras: tras.into(),
        port: None,
        only: None,
        out: out.into(),
    };
    for pair in options.chunks(2) {
        match pair {
            ["--port", port] => settings.port = Some(PathBuf::from(port)),
            ["--only", name] => settings.only = Some((*name).to_owned()),
            _ => return None,
        }
    }
    Some(settings)
}

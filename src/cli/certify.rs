//! `tras certify --through-current -c FILE RECORDING`: whether the removal of the current's artefact held in a recording,
//! as a signed file that a configuration names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::check;
use crate::config::{Config, StimulatorKind};
use crate::failure::Failure;
use crate::offline::through::certify::{self, Found};
use crate::session::{
    hash::Hash,
    keys::Keys,
    moment::{self, Moment},
    private,
    through_certificate::ThroughCertificate,
};

const AFTER_HELP: &str = "\
RECORDING is an XDF file that holds an EEG, half a minute of it without current, then some five minutes under current, and
the current as delivered: a folder of tras run --record, or any lab's. What carries the current is a resistor network or a
phantom, best with a recorded EEG played into it (docs/through-the-current.md has a parts list).
Certified where, of the windows under current whose path was learnt (60 s at least), 80 % are proven and their mean exponent
is that of the clean windows to 0.05 and twice its standard error. The certificate names amplifier, rate, montage, stimulator,
fit range and window; a configuration that names it (through_current.certificate) for anything else, or later than
through_current.certificate_days, is refused. Steering itself is not released: estimates under current are shown.
Exit codes: 0 certified; 2 not certified, or the configuration has a problem; 3 no such file.";

/// Arguments of `tras certify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct CertifyArgs {
    /// The recording
    #[arg(value_name = "RECORDING")]
    pub recording: PathBuf,
    /// That estimates under current are those of the EEG without it
    #[arg(long, required = true)]
    pub through_current: bool,
    /// The configuration whose runs are to steer
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// The stream that holds the current, where the file has several: name or number, STREAM:CHANNEL
    #[arg(long, value_name = "STREAM")]
    pub current: Option<String>,
    /// What carried the current, for the certificate: which resistors, which phantom
    #[arg(long, value_name = "TEXT")]
    pub load: String,
    /// Write the certificate to this file, for through_current.certificate of the configuration
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &CertifyArgs) -> Result<(), Failure> {
    super::files_exist(std::slice::from_ref(&args.recording))?;
    let config = check::load_as_written(&args.config)?;
    if matches!(config.stimulator.kind, StimulatorKind::None | StimulatorKind::Audio) {
        let file = args.config.display();
        return Err(Failure::Usage(format!(
            "{file}: stimulator.kind: only a stimulator that tells what it has delivered can be certified; audio plays, and \
             nothing measures what came out"
        )));
    }
    let named = |why: String| Failure::Usage(format!("{}: {why}", args.recording.display()));
    let found = certify::find(&args.recording, &config, args.current.clone()).map_err(named)?;
    let mut text = lines(&found);
    for note in &found.notes {
        let _ = writeln!(text, "{}: {note}", args.recording.display());
    }
    super::print(&text)?;
    found.suffices(config.estimator.hop_s).map_err(|why| named(format!("not certified: {why}")))?;
    write(&args.output, args, &config, found)?;
    let name = args.output.file_name().unwrap_or_default().to_string_lossy().into_owned();
    super::print(&format!("certified: in the configuration, through_current.certificate = \"{name}\"\n"))
}

fn lines(found: &Found) -> String {
    let (name, rate_hz) = &found.amplifier;
    let mut text = format!(
        "{name:?} at {rate_hz} Hz, {} channels: {} windows under current with a learnt path, {} proven, at most {:.1} dB \
         removed\n",
        found.channels.len(),
        found.windows,
        found.proven,
        found.removed_db
    );
    // Writing into a String cannot fail.
    let _ = match found.bias {
        Some((bias, se)) => {
            writeln!(text, "exponent under current less the clean one: {bias:+.3}, standard error {se:.3}")
        }
        None => writeln!(text, "no clean windows to compare with: record half a minute without current too"),
    };
    text
}

fn write(path: &Path, args: &CertifyArgs, config: &Config, found: Found) -> Result<(), Failure> {
    let cannot = |why: String| Failure::Usage(format!("cannot write {}: {why}", path.display()));
    let (hash, _) = Hash::of_file(&args.recording).map_err(|e| cannot(e.to_string()))?;
    let now = Moment::now(0.0);
    let certificate = ThroughCertificate {
        amplifier: found.amplifier.0,
        rate_hz: found.amplifier.1,
        channels: found.channels,
        stimulator: config.stimulator.identity(),
        range_hz: config.estimator.range_hz,
        window_s: config.estimator.window_s,
        load: args.load.trim().to_owned(),
        windows: found.windows as u64,
        proven: found.proven as u64,
        removed_db: found.removed_db,
        bias: found.bias.map(|(bias, _)| bias),
        recording: hash.to_string(),
        certified_unix_s: now.unix_s,
        certified_at: moment::iso_8601(now.unix_s),
    };
    let key = Keys::of_user().and_then(|keys| keys.signing()).map_err(|e| cannot(e.to_string()))?;
    private::replace(path, certificate.signed(&key).as_bytes()).map_err(|e| cannot(e.to_string()))
}

//! `tras verify FOLDER`: whether a session's folder holds what was kept. 0 where all holds, 5 where anything does not.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::session::audit::head::parse_printed;
use crate::session::audit::trust::Trust;
use crate::session::keys::Keys;
use crate::session::verify;

const AFTER_HELP: &str = "\
Checked, in this order: the chain of the audit log; its signature, and the heads of it that this machine keeps outside
the folder; sealed chunks and files by their hashes; the allocation and what was unblinded by their commitments; and
that the session was closed. No secret key is needed.
Elsewhere than on the machine that made it: --key with the public key, --head with the head, both as the session printed
them at its end. Without --head a log that was cut or written anew by the holder of the key would not show.
Exit codes: 0 all holds; 5 something does not, and the first such thing is named on standard error; 3 no such folder.";

/// Arguments of `tras verify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// The session's folder
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// A public key that signed, beside this machine's; may be repeated
    #[arg(long, value_name = "HEX")]
    pub key: Vec<String>,
    /// The head as it was printed: NUMBER:HASH
    #[arg(long, value_name = "HEAD")]
    pub head: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &VerifyArgs) -> Result<(), Failure> {
    let folder = &args.folder;
    if !folder.is_dir() {
        return Err(Failure::NotFound(format!("{}: no such folder", folder.display())));
    }
    let mut trust = Keys::of_user().and_then(|keys| Trust::of(&keys)).map_err(Failure::usage)?;
    trust.keys = args.key.iter().map(|key| key.trim().to_ascii_lowercase()).collect();
    trust.printed = args.head.as_deref().map(parse_printed).transpose().map_err(Failure::Usage)?;
    let found = verify::verify(folder, &trust)
        .map_err(|broken| Failure::DoesNotHold(format!("{}: {broken}", folder.display())))?;
    let mut told = String::new();
    for (name, what) in found {
        let _ = writeln!(told, "{name:<12} {what}");
    }
    let _ = writeln!(told, "all holds");
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    Ok(())
}

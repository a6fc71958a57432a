//! `tras verify FOLDER`: whether a session's folder holds what was kept. 0 where all holds, 5 where anything does not.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::runtime::recompute::{Recomputed, TOLERANCE, recompute};
use crate::session::audit::head::parse_printed;
use crate::session::audit::trust::Trust;
use crate::session::keys::Keys;
use crate::session::recorded::Recorded;
use crate::session::verify;

const AFTER_HELP: &str = "\
Checked, in this order: the chain of the audit log; its signature, and the heads of it that this machine keeps outside
the folder; sealed chunks and files by their hashes; the allocation and what was unblinded by their commitments; and
that the session was closed. No secret key is needed.
Elsewhere than on the machine that made it: --key with the public key, --head with the head, both as the session printed
them at its end. Without --head a log that was cut or written anew by the holder of the key would not show.
--recompute cuts the windows as they were cut live and finds every estimate and decision equal bit for bit on the build
that made them, within 1e-6 on another. Of a session with sealed blocks what stands before the first of them, until all
are unblinded.
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
    /// Also make every estimate and decision once more from the recorded samples, and compare
    #[arg(long)]
    pub recompute: bool,
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
    let mut found = found;
    if args.recompute {
        found.push(("recomputed", recomputed(folder)?));
    }
    let mut told = String::new();
    for (name, what) in found {
        let _ = writeln!(told, "{name:<12} {what}");
    }
    let _ = writeln!(told, "all holds");
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    Ok(())
}

/// Recomputes a session. Gives what was found, in words.
fn recomputed(folder: &std::path::Path) -> Result<String, Failure> {
    let broken =
        |error: &dyn std::fmt::Display| Failure::DoesNotHold(format!("{}: {error}", folder.display()));
    let recorded = Recorded::open(folder).map_err(|error| broken(&error))?;
    let Recomputed { sittings, estimates, decisions, left_out, steered_through, missing_from, exact } =
        recompute(&recorded).map_err(|error| broken(&error))?;
    let how =
        if exact { "bit for bit".to_owned() } else { format!("within {TOLERANCE} (made by another build)") };
    let mut told = format!("{estimates} estimates and {decisions} decisions are equal {how}");
    if sittings > 1 {
        let _ = write!(told, " in {sittings} sittings");
    }
    if let Some(from) = missing_from {
        let _ = write!(told, "; sample {from} is missing or sealed: {left_out} estimates behind it left out");
    }
    if steered_through > 0 {
        let _ = write!(
            told,
            "; from the first decision that followed from a window under current on, {steered_through} are left out"
        );
    }
    Ok(told)
}

//! `tras unblind FOLDER --block N --reason "..."`: opens one block of a session, and no other.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::clock;
use crate::failure::Failure;
use crate::session::keys::{Keys, read_identity};
use crate::session::moment::Moment;
use crate::session::unblinding::{blocks_of_allocation, unblind};

const AFTER_HELP: &str = "\
The reason is entered into the audit log, and the log signed, before anything is opened. What was sealed of the block
(current, decisions, EEG, doses) is then beside it: unblinded/block-NN.json and unblinded/block-NN.xdf.
Without --identity the instrument's own key is taken.
Exit codes: 0 done; 2 no reason, no such block, or a key that opens nothing; 3 no such folder; 5 the log does not hold.";

/// Arguments of `tras unblind`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct UnblindArgs {
    /// The session's folder
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The block, from 1
    #[arg(long, value_name = "N", required_unless_present = "participant")]
    pub block: Option<u32>,
    /// Every block of the session, which is all of its participant: their name, to be sure
    #[arg(long, value_name = "NAME", conflicts_with = "block")]
    pub participant: Option<String>,
    /// Why, in words: it stays in the audit log
    #[arg(long, value_name = "WHY")]
    pub reason: String,
    /// The emergency key's file, in place of the instrument's key
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &UnblindArgs) -> Result<(), Failure> {
    use crate::session::audit::AuditError;
    use crate::session::unblinding::UnblindError;
    let folder = &args.folder;
    if !folder.is_dir() {
        return Err(Failure::NotFound(format!("{}: no such folder", folder.display())));
    }
    let failed = |error: UnblindError| match error {
        UnblindError::Audit(AuditError::Broken(_)) => {
            Failure::DoesNotHold(format!("{}: {error}", folder.display()))
        }
        error => Failure::usage(error),
    };
    let keys = Keys::of_user().map_err(Failure::usage)?;
    let identity = match &args.identity {
        Some(file) => read_identity(file),
        None => keys.instrument(),
    };
    let identity = identity.map_err(Failure::usage)?;
    let blocks = match args.block {
        Some(block) => vec![block],
        None => {
            blocks_of_allocation(folder, args.participant.as_deref().unwrap_or_default()).map_err(failed)?
        }
    };
    let mut head = String::new();
    for block in blocks {
        let at = Moment::now(clock::now_s());
        let opened = unblind(folder, block, &args.reason, &identity, &keys, at).map_err(failed)?;
        let recordings: Vec<String> =
            opened.recordings.iter().map(|path| path.display().to_string()).collect();
        let recordings =
            if recordings.is_empty() { "nothing was sealed".to_owned() } else { recordings.join(", ") };
        let _ = writeln!(std::io::stdout(), "block {block}: {} ({recordings})", opened.condition);
        head = opened.head;
    }
    let _ = writeln!(std::io::stdout(), "the audit log's head is now {head}");
    Ok(())
}

//! `tras export-bids FOLDER... --out TREE`: sessions to a BIDS tree.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::recorder::bids::{BidsError, export};
use crate::session::recorded::RecordedError;

const AFTER_HELP: &str = "\
EEG as BrainVision (32-bit floats, microvolts) with events, channels and electrodes; questionnaires under beh/; each
session's own folder, its decisions and its stimulation (draft extension) under sourcedata/. A tree that is there is added
to; nothing is overwritten. Blocks that are still blind are missing from the data: unblind them first (tras unblind).
Exit codes: 0 done; 2 a name is taken, or a folder does not say whose it is; 3 no such folder, or no recording in it.";

/// Arguments of `tras export-bids`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ExportBidsArgs {
    /// Folders of sessions
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// The tree
    #[arg(long, value_name = "TREE")]
    pub out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &ExportBidsArgs) -> Result<(), Failure> {
    let missing: Vec<String> = args
        .folders
        .iter()
        .filter(|folder| !folder.exists())
        .map(|folder| format!("{}: no such folder", folder.display()))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::NotFound(missing.join("\n")));
    }
    let exported = export(&args.folders, &args.out).map_err(|error| match error {
        BidsError::Recorded(RecordedError::None(_)) => Failure::NotFound(error.to_string()),
        error => Failure::usage(error),
    })?;
    for one in exported {
        let gaps = if one.gaps == 0 { String::new() } else { format!(", {} gaps", one.gaps) };
        let _ = writeln!(
            std::io::stdout(),
            "{} -> {} ({} samples{gaps})",
            one.folder.display(),
            one.header.display(),
            one.samples
        );
    }
    Ok(())
}

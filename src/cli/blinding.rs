//! `tras blinding FOLDER...`: whether participants could tell their condition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::failure::Failure;
use crate::session::blinding::{Guesses, Intervals, bootstrap};
use crate::session::questionnaires::{self, Sheet};
use crate::session::unblinding::{Unblinded, blocks_of};

const AFTER_HELP: &str = "\
Counted are the guesses after blocks that are unblinded (tras unblind): the others are named and left out.
  Bang    for each condition: 1 where all guess right, 0 by chance, below 0 where more are wrong than by chance
  James   over all: 1 where nobody says that they know, 0.5 by chance, 0 where all guess right
Intervals are 95 %, by drawing participants with replacement; standard errors treat each guess as independent, which
those of one participant are not.
Exit codes: 0 done; 2 nothing is unblinded, or nobody was asked; 3 no such folder.";

/// Arguments of `tras blinding`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct BlindingArgs {
    /// Folders of sessions
    #[arg(required = true, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// How often participants are drawn for the intervals
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub draws: usize,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

/// One unblinded block that was guessed about.
struct Guessed {
    participant: String,
    condition: String,
    guess: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &BlindingArgs) -> Result<(), Failure> {
    let (mut guessed, mut left_out) = (Vec::new(), Vec::new());
    for folder in &args.folders {
        if !folder.is_dir() {
            return Err(Failure::NotFound(format!("{}: no such folder", folder.display())));
        }
        read(folder, &mut guessed, &mut left_out)?;
    }
    for what in &left_out {
        eprintln!("tras: {what}");
    }
    if guessed.is_empty() {
        return Err(Failure::Usage(
            "there is no guess about a block that is unblinded: see tras unblind --help".to_owned(),
        ));
    }
    let names: BTreeSet<&str> = guessed
        .iter()
        .flat_map(|g| std::iter::once(g.condition.as_str()).chain(g.guess.as_deref()))
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let place = |name: &str| names.iter().position(|known| *known == name);
    if names.len() < 2 {
        return Err(Failure::Usage(format!(
            "there is only one condition, {}: nothing to tell apart",
            names.join("")
        )));
    }
    let mut by_participant: BTreeMap<&str, Guesses> = BTreeMap::new();
    for g in &guessed {
        let table = by_participant.entry(&g.participant).or_insert_with(|| Guesses::new(names.len()));
        if let Some(condition) = place(&g.condition) {
            table.add(condition, g.guess.as_deref().and_then(place));
        }
    }
    let participants: Vec<Guesses> = by_participant.into_values().collect();
    let mut all = Guesses::new(names.len());
    participants.iter().for_each(|one| all.add_all(one));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(args.seed);
    let intervals = bootstrap(&participants, args.draws, &mut |n| rng.random_range(0..n.max(1)));
    let told = if args.json {
        as_json(&names, &all, participants.len(), intervals.as_ref()).to_string() + "\n"
    } else {
        as_table(&names, &all, participants.len(), intervals.as_ref())
    };
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    Ok(())
}

fn read(
    folder: &std::path::Path,
    guessed: &mut Vec<Guessed>,
    left_out: &mut Vec<String>,
) -> Result<(), Failure> {
    let mut conditions: BTreeMap<u32, Unblinded> = BTreeMap::new();
    for block in blocks_of(folder) {
        if let Some(unblinded) = Unblinded::load(folder, block).map_err(Failure::usage)? {
            conditions.insert(block, unblinded);
        }
    }
    let filled = questionnaires::read(folder).map_err(Failure::usage)?;
    let mut blind = BTreeSet::new();
    let mut any = false;
    for one in filled {
        let (Sheet::Guess { guess, .. }, Some(block)) = (one.sheet, one.block) else { continue };
        any = true;
        match conditions.get(&block) {
            Some(Unblinded { block: open, .. }) => guessed.push(Guessed {
                participant: open.participant.clone(),
                condition: open.condition.clone(),
                guess,
            }),
            None => drop(blind.insert(block)),
        }
    }
    if !any {
        left_out.push(format!("{}: nobody was asked for a guess", folder.display()));
    }
    if !blind.is_empty() {
        let blocks: Vec<String> = blind.iter().map(u32::to_string).collect();
        left_out.push(format!(
            "{}: blocks {} are not unblinded: left out",
            folder.display(),
            blocks.join(", ")
        ));
    }
    Ok(())
}

fn as_table(names: &[&str], all: &Guesses, participants: usize, intervals: Option<&Intervals>) -> String {
    let mut told = format!("{} guesses of {participants} participants\n\n{:<16}", all.total(), "condition");
    for name in names {
        let _ = write!(told, " {:>12}", format!("said {name}"));
    }
    let _ = writeln!(told, " {:>12}  Bang's index", "don't know");
    let interval = |bounds: Option<[f64; 2]>| {
        bounds.map_or_else(String::new, |[low, high]| format!("  [{low:.3}, {high:.3}]"))
    };
    for (place, (name, row)) in names.iter().zip(all.counts()).enumerate() {
        let _ = write!(told, "{name:<16}");
        for count in row {
            let _ = write!(told, " {count:>12}");
        }
        let (bang, bounds) = (all.bang(place), intervals.and_then(|i| i.bang.get(place).copied()));
        let _ = writeln!(told, "  {:.3} (SE {:.3}){}", bang.value, bang.se, interval(bounds));
    }
    let james = all.james();
    let bounds = interval(intervals.map(|i| i.james));
    let _ = writeln!(told, "\nJames' index {:.3} (SE {:.3}){bounds}", james.value, james.se);
    if intervals.is_none() {
        told.push_str("no intervals: with one participant nothing is known of how they differ\n");
    }
    told
}

fn as_json(
    names: &[&str],
    all: &Guesses,
    participants: usize,
    intervals: Option<&Intervals>,
) -> serde_json::Value {
    let bang: Vec<serde_json::Value> = (0..names.len())
        .map(|place| {
            let index = all.bang(place);
            json!({
                "condition": names.get(place), "index": index.value, "se": index.se,
                "interval": intervals.and_then(|i| i.bang.get(place)),
            })
        })
        .collect();
    let james = all.james();
    json!({
        "conditions": names, "counts": all.counts(), "participants": participants, "guesses": all.total(),
        "bang": bang,
        "james": {"index": james.value, "se": james.se, "interval": intervals.map(|i| i.james)},
    })
}

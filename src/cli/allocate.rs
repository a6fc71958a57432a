//! `tras allocate`: a study's allocation, balanced, salted, sealed; its commitment on standard output.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use age::x25519::Recipient;
use clap::{Args, ValueEnum};
use rand::RngExt;

use crate::clock;
use crate::failure::Failure;
use crate::session::allocation::{Allocation, Order};
use crate::session::keys::{Keys, make_identity};
use crate::session::moment::iso_8601;
use crate::session::orders::{WilliamsDeal, bits, permuted};

const AFTER_HELP: &str = "\
Methods:
  permuted  every run of --size blocks holds each condition equally often, in an order that chance gives
  williams  rows of a Williams design, one behind the other: each condition stands at each place and follows each
            other one equally often; no row is used again before all were
  list      as --list FILE says: CSV with a header participant,session,block,condition; blocks from 1
Chance comes from the system; there is no seed. The file tells no condition: it can be shown to everyone. Write its
commitment down where nobody changes it (the protocol, a registration): tras checks it at each session.
Each box opens with the instrument's key (made at first use, in ~/.config/tras or $TRAS_KEYS) or the emergency key.
Give --new-emergency-key a file on a stick, and the stick to whoever unblinds in an emergency.

  tras allocate --study wm --participants 24 --new-emergency-key /media/stick/emergency.key";

/// How orders are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MethodArg {
    /// Permuted blocks
    Permuted,
    /// A Williams design
    Williams,
    /// As a list says
    List,
}

/// Arguments of `tras allocate`.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct AllocateArgs {
    /// The study's name
    #[arg(long, value_name = "NAME")]
    pub study: String,
    /// How many participants (P01, P02, ...), or their names: A3,B7
    #[arg(long, value_name = "N|NAMES", required_unless_present = "list")]
    pub participants: Option<String>,
    /// The session's name
    #[arg(long, value_name = "NAME", default_value = "2")]
    pub session: String,
    /// Blocks of a session
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub blocks: usize,
    /// The conditions, by the names that the protocol gives them
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "steep,flat,sham")]
    pub conditions: Vec<String>,
    /// How orders are made
    #[arg(long, value_enum, default_value_t = MethodArg::Permuted)]
    pub method: MethodArg,
    /// Blocks of a run that is balanced in itself, for permuted [default: the number of conditions]
    #[arg(long, value_name = "N")]
    pub size: Option<usize>,
    /// The orders themselves, for list
    #[arg(long, value_name = "FILE", conflicts_with_all = ["participants", "size"])]
    pub list: Option<PathBuf>,
    /// Public key (age1...) of whoever unblinds in an emergency; may be repeated
    #[arg(long, value_name = "KEY")]
    pub emergency: Vec<String>,
    /// Make an emergency key, and keep it in this file
    #[arg(long, value_name = "FILE")]
    pub new_emergency_key: Option<PathBuf>,
    /// The file [default: STUDY.allocation.json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// See [`Failure`].
pub fn run(args: &AllocateArgs) -> Result<(), Failure> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.allocation.json", args.study)));
    if out.exists() {
        return Err(Failure::Usage(format!(
            "{}: is there already: an allocation is made once, before the first session; name another with --out",
            out.display()
        )));
    }
    if args.emergency.is_empty() && args.new_emergency_key.is_none() {
        return Err(Failure::Usage(
            "somebody else must be able to unblind in an emergency: --emergency age1... with their public key, or \
             --new-emergency-key FILE"
                .to_owned(),
        ));
    }
    let orders = match (&args.list, args.method) {
        (Some(list), MethodArg::Permuted | MethodArg::List) => read_list(list, &args.session)?,
        (None, MethodArg::List) => return Err(Failure::Usage("--method list needs --list FILE".to_owned())),
        (Some(_), MethodArg::Williams) => {
            return Err(Failure::Usage("--list gives the orders: leave --method out".to_owned()));
        }
        (None, _) => draw(args)?,
    };
    let mut recipients: Vec<Recipient> = Vec::new();
    for text in &args.emergency {
        let key = text
            .parse()
            .map_err(|what| Failure::Usage(format!("--emergency {text}: is no public key of age: {what}")))?;
        recipients.push(key);
    }
    recipients
        .insert(0, Keys::of_user().and_then(|keys| keys.instrument()).map_err(Failure::usage)?.to_public());
    if let Some(file) = &args.new_emergency_key {
        recipients.push(make_identity(file).map_err(Failure::usage)?);
    }
    let method = match (&args.list, args.method) {
        (Some(_), _) => "list".to_owned(),
        (None, MethodArg::Williams) => format!("Williams design of {} conditions", args.conditions.len()),
        (None, _) => format!("permuted blocks of {}", args.size.unwrap_or(args.conditions.len())),
    };
    let created = iso_8601(clock::unix_s());
    let allocation =
        Allocation::seal(&args.study, &method, created, &orders, &recipients).map_err(Failure::usage)?;
    allocation.save(&out).map_err(Failure::usage)?;
    let told = describe(&allocation, &orders, &out);
    // Whoever does not listen has the file.
    let _ = std::io::stdout().lock().write_all(told.as_bytes());
    Ok(())
}

/// What everybody may know.
fn describe(allocation: &Allocation, orders: &[Order], out: &Path) -> String {
    let blocks: usize = orders.iter().map(|order| order.conditions.len()).sum();
    let longest = orders.iter().map(|order| order.conditions.len()).max().unwrap_or(0);
    format!(
        "study       {}\nsessions    {}, {blocks} blocks, {}\nconditions  {}\nkeys        {}\nfile        {}\ncommitment  {}\n{}",
        allocation.study,
        orders.len(),
        allocation.method,
        allocation.conditions.join(", "),
        allocation.recipients.join("\n            "),
        out.display(),
        allocation.commitment,
        format_args!(
            "            salted with 256 bits a block: balanced orders alone have {:.0} bits a session\n",
            bits(allocation.conditions.len(), longest)
        ),
    )
}

fn draw(args: &AllocateArgs) -> Result<Vec<Order>, Failure> {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = args.conditions.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(Failure::Usage(format!("--conditions: {twice:?} stands there twice")));
    }
    let participants = participants(args.participants.as_deref().unwrap_or_default())?;
    let mut rng = rand::rng();
    let mut below = |n: usize| rng.random_range(0..n.max(1));
    let count = args.conditions.len();
    let mut deal = match args.method {
        MethodArg::Williams => Some(WilliamsDeal::new(count, &mut below).map_err(Failure::usage)?),
        _ => None,
    };
    let mut orders = Vec::with_capacity(participants.len());
    for participant in participants {
        let order = match &mut deal {
            Some(deal) => deal.deal(args.blocks, &mut below),
            None => permuted(count, args.blocks, args.size.unwrap_or(count), &mut below),
        };
        let order = order.map_err(Failure::usage)?;
        let conditions = order.iter().filter_map(|&c| args.conditions.get(c).cloned()).collect();
        orders.push(Order { participant, session: args.session.clone(), conditions });
    }
    Ok(orders)
}

/// `24`, or names with commas between them.
fn participants(text: &str) -> Result<Vec<String>, Failure> {
    match text.trim().parse::<usize>() {
        Ok(0) => Err(Failure::Usage("--participants: at least one".to_owned())),
        Ok(count) if count > 10_000 => Err(Failure::Usage("--participants: at most 10000".to_owned())),
        Ok(count) => {
            let width = count.to_string().len().max(2);
            Ok((1..=count).map(|n| format!("P{n:0width$}")).collect())
        }
        Err(_) => Ok(text.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}

/// The orders of a list. `session`: of rows that have none.
fn read_list(path: &Path, session: &str) -> Result<Vec<Order>, Failure> {
    let refuse = |line: u64, what: String| Failure::Usage(format!("{}:{line}: {what}", path.display()));
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| Failure::NotFound(format!("{}: {error}", path.display())))?;
    let header = reader.headers().map_err(|error| refuse(1, error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|known| known.eq_ignore_ascii_case(name));
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            refuse(1, format!("there is no column {name}: the header is participant,session,block,condition"))
        })
    };
    let (participant_at, block_at, condition_at) =
        (needed("participant")?, needed("block")?, needed("condition")?);
    let session_at = column("session");
    let mut orders: Vec<Order> = Vec::new();
    for row in reader.records() {
        let row =
            row.map_err(|error| refuse(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |at: usize| row.get(at).unwrap_or_default().to_owned();
        let (participant, session) =
            (cell(participant_at), session_at.map_or_else(|| session.to_owned(), cell));
        let here = orders.iter().position(|o| o.participant == participant && o.session == session);
        let here = here.unwrap_or_else(|| {
            orders.push(Order { participant, session, conditions: Vec::new() });
            orders.len() - 1
        });
        let Some(order) = orders.get_mut(here) else { continue };
        let next = order.conditions.len() + 1;
        if cell(block_at).parse() != Ok(next) {
            return Err(refuse(
                line,
                format!("block {:?}: block {next} of this session should follow", cell(block_at)),
            ));
        }
        order.conditions.push(cell(condition_at));
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    #[test]
    fn a_number_or_names() {
        assert_eq!(participants("3").unwrap(), ["P01", "P02", "P03"]);
        assert_eq!(participants("120").unwrap()[0], "P001");
        assert_eq!(participants("A3, B7").unwrap(), ["A3", "B7"]);
        assert!(participants("0").is_err());
    }

    #[test]
    fn a_list_is_taken_as_it_stands_or_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_list(&path, "2").map_err(|error| error.to_string())
        };
        let orders = read("participant,block,condition\nA,1,sham\nB,1,flat\nA,2,steep\n").unwrap();
        assert_eq!(orders.len(), 2);
        assert_eq!(
            (orders[0].session.as_str(), orders[0].conditions.as_slice()),
            ("2", &["sham".to_owned(), "steep".into()][..])
        );
        let twice = read("participant,block,condition\nA,1,sham\nA,1,flat\n").unwrap_err();
        assert!(twice.contains("list.csv:3") && twice.contains("block 2"), "{twice}");
        assert!(read("who,block,condition\nA,1,sham\n").unwrap_err().contains("no column participant"));
    }
}

//! What `tras run` makes of a protocol: the order of a new session, and of one that is resumed.

use std::path::{Path, PathBuf};

use super::{
    check,
    run::{Role, RunArgs, build, describe},
};
use crate::{
    clock,
    config::Config,
    failure::Failure,
    runtime::assemble::{Order, SessionOrder},
    session::{
        audit::{
            check::{Chain, Entry, chain},
            trust::Trust,
        },
        folder,
        hash::Hash,
        keys::Keys,
        moment::iso_8601,
        private,
        protocol::Broken,
        yoked::Yoked,
    },
};

/// Virtual runs begin at this time of their own clock.
const VIRTUAL_START_S: f64 = 1_000.0;

/// The order of a new run: a session where the configuration has a protocol.
pub(super) fn ordered(file: &Path, args: &RunArgs) -> Result<Order, Failure> {
    let mut config = check::load(file)?;
    if let Some(stream) = &args.stream {
        config.stream.choose(stream);
    }
    if let Some(participant) = &args.participant {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if participant.is_empty() || participant.len() > 64 || !participant.chars().all(plain) {
            return Err(Failure::usage(format!(
                "--participant {participant:?} cannot name a folder: use up to 64 letters, digits, - and _"
            )));
        }
        config.record.participant.clone_from(participant);
    }
    let Some(protocol) = config.protocol.clone() else {
        if args.session.is_some() || args.role == Role::Engineer {
            return Err(Failure::usage(format!(
                "{}: has no [protocol]: --session and --role are for sessions by a protocol",
                file.display()
            )));
        }
        return build("run", config, &args.options);
    };
    if let Some(session) = args.session.as_ref().filter(|s| **s != protocol.session) {
        return Err(Failure::usage(format!(
            "{}: is the protocol of session {:?}, not {session:?}: name the other file with -c",
            file.display(),
            protocol.session
        )));
    }
    let beside = |name: &String| {
        let path = PathBuf::from(name);
        if path.is_absolute() || path.exists() {
            return path;
        }
        file.parent().map_or(path.clone(), |parent| parent.join(&path))
    };
    let allocation = protocol.allocation.as_ref().map(beside);
    let session = SessionOrder {
        blind: args.role == Role::Operator && allocation.is_some(),
        allocation,
        resume: None,
        sitting: 1,
        broke: None,
        yoked: None,
        virtual_unix_s: args.virtual_time.then(|| clock::unix_s() - VIRTUAL_START_S),
    };
    let participant = config.record.participant.clone();
    let parent = args.options.record.clone().unwrap_or_else(|| PathBuf::from(&config.record.dir));
    let options = super::options::RunOptions { no_record: true, record: None, ..args.options.clone() };
    if args.options.no_record || !config.record.enabled {
        return Err(Failure::usage("a session by a protocol is recorded: leave --no-record out"));
    }
    let mut order = Order { session: Some(session), ..build("run", config, &options)? };
    let yoked = yoked_to(args, &order.config)?;
    if let Some(session) = &mut order.session {
        session.yoked.clone_from(&yoked);
    }
    let stamp = iso_8601(clock::unix_s()).replace([':', '-'], "");
    let date = stamp.split('.').next().unwrap_or_default();
    let name = format!("sub-{participant}_ses-{}_{date}", protocol.session);
    let within = parent.join(name);
    let failed = |e: std::io::Error| {
        Failure::usage(format!(
            "cannot record in {}: {e}; a session's folder is made once: go on in it with --resume",
            within.display()
        ))
    };
    // Before a folder is made: what is refused leaves none behind.
    order.check_allocation()?;
    private::create_folder(&parent).map_err(failed)?;
    private::create_new_folder(&within).map_err(failed)?;
    if let Some(yoked) = yoked {
        yoked.keep(&within).map_err(Failure::usage)?;
    }
    order.record = Some(within);
    describe(&mut order)?;
    Ok(order)
}

/// The decisions that a condition of law `yoked` plays, where there is such a condition.
fn yoked_to(args: &RunArgs, config: &Config) -> Result<Option<Yoked>, Failure> {
    let plays = config.protocol.iter().flat_map(|protocol| &protocol.conditions).find(|c| c.law == "yoked");
    match (plays, &args.yoked_to) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Failure::usage(
            "--yoked-to: no condition of the protocol has law = \"yoked\": leave it out, or give one that law",
        )),
        (Some(condition), None) => Err(Failure::usage(format!(
            "condition \"{}\": law yoked plays another session's decisions: name its folder, --yoked-to FOLDER",
            condition.name
        ))),
        (Some(_), Some(other)) => {
            let trust = Keys::of_user().and_then(|keys| Trust::of(&keys)).map_err(Failure::usage)?;
            let found = Yoked::of_session(other, &trust, blocks(config));
            found.map(Some).map_err(|error| Failure::usage(format!("--yoked-to {error}")))
        }
    }
}

/// The decisions that a session plays, as it kept them when it began.
fn kept_yoked(within: &Path, chain: &Chain) -> Result<Option<Yoked>, Failure> {
    let kept = Yoked::kept(within).map_err(Failure::usage)?;
    let (Some(_), Some(entry)) = (&kept, chain.last("yoked")) else { return Ok(kept) };
    let path = within.join(folder::YOKED);
    let (now, _) = Hash::of_file(&path).map_err(Failure::usage)?;
    if entry.text("sha256") == Some(now.to_string().as_str()) {
        return Ok(kept);
    }
    Err(Failure::usage(format!(
        "{}: was changed since the session began (audit log entry {}): put back what was there",
        path.display(),
        entry.n
    )))
}

/// The order of a session that goes on in its folder.
pub(super) fn resumed(within: &Path, args: &RunArgs) -> Result<Order, Failure> {
    let file = within.join(folder::CONFIGURATION);
    let mut config: Config = check::load(&file)?;
    if let Some(stream) = &args.stream {
        config.stream.choose(stream);
    }
    let protocol = config
        .protocol
        .clone()
        .ok_or_else(|| Failure::usage(format!("{}: was no session by a protocol", within.display())))?;
    let chain = chain(within).map_err(Failure::usage)?;
    if chain.last("closed").is_some_and(|entry| entry.n + 1 == chain.entries.len() as u64)
        && chain.all("word").any(|entry| entry.text("text") == Some("the session is over"))
        && done(&chain).is_some_and(|block| block >= blocks(&config))
    {
        return Err(Failure::usage(format!("{}: the session is complete", within.display())));
    }
    let broken = if protocol.broken == "repeat" { Broken::Repeat } else { Broken::Skip };
    let at = next_block(&chain, broken);
    let copy = within.join(folder::ALLOCATION);
    let allocation = copy.exists().then_some(copy);
    let session = SessionOrder {
        blind: args.role == Role::Operator && allocation.is_some(),
        allocation,
        resume: Some(at),
        sitting: folder::next_sitting(within),
        broke: broke_off(&chain),
        yoked: kept_yoked(within, &chain)?,
        virtual_unix_s: args.virtual_time.then(|| clock::unix_s() - VIRTUAL_START_S),
    };
    let options = super::options::RunOptions { no_record: true, record: None, ..args.options.clone() };
    let mut order = Order { session: Some(session), ..build("run", config, &options)? };
    order.record = Some(within.to_owned());
    Ok(order)
}

fn blocks(config: &Config) -> u32 {
    let built = config.protocol.as_ref().and_then(|protocol| protocol.build(config).ok());
    built.map_or(0, |protocol| protocol.blocks())
}

/// The last block that began.
fn done(chain: &Chain) -> Option<u32> {
    let begun = chain.all("phase").filter_map(|entry| entry.number("block"));
    begun.max().and_then(|block| u32::try_from(block).ok())
}

/// Entries of the last block that began: its begin, its end, and that it is broken.
fn last_block(chain: &Chain) -> Option<(u32, [Option<u64>; 3])> {
    let last = done(chain)?;
    let of = |kind: &'static str| {
        let own = |entry: &&Entry| entry.number("block") == Some(u64::from(last));
        chain.all(kind).filter(own).map(|entry| entry.n).max()
    };
    Some((last, [of("phase"), of("phase_left"), of("broken")]))
}

/// Where a session goes on: behind the last block that began; at it, where it is broken and the protocol repeats those.
fn next_block(chain: &Chain, broken: Broken) -> u32 {
    let Some((last, [begun, ended, spoilt])) = last_block(chain) else { return 1 };
    let whole = ended > begun && spoilt < begun;
    if whole || broken == Broken::Skip { last + 1 } else { last }
}

/// The block in which a session ended, where no entry says yet that it is broken.
fn broke_off(chain: &Chain) -> Option<u32> {
    let (last, [begun, ended, spoilt]) = last_block(chain)?;
    (ended < begun && spoilt < begun).then_some(last)
}

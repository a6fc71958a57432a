//! `tras study FOLDER...`: a study's sessions in one table and on one page; `--simulate`: what a study could find.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use tras_scoring::study::{Plan, power};
use tras_scoring::tcc::Quadrature;
use tras_scoring::{LogTable, Settings};

use crate::failure::Failure;
use crate::offline::study::contrasts::{Contrast, contrast};
use crate::offline::study::join::{Joined, join, write_csv};
use crate::offline::study::plots;

const AFTER_HELP: &str = "\
Read of each folder, named sub-..._ses-...: trials.csv, estimates.csv, events.csv, summary.json, questionnaires.jsonl,
  unblinded/; what is not there is told and left out. A block that is still sealed has no condition: its trials are told
  and stand under an empty one (tras unblind). Exponents: valid and clean ones, of all channels and regions; at rest
  fits are deleted whose R2 lies below the mean less 2 sd, in blocks less 3 sd. Exponent at rest: before the first
  block; after: from the end of a block to the next.
Output: the paired differences in words (--json: one object a contrast), Bang's index in tras blinding; with --out
  study.csv (a row for each participant and condition, for R or Python), scores.csv, contrasts.jsonl, study.svg.
--simulate prints CSV: participants, effect, trials, power (paired t test, p < 0.05), power_se, half_width (of the
  difference's 95 % interval). Errors of d' are those of the kernel naka35; --trials is per condition.
Exit codes: 0 done; 2 bad arguments; 3 a folder is missing; 4 a file is broken, or nothing could be written.";

/// Join a study's sessions: d', exponents, dose, guesses; or simulate its power.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct StudyArgs {
    /// Folders of sessions
    #[arg(required_unless_present = "simulate", value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Conditions to compare, the first less the second; without it steep-flat and steep-sham
    #[arg(long, value_name = "A-B", value_parser = two)]
    pub contrast: Vec<(String, String)>,
    /// Kernel of d', as in tras score
    #[arg(long, value_name = "KERNEL", default_value = "naka35")]
    pub kernel: String,
    /// One JSON object a contrast on standard output
    #[arg(long)]
    pub json: bool,
    /// Write tables and the page of plots into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of resamples, fills and simulated studies
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; without it as many as the machine runs at once
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Simulate studies instead of reading one
    #[arg(long, conflicts_with = "folders")]
    pub simulate: bool,
    /// With --simulate: numbers of participants
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "12,20,30,40,60",
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub participants: Vec<u32>,
    /// With --simulate: mean differences of d'
    #[arg(
        long,
        value_name = "D,D,...",
        value_delimiter = ',',
        default_value = "0.1,0.2,0.3",
        allow_hyphen_values = true
    )]
    pub effect: Vec<f64>,
    /// With --simulate: SD of the difference between participants
    #[arg(long, value_name = "D", default_value_t = 0.2)]
    pub effect_sd: f64,
    /// With --simulate: mean d' without the effect
    #[arg(long, value_name = "D", default_value_t = 2.0)]
    pub d_prime: f64,
    /// With --simulate: its SD between participants
    #[arg(long, value_name = "D", default_value_t = 0.5)]
    pub d_prime_sd: f64,
    /// With --simulate: trials of each participant and condition
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub trials: u32,
    /// With --simulate: how many studies of each kind
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub studies: u32,
}

fn two(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('-').filter(|(a, b)| !a.trim().is_empty() && !b.trim().is_empty());
    let (a, b) = pair.ok_or("must be two conditions with a hyphen between, for instance steep-sham")?;
    Ok((a.trim().to_owned(), b.trim().to_owned()))
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &StudyArgs) -> Result<(), Failure> {
    if args.simulate {
        return simulate(args);
    }
    let missing: Vec<String> = args
        .folders
        .iter()
        .filter(|f| !f.is_dir())
        .map(|f| format!("{}: no such folder", f.display()))
        .collect();
    if !missing.is_empty() {
        return Err(Failure::NotFound(missing.join("\n")));
    }
    let table = LogTable::new(super::score::kernel(&args.kernel)?, Quadrature::Exact);
    let settings = Settings { seed: args.seed, ..Settings::default() };
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let joined = join(&args.folders, &table, &settings, threads).map_err(Failure::Fault)?;
    for note in &joined.notes {
        eprintln!("tras: {note}");
    }
    let mut pairs = args.contrast.clone();
    if pairs.is_empty() {
        pairs = [("steep", "flat"), ("steep", "sham")].map(|(a, b)| (a.to_owned(), b.to_owned())).into();
    }
    let contrasts: Vec<Contrast> = pairs.iter().map(|(a, b)| contrast(&joined, a, b)).collect();
    let mut told = String::new();
    if args.json {
        contrasts.iter().for_each(|c| told += &format!("{}\n", c.json()));
    } else {
        told += &format!(
            "{} sessions, {} participants and conditions; d' by kernel {}, mean over loads\n",
            joined.sessions.len(),
            joined.rows.len(),
            table.kernel().name()
        );
        contrasts.iter().for_each(|c| told += &c.words());
    }
    print(&told)?;
    args.out.as_ref().map_or(Ok(()), |folder| save(folder, &joined, &contrasts, &table))
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Failure::Fault(format!("cannot write: {e}")))
}

fn save(
    folder: &std::path::Path,
    joined: &Joined,
    contrasts: &[Contrast],
    table: &LogTable,
) -> Result<(), Failure> {
    let told = |e: &dyn std::fmt::Display| {
        Failure::Fault(format!("--out {}: cannot be written: {e}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(|e| told(&e))?;
    let make = |name: &str| {
        std::fs::File::create(folder.join(name)).map(std::io::BufWriter::new).map_err(|e| told(&e))
    };
    write_csv(make("study.csv")?, joined).map_err(|e| told(&e))?;
    crate::offline::scores::write::scores_csv(make("scores.csv")?, &joined.scored, table)
        .map_err(|e| told(&e))?;
    let mut lines = make("contrasts.jsonl")?;
    for contrast in contrasts {
        writeln!(lines, "{}", contrast.json()).map_err(|e| told(&e))?;
    }
    lines.flush().map_err(|e| told(&e))?;
    plots::write(&folder.join("study.svg"), joined, contrasts).map_err(|e| told(&e))
}

fn simulate(args: &StudyArgs) -> Result<(), Failure> {
    let within = |what: &str, value: f64, least: f64, most: f64| {
        let fine = (least..=most).contains(&value);
        fine.then_some(())
            .ok_or_else(|| Failure::Usage(format!("--{what} {value}: must be {least} to {most}")))
    };
    within("d-prime", args.d_prime, 0.2, 6.0)?;
    within("d-prime-sd", args.d_prime_sd, 0.0, 3.0)?;
    within("effect-sd", args.effect_sd, 0.0, 3.0)?;
    let mut told = String::from("participants,effect,trials,power,power_se,half_width\n");
    for participants in &args.participants {
        for effect in &args.effect {
            within("effect", *effect, -3.0, 3.0)?;
            let plan = Plan {
                participants: *participants as usize,
                trials: f64::from(args.trials),
                d_prime: (args.d_prime, args.d_prime_sd),
                effect: (*effect, args.effect_sd),
            };
            let found = power(&plan, args.studies, args.seed);
            told += &format!(
                "{participants},{effect},{},{:.4},{:.4},{:.4}\n",
                args.trials, found.power, found.error, found.half_width
            );
        }
    }
    print(&told)
}

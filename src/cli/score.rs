//! `tras score FILE...`: working memory by continuous report, scored.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tras_scoring::tcc::Quadrature;
use tras_scoring::{Kernel, LogTable, Settings};

use crate::failure::Failure;
use crate::offline::scores::read::{NEEDED, OPTIONAL};
use crate::offline::scores::table::Table;
use crate::offline::scores::{Layout, Scored, Trials, plots, run as scoring, score_all, shown, write};
use crate::offline::study::folder::conditions;
use crate::task::record::TRIALS;

const AFTER_HELP: &str = "\
Input: CSV, or TSV by its name (BIDS beh), with the columns participant, condition, load, target_deg, response_deg;
  where they are there: nontarget1_deg, nontarget2_deg, ..., rt_s, session, block, trial, status (only done and missed
  are used). An empty response, or n/a, is a missing one. A folder of a session stands for its trials.csv, whose
  conditions are those of its unblinded blocks. Angles in degrees, -180 to 360.
  A BIDS file's participant is its sub-. Other names: --column participant=id --column nontarget=non_target_
Output with --json: one object a cell: participant, condition, load, n (all trials), missing (of these), d_prime,
  d_prime_ci, d_prime_imputed (missing responses filled at random, mean), kernel, circular_sd_deg, mixture {kappa,
  p_target, p_nontarget, p_guess, log_likelihood (densities per radian)}, then d_prime_corrected (less its bias of
  first order), d_prime_se, kernel_sha256, quadrature, intervals, rt_..., left_out, warnings. What is not known is null.
With --out: scores.csv (a row a cell), trials.csv (a row a trial), scores.jsonl, errors.svg, load.svg, conditions.svg.
Exit codes: 0 done; 2 bad arguments; 3 a file is missing (nothing is scored); 4 a file is broken, lacks columns, or
  has angles that look like radians: it is named on standard error and left out, the others are scored. Rows that
  cannot be used are left out, told on standard error and counted in left_out.";

/// Score working memory by continuous report: d', circular SD, mixtures; missing responses both ways.
#[derive(Args, Clone, Debug)]
#[command(after_help = AFTER_HELP)]
pub struct ScoreArgs {
    /// Tables of trials: CSV, or TSV (BIDS beh); or folders of sessions
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Similarity of two directions by their distance: naka35, exp40, vm5, or a CSV with the columns distance_deg,
    /// similarity
    #[arg(long, value_name = "KERNEL", default_value = "naka35")]
    pub kernel: String,
    /// One JSON object a cell on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Write tables and plots into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Reckon densities on the public MATLAB version's grid, with its motor error of 2 degrees
    #[arg(long)]
    pub compat: bool,
    /// Another name of a column: participant, condition, load, target_deg, response_deg, rt_s, ..., nontarget
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair)]
    pub column: Vec<(String, String)>,
    /// A value for every row in place of a column: condition=none
    #[arg(long, value_name = "OURS=VALUE", value_parser = pair)]
    pub constant: Vec<(String, String)>,
    /// What angles are; without it degrees, and what looks like radians is refused
    #[arg(long, value_name = "UNIT")]
    pub unit: Option<Unit>,
    /// After how many degrees the feature repeats: 360, or 180 for bars without a head
    #[arg(long, value_name = "DEGREES", default_value_t = 360, value_parser = clap::value_parser!(u16).range(180..=360))]
    pub period: u16,
    /// Also propose each participant's pair of loads by their capacity (session 1)
    #[arg(long)]
    pub capacity: bool,
    /// The condition that the capacity is taken from, where there are several
    #[arg(long, value_name = "NAME")]
    pub capacity_condition: Option<String>,
    /// How often missing responses are filled at random
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub imputations: u32,
    /// How often trials are resampled for the intervals
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(20..=100_000))]
    pub bootstraps: u32,
    /// Seed of fills and resamples: the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Threads; without it as many as the machine runs at once
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// `--unit`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Degrees, whatever they look like
    Degrees,
    /// Radians
    Radians,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (ours, theirs) = text.split_once('=').ok_or("must be OURS=NAME, for instance participant=id")?;
    let (ours, theirs) = (ours.trim(), theirs.trim());
    if theirs.is_empty() {
        return Err(format!("{ours}: nothing stands behind the equals sign"));
    }
    if !NEEDED.contains(&ours) && !OPTIONAL.contains(&ours) && ours != "nontarget" {
        return Err(format!("`{ours}` is none of {}, {}, nontarget", NEEDED.join(", "), OPTIONAL.join(", ")));
    }
    Ok((ours.to_owned(), theirs.to_owned()))
}

/// A kernel by its name, or from a table.
///
/// # Errors
/// [`Failure`] by exit code: no such name and no such file, or a table that is no kernel.
pub fn kernel(named: &str) -> Result<Kernel, Failure> {
    if let Some(kernel) = Kernel::named(named) {
        return Ok(kernel);
    }
    let path = Path::new(named);
    if !path.is_file() {
        let known = tras_scoring::kernel::NAMES.join(", ");
        return Err(Failure::Usage(format!("--kernel {named}: neither one of {known} nor a file")));
    }
    let table = Table::read(path).map_err(Failure::Usage)?;
    let at = |name: &str| {
        table.column(name).ok_or_else(|| Failure::Usage(format!("--kernel {named}: no column {name}")))
    };
    let (distance, similarity) = (at("distance_deg")?, at("similarity")?);
    let mut points = Vec::new();
    for (line, cells) in &table.rows {
        let number = |at: usize| cells.get(at).and_then(|cell| cell.parse::<f64>().ok());
        let point = number(distance).zip(number(similarity));
        points
            .push(point.ok_or_else(|| {
                Failure::Usage(format!("--kernel {named}: line {line} has no two numbers"))
            })?);
    }
    let name = path.file_stem().map_or_else(|| named.to_owned(), |stem| stem.to_string_lossy().into_owned());
    Kernel::table(&name, &points).map_err(Failure::Usage)
}

impl ScoreArgs {
    fn layout(&self) -> Result<Layout, Failure> {
        if !matches!(self.period, 180 | 360) {
            return Err(Failure::Usage(format!("--period {}: must be 360 or 180", self.period)));
        }
        Ok(Layout {
            columns: self.column.clone(),
            constants: self.constant.clone(),
            radians: self.unit.map(|unit| unit == Unit::Radians),
            half_circle: self.period == 180,
            ..Layout::default()
        })
    }
}

/// Scores every file.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &ScoreArgs) -> Result<(), Failure> {
    let layout = args.layout()?;
    let kernel = kernel(&args.kernel)?;
    let tables: Vec<PathBuf> = args.files.iter().map(|file| table_of(file)).collect();
    super::files_exist(&tables)?;
    let mut trials = Trials::default();
    let mut broken = 0;
    for (at, file) in tables.iter().enumerate() {
        if tables.iter().take(at).any(|before| same(before, file)) {
            eprintln!("tras: {}: named twice, taken once", file.display());
        } else if let Err(what) = add(file, &layout, &mut trials) {
            eprintln!("tras: {what}");
            broken += 1;
        }
    }
    trials.complete();
    for note in &trials.notes {
        eprintln!("tras: {note}");
    }
    let quadrature = if args.compat { Quadrature::Compat } else { Quadrature::Exact };
    let table = LogTable::new(kernel, quadrature);
    let settings = Settings { seed: args.seed, imputations: args.imputations, bootstraps: args.bootstraps };
    let threads = args.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let scored = score_all(&trials, &table, &settings, threads);
    tell(&scored);
    print(args, &scored, &table, &settings).map_err(|e| Failure::Fault(format!("cannot write: {e}")))?;
    if let Some(folder) = &args.out {
        save(folder, &scored, &table, &settings)?;
    }
    if scored.iter().all(|s| s.score.n == 0) && broken == 0 {
        return Err(Failure::Fault("no trial to score".into()));
    }
    match broken {
        0 => Ok(()),
        count => Err(Failure::Fault(format!("{count} of {} files could not be used", args.files.len()))),
    }
}

/// A session's folder stands for its trials.
fn table_of(file: &Path) -> PathBuf {
    if file.is_dir() { file.join(TRIALS) } else { file.to_owned() }
}

/// Beside a session's trials stands what of its blocks is unblinded.
fn add(file: &Path, layout: &Layout, trials: &mut Trials) -> Result<(), String> {
    let folder = file.parent().filter(|_| file.file_name().is_some_and(|name| name == TRIALS));
    let known = folder.map(conditions).transpose()?.unwrap_or_default();
    trials.add(file, &layout.clone().of_blocks(&known))
}

fn same(a: &Path, b: &Path) -> bool {
    let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    full(a) == full(b)
}

/// Warnings on standard error, each once for a participant that several cells share it with.
fn tell(scored: &[Scored]) {
    let mut told: Vec<String> = Vec::new();
    for one in scored {
        let cell = &one.cell;
        for warning in &one.warnings {
            let line = if warning.starts_with("missing responses differ") {
                format!("participant {}: {warning}", cell.participant)
            } else {
                format!(
                    "participant {}, {}, load {}: {warning}",
                    cell.participant,
                    shown(&cell.condition),
                    cell.load
                )
            };
            if !told.contains(&line) {
                eprintln!("tras: {line}");
                told.push(line);
            }
        }
    }
}

fn print(args: &ScoreArgs, scored: &[Scored], table: &LogTable, settings: &Settings) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.json {
        for one in scored {
            writeln!(out, "{}", write::json_line(one, table, settings))?;
        }
    } else {
        write!(out, "{}", write::screen(scored, table))?;
    }
    if args.capacity || args.capacity_condition.is_some() {
        for (who, proposal) in scoring::capacities(scored, args.capacity_condition.as_deref()) {
            match (&proposal, args.json) {
                (_, true) => writeln!(out, "{}", write::capacity_json(&who, &proposal))?,
                (Ok(p), _) => {
                    writeln!(out, "participant {who}: loads {} and {}: {}", p.pair.0, p.pair.1, p.reason)?
                }
                (Err(why), _) => writeln!(out, "participant {who}: no loads proposed: {why}")?,
            }
        }
    }
    out.flush()
}

fn save(folder: &Path, scored: &[Scored], table: &LogTable, settings: &Settings) -> Result<(), Failure> {
    let told = |what: &Path, e: &dyn std::fmt::Display| {
        Failure::Fault(format!("--out {}: cannot be written: {e}", what.display()))
    };
    std::fs::create_dir_all(folder).map_err(|e| told(folder, &e))?;
    let make = |name: &str| {
        let path = folder.join(name);
        std::fs::File::create(&path).map(std::io::BufWriter::new).map_err(|e| told(&path, &e))
    };
    write::scores_csv(make("scores.csv")?, scored, table).map_err(|e| told(folder, &e))?;
    write::trials_csv(make("trials.csv")?, scored).map_err(|e| told(folder, &e))?;
    let mut lines = make("scores.jsonl")?;
    for one in scored {
        writeln!(lines, "{}", write::json_line(one, table, settings)).map_err(|e| told(folder, &e))?;
    }
    lines.flush().map_err(|e| told(folder, &e))?;
    plots::write(folder, scored, table).map_err(|e| told(folder, &e))
}

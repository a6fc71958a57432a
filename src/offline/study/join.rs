//! Sessions to rows: one for each participant and condition.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tras_scoring::{LogTable, Settings};

use super::folder::{self, Rest, Session};
use crate::offline::scores::{Layout, Scored, Trials, score_all};
use crate::offline::table::cell as number;

/// One participant under one condition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// The participant's code.
    pub participant: String,
    /// The condition's name.
    pub condition: String,
    /// Trials, and those without a response.
    pub trials: [usize; 2],
    /// d', the mean over loads: of the observed responses, and with missing ones filled at random.
    pub d_prime: Option<f64>,
    /// See `d_prime`.
    pub d_prime_imputed: Option<f64>,
    /// Standard error of `d_prime`, by the resamples of its cells.
    pub d_prime_se: Option<f64>,
    /// Circular SD, mean over loads, degrees.
    pub circular_sd_deg: Option<f64>,
    /// Exponent at rest before the first block.
    pub exponent_rest: Option<f64>,
    /// Exponent at rest after blocks of this condition.
    pub exponent_after: Option<f64>,
    /// Blocks of this condition that are unblinded.
    pub blocks: usize,
    /// Guesses after its blocks: right, wrong, "don't know".
    pub guesses: [usize; 3],
    /// Charge and seconds of stimulation of the participant's sessions, all conditions.
    pub dose: [Option<f64>; 2],
}

impl Row {
    /// Exponent after blocks of this condition less that before the first.
    #[must_use]
    pub fn exponent_change(&self) -> Option<f64> {
        Some(self.exponent_after? - self.exponent_rest?)
    }
}

/// A study as it was read.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// The sessions.
    pub sessions: Vec<Session>,
    /// The cells of all trials.
    pub scored: Vec<Scored>,
    /// One for each participant and condition.
    pub rows: Vec<Row>,
    /// What to tell.
    pub notes: Vec<String>,
}

/// Reads and joins `folders`.
///
/// # Errors
/// A file that is there and broken, by its name.
pub fn join(
    folders: &[PathBuf],
    table: &LogTable,
    settings: &Settings,
    threads: usize,
) -> Result<Joined, String> {
    let mut joined = Joined::default();
    let mut trials = Trials::default();
    for path in folders {
        let session = folder::read(path)?;
        joined.notes.extend(session.notes.iter().cloned());
        take_trials(path, &session, &mut trials, &mut joined.notes)?;
        joined.sessions.push(session);
    }
    joined.notes.append(&mut trials.notes);
    joined.scored = score_all(&trials, table, settings, threads);
    for one in &joined.scored {
        for warning in &one.warnings {
            let told = format!("participant {}: {warning}", one.cell.participant);
            if warning.starts_with("missing responses differ") && !joined.notes.contains(&told) {
                joined.notes.push(told);
            }
        }
    }
    joined.rows = rows(&joined.sessions, &joined.scored);
    Ok(joined)
}

fn take_trials(
    path: &Path,
    session: &Session,
    trials: &mut Trials,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let file = path.join(crate::task::record::TRIALS);
    if !file.is_file() {
        notes.push(format!("{}: no {}", path.display(), crate::task::record::TRIALS));
        return Ok(());
    }
    trials.add(&file, &Layout::default().of_blocks(&session.conditions))
}

/// Cells of a participant's condition are averaged over loads, so that each load counts alike.
fn rows(sessions: &[Session], scored: &[Scored]) -> Vec<Row> {
    let mut rows: BTreeMap<(&str, &str), Row> = BTreeMap::new();
    let mut names: Vec<(&str, &str)> =
        scored.iter().map(|s| (s.cell.participant.as_str(), s.cell.condition.as_str())).collect();
    names.extend(
        sessions.iter().flat_map(|s| s.conditions.values().map(|c| (s.participant.as_str(), c.as_str()))),
    );
    for (participant, condition) in names {
        rows.entry((participant, condition)).or_insert_with(|| row(participant, condition, sessions, scored));
    }
    rows.into_values().collect()
}

fn row(participant: &str, condition: &str, sessions: &[Session], scored: &[Scored]) -> Row {
    let cells: Vec<&Scored> = scored
        .iter()
        .filter(|s| s.cell.participant == participant && s.cell.condition == condition)
        .collect();
    let mean = |of: fn(&Scored) -> Option<f64>| {
        let known: Vec<f64> = cells.iter().filter_map(|s| of(s)).filter(|v| v.is_finite()).collect();
        (!known.is_empty()).then(|| tras_scoring::quantile::mean(&known))
    };
    let errors: Vec<f64> = cells
        .iter()
        .filter(|s| s.score.d_prime.is_some())
        .map(|s| {
            tras_scoring::quantile::sd(
                &s.score.d_prime_draws.iter().copied().filter(|d| d.is_finite()).collect::<Vec<_>>(),
            )
        })
        .collect();
    let squares: f64 = errors.iter().map(|e| e * e).sum();
    let mut made = Row {
        participant: participant.to_owned(),
        condition: condition.to_owned(),
        trials: [cells.iter().map(|s| s.score.n).sum(), cells.iter().map(|s| s.score.missing).sum()],
        d_prime: mean(|s| s.score.d_prime.map(|f| f.d_prime)),
        d_prime_imputed: mean(|s| s.score.d_prime_imputed),
        d_prime_se: (!errors.is_empty()).then(|| squares.sqrt() / errors.len() as f64),
        circular_sd_deg: mean(|s| s.score.circular_sd_deg),
        ..Row::default()
    };
    let (mut before, mut after) = (Rest::default(), Rest::default());
    let own = || sessions.iter().filter(|s| s.participant == participant);
    // Session 1 has no conditions and a rest of its own: what counts is the rest of the session that had this one.
    for session in own().filter(|s| s.conditions.values().any(|c| c == condition)) {
        before.add(session.rest.get(&0).copied().unwrap_or_default());
        for (block, _) in session.conditions.iter().filter(|(_, c)| *c == condition) {
            made.blocks += 1;
            after.add(session.rest.get(block).copied().unwrap_or_default());
            for guess in session.guesses.iter().filter(|g| g.block == *block) {
                let place = guess.guess.as_deref().map_or(2, |named| usize::from(named != condition));
                if let Some(count) = made.guesses.get_mut(place) {
                    *count += 1;
                }
            }
        }
    }
    (made.exponent_rest, made.exponent_after) = (before.mean(), after.mean());
    let sum = |of: fn(&Session) -> Option<f64>| {
        own().filter_map(of).fold(None, |sum: Option<f64>, v| Some(sum.unwrap_or(0.0) + v))
    };
    made.dose = [sum(|s| s.charge_c), sum(|s| s.stimulation_s)];
    made
}

/// The columns of the study's table.
const COLUMNS: [&str; 19] = [
    "participant",
    "condition",
    "n",
    "missing",
    "d_prime",
    "d_prime_se",
    "d_prime_imputed",
    "circular_sd_deg",
    "exponent_rest",
    "exponent_after",
    "exponent_change",
    "blocks",
    "guess_right",
    "guess_wrong",
    "guess_unknown",
    "charge_c",
    "stimulation_s",
    "fits_deleted_rest",
    "fits_deleted_task",
];

/// Writes one row for each participant and condition: for a mixed model elsewhere.
///
/// # Errors
/// Where it cannot be written.
pub fn write_csv(out: impl std::io::Write, joined: &Joined) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(COLUMNS)?;
    let some = |value: Option<f64>| value.map_or(String::new(), number);
    for row in &joined.rows {
        let deleted = joined.sessions.iter().filter(|s| s.participant == row.participant);
        let [rest, task] = deleted.fold([0, 0], |[a, b], s| [a + s.deleted[0], b + s.deleted[1]]);
        let [right, wrong, unknown] = row.guesses;
        out.write_record([
            row.participant.clone(),
            row.condition.clone(),
            row.trials[0].to_string(),
            row.trials[1].to_string(),
            some(row.d_prime),
            some(row.d_prime_se),
            some(row.d_prime_imputed),
            some(row.circular_sd_deg),
            some(row.exponent_rest),
            some(row.exponent_after),
            some(row.exponent_change()),
            row.blocks.to_string(),
            right.to_string(),
            wrong.to_string(),
            unknown.to_string(),
            some(row.dose[0]),
            some(row.dose[1]),
            rest.to_string(),
            task.to_string(),
        ])?;
    }
    out.flush()?;
    Ok(())
}

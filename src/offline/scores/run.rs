//! Cells to scores, on several threads. A cell's random numbers are named by the cell and the seed, so the number of
//! threads and their order change no byte.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tras_scoring::capacity::{AtLoad, Proposal, propose};
use tras_scoring::missing::{Rate, difference};
use tras_scoring::{Cell, LogTable, Score, Settings, score};

use super::read::Trials;

/// One cell with what it came to.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The cell.
    pub cell: Cell,
    /// Rows of the table that were left out of it.
    pub left_out: usize,
    /// What it came to.
    pub score: Score,
    /// What a reader must know, a sentence each.
    pub warnings: Vec<String>,
}

/// Scores every cell on `threads` threads, in the order of the cells.
#[must_use]
pub fn score_all(trials: &Trials, table: &LogTable, settings: &Settings, threads: usize) -> Vec<Scored> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Score>>> = Mutex::new(vec![None; trials.cells.len()]);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, trials.cells.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = trials.cells.get(at) else { break };
                    let made = score(cell, table, settings);
                    // Poisoned only where another thread panicked, which the scope hands on.
                    if let Ok(mut done) = done.lock()
                        && let Some(slot) = done.get_mut(at)
                    {
                        *slot = Some(made);
                    }
                }
            });
        }
    });
    let made = done.into_inner().unwrap_or_default();
    let between = rates_between(&trials.cells);
    trials
        .cells
        .iter()
        .zip(&trials.left_out)
        .zip(made)
        .filter_map(|((cell, left_out), score)| {
            let score = score?;
            let mut warnings = own_warnings(&score, *left_out);
            warnings.extend(
                between.iter().filter(|(who, _)| *who == cell.participant).map(|(_, what)| what.clone()),
            );
            Some(Scored { cell: cell.clone(), left_out: *left_out, score, warnings })
        })
        .collect()
}

/// What to call a cell by.
type Name = fn(&Cell) -> &str;

fn own_warnings(score: &Score, left_out: usize) -> Vec<String> {
    let mut told = Vec::new();
    if score.n == 0 {
        told.push("no trial".to_owned());
    } else if score.missing == score.n {
        told.push("every response is missing".to_owned());
    } else if score.n - score.missing < 20 {
        told.push(format!("only {} responses: d' is all but unknown", score.n - score.missing));
    }
    if left_out > 0 {
        told.push(format!("{left_out} rows were left out"));
    }
    if let Some(fit) = score.d_prime.filter(|fit| fit.bound.is_some()) {
        told.push(format!("d' sits at the end of its range, {}", fit.d_prime));
    }
    for bound in score.mixture.iter().flat_map(|m| m.bounds(score.parts)) {
        told.push(format!("mixture: {bound}"));
    }
    told
}

/// Where a participant's missing rates differ between conditions or between loads.
fn rates_between(cells: &[Cell]) -> Vec<(String, String)> {
    let mut participants: Vec<&str> = Vec::new();
    for cell in cells {
        if !participants.contains(&cell.participant.as_str()) {
            participants.push(&cell.participant);
        }
    }
    let mut told = Vec::new();
    for who in participants {
        let own = || cells.iter().filter(|c| c.participant == who);
        let by: [(&str, Name); 2] =
            [("conditions", |c| c.condition.as_str()), ("loads", |c| c.load.as_str())];
        for (what, name) in by {
            told.extend(difference(what, &rates(own(), name)).map(|sentence| (who.to_owned(), sentence)));
        }
    }
    told
}

/// Missing of all, by whatever `name` says of a cell.
fn rates<'a>(cells: impl Iterator<Item = &'a Cell>, name: Name) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::new();
    for cell in cells {
        let missing = cell.trials.iter().filter(|t| t.response_deg.is_none()).count();
        match rates.iter_mut().find(|r| r.name == name(cell)) {
            Some(rate) => {
                rate.n += cell.trials.len();
                rate.missing += missing;
            }
            None => rates.push(Rate { name: name(cell).to_owned(), n: cell.trials.len(), missing }),
        }
    }
    rates
}

/// Capacity and pair of loads for every participant who has one condition, or, of several, `condition`.
#[must_use]
pub fn capacities(scored: &[Scored], condition: Option<&str>) -> Vec<(String, Result<Proposal, String>)> {
    let mut found: Vec<(String, Vec<&Scored>)> = Vec::new();
    for one in scored {
        match found.iter_mut().find(|(who, _)| *who == one.cell.participant) {
            Some((_, own)) => own.push(one),
            None => found.push((one.cell.participant.clone(), vec![one])),
        }
    }
    found
        .into_iter()
        .map(|(who, own)| {
            let own: Vec<&Scored> =
                own.into_iter().filter(|s| condition.is_none_or(|c| s.cell.condition == c)).collect();
            let first = own.first().map(|s| s.cell.condition.clone());
            if own.iter().any(|s| Some(&s.cell.condition) != first.as_ref()) {
                return (who, Err("has several conditions; name one with --capacity-condition".into()));
            }
            let loads: Vec<AtLoad> = own
                .iter()
                .filter_map(|s| {
                    Some(AtLoad {
                        load: s.cell.load.parse().ok()?,
                        p_guess: s.score.mixture_two?.p_guess,
                        p_guess_draws: s.score.p_guess_draws.clone(),
                    })
                })
                .collect();
            (who, propose(&loads))
        })
        .collect()
}

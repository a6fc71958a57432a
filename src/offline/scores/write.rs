//! Scores as JSON lines and as tidy tables. Numbers that are not known are null, or empty cells.

use std::io::Write;

use serde_json::{Value, json};
use tras_scoring::capacity::{PAIRS, Proposal};
use tras_scoring::mixture::{Mixture, Parts};
use tras_scoring::tcc::Quadrature;
use tras_scoring::{Bound, LogTable, Settings};

use super::run::Scored;
use crate::offline::table::cell as number;

/// One JSON object of a cell: the contract's keys first, then what else is known.
#[must_use]
pub fn json_line(scored: &Scored, table: &LogTable, settings: &Settings) -> String {
    let (cell, score) = (&scored.cell, &scored.score);
    let load = cell.load.parse::<u64>().map_or_else(|_| json!(cell.load), |n| json!(n));
    let fit = score.d_prime;
    let mut line = String::from("{");
    let mut put = |key: &str, value: Value| {
        if line.len() > 1 {
            line.push(',');
        }
        line += &format!("{}:{value}", json!(key));
    };
    put("participant", json!(cell.participant));
    put("condition", json!(cell.condition));
    put("load", load);
    put("n", json!(score.n));
    put("missing", json!(score.missing));
    put("d_prime", json!(fit.map(|f| f.d_prime)));
    put("d_prime_ci", json!(score.d_prime_ci));
    put("d_prime_imputed", json!(score.d_prime_imputed));
    put("kernel", json!(table.kernel().name()));
    put("circular_sd_deg", json!(score.circular_sd_deg.filter(|sd| sd.is_finite())));
    put("mixture", score.mixture.map_or(Value::Null, |m| mixture(&m)));
    put("d_prime_corrected", json!(fit.map(|f| f.corrected)));
    put("d_prime_se", json!(fit.map(|f| f.se).filter(|se| se.is_finite())));
    put("d_prime_bound", json!(fit.and_then(|f| f.bound).map(bound)));
    put("d_prime_imputed_ci", json!(score.d_prime_imputed_ci));
    put("kernel_sha256", json!(table.kernel().hash()));
    put("quadrature", json!(quadrature(table)));
    put("circular_sd_ci", json!(score.circular_sd_ci));
    put("circular_sd_imputed_deg", json!(score.circular_sd_imputed_deg.filter(|sd| sd.is_finite())));
    put("mixture_parts", json!(if score.parts == Parts::Three { 3 } else { 2 }));
    let names = ["kappa", "p_target", "p_nontarget", "p_guess"];
    put(
        "mixture_ci",
        score.mixture_ci.map_or(Value::Null, |all| {
            names.into_iter().zip(all).map(|(n, ci)| (n.to_owned(), json!(ci))).collect()
        }),
    );
    put("mixture_two", score.mixture_two.map_or(Value::Null, |m| mixture(&m)));
    put("rt_n", json!(score.rt.map_or(0, |t| t.n)));
    put("rt_mean_s", json!(score.rt.map(|t| t.mean_s)));
    put("rt_median_s", json!(score.rt.map(|t| t.median_s)));
    put("rt_sd_s", json!(score.rt.map(|t| t.sd_s).filter(|sd| sd.is_finite())));
    put("left_out", json!(scored.left_out));
    put("seed", json!(settings.seed));
    put("imputations", json!(settings.imputations));
    put("bootstraps", json!(settings.bootstraps));
    put("warnings", json!(scored.warnings));
    line.push('}');
    line
}

fn mixture(m: &Mixture) -> Value {
    json!({
        "kappa": m.kappa, "p_target": m.p_target, "p_nontarget": m.p_nontarget, "p_guess": m.p_guess,
        "log_likelihood": m.log_likelihood,
    })
}

fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::Zero => "zero",
        Bound::Max => "max",
    }
}

fn quadrature(table: &LogTable) -> &'static str {
    match table.quadrature() {
        Quadrature::Exact => "exact",
        Quadrature::Compat => "compat",
    }
}

/// One JSON object of a participant's capacity.
#[must_use]
pub fn capacity_json(who: &str, proposal: &Result<Proposal, String>) -> String {
    match proposal {
        Ok(p) => json!({
            "participant": who, "capacity": p.k, "capacity_ci": p.k_ci, "loads": [p.pair.0, p.pair.1],
            "pair_shares": PAIRS.iter().zip(p.pair_shares).map(|((a, b), s)| (format!("{a}/{b}"), json!(s)))
                .collect::<serde_json::Map<_, _>>(),
            "reason": p.reason,
        }),
        Err(why) => json!({ "participant": who, "capacity": null, "reason": why }),
    }
    .to_string()
}

/// The columns of the table of cells.
const COLUMNS: [&str; 34] = [
    "participant",
    "condition",
    "load",
    "n",
    "missing",
    "left_out",
    "d_prime",
    "d_prime_low",
    "d_prime_high",
    "d_prime_se",
    "d_prime_corrected",
    "d_prime_imputed",
    "d_prime_imputed_low",
    "d_prime_imputed_high",
    "kernel",
    "kernel_sha256",
    "quadrature",
    "circular_sd_deg",
    "circular_sd_low",
    "circular_sd_high",
    "circular_sd_imputed_deg",
    "kappa",
    "p_target",
    "p_nontarget",
    "p_guess",
    "log_likelihood",
    "kappa_two",
    "p_target_two",
    "p_guess_two",
    "log_likelihood_two",
    "rt_mean_s",
    "rt_median_s",
    "rt_sd_s",
    "warnings",
];

/// Writes one row a cell.
///
/// # Errors
/// Where the file cannot be written.
pub fn scores_csv(out: impl Write, scored: &[Scored], table: &LogTable) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(COLUMNS)?;
    for one in scored {
        let (cell, s) = (&one.cell, &one.score);
        let some = |value: Option<f64>| value.map_or(String::new(), number);
        let ci = |ci: Option<[f64; 2]>, end: usize| some(ci.and_then(|ci| ci.get(end).copied()));
        let fit = s.d_prime;
        let (m, two) = (s.mixture, s.mixture_two);
        out.write_record([
            cell.participant.clone(),
            cell.condition.clone(),
            cell.load.clone(),
            s.n.to_string(),
            s.missing.to_string(),
            one.left_out.to_string(),
            some(fit.map(|f| f.d_prime)),
            ci(s.d_prime_ci, 0),
            ci(s.d_prime_ci, 1),
            some(fit.map(|f| f.se)),
            some(fit.map(|f| f.corrected)),
            some(s.d_prime_imputed),
            ci(s.d_prime_imputed_ci, 0),
            ci(s.d_prime_imputed_ci, 1),
            table.kernel().name().to_owned(),
            table.kernel().hash(),
            quadrature(table).to_owned(),
            some(s.circular_sd_deg),
            ci(s.circular_sd_ci, 0),
            ci(s.circular_sd_ci, 1),
            some(s.circular_sd_imputed_deg),
            some(m.map(|m| m.kappa)),
            some(m.map(|m| m.p_target)),
            some(m.map(|m| m.p_nontarget)),
            some(m.map(|m| m.p_guess)),
            some(m.map(|m| m.log_likelihood)),
            some(two.map(|m| m.kappa)),
            some(two.map(|m| m.p_target)),
            some(two.map(|m| m.p_guess)),
            some(two.map(|m| m.log_likelihood)),
            some(s.rt.map(|t| t.mean_s)),
            some(s.rt.map(|t| t.median_s)),
            some(s.rt.map(|t| t.sd_s)),
            one.warnings.join("; "),
        ])?;
    }
    out.flush()?;
    Ok(())
}

/// Writes one row a trial that was used: for a mixed model of errors or response times.
///
/// # Errors
/// Where the file cannot be written.
pub fn trials_csv(out: impl Write, scored: &[Scored]) -> Result<(), csv::Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record([
        "participant",
        "condition",
        "load",
        "target_deg",
        "response_deg",
        "error_deg",
        "missing",
        "rt_s",
    ])?;
    for one in scored {
        for trial in &one.cell.trials {
            let some = |value: Option<f64>| value.map_or(String::new(), number);
            let error = trial.response_deg.map(|r| tras_scoring::angle::wrap_deg(r - trial.target_deg));
            out.write_record([
                one.cell.participant.clone(),
                one.cell.condition.clone(),
                one.cell.load.clone(),
                number(trial.target_deg),
                some(trial.response_deg),
                some(error),
                u8::from(error.is_none()).to_string(),
                some(trial.rt_s),
            ])?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A table for the screen.
#[must_use]
pub fn screen(scored: &[Scored], table: &LogTable) -> String {
    let who = scored.iter().map(|s| s.cell.participant.chars().count()).chain([11]).max().unwrap_or(11);
    let what = scored.iter().map(|s| s.cell.condition.chars().count()).chain([9]).max().unwrap_or(9);
    let hash: String = table.kernel().hash().chars().take(12).collect();
    let mut text = format!(
        "d' by kernel {} ({hash}..., {} quadrature); intervals: 95 %, bootstrap\n\
         {:who$}  {:what$}  {:>4}  {:>5}  {:>7}  {:>5}  {:^13}  {:>6}  {:>7}  {:>8}  {:>8}  {:>7}\n",
        table.kernel().name(),
        quadrature(table),
        "participant",
        "condition",
        "load",
        "n",
        "missing",
        "d'",
        "95 %",
        "filled",
        "circ SD",
        "p_target",
        "p_nontgt",
        "p_guess"
    );
    for one in scored {
        let s = &one.score;
        let show = |value: Option<f64>, digits: usize| {
            value.filter(|v| v.is_finite()).map_or("-".to_owned(), |v| format!("{v:.digits$}"))
        };
        let between = s.d_prime_ci.map_or("-".to_owned(), |[a, b]| format!("{a:.2} to {b:.2}"));
        text += &format!(
            "{:who$}  {:what$}  {:>4}  {:>5}  {:>7}  {:>5}  {:^13}  {:>6}  {:>7}  {:>8}  {:>8}  {:>7}\n",
            one.cell.participant,
            one.cell.condition,
            one.cell.load,
            s.n,
            s.missing,
            show(s.d_prime.map(|f| f.d_prime), 3),
            between,
            show(s.d_prime_imputed, 3),
            show(s.circular_sd_deg, 2),
            show(s.mixture.map(|m| m.p_target), 3),
            show(s.mixture.map(|m| m.p_nontarget), 3),
            show(s.mixture.map(|m| m.p_guess), 3),
        );
    }
    text
}

//! The captured current's exponent against the one that was asked for.

use std::io::Result;

use super::exponent;
use super::found::Found;

/// The requests.
pub(super) const EXPONENTS: [f64; 3] = [0.5, 1.0, 2.0];
/// How far a captured exponent may be off.
const WITHIN: f64 = 0.05;
/// Above this standard error a request that was met would be missed by chance: four of them are the bound.
const SHARP: f64 = WITHIN / 4.0;

/// The table's head.
pub(super) const HEAD: &str = "\
| captured at | asked | sent, this stretch | captured | standard error | by `whittle`, 8 s windows | s | |
|---|---|---|---|---|---|---|---|";

/// What is judged.
pub(super) struct Judged<'a> {
    /// `dac` or `audio`: what the figure calls it.
    pub port: &'a str,
    /// What the table calls it.
    pub label: &'a str,
    /// What was asked for.
    pub chi: f64,
    /// What the host queued in that time, in mA at 2,000/s.
    pub sent: &'a [f32],
    /// What was captured, likewise.
    pub captured: &'a [f32],
    /// What else there is to say.
    pub note: &'a str,
}

/// Prints a row, keeps the spectrum for the figure, and demands the bound. A run too short to tell a request from
/// its neighbours by more than chance is judged against the very samples that were sent.
///
/// # Errors
/// The spectrum cannot be written.
pub(super) fn judge(j: Judged<'_>, found: &mut Found) -> Result<()> {
    let Judged { port, label, chi, sent, captured, note } = j;
    let seconds = captured.len() as f64 / exponent::RATE_HZ;
    let (Some((got, density)), Some((was, _))) = (exponent::measure(captured), exponent::measure(sent))
    else {
        found.demand(
            false,
            format!("{label} {chi}: {seconds:.0} s captured, too short for a spectrum; {note}"),
        );
        return Ok(());
    };
    let (line, whittle) = (got.line, got.whittle);
    println!(
        "| {label} | {chi} | {:.3} | {:.3} | {:.3} | {:.3} ± {:.3} | {seconds:.0} | {note} |",
        was.line.exponent, line.exponent, line.se, whittle.exponent, whittle.se
    );
    found.keep(&format!("{port}-{chi}"), density)?;
    let what = |of: &str| format!("{label}: exponent {:.3} captured, {of}", line.exponent);
    found.demand(
        (line.exponent - was.line.exponent).abs() <= WITHIN,
        what(&format!("{:.3} sent", was.line.exponent)),
    );
    if line.se <= SHARP {
        found.demand((line.exponent - chi).abs() <= WITHIN, what(&format!("{chi} asked for")));
    } else {
        println!(
            "  (not judged against the request: {seconds:.0} s leave a standard error of {:.3})",
            line.se
        );
    }
    Ok(())
}

//! The batch while it runs, and what it came to: a bar where there is a terminal, a line now and then where not.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::clean;
use crate::cli::tell as say;
use crate::failure::Failure;
use crate::offline::batch::{self, Batch, Event, Outcome};

/// Where there is no terminal for a bar, a line comes so often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Runs the batch behind a progress bar: of samples for one file, of files for several.
pub(super) fn watch(batch: &Batch, stop: &Arc<AtomicBool>) -> Result<Outcome, String> {
    let count = batch.files.len();
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(count as u64) } else { ProgressBar::hidden() };
    let template = if count > 1 {
        "{wide_bar} {pos}/{len} files  {eta} left"
    } else {
        "{wide_bar} {percent}%  {eta} left"
    };
    // A template that does not parse would only change the bar's looks.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let finished = AtomicUsize::new(0);
    let tell = |text: String| {
        if bar.is_hidden() { say(&text) } else { bar.println(clean::lines(&text)) }
    };
    // What holds for the settings is the same for every recording: it is said once.
    let said = Mutex::new(HashSet::new());
    let first_time = |text: &String| said.lock().unwrap_or_else(PoisonError::into_inner).insert(text.clone());
    // Without a terminal there is no bar: a line now and then tells that there is life.
    let last_sign = Mutex::new(Instant::now());
    let sign = |text: &dyn Fn() -> String| {
        let mut last = last_sign.lock().unwrap_or_else(PoisonError::into_inner);
        if bar.is_hidden() && last.elapsed() >= SIGN_OF_LIFE {
            *last = Instant::now();
            say(&text());
        }
    };
    let count_one = || {
        let done = finished.fetch_add(1, Ordering::Relaxed) + 1;
        bar.set_position(done as u64);
        sign(&|| format!("{done} of {count} recordings"));
    };
    let outcome = batch::run(batch, stop, &|event| match event {
        Event::Samples(done, Some(total)) if count == 1 => {
            bar.set_length(total);
            bar.set_position(done);
            sign(&|| format!("{} % of {total} samples", 100 * done / total.max(1)));
        }
        Event::Samples(done, None) if count == 1 => sign(&|| format!("{done} samples")),
        Event::Samples(..) => {}
        Event::Done(file, summary) => {
            for note in &summary.notes {
                tell(format!("{}: {note}", file.display()));
            }
            for note in summary.settings.iter().filter(|note| first_time(note)) {
                tell(format!("settings: {note}"));
            }
            count_one();
        }
        Event::Reused(_) => count_one(),
        Event::Broken(what) => {
            tell(format!("tras: {what} (left out)"));
            count_one();
        }
    });
    bar.finish_and_clear();
    outcome
}

/// Says what the batch came to.
pub(super) fn close(batch: &Batch, outcome: &Outcome, seconds: f64) -> Result<(), Failure> {
    let Outcome { done, reused, broken, rows, valid, .. } = outcome;
    if outcome.interrupted {
        let kept = if batch.resume { "; the same command again goes on from here" } else { "" };
        return Err(Failure::Fault(format!(
            "ended: {done} of {} recordings are done{kept}",
            batch.files.len()
        )));
    }
    let earlier = if *reused > 0 { format!(", {reused} of them by an earlier run") } else { String::new() };
    let place =
        batch.out.as_ref().map_or_else(|| "standard output".to_owned(), |out| out.display().to_string());
    let plural = if *done == 1 { "" } else { "s" };
    let share = 100.0 * batch.job.config.estimator.min_segments_share;
    say(&format!(
        "{done} recording{plural}{earlier}: {rows} new rows, {valid} valid (at least {share} % of their segments \
         clean), to {place} in {seconds:.1} s"
    ));
    if *broken > 0 {
        let none = if *done == 0 { "; there is no table" } else { "" };
        return Err(Failure::Fault(format!("left out: {broken} of {} recordings{none}", batch.files.len())));
    }
    Ok(())
}

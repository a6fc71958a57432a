//! `tras estimate FILE...`: recordings to a table of exponents.

mod arguments;
mod job;
mod watch;

use std::fmt::Write as _;
use std::time::Instant;

pub use arguments::{DuringCurrentArg, EstimateArgs, RegionMeanArg};

use crate::failure::Failure;
use crate::offline::batch::Batch;
use crate::offline::current;
use crate::offline::markers;
use crate::offline::preset::Preset;
use crate::offline::settings::complaint;
use watch::{close, watch};

/// Estimates every recording.
///
/// # Errors
/// [`Failure`] by exit code, as `--help` lists them.
pub fn run(args: &EstimateArgs) -> Result<(), Failure> {
    if args.preset.as_deref() == Some("list") {
        return list_presets();
    }
    if args.files.is_empty() {
        return Err(Failure::Usage("name at least one recording".into()));
    }
    super::files_exist(&args.files)?;
    let mut job = args.job().map_err(Failure::Usage)?;
    // A file that cannot be read is told of when its turn comes.
    job.contamination = args.files.iter().any(|file| current::is_own(file).unwrap_or(false));
    if !job.epochs.is_empty() {
        let read = args.files.iter().filter_map(|file| markers::of(file, &job.open, &job.epochs).ok());
        job.fields = markers::fields(read.collect::<Vec<_>>().iter().flatten());
    }
    if let Some(out) = &args.out
        && args.files.iter().any(|file| same_file(file, out))
    {
        return Err(Failure::Usage(format!("--out {}: is one of the recordings", out.display())));
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let several = args.files.len() > 1;
    let batch = Batch {
        job,
        files: args.files.clone(),
        out: args.out.clone(),
        with_file: several,
        // One recording is done anew each time: whoever names one file wants its table and nothing beside it.
        resume: several && args.out.is_some() && !args.fresh,
        threads: args.jobs.unwrap_or_else(cores).clamp(1, 256),
    };
    let stop = super::replay::interrupted().map_err(Failure::from)?;
    let started = Instant::now();
    let outcome = watch(&batch, &stop).map_err(Failure::Fault)?;
    let seconds = started.elapsed().as_secs_f64();
    close(&batch, &outcome, seconds)
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn list_presets() -> Result<(), Failure> {
    let mut text = String::new();
    for preset in Preset::all().map_err(Failure::Fault)? {
        let e = preset.estimator.resolve().map_err(|e| Failure::Fault(complaint(&e)))?.estimator;
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", preset.name);
        let _ = writeln!(text, "  {}", preset.source);
        let _ = writeln!(
            text,
            "  {}, {} to {} Hz, windows of {} s every {} s, segments of {} s, overlap {}",
            e.method.name(),
            e.range_hz[0],
            e.range_hz[1],
            e.window_s,
            e.hop_s,
            e.segment_s,
            e.overlap
        );
        let deletion = preset.delete_below_sd.map_or_else(String::new, |sds| {
            format!("; a fit is deleted where R2 < mean - {sds} sd of its channel's")
        });
        let _ = writeln!(
            text,
            "  at most {} peaks of {} to {} Hz, height {}, threshold {} sd{deletion}",
            e.max_peaks, e.peak_width_hz[0], e.peak_width_hz[1], e.min_peak_height, e.peak_threshold
        );
    }
    super::print(&text)
}

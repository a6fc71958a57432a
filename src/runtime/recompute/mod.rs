//! Every estimate and decision of a recording once more, from its samples: the same windows as were cut live, the same
//! estimator, the same law. On the build that made them they must be equal bit for bit.
//!
//! What that takes is in the recording: the samples with their index and what was wrong with them, what each saw of the
//! current, when each estimate was made, the configuration. Frames are pushed in order; behind the last sample of each
//! recorded estimate its target is fitted, so that windows which the loop passed over are passed over here too.
//!
//! Where samples are missing (a block that is still sealed) what the estimator remembers is missing as well: what comes
//! later is left out, and counted.

mod decisions;

use self::decisions::Decisions;
use super::assemble::{Order, SessionOrder};
use crate::acquisition::frame::FrameHeader;
use crate::estimator::Contamination;
use crate::recorder::{estimate_columns, estimate_row};
use crate::session::hash::build;
use crate::session::recorded::{Recorded, RecordedError};
use crate::session::yoked::Yoked;

/// On another build or machine figures may differ by this much, relative to 1 or to themselves: mathematical functions of
/// other libraries round otherwise, and a fit carries that on.
pub const TOLERANCE: f64 = 1e-6;

/// What was recomputed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recomputed {
    /// Sittings: one, and one more each time that the session was resumed.
    pub sittings: u32,
    /// Estimates that are equal.
    pub estimates: u64,
    /// Decisions that are equal.
    pub decisions: u64,
    /// Estimates behind the first missing sample of their sitting.
    pub left_out: u64,
    /// Decisions from the first on that followed from a window under current.
    pub steered_through: u64,
    /// The first missing sample, by its index in the first sitting that misses one.
    pub missing_from: Option<u64>,
    /// Whether they are equal bit for bit, or within [`TOLERANCE`] because another build made them.
    pub exact: bool,
}

/// Why a recording could not be recomputed, or what differs.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The recording cannot be read, or lacks what is needed.
    #[error(transparent)]
    Recorded(#[from] RecordedError),
    /// Its configuration does not fit its stream.
    #[error("the recording's own settings cannot be built: {0}")]
    Settings(String),
    /// Something differs.
    #[error("{0}")]
    Differs(String),
}

/// An estimate as it was recorded.
struct Row {
    at_s: f64,
    values: Vec<f64>,
}

impl Row {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, written as numbers")]
    fn count(&self, place: usize) -> u64 {
        self.values.get(place).map_or(0, |x| *x as u64)
    }

    fn id(&self) -> u64 {
        self.count(0)
    }

    fn target(&self) -> usize {
        usize::try_from(self.count(1)).unwrap_or(usize::MAX)
    }

    fn last_sample(&self) -> u64 {
        self.count(3)
    }
}

/// Recomputes a recording: each sitting from its own beginning, as it was made.
///
/// # Errors
/// The first estimate or decision that differs, or why nothing can be recomputed.
pub fn recompute(recorded: &Recorded) -> Result<Recomputed, RecomputeError> {
    let mut all = Recomputed { exact: true, ..Recomputed::default() };
    for sitting in recorded.sittings() {
        let done = of_sitting(&sitting)?;
        all.sittings += 1;
        all.estimates += done.estimates;
        all.decisions += done.decisions;
        all.left_out += done.left_out;
        all.steered_through += done.steered_through;
        all.missing_from = all.missing_from.or(done.missing_from);
        all.exact &= done.exact;
    }
    Ok(all)
}

fn of_sitting(recorded: &Recorded) -> Result<Recomputed, RecomputeError> {
    let config = recorded.config()?;
    let seed = recorded.about("seed").and_then(|text| text.parse().ok()).unwrap_or(0);
    // The laws of a protocol's conditions belong to a session.
    let session = match &config.protocol {
        Some(_) => {
            let yoked = Yoked::kept(recorded.folder())
                .map_err(|error| RecomputeError::Settings(error.to_string()))?;
            Some(SessionOrder { yoked, ..SessionOrder::default() })
        }
        None => None,
    };
    let order = Order { session, ..Order::new("verify", config, seed) };
    let eeg = recorded.eeg()?;
    let labels: Vec<String> = eeg.channels.iter().map(|channel| channel.label.clone()).collect();
    let settings = |error: crate::failure::Failure| RecomputeError::Settings(error.to_string());
    let mut estimator = order.estimator(eeg.rate_hz, &labels).map_err(settings)?;
    let controller = order.controller().map_err(settings)?;
    let steer = order.loop_settings().steer;
    let exact = recorded.about("build").is_some_and(|id| !id.is_empty() && id == build::id());
    let mut rows: Vec<Row> =
        recorded.rows("estimates")?.into_iter().map(|(at_s, values)| Row { at_s, values }).collect();
    rows.sort_by_key(Row::id);
    let mut decisions = Decisions::of(recorded, &order.config, controller, exact);
    let changes = recorded.contamination();
    let mut done = Recomputed { exact, ..Recomputed::default() };

    let mut frames = recorded.frames()?;
    let (mut header, mut values) = (FrameHeader::default(), vec![0.0_f32; frames.width()]);
    let mut rows = rows.iter().peekable();
    let mut changes = changes.iter().peekable();
    let refits = recorded.refits();
    let mut refits = refits.iter().peekable();
    let mut contamination = Contamination::Clean;
    let mut next = 0;
    while frames.next(&mut header, &mut values)? {
        if header.index != next {
            done.missing_from = Some(next);
            break;
        }
        next += 1;
        // The stream ran at another rate than it said, and the loop went on with another estimator.
        while let Some((_, rate_hz)) = refits.next_if(|(frame, _)| *frame < header.index) {
            let mut refitted = order.estimator(*rate_hz, &labels).map_err(settings)?;
            refitted.follow(&estimator);
            estimator = refitted;
        }
        while let Some((_, now)) = changes.next_if(|(frame, _)| *frame <= header.index) {
            contamination = *now;
        }
        estimator.push(&header, &values, contamination);
        while let Some(row) = rows.next_if(|row| row.last_sample() == header.index) {
            let estimate = estimator.estimate(row.target(), row.at_s);
            compare_rows(row, &estimate_row(&estimate), exact)?;
            done.estimates += 1;
            if estimate.target == steer {
                decisions.steer(&estimate, row.at_s)?;
            }
        }
        // Its window ends before the samples begin, or between two of them.
        if let Some(row) = rows.next_if(|row| row.last_sample() < header.index) {
            let (id, last) = (row.id(), row.last_sample());
            return Err(RecomputeError::Differs(format!(
                "estimate {id} is of a window that ends at sample {last}, but an earlier estimate ends behind it"
            )));
        }
    }
    done.decisions = decisions.equal;
    done.steered_through = decisions.left_out;
    done.left_out = rows.count() as u64;
    if done.left_out > 0 && done.missing_from.is_none() {
        done.missing_from = Some(next);
    }
    Ok(done)
}

fn equal(a: f64, b: f64, exact: bool) -> bool {
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    let close = || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).max(1.0);
    a.to_bits() == b.to_bits() || (!exact && close())
}

fn compare_rows(recorded: &Row, again: &[f64], exact: bool) -> Result<(), RecomputeError> {
    for ((name, was), is) in estimate_columns().zip(&recorded.values).zip(again) {
        if !equal(*was, *is, exact) {
            let (id, at_s) = (recorded.id(), recorded.at_s);
            return Err(RecomputeError::Differs(format!(
                "estimate {id} at {at_s:.3} s: {name} was recorded as {was}, from the samples it is {is}"
            )));
        }
    }
    Ok(())
}

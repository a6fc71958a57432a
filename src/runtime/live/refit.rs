//! A stream that runs at another rate than it says: an estimator for the real one, made beside the loop.
//!
//! ```text
//! acquire ─ the stamps' rate (note) ─▶ observe ─ builds ─▶ loop ─ takes it between two frames, says so ─▶ acquire
//! ```
//! Until the loop has it, acquisition marks every frame as unsettled, so that no window of another length than was asked
//! for is ever valid. The estimator that was replaced goes back to the observer, which may free it.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{estimator::window::Estimator, failure::Failure};

/// One at work and one waiting; a rate does not change faster.
const WAITING: usize = 2;

/// Makes an estimator for a rate, in Hz.
pub type Refit = Box<dyn Fn(f64) -> Result<Estimator, Failure> + Send>;

/// An estimator, and the rate that it is for, in Hz.
pub(super) struct Refitted {
    pub(super) estimator: Box<Estimator>,
    pub(super) rate_hz: f64,
}

/// The observer's end.
pub(super) struct Refitter {
    make: Refit,
    out: Sender<Refitted>,
    spent: Receiver<Refitted>,
}

/// The loop's end.
pub(super) struct Refits {
    inbox: Receiver<Refitted>,
    spent: Sender<Refitted>,
}

/// Both ends.
pub(super) fn refits(make: Refit) -> (Refitter, Refits) {
    let ((out, inbox), (give_back, spent)) = (bounded(WAITING), bounded(WAITING));
    (Refitter { make, out, spent }, Refits { inbox, spent: give_back })
}

impl Refitter {
    /// Makes one for `rate_hz` and hands it to the loop.
    ///
    /// # Errors
    /// Why the settings do not fit that rate.
    pub(super) fn order(&self, rate_hz: f64) -> Result<(), Failure> {
        self.spent.try_iter().for_each(drop);
        let rate_hz = plain(rate_hz);
        let estimator = Box::new((self.make)(rate_hz)?);
        // Without room two are under way already, and a third would be of the same rate.
        let _ = self.out.try_send(Refitted { estimator, rate_hz });
        Ok(())
    }
}

impl Refits {
    /// The next one to go on with, where there is one and room to give the old one back.
    pub(super) fn take(&self) -> Option<Refitted> {
        if self.spent.is_full() { None } else { self.inbox.try_recv().ok() }
    }

    /// Gives back what was replaced.
    pub(super) fn give_back(&self, spent: Refitted) {
        let _ = self.spent.try_send(spent);
    }
}

/// A rate within 0.2 % of a whole number is that number: clocks are so far apart, and segments come out whole.
fn plain(rate_hz: f64) -> f64 {
    let whole_hz = rate_hz.round();
    if whole_hz > 0.0 && (rate_hz / whole_hz - 1.0).abs() < 2e-3 { whole_hz } else { rate_hz }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_near_a_whole_number_is_that_number() {
        for (measured_hz, used_hz) in [(249.97, 250.0), (250.4, 250.0), (199.2, 199.2), (255.7, 255.7)] {
            assert!((plain(measured_hz) - used_hz).abs() < 1e-9, "{measured_hz}");
        }
    }
}

//! Whether a session's own first block shows what a certificate promises. Until it has, and after it has not, nothing that
//! is estimated under current steers.
//!
//! In: each window under current of the steering target, and where blocks begin and end. Out: [`Confirmation::holds`].

use super::proof::{Proof, Unproven};

/// The first block confirms with so much of it in windows whose path was learnt, in s...
const LEAST_S: f64 = 60.0;
/// ...of which this share was proven.
const LEAST_SHARE: f64 = 0.8;
/// The artefact may be this much larger than the certificate's, in dB: twice the voltage is another contact.
const MORE_DB: f64 = 6.0;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confirmation {
    hop_s: f64,
    /// The largest that the certificate has seen removed, in dB.
    certified_db: f64,
    state: State,
    windows: u64,
    proven: u64,
    largest_db: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Before,
    /// The first block runs.
    First,
    Confirmed,
    Refused(Unconfirmed),
}

/// Why a first block did not confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Too few windows with a learnt path.
    TooShort,
    /// Too few of them were proven.
    Unproven,
    /// A larger artefact than was certified.
    Larger,
}

impl Unconfirmed {
    /// In words, for events and screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => {
                "the first block has less than a minute of windows under current with a learnt path"
            }
            Self::Unproven => "less than 80 % of the first block's windows under current were proven",
            Self::Larger => "the artefact of the first block is larger than the certificate's",
        }
    }
}

impl Confirmation {
    /// Nothing is confirmed yet; windows come every `hop_s`.
    #[must_use]
    pub fn new(hop_s: f64, certified_db: f64) -> Self {
        let (windows, proven, largest_db) = (0, 0, f64::NEG_INFINITY);
        Self { hop_s, certified_db, state: State::Before, windows, proven, largest_db }
    }

    /// Whether windows under current may steer.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.state == State::Confirmed
    }

    /// A block begins.
    pub fn begin_block(&mut self) {
        if self.state == State::Before {
            self.state = State::First;
        }
    }

    /// A block and its current are over. Gives what the first one has come to, once.
    pub fn end_block(&mut self) -> Option<Result<(), Unconfirmed>> {
        if self.state != State::First {
            return None;
        }
        let verdict = if (self.windows as f64) * self.hop_s < LEAST_S {
            Err(Unconfirmed::TooShort)
        } else if (self.proven as f64) < LEAST_SHARE * self.windows as f64 {
            Err(Unconfirmed::Unproven)
        } else if self.largest_db > self.certified_db + MORE_DB {
            Err(Unconfirmed::Larger)
        } else {
            Ok(())
        };
        self.state = verdict.map_or_else(State::Refused, |()| State::Confirmed);
        Some(verdict)
    }

    /// A window under current of the steering target; `fitted`: its fit is good.
    pub fn window(&mut self, proof: &Proof, fitted: bool) {
        if self.state != State::First || proof.failed == Some(Unproven::Learning) {
            return;
        }
        self.windows += 1;
        if fitted && proof.failed.is_none() {
            self.proven += 1;
            self.largest_db = self.largest_db.max(proof.removed_db);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(failed: Option<Unproven>, removed_db: f64) -> Proof {
        Proof { linearity_p: 0.5, residual_coherence: 0.0, modulation_p: 0.5, removed_db, cost: 0.03, failed }
    }

    fn first_block(windows: usize, failing: usize, db: f64) -> (Option<Result<(), Unconfirmed>>, bool) {
        let mut confirmation = Confirmation::new(0.5, 40.0);
        confirmation.window(&proof(None, 90.0), true);
        confirmation.begin_block();
        for n in 0..windows {
            confirmation.window(&proof(Some(Unproven::Learning), 90.0), true);
            confirmation.window(&proof((n < failing).then_some(Unproven::Bent), db), true);
        }
        assert!(!confirmation.holds(), "not before the block is over");
        (confirmation.end_block(), confirmation.holds())
    }

    #[test]
    fn a_first_block_that_shows_what_was_certified_confirms() {
        assert_eq!(first_block(130, 20, 43.0), (Some(Ok(())), true));
        assert_eq!(first_block(110, 0, 43.0), (Some(Err(Unconfirmed::TooShort)), false));
        assert_eq!(first_block(130, 30, 43.0), (Some(Err(Unconfirmed::Unproven)), false));
        assert_eq!(first_block(130, 0, 47.0), (Some(Err(Unconfirmed::Larger)), false));
    }

    #[test]
    fn a_later_block_mends_nothing() {
        let mut confirmation = Confirmation::new(0.5, 40.0);
        confirmation.begin_block();
        assert_eq!(confirmation.end_block(), Some(Err(Unconfirmed::TooShort)));
        confirmation.begin_block();
        (0..500).for_each(|_| confirmation.window(&proof(None, 40.0), true));
        assert_eq!((confirmation.end_block(), confirmation.holds()), (None, false));
    }
}

//! The open loop: the exponent that the protocol states, whatever the EEG does, as in the tRAS study.

use super::{Law, Wish};
use tras_estimator::Estimate;

/// Never changes the start exponent.
pub struct Fixed;

impl Law for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }

    fn update(&mut self, _: &Estimate) -> Option<Wish> {
        None
    }
}

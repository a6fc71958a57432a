//! `[through_current]`: what must hold before estimates under current steer, and how.

use serde::Serialize;

use super::section::{Section, within};
use crate::session::through_certificate::ThroughCertificate;

/// What goes beside `estimator.during_current = "steer"`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThroughCurrent {
    /// The file that `tras certify --through-current` has written and signed, seen from the configuration's own folder.
    pub certificate: Option<String>,
    /// The oldest that it may be, in days.
    pub certificate_days: f64,
    /// The fastest change of the current's exponent within a burst, for each second: so slow that nobody feels it.
    pub exponent_per_s: f64,
    /// Without a proven window for so long the law gives way to its start, in s. A protocol has its own time and action.
    pub safe_after_s: f64,
    /// The certificate, once it was read.
    #[serde(skip)]
    pub certified: Option<ThroughCertificate>,
}

impl ThroughCurrent {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let through = Self {
            certificate: s.text("certificate"),
            certificate_days: s.number("certificate_days", 30.0, within(0.1, 366.0, "days")),
            exponent_per_s: s.number("exponent_per_s", 0.02, within(1e-4, 0.1, "per s")),
            safe_after_s: s.number("safe_after_s", 30.0, within(5.0, 600.0, "s")),
            certified: None,
        };
        s.done();
        through
    }
}

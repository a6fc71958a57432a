//! `[outlets]`: what is published over LSL.

use serde::Serialize;

use super::section::Section;

/// What is published over LSL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outlets {
    /// Whether estimates, current and events are published.
    pub enabled: bool,
    /// Names of the streams begin with it: `tras-estimates`, `tras-current`, `tras-events`.
    pub prefix: String,
    /// Whether other machines may connect to them; without it the kernel keeps everybody else out.
    pub network: bool,
}

impl Outlets {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let outlets = Self {
            enabled: s.flag("enabled", true),
            prefix: s.text("prefix").unwrap_or_else(|| "tras".to_owned()),
            network: s.flag("network", false),
        };
        s.done();
        outlets
    }
}

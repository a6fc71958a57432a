//! `[markers]`: which streams of other programs' markers are taken.

use serde::Serialize;

use super::section::Section;

/// Which streams of other programs' markers are taken. No other is connected to: whoever is on the network could
/// otherwise write into the recording.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Markers {
    /// Their names, exactly.
    pub streams: Vec<String>,
}

impl Markers {
    pub(super) fn read(s: &mut Section<'_, '_, '_>) -> Self {
        let markers = Self { streams: s.texts("streams") };
        s.done();
        markers
    }
}

//! XDF 1.0.

pub mod format;
pub mod xml;

use super::{OpenOptions, Opened, Place, RecordingError};
use std::path::Path;

pub(super) fn open(path: &Path, _options: &OpenOptions) -> Result<Opened, RecordingError> {
    Err(RecordingError::new(path, Place::File, "XDF comes next"))
}

//! The markers thread: from the ring of the child that reads them to the observer.

use std::time::Duration;

use crossbeam_channel::Sender;

use super::control::Control;
use crate::{markers::Markers, runtime::conduct::Source};

/// Between two looks whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Listens until told to quit.
pub(super) fn listen(source: &mut Markers, markers: &Sender<(f64, Source, String)>, control: &Control) {
    while !control.quits() {
        if let Some(marker) = source.next(LOOK_EVERY) {
            // A full channel means that the observer is gone.
            let source = Source { source_id: marker.source_id, host: marker.host };
            let _ = markers.try_send((marker.stamp_s, source, marker.text));
        }
    }
}

//! Markers of other programs, for the recording: every LSL stream of type `Markers` but our own.
//!
//! Looks for new ones every few seconds, because an experiment's computer may start after us. Not real time.

use std::{collections::HashMap, time::Duration};

use crossbeam_channel::Sender;
use lsl::{Pullable, StreamInlet};

use super::control::Control;
use crate::runtime::conduct::Source;

/// Between two looks for new streams, in rounds of [`NAP`].
const LOOK_EVERY: u32 = 60;
/// Between two rounds.
const NAP: Duration = Duration::from_millis(50);
/// How long an inlet may buffer, in s.
const BUFFER_S: i32 = 60;

/// Listens until told to quit. `own`: the name of our own stream of events.
pub fn listen(own: &str, markers: &Sender<(f64, Source, String)>, control: &Control) {
    let mut inlets: HashMap<String, (Source, StreamInlet)> = HashMap::new();
    let mut round = 0_u32;
    while !control.quits() {
        if round.is_multiple_of(LOOK_EVERY) {
            look(own, &mut inlets);
        }
        round += 1;
        for (source, inlet) in inlets.values() {
            // An inlet whose source is gone says so here until it returns; there is nothing else to do.
            let correction_s = inlet.time_correction(0.0).unwrap_or(0.0);
            while let Ok((sample, stamp_s)) = Pullable::<String>::pull_sample(inlet, 0.0) {
                if stamp_s == 0.0 {
                    break;
                }
                for text in sample {
                    // A full channel means that the observer is gone.
                    let _ = markers.try_send((stamp_s + correction_s, source.clone(), text));
                }
            }
        }
        std::thread::sleep(NAP);
    }
}

fn look(own: &str, inlets: &mut HashMap<String, (Source, StreamInlet)>) {
    let Ok(found) = lsl::resolve_bypred("type='Markers' and channel_format='string'", 0, 0.2) else { return };
    for info in found {
        let uid = info.uid();
        // Our own, of events and of short markers.
        let short = own.strip_suffix("-events").map(|prefix| format!("{prefix}-markers"));
        if info.stream_name() == own || Some(info.stream_name()) == short || inlets.contains_key(&uid) {
            continue;
        }
        if let Ok(inlet) = StreamInlet::new(&info, BUFFER_S, 0, true)
            && inlet.open_stream(2.0).is_ok()
        {
            // The first correction takes most of a second; here nobody waits for it.
            let _ = inlet.time_correction(2.0);
            let source = Source { source_id: info.source_id(), host: info.hostname() };
            inlets.insert(uid, (source, inlet));
        }
    }
}

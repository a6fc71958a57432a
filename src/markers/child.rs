//! The child process that reads markers.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use lsl::{Pullable, StreamInlet};

use super::{MarkersOrder, TEXT_BYTES};
use crate::child::{confine::parent_lives, link::Link, ring::Writer, text};

/// Between two looks for new streams.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Between two rounds.
const NAP: Duration = Duration::from_millis(5);
/// How long an inlet may buffer, in s.
const BUFFER_S: i32 = 60;
/// Channels that a stream of markers may claim.
const MOST_CHANNELS: i32 = 16;

/// Reads until the parent says stop, or dies.
///
/// # Errors
/// The parent's order cannot be read.
pub fn run(link: &Link) -> io::Result<()> {
    let order: MarkersOrder = serde_json::from_str(&link.config()?).map_err(io::Error::other)?;
    let mut ring = None;
    let mut inlets: HashMap<String, StreamInlet> = HashMap::new();
    let mut looked: Option<Instant> = None;
    while !link.stops() && parent_lives() {
        link.beat();
        if ring.is_none() {
            ring = link.data()?.map(Writer::new);
        }
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            look(&order, &mut inlets);
            looked = Some(Instant::now());
        }
        if let Some(ring) = &mut ring {
            for inlet in inlets.values() {
                pull(inlet, ring, link);
            }
        }
        std::thread::sleep(NAP);
    }
    std::process::exit(0)
}

fn pull(inlet: &StreamInlet, ring: &mut Writer, link: &Link) {
    // An inlet whose source is gone says so here until it returns; there is nothing else to do.
    let correction_s = inlet.time_correction(0.0).unwrap_or(0.0);
    while let Ok((sample, stamp_s)) = Pullable::<String>::pull_sample(inlet, 0.0) {
        if stamp_s == 0.0 {
            break;
        }
        for text in sample {
            let stamp = (stamp_s + correction_s).to_bits();
            ring.push(std::iter::once(stamp).chain(text::pack(&text, TEXT_BYTES)));
            link.ring_parent();
        }
    }
}

fn look(order: &MarkersOrder, inlets: &mut HashMap<String, StreamInlet>) {
    let Ok(found) = lsl::resolve_bypred("type='Markers' and channel_format='string'", 0, 0.2) else { return };
    for info in found {
        let uid = info.uid();
        let named = order.streams.contains(&info.stream_name());
        let fits = (1..=MOST_CHANNELS).contains(&info.channel_count());
        if !named || !fits || inlets.contains_key(&uid) {
            continue;
        }
        if let Ok(inlet) = StreamInlet::new(&info, BUFFER_S, 0, true)
            && inlet.open_stream(2.0).is_ok()
        {
            // The first correction takes most of a second; here nobody waits for it.
            let _ = inlet.time_correction(2.0);
            inlets.insert(uid, inlet);
        }
    }
}

//! The child process that reads markers.

use std::{
    collections::HashMap,
    io,
    time::{Duration, Instant},
};

use lsl::{ContinuousResolver, Pullable, StreamInlet};

use super::{HOST_WORDS, MarkersOrder, SOURCE_WORDS, TEXT_BYTES};
use crate::child::{confine::parent_lives, link::Link, ring::Writer, text};

/// Between two looks for new streams among those that are known to be there. Asking takes a second and more where
/// several programs of one machine share its port, so liblsl asks on, in a thread of its own.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A stream that has not answered for so long is not there, in s.
const FORGET_S: f64 = 5.0;
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
pub(crate) fn run(link: &Link) -> io::Result<()> {
    let order: MarkersOrder = serde_json::from_str(&link.config()?).map_err(io::Error::other)?;
    let mut ring = None;
    let mut inlets: HashMap<String, (Vec<u64>, StreamInlet)> = HashMap::new();
    let mut looked: Option<Instant> = None;
    let resolver = ContinuousResolver::new_with_pred("type='Markers' and channel_format='string'", FORGET_S)
        .map_err(io::Error::other)?;
    while !link.stops() && parent_lives() {
        link.beat();
        if ring.is_none() {
            ring = link.data()?.map(Writer::new);
        }
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
            look(&order, &resolver, &mut inlets);
            looked = Some(Instant::now());
        }
        if let Some(ring) = &mut ring {
            for (source, inlet) in inlets.values() {
                pull(source, inlet, ring, link);
            }
        }
        std::thread::sleep(NAP);
    }
    std::process::exit(0)
}

fn pull(source: &[u64], inlet: &StreamInlet, ring: &mut Writer, link: &Link) {
    // An inlet whose source is gone says so here until it returns; there is nothing else to do.
    let correction_s = inlet.time_correction(0.0).unwrap_or(0.0);
    while let Ok((sample, stamp_s)) = Pullable::<String>::pull_sample(inlet, 0.0) {
        if stamp_s == 0.0 {
            break;
        }
        for text in sample {
            let stamp = (stamp_s + correction_s).to_bits();
            let head = std::iter::once(stamp).chain(source.iter().copied());
            ring.push(head.chain(text::pack(&text, TEXT_BYTES)));
            link.ring_parent();
        }
    }
}

/// Source id and host, as a slot holds them.
fn words_of(source_id: &str, host: &str) -> Vec<u64> {
    let field = |text: &str, words: usize| {
        let mut all: Vec<u64> = text::pack(text, (words - 1) * 8).collect();
        all.resize(words, 0);
        all
    };
    [field(source_id, SOURCE_WORDS), field(host, HOST_WORDS)].concat()
}

fn look(
    order: &MarkersOrder,
    resolver: &ContinuousResolver,
    inlets: &mut HashMap<String, (Vec<u64>, StreamInlet)>,
) {
    let Ok(found) = resolver.results() else { return };
    for info in found {
        let uid = info.uid();
        let named =
            order.streams.contains(&info.stream_name()) || order.source_ids.contains(&info.source_id());
        let fits = (1..=MOST_CHANNELS).contains(&info.channel_count());
        if !named || !fits || inlets.contains_key(&uid) {
            continue;
        }
        if let Ok(inlet) = StreamInlet::new(&info, BUFFER_S, 0, true)
            && inlet.open_stream(2.0).is_ok()
        {
            // The first correction takes most of a second; here nobody waits for it.
            let _ = inlet.time_correction(2.0);
            inlets.insert(uid, (words_of(&info.source_id(), &info.hostname()), inlet));
        }
    }
}

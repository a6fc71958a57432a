//! The child process that publishes our streams.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    OutletError, Outlets, reach,
    remote::{RemoteOrder, WIDTH, message, record},
};
use crate::child::{
    confine::parent_lives,
    link::{Link, Message, tell},
    ring::Reader,
    text,
};

/// Without a ring of the parent's bell, a look this often.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Publishes until the parent says stop, or dies.
///
/// # Errors
/// The parent's order cannot be read.
pub fn run(link: &Link) -> io::Result<()> {
    let order: RemoteOrder = serde_json::from_str(&link.config()?).map_err(io::Error::other)?;
    let mut teller = link.teller();
    let mut say = |kind, text: String| {
        tell(&mut teller, &Message { kind, a: 0, b: 0, text });
        link.ring_parent();
    };
    let opened = Outlets::open(&order.settings, &order.targets, order.current_rate_hz)
        .map_err(|error| error.to_string())
        .and_then(|outlets| {
            if !order.to_network {
                reach::this_machine_only().map_err(|e| {
                    format!("LSL outlets: they cannot be kept to this machine ({e}); outlets.enabled = false, or outlets.network = true")
                })?;
            }
            Ok(outlets)
        });
    let mut outlets = match opened {
        Ok(outlets) => outlets,
        Err(error) => {
            say(message::FAILED, error);
            return Ok(());
        }
    };
    say(message::OPEN, String::new());
    let mut ring = None;
    let mut slot = vec![0; WIDTH];
    let mut current_ma = Vec::new();
    let mut looked = Instant::now();
    loop {
        let seen = link.seen_of_parent();
        link.beat();
        let stops = link.stops();
        if ring.is_none() {
            // What waited for an earlier child is stale.
            ring = link.data()?.map(Reader::at_end);
        }
        while let Some(ring) = &mut ring
            && ring.pop(&mut slot).unwrap_or(false)
        {
            // liblsl refuses nothing that fits the stream; what it refuses is lost to readers, and to nobody else.
            let _ = publish(&mut outlets, &slot, &mut current_ma);
            link.beat();
        }
        if stops || (looked.elapsed() > LOOK_EVERY && !parent_lives()) {
            break;
        }
        looked = Instant::now();
        link.wait_for_parent(seen, LOOK_EVERY);
    }
    // Closing at once would cut off what readers have not fetched yet.
    std::thread::sleep(Duration::from_millis(100));
    std::process::exit(0)
}

fn publish(outlets: &mut Outlets, slot: &[u64], current_ma: &mut Vec<f32>) -> Result<(), OutletError> {
    let [kind, stamp, rest @ ..] = slot else { return Ok(()) };
    let stamp_s = f64::from_bits(*stamp);
    match (*kind, rest) {
        (record::ESTIMATE, [target, a, b, c, d, e, f, ..]) => {
            let cells = [a, b, c, d, e, f].map(|bits| f64::from_bits(*bits));
            outlets.push_cells(*target as usize, stamp_s, &cells)
        }
        (record::CURRENT, [count, pairs @ ..]) => {
            current_ma.clear();
            let both = pairs.iter().flat_map(|pair| [*pair as u32, (*pair >> 32) as u32]);
            current_ma.extend(both.take(*count as usize).map(f32::from_bits));
            outlets.push_current(stamp_s, current_ma)
        }
        (record::EVENT, text) => outlets.push_event(stamp_s, &text::unpack_raw(text)),
        (record::MARKER, text) => outlets.push_marker(stamp_s, &text::unpack_raw(text)),
        (record::FLUSH, _) => outlets.flush_estimates(),
        _ => Ok(()),
    }
}

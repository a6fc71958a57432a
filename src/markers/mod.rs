//! Markers of other programs: only those of the streams that the configuration names, read by a child process.
//!
//! In: names. Out: stamps on this machine's clock, and texts of at most [`TEXT_BYTES`], cut at that.

pub(crate) mod child;

use std::{io, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::child::{
    link::Link,
    process::{Pulse, Supervised},
    ring::Reader,
    role::Role,
    text,
};

/// Words of a slot: stamp, source id, host, text.
const WIDTH: usize = 160;
/// Words of the source id, and of the host, their lengths included.
const SOURCE_WORDS: usize = 17;
const HOST_WORDS: usize = 9;
const SLOTS: usize = 1024;
/// The longest text of a marker, in bytes.
pub(crate) const TEXT_BYTES: usize = (WIDTH - 2 - SOURCE_WORDS - HOST_WORDS) * 8;

/// Which streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkersOrder {
    /// Their names, exactly.
    pub streams: Vec<String>,
    /// Streams that a protocol pins by their source id.
    pub source_ids: Vec<String>,
}

impl MarkersOrder {
    /// Whether any stream is named.
    #[must_use]
    pub fn any(&self) -> bool {
        !(self.streams.is_empty() && self.source_ids.is_empty())
    }
}

/// A marker, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Marker {
    /// When, on this machine's LSL clock.
    pub(crate) stamp_s: f64,
    /// The stream's own identity.
    pub(crate) source_id: String,
    /// The machine that sends it.
    pub(crate) host: String,
    /// As it was sent, but for its length.
    pub(crate) text: String,
}

/// Markers as they come.
#[derive(Debug)]
pub(crate) struct Markers {
    link: Arc<Link>,
    pulse: Arc<Pulse>,
    generation: u32,
    ring: Reader,
    slot: Vec<u64>,
}

impl Markers {
    /// Starts the child. It looks for its streams for as long as it lives.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn start(order: &MarkersOrder) -> io::Result<(Self, Supervised)> {
        let mut child = Supervised::start(Role::Markers, &serde_json::to_string(order)?)?;
        let place = child.link().lay_data(SLOTS, WIDTH)?;
        child.set_data(place.clone());
        let markers = Self {
            link: Arc::clone(child.link()),
            pulse: Arc::clone(child.pulse()),
            generation: child.pulse().generation(),
            ring: Reader::new(place),
            slot: vec![0; WIDTH],
        };
        Ok((markers, child))
    }

    /// The next marker, within `timeout`.
    pub(crate) fn next(&mut self, timeout: Duration) -> Option<Marker> {
        let seen = self.link.seen_of_child();
        if let Some(marker) = self.take() {
            return Some(marker);
        }
        self.link.wait_for_child(seen, timeout);
        self.take()
    }

    fn take(&mut self) -> Option<Marker> {
        let generation = self.pulse.generation();
        if generation != self.generation {
            self.generation = generation;
            self.ring.restart();
        }
        // A ring that cannot be is the supervisor's to mend.
        if !self.ring.pop(&mut self.slot).unwrap_or(false) {
            return None;
        }
        let (stamp, words) = self.slot.split_first()?;
        let stamp_s = f64::from_bits(*stamp);
        let (source_id, rest) = words.split_at_checked(SOURCE_WORDS)?;
        let (host, words) = rest.split_at_checked(HOST_WORDS)?;
        stamp_s.is_finite().then(|| Marker {
            stamp_s,
            source_id: text::unpack(source_id),
            host: text::unpack(host),
            text: text::unpack_raw(words),
        })
    }
}

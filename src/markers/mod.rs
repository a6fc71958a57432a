//! Markers of other programs: only those of the streams that the configuration names, read by a child process.
//!
//! In: names. Out: stamps on this machine's clock, and texts of at most [`TEXT_BYTES`], cut at that.

pub mod child;

use std::{io, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::child::{
    link::Link,
    process::{Pulse, Supervised},
    ring::Reader,
    role::Role,
    text,
};

/// Words of a slot: stamp, text.
const WIDTH: usize = 128;
const SLOTS: usize = 1024;
/// The longest text of a marker, in bytes.
pub const TEXT_BYTES: usize = (WIDTH - 2) * 8;

/// Which streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkersOrder {
    /// Their names, exactly.
    pub streams: Vec<String>,
}

/// Markers as they come.
#[derive(Debug)]
pub struct Markers {
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
    pub fn start(order: &MarkersOrder) -> io::Result<(Self, Supervised)> {
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

    /// The next marker, within `timeout`: its stamp and its text, as it was sent but for its length.
    pub fn next(&mut self, timeout: Duration) -> Option<(f64, String)> {
        let seen = self.link.seen_of_child();
        if let Some(marker) = self.take() {
            return Some(marker);
        }
        self.link.wait_for_child(seen, timeout);
        self.take()
    }

    fn take(&mut self) -> Option<(f64, String)> {
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
        stamp_s.is_finite().then(|| (stamp_s, text::unpack_raw(words)))
    }
}

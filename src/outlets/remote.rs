//! Our streams as the observing threads see them: fixed slots into a ring that a child process publishes from.
//!
//! Pushing neither waits nor allocates. What finds no room, because the child is slow or being started again, is dropped
//! and counted.

use std::{io, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{OutletSettings, cells};
use crate::{
    child::{
        link::Link,
        process::Supervised,
        ring::Writer,
        role::{News, Role},
        text,
    },
    estimator::Estimate,
};

pub(super) const WIDTH: usize = 192;
const SLOTS: usize = 2048;
/// Samples of current in a slot: kind, stamp, count, then two to a word.
const CURRENT: usize = (WIDTH - 3) * 2;
/// Bytes of an event in a slot: kind, stamp, length, text.
pub(super) const EVENT_BYTES: usize = (WIDTH - 3) * 8;

pub(super) mod record {
    pub(crate) const ESTIMATE: u64 = 1;
    pub(crate) const CURRENT: u64 = 2;
    pub(crate) const EVENT: u64 = 3;
    pub(crate) const FLUSH: u64 = 4;
    pub(crate) const MARKER: u64 = 5;
}

pub(super) mod message {
    /// The streams are there.
    pub(crate) const OPEN: u64 = 1;
    /// Text: why they are not.
    pub(crate) const FAILED: u64 = 2;
}

/// What the parent tells its child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoteOrder {
    /// Names.
    pub settings: OutletSettings,
    /// Regions and channels that are estimated.
    pub targets: Vec<String>,
    /// Of the current, in Hz; none where nothing stimulates.
    pub current_rate_hz: Option<f64>,
    /// Whether other machines may connect.
    pub to_network: bool,
}

/// The writing end.
#[derive(Debug)]
pub struct RemoteOutlets {
    link: Arc<Link>,
    ring: Writer,
    rate_hz: f64,
    dropped: u64,
}

impl RemoteOutlets {
    /// Starts the child and waits until the streams are open.
    ///
    /// # Errors
    /// LSL refuses, or the names make no stream.
    pub fn start(order: &RemoteOrder) -> io::Result<(Self, Supervised)> {
        let mut child = Supervised::start(Role::Outlets, &serde_json::to_string(order)?)?;
        let place = child.link().lay_data(SLOTS, WIDTH)?;
        match child.message(Duration::from_secs(10)) {
            Ok(Some(told)) if told.kind == message::OPEN => {}
            Ok(Some(told)) => return Err(io::Error::other(told.text)),
            Ok(None) => return Err(io::Error::other(format!("{} does not answer", Role::Outlets))),
            Err(News::Died(death)) => {
                return Err(io::Error::other(format!("{} has ended ({death:?})", Role::Outlets)));
            }
            Err(_) => return Err(io::Error::other(format!("{} talks nonsense", Role::Outlets))),
        }
        let link = Arc::clone(child.link());
        Ok((
            Self {
                link,
                ring: Writer::new(place),
                rate_hz: order.current_rate_hz.unwrap_or(1.0),
                dropped: 0,
            },
            child,
        ))
    }

    /// One target's estimate; see [`super::Outlets::push_estimate`].
    pub fn push_estimate(&mut self, estimate: &Estimate) {
        let head = [record::ESTIMATE, estimate.stamp_s.to_bits(), estimate.target as u64];
        self.push(head.into_iter().chain(cells(estimate).into_iter().map(f64::to_bits)));
        self.link.ring_child();
    }

    /// Current as delivered: sample i flowed at `stamp0_s + i / rate`.
    pub fn push_current(&mut self, stamp0_s: f64, current_ma: &[f32]) {
        for (index, chunk) in current_ma.chunks(CURRENT).enumerate() {
            let stamp_s = stamp0_s + (index * CURRENT) as f64 / self.rate_hz;
            let head = [record::CURRENT, stamp_s.to_bits(), chunk.len() as u64];
            let pairs = chunk.chunks(2).map(|pair| {
                let bits = |at: usize| pair.get(at).map_or(0, |value| u64::from(value.to_bits()));
                bits(0) | bits(1) << 32
            });
            self.push(head.into_iter().chain(pairs));
        }
        self.link.ring_child();
    }

    /// One event; `json` is one JSON object. One that is too long for a slot is dropped and counted.
    pub fn push_event(&mut self, stamp_s: f64, json: &str) {
        self.push_text(record::EVENT, stamp_s, json);
    }

    /// One short marker, `block/3/start`.
    pub fn push_marker(&mut self, stamp_s: f64, text: &str) {
        self.push_text(record::MARKER, stamp_s, text);
    }

    fn push_text(&mut self, kind: u64, stamp_s: f64, text: &str) {
        if text.len() > EVENT_BYTES {
            self.dropped += 1;
            return;
        }
        let head = [kind, stamp_s.to_bits()];
        self.push(head.into_iter().chain(text::pack(text, EVENT_BYTES)));
        self.link.ring_child();
    }

    /// Sends the row of estimates in hand. For the end of a run.
    pub fn flush(&mut self) {
        self.push([record::FLUSH]);
        self.link.ring_child();
    }

    /// What could not be handed to the child.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn push(&mut self, words: impl IntoIterator<Item = u64>) {
        self.dropped += u64::from(!self.ring.push(words));
    }
}

//! A device whose calls are noted as they go by: what the host queued and when, and what it heard.

use std::sync::{Arc, Mutex};

use tras::stimulator::linked::{Line, Linked};
use tras::stimulator::{Delivered, Latched, Limits, Status, Stimulator, StimulatorError, Stop};

use crate::lock;

/// Everything that went to the device.
#[derive(Default)]
pub(super) struct Calls {
    /// When `queue` was called, and the index after the last sample of the call.
    pub queued: Vec<(f64, usize)>,
    /// The samples, in mA.
    pub samples_ma: Vec<f32>,
    /// Round trips of heartbeats in s, each once.
    pub round_trips_s: Vec<f64>,
    /// Samples that were sent again.
    pub repeated: u64,
    /// The device's last word.
    pub status: Option<Status>,
    /// When the device first said that it had run dry.
    pub dry_s: Option<f64>,
}

/// Room for so many more, whose pages are there already: a list that grows while it is written stops its thread.
pub(super) fn make_room<T: Clone>(list: &mut Vec<T>, count: usize, like: T) {
    let length = list.len();
    list.resize(length + count, like);
    list.truncate(length);
}

impl Calls {
    /// Room for a run of so many seconds, and some.
    pub(super) fn for_seconds(seconds: f64) -> Self {
        let mut calls = Self::default();
        let steps = ((seconds + 30.0) * 1_000.0) as usize;
        make_room(&mut calls.queued, steps, (1.0, 1));
        make_room(&mut calls.samples_ma, 2 * steps, 1.0);
        make_room(&mut calls.round_trips_s, steps, 1.0);
        calls
    }

    /// When the sample of this index was queued.
    pub(super) fn queued_s(&self, index: usize) -> Option<f64> {
        let at = self.queued.partition_point(|&(_, end)| end <= index);
        self.queued.get(at).map(|&(at_s, _)| at_s)
    }
}

/// A device whose calls are noted.
pub(super) struct Noted<L> {
    /// The device.
    pub inner: Linked<L>,
    /// Where.
    pub calls: Arc<Mutex<Calls>>,
}

impl<L: Line> Stimulator for Noted<L> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn rate_hz(&self) -> f64 {
        self.inner.rate_hz()
    }

    fn connect(
        &mut self,
        wanted: &Limits,
        latched: Latched,
        now_s: f64,
    ) -> std::result::Result<Limits, StimulatorError> {
        self.inner.connect(wanted, latched, now_s)
    }

    fn arm(&mut self, now_s: f64) -> std::result::Result<(), StimulatorError> {
        self.inner.arm(now_s)
    }

    fn room(&self) -> usize {
        self.inner.room()
    }

    fn queue(&mut self, samples_ma: &[f32], now_s: f64) -> std::result::Result<(), StimulatorError> {
        let done = self.inner.queue(samples_ma, now_s);
        if done.is_ok() {
            let mut calls = lock(&self.calls);
            calls.samples_ma.extend(samples_ma);
            let end = calls.samples_ma.len();
            calls.queued.push((now_s, end));
        }
        done
    }

    fn stop(&mut self, how: Stop, now_s: f64) {
        self.inner.stop(how, now_s);
    }

    fn poll(&mut self, now_s: f64, delivered: &mut dyn FnMut(Delivered)) -> Status {
        let status = self.inner.poll(now_s, delivered);
        let mut calls = lock(&self.calls);
        let newest = self.inner.round_trip_s();
        if newest.is_some() && calls.round_trips_s.last().copied() != newest {
            calls.round_trips_s.extend(newest);
        }
        calls.repeated = self.inner.repeated();
        if status.underruns > 0 && calls.dry_s.is_none() {
            calls.dry_s = Some(now_s);
        }
        calls.status = Some(status);
        status
    }

    fn disarm(&mut self, now_s: f64) {
        self.inner.disarm(now_s);
    }
}

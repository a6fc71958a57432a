//! Finds a lost stream again, on a thread of its own, so that the acquiring thread never waits.
//!
//! The same stream is one with the same name, type, source id and host, and then with the same rate, format, channels,
//! labels and units. One of that identity that differs in the rest is refused, and what differs is told; so are two of
//! that identity. One that differs in its host alone may be the device on another machine, or an impostor: it is offered,
//! and not connected to before a person has confirmed that very outlet. The search goes on until the stream is back or
//! the source is dropped.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use super::connect::{Connection, Identity, connect};
use super::discover::VisibleStream;
use super::raw::{Info, Inlet, Resolver};
use crate::child::text;

/// How often the answers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often the question is asked anew: liblsl's own rhythm is 1 to 1.75 s; it sends a multicast at the
/// start of a search and asks known peers 0.5 s later.
const ASK_EVERY: Duration = Duration::from_millis(800);

/// How long each step of connecting may take, seconds: a failure is tried again anyhow, and the end of the
/// program waits for it.
const STEP_S: f64 = 2.0;

/// What the acquiring thread asks for.
enum Order {
    /// Search. A `dead` inlet is put away first; without one the connection is silent but stands, and only
    /// another outlet of the same identity counts.
    Seek { number: u64, dead: Option<Inlet> },
    /// It has come back by itself.
    Cancel,
    /// Put this away: destroying an inlet joins threads.
    Dispose(Inlet),
}

/// A new connection, for the search of this number.
struct Found {
    number: u64,
    inlet: Inlet,
    correction_s: f64,
}

/// An outlet that would be the lost one, were it not on another host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Of this very outlet.
    pub(crate) number: u64,
    name: String,
    was: String,
    is: String,
}

impl Offered {
    /// Stream, host that was, host that is, each cut at `most` bytes.
    pub(crate) fn fields(&self, most: usize) -> String {
        text::join([self.name.as_str(), &self.was, &self.is], most)
    }
}

/// What the searching and the acquiring thread share.
#[derive(Default)]
struct Shared {
    refused: Mutex<Option<String>>,
    offered: Mutex<Option<Offered>>,
    confirmed: AtomicU64,
}

/// The searching thread as the acquiring thread sees it. No call waits or allocates.
pub(super) struct Recovery {
    orders: Option<Sender<Order>>,
    found: Receiver<Found>,
    shared: Arc<Shared>,
    number: u64,
    thread: Option<JoinHandle<()>>,
}

impl Recovery {
    /// Starts the thread; it sleeps until there is something to look for.
    pub(super) fn start(identity: Identity, uid: String, chunk_samples: usize) -> std::io::Result<Self> {
        let (orders, orders_out) = bounded(16);
        let (found_in, found) = bounded(4);
        let shared = Arc::<Shared>::default();
        let mut seeker =
            Seeker { identity, uid, chunk_samples, found: found_in, shared: Arc::clone(&shared) };
        let thread =
            std::thread::Builder::new().name("lsl-recover".into()).spawn(move || seeker.run(&orders_out))?;
        Ok(Self { orders: Some(orders), found, shared, number: 0, thread: Some(thread) })
    }

    pub(super) fn seek(&mut self, dead: Option<Inlet>) {
        self.number += 1;
        self.order(Order::Seek { number: self.number, dead });
    }

    pub(super) fn cancel(&mut self) {
        self.number += 1;
        self.order(Order::Cancel);
    }

    pub(super) fn dispose(&mut self, inlet: Inlet) {
        self.order(Order::Dispose(inlet));
    }

    /// The stream again, if the present search has found it.
    pub(super) fn take(&mut self) -> Option<(Inlet, f64)> {
        let found = self.found.try_recv().ok()?;
        if found.number == self.number {
            Some((found.inlet, found.correction_s))
        } else {
            self.dispose(found.inlet);
            None
        }
    }

    /// Why what is there is not resumed.
    pub(super) fn refused(&self) -> Option<String> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What waits for a person's word.
    pub(super) fn offered(&self) -> Option<Offered> {
        self.shared.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// That word, for the offer of this number.
    pub(super) fn confirm(&self, number: u64) {
        self.shared.confirmed.store(number, Ordering::Relaxed);
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders
            && let Err(unsent) = orders.try_send(order)
            && let Order::Seek { dead: Some(inlet), .. } | Order::Dispose(inlet) = unsent.into_inner()
        {
            // Sixteen orders wait: the thread hangs in the network. To leak an inlet is better than to wait.
            std::mem::forget(inlet);
        }
    }
}

impl Drop for Recovery {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // The thread ends at its next look; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}

struct Seeker {
    identity: Identity,
    uid: String,
    chunk_samples: usize,
    found: Sender<Found>,
    shared: Arc<Shared>,
}

impl Seeker {
    fn run(&mut self, orders: &Receiver<Order>) {
        let mut order = orders.recv().ok();
        while let Some(now) = order {
            order = match now {
                Order::Seek { number, dead } => self.seek(number, dead, orders),
                Order::Cancel | Order::Dispose(_) => orders.recv().ok(),
            };
        }
    }

    /// Searches until found or told otherwise; the next order, or `None` at the end.
    fn seek(&mut self, number: u64, dead: Option<Inlet>, orders: &Receiver<Order>) -> Option<Order> {
        let connection_stands = dead.is_none();
        drop(dead);
        let mut resolver = Resolver::new(None);
        let mut asked = Instant::now();
        loop {
            match orders.recv_timeout(LOOK_EVERY) {
                Ok(Order::Dispose(inlet)) => drop(inlet),
                Ok(order) => return Some(order),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let visible = resolver.as_ref().map(Resolver::results).unwrap_or_default();
            if let Some(info) = self.only_one(visible, connection_stands)
                && let Some(found) = self.same(&info)
            {
                self.refuse(None);
                self.offer(None);
                self.uid = info.uid();
                // Bounded for four, and one is sent for each search: it fits unless nobody looks any more.
                let _ = self.found.try_send(Found {
                    number,
                    inlet: found.inlet,
                    correction_s: found.correction_s,
                });
                return orders.recv().ok();
            }
            if asked.elapsed() >= ASK_EVERY {
                (resolver, asked) = (Resolver::new(None), Instant::now());
            }
            if matches!(orders.try_recv(), Err(TryRecvError::Disconnected)) {
                return None;
            }
        }
    }

    /// The one stream with the lost one's identity.
    fn only_one(&self, visible: Vec<Info>, connection_stands: bool) -> Option<Info> {
        let lost = &self.identity.description;
        let namesakes: Vec<Info> =
            visible.into_iter().filter(|i| i.name() == lost.name && i.kind() == lost.kind).collect();
        let (same, other): (Vec<Info>, Vec<Info>) =
            namesakes.into_iter().partition(|i| i.source_id() == lost.source_id);
        let (mut same, mut moved): (Vec<Info>, Vec<Info>) =
            same.into_iter().partition(|i| i.hostname() == lost.hostname);
        if same.is_empty() {
            // One that was confirmed, among however many claim to be it.
            let confirmed = self.shared.confirmed.load(Ordering::Relaxed);
            if let Some(at) = moved.iter().position(|i| number_of(&i.uid()) == confirmed) {
                return Some(moved.swap_remove(at));
            }
            if let [one] = moved.as_slice() {
                self.offer(Some(one));
                return None;
            }
            same = moved;
        }
        self.offer(None);
        if same.len() > 1 {
            let list: Vec<String> = same.iter().map(|i| VisibleStream::of(i).to_string()).collect();
            self.refuse(Some(format!("{} streams could be the lost one: {}", same.len(), list.join("; "))));
            return None;
        }
        let Some(info) = same.pop() else {
            if let Some(other) = other.first() {
                let what = format!(
                    "a stream of that name is there, but it is another: {}",
                    VisibleStream::of(other)
                );
                self.refuse(Some(what));
            }
            return None;
        };
        // Still the outlet that we are connected to: it is silent, and there is nothing to reconnect.
        (!(connection_stands && info.uid() == self.uid)).then_some(info)
    }

    /// A connection to `info`, if nothing has changed.
    fn same(&mut self, info: &Info) -> Option<Connection> {
        let again = match connect(info, self.chunk_samples, STEP_S) {
            Ok(again) => again,
            Err(error) => {
                self.refuse(Some(error.to_string()));
                return None;
            }
        };
        let mut expected = self.identity.clone();
        if number_of(&info.uid()) == self.shared.confirmed.load(Ordering::Relaxed) {
            expected.description.hostname.clone_from(&again.identity.description.hostname);
        }
        let changes = expected.changes(&again.identity);
        if changes.is_empty() {
            // From here on this host is its host.
            self.identity = expected;
            return Some(again);
        }
        self.refuse(Some(format!(
            "stream \"{}\" has come back changed: {changes}",
            self.identity.description.name
        )));
        None
    }

    fn refuse(&self, reason: Option<String>) {
        *self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Offers `info`, or nothing any more.
    fn offer(&self, info: Option<&Info>) {
        let lost = &self.identity.description;
        let offer = info.map(|info| Offered {
            number: number_of(&info.uid()),
            name: lost.name.clone(),
            was: lost.hostname.clone(),
            is: info.hostname(),
        });
        if offer.is_some() {
            // It is told as an offer, not as a refusal.
            self.refuse(None);
        }
        *self.shared.offered.lock().unwrap_or_else(PoisonError::into_inner) = offer;
    }
}

/// A number for an outlet's own identity; never 0.
fn number_of(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish().max(1)
}

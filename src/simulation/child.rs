//! The virtual participant of a demo in a process of its own: it listens to the network, and what stimulates does not.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    listen::Names,
    participant::ParticipantSettings,
    publish::{PublishSettings, publish},
};
use crate::child::{
    confine::parent_lives,
    link::{Link, Message, tell},
    process::Supervised,
    role::Role,
};

/// What the parent tells its child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParticipantOrder {
    /// Name of the stream.
    pub name: String,
    /// What the participant is like.
    pub participant: ParticipantSettings,
    /// Seed of everything random.
    pub seed: u64,
    /// Streams of the parent to respond to.
    pub respond_to: Names,
}

impl ParticipantOrder {
    /// Starts the child. It publishes until it is ended.
    ///
    /// # Errors
    /// The system refuses.
    pub fn start(&self) -> io::Result<Supervised> {
        Supervised::start(Role::Participant, &serde_json::to_string(self)?)
    }
}

/// Publishes until the parent says stop, or dies.
///
/// # Errors
/// The parent's order cannot be read.
pub fn run(link: &Link) -> io::Result<()> {
    let order: ParticipantOrder = serde_json::from_str(&link.config()?).map_err(io::Error::other)?;
    let settings = PublishSettings {
        name: order.name,
        participant: order.participant,
        seed: order.seed,
        chunk: 1,
        seconds: None,
        faults: Vec::new(),
        respond_to: Some(order.respond_to),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let publishing = std::thread::Builder::new().name("participant".to_owned()).spawn(move || {
        // It wakes on its own; the parent's word comes through the other thread.
        publish(&settings, &told, |_| {}).map(|_| ()).map_err(|error| error.to_string())
    })?;
    while !link.stops() && parent_lives() && !publishing.is_finished() {
        link.beat();
        std::thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::SeqCst);
    if let Ok(Err(text)) = publishing.join() {
        tell(&mut link.teller(), &Message { kind: 1, a: 0, b: 0, text });
        link.ring_parent();
    }
    std::process::exit(0)
}

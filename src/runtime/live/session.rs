//! A session by a protocol in the live runtime: the conductor, in the observe thread; and the operator's typed lines.

use std::{
    io::BufRead,
    sync::{Arc, Mutex, PoisonError},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::confirm::Confirm;
use crate::{
    acquisition::moved::TAKE_UP,
    dashboard::View,
    outlets::remote::RemoteOutlets,
    recorder::health::Pulse,
    runtime::{
        conduct::{Conductor, Deed, Source},
        keep::Entry,
        observation::Stamped,
    },
};

/// Typed lines under way at most.
const TYPED: usize = 64;

/// What the observe thread has of a session.
pub(super) struct LiveSession {
    conductor: Conductor,
    typed: Receiver<String>,
    pulse: Option<Arc<Pulse>>,
    view: Arc<Mutex<View>>,
}

impl LiveSession {
    /// With the end of a channel for what the operator types.
    pub(super) fn new(
        conductor: Conductor,
        pulse: Option<Arc<Pulse>>,
        view: Arc<Mutex<View>>,
    ) -> (Self, Sender<String>) {
        let (typed_in, typed) = bounded(TYPED);
        (Self { conductor, typed, pulse, view }, typed_in)
    }

    /// Nobody here may learn a condition.
    pub(super) fn blind(&self) -> bool {
        self.conductor.blind()
    }

    /// A note of the stages.
    pub(super) fn note(&mut self, stamped: &Stamped) {
        self.conductor.note(stamped);
    }

    /// A marker of another program.
    pub(super) fn marker(&mut self, source: &Source, text: &str) {
        self.conductor.marker(source, text);
    }

    /// One round. Gives what is to be recorded.
    pub(super) fn turn(&mut self, now_s: f64, outlets: Option<&mut RemoteOutlets>) -> Vec<Entry> {
        if let Some(pulse) = &self.pulse {
            self.conductor.recording(pulse.look(now_s).bad_since_s());
        }
        while let Ok(line) = self.typed.try_recv() {
            self.conductor.typed(&line, now_s);
        }
        self.conductor.turn(now_s);
        let mut entries = Vec::new();
        let mut outlets = outlets;
        for deed in self.conductor.deeds() {
            match deed {
                Deed::Log(kind, data) => entries.push(Entry::Log(kind, data)),
                Deed::Filled(filled) => entries.push(Entry::Filled(Box::new(filled))),
                Deed::Marker(text) => {
                    if let Some(outlets) = &mut outlets {
                        outlets.push_marker(now_s, &text);
                    }
                    entries.push(Entry::OwnMarker(now_s, text));
                }
                Deed::Line(text) => {
                    let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
                    view.push_event(text.clone());
                    view.words.push(text);
                }
            }
        }
        entries
    }
}

/// Reads the operator's lines from standard input, for as long as there are any: the word for a stream from another host
/// is heard here, all else is the session's.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn read_lines(typed: Option<Sender<String>>, confirm: Option<Confirm>) -> std::io::Result<()> {
    // A shell that has put the run into the background would otherwise stop all of it, mid-burst, at the first read.
    // SAFETY: a plain system call, before the thread that it concerns exists.
    unsafe { libc::signal(libc::SIGTTIN, libc::SIG_IGN) };
    std::thread::Builder::new().name("tras-typed".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match (&confirm, &typed) {
                (Some(confirm), _) if line.trim().eq_ignore_ascii_case(TAKE_UP) => confirm.take_up(),
                (_, Some(typed)) if typed.send(line).is_err() => return,
                _ => {}
            }
        }
    })?;
    Ok(())
}

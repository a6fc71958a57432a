//! A session by a protocol in the live runtime: the conductor, in the observe thread; and the operator's typed lines.

use std::{
    io::BufRead,
    sync::{Arc, Mutex, PoisonError},
};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde_json::json;

use super::confirm::Confirm;
use crate::{
    acquisition::{moved::TAKE_UP, state::StreamState},
    dashboard::{
        View,
        session::{PhaseLine, SessionView},
    },
    outlets::remote::RemoteOutlets,
    recorder::health::Pulse,
    runtime::{
        conduct::{Conductor, Deed, Source, task::SessionTask},
        keep::Entry,
        observation::Stamped,
    },
    session::{protocol::Finish, sequencer::State},
};

/// Typed lines under way at most.
const TYPED: usize = 64;

/// What the observe thread has of a session.
pub(super) struct LiveSession {
    conductor: Conductor,
    typed: Receiver<String>,
    pulse: Option<Arc<Pulse>>,
    view: Arc<Mutex<View>>,
    task: Option<SessionTask>,
    began_s: f64,
}

impl LiveSession {
    /// With the end of a channel for what the operator types.
    pub(super) fn new(
        conductor: Conductor,
        pulse: Option<Arc<Pulse>>,
        view: Arc<Mutex<View>>,
        task: Option<SessionTask>,
        began_s: f64,
    ) -> (Self, Sender<String>) {
        let (typed_in, typed) = bounded(TYPED);
        let mut conductor = conductor;
        if let Some(task) = &task {
            conductor.has_task();
            conductor.say(&format!("the participant's page, whose address works once: {}", task.url()));
        }
        view.lock().unwrap_or_else(PoisonError::into_inner).session = Some(Self::screen(&conductor));
        (Self { conductor, typed, pulse, view, task, began_s }, typed_in)
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
        self.conductor.network_marker(source, text);
    }

    /// One round. Gives what is to be recorded.
    pub(super) fn turn(&mut self, now_s: f64, outlets: Option<&mut RemoteOutlets>) -> Vec<Entry> {
        if let Some(pulse) = &self.pulse {
            self.conductor.recording(pulse.look(now_s).bad_since_s());
        }
        while let Ok(line) = self.typed.try_recv() {
            self.conductor.typed(&line, now_s);
        }
        let mut entries = Vec::new();
        let mut outlets = outlets;
        if let Some(task) = &mut self.task {
            let news = task.news(now_s);
            for line in &news.lines {
                self.conductor.say(line);
            }
            for marker in news.markers {
                self.conductor.task_marker(&marker.text);
                if let Some(outlets) = &mut outlets {
                    outlets.push_marker(marker.stamp_s, &marker.text);
                }
                entries.push(Entry::Marker(marker.stamp_s, marker.text));
            }
        }
        self.conductor.turn(now_s);
        for deed in self.conductor.deeds() {
            if let Some(task) = &mut self.task {
                task.see(&deed);
            }
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
        self.show();
        entries
    }

    /// Where the session is, onto the screen.
    fn show(&mut self) {
        let at = self.conductor.at().copied();
        let checks = self.conductor.board().checks();
        let question = self.conductor.question();
        let waits = self.conductor.waits();
        let page = self.task.as_ref().map(SessionTask::has_page);
        let address = self.task.as_ref().filter(|task| !task.has_page()).map(|task| task.url().to_owned());
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let live = view.stream.state == StreamState::Live;
        let Some(screen) = &mut view.session else { return };
        let [electrodes, recording, dose, no_fault] = checks;
        let armed = at.is_some_and(|heard| heard.armed);
        screen.checks = vec![
            ("electrodes written down", electrodes),
            ("EEG live", live),
            ("recording healthy", recording),
            ("dose left", dose),
            ("no fault latched", no_fault),
            ("both keys turned", armed),
        ];
        screen.checks.extend(page.map(|open| ("participant's page open", open)));
        screen.question = question;
        screen.address = address;
        screen.waits = waits.to_owned();
        let Some(heard) = at else { return };
        (screen.runs, screen.held, screen.over) = (false, false, false);
        match heard.state {
            State::Before(place) => screen.at = place,
            State::Within(place) => {
                (screen.at, screen.runs) = (place, true);
                screen.ends_s = heard.at_s + heard.left_s - self.began_s;
                if heard.said.entered.is_some() {
                    screen.began_s = heard.at_s - self.began_s;
                }
            }
            State::Held(place) => (screen.at, screen.held) = (place, true),
            State::Stopped => screen.over = true,
        }
        let block = screen.runs
            && self.conductor.protocol().phases.get(screen.at).is_some_and(|plan| plan.block.is_some());
        screen.keys.set_block(block);
    }

    /// What the screen shows of a session that has not begun.
    pub(super) fn screen(conductor: &Conductor) -> SessionView {
        let protocol = conductor.protocol();
        let phases = protocol.phases.iter().map(|plan| PhaseLine {
            name: plan.block.map_or_else(|| plan.kind.name().to_owned(), |n| format!("block {n}")),
            planned_s: if plan.finish == Finish::Key { f64::INFINITY } else { plan.duration_s },
        });
        SessionView {
            whose: format!("{} of {}", protocol.session, protocol.study),
            phases: phases.collect(),
            ..SessionView::default()
        }
    }

    /// The session is over: the task ends, and what it came to goes into the log.
    pub(super) fn end(&mut self) -> Option<Entry> {
        let data = match self.task.take()?.end() {
            Ok(ended) => {
                let [done, missed, broken, practice] = ended.rows;
                let trips_ms = ended.trips_ms.map(|ms| ms.is_finite().then_some(ms));
                json!({
                    "done": done, "missed": missed, "broken": broken, "practice": practice,
                    "complete": ended.complete, "frame_ms": ended.frame_ms,
                    "frames_dropped": ended.frames_dropped, "trip_ms": trips_ms,
                    "markers": ended.markers.0, "markers_dropped": ended.markers.1,
                })
            }
            Err(what) => json!({ "failed": what }),
        };
        Some(Entry::Log("task", data))
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

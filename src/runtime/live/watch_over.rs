//! The main thread during a run: signals, keys, time, and the order in which a run ends: current, threads,
//! files.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    Watching,
    confirm::Confirm,
    control::{Control, Watched},
    keys,
};
use crate::{
    clock,
    dashboard::{Dashboard, View},
    recorder::health::{Health, Pulse},
    runtime::{assemble::Shape, ended::EndedBy, signals::Signals, view_feed},
};

/// Between two looks.
const NAP: Duration = Duration::from_millis(20);
/// After the order to end, the device has so long to report zero: 1 s of ramp, its queue, and some patience.
const SAFE_WITHIN: Duration = Duration::from_secs(5);

/// What the main thread watches over.
pub(super) struct WatchOver<'a> {
    /// Shared words.
    pub control: &'a Arc<Control>,
    /// Ctrl-C and SIGTERM.
    pub signals: &'a Signals,
    /// What is shown.
    pub view: &'a Arc<Mutex<View>>,
    /// When the run began, and when it is to end.
    pub shape: &'a Shape,
    /// How the recording is, where there is one.
    pub pulse: Option<Arc<Pulse>>,
    /// To the conductor of a session by a protocol: what the operator types.
    pub typed: Option<Sender<String>>,
    /// A stream from another host waits for a person's word.
    pub confirm: Option<Confirm>,
}

impl WatchOver<'_> {
    /// Waits until the run is to end, and until its current has ended. Gives what went wrong on the way.
    pub(super) fn run(self, watching: &Watching) -> Vec<String> {
        let Self { control, signals, view, shape, pulse, typed, confirm } = self;
        let mut health = Health::Healthy;
        let mut faults = Vec::new();
        let keys = match keys::start(Arc::clone(control), typed, confirm.clone()) {
            Ok(keys) => keys,
            Err(error) => return vec![error.to_string()],
        };
        let screen = match watching {
            Watching::Dashboard(options) => match Dashboard::start(Arc::clone(view), keys, options.clone()) {
                Ok(screen) => Some(screen),
                Err(error) => {
                    faults.push(format!("the dashboard cannot start: {error}"));
                    None
                }
            },
            Watching::Lines => None,
        };
        let mut lines = if screen.is_some() { None } else { Lines::start().ok() };
        let mut ending: Option<Instant> = None;
        loop {
            let elapsed_s = clock::now_s() - shape.began_s;
            control.beat_of(Watched::Main, clock::now_s());
            if signals.count() > 0 {
                control.end_run(EndedBy::Signal);
            }
            if control.is_done() {
                control.end_run(EndedBy::Plan);
            }
            if shape.seconds.is_some_and(|s| elapsed_s >= s) {
                control.end_run(EndedBy::Seconds);
            }
            if signals.count() > 1 {
                control.cut_current();
            }
            if let Some(pulse) = &pulse {
                tell_health(&mut health, pulse.look(clock::now_s()), view);
            }
            if let Some(offer) = confirm.as_ref().and_then(|confirm| confirm.moved.news()) {
                view.lock().unwrap_or_else(PoisonError::into_inner).tell(offer.to_string());
            }
            if let Some(lines) = &mut lines {
                lines.tell(elapsed_s, view);
            }
            if control.ending() {
                let since = ending.get_or_insert_with(Instant::now);
                if control.is_safe() {
                    break;
                }
                if since.elapsed() > SAFE_WITHIN {
                    faults.push(
                        "the stimulator did not report zero current within 5 s of the end: check it".into(),
                    );
                    control.cut_current();
                    std::thread::sleep(Duration::from_millis(50));
                    break;
                }
            }
            std::thread::sleep(NAP);
        }
        drop(screen);
        if let Some(lines) = lines {
            lines.finish();
        }
        faults
    }
}

/// Tells at once, on the screen and in the lines, that the recording fails or goes on.
fn tell_health(told: &mut Health, now: Health, view: &Mutex<View>) {
    if now.bad_since_s() == told.bad_since_s() {
        return;
    }
    let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
    if now.is_good() {
        view.push_event("the recording goes on");
    } else {
        view.push_fault(now.to_string());
    }
    *told = now;
}

/// One line a second, where there is no screen, and at once a line of its own for a fault and for what ended a
/// current: the operator must not wait for the summary to read why. Written by a thread of its own: a pipe that nobody reads must
/// not keep this one from signals, nor from the end.
struct Lines {
    next_s: f64,
    /// How many faults were told, and the newest reason of a halt.
    faults_told: usize,
    told: usize,
    held_told: Option<String>,
    words_told: usize,
    lines: Sender<String>,
    done: Receiver<()>,
}

impl Lines {
    fn start() -> std::io::Result<Self> {
        let (lines, to_write) = bounded::<String>(64);
        let (all_written, done) = bounded(1);
        std::thread::Builder::new().name("tras-lines".to_owned()).spawn(move || {
            for line in to_write {
                // A reader that has gone is no fault of the run.
                let _ = writeln!(std::io::stdout(), "{line}");
            }
            let _ = all_written.send(());
        })?;
        Ok(Self { next_s: 1.0, faults_told: 0, told: 0, held_told: None, words_told: 0, lines, done })
    }

    fn tell(&mut self, elapsed_s: f64, view: &Mutex<View>) {
        self.tell_news(elapsed_s, view);
        if elapsed_s < self.next_s {
            return;
        }
        self.next_s = elapsed_s.floor() + 1.0;
        let view = view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Without room the reader is slow: a line less.
        let _ = self.lines.try_send(view_feed::line(&view));
    }

    fn tell_news(&mut self, elapsed_s: f64, view: &Mutex<View>) {
        let view = view.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in view.faults.iter().skip(self.faults_told) {
            self.faults_told += 1;
            let _ = self.lines.try_send(format!("{elapsed_s:6.1} s FAULT {}", fault.text));
        }
        for word in view.words.iter().skip(self.words_told) {
            self.words_told += 1;
            let _ = self.lines.try_send(format!("{elapsed_s:6.1} s {word}"));
        }
        let news = view.told_count.saturating_sub(self.told);
        self.told = view.told_count;
        for line in view.told.iter().skip(view.told.len().saturating_sub(news)) {
            let _ = self.lines.try_send(format!("{elapsed_s:6.1} s {}", line.text));
        }
        let why = view.stimulation.stopped.as_ref().or(view.stimulation.held.as_ref());
        if view.stimulation.enabled && why != self.held_told.as_ref() {
            self.held_told = why.cloned();
            let line = why.map_or_else(|| "held no longer".to_owned(), |why| format!("current ended: {why}"));
            let _ = self.lines.try_send(format!("{elapsed_s:6.1} s {line}"));
        }
    }

    /// Waits a moment for what is still to be written, so that the summary comes last.
    fn finish(self) {
        drop(self.lines);
        let _ = self.done.recv_timeout(Duration::from_millis(300));
    }
}

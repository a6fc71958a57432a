//! The screen: what flows, at a glance, for the hours that a session takes.
//!
//! In: a [`View`] that the runtime keeps up to date behind a mutex. Out: [`Action`]s of the person at the keys. Two
//! threads of its own: one draws, and may block on a stalled terminal as long as it likes, because it holds the
//! view's lock only to copy it; the other reads keys, so that space stops stimulation even while drawing is stuck.

pub mod draw;
pub mod history;
pub mod input;
pub mod panels;
pub mod reading;
pub mod session;
pub mod state;
mod terminal;
pub mod trace;

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event;

pub use draw::{Screen, Theme};
pub use input::{Action, Key};
pub use state::View;
pub use terminal::is_usable;

/// How long the end waits for a drawing thread that a stalled terminal may hold.
const PATIENCE: Duration = Duration::from_millis(400);

/// Of the key thread: above what acquires, below what decides and stimulates.
const KEY_PRIORITY: i32 = 72;

/// How often the key thread looks whether it should end.
const KEY_POLL: Duration = Duration::from_millis(100);

/// How the dashboard looks and where standard error goes meanwhile.
#[derive(Clone, Debug)]
pub struct Options {
    /// Colours and symbols.
    pub theme: Theme,
    /// From one picture to the next.
    pub period: Duration,
    /// What libraries print to standard error while the screen is up.
    pub stderr_file: PathBuf,
    /// Of a session by a protocol: where its keys go.
    pub session: Option<session::SessionInput>,
}

impl Options {
    /// Ten pictures a second, Unicode, colours unless `NO_COLOR` is set, standard error into the temporary folder.
    #[must_use]
    pub fn from_environment() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            theme: Theme { colour: !no_colour, ascii: false },
            period: Duration::from_millis(100),
            stderr_file: std::env::temp_dir().join(format!("tras-{}-stderr.log", std::process::id())),
            session: None,
        }
    }
}

/// A running dashboard. Dropping it gives the terminal back.
pub struct Dashboard {
    guard: terminal::Guard,
    closing: Arc<AtomicBool>,
    ended: Receiver<()>,
    stderr_file: PathBuf,
}

impl Dashboard {
    /// Takes the terminal and starts to draw `view`. `actions` should have room: a full one delays the keys.
    ///
    /// # Errors
    /// There is no terminal, or it cannot be taken; see [`is_usable`].
    pub fn start(view: Arc<Mutex<View>>, actions: Sender<Action>, options: Options) -> io::Result<Self> {
        let guard = terminal::Guard::take(&options.stderr_file)?;
        let closing = Arc::new(AtomicBool::new(false));
        let (local_keys, local) = crossbeam_channel::unbounded();
        let (end, ended) = crossbeam_channel::bounded(2);

        let (stop, quit, done) = (Arc::clone(&closing), actions.clone(), end.clone());
        let stderr_file = options.stderr_file.clone();
        let keys_of_session = options.session.clone();
        thread::Builder::new().name("screen".to_owned()).spawn(move || {
            // A terminal that has gone ends the session safely: nobody sees it, nobody can stop it.
            if show(&view, &local, &stop, &options).is_err() {
                let _ = quit.send(Action::TerminalGone);
            }
            let _ = done.send(());
        })?;
        let stop = Arc::clone(&closing);
        let session = keys_of_session;
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            // Almost always asleep: a busy machine must not come between a key and a stop.
            let _ = crate::realtime::promote(KEY_PRIORITY);
            if read_keys(&actions, &local_keys, session.as_ref(), &stop).is_err() {
                let _ = actions.send(Action::TerminalGone);
            }
            let _ = end.send(());
        })?;
        Ok(Self { guard, closing, ended, stderr_file })
    }

    /// Where standard error has gone meanwhile.
    #[must_use]
    pub fn stderr_file(&self) -> &std::path::Path {
        &self.stderr_file
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        let deadline = Instant::now() + PATIENCE;
        for _ in 0..2 {
            if self.ended.recv_deadline(deadline).is_err() {
                break;
            }
        }
        self.guard.give_back();
    }
}

/// Draws until told to end. The view's lock is held while it is copied, never while it is drawn.
fn show(view: &Mutex<View>, keys: &Receiver<Key>, closing: &AtomicBool, options: &Options) -> io::Result<()> {
    let out = BufWriter::with_capacity(1 << 16, terminal::output()?);
    let mut terminal = Terminal::new(CrosstermBackend::new(out))?;
    let mut screen = Screen::new(options.theme);
    let mut shown = View::default();
    let mut updated = Instant::now();
    while !closing.load(Ordering::Acquire) && terminal::is_borrowed() {
        // A panic elsewhere must not take the screen with it: data is plain, whatever state it is in.
        let mut newest = view.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if newest.elapsed_s.to_bits() != shown.elapsed_s.to_bits() {
            updated = Instant::now();
        }
        screen.silent_s = updated.elapsed().as_secs_f64();
        if screen.paused {
            newest.take_curves(&mut shown);
        }
        shown = newest;
        terminal.draw(|frame| {
            let area = frame.area();
            draw::draw(&shown, &screen, area, frame.buffer_mut());
        })?;
        match keys.recv_timeout(options.period) {
            Ok(key) => screen.apply(key, shown.eeg.len()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(options.period),
        }
    }
    Ok(())
}

/// Reads keys until told to end.
fn read_keys(
    actions: &Sender<Action>,
    screen: &Sender<Key>,
    session: Option<&session::SessionInput>,
    closing: &AtomicBool,
) -> io::Result<()> {
    while !closing.load(Ordering::Acquire) && terminal::is_borrowed() {
        // Several keys may come in one reading: they are asked for until there are none.
        if !terminal::has_input(KEY_POLL)? {
            continue;
        }
        let mut took = false;
        while event::poll(Duration::ZERO)? {
            took = true;
            let event = event::read()?;
            terminal::has_input(Duration::ZERO)?;
            if let Some(taken) = session.and_then(|session| session.keys.take(&event)) {
                let full = taken.zip(session).map(|(line, session)| session.typed.try_send(line));
                drop(full);
                continue;
            }
            match input::key_of(&event) {
                // A runtime that no longer listens has ended.
                Some(Key::Runtime(action)) if actions.send(action).is_err() => return Ok(()),
                Some(Key::Runtime(_)) | None => {}
                Some(key) => {
                    let _ = screen.send(key);
                }
            }
        }
        if !took && terminal::has_input(Duration::ZERO)? && !event::poll(Duration::ZERO)? {
            terminal::drop_input();
        }
    }
    Ok(())
}

impl Screen {
    /// A screen that nobody has touched yet.
    #[must_use]
    pub fn new(theme: Theme) -> Self {
        Self { theme, help: false, paused: false, first_channel: 0, span: 0, silent_s: 0.0 }
    }

    /// Does what a key asks of the screen.
    pub fn apply(&mut self, key: Key, channels: usize) {
        match key {
            Key::Help => self.help = !self.help,
            Key::Close => self.help = false,
            Key::Span => self.span = (self.span + 1) % history::SPANS_S.len(),
            Key::Pause => self.paused = !self.paused,
            Key::Scroll(by) => {
                self.first_channel =
                    self.first_channel.saturating_add_signed(by).min(channels.saturating_sub(1));
            }
            Key::Runtime(_) => {}
        }
    }
}

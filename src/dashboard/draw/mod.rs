//! A [`View`] and an area in, characters out: pure, so that a test sees what a person sees.

mod alerts;
mod current;
mod digits;
mod eeg;
mod exponent;
pub(super) mod flow;
mod header;
mod help;
mod monitor;
mod plot;
mod rows;
mod spectrum;
mod status;
pub mod text;
pub mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

pub use theme::Theme;

use super::state::View;

/// The least terminal that holds the screen.
pub const MIN_WIDTH: u16 = 60;
/// See [`MIN_WIDTH`].
pub const MIN_HEIGHT: u16 = 20;

/// Width from which the numbers have three panels.
const THIRDS_FROM: u16 = 78;
/// Height from which the events have a place.
const EVENTS_FROM: u16 = 34;

/// How the screen stands: what belongs to the person who looks, not to the session.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Colours and symbols.
    pub theme: Theme,
    /// Whether the help is open.
    pub help: bool,
    /// Whether the curves are frozen; states, faults and numbers never are.
    pub paused: bool,
    /// First channel on screen.
    pub first_channel: usize,
    /// Which time span a monitor's history has, by its index in `SPANS_S`.
    pub span: usize,
    /// Seconds since the runtime last wrote the view: a picture that stands still must not look alive.
    pub silent_s: f64,
}

/// Draws everything. A terminal that is too small is told so.
pub fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        too_small(view, screen, area, buffer);
        return;
    }
    let alerts = alerts::rows(view, screen, area);
    let [top, alert_rows, body, keys] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::try_from(alerts.len()).unwrap_or(0)),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]));
    header::top(view, screen, top, buffer);
    alerts::draw(&alerts, alert_rows, buffer);
    // The help takes the place of the panels, never of the state and the alerts.
    if screen.help {
        help::draw(view, screen, body, buffer);
    } else if let Some(session) = &view.session {
        super::session::draw(view, session, screen, body, buffer);
        super::session::keys(session, screen, keys, buffer);
        return;
    } else if view.stimulation.enabled {
        closed_loop(view, screen, body, buffer);
    } else {
        monitor::draw(view, screen, body, buffer);
    }
    header::keys(view, screen, keys, buffer);
}

/// A run that stimulates: EEG, spectrum, exponent, current, and the numbers of session, device and health.
fn closed_loop(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let events = if area.height + 2 >= EVENTS_FROM { area.height / 6 } else { 0 };
    let status = if area.height >= 28 { 9 } else { 7 };
    let [upper, lower, status, events] = area.layout(&Layout::vertical([
        Constraint::Fill(5),
        Constraint::Fill(4),
        Constraint::Length(status),
        Constraint::Length(events),
    ]));
    let [left, right] = upper.layout(&Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3)]));
    eeg::draw(view, screen, left, buffer);
    spectrum::draw(view, screen, right, buffer);
    let [left, right] = lower.layout(&Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3)]));
    exponent::draw(view, screen, left, buffer);
    current::draw(view, screen, right, buffer);
    if area.width < THIRDS_FROM {
        let [left, right] = status.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]));
        status::session(view, screen, left, buffer);
        status::device_and_health(view, screen, right, buffer);
    } else {
        let thirds = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(1)]);
        let [left, middle, right] = status.layout(&thirds);
        status::session(view, screen, left, buffer);
        status::stimulator(view, screen, middle, buffer);
        status::health(view, screen, right, buffer);
    }
    if events.height > 0 {
        status::events(view, screen, events, buffer);
    }
}

/// What must be known even on a tiny terminal: its size, the state, and the keys, which still work.
fn too_small(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let state = if view.stimulation.enabled { header::state_word(view.stimulation.host).0 } else { "" };
    let keys = if view.stimulation.enabled { "space stops stimulation, q quits" } else { "q quits" };
    let fault = view.faults.back().map_or(String::new(), |fault| format!("FAULT {}", fault.text));
    let lines = [
        format!("terminal {}x{}: needs {MIN_WIDTH}x{MIN_HEIGHT}", area.width, area.height),
        state.to_owned(),
        format!("stream {}", view.stream.state.label()),
        fault,
        keys.to_owned(),
    ];
    let mut rest = area;
    for line in &lines {
        let taken = flow::Flow::of(line, theme::Role::Strong).render(screen.theme, rest, buffer);
        rest = Rect { y: rest.y + taken, height: rest.height - taken, ..rest };
    }
}

//! A [`View`] and an area in, characters out: pure, so that a test sees what a person sees.

mod current;
mod eeg;
mod exponent;
mod flow;
mod header;
mod help;
mod plot;
mod spectrum;
mod status;
pub mod text;
pub mod theme;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};

pub use theme::Theme;

use super::state::View;

/// The least terminal that holds the screen.
pub const MIN_WIDTH: u16 = 80;
/// See [`MIN_WIDTH`].
pub const MIN_HEIGHT: u16 = 24;

/// Fault lines shown at most; the rest are in the events and in the recording.
const MAX_FAULT_ROWS: usize = 3;
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
    /// Seconds since the runtime last wrote the view: a picture that stands still must not look alive.
    pub silent_s: f64,
}

/// Draws everything. A terminal that is too small is told so.
pub fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        too_small(view, screen, area, buffer);
        return;
    }
    let faults = u16::try_from(view.faults.len().min(MAX_FAULT_ROWS)).unwrap_or(0);
    let events = if area.height >= EVENTS_FROM { area.height / 6 } else { 0 };
    let status = if area.height >= 30 { 9 } else { 7 };
    let [top, fault_rows, upper, lower, status, events, keys] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(faults),
        Constraint::Fill(5),
        Constraint::Fill(4),
        Constraint::Length(status),
        Constraint::Length(events),
        Constraint::Length(1),
    ]));
    header::top(view, screen, top, buffer);
    header::faults(view, screen.theme, fault_rows, buffer);
    let [left, right] = upper.layout(&Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3)]));
    eeg::draw(view, screen, left, buffer);
    spectrum::draw(view, screen, right, buffer);
    let [left, right] = lower.layout(&Layout::horizontal([Constraint::Fill(4), Constraint::Fill(3)]));
    exponent::draw(view, screen, left, buffer);
    current::draw(view, screen, right, buffer);
    let thirds = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(1)]);
    let [left, middle, right] = status.layout(&thirds);
    status::session(view, screen, left, buffer);
    status::stimulator(view, screen, middle, buffer);
    status::health(view, screen, right, buffer);
    if events.height > 0 {
        status::events(view, screen, events, buffer);
    }
    header::keys(view, screen, keys, buffer);
    if screen.help {
        help::draw(screen, area, buffer);
    }
}

/// What must be known even on a tiny terminal: its size, the state, and the keys, which still work.
fn too_small(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let lines = [
        format!("terminal {}x{}: needs {MIN_WIDTH}x{MIN_HEIGHT}", area.width, area.height),
        header::state_word(view.stimulation.host).0.to_owned(),
        format!("stream {}", view.stream.state.label()),
        "space stops stimulation, q quits".to_owned(),
        view.faults.back().map_or(String::new(), |fault| format!("FAULT {}", text::clip(&fault.text, 200))),
    ];
    for (row, line) in area.rows().zip(&lines) {
        let style = screen.theme.style(theme::Role::Strong);
        buffer.set_stringn(row.x, row.y, line, usize::from(row.width), style);
    }
}

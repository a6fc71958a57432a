//! The first line, which says the state in words; the fault lines below it; the keys in the last line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::theme::{Role, Theme};
use super::{Screen, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;
use crate::stimulator::State;

/// From here on a view that nobody writes is told so.
const SILENT_S: f64 = 1.0;

/// A state as the screen writes it, and how it stands out.
#[must_use]
pub(super) fn state_word(state: State) -> (&'static str, Role) {
    match state {
        State::Disarmed => ("DISARMED", Role::Quiet),
        State::Armed => ("ARMED", Role::Good),
        State::RampUp => ("RAMP UP", Role::Current),
        State::Stimulating => ("STIMULATING", Role::Current),
        State::RampDown => ("RAMP DOWN", Role::Current),
        State::Fault => ("FAULT", Role::Alarm),
    }
}

/// Draws the first line.
pub(super) fn top(view: &View, screen: &Screen, row: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let s = &view.stream;
    let stream_role = match s.state {
        StreamState::Live => Role::Good,
        StreamState::Lost => Role::Alarm,
        StreamState::Waiting | StreamState::Ended => Role::Warn,
    };
    let mut right = vec![];
    if screen.silent_s > SILENT_S {
        right.push(Span::styled(
            format!(" NOT UPDATED {} ", text::age(screen.silent_s)),
            theme.badge(Role::Alarm),
        ));
        right.push(Span::raw(" "));
    }
    if screen.paused {
        right.push(Span::styled(" PAUSED ", theme.badge(Role::Warn)));
        right.push(Span::raw(" "));
    }
    if view.blinded {
        right.push(Span::styled("blinded ", theme.style(Role::Strong)));
    }
    right.push(match (view.stimulation.enabled, view.stimulation.host) {
        (false, _) => Span::styled("no stimulation", theme.style(Role::Quiet)),
        (true, state) => {
            let (word, role) = state_word(state);
            Span::styled(format!(" {word} "), theme.badge(role))
        }
    });
    right.push(Span::styled(format!(" {} ", text::clock(view.elapsed_s)), theme.style(Role::Strong)));
    let right = Line::from(right);

    let room = usize::from(row.width).saturating_sub(right.width() + 1);
    let fixed = view.command.chars().count().min(10) + s.state.label().len() + 9;
    let about = format!(
        " {}  {} Hz  {} ch",
        text::clip(&s.name, room.saturating_sub(fixed + 18).max(8)),
        text::number(s.rate_hz, 0),
        s.channels.len()
    );
    let left = Line::from(vec![
        Span::styled(format!(" tras {} ", text::clip(&view.command, 10)), theme.style(Role::Strong)),
        Span::styled(format!(" {} ", s.state.label()), theme.badge(stream_role)),
        Span::raw(if s.state == StreamState::Waiting { String::new() } else { about }),
    ]);
    buffer.set_line(row.x, row.y, &left, u16::try_from(room).unwrap_or(row.width));
    let width = u16::try_from(right.width()).unwrap_or(u16::MAX).min(row.width);
    buffer.set_line(row.right() - width, row.y, &right, width);
}

/// Draws the newest faults, one a line.
pub(super) fn faults(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    for (row, fault) in area.rows().zip(view.faults.iter().rev()) {
        let line = format!(" FAULT {}  {}", text::clock(fault.elapsed_s), text::clip(&fault.text, 400));
        let width = usize::from(row.width);
        Line::styled(format!("{:<width$}", text::clip(&line, width)), theme.style(Role::Alarm))
            .render(row, buffer);
    }
}

/// Draws the last line: the keys.
pub(super) fn keys(view: &View, screen: &Screen, row: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let mut spans = Vec::new();
    let mut key = |name: &'static str, what: &'static str| {
        spans.push(Span::styled(format!(" {name} "), theme.badge(Role::Plain)));
        spans.push(Span::raw(format!(" {what}   ")));
    };
    if view.stimulation.enabled {
        key("space", "stop stimulation");
    }
    key("q", "quit");
    key("p", if screen.paused { "resume" } else { "pause" });
    if view.eeg.len() > 1 {
        key(theme.symbol("↑↓", "up/dn"), "channels");
    }
    key("?", "help");
    Line::from(spans).render(row, buffer);
}

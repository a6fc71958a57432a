//! The first line, which says the state in words, and the last, which says the keys. What does not fit is left out as a
//! whole, the least important first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::Role;
use super::{Screen, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;
use crate::stimulator::State;

/// A name has so many cells at least, or none.
const NAME: usize = 8;

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
    let width = usize::from(row.width);
    let right = right(view, screen, width);
    let room = width.saturating_sub(right.width() + 1);
    buffer.set_line(row.x, row.y, &left(view, screen, room), row.width);
    let width = u16::try_from(right.width()).unwrap_or(u16::MAX).min(row.width);
    buffer.set_line(row.right() - width, row.y, &right, width);
}

/// Run time and state, and, where `width` has room for the left side too, whether the curves are frozen and blind.
fn right(view: &View, screen: &Screen, width: usize) -> Line<'static> {
    let theme = screen.theme;
    let mut spans = Vec::new();
    if view.stimulation.enabled {
        let (word, role) = state_word(view.stimulation.host);
        spans.push(Span::styled(format!(" {word} "), theme.badge(role)));
    }
    spans.push(Span::styled(format!(" {} ", text::clock(view.elapsed_s)), theme.style(Role::Strong)));
    let more = [
        (screen.paused, " PAUSED ", theme.badge(Role::Warn)),
        (view.blinded, " blinded ", theme.style(Role::Strong)),
    ];
    for (_, words, style) in more.into_iter().filter(|(holds, ..)| *holds) {
        let used: usize = spans.iter().map(Span::width).sum();
        if used + words.len() + 20 <= width {
            spans.insert(0, Span::styled(words, style));
        }
    }
    Line::from(spans)
}

/// Command, state of the stream, and what it is.
fn left(view: &View, screen: &Screen, room: usize) -> Line<'static> {
    let (theme, s) = (screen.theme, &view.stream);
    let role = match s.state {
        StreamState::Live => Role::Good,
        StreamState::Lost => Role::Alarm,
        StreamState::Waiting | StreamState::Ended => Role::Warn,
    };
    let badge = Span::styled(format!(" {} ", s.state.label()), theme.badge(role));
    let command = format!(" tras {} ", text::clip(&view.command, 10));
    let numbers = format!(
        "  {} Hz  {} ch",
        text::number(s.rate_hz, usize::from(s.rate_hz.fract() != 0.0) * 2),
        s.channels.len()
    );
    let numbers = if s.state == StreamState::Waiting { String::new() } else { numbers };
    let mut used = badge.width();
    let mut take = |words: String| {
        let fits = used + words.chars().count() <= room;
        used += if fits { words.chars().count() } else { 0 };
        if fits { words } else { String::new() }
    };
    let command = take(command);
    let numbers = take(numbers);
    let whole = s.name.chars().filter(|c| !c.is_control()).count();
    let name_room = room.saturating_sub(used + 1).min(whole);
    let name = if numbers.is_empty() || name_room < NAME.min(whole) {
        String::new()
    } else {
        format!(" {}", text::clip(&s.name, name_room))
    };
    Line::from(vec![
        Span::styled(command, theme.style(Role::Strong)),
        badge,
        Span::raw(name),
        Span::raw(numbers),
    ])
}

/// Draws the last line: the keys.
pub(super) fn keys(view: &View, screen: &Screen, row: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let stimulates = view.stimulation.enabled;
    let several = view.eeg.len() > 1;
    let arrows = theme.symbol("↑↓", "up/dn");
    // The most important first; the help has them all.
    let keys = [
        (stimulates, "space", "stop stimulation"),
        (true, "q", "quit"),
        (true, "?", "help"),
        (!stimulates, "t", "time span"),
        (true, "p", if screen.paused { "resume" } else { "pause" }),
        (several, arrows, "channels"),
    ];
    let mut spans = Vec::new();
    let mut used = 0;
    for (_, name, what) in keys.into_iter().filter(|(is, ..)| *is) {
        let needs = name.chars().count() + what.chars().count() + 3;
        if used + needs > usize::from(row.width) {
            continue;
        }
        spans.push(Span::styled(format!(" {name} "), theme.badge(Role::Plain)));
        spans.push(Span::raw(format!(" {what}")));
        used += needs;
        if used + 2 <= usize::from(row.width) {
            spans.push(Span::raw("  "));
            used += 2;
        }
    }
    buffer.set_line(row.x, row.y, &Line::from(spans), row.width);
}

//! What the keys and marks mean, over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::Screen;
use super::theme::Role;
use crate::dashboard::state::View;

/// Draws the help in the middle of `area`.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let mut entries = vec![
        ("space", "stop stimulation at once (ramp of 1 s)"),
        ("q, Ctrl-C", "quit: ramp down, close the files; again: cut"),
        ("y", "take up a stream from another host"),
        ("p", "freeze the curves; states and faults go on"),
        ("up, down", "through the channels (PgUp, PgDn: by eight)"),
        ("?, Esc", "close this help"),
        (theme.symbol("──", "***"), "exponent of clean windows: these may steer"),
        (theme.symbol("·", "."), "window touched by stimulation: never steers"),
        (theme.symbol("×", "x"), "invalid estimate; spoilt channel"),
        (theme.symbol("▼", "v"), "oscillatory peak above the aperiodic line"),
        ("- -", "target, or the aperiodic line"),
        ("HELD", "stimulation waits until its reason has gone"),
        ("STOPPED", "nothing starts any more in this run"),
    ];
    if !view.stimulation.enabled {
        entries.retain(|(key, _)| !matches!(*key, "space" | "HELD" | "STOPPED"));
        entries.insert(0, ("t", "time span of the history: 2 min to 12 h"));
    }
    let lines: Vec<Line<'_>> = entries
        .into_iter()
        .map(|(key, what)| {
            Line::from(vec![Span::styled(format!(" {key:<10}"), theme.style(Role::Strong)), Span::raw(what)])
        })
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(12) + 2;
    let middle = area.centered(Constraint::Length(58), Constraint::Length(height));
    Clear.render(middle, buffer);
    let block = theme.panel(Span::styled(" help ", theme.style(Role::Strong)));
    Paragraph::new(lines).block(block).render(middle, buffer);
}

//! What the keys and marks mean, over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::Screen;
use super::theme::Role;

/// Draws the help in the middle of `area`.
pub(super) fn draw(screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let entry = |key: &'static str, what: &'static str| {
        Line::from(vec![Span::styled(format!(" {key:<10}"), theme.style(Role::Strong)), Span::raw(what)])
    };
    let lines = vec![
        entry("space", "stop stimulation at once (ramp of 1 s); works here too"),
        entry("q, Ctrl-C", "quit safely: ramp down, close the files, end"),
        entry("t", "take up a stream that has come back from another host"),
        entry("p", "freeze the curves; states, faults and the session go on"),
        entry("up, down", "move through the channels (PgUp, PgDn: by eight)"),
        entry("?, Esc", "close this help"),
        Line::raw(""),
        entry(theme.symbol("──", "***"), "exponent of clean windows: these may steer"),
        entry(theme.symbol("·", "."), "window touched by stimulation: shown, never steers"),
        entry(theme.symbol("×", "x"), "invalid estimate; before a label: spoilt channel"),
        entry(theme.symbol("▼", "v"), "oscillatory peak above the aperiodic line"),
        entry("- -", "target, or the aperiodic line of the spectrum"),
        entry("HELD", "stimulation waits; the reason stands beside it"),
    ];
    let height = u16::try_from(lines.len()).unwrap_or(12) + 2;
    let middle = area.centered(Constraint::Length(70), Constraint::Length(height));
    Clear.render(middle, buffer);
    let block = theme.panel(Span::styled(" help ", theme.style(Role::Strong)));
    Paragraph::new(lines).block(block).render(middle, buffer);
}

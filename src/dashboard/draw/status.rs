//! The numbers: session, stimulator, health; and, where there is room, the list of events.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::header::state_word;
use super::theme::{Role, Theme};
use super::{Screen, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;

fn panel(theme: Theme, title: &str, lines: Vec<Line<'_>>, area: Rect, buffer: &mut Buffer) {
    let block = theme.panel(Span::styled(format!(" {title} "), theme.style(Role::Strong)));
    Paragraph::new(lines).block(block).render(area, buffer);
}

/// Label and value on one line.
fn pair<'a>(theme: Theme, label: &'a str, value: String, role: Role) -> Line<'a> {
    Line::from(vec![
        Span::styled(format!("{label:<10}"), theme.style(Role::Quiet)),
        Span::styled(value, theme.style(role)),
    ])
}

/// Stands out where something is `bad`.
fn over(bad: bool) -> Role {
    if bad { Role::Warn } else { Role::Plain }
}

/// The protocol: where it is, what comes next, what has been delivered.
pub(super) fn session(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s) = (screen.theme, &view.stimulation);
    let mut lines = Vec::new();
    if s.enabled {
        let phase = if s.phase.is_empty() { "--" } else { &s.phase };
        lines.push(pair(
            theme,
            "phase",
            format!("{} {}/{}", text::clip(phase, 9), s.block, s.blocks),
            Role::Strong,
        ));
        if let Some(held) = &s.held {
            lines.push(Line::styled(format!("HELD {}", text::clip(held, 60)), theme.style(Role::Warn)));
        } else {
            let next = s.next_in_s.map_or("--".to_owned(), |seconds| {
                format!("{} {}", text::clip(&s.next_phase, 9), text::clock(seconds))
            });
            lines.push(pair(theme, "next", next, Role::Plain));
        }
        if view.blinded {
            lines.push(pair(theme, "profile", "hidden (blinded)".to_owned(), Role::Quiet));
            lines.push(pair(theme, "dose", "hidden (blinded)".to_owned(), Role::Quiet));
        } else {
            let exponent = format!(
                "{}  {} {}",
                text::clip(&s.profile, 8),
                theme.symbol("χ", "exp"),
                text::number(s.exponent, 2)
            );
            lines.push(pair(theme, "profile", exponent, Role::Plain));
            let active = format!("{} of {}", text::clock(s.active_s), text::clock(s.active_limit_s));
            lines.push(pair(theme, "active", active, over(s.active_s > 0.9 * s.active_limit_s)));
            let charge =
                format!("{} of {} C", text::number(s.charge_c, 3), text::number(s.charge_limit_c, 1));
            lines.push(pair(theme, "charge", charge, over(s.charge_c > 0.9 * s.charge_limit_c)));
        }
    } else {
        lines.push(Line::raw("monitoring, no stimulation"));
    }
    let estimates =
        format!("{} valid of {}", text::count(view.exponents.valid), text::count(view.exponents.count));
    lines.push(pair(theme, "estimates", estimates, Role::Plain));
    let recording = if view.recording.is_empty() { "off" } else { &view.recording };
    lines.push(pair(
        theme,
        "record",
        tail(recording, usize::from(area.width).saturating_sub(12)),
        Role::Plain,
    ));
    panel(theme, "session", lines, area, buffer);
}

/// Host, device, queue.
pub(super) fn stimulator(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s) = (screen.theme, &view.stimulation);
    let mut lines = Vec::new();
    let (word, role) = state_word(s.host);
    lines.push(pair(theme, "host", word.to_owned(), plain_unless_alarm(role)));
    let (word, role) = s.device_state.map_or(("not connected", Role::Quiet), state_word);
    lines.push(pair(theme, "device", word.to_owned(), plain_unless_alarm(role)));
    let share = s.queue_ms / s.queue_capacity_ms;
    let queue = format!("{} {} ms", gauge(theme, share, 6), text::number(s.queue_ms, 0));
    lines.push(pair(theme, "queue", queue, Role::Plain));
    lines.push(pair(theme, "underruns", text::count(s.underruns), over(s.underruns > 0)));
    let impedance =
        s.impedance_kohm.map_or("not measured".to_owned(), |kohm| format!("{} kOhm", text::number(kohm, 1)));
    lines.push(pair(theme, "impedance", impedance, over(s.impedance_kohm.is_some_and(|kohm| kohm > 12.0))));
    lines.push(pair(theme, "with", text::clip(&s.device, 60), Role::Plain));
    panel(theme, "stimulator", lines, area, buffer);
}

fn plain_unless_alarm(role: Role) -> Role {
    if role == Role::Quiet { Role::Plain } else { role }
}

/// Ages, rings, losses, latency.
pub(super) fn health(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s, l) = (screen.theme, &view.stream, &view.latency);
    let micro = theme.symbol("µs", "us");
    let age = format!("{} / {}", text::age(s.age_s), text::age(view.exponents.age_s));
    let lost = format!("{} gaps {}", text::count(s.lost), text::count(s.gaps));
    let ring = format!("{} overruns {}", gauge(theme, s.ring_fill, 4), text::count(s.overruns));
    let loop_ = format!("{} / {} {micro}", text::number(l.p50_us, 0), text::number(l.p99_us, 0));
    let skipped = format!("{} dropped {}", text::count(l.skipped), text::count(view.dropped));
    let lines = vec![
        pair(theme, "data/est", age, over(s.state == StreamState::Live && s.age_s > 0.5)),
        pair(theme, "lost", lost, over(s.lost > 0 || s.gaps > 0)),
        pair(theme, "ring", ring, over(s.overruns > 0 || s.ring_fill > 0.5)),
        pair(theme, "p50/p99", loop_, Role::Plain),
        pair(theme, "skipped", skipped, over(l.skipped > 0 || view.dropped > 0)),
        pair(theme, "received", text::count(s.received), Role::Plain),
    ];
    panel(theme, "health", lines, area, buffer);
}

/// The newest events, last at the bottom.
pub(super) fn events(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let rows = usize::from(area.height.saturating_sub(2));
    let skip = view.events.len().saturating_sub(rows);
    let lines = view.events.iter().skip(skip).map(|event| {
        Line::from(vec![
            Span::styled(format!("{:>8}  ", text::clock(event.elapsed_s)), theme.style(Role::Quiet)),
            Span::raw(text::clip(&event.text, 400)),
        ])
    });
    panel(theme, "events", lines.collect(), area, buffer);
}

/// A bar of `width` cells, filled to `share`.
fn gauge(theme: Theme, share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "few cells"
    )]
    let full = (share * width as f64).round() as usize;
    let (on, off) = (theme.symbol("█", "#"), theme.symbol("░", "-"));
    on.repeat(full) + &off.repeat(width - full)
}

/// The end of a path: its beginning is the same for every session.
fn tail(text: &str, width: usize) -> String {
    let plain: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    let skip = plain.len().saturating_sub(width);
    plain.into_iter().skip(skip).collect()
}

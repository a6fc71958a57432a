//! The numbers: session, stimulator, health; and, where there is room, the list of events.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::flow::{self, Flow};
use super::header::state_word;
use super::rows::Rows;
use super::theme::{Role, Theme};
use super::{Screen, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;

/// Stands out where something is `bad`.
fn over(bad: bool) -> Role {
    if bad { Role::Warn } else { Role::Plain }
}

/// The protocol: where it is, what comes next, what has been delivered.
pub(super) fn session(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s) = (screen.theme, &view.stimulation);
    let mut rows = Rows::new(theme, area);
    let phase = if s.phase.is_empty() { "--" } else { &s.phase };
    rows.pair("phase", &format!("{phase} {}/{}", s.block, s.blocks), Role::Strong);
    if s.stopped.is_some() {
        rows.words("STOPPED", Role::Warn);
    } else {
        if s.held.is_some() {
            rows.words("HELD", Role::Warn);
        }
        let next =
            s.next_in_s.map_or("--".to_owned(), |left_s| format!("{} {}", s.next_phase, text::clock(left_s)));
        rows.pair("next", &next, Role::Plain);
    }
    if view.blinded {
        rows.pair("profile", "hidden (blinded)", Role::Quiet);
        rows.pair("dose", "hidden (blinded)", Role::Quiet);
    } else {
        let exponent = format!("{}  {} {}", s.profile, theme.symbol("χ", "exp"), text::number(s.exponent, 2));
        rows.pair("profile", &exponent, Role::Plain);
        let active = format!("{} of {}", text::clock(s.active_s), text::clock(s.active_limit_s));
        rows.pair("active", &active, over(s.active_s > 0.9 * s.active_limit_s));
        let charge = format!("{} of {} C", text::number(s.charge_c, 3), text::number(s.charge_limit_c, 1));
        rows.pair("charge", &charge, over(s.charge_c > 0.9 * s.charge_limit_c));
    }
    rows.pair("estimates", &estimates(view), Role::Plain);
    let width = usize::from(area.width.saturating_sub(2));
    rows.pair("record", &recording(view, width), Role::Plain);
    rows.render("session", area, buffer);
}

/// How many estimates, and how many of them were valid.
pub(super) fn estimates(view: &View) -> String {
    format!("{} valid of {}", text::count(view.exponents.valid), text::count(view.exponents.count))
}

/// Where the recording goes: as many folders from its end as `width` has room for.
pub(super) fn recording(view: &View, width: usize) -> String {
    if view.recording.is_empty() {
        return "off".to_owned();
    }
    let path: String = view.recording.chars().filter(|c| !c.is_control()).collect();
    let ends = path.match_indices('/').filter_map(|(at, _)| path.get(at + 1..)).filter(|end| !end.is_empty());
    let choices = std::iter::once(path.clone()).chain(ends.map(str::to_owned));
    let last = path.rsplit('/').find(|end| !end.is_empty()).unwrap_or(&path).to_owned();
    let found = flow::fitting(width, choices);
    if found.is_empty() { last } else { found }
}

/// Host, device, queue.
pub(super) fn stimulator(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s) = (screen.theme, &view.stimulation);
    let mut rows = Rows::new(theme, area);
    device(view, theme, &mut rows);
    rows.pair("underruns", &text::count(s.underruns), over(s.underruns > 0));
    let impedance =
        s.impedance_kohm.map_or("not measured".to_owned(), |kohm| format!("{} kOhm", text::number(kohm, 1)));
    rows.pair("impedance", &impedance, over(s.impedance_kohm.is_some_and(|kohm| kohm > 12.0)));
    rows.pair("with", &s.device, Role::Plain);
    rows.render("stimulator", area, buffer);
}

fn device(view: &View, theme: Theme, rows: &mut Rows) {
    let s = &view.stimulation;
    let (word, role) = state_word(s.host);
    rows.pair("host", word, plain_unless_alarm(role));
    let (word, role) = s.device_state.map_or(("not connected", Role::Quiet), state_word);
    rows.pair("device", word, plain_unless_alarm(role));
    let share = s.queue_ms / s.queue_capacity_ms;
    rows.pair(
        "queue",
        &format!("{} {} ms", gauge(theme, share, 6), text::number(s.queue_ms, 0)),
        Role::Plain,
    );
}

fn plain_unless_alarm(role: Role) -> Role {
    if role == Role::Quiet { Role::Plain } else { role }
}

/// Ages, rings, losses, latency.
pub(super) fn health(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let mut rows = Rows::new(screen.theme, area);
    ages(view, screen.theme, &mut rows);
    rows.render("health", area, buffer);
}

/// Stimulator and health in one panel, where there is no room for two.
pub(super) fn device_and_health(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let mut rows = Rows::new(screen.theme, area);
    device(view, screen.theme, &mut rows);
    ages(view, screen.theme, &mut rows);
    rows.render("health", area, buffer);
}

fn ages(view: &View, theme: Theme, rows: &mut Rows) {
    let (s, l) = (&view.stream, &view.latency);
    let micro = theme.symbol("µs", "us");
    let age = format!("{} / {}", text::age(s.age_s), text::age(view.exponents.age_s));
    rows.pair("data/est", &age, over(s.state == StreamState::Live && s.age_s > 0.5));
    let lost = format!("{} gaps {}", text::count(s.lost), text::count(s.gaps));
    rows.pair("lost", &lost, over(s.lost > 0 || s.gaps > 0));
    let ring = format!("{} overruns {}", gauge(theme, s.ring_fill, 4), text::count(s.overruns));
    rows.pair("ring", &ring, over(s.overruns > 0 || s.ring_fill > 0.5));
    let took = format!("{} / {} {micro}", text::number(l.p50_us, 0), text::number(l.p99_us, 0));
    rows.pair("p50/p99", &took, Role::Plain);
    let skipped = format!("{} dropped {}", text::count(l.skipped), text::count(view.dropped));
    rows.pair("skipped", &skipped, over(l.skipped > 0 || view.dropped > 0));
    rows.pair("received", &text::count(s.received), Role::Plain);
}

/// The newest events, last at the bottom; an event that does not fit as a whole is left out.
pub(super) fn events(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let block = theme.panel(Span::styled(" events ", theme.style(Role::Strong)));
    let inner = block.inner(area);
    let (width, mut room) = (usize::from(inner.width), usize::from(inner.height));
    let mut newest_first: Vec<Vec<Line<'static>>> = Vec::new();
    for event in view.events.iter().rev() {
        let time = format!("{:>8}  ", text::clock(event.elapsed_s));
        let indent = time.chars().count();
        let mut lines = Flow::of(&event.text, Role::Plain).lines(theme, width.saturating_sub(indent).max(1));
        if lines.len() > room {
            break;
        }
        room -= lines.len();
        for (at, line) in lines.iter_mut().enumerate() {
            let head = if at == 0 { time.clone() } else { " ".repeat(indent) };
            line.spans.insert(0, Span::styled(head, theme.style(Role::Quiet)));
        }
        newest_first.push(lines);
    }
    let lines: Vec<Line<'static>> = newest_first.into_iter().rev().flatten().collect();
    Paragraph::new(lines).block(block).render(area, buffer);
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

//! The screen of a session by a protocol: what comes next and when, what a current still waits for, what was said, and the
//! line that the operator types. No curve is on it, because a curve under current would tell a condition.
//!
//! Keys: `a` arms and `g` confirms; `n` next; `c` continues after a stop; `:` opens a line (a note, `kohm A B`, an answer),
//! Enter sends it, Esc drops it. Space stops the current at once, an open line or not; only between blocks, where none
//! flows, it is a space of that line. Within blocks `_` is one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::draw::flow::{Flow, fitting};
use super::draw::text;
use super::draw::theme::Role;
use super::{Screen, View};

/// The longest line that can be typed.
const LONGEST: usize = 400;

/// One phase of the protocol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PhaseLine {
    /// `block 3`, or its kind.
    pub name: String,
    /// Planned, in s; infinite where a key ends it.
    pub planned_s: f64,
}

/// What the keys and the runtime share.
#[derive(Debug, Default)]
pub struct SessionKeys {
    /// A block runs: space stops, whatever is open.
    in_block: AtomicBool,
    line: Mutex<Option<String>>,
}

impl SessionKeys {
    /// The runtime: whether a block runs.
    pub fn set_block(&self, runs: bool) {
        self.in_block.store(runs, Ordering::Release);
    }

    /// The line that is being typed.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a key does here: `None` where it is none of the session's, and a line for the conductor where one is complete.
    #[must_use]
    pub fn take(&self, event: &Event) -> Option<Option<String>> {
        let Event::Key(key) = event else { return None };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if key.kind == KeyEventKind::Release || control {
            return None;
        }
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let in_block = self.in_block.load(Ordering::Acquire);
        let Some(open) = line.as_mut() else {
            return match key.code {
                KeyCode::Char(':') => {
                    *line = Some(String::new());
                    Some(None)
                }
                KeyCode::Char('a') => Some(Some("arm".to_owned())),
                KeyCode::Char('g') => Some(Some("go".to_owned())),
                KeyCode::Char('n') => Some(Some("next".to_owned())),
                KeyCode::Char('c') => Some(Some("continue".to_owned())),
                _ => None,
            };
        };
        match key.code {
            KeyCode::Char(' ') if in_block => return None,
            KeyCode::Char('_') if in_block && open.len() < LONGEST => open.push(' '),
            KeyCode::Char(c) if open.len() < LONGEST => open.push(c),
            KeyCode::Backspace => drop(open.pop()),
            KeyCode::Enter => return Some(line.take()),
            KeyCode::Esc => *line = None,
            _ => return None,
        }
        Some(None)
    }
}

/// Where the keys of a session go.
#[derive(Clone, Debug)]
pub struct SessionInput {
    /// What is typed.
    pub keys: Arc<SessionKeys>,
    /// To the conductor.
    pub typed: Sender<String>,
}

/// What the screen shows of a session.
#[derive(Clone, Debug, Default)]
pub struct SessionView {
    /// Participant, session and study.
    pub whose: String,
    /// The protocol's phases.
    pub phases: Vec<PhaseLine>,
    /// The phase that runs, or is next.
    pub at: usize,
    /// Whether it runs.
    pub runs: bool,
    /// Stopped by the operator.
    pub held: bool,
    /// Over.
    pub over: bool,
    /// When the phase ends, in s since the start; infinite where a key ends it.
    pub ends_s: f64,
    /// When it began.
    pub began_s: f64,
    /// What the next phase waits for.
    pub waits: String,
    /// What must hold before a current, and whether it does.
    pub checks: Vec<(&'static str, bool)>,
    /// The question that stands.
    pub question: Option<String>,
    /// The address for the participant's browser, while no page is open.
    pub address: Option<String>,
    /// See [`SessionKeys`].
    pub keys: Arc<SessionKeys>,
}

impl SessionView {
    /// Seconds until the phase at `place` begins, where everything goes as planned; `None` behind one that a key ends.
    fn begins_in_s(&self, place: usize, now_s: f64) -> Option<f64> {
        let left_s = if self.runs { self.ends_s - now_s } else { 0.0 };
        let first = if self.runs { self.at + 1 } else { self.at };
        let between = self.phases.get(first..place)?.iter().map(|phase| phase.planned_s).sum::<f64>();
        let all_s = left_s + between;
        all_s.is_finite().then_some(all_s.max(0.0))
    }
}

/// Draws the session below the first line: what stands in the way over the whole width, then the panels.
pub(super) fn draw(view: &View, session: &SessionView, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width.saturating_sub(2));
    let stands = stands(session, screen, width);
    let (question, line) = typed(session, screen, width);
    let rows = |lines: &[Line<'_>]| u16::try_from(lines.len()).unwrap_or(u16::MAX);
    // The checks and the dose are seen whole.
    let least = u16::try_from(session.checks.len() + 3).unwrap_or(u16::MAX);
    let upper = (area.height * 11 / 20).saturating_sub(rows(&stands)).max(least);
    let [first, upper, words, last] = area.layout(&Layout::vertical([
        Constraint::Length(rows(&stands)),
        Constraint::Length(upper),
        Constraint::Fill(1),
        Constraint::Length(rows(&question) + 3),
    ]));
    Paragraph::new(stands)
        .render(Rect { x: first.x + 1, width: first.width.saturating_sub(2), ..first }, buffer);
    let [left, right] = upper.layout(&Layout::horizontal([Constraint::Fill(1), Constraint::Length(24)]));
    plan(view, session, screen, left, buffer);
    checks(view, session, screen, right, buffer);
    said(view, screen, words, buffer);
    panel(screen, "typed", question.into_iter().chain([line]).collect(), last, buffer);
}

/// What keeps the session from going on.
fn stands(session: &SessionView, screen: &Screen, width: usize) -> Vec<Line<'static>> {
    let stopped = if session.held { "STOPPED: c, then g goes on" } else { "" };
    let mut lines = Flow::of(stopped, Role::Warn).lines(screen.theme, width);
    lines.extend(Flow::of(&session.waits, Role::Strong).lines(screen.theme, width));
    lines
}

fn panel(screen: &Screen, title: &str, lines: Vec<Line<'_>>, area: Rect, buffer: &mut Buffer) {
    let block = screen.theme.panel(Span::styled(format!(" {title} "), screen.theme.style(Role::Strong)));
    Paragraph::new(lines).wrap(Wrap { trim: false }).block(block).render(area, buffer);
}

/// The phases around the one that runs.
fn plan(view: &View, session: &SessionView, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, rows) = (screen.theme, usize::from(area.height.saturating_sub(2)));
    let first = session.at.saturating_sub(2).min(session.phases.len().saturating_sub(rows));
    let now_s = view.elapsed_s;
    let width = usize::from(area.width.saturating_sub(2));
    let shown = || session.phases.iter().enumerate().skip(first).take(rows);
    let longest = shown().map(|(_, phase)| phase.name.chars().count()).max().unwrap_or(0);
    let lines = shown().map(|(place, phase)| {
        let here = place == session.at && !session.over;
        let planned =
            if phase.planned_s.is_finite() { text::clock(phase.planned_s) } else { "key".to_owned() };
        let time = match (here, session.runs) {
            (true, true) if session.ends_s.is_finite() => {
                format!("{} left", text::clock((session.ends_s - now_s).max(0.0)))
            }
            (true, true) => format!("for {}", text::clock((now_s - session.began_s).max(0.0))),
            (true, false) => "next".to_owned(),
            _ if place < session.at || session.over => "done".to_owned(),
            _ => session
                .begins_in_s(place, now_s)
                .map_or_else(String::new, |s| format!("in {}", text::clock(s))),
        };
        let mark = if here { theme.symbol("▶", ">") } else { " " };
        let role = match (here, place < session.at) {
            (true, _) => Role::Strong,
            (false, true) => Role::Quiet,
            (false, false) => Role::Plain,
        };
        let name = &phase.name;
        let choices = [
            format!("{mark} {name:<longest$} {planned:>7}  {time}"),
            format!("{mark} {name:<longest$}  {time}"),
            format!("{mark} {name}"),
        ];
        Line::styled(fitting(width, choices), theme.style(role))
    });
    let whose = Flow::of(&session.whose, Role::Plain).rows(width.saturating_sub(10));
    let whose =
        whose.first().map(|row| row.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(" "));
    let title = format!("session {}", whose.unwrap_or_default());
    panel(screen, &title, lines.collect(), area, buffer);
}

/// What must hold before a current may begin, and the dose.
fn checks(view: &View, session: &SessionView, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let mut lines: Vec<Line<'_>> = session
        .checks
        .iter()
        .map(|(what, holds)| {
            let (mark, role) = if *holds {
                (theme.symbol("✓", "+"), Role::Good)
            } else {
                (theme.symbol("✗", "-"), Role::Warn)
            };
            Line::from(vec![Span::styled(format!("{mark} "), theme.style(role)), Span::raw(*what)])
        })
        .collect();
    let dose = if view.blinded {
        "dose within limits".to_owned()
    } else {
        let stimulation = &view.stimulation;
        format!("{} of {} used", text::clock(stimulation.active_s), text::clock(stimulation.active_limit_s))
    };
    lines.push(Line::raw(dose));
    panel(screen, "before a current", lines, area, buffer);
}

/// The newest words, whole: what is too long wraps behind its time.
fn said(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    const TIME: usize = 10;
    let rows = usize::from(area.height.saturating_sub(2));
    let width = usize::from(area.width.saturating_sub(2)).saturating_sub(TIME);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for event in view.events.iter().rev() {
        let mut words = Flow::of(&event.text, Role::Plain).lines(screen.theme, width);
        if lines.len() + words.len() > rows {
            break;
        }
        for (row, line) in words.iter_mut().enumerate() {
            let time = if row == 0 { text::clock(event.elapsed_s) } else { String::new() };
            line.spans.insert(0, Span::styled(format!("{time:>8}  "), screen.theme.style(Role::Quiet)));
        }
        lines.splice(0..0, words);
    }
    panel(screen, "said", lines, area, buffer);
}

/// The question that stands or the address to open, whole because it is copied from here, and the line that is typed.
fn typed(session: &SessionView, screen: &Screen, width: usize) -> (Vec<Line<'static>>, Line<'static>) {
    let theme = screen.theme;
    let question = session.question.as_ref().or(session.address.as_ref());
    let line = match (session.keys.line(), question) {
        // Its end is where one types.
        (Some(line), _) => {
            let skip = (line.chars().count() + 3).saturating_sub(width);
            let end: String = line.chars().skip(skip).collect();
            Line::styled(format!(": {end}_"), theme.style(Role::Strong))
        }
        (None, None) => Line::styled(": a line: note TEXT, kohm A B", theme.style(Role::Quiet)),
        (None, Some(_)) => Line::styled(": an answer", theme.style(Role::Quiet)),
    };
    let question = question.map(|text| Flow::of(text, Role::Plain).lines(theme, width));
    (question.unwrap_or_default(), line)
}

/// The keys, in the last line.
pub(super) fn keys(session: &SessionView, screen: &Screen, row: Rect, buffer: &mut Buffer) {
    let all = [
        ("space", "stop"),
        ("a", "arm"),
        ("g", "go"),
        ("n", "next"),
        ("c", "continue"),
        (":", "type"),
        ("q", "quit"),
    ];
    // A narrow screen has all of them too, nearer together.
    let (pad, gap) = if row.width >= 76 { (" ", "  ") } else { ("", " ") };
    let shown = all.into_iter().filter(|(key, _)| *key != "c" || session.held);
    let spans = shown.flat_map(|(key, what)| {
        let badge = Span::styled(format!("{pad}{key}{pad}"), screen.theme.badge(Role::Plain));
        [badge, Span::raw(format!(" {what}{gap}"))]
    });
    let spans: Vec<Span<'_>> = spans.collect();
    Line::from(spans).render(row, buffer);
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::KeyEvent;

    use super::*;

    fn press(keys: &SessionKeys, code: KeyCode) -> Option<Option<String>> {
        keys.take(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn space_stops_in_a_block_whatever_is_typed_and_is_a_space_between_blocks() {
        let keys = SessionKeys::default();
        assert_eq!(press(&keys, KeyCode::Char(' ')), None, "no line: it stops");
        assert_eq!(press(&keys, KeyCode::Char(':')), Some(None));
        for c in "kohm 4.8 5.5".chars() {
            assert_eq!(press(&keys, KeyCode::Char(c)), Some(None));
        }
        assert_eq!(press(&keys, KeyCode::Enter), Some(Some("kohm 4.8 5.5".to_owned())));
        keys.set_block(true);
        let _ = press(&keys, KeyCode::Char(':'));
        for c in "note_x".chars() {
            assert_eq!(press(&keys, KeyCode::Char(c)), Some(None));
        }
        assert_eq!(press(&keys, KeyCode::Char(' ')), None, "an open line does not keep a stop back");
        assert_eq!(press(&keys, KeyCode::Enter), Some(Some("note x".to_owned())));
    }

    #[test]
    fn the_two_keys_are_two_keys() {
        let keys = SessionKeys::default();
        assert_eq!(press(&keys, KeyCode::Char('a')), Some(Some("arm".to_owned())));
        assert_eq!(press(&keys, KeyCode::Char('g')), Some(Some("go".to_owned())));
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(keys.take(&Event::Key(control)), None, "ctrl-c quits");
    }
}

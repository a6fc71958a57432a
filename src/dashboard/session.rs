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

/// Draws the session below the first line.
pub(super) fn draw(view: &View, session: &SessionView, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let upper = (area.height * 11 / 20).max(11);
    let [upper, words, line] = area.layout(&Layout::vertical([
        Constraint::Length(upper),
        Constraint::Fill(1),
        Constraint::Length(4),
    ]));
    let [left, right] = upper.layout(&Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]));
    plan(view, session, screen, left, buffer);
    checks(view, session, screen, right, buffer);
    said(view, screen, words, buffer);
    typing(session, screen, line, buffer);
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
    let lines = session.phases.iter().enumerate().skip(first).take(rows).map(|(place, phase)| {
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
        Line::styled(format!("{mark} {:<19} {planned:>8}  {time}", phase.name), theme.style(role))
    });
    let title = format!("session {}", text::clip(&session.whose, 30));
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
    lines.push(Line::raw(""));
    let dose = if view.blinded {
        "dose within limits".to_owned()
    } else {
        format!(
            "current {} of {}",
            text::clock(view.stimulation.active_s),
            text::clock(view.stimulation.active_limit_s)
        )
    };
    lines.push(Line::raw(dose));
    if session.held {
        lines.push(Line::styled("STOPPED: c, then g goes on", theme.style(Role::Warn)));
    }
    if !session.waits.is_empty() {
        lines.push(Line::styled(session.waits.clone(), theme.style(Role::Strong)));
    }
    panel(screen, "before a current", lines, area, buffer);
}

/// The newest words.
fn said(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let rows = usize::from(area.height.saturating_sub(2));
    let skip = view.events.len().saturating_sub(rows);
    let width = usize::from(area.width.saturating_sub(13));
    let lines = view.events.iter().skip(skip).map(|event| {
        Line::from(vec![
            Span::styled(format!("{:>8}  ", text::clock(event.elapsed_s)), screen.theme.style(Role::Quiet)),
            Span::raw(text::clip(&event.text, width)),
        ])
    });
    panel(screen, "said", lines.collect(), area, buffer);
}

/// The question that stands, and the line that is typed.
fn typing(session: &SessionView, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    // Whole, because it is copied from here.
    let address = session.address.clone();
    let question = session.question.clone().or(address).unwrap_or_default();
    let line = match session.keys.line() {
        Some(line) => Line::styled(format!(": {line}_"), theme.style(Role::Strong)),
        None if question.is_empty() => {
            Line::styled(": a line: note TEXT, kohm A B", theme.style(Role::Quiet))
        }
        None => Line::styled(": an answer", theme.style(Role::Quiet)),
    };
    panel(screen, "typed", vec![Line::raw(question), line], area, buffer);
}

/// The keys, in the last line.
pub(super) fn keys(session: &SessionView, screen: &Screen, row: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let mut spans = Vec::new();
    let all = [
        ("space", "stop"),
        ("a", "arm"),
        ("g", "go"),
        ("n", "next"),
        ("c", "continue"),
        (":", "type"),
        ("q", "quit"),
    ];
    for (key, what) in all {
        if key == "c" && !session.held {
            continue;
        }
        spans.push(Span::styled(format!(" {key} "), theme.badge(Role::Plain)));
        spans.push(Span::raw(format!(" {what}  ")));
    }
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

//! What a person must know now, over the whole width below the first line: faults, why nothing flows, what came back in
//! place of the stream, bad channels. Each stands there whole, or is counted as left out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::flow::Flow;
use super::theme::Role;
use super::{Screen, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;

/// Faults that are listed at most; the rest are in the events and in the recording.
const MAX_FAULTS: usize = 3;
/// From here on a view that nobody writes is told so, in s.
const SILENT_S: f64 = 1.0;

/// Everything that there is to tell, the most urgent first.
fn all(view: &View, screen: &Screen) -> Vec<(String, Role)> {
    let mut all = Vec::new();
    if screen.silent_s > SILENT_S {
        all.push((format!("NOT UPDATED {}: this picture is old", text::age(screen.silent_s)), Role::Alarm));
    }
    for fault in view.faults.iter().rev().take(MAX_FAULTS) {
        all.push((format!("FAULT {}  {}", text::clock(fault.elapsed_s), fault.text), Role::Alarm));
    }
    let s = &view.stimulation;
    if s.enabled
        && let Some(why) = &s.stopped
    {
        all.push((format!("STOPPED {why}"), Role::Warn));
    }
    if let Some(why) = &s.held {
        all.push((format!("HELD {why}"), Role::Warn));
    }
    if let Some(why) = &view.stream.refused {
        all.push((format!("NOT RESUMED {why}"), Role::Alarm));
    }
    let bad = bad_channels(view);
    if !bad.is_empty() {
        all.push((bad, Role::Warn));
    }
    all
}

/// `bad: P4 flat, O1 jumps`; empty where every channel is good.
fn bad_channels(view: &View) -> String {
    if view.stream.state != StreamState::Live {
        return String::new();
    }
    let label = |&(channel, why): &(usize, &str)| {
        let label = view.stream.channels.get(channel).map_or("?", String::as_str);
        format!("{label} {why}")
    };
    let bad: Vec<String> = view.stream.bad.iter().map(label).collect();
    if bad.is_empty() { String::new() } else { format!("bad: {}", bad.join(", ")) }
}

/// The rows for a screen of `area`: at most a third of it.
pub(super) fn rows(view: &View, screen: &Screen, area: Rect) -> Vec<Line<'static>> {
    let (theme, width) = (screen.theme, usize::from(area.width));
    let most = usize::from(area.height / 3).max(1);
    let mut rows = Vec::new();
    let all = all(view, screen);
    for (at, (words, role)) in all.iter().enumerate() {
        let mut lines = Flow::of(words, *role).lines(theme, width.saturating_sub(1));
        for line in &mut lines {
            line.spans.insert(0, " ".into());
            let gap = width.saturating_sub(line.width());
            line.spans.push(" ".repeat(gap).into());
            *line = std::mem::take(line).style(theme.style(*role));
        }
        let last = at + 1 == all.len();
        if rows.len() + lines.len() + usize::from(!last) > most && !rows.is_empty() || lines.len() > most {
            let more = all.len() - at;
            let words = format!(" {more} more to tell: enlarge the terminal");
            rows.push(Line::styled(words, theme.style(Role::Warn)));
            break;
        }
        rows.append(&mut lines);
    }
    rows
}

/// Draws them.
pub(super) fn draw(rows: &[Line<'_>], area: Rect, buffer: &mut Buffer) {
    for (row, line) in area.rows().zip(rows) {
        buffer.set_line(row.x, row.y, line, row.width);
    }
}

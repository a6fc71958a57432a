//! Labels and values in a panel. Where a row is too narrow the label goes first; then the value wraps. A row that has no
//! place below the others is left out as a whole.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::flow::Flow;
use super::theme::{Role, Theme};

/// Cells of a label.
const LABEL: usize = 10;

/// The rows of one panel, the most important first.
pub(super) struct Rows {
    theme: Theme,
    width: usize,
    lines: Vec<Vec<Line<'static>>>,
}

impl Rows {
    /// For a panel that takes `area`, frame included.
    pub(super) fn new(theme: Theme, area: Rect) -> Self {
        Self { theme, width: usize::from(area.width.saturating_sub(2)), lines: Vec::new() }
    }

    /// Adds a label with its value.
    pub(super) fn pair(&mut self, label: &str, value: &str, role: Role) {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let needs = value.chars().count();
        let label = [format!("{label:<LABEL$}"), format!("{label} ")]
            .into_iter()
            .find(|label| label.chars().count() + needs <= self.width);
        let Some(label) = label else { return self.words(&value, role) };
        self.lines.push(vec![Line::from(vec![
            Span::styled(label, self.theme.style(Role::Quiet)),
            Span::styled(value, self.theme.style(role)),
        ])]);
    }

    /// Adds words without a label.
    pub(super) fn words(&mut self, words: &str, role: Role) {
        self.lines.push(Flow::of(words, role).lines(self.theme, self.width));
    }

    /// Draws the panel. The title is left out where it does not fit.
    pub(super) fn render(self, title: &str, area: Rect, buffer: &mut Buffer) {
        let mut room = usize::from(area.height.saturating_sub(2));
        let mut shown = Vec::new();
        for lines in self.lines {
            if lines.len() > room {
                break;
            }
            room -= lines.len();
            shown.extend(lines);
        }
        let title =
            if title.chars().count() + 2 <= self.width { format!(" {title} ") } else { String::new() };
        let block = self.theme.panel(Span::styled(title, self.theme.style(Role::Strong)));
        Paragraph::new(shown).block(block).render(area, buffer);
    }
}

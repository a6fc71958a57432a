//! Words in rows: nothing is ever cut in the middle of a number or a reason. What does not fit wraps, a number stays with
//! its unit, and only a word that is longer than a row is broken.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::theme::{Role, Theme};

/// A number before one of these is not parted from it.
const UNITS: [&str; 17] =
    ["s", "ms", "us", "µs", "Hz", "kHz", "mA", "uA", "µA", "C", "uV", "µV", "kOhm", "%", "ch", "±", "+-"];

/// Words with how they stand out, in their order.
#[derive(Clone, Debug, Default)]
pub(in crate::dashboard) struct Flow {
    words: Vec<(String, Role)>,
}

impl Flow {
    /// Adds `text` as one or more words.
    pub(in crate::dashboard) fn add(&mut self, text: &str, role: Role) -> &mut Self {
        let mut glue = false;
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let word: String = word.chars().filter(|c| !c.is_control()).collect();
            let unit = UNITS.contains(&word.trim_end_matches([',', ';', ':', ')']));
            let number = |(text, _): &(String, Role)| text.ends_with(|c: char| c.is_ascii_digit());
            match self.words.last_mut().filter(|last| (unit && number(last)) || glue) {
                Some((last, _)) => {
                    last.push(' ');
                    last.push_str(&word);
                }
                None => self.words.push((word.clone(), role)),
            }
            // What follows a plus-minus belongs to it.
            glue = word == "±" || word == "+-";
        }
        self
    }

    /// The words of a whole text.
    pub(in crate::dashboard) fn of(text: &str, role: Role) -> Self {
        let mut flow = Self::default();
        flow.add(text, role);
        flow
    }

    /// In rows of at most `width` cells.
    pub(in crate::dashboard) fn rows(&self, width: usize) -> Vec<Vec<(String, Role)>> {
        let mut rows: Vec<Vec<(String, Role)>> = Vec::new();
        let (mut row, mut used) = (Vec::new(), 0_usize);
        for (word, role) in &self.words {
            let mut rest: Vec<char> = word.chars().collect();
            while !rest.is_empty() {
                let gap = usize::from(used > 0);
                if used + gap + rest.len() > width && used > 0 {
                    rows.push(std::mem::take(&mut row));
                    used = 0;
                    continue;
                }
                let taken: Vec<char> = rest.drain(..rest.len().min(width.max(1))).collect();
                used += gap + taken.len();
                row.push((taken.into_iter().collect(), *role));
            }
        }
        if !row.is_empty() {
            rows.push(row);
        }
        rows
    }

    /// As lines of spans.
    pub(in crate::dashboard) fn lines(&self, theme: Theme, width: usize) -> Vec<Line<'static>> {
        let spans = |row: Vec<(String, Role)>| {
            let mut spans = Vec::new();
            for (word, role) in row {
                if !spans.is_empty() {
                    spans.push(Span::styled(" ", theme.style(role)));
                }
                spans.push(Span::styled(word, theme.style(role)));
            }
            Line::from(spans)
        };
        self.rows(width).into_iter().map(spans).collect()
    }

    /// Writes it into `area` and gives how many rows it took; nothing where it does not fit as a whole.
    pub(super) fn render(&self, theme: Theme, area: Rect, buffer: &mut Buffer) -> u16 {
        let lines = self.lines(theme, usize::from(area.width));
        let Ok(count) = u16::try_from(lines.len()) else { return 0 };
        if count > area.height {
            return 0;
        }
        for (row, line) in area.rows().zip(&lines) {
            buffer.set_line(row.x, row.y, line, row.width);
        }
        count
    }
}

/// The first of `choices` that has at most `width` cells: the longest comes first. Nothing where none fits.
pub(in crate::dashboard) fn fitting(width: usize, choices: impl IntoIterator<Item = String>) -> String {
    choices.into_iter().find(|text| text.chars().count() <= width).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, width: usize) -> Vec<String> {
        let rows = Flow::of(text, Role::Plain).rows(width);
        rows.into_iter()
            .map(|row| row.into_iter().map(|(word, _)| word).collect::<Vec<_>>().join(" "))
            .collect()
    }

    #[test]
    fn words_wrap_and_a_number_keeps_its_unit() {
        let text = "last clean 1.56 ± 0.05, 14 s ago";
        assert_eq!(rows(text, 99), [text]);
        assert_eq!(rows(text, 16), ["last clean", "1.56 ± 0.05,", "14 s ago"]);
        assert_eq!(rows("is 0.72 s old", 7), ["is", "0.72 s", "old"]);
    }

    #[test]
    fn only_what_is_longer_than_a_row_is_broken() {
        assert_eq!(rows("a recordings/abc", 6), ["a", "record", "ings/a", "bc"]);
        assert_eq!(rows("", 6), Vec::<String>::new());
        assert_eq!(rows("ab", 0), ["a", "b"]);
    }

    #[test]
    fn the_longest_choice_that_fits_is_taken() {
        let choices = || ["lost 12 gaps 3".to_owned(), "12 gaps 3".to_owned()];
        assert_eq!(fitting(14, choices()), "lost 12 gaps 3");
        assert_eq!(fitting(10, choices()), "12 gaps 3");
        assert_eq!(fitting(3, choices()), "");
    }
}

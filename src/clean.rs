//! Text from files and networks on its way to a screen or a table: whatever it holds, it is only text.
//!
//! A channel's label, a stream's name or an annotation may hold escape sequences that a terminal obeys (clear the
//! screen, set its title, answer with typed keys), a line break that makes one message look like two, or marks that
//! turn the direction of writing; a cell of a table may hold a formula that a spreadsheet runs. Whoever prints such
//! text passes it through here: [`line`] for a name within a message, [`lines`] for a message of several lines,
//! [`cell`] for a cell of a table.

use std::borrow::Cow;

/// What stands for a character that is not printed.
const INSTEAD: char = char::REPLACEMENT_CHARACTER;

/// A name or a sentence without anything that a terminal would obey; line breaks and tabs are not printed either.
///
/// ```
/// assert_eq!(tras::clean::line("F\u{1b}[2Jz"), "F\u{fffd}[2Jz");
/// assert_eq!(tras::clean::line("Fp1 \u{b5}V"), "Fp1 \u{b5}V");
/// ```
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_command)
}

/// A message of several lines: as [`line`], but its line breaks stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && is_command(c))
}

/// A cell of text in a table: as [`line`], and one that a spreadsheet would take for a formula gets a quote before it.
///
/// ```
/// assert_eq!(tras::clean::cell("=1+1"), "'=1+1");
/// ```
#[must_use]
pub fn cell(text: &str) -> Cow<'_, str> {
    let clean = line(text);
    if clean.trim_start().starts_with(['=', '+', '-', '@', INSTEAD]) {
        format!("'{clean}").into()
    } else {
        clean
    }
}

/// Whether a character does something instead of being seen: C0, DEL and C1 controls, separators of lines, marks that
/// turn the direction of writing, and the byte order mark.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn replaced(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().any(&bad) {
        text.chars().map(|c| if bad(c) { INSTEAD } else { c }).collect()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_not_printed() {
        for text in [
            "a\u{1b}[2J",
            "a\u{9b}2J",
            "a\u{7}",
            "a\u{7f}",
            "a\rb",
            "a\nb",
            "\u{202e}abc",
            "a\u{2028}b",
            "a\tb",
        ] {
            let clean = line(text);
            assert_eq!(clean.matches(INSTEAD).count(), 1, "{text:?}");
            assert_eq!(clean.chars().count(), text.chars().count());
        }
        assert_eq!(lines("one\ntwo\u{1b}"), "one\ntwo\u{fffd}");
        assert!(matches!(line("Fz, \u{b5}V, 10 °C, 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn formulas_are_text() {
        for (text, told) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("+1", "'+1"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\t=1", "'\u{fffd}=1"),
            ("Fz", "Fz"),
            ("Fp1-F3", "Fp1-F3"),
        ] {
            assert_eq!(cell(text), told);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_control_character_is_left(text in ".*") {
            let text = text.replace('x', "\u{1b}");
            proptest::prop_assert!(!line(&text).chars().any(char::is_control));
            proptest::prop_assert!(!cell(&text).starts_with(['=', '+', '-', '@']));
        }
    }
}

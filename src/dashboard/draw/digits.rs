//! A number large enough to be read from the other end of a room: five rows of blocks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::theme::{Role, Theme};

/// Rows of a digit.
pub(super) const ROWS: u16 = 5;

/// Five rows of three cells; a `#` is full.
fn glyph(c: char) -> [&'static str; ROWS as usize] {
    match c {
        '0' => ["###", "# #", "# #", "# #", "###"],
        '1' => ["  #", "  #", "  #", "  #", "  #"],
        '2' => ["###", "  #", "###", "#  ", "###"],
        '3' => ["###", "  #", "###", "  #", "###"],
        '4' => ["# #", "# #", "###", "  #", "  #"],
        '5' => ["###", "#  ", "###", "  #", "###"],
        '6' => ["###", "#  ", "###", "# #", "###"],
        '7' => ["###", "  #", "  #", "  #", "  #"],
        '8' => ["###", "# #", "###", "# #", "###"],
        '9' => ["###", "# #", "###", "  #", "###"],
        '-' => ["   ", "   ", "###", "   ", "   "],
        '.' => [" ", " ", " ", " ", "#"],
        _ => ["   "; ROWS as usize],
    }
}

/// Cells that `number` takes, each pixel `wide` cells.
fn width(number: &str, wide: usize) -> usize {
    number.chars().map(|c| (glyph(c)[0].len() + 1) * wide).sum::<usize>().saturating_sub(wide)
}

/// Writes `number` into the upper left of `area`, as wide as there is room for. `false` where there is none.
pub(super) fn draw(number: &str, theme: Theme, role: Role, area: Rect, buffer: &mut Buffer) -> bool {
    let Some(wide) = [2, 1].into_iter().find(|&wide| width(number, wide) <= usize::from(area.width)) else {
        return false;
    };
    if area.height < ROWS {
        return false;
    }
    let full = theme.symbol("█", "#").repeat(wide);
    let empty = " ".repeat(wide);
    for (at, row) in area.rows().take(usize::from(ROWS)).enumerate() {
        let pixels = |c: char| -> String {
            let line = glyph(c).get(at).copied().unwrap_or_default();
            line.chars().map(|pixel| if pixel == '#' { full.as_str() } else { empty.as_str() }).collect()
        };
        let line = number.chars().map(pixels).collect::<Vec<_>>().join(&empty);
        buffer.set_stringn(row.x, row.y, line, usize::from(row.width), theme.style(role));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_drawn_whole_or_not_at_all() {
        let theme = Theme { colour: false, ascii: true };
        let area = Rect::new(0, 0, 13, 5);
        let mut buffer = Buffer::empty(area);
        assert!(draw("1.56", theme, Role::Strong, area, &mut buffer));
        let top: String = (0..13).map(|x| buffer[(x, 0)].symbol().to_owned()).collect();
        assert_eq!(top, "  #   ### ###");
        assert!(!draw("1.56", theme, Role::Strong, Rect::new(0, 0, 12, 5), &mut buffer));
        assert!(!draw("1.56", theme, Role::Strong, Rect::new(0, 0, 40, 4), &mut buffer));
    }
}

//! A screen as an SVG, for the documents: characters in their cells, the colours of a dark terminal.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// A character's width and height, and the margin, in px.
const WIDE: f64 = 7.8;
const HIGH: f64 = 16.0;
const MARGIN: f64 = 8.0;
const GROUND: &str = "#15181c";

/// The buffer as a picture.
pub fn svg(buffer: &Buffer) -> String {
    let (width, height) = (f64::from(buffer.area.width) * WIDE, f64::from(buffer.area.height) * HIGH);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"DejaVu Sans Mono, Menlo, \
         Consolas, monospace\" font-size=\"13\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n",
        width + 2.0 * MARGIN,
        height + 2.0 * MARGIN
    );
    for (row, cells) in buffer.content.chunks(usize::from(buffer.area.width)).enumerate() {
        let top = MARGIN + row as f64 * HIGH;
        let mut column = 0;
        for run in cells.chunk_by(|a, b| a.style() == b.style() && is_blank(a) == is_blank(b)) {
            let (left, wide) = (MARGIN + column as f64 * WIDE, run.len() as f64 * WIDE);
            column += run.len();
            let (ink, ground) = colours(&run[0]);
            if let Some(ground) = ground {
                let _ = writeln!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{wide:.1}\" height=\"{HIGH:.0}\" fill=\"{ground}\"/>"
                );
            }
            if is_blank(&run[0]) {
                continue;
            }
            let text: String = run.iter().map(Cell::symbol).collect();
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let bold = if run[0].modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
            let _ = writeln!(
                out,
                "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" fill=\"{ink}\"{bold}>{text}</text>",
                top + 12.5
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

fn is_blank(cell: &Cell) -> bool {
    cell.symbol().trim().is_empty()
}

/// Ink and ground; no ground where it is the screen's own.
fn colours(cell: &Cell) -> (&'static str, Option<&'static str>) {
    let ink =
        hex(cell.fg).unwrap_or(if cell.modifier.contains(Modifier::DIM) { "#7f8386" } else { "#d3d7cf" });
    if cell.modifier.contains(Modifier::REVERSED) { (GROUND, Some(ink)) } else { (ink, hex(cell.bg)) }
}

fn hex(colour: Color) -> Option<&'static str> {
    match colour {
        Color::Reset => None,
        Color::Black => Some(GROUND),
        Color::DarkGray => Some("#7f8386"),
        Color::Green => Some("#5faf5f"),
        Color::Yellow => Some("#d7af5f"),
        Color::Red => Some("#e06c6c"),
        Color::Cyan => Some("#5fafd7"),
        Color::Magenta => Some("#c586c0"),
        Color::White => Some("#ffffff"),
        other => panic!("no colour for {other:?}"),
    }
}

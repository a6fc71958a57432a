//! What the plots share: a place beside the axis, curves that stay within bounds, and traces of extremes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Context, Line};

use super::theme::{Role, Theme};
use crate::dashboard::trace::Column;

/// Columns left of a plot that its labels take.
pub(super) const GUTTER: u16 = 6;

/// Takes the gutter off `area` and writes `labels` into it: from 0, the bottom, to 1, the top.
pub(super) fn y_axis(area: Rect, buffer: &mut Buffer, theme: Theme, labels: &[(f64, String)]) -> Rect {
    let gutter = GUTTER.min(area.width);
    for (at, label) in labels {
        let rows = f64::from(area.height.saturating_sub(1));
        if area.height == 0 || !at.is_finite() {
            continue;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the rows")]
        let row = ((1.0 - at.clamp(0.0, 1.0)) * rows).round() as u16;
        let width = usize::from(gutter.saturating_sub(1));
        // A label that would be cut is none.
        if label.chars().count() > width {
            continue;
        }
        let label = format!("{label:>width$}");
        buffer.set_stringn(area.x, area.y + row, label, width, theme.style(Role::Quiet));
    }
    Rect { x: area.x + gutter, width: area.width - gutter, ..area }
}

/// Writes `labels`, each under its share of the width, 0 to 1; a label that would touch the one before is left out.
pub(super) fn x_axis(row: Rect, buffer: &mut Buffer, theme: Theme, labels: &[(f64, String)]) {
    let mut free = row.left();
    for (at, label) in labels {
        if row.is_empty() || !(0.0..=1.0).contains(at) {
            continue;
        }
        let length = u16::try_from(label.chars().count()).unwrap_or(u16::MAX);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the row")]
        let centre = row.left() + (at * f64::from(row.width.saturating_sub(1))).round() as u16;
        let last = row.right().saturating_sub(length);
        let start = centre.saturating_sub(length / 2).clamp(row.left(), last.max(row.left()));
        if start >= free && length <= row.width {
            buffer.set_stringn(start, row.y, label, usize::from(length), theme.style(Role::Quiet));
            free = start + length + 1;
        }
    }
}

/// Draws with `paint` on `area`. Bounds that are not finite or not ascending draw nothing.
pub(super) fn canvas(
    area: Rect,
    buffer: &mut Buffer,
    theme: Theme,
    x: [f64; 2],
    y: [f64; 2],
    paint: impl Fn(&mut Context<'_>),
) {
    let ascending = |[low, high]: [f64; 2]| low.is_finite() && high.is_finite() && low < high;
    if area.is_empty() || !ascending(x) || !ascending(y) {
        return;
    }
    Canvas::default().marker(theme.marker()).x_bounds(x).y_bounds(y).paint(paint).render(area, buffer);
}

/// A polyline, clamped to `y`; a point that is not finite parts it.
pub(super) fn curve(
    context: &mut Context<'_>,
    points: impl Iterator<Item = (f64, f64)>,
    y: [f64; 2],
    colour: Color,
) {
    let mut before: Option<(f64, f64)> = None;
    for (px, py) in points {
        if !(px.is_finite() && py.is_finite()) {
            before = None;
            continue;
        }
        let here = (px, py.clamp(y[0], y[1]));
        let (from_x, from_y) = before.unwrap_or(here);
        context.draw(&Line::new(from_x, from_y, here.0, here.1, colour));
        before = Some(here);
    }
}

/// Extremes of slices as one band, mapped by `to_y`; slice i lies at x = i, gaps stay empty.
pub(super) fn band(
    context: &mut Context<'_>,
    columns: impl Iterator<Item = Column>,
    to_y: impl Fn(f32) -> f64,
    colour: Color,
) {
    let mut before = Column::EMPTY;
    for (i, column) in columns.enumerate() {
        if !column.is_empty() {
            // Touch the neighbour, or a steep signal falls apart into dashes.
            let low = column.min.min(if before.is_empty() { column.min } else { before.max });
            let high = column.max.max(if before.is_empty() { column.max } else { before.min });
            #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
            let x = i as f64;
            context.draw(&Line::new(x, to_y(low), x, to_y(high), colour));
        }
        before = column;
    }
}

//! The exponent over the last two minutes: what may steer, what stimulation has touched, what is invalid, the target.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line as TextLine, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::Points;

use super::flow::{self, Flow};
use super::theme::{Role, Theme};
use super::{Screen, plot, text};
use crate::dashboard::reading::Reading;
use crate::dashboard::state::{ExponentPoint, HISTORY_SPAN_S, ThroughPoint, View};
use crate::estimator::Contamination;

/// Draws the panel.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let e = &view.exponents;
    let visible = |point: &&ExponentPoint| !(view.blinded && point.contamination != Contamination::Clean);

    let block = theme.panel(title(view, screen, area.width));
    let inner = block.inner(area);
    block.render(area, buffer);
    let mut reading = Flow::default();
    for (words, role) in Reading::of(view).parts(theme.symbol("±", "+-")) {
        reading.add(&words, role);
    }
    let text = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
    let taken = reading.render(theme, text, buffer);
    let inner = Rect { y: inner.y + taken, height: inner.height.saturating_sub(taken), ..inner };
    if view.hidden {
        return;
    }
    let (Some(now_s), true) = (e.points.back().map(|point| point.stamp_s), inner.height >= 2) else { return };
    if !now_s.is_finite() {
        return;
    }
    let shown: Vec<&ExponentPoint> =
        e.points.iter().filter(visible).filter(|point| point.stamp_s >= now_s - HISTORY_SPAN_S).collect();
    let y = bounds(shown.iter().map(|point| point.exponent).chain(e.target));
    let ago = |seconds: f64| (1.0 - seconds / HISTORY_SPAN_S, format!("-{seconds:.0} s"));
    let times = [ago(120.0), ago(90.0), ago(60.0), ago(30.0), (1.0, "now".to_owned())];
    let area = axes(inner, buffer, theme, y, &times);

    let x = [-HISTORY_SPAN_S, 0.0];
    plot::canvas(area, buffer, theme, x, y, |context| {
        if let Some(target) = e.target.filter(|target| target.is_finite()) {
            let dots: Vec<_> = (0..120)
                .filter(|second| second % 4 < 2)
                .map(|second| (f64::from(second) - HISTORY_SPAN_S, target.clamp(y[0], y[1])))
                .collect();
            context.marker(theme.line_marker());
            context.draw(&Points::new(&dots, theme.colour_of(Role::Fit)));
        }
        context.layer();
        context.marker(theme.marker());
        // A point that may not steer parts the line of those that may.
        let steering = shown.iter().map(|point| {
            let steers = point.invalid.is_none() && point.contamination == Contamination::Clean;
            (point.stamp_s - now_s, if steers { point.exponent } else { f64::NAN })
        });
        plot::curve(context, steering, y, theme.colour_of(Role::Good));
        for point in &shown {
            let at = point.stamp_s - now_s;
            if !at.is_finite() {
                continue;
            }
            if point.invalid.is_some() {
                context.print(at, y[0], Span::styled(theme.symbol("×", "x"), theme.style(Role::Warn)));
            } else if point.contamination != Contamination::Clean && point.exponent.is_finite() {
                let height = point.exponent.clamp(y[0], y[1]);
                context.print(at, height, Span::styled(theme.symbol("·", "."), theme.style(Role::Quiet)));
            }
        }
    });
}

/// The title: the target beside the name, where there is room.
fn title(view: &View, screen: &Screen, width: u16) -> TextLine<'static> {
    let theme = screen.theme;
    let mut spans = vec![Span::styled(" exponent ", theme.style(Role::Strong))];
    // Cleaned samples come later than the samples themselves, by up to a second.
    let newest_s = view.exponents.points.back().map_or(f64::NAN, |point| point.stamp_s);
    let near = |through: &&ThroughPoint| (newest_s - through.stamp_s).abs() < 2.0;
    if let Some(through) = view.exponents.through.as_ref().filter(near)
        && !view.blinded
    {
        let role = if through.why_not.is_none() { Role::Good } else { Role::Quiet };
        let (value, word) = (text::number(through.exponent, 2), through.why_not.unwrap_or("proven"));
        let room = usize::from(width).saturating_sub(30);
        let full = format!("under current {value}: {word} ");
        let words = flow::fitting(room, [full, format!("under current {value} "), String::new()]);
        spans.push(Span::styled(words, theme.style(role)));
    }
    if let Some(target) = view.exponents.target {
        let target = text::number(target, 2);
        let room = usize::from(width).saturating_sub(12);
        let words = flow::fitting(room, [format!("-- target {target} "), format!("-- {target} ")]);
        spans.push(Span::styled(words, theme.style(Role::Fit)));
    }
    TextLine::from(spans)
}

/// Draws the axes of exponents over time into `inner`, which has two rows at least: `y` at the left, `times` below.
/// What is left is for the curve.
pub(super) fn axes(
    inner: Rect,
    buffer: &mut Buffer,
    theme: Theme,
    y: [f64; 2],
    times: &[(f64, String)],
) -> Rect {
    let axis = Rect { height: inner.height - 1, ..inner };
    let labels = [
        (0.0, text::number(y[0], 1)),
        (0.5, text::number(f64::midpoint(y[0], y[1]), 2)),
        (1.0, text::number(y[1], 1)),
    ];
    let labels = if axis.height >= 5 { &labels[..] } else { &[labels[0].clone(), labels[2].clone()] };
    let area = plot::y_axis(axis, buffer, theme, labels);
    let row = Rect { y: inner.bottom() - 1, height: 1, ..area };
    plot::x_axis(row, buffer, theme, times);
    area
}

/// Bounds that hold every finite value between -1 and 5 in steps of a half, at least 1 apart.
pub(super) fn bounds(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.filter(|value| value.is_finite()) {
        low = low.min(value.clamp(-1.0, 5.0));
        high = high.max(value.clamp(-1.0, 5.0));
    }
    if low > high {
        return [0.5, 2.5];
    }
    let (low, high) = ((low * 2.0 - 0.2).floor() / 2.0, (high * 2.0 + 0.2).ceil() / 2.0);
    [low, high.max(low + 1.0)]
}

//! The spectrum of the steering region, log-log, with the aperiodic line and the peaks above it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Line, Points};

use super::theme::Role;
use super::{Screen, flow, plot, text};
use crate::dashboard::state::View;
use crate::estimator::Contamination;

/// Draws the panel.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let s = &view.spectrum;
    let contaminated = s.contamination != Contamination::Clean;
    let hidden = view.hidden || view.blinded && contaminated;
    let note = match (hidden, contaminated) {
        (true, _) => "hidden (blinded) ",
        (false, true) => "STIMULATED ",
        (false, false) => "",
    };
    let region = text::clip(&s.region, 12);
    let choices = [format!(" spectrum {region} {note}"), format!(" spectrum {note}"), format!(" {note}")];
    let title = flow::fitting(usize::from(area.width.saturating_sub(2)), choices);
    let block = theme.panel(Span::styled(title, theme.style(Role::Strong)));
    let inner = block.inner(area);
    block.render(area, buffer);
    if hidden || inner.height < 3 {
        return;
    }
    // A little beyond the fit range, so that its ends are seen.
    let [low_hz, high_hz] =
        if s.range_hz[0] > 0.0 && s.range_hz[0] < s.range_hz[1] { s.range_hz } else { [2.0, 35.0] };
    let x = [(low_hz / 1.3).log10(), (high_hz * 1.3).log10()];
    let points: Vec<(f64, f64)> = s
        .bins
        .iter()
        .map(|&(freq_hz, power)| (freq_hz.log10(), power))
        .filter(|&(log_hz, power)| log_hz >= x[0] && log_hz <= x[1] && power.is_finite())
        .collect();
    let Some(y) = bounds(&points) else {
        let below = Rect { y: inner.y + inner.height / 2, height: inner.height.div_ceil(2), ..inner };
        flow::Flow::of("no spectrum yet", Role::Quiet).render(theme, below, buffer);
        return;
    };
    let axis = Rect { height: inner.height - 1, ..inner };
    let labels = [(0.0, text::number(y[0], 1)), (1.0, text::number(y[1], 1))];
    let area = plot::y_axis(axis, buffer, theme, &labels);
    let row = Rect { y: inner.bottom() - 1, height: 1, ..area };
    let share = |freq_hz: f64| (freq_hz.log10() - x[0]) / (x[1] - x[0]);
    // The ends of the fit range first: they are the numbers that a reader looks for.
    let mut ticks = vec![low_hz, high_hz];
    ticks.extend(
        [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
            .iter()
            .filter(|&&hz| hz > low_hz * 1.5 && hz < high_hz / 1.5),
    );
    ticks.sort_by(f64::total_cmp);
    let last = ticks.len().saturating_sub(1);
    let ticks: Vec<_> = ticks
        .iter()
        .enumerate()
        .map(|(i, &hz)| {
            let unit = if i == last { " Hz" } else { "" };
            (share(hz), format!("{}{unit}", text::number(hz, usize::from(hz.fract() != 0.0))))
        })
        .collect();
    plot::x_axis(row, buffer, theme, &ticks);

    let mark = theme.symbol("▼", "v");
    plot::canvas(area, buffer, theme, x, y, |context| {
        plot::curve(context, points.iter().copied(), y, theme.colour_of(Role::Power));
        if !s.exponent.is_finite() || !s.offset.is_finite() {
            return;
        }
        context.layer();
        context.marker(theme.line_marker());
        let steps = u32::from(area.width) * 2;
        let line: Vec<(f64, f64)> = (0..=steps)
            // Dashed, or it would hide in the curve where there is no colour.
            .filter(|step| step % 6 < 3)
            .map(|step| x[0] + (x[1] - x[0]) * f64::from(step) / f64::from(steps.max(1)))
            .filter(|&log_hz| log_hz >= low_hz.log10() && log_hz <= high_hz.log10())
            .map(|log_hz| (log_hz, s.line_at(10_f64.powf(log_hz))))
            .filter(|&(_, power)| power.is_finite() && power >= y[0] && power <= y[1])
            .collect();
        context.draw(&Points::new(&line, theme.colour_of(Role::Fit)));
        for peak in s.peaks.iter().filter(|peak| peak.centre_hz > 0.0 && peak.power_log10.is_finite()) {
            let at = peak.centre_hz.log10();
            let foot = s.line_at(peak.centre_hz);
            let top = (foot + peak.power_log10).clamp(y[0], y[1]);
            if at < x[0] || at > x[1] || !foot.is_finite() {
                continue;
            }
            context.draw(&Line::new(at, foot.clamp(y[0], y[1]), at, top, theme.colour_of(Role::Fit)));
            context.print(
                at,
                (top + (y[1] - y[0]) * 0.06).min(y[1]),
                Span::styled(mark, theme.style(Role::Fit)),
            );
        }
    });
    numbers(view, screen, area, buffer);
}

/// Exponent, R² and the tallest peak in the upper right corner, where a falling spectrum leaves room.
fn numbers(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let (theme, s) = (screen.theme, &view.spectrum);
    let tallest = s.peaks.iter().max_by(|a, b| a.power_log10.total_cmp(&b.power_log10));
    let mut lines = vec![format!("{} {}", theme.symbol("χ", "exponent"), text::number(s.exponent, 2))];
    lines.push(format!("{} {}", theme.symbol("R²", "R2"), text::number(s.r_squared, 2)));
    if let Some(peak) = tallest {
        lines.push(format!("{} {} Hz", theme.symbol("▼", "v"), text::number(peak.centre_hz, 1)));
    }
    for (row, line) in area.rows().zip(lines) {
        let width = u16::try_from(line.chars().count()).unwrap_or(u16::MAX);
        if width < area.width {
            buffer.set_stringn(
                row.right() - width,
                row.y,
                line,
                usize::from(width),
                theme.style(Role::Strong),
            );
        }
    }
}

/// Bounds of finite points, with some air.
fn bounds(points: &[(f64, f64)]) -> Option<[f64; 2]> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for &(_, power) in points {
        low = low.min(power);
        high = high.max(power);
    }
    let air = ((high - low) * 0.08).max(0.1);
    (low <= high).then_some([low - air, high + air])
}

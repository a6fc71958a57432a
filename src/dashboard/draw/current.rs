//! The current as delivered: the envelope of the last half minute, so that ramps show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line as TextLine, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::Line;

use super::theme::Role;
use super::{Screen, flow, plot, text};
use crate::dashboard::state::{CURRENT_SPAN_S, View};

/// Draws the panel.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let s = &view.stimulation;
    let message = if !s.enabled {
        Some("no stimulation in this session")
    } else if view.blinded {
        Some("hidden (blinded)")
    } else {
        None
    };
    let mut spans = vec![Span::styled(" current ", theme.style(Role::Strong))];
    if message.is_none() {
        let last = text::number(f64::from(view.current.last()), 2);
        let (rms, dc) = (text::number(s.rms_ma, 3), text::number(s.dc_ua, 1));
        let micro = theme.symbol("µA", "uA");
        let choices = [
            format!("{last} mA  RMS {rms}  DC {dc} {micro} "),
            format!("{last} mA  RMS {rms} "),
            format!("{rms} mA RMS "),
        ];
        let room = usize::from(area.width).saturating_sub(11);
        spans.push(Span::styled(flow::fitting(room, choices), theme.style(Role::Strong)));
    }
    let block = theme.panel(TextLine::from(spans));
    let inner = block.inner(area);
    block.render(area, buffer);
    if let Some(message) = message {
        let below = Rect { y: inner.y + inner.height / 2, height: inner.height.div_ceil(2), ..inner };
        flow::Flow::of(message, Role::Quiet).render(theme, below, buffer);
        return;
    }
    if inner.height < 2 {
        return;
    }
    let peak_ma = if s.peak_ma.is_finite() && s.peak_ma > 0.0 { s.peak_ma.min(1e3) } else { 1.0 };
    let axis = Rect { height: inner.height - 1, ..inner };
    let labels = [(0.0, text::number(-peak_ma, 2)), (0.5, "0".to_owned()), (1.0, text::number(peak_ma, 2))];
    let area = plot::y_axis(axis, buffer, theme, &labels);
    let row = Rect { y: inner.bottom() - 1, height: 1, ..area };
    let ago = |seconds: f64| (1.0 - seconds / CURRENT_SPAN_S, format!("-{seconds:.0} s"));
    plot::x_axis(row, buffer, theme, &[ago(30.0), ago(20.0), ago(10.0), (1.0, "now".to_owned())]);
    #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
    let width = view.current.columns().len() as f64;
    let y = [-peak_ma, peak_ma];
    plot::canvas(area, buffer, theme, [0.0, width], y, |context| {
        context.draw(&Line::new(0.0, 0.0, width, 0.0, theme.colour_of(Role::Quiet)));
        context.layer();
        let to_y = |value: f32| f64::from(value).clamp(-peak_ma, peak_ma);
        plot::band(context, view.current.columns(), to_y, theme.colour_of(Role::Current));
    });
}

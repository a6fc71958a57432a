//! The EEG: one lane a channel, one scale for all.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget;

use super::theme::{Role, Theme};
use super::{Screen, flow, plot, text};
use crate::acquisition::state::StreamState;
use crate::dashboard::state::View;

/// Rows that a lane takes at least, so that a wave has height.
const LANE_ROWS: u16 = 2;

/// Draws the panel.
pub(super) fn draw(view: &View, screen: &Screen, area: Rect, buffer: &mut Buffer) {
    let theme = screen.theme;
    let rows = area.height.saturating_sub(2);
    let channels = view.eeg.len();
    let lanes = usize::from(rows / LANE_ROWS).clamp(1, channels.max(1));
    let first = screen.first_channel.min(channels.saturating_sub(lanes));
    let shown = view.eeg.get(first..(first + lanes).min(channels)).unwrap_or_default();

    let scale_uv = scale(shown.iter().filter_map(|trace| trace.half_range()));
    let gutter = gutter(view, first, shown.len(), area.width);
    let dots = usize::from(area.width.saturating_sub(2 + gutter)) * theme.points_per_cell();
    let length = shown.first().map_or(0, |trace| trace.columns().len());
    // About three slices for two dots: a few waves of alpha, still parted.
    let visible = (dots * 3 / 2).clamp(1, length.max(1));
    #[allow(clippy::cast_precision_loss, reason = "a few hundred columns")]
    let seconds = shown.first().map_or(0.0, |trace| trace.span_s() * visible as f64 / length.max(1) as f64);

    let range = format!("{}-{} of {}", first + 1, first + shown.len(), view.stream.channels.len());
    let scale =
        format!("{}{} {}", theme.symbol("±", "+-"), text::number(scale_uv, 0), theme.symbol("µV", "uV"));
    let lost = text::age(view.stream.age_s);
    let titles = match view.stream.state {
        StreamState::Lost => {
            vec![format!(" EEG  LOST, no data for {lost} "), format!(" LOST {lost} "), " LOST ".to_owned()]
        }
        StreamState::Waiting => vec![" EEG  waiting for a stream ".to_owned(), " waiting ".to_owned()],
        _ if channels == 0 => vec![" EEG ".to_owned()],
        _ => vec![
            format!(" EEG {range}  {scale}  {} s ", text::number(seconds, 1)),
            format!(" EEG {range}  {scale} "),
            format!(" {range} "),
        ],
    };
    let title = flow::fitting(usize::from(area.width.saturating_sub(2)), titles);
    let role = if view.stream.state == StreamState::Lost { Role::Alarm } else { Role::Strong };
    let block = theme.panel(ratatui::text::Span::styled(title, theme.style(role)));
    let inner = block.inner(area);
    block.render(area, buffer);
    labels(view, theme, first, shown.len(), Rect { width: gutter.min(inner.width), ..inner }, buffer);

    let plot_area =
        Rect { x: inner.x + gutter.min(inner.width), width: inner.width.saturating_sub(gutter), ..inner };
    #[allow(clippy::cast_precision_loss, reason = "a few hundred columns, at most 64 lanes")]
    let (width, height) = (visible as f64, shown.len().max(1) as f64);
    plot::canvas(plot_area, buffer, theme, [0.0, width], [0.0, height], |context| {
        for (lane, trace) in shown.iter().enumerate() {
            let middle = trace.half_range().map_or(0.0, |(middle, _)| f64::from(middle));
            #[allow(clippy::cast_precision_loss, reason = "at most 64 lanes")]
            let centre = height - 0.5 - lane as f64;
            let to_y =
                |value: f32| centre + ((f64::from(value) - middle) / scale_uv / 2.0).clamp(-0.5, 0.5) * 0.95;
            let columns = trace.columns().skip(length - visible);
            plot::band(context, columns, to_y, theme.colour_of(Role::Eeg));
        }
    });
}

/// One scale for all lanes: the median of their ranges, so that one bad channel does not flatten the others.
fn scale(ranges: impl Iterator<Item = (f32, f32)>) -> f64 {
    let mut halves: Vec<f32> = ranges.map(|(_, half)| half).collect();
    halves.sort_unstable_by(f32::total_cmp);
    halves.get(halves.len() / 2).map_or(1.0, |&half| text::nice(f64::from(half)))
}

/// Cells left of the lanes: as many as the labels need, at most a third of the panel.
fn gutter(view: &View, first: usize, count: usize, width: u16) -> u16 {
    let labels = view.stream.channels.iter().skip(first).take(count);
    let longest = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    u16::try_from(longest + 2).unwrap_or(u16::MAX).clamp(plot::GUTTER, (width / 3).max(plot::GUTTER))
}

/// Channel labels, each in the middle row of its lane, `x` before a spoilt one.
fn labels(view: &View, theme: Theme, first: usize, count: usize, inner: Rect, buffer: &mut Buffer) {
    let lanes = u16::try_from(count).unwrap_or(u16::MAX).max(1);
    for (row, channel) in (0..lanes).zip(first..first + count) {
        let label = view.stream.channels.get(channel).map_or("?", String::as_str);
        let spoilt = view.stream.spoilt.contains(&channel);
        let (mark, role) = if spoilt { (theme.symbol("×", "x"), Role::Warn) } else { (" ", Role::Plain) };
        let offset = u32::from(2 * row + 1) * u32::from(inner.height) / u32::from(2 * lanes);
        let y = inner.y + u16::try_from(offset).unwrap_or(0);
        if y < inner.bottom() {
            let text = format!("{mark}{}", text::clip(label, usize::from(inner.width).saturating_sub(2)));
            buffer.set_stringn(inner.x, y, text, usize::from(inner.width), theme.style(role));
        }
    }
}
